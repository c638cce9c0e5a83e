//! image: a photograph as an input tensor, by declared preprocessing: resize, channel order, scale, mean, std, layout.

use crate::error::{Error, Result};
use crate::scenario::{Color, Fit, Input, Layout};
use crate::tensor::Tensor;
use image::imageops::{FilterType, overlay, resize};
use image::{ImageReader, Rgb, RgbImage};
use std::path::Path;

/// Pixels of a resized image at most: beyond any network's input, and it still fits into memory.
const MAX_PIXELS: u64 = 1 << 28;

/// The image at `path` as f32 `[1, C, H, W]` (or `[1, H, W, C]`).
pub fn load(path: &Path, input: &Input) -> Result<Tensor> {
    let place = |e: &dyn std::fmt::Display| Error::usage(format!("image {}: {e}", path.display()));
    let reader = ImageReader::open(path)
        .and_then(|r| r.with_guessed_format())
        .map_err(|e| place(&e))?;
    let rgb = reader.decode().map_err(|e| place(&e))?.to_rgb8();
    let sized = match input.resize {
        Some([h, w]) if (1..=MAX_PIXELS).contains(&(u64::from(h) * u64::from(w))) => fitted(
            &rgb,
            h,
            w,
            input.fit.unwrap_or(Fit::Stretch),
            input.fill.unwrap_or(0),
        ),
        Some([h, w]) => {
            return Err(Error::usage(format!(
                "resize: {h} x {w} is not between 1 and {MAX_PIXELS} pixels"
            )));
        }
        None => rgb,
    };
    to_tensor(&sized, input)
}

fn fitted(image: &RgbImage, h: u32, w: u32, fit: Fit, fill: u8) -> RgbImage {
    match fit {
        Fit::Stretch => resize(image, w, h, FilterType::Triangle),
        Fit::Letterbox => {
            let ratio = (h as f64 / image.height() as f64).min(w as f64 / image.width() as f64);
            let side = |n: u32| ((n as f64 * ratio) as u32).max(1);
            let small = resize(
                image,
                side(image.width()),
                side(image.height()),
                FilterType::Triangle,
            );
            let mut canvas = RgbImage::from_pixel(w, h, Rgb([fill; 3]));
            overlay(&mut canvas, &small, 0, 0);
            canvas
        }
    }
}

fn to_tensor(image: &RgbImage, input: &Input) -> Result<Tensor> {
    let color = input.color.unwrap_or(Color::Rgb);
    let channels = if color == Color::Gray { 1 } else { 3 };
    let per_channel = |given: &Option<Vec<f32>>, default: f32, name: &str| match given {
        None => Ok(vec![default; channels]),
        Some(v) if v.len() == channels => Ok(v.clone()),
        Some(v) => Err(Error::usage(format!(
            "{name} has {} values, the image has {channels} channels",
            v.len()
        ))),
    };
    let (mean, std) = (
        per_channel(&input.mean, 0.0, "mean")?,
        per_channel(&input.std, 1.0, "std")?,
    );
    let scale = input.scale.unwrap_or(1.0);
    if !scale.is_finite() || mean.iter().chain(&std).any(|v| !v.is_finite()) || std.contains(&0.0) {
        return Err(Error::usage(
            "scale, mean and std must be finite, and std not 0",
        ));
    }
    let value = |x: u32, y: u32, c: usize| {
        let Rgb([r, g, b]) = *image.get_pixel(x, y);
        let raw = match color {
            Color::Rgb => [r, g, b][c] as f32,
            Color::Bgr => [b, g, r][c] as f32,
            // ITU-R BT.601 luma.
            Color::Gray => 0.299 * r as f32 + 0.587 * g as f32 + 0.114 * b as f32,
        };
        (raw * scale - mean[c]) / std[c]
    };
    let (w, h) = image.dimensions();
    let (hu, wu) = (h as usize, w as usize);
    let mut values = Vec::with_capacity(hu * wu * channels);
    Ok(match input.layout.unwrap_or(Layout::Nchw) {
        Layout::Nchw => {
            (0..channels)
                .for_each(|c| (0..h).for_each(|y| values.extend((0..w).map(|x| value(x, y, c)))));
            Tensor::of(&[1, channels, hu, wu], &values)
        }
        Layout::Nhwc => {
            (0..h).for_each(|y| {
                (0..w).for_each(|x| values.extend((0..channels).map(|c| value(x, y, c))))
            });
            Tensor::of(&[1, hu, wu, channels], &values)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_pixels() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("i.png");
        let mut image = RgbImage::new(2, 1);
        image.put_pixel(0, 0, Rgb([1, 2, 3]));
        image.put_pixel(1, 0, Rgb([4, 5, 6]));
        image.save(&path).unwrap();
        (dir, path)
    }

    #[test]
    fn preprocessing_is_scale_then_mean_then_std_in_the_declared_order() {
        let (_dir, path) = two_pixels();
        let input = Input {
            color: Some(Color::Bgr),
            scale: Some(2.0),
            mean: Some(vec![1., 0., 0.]),
            std: Some(vec![1., 2., 1.]),
            ..Default::default()
        };
        let t = load(&path, &input).unwrap();
        assert_eq!(
            (t.shape(), t.values::<f32>().unwrap()),
            (&[1, 3, 1, 2][..], &[5., 11., 2., 5., 2., 8.][..])
        );
        let t = load(
            &path,
            &Input {
                layout: Some(Layout::Nhwc),
                ..Default::default()
            },
        )
        .unwrap();
        assert_eq!(
            (t.shape(), t.values::<f32>().unwrap()),
            (&[1, 1, 2, 3][..], &[1., 2., 3., 4., 5., 6.][..])
        );
    }

    #[test]
    fn a_letterbox_fills_right_and_below() {
        let (_dir, path) = two_pixels();
        let t = load(
            &path,
            &Input {
                resize: Some([2, 2]),
                fit: Some(Fit::Letterbox),
                fill: Some(9),
                color: Some(Color::Gray),
                ..Default::default()
            },
        )
        .unwrap();
        assert_eq!(t.shape(), [1, 1, 2, 2]);
        assert_eq!(t.values::<f32>().unwrap()[2..], [9.0, 9.0]);
    }

    #[test]
    fn a_file_that_is_no_image_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.png"), b"no image").unwrap();
        let e = load(&dir.path().join("x.png"), &Input::default()).unwrap_err();
        assert!(e.message.contains("x.png"), "{e}");
    }
}
