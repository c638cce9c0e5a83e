//! scene: an assignment as it lies on its image: the ground truth, and every anchor that either side makes positive, with those that differ told apart. Pure.

use super::assign::Assigned;
use crate::tensor::Tensor;
use crate::text::base64;
use image::{ImageFormat, RgbImage};
use serde::{Deserialize, Serialize};
use std::io::Cursor;

/// Images that are kept: those that differ first.
const IMAGES: usize = 3;
/// Anchors of one image.
const MARKS: usize = 2000;
/// The longer side of the picture.
const SIDE: usize = 256;

/// One image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    pub image: usize,
    pub height: usize,
    pub width: usize,
    /// Corners in pixels, by ground truth.
    pub boxes: Vec<[f64; 4]>,
    /// Positives of either side; those that differ first.
    pub marks: Vec<Mark>,
    /// Positives that are not listed.
    #[serde(default)]
    pub left: usize,
    /// A small PNG of the image in base64, where it was fed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
}

/// An anchor that is positive, and for which ground truth on either side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    pub anchor: usize,
    /// Its middle in pixels.
    pub at: [f64; 2],
    pub reference: Option<usize>,
    pub candidate: Option<usize>,
}

impl Mark {
    pub fn differs(&self) -> bool {
        self.reference != self.candidate
    }
}

/// What an assignment lies on.
pub struct Ground<'a> {
    pub size: [usize; 2],
    /// The middle of each anchor.
    pub points: &'a [[f64; 2]],
    /// `[B, G, 4]`, in pixels.
    pub boxes: Option<Tensor>,
    /// How many rows of each image are objects.
    pub objects: &'a [usize],
    /// `[B, C, H, W]`, where the images were fed.
    pub images: Option<&'a Tensor>,
}

/// The images of a batch; none where the anchors are not those of the image.
pub fn scenes(ground: &Ground, reference: &Assigned, candidate: &Assigned) -> Vec<Scene> {
    let shape = |a: &Assigned| (a.images, a.anchors);
    if shape(reference) != shape(candidate) || ground.points.len() != reference.anchors {
        return vec![];
    }
    let mut all: Vec<Scene> = (0..reference.images)
        .map(|image| scene(ground, image, [reference, candidate]))
        .collect();
    all.sort_by_key(|s| !s.marks.iter().any(Mark::differs));
    all.truncate(IMAGES);
    for scene in &mut all {
        scene.picture = ground.images.and_then(|t| picture(t, scene.image));
    }
    all
}

fn scene(ground: &Ground, image: usize, [reference, candidate]: [&Assigned; 2]) -> Scene {
    let anchors = reference.anchors;
    let mark = |anchor: usize| Mark {
        anchor,
        at: ground.points[anchor],
        reference: reference.owner[image * anchors + anchor],
        candidate: candidate.owner[image * anchors + anchor],
    };
    let all = (0..anchors).map(mark);
    let mut marks: Vec<Mark> = all
        .filter(|m| m.reference.is_some() || m.candidate.is_some())
        .collect();
    marks.sort_by_key(|m| !m.differs());
    let left = marks.len().saturating_sub(MARKS);
    marks.truncate(MARKS);
    let [height, width] = ground.size;
    Scene {
        image,
        height,
        width,
        boxes: boxes(ground, image),
        marks,
        left,
        picture: None,
    }
}

fn boxes(ground: &Ground, image: usize) -> Vec<[f64; 4]> {
    let (Some(boxes), Some(objects)) = (&ground.boxes, ground.objects.get(image)) else {
        return vec![];
    };
    let [_, rows, 4] = *boxes.shape() else {
        return vec![];
    };
    let values = boxes.to_f64();
    let own = values.chunks_exact(4).skip(image * rows);
    own.take((*objects).min(rows))
        .map(|b| [b[0], b[1], b[2], b[3]])
        .collect()
}

/// One image of a batch, smaller, its values spread over what a picture shows: nobody says how they were normalised.
fn picture(images: &Tensor, image: usize) -> Option<String> {
    let [batch, channels, height, width] = *images.shape() else {
        return None;
    };
    if image >= batch || !matches!(channels, 1 | 3) || height * width == 0 {
        return None;
    }
    let every = height.max(width).div_ceil(SIDE);
    let (rows, columns) = (height / every, width / every);
    let view = images.view();
    let value = |c: usize, y: usize, x: usize| {
        let c = c.min(channels - 1);
        view.get(((image * channels + c) * height + y * every) * width + x * every)
    };
    let all = (0..channels)
        .flat_map(|c| (0..rows).flat_map(move |y| (0..columns).map(move |x| (c, y, x))));
    let values = all
        .map(|(c, y, x)| value(c, y, x))
        .filter(|v| v.is_finite());
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
        (a.min(v), b.max(v))
    });
    let scale = 255.0 / (high - low).max(f64::MIN_POSITIVE);
    let shown = RgbImage::from_fn(columns as u32, rows as u32, |x, y| {
        let of = |c: usize| ((value(c, y as usize, x as usize) - low) * scale) as u8;
        image::Rgb([of(0), of(1), of(2)])
    });
    let mut png = Cursor::new(vec![]);
    shown.write_to(&mut png, ImageFormat::Png).ok()?;
    Some(base64(&png.into_inner()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(owner: Vec<Option<usize>>) -> Assigned {
        Assigned {
            images: 2,
            anchors: 3,
            owner,
            labels: None,
            boxes: None,
            scores: None,
            unit: 0.0,
        }
    }

    #[test]
    fn what_differs_comes_first_and_background_is_not_listed() {
        let points = [[4.0, 4.0], [12.0, 4.0], [4.0, 12.0]];
        let images = Tensor::of(&[2, 3, 16, 16], &[0.5f32; 2 * 3 * 256]);
        let ground = Ground {
            size: [16, 16],
            points: &points,
            boxes: Some(Tensor::of(&[2, 2, 4], &[1.0f32; 16])),
            objects: &[0, 1],
            images: Some(&images),
        };
        let reference = owned(vec![Some(0), None, None, Some(0), Some(0), None]);
        let candidate = owned(vec![Some(0), None, None, Some(0), Some(1), Some(0)]);
        let all = scenes(&ground, &reference, &candidate);
        let images: Vec<usize> = all.iter().map(|s| s.image).collect();
        assert_eq!(images, [1, 0], "the image that differs comes first");
        let marks: Vec<(usize, bool)> = all[0]
            .marks
            .iter()
            .map(|m| (m.anchor, m.differs()))
            .collect();
        assert_eq!(marks, [(1, true), (2, true), (0, false)]);
        assert_eq!((all[0].boxes.len(), all[1].boxes.len()), (1, 0));
        assert!(
            all[0]
                .picture
                .as_ref()
                .is_some_and(|p| p.starts_with("iVBOR"))
        );
        let elsewhere = Ground {
            points: &points[..2],
            ..ground
        };
        assert_eq!(scenes(&elsewhere, &reference, &candidate), vec![]);
    }
}
