//! sizes: AP by class and by size of two runs on the same objects, in pixels of the image or of the network.

use super::boxes::{Found, Truth};
use super::targets::{Known, Numbers};
use crate::audit::Table;
use crate::kernel::metric::average_precision::{
    Cell, Detection, Evaluated, MOST, Object, SIZES, evaluate, overlaps,
};
use crate::text::number;
use crate::verdict::{Finding, Severity};

/// Classes that are named as those that gained or lost most.
const NAMED: usize = 3;

/// What one run's detections come to, with areas in pixels of the image and of the network.
pub struct Judged {
    pub original: Evaluated,
    /// None where the network sees every image in its own size.
    pub network: Option<Evaluated>,
}

/// Areas are scaled as an image is that is brought to `network` pixels at its longer side.
pub fn judge(truth: &Truth, found: &Found, network: Option<f64>) -> Judged {
    let classes = truth.classes.len();
    let of = |objects: &[Object], detections: &[Detection]| {
        evaluate(objects, detections, classes, &SIZES, &overlaps(), MOST)
    };
    let scales: Option<Vec<f64>> = network.map(|side| {
        let all = truth.images.iter();
        all.map(|m| side / m.width.max(m.height))
            .map(|r| if r.is_finite() { r * r } else { 1.0 })
            .collect()
    });
    let scales = scales.filter(|all| all.iter().any(|s| *s != 1.0));
    let scaled = |scales: Vec<f64>| {
        let objects = truth.objects.iter().map(|o| Object {
            area: o.area * scales[o.image],
            ..o.clone()
        });
        let detections = found.detections.iter().map(|d| Detection {
            area: d.area * scales[d.image],
            ..d.clone()
        });
        of(
            &objects.collect::<Vec<_>>(),
            &detections.collect::<Vec<_>>(),
        )
    };
    Judged {
        original: of(&truth.objects, &found.detections),
        network: scales.map(scaled),
    }
}

/// The numbers of one evaluation, in percent.
pub fn numbers(e: &Evaluated, from: &str) -> Numbers {
    let mut all = vec![("map50", e.map(0, Some(0))), ("map", e.map(0, None))];
    let names = [
        ("small", "small_map"),
        ("medium", "medium_map"),
        ("large", "large_map"),
    ];
    for (i, (own, mean)) in names.into_iter().enumerate() {
        all.extend([(own, e.map(i + 1, Some(0))), (mean, e.map(i + 1, None))]);
    }
    if let Some([precision, recall, _]) = e.best {
        all.extend([("precision", precision), ("recall", recall)]);
    }
    let known = |v: f64| Known {
        value: 100.0 * v,
        from: from.into(),
    };
    all.into_iter()
        .filter(|(_, v)| !v.is_nan())
        .map(|(n, v)| (n, known(v)))
        .collect()
}

fn name(truth: &Truth, c: usize) -> String {
    let (id, name) = &truth.classes[c];
    match name.is_empty() {
        true => id.to_string(),
        false => name.clone(),
    }
}

fn percent(v: f64) -> String {
    match v.is_nan() {
        true => "-".into(),
        false => number(100.0 * v),
    }
}

/// AP@0.5 by class and size with the number of objects, that of the baseline behind a slash.
pub fn table(truth: &Truth, run: &Evaluated, baseline: Option<&Evaluated>, title: &str) -> Table {
    let cell = |c: usize, s: usize| {
        let own = &run.cells[c][s];
        let base = baseline.map(|b| format!(" / {}", percent(b.cells[c][s].ap(0))));
        format!(
            "{}{} ({})",
            percent(own.ap(0)),
            base.unwrap_or_default(),
            own.objects
        )
    };
    let row = |c: usize| {
        [
            vec![name(truth, c)],
            (0..SIZES.len()).map(|s| cell(c, s)).collect(),
        ]
        .concat()
    };
    let total = |s: usize| {
        let base = baseline.map(|b| format!(" / {}", percent(b.map(s, Some(0)))));
        let objects: usize = run.cells.iter().map(|c| c[s].objects).sum();
        format!(
            "{}{} ({objects})",
            percent(run.map(s, Some(0))),
            base.unwrap_or_default()
        )
    };
    let all = [
        vec!["all".to_string()],
        (0..SIZES.len()).map(total).collect(),
    ]
    .concat();
    Table {
        title: title.into(),
        columns: ["class"]
            .into_iter()
            .chain(SIZES.iter().map(|s| s.name))
            .map(String::from)
            .collect(),
        rows: (0..truth.classes.len()).map(row).chain([all]).collect(),
    }
}

