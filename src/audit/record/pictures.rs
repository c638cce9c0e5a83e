//! pictures: small objects that one run finds and the other does not, and those that neither finds, cut out of their images.

use super::boxes::{Found, Truth};
use super::side::Side;
use crate::audit::Picture;
use crate::kernel::metric::average_precision::{Object, SIZES};
use crate::text::base64;
use image::{Rgb, RgbImage, imageops};
use std::path::{Path, PathBuf};

/// Pictures of each kind.
const MOST: usize = 4;
/// Images that are opened to make them.
const OPENED: usize = 64;
/// Side of a picture.
const SIDE: u32 = 192;
/// An overlap at which an object is found.
const OVERLAP: f64 = 0.5;
const OBJECT: Rgb<u8> = Rgb([60, 200, 60]);
const RUN: Rgb<u8> = Rgb([31, 95, 168]);
const BASELINE: Rgb<u8> = Rgb([224, 138, 30]);

/// The pictures, where images and detections are at hand.
pub fn all(
    truth: &Truth,
    images: Option<&Path>,
    run: &Side,
    baseline: Option<&Side>,
) -> Vec<Picture> {
    let Some(own) = run.found.as_ref() else {
        return vec![];
    };
    let other = baseline.and_then(|b| b.found.as_ref());
    let (own_at, other_at) = (confidence(run), baseline.map_or(0.0, confidence));
    let mut kinds: [(&str, Vec<Picture>); 3] = [
        "found by the run only",
        "found by the baseline only",
        "missed",
    ]
    .map(|k| (k, vec![]));
    let mut opened = 0;
    for object in truth
        .objects
        .iter()
        .filter(|o| SIZES[1].holds(o.area) && !o.crowd)
    {
        let by_run = is_found(own, object, own_at);
        let by_other = other.is_some_and(|f| is_found(f, object, other_at));
        let kind = match (by_run, by_other) {
            (true, false) if other.is_some() => 0,
            (false, true) => 1,
            (false, false) => 2,
            _ => continue,
        };
        if kinds[kind].1.len() >= MOST || opened >= OPENED {
            continue;
        }
        opened += 1;
        let detections = [(Some(own), own_at, RUN), (other, other_at, BASELINE)];
        let title = format!(
            "{}: {} in {}",
            kinds[kind].0, truth.classes[object.class].1, truth.images[object.image].stem
        );
        kinds[kind]
            .1
            .extend(cut(truth, images, object, &detections).map(|png| Picture { title, png }));
    }
    kinds.into_iter().flat_map(|k| k.1).collect()
}

/// The confidence at which a run's precision and recall are told.
fn confidence(side: &Side) -> f64 {
    side.judged
        .as_ref()
        .and_then(|j| j.original.best)
        .map_or(0.0, |b| b[2])
}

fn is_found(found: &Found, object: &Object, confidence: f64) -> bool {
    let own = found
        .detections
        .iter()
        .filter(|d| d.image == object.image && d.class == object.class && d.score >= confidence);
    own.into_iter()
        .any(|d| overlap(d.bbox, object.bbox) >= OVERLAP)
}

fn overlap(a: [f64; 4], b: [f64; 4]) -> f64 {
    let w = (a[0] + a[2]).min(b[0] + b[2]) - a[0].max(b[0]);
    let h = (a[1] + a[3]).min(b[1] + b[3]) - a[1].max(b[1]);
    let both = w.max(0.0) * h.max(0.0);
    both / (a[2] * a[3] + b[2] * b[3] - both)
}

/// What is around the object, with its box and the detections of both runs; None where there is no image that can be read.
fn cut(
    truth: &Truth,
    images: Option<&Path>,
    object: &Object,
    detections: &[(Option<&Found>, f64, Rgb<u8>)],
) -> Option<String> {
    let file = place(&truth.images[object.image].file, images)?;
    let whole = image::ImageReader::open(file)
        .ok()?
        .with_guessed_format()
        .ok()?
        .decode()
        .ok()?
        .to_rgb8();
    let [x, y, w, h] = object.bbox;
    let side = (4.0 * w.max(h))
        .max(48.0)
        .min(f64::from(whole.width().min(whole.height())))
        .floor();
    let left = (x + w / 2.0 - side / 2.0)
        .clamp(0.0, f64::from(whole.width()) - side)
        .floor();
    let top = (y + h / 2.0 - side / 2.0)
        .clamp(0.0, f64::from(whole.height()) - side)
        .floor();
    let cropped =
        imageops::crop_imm(&whole, left as u32, top as u32, side as u32, side as u32).to_image();
    let mut out = imageops::resize(&cropped, SIDE, SIDE, imageops::FilterType::Triangle);
    let scale = f64::from(SIDE) / side;
    let moved = |b: [f64; 4]| {
        [
            (b[0] - left) * scale,
            (b[1] - top) * scale,
            b[2] * scale,
            b[3] * scale,
        ]
    };
    for (found, confidence, colour) in detections {
        let own = found
            .iter()
            .flat_map(|f| &f.detections)
            .filter(|d| d.image == object.image && d.score >= *confidence);
        own.for_each(|d| frame(&mut out, moved(d.bbox), *colour));
    }
    frame(&mut out, moved(object.bbox), OBJECT);
    let mut png = std::io::Cursor::new(vec![]);
    out.write_to(&mut png, image::ImageFormat::Png).ok()?;
    Some(base64(&png.into_inner()))
}

/// The file of an image: as it is named, or below the folder of images.
fn place(file: &Path, images: Option<&Path>) -> Option<PathBuf> {
    let name = file.file_name()?;
    let tried = images
        .map(|i| [i.join(file), i.join(name)])
        .into_iter()
        .flatten();
    [file.to_path_buf()]
        .into_iter()
        .chain(tried)
        .find(|p| p.is_file())
}

/// The outline of a box, as far as it lies in the picture.
fn frame(image: &mut RgbImage, [x, y, w, h]: [f64; 4], colour: Rgb<u8>) {
    let (right, bottom) = (x + w, y + h);
    let inside = |v: f64| (0.0..f64::from(SIDE)).contains(&v);
    let mut dot = |x: f64, y: f64| {
        if inside(x) && inside(y) {
            image.put_pixel(x as u32, y as u32, colour);
        }
    };
    for i in 0..SIDE {
        let at = f64::from(i);
        if (x..=right).contains(&at) {
            [y, bottom].into_iter().for_each(|y| dot(at, y));
        }
        if (y..=bottom).contains(&at) {
            [x, right].into_iter().for_each(|x| dot(x, at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_beyond_the_picture_is_drawn_as_far_as_it_lies_in_it() {
        let mut image = RgbImage::new(SIDE, SIDE);
        frame(&mut image, [-5.0, 10.0, 1e9, 20.0], OBJECT);
        frame(&mut image, [f64::NAN, 0.0, 1.0, 1.0], OBJECT);
        assert_eq!(
            (image.get_pixel(0, 10), image.get_pixel(191, 30)),
            (&OBJECT, &OBJECT)
        );
        assert_eq!(image.get_pixel(0, 9), &Rgb([0; 3]));
    }
}
