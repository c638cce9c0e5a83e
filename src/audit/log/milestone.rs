//! milestone: "NAME > NUMBER [%] at epoch N": what must be reached and when. `at` looks there, `by` until there; `epoch`, `step` or `end`.

use super::Held;
use crate::error::{Error, Result};
use crate::text::{few, number};
use crate::training_log::name::{Kind, meant};
use crate::training_log::{Place, Point, Series};
use crate::verdict::{Finding, Severity};
use serde::Deserialize;
use std::str::FromStr;

const FORM: &str = "NAME > NUMBER [%] at|by epoch|step N, or NAME > NUMBER [%] at end; >, >=, < or <=; as \"mAP50 > 15 % at epoch 10\"";
/// Metrics that mmsegmentation and mmpretrain log in percent, whatever their size.
const IN_PERCENT: [&str; 9] = [
    "aacc",
    "miou",
    "macc",
    "mdice",
    "mfscore",
    "mprecision",
    "mrecall",
    "top1",
    "top5",
];

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Milestone {
    text: String,
    name: String,
    sign: Sign,
    value: f64,
    percent: bool,
    /// Reached at any time until then.
    until: bool,
    when: When,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Sign {
    More,
    AtLeast,
    Less,
    AtMost,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Epoch(f64),
    Step(u64),
    End,
}

impl Sign {
    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::More => value > limit,
            Self::AtLeast => value >= limit,
            Self::Less => value < limit,
            Self::AtMost => value <= limit,
        }
    }

    fn is_upward(self) -> bool {
        matches!(self, Self::More | Self::AtLeast)
    }
}

impl FromStr for Milestone {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            Error::usage(format!("milestone \"{text}\" is not understood")).next(FORM)
        })
    }
}

impl TryFrom<String> for Milestone {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

fn parse(text: &str) -> Option<Milestone> {
    let signs = [
        (">=", Sign::AtLeast),
        ("<=", Sign::AtMost),
        (">", Sign::More),
        ("<", Sign::Less),
    ];
    let (word, sign) = signs.into_iter().find(|s| text.contains(s.0))?;
    let (name, rest) = text.split_once(word)?;
    let rest = rest.replace('%', " % ");
    let mut words = rest.split_whitespace().peekable();
    let value = words.next()?.parse().ok().filter(|v: &f64| v.is_finite())?;
    let percent = words.next_if_eq(&"%").is_some();
    let until = match words.next()? {
        "at" => false,
        "by" => true,
        _ => return None,
    };
    let when = match (words.next()?, words.next()) {
        ("epoch", Some(n)) => When::Epoch(n.parse().ok()?),
        ("step" | "iter" | "iteration", Some(n)) => When::Step(n.parse().ok()?),
        ("end" | "the", None | Some("end")) => When::End,
        _ => return None,
    };
    let name = Some(name.trim()).filter(|n| !n.is_empty())?.to_string();
    words.next().is_none().then(|| Milestone {
        text: text.trim().into(),
        name,
        sign,
        value,
        percent,
        until,
        when,
    })
}

/// What a log says of a milestone.
struct Reached {
    value: f64,
    place: Place,
}

impl Milestone {
    /// The verdict of the first log that can tell.
    pub fn judge(&self, all: &[Held]) -> Finding {
        let mut reasons = vec![];
        for held in all {
            match self.of_one(held) {
                Ok(finding) => return finding,
                Err(why) => reasons.push(format!("{}: {why}", held.file)),
            }
        }
        let what = format!("\"{}\" could not be judged", self.text);
        let place = all.first().map_or("log", |h| h.file.as_str());
        Finding::new("milestone", place, what)
            .facts(reasons)
            .severity(Severity::Unjudged)
    }

    fn of_one(&self, held: &Held) -> std::result::Result<Finding, String> {
        let names: Vec<&str> = held.log.series.keys().map(String::as_str).collect();
        let (name, series) = match meant(&self.name, &names)[..] {
            [name] => (name, &held.log.series[name]),
            [] => {
                let judged = names
                    .iter()
                    .copied()
                    .filter(|n| matches!(Kind::of(n), Kind::Loss | Kind::Metric));
                return Err(format!(
                    "nothing is called '{}'; there are {}",
                    self.name,
                    few(judged, 20)
                ));
            }
            ref several => {
                return Err(format!(
                    "'{}' may be {}: name one of them",
                    self.name,
                    few(several.iter().copied(), 9)
                ));
            }
        };
        let reached = self.reached(series)?;
        let (limit, scale) = self.limit(name, series);
        let said = |v: f64| {
            if self.percent {
                format!("{} %", number(100.0 * v / scale))
            } else {
                number(v)
            }
        };
        let holds = self.sign.holds(reached.value, limit);
        let word = if holds { "reached" } else { "not reached" };
        let what = format!(
            "\"{}\" is {word}: '{name}' is {}",
            self.text,
            said(reached.value)
        );
        let mut finding = Finding::new("milestone", held.at(reached.place), what)
            .number("value", reached.value)
            .number("limit", limit);
        if self.percent {
            let form = if scale == 1.0 {
                "as shares: 0.15 is 15 %"
            } else {
                "in percent"
            };
            finding = finding.facts([format!("'{name}' is taken {form}")]);
        }
        if series.width() > 1 {
            finding = finding.facts([format!(
                "a point of so long a log is the mean of {} values",
                series.width()
            )]);
        }
        Ok(match holds {
            true => finding.severity(Severity::Note),
            false => finding.next([
                "look at the other findings first: what is not loaded, dead or not found"
                    .to_string(),
            ]),
        })
    }

