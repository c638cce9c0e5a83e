//! images: channels and bits, held against what is declared and against the other images.

use super::kinds;
use super::problem::{Problem, shown};
use super::set::{Item, Set};
use crate::dataset::header::Header;
use std::collections::BTreeMap;

/// An image with its headers.
pub type Headed<'a> = (&'a Item, Option<Header>, Option<Header>);

/// What is wrong with the channels and bits of all images and depth maps.
pub fn wrong(set: &Set, all: &[Headed]) -> Vec<Problem> {
    let has_depth = all.iter().any(|(item, ..)| item.depth.is_some());
    let mut problems = declared(set, has_depth);
    // Fewer than 4 do not count depth, and are said to contradict it.
    let beside = u64::from(has_depth && set.channels > Some(3));
    let channels = set.channels.map(|c| c - beside);
    let usual = most(
        all.iter()
            .filter_map(|(_, h, _)| h.as_ref())
            .map(channels_of),
    );
    let bits = most(all.iter().filter_map(|(_, h, _)| h.as_ref()).map(bits_of));
    for (item, header, _) in all {
        let Some(header) = header else { continue };
        let place = || shown(&set.root, &item.image);
        let own = channels_of(header);
        if let Some((kind, what)) = odd(own, channels, usual) {
            problems.push(Problem::new(kind, place(), what));
        }
        if bits.is_some_and(|bits| bits_of(header) != bits) {
            let what = format!(
                "{} bits, where most images have {}",
                bits_of(header),
                bits.unwrap_or(0)
            );
            problems.push(Problem::new(&kinds::BIT_DEPTH, place(), what));
        }
    }
    problems.extend(depth(set, all));
    problems
}

/// What a loader makes of an image: places in a palette become colours.
fn channels_of(header: &Header) -> u64 {
    if header.indexed {
        3
    } else {
        header.channels.into()
    }
}

/// A loader widens what has less than 8 bits.
fn bits_of(header: &Header) -> u16 {
    header.bits.max(8)
}

fn most<T: Ord>(all: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    all.for_each(|v| *counts.entry(v).or_default() += 1);
    counts.into_iter().max_by_key(|(_, n)| *n).map(|(v, _)| v)
}

/// Channels that are declared against depth that is.
fn declared(set: &Set, has_depth: bool) -> Vec<Problem> {
    let what = |what: &str| vec![what.to_string()];
    match (set.channels, has_depth) {
        (None, true) => {
            let what =
                what("depth is given beside the images, and channels is not: loaders take 3");
            what.into_iter()
                .map(|w| Problem::new(&kinds::CHANNELS_UNSTATED, "channels", w))
                .collect()
        }
        (Some(n @ 0..=3), true) if n != 2 => {
            let what = format!(
                "channels is {n}, and depth is given beside the images: with it there are 4"
            );
            vec![Problem::new(&kinds::CONTRADICTION, "channels", what)]
        }
        _ => vec![],
    }
}

/// A single channel is repeated and a fourth dropped by loaders of three; fewer than a network takes cannot be mended.
fn odd(
    own: u64,
    declared: Option<u64>,
    usual: Option<u64>,
) -> Option<(&'static kinds::Kind, String)> {
    match (declared, usual) {
        (Some(n), _) if own == n || n == 1 || (n == 3 && own == 4) => None,
        (Some(3), _) if own < 3 => {
            let what = format!("{} in an image, where 3 are declared", channels(own));
            Some((&kinds::ODD_CHANNELS, what))
        }
        (Some(n @ 2..), _) => {
            let what = format!(
                "{} in an image, where {n} are due to come from it",
                channels(own)
            );
            Some((&kinds::CHANNELS, what))
        }
        (_, Some(usual)) if own < 3 && usual >= 3 => {
            let what = format!("{} in an image, where most have {usual}", channels(own));
            Some((&kinds::ODD_CHANNELS, what))
        }
        _ => None,
    }
}

fn channels(n: u64) -> String {
    match n {
        1 => "1 channel".into(),
        n => format!("{n} channels"),
    }
}

