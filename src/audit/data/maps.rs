//! maps: whether the values of a label map are classes.

use super::kinds::{self, Kind};
use crate::dataset::header::Header;
use crate::dataset::label_map::Counted;

/// What is wrong with the values of one map.
pub fn wrong(
    map: &Counted,
    image: Option<Header>,
    classes: Option<usize>,
    ignore: &[i64],
) -> Vec<(&'static Kind, String)> {
    let mut all: Vec<(&'static Kind, String)> = vec![];
    if let Some(image) = image.filter(|i| !i.fits(map.size)) {
        let ([w, h], [mw, mh]) = (image.size(), map.size);
        let what = format!("a label map of {mw} x {mh} pixels for an image of {w} x {h}");
        all.push((&kinds::SIZE, what));
    }
    let ignored = ignored(map, ignore);
    if ignored == map.pixels() {
        let what = format!("all {ignored} pixels are ignored");
        all.push((&kinds::MAP_IGNORED, what));
    }
    let Some(classes) = classes else { return all };
    let out = |value: &i64| (*value < 0 || *value >= classes as i64) && !ignore.contains(value);
    let out: Vec<_> = map.values.iter().filter(|(v, _)| out(v)).collect();
    let binary = classes < 256 && map.values.keys().all(|v| [0, 255].contains(v));
    match &out[..] {
        [] => {}
        [(255, n)] if binary => {
            let what = format!(
                "only 0 and 255 occur ({n} pixels of 255), where {classes} classes are declared"
            );
            all.push((&kinds::MAP_BINARY, what));
        }
        _ => {
            let few: Vec<String> = out
                .iter()
                .take(5)
                .map(|(v, n)| format!("{v} ({n} pixels)"))
                .collect();
            let last = classes.saturating_sub(1);
            let what = format!("values beyond 0 … {last}: {}", few.join(", "));
            all.push((&kinds::MAP_VALUE, what));
        }
    }
    all
}

pub fn ignored(map: &Counted, ignore: &[i64]) -> u64 {
    let of = |value: &i64| map.values.get(value).copied().unwrap_or(0);
    ignore.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header([width, height]: [u32; 2], turned: bool) -> Option<Header> {
        Some(Header {
            width,
            height,
            channels: 3,
            bits: 8,
            indexed: false,
            turned,
        })
    }

    fn kinds_of(values: &[(i64, u64)], ignore: &[i64]) -> Vec<&'static str> {
        let map = Counted {
            size: [4, 4],
            values: values.iter().copied().collect(),
        };
        let all = wrong(&map, header([4, 4], false), Some(37), ignore);
        all.iter().map(|(kind, _)| kind.name).collect()
    }

    #[test]
    fn labels_lie_among_the_classes_or_are_ignored() {
        assert_eq!(
            kinds_of(&[(-1, 2), (0, 6), (36, 8)], &[-1]),
            [] as [&str; 0]
        );
        assert_eq!(kinds_of(&[(0, 8), (37, 8)], &[-1]), ["label_map_value"]);
        assert_eq!(kinds_of(&[(-1, 8), (3, 8)], &[255]), ["label_map_value"]);
        assert_eq!(kinds_of(&[(0, 8), (255, 8)], &[-1]), ["label_map_binary"]);
        assert_eq!(kinds_of(&[(0, 8), (255, 8)], &[255]), [] as [&str; 0]);
        assert_eq!(kinds_of(&[(-1, 16)], &[-1]), ["label_map_ignored"]);
    }

    #[test]
    fn a_map_lies_over_its_image() {
        let map = Counted {
            size: [4, 2],
            values: [(0, 8)].into(),
        };
        let all = wrong(&map, header([2, 4], false), None, &[]);
        assert_eq!(all[0].0.name, "size");
        assert_eq!(wrong(&map, header([2, 4], true), None, &[]), []);
    }
}
