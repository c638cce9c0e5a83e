//! name: what the name of a value says of it: a loss, a metric, a learning rate; and which name of a log is meant by a word.

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Loss,
    Metric,
    /// A learning rate.
    Rate,
    /// A norm of gradients.
    Gradient,
    /// What counts or measures the machine: time, memory, progress.
    Clock,
    Other,
}

const CLOCKS: &str = "epoch iter iteration step globalstep time datatime eta memory gpumem gpumemory instances size wall fps seen";
/// Parts of the names of metrics.
const METRICS: &str =
    "metric map iou acc precision recall f1 dice fitness psnr ssim auc fscore top1 top5 pq";
/// Names of loss terms that do not say so.
const TERMS: &str = "total cls dfl obj box iou reg ce";

/// Whether a list holds a word.
fn among(words: &str, word: &str) -> bool {
    words.split(' ').any(|w| w == word)
}

impl Kind {
    #[must_use]
    pub fn of(name: &str) -> Self {
        let all = name.to_lowercase();
        let own = all.rsplit(['/', '.']).next().unwrap_or(&all);
        let bare: String = own.chars().filter(|c| c.is_alphanumeric()).collect();
        let is_metric = || METRICS.split(' ').any(|w| bare.contains(w));
        if among(CLOCKS, &bare) {
            Self::Clock
        } else if all.contains("grad_norm") || all.contains("gradnorm") || all.starts_with("grad/")
        {
            Self::Gradient
        } else if is_rate(&all, own) {
            Self::Rate
        } else if all.starts_with("metrics/") {
            Self::Metric
        } else if bare.contains("lossscale") {
            Self::Other
        } else if bare.contains("loss") || among(TERMS, &bare) {
            Self::Loss
        } else if is_metric() || own.split('_').any(|w| w == "ap" || w == "ar") {
            Self::Metric
        } else {
            Self::Other
        }
    }
}

fn is_rate(all: &str, own: &str) -> bool {
    let first = all.split('/').next().unwrap_or(all);
    first == "lr"
        || own == "lr"
        || own.starts_with("lr_")
        || own.ends_with("_lr")
        || own.starts_with("lr-")
        || own.contains("learning_rate")
        || (first == "x" && own.starts_with("lr"))
}

/// Whether a value was computed on data that is not trained on.
#[must_use]
pub fn is_validation(name: &str) -> bool {
    let name = name.to_lowercase();
    ["val/", "val_", "valid", "eval", "test/", "test_"]
        .iter()
        .any(|head| name.starts_with(head))
}

/// The name that adds up the others, where a log has it.
#[must_use]
pub fn is_total(name: &str) -> bool {
    let name = name.to_lowercase();
    let own = name
        .strip_prefix("train/")
        .or(name.strip_prefix("train_"))
        .or(name.strip_prefix("loss/"))
        .unwrap_or(&name);
    matches!(
        own,
        "loss" | "total" | "total_loss" | "loss_total" | "totalloss"
    )
}

/// A name as it is compared: without case, what stands in brackets, and signs; thresholds of IoU in one form.
fn plain(name: &str) -> String {
    let name = name.to_lowercase();
    let name = name.split('(').next().unwrap_or(&name);
    let name = name.replace("0.5:0.95", "5095").replace("0.5-0.95", "5095");
    let name = name.replace("0.5", "50").replace("0.75", "75");
    name.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn own(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The names among `all` that are meant by `word`: the closest way of being alike that any of them has. One is an answer, several are a question.
#[must_use]
pub fn meant<'a>(word: &str, all: &[&'a str]) -> Vec<&'a str> {
    let asked = plain(word);
    let ways: [&dyn Fn(&str) -> bool; 5] = [
        &|n| n == word,
        &|n| own(n) == word,
        &|n| plain(n) == asked || plain(own(n)) == asked,
        &|n| plain(own(n)).ends_with(&asked),
        &|n| plain(n).contains(&asked),
    ];
    if asked.is_empty() {
        return vec![];
    }
    let found = |way: &&dyn Fn(&str) -> bool| {
        let found: Vec<&str> = all.iter().copied().filter(|n| way(n)).collect();
        (!found.is_empty()).then_some(found)
    };
    ways.iter().find_map(found).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_its_value_is() {
        let rows = [
            (
                Kind::Loss,
                "train/box_loss loss loss_cls d0.loss_cls total cls train/dfl_loss val/cls_loss loss_macl aux_0.loss_ce iou",
            ),
            (
                Kind::Metric,
                "metrics/mAP50(B) metrics/precision(B) coco/bbox_mAP coco/bbox_mAP_50 mIoU aAcc acc decode.acc_seg pascal_voc/AP50_AP toy/accuracy",
            ),
            (Kind::Rate, "lr lr/pg0 x/lr0 base_lr learning_rate lr-AdamW"),
            (Kind::Gradient, "grad_norm grad_norm/backbone"),
            (
                Kind::Clock,
                "epoch time data_time GPU_mem Instances eta iter",
            ),
            (Kind::Other, "momentum loss_scale weight_decay"),
        ];
        for (kind, names) in rows {
            for name in names.split(' ') {
                assert_eq!(Kind::of(name), kind, "{name}");
            }
        }
    }

    #[test]
    fn a_word_means_the_closest_name_and_several_are_a_question() {
        let yolo = ["metrics/mAP50(B)", "metrics/mAP50-95(B)", "train/box_loss"];
        assert_eq!(meant("mAP50", &yolo), ["metrics/mAP50(B)"]);
        assert_eq!(meant("mAP@0.5", &yolo), ["metrics/mAP50(B)"]);
        assert_eq!(meant("mAP@0.5:0.95", &yolo), ["metrics/mAP50-95(B)"]);
        assert_eq!(meant("mAP", &yolo), &yolo[..2]);
        let coco = ["coco/bbox_mAP", "coco/bbox_mAP_50"];
        assert_eq!(meant("mAP", &coco), ["coco/bbox_mAP"]);
        assert_eq!(meant("loss_macl", &yolo), [""; 0]);
        assert_eq!(meant("()", &yolo), [""; 0]);
    }
}