fn depth(set: &Set, all: &[Headed]) -> Vec<Problem> {
    let maps = || {
        all.iter()
            .filter_map(|(item, _, d)| Some((item.depth.as_ref()?, d.as_ref()?)))
    };
    let deepest = maps().map(|(_, d)| d.bits).max().unwrap_or(0);
    let one = maps().any(|(_, d)| d.channels == 1 && !d.indexed);
    let mut problems = vec![];
    for (path, header) in maps() {
        if header.bits <= 8 {
            let kind = match deepest <= 8 {
                true => &kinds::ALL_DEPTH_BITS,
                false => &kinds::DEPTH_BITS,
            };
            let what = match deepest <= 8 {
                true => format!("a depth map of {} bits, as all of them", header.bits),
                false => format!(
                    "a depth map of {} bits, where the deepest has {deepest}",
                    header.bits
                ),
            };
            problems.push(Problem::new(kind, shown(&set.root, path), what));
        }
        if header.channels != 1 || header.indexed {
            let what = match header.indexed {
                true => "a depth map of places in a palette".to_string(),
                false => format!("a depth map of {}", channels(header.channels.into())),
            };
            let problem = Problem::new(&kinds::DEPTH_CHANNELS, shown(&set.root, path), what);
            problems.push(match one {
                true => problem.fact("others have 1 channel"),
                false => problem,
            });
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::data::set::Label;

    fn names(
        channels: Option<u64>,
        images: &[(u16, u16)],
        depth: &[(u16, u16)],
    ) -> Vec<&'static str> {
        let header = |(channels, bits): (u16, u16)| Header {
            width: 9,
            height: 9,
            channels,
            bits,
            indexed: false,
            turned: false,
        };
        let item = Item {
            image: "i".into(),
            depth: (!depth.is_empty()).then(|| "d".into()),
            label: Label::Yolo("l".into()),
        };
        let of = |i: usize| depth.get(i).copied().map(header);
        let all: Vec<Headed> = images
            .iter()
            .enumerate()
            .map(|(i, h)| (&item, Some(header(*h)), of(i)))
            .collect();
        let set = Set {
            channels,
            ..Set::default()
        };
        wrong(&set, &all).iter().map(|p| p.kind.name).collect()
    }

    #[test]
    fn what_loaders_make_alike_is_right() {
        let none: [&str; 0] = [];
        assert_eq!(names(None, &[(3, 8), (4, 8), (3, 8)], &[]), none);
        assert_eq!(names(Some(3), &[(3, 8), (4, 8)], &[]), none);
        assert_eq!(names(Some(1), &[(3, 8), (1, 8)], &[]), none);
        assert_eq!(names(None, &[(1, 8), (1, 1)], &[]), none);
        assert_eq!(names(Some(4), &[(3, 8)], &[(1, 16)]), none);
        assert_eq!(names(Some(4), &[(4, 8)], &[]), none);
    }

    #[test]
    fn what_a_network_does_not_get_is_said() {
        assert_eq!(
            names(None, &[(3, 8), (1, 8), (3, 8)], &[]),
            ["odd_channels"]
        );
        assert_eq!(names(Some(3), &[(1, 8)], &[]), ["odd_channels"]);
        assert_eq!(names(Some(4), &[(3, 8)], &[]), ["channels"]);
        assert_eq!(names(None, &[(3, 8), (3, 8), (3, 16)], &[]), ["bit_depth"]);
        assert_eq!(names(Some(3), &[(3, 8)], &[(1, 16)])[0], "contradiction");
        assert_eq!(names(None, &[(3, 8)], &[(1, 16)]), ["channels_unstated"]);
        let two = [(3, 8), (3, 8)];
        assert_eq!(names(Some(4), &two, &[(1, 16), (1, 8)]), ["depth_bits"]);
        assert_eq!(
            names(Some(4), &two, &[(1, 16), (3, 16)]),
            ["depth_channels"]
        );
    }
}