    /// The limit in the unit of the log, and what one whole is there.
    fn limit(&self, name: &str, series: &Series) -> (f64, f64) {
        let own = name
            .rsplit(['/', '.'])
            .next()
            .unwrap_or(name)
            .to_lowercase();
        let large = series.highest.is_some_and(|h| h.value > 1.0);
        let scale = if IN_PERCENT.contains(&own.as_str()) || large {
            100.0
        } else {
            1.0
        };
        match self.percent {
            true => (self.value / 100.0 * scale, scale),
            false => (self.value, scale),
        }
    }

    fn reached(&self, series: &Series) -> std::result::Result<Reached, String> {
        let last = series.points.last().ok_or("it never has a finite value")?;
        let known = match self.when {
            When::Epoch(_) => last.place.epoch,
            When::Step(_) => last.place.step.map(|s| s as f64),
            When::End => Some(f64::INFINITY),
        };
        let (limit, word) = match self.when {
            When::Epoch(n) => (n, "epoch"),
            When::Step(n) => (n as f64, "step"),
            When::End => (f64::INFINITY, "end"),
        };
        let known = known.ok_or_else(|| format!("the log does not count by {word}"))?;
        if known < limit {
            return Err(format!("the log ends at {word} {known}"));
        }
        let within = |p: &&Point| match self.when {
            When::Epoch(n) => p.place.epoch.is_some_and(|e| e <= n),
            When::Step(n) => p.place.step.is_some_and(|s| s <= n),
            When::End => true,
        };
        let mut until = series.points.iter().filter(within);
        let point = match self.until {
            false => until.next_back(),
            true if self.sign.is_upward() => until.max_by(|a, b| a.highest.total_cmp(&b.highest)),
            true => until.min_by(|a, b| a.lowest.total_cmp(&b.lowest)),
        };
        let point = point.ok_or_else(|| format!("it has no value until {word} {limit}"))?;
        let value = match (self.until, self.sign.is_upward()) {
            (false, _) => point.mean,
            (true, true) => point.highest,
            (true, false) => point.lowest,
        };
        Ok(Reached {
            value,
            place: point.place,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training_log;

    fn held(text: &str) -> [Held; 1] {
        [Held::of(
            "r.csv",
            training_log::parse(text.as_bytes()).unwrap(),
        )]
    }

    /// Twenty epochs in which mAP50 grows by 0.02 each.
    fn growing() -> [Held; 1] {
        let mut text = "epoch,metrics/mAP50(B),metrics/mAP50-95(B),train/box_loss\n".to_string();
        for i in 1..=20 {
            text += &format!(
                "{i},{},{},{}\n",
                0.02 * f64::from(i),
                0.01 * f64::from(i),
                2.0 / f64::from(i)
            );
        }
        held(&text)
    }

    #[test]
    fn milestones_are_judged_where_they_say_and_what_cannot_be_told_is_not_passed() {
        use Severity::{Fault, Note, Unjudged};
        let rows = [
            ("mAP50 > 15 % at epoch 10", Note),
            ("mAP50 > 30 % at epoch 10", Fault),
            ("mAP50 > 0.15 at epoch 10", Note),
            ("mAP50 > 15 at epoch 10", Fault),
            ("mAP50>=20% by epoch 10", Note),
            ("mAP50 > 20 % at epoch 10", Fault),
            ("mAP > 15 % at epoch 10", Unjudged),
            ("mAP50 > 40 % at epoch 150", Unjudged),
            ("mAP50 > 15 % at step 10", Unjudged),
            ("box_loss < 0.2 at end", Note),
            ("box_loss <= 0.05 at end", Fault),
            ("mIoU > 3 at end", Unjudged),
        ];
        for (text, want) in rows {
            let milestone: Milestone = text.parse().unwrap();
            let finding = milestone.judge(&growing());
            assert_eq!(finding.severity, want, "{text}: {}", finding.what);
        }
    }

    #[test]
    fn a_metric_that_is_logged_in_percent_is_known_even_below_one() {
        let low = held("{\"step\": 5, \"iter\": 5, \"mIoU\": 0.8}\n");
        let judge = |text: &str| text.parse::<Milestone>().unwrap().judge(&low).severity;
        assert_eq!(judge("mIoU > 15 % at end"), Severity::Fault);
        assert_eq!(judge("mIoU > 0.5 % at end"), Severity::Note);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_the_form() {
        for text in [
            "mAP50 at epoch 10",
            "mAP50 > x at epoch 1",
            "> 3 at end",
            "mAP50 > 3 at epoch",
            "mAP50 > 3 when epoch 3",
            "a > 3 at end now",
        ] {
            let refused = text.parse::<Milestone>().unwrap_err();
            assert!(refused.next.unwrap().contains("at|by"), "{text}");
        }
    }
}