/// Which classes gained and which lost most, by AP@0.5 of all sizes.
pub fn gains(truth: &Truth, run: &Evaluated, baseline: &Evaluated) -> Vec<Finding> {
    let of = |c: usize| {
        let ap = |cell: &Cell| 100.0 * cell.ap(0);
        let points = ap(&run.cells[c][0]) - ap(&baseline.cells[c][0]);
        (!points.is_nan()).then(|| (points, name(truth, c)))
    };
    let mut all: Vec<(f64, String)> = (0..truth.classes.len()).filter_map(of).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let said = |kind: &str, word: &str, own: Vec<&(f64, String)>| {
        let row = |(points, name): &&(f64, String)| format!("{name} {points:+.2}");
        let names: Vec<String> = own.iter().map(row).collect();
        let first = own.first()?;
        let what = format!("classes that {word} most: {} points", names.join(", "));
        Some(Finding::new(kind, format!("class {}", first.1), what).severity(Severity::Note))
    };
    let gained = all.iter().filter(|g| g.0 > 0.0).take(NAMED).collect();
    let lost = all.iter().rev().filter(|g| g.0 < 0.0).take(NAMED).collect();
    [
        said("classes_gained", "gained", gained),
        said("classes_lost", "lost", lost),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What detections belong to nothing, or cannot be read.
pub fn findings(found: &Found, place: &str) -> Vec<Finding> {
    let of = |kind: &str, all: &[String], what: &str, next: &str| {
        let first = all.first()?;
        let what = format!("{} {what}, the first: {first}", all.len());
        Some(
            Finding::new(kind, place, what)
                .facts(all.iter().skip(1).take(4).cloned())
                .next([next.into()]),
        )
    };
    let rows = [
        of(
            "unknown_image",
            &found.unknown_images,
            "images of detections are none of the truth's",
            "evaluate on the images that the truth lists",
        ),
        of(
            "unknown_class",
            &found.unknown_classes,
            "categories of detections are none of the truth's",
            "compare the lists of classes; --first-category says what class 0 is called",
        ),
        of(
            "unreadable_box",
            &found.odd,
            "detections are no boxes",
            "look at what wrote them",
        ),
    ];
    rows.into_iter().flatten().collect()
}

/// How both ways to count areas differ.
pub fn both(run: &Judged) -> Option<Finding> {
    let network = run.network.as_ref()?;
    let count = |e: &Evaluated, s: usize| e.cells.iter().map(|c| c[s].objects).sum::<usize>();
    let row = |s: usize| {
        format!(
            "{}: {} objects, AP@0.5 {} in pixels of the image; {}, {} in pixels of the network",
            SIZES[s].name,
            count(&run.original, s),
            percent(run.original.map(s, Some(0))),
            count(network, s),
            percent(network.map(s, Some(0)))
        )
    };
    let same = (1..SIZES.len()).all(|s| count(&run.original, s) == count(network, s));
    let what = match same {
        true => "objects have the same sizes in pixels of the image and of the network",
        false => "sizes differ between pixels of the image and of the network: say which are meant",
    };
    Some(
        Finding::new("areas", "sizes", what)
            .facts((1..SIZES.len()).map(row))
            .severity(Severity::Note),
    )
}

#[cfg(test)]
mod tests {
    use super::super::boxes::Image;
    use super::*;

    /// One object of 40 x 40 in an image of 1280 pixels, found or not.
    fn set(classes: usize) -> (Truth, Found) {
        let bbox = [10.0, 10.0, 40.0, 40.0];
        let object = |class| Object {
            image: 0,
            class,
            bbox,
            area: 1600.0,
            crowd: false,
        };
        let image = Image {
            id: "0".into(),
            stem: "0".into(),
            file: "0.jpg".into(),
            width: 1280.0,
            height: 720.0,
        };
        let truth = Truth {
            objects: (0..classes).map(object).collect(),
            images: vec![image],
            classes: (0..classes).map(|c| (c as i64, format!("c{c}"))).collect(),
            odd: vec![],
        };
        let detection = Detection {
            image: 0,
            class: 0,
            bbox,
            area: 1600.0,
            score: 0.9,
        };
        let found = Found {
            detections: vec![detection],
            ..Found::default()
        };
        (truth, found)
    }

    #[test]
    fn an_object_is_medium_in_its_image_and_small_in_the_network() {
        let (truth, found) = set(1);
        let judged = judge(&truth, &found, Some(640.0));
        let objects = |e: &Evaluated| e.cells[0].iter().map(|c| c.objects).collect::<Vec<_>>();
        assert_eq!(objects(&judged.original), [1, 0, 1, 0]);
        assert_eq!(objects(judged.network.as_ref().unwrap()), [1, 1, 0, 0]);
        assert!(both(&judged).unwrap().what.starts_with("sizes differ"));
        assert!(judge(&truth, &found, Some(1280.0)).network.is_none());
        let own = numbers(&judged.original, "here");
        assert!(own.contains_key("medium") && !own.contains_key("small"));
    }

    #[test]
    fn classes_that_gained_and_lost_are_named() {
        let (truth, found) = set(2);
        let mut other = found.clone();
        other.detections[0].class = 1;
        let [a, b] = [found, other].map(|f| judge(&truth, &f, None).original);
        let said: Vec<String> = gains(&truth, &a, &b).into_iter().map(|f| f.what).collect();
        assert_eq!(
            said,
            [
                "classes that gained most: c0 +100.00 points",
                "classes that lost most: c1 -100.00 points"
            ]
        );
        let table = table(&truth, &a, Some(&b), "t");
        assert_eq!(
            table.rows[0],
            [
                "c0",
                "100.0 / 0 (1)",
                "- / - (0)",
                "100.0 / 0 (1)",
                "- / - (0)"
            ]
        );
    }
}
