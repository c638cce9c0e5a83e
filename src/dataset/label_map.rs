//! label_map: how many pixels of a label map have each value.

use super::files;
use crate::input::label_map::Maps;
use std::collections::BTreeMap;
use std::path::Path;

/// Bytes of a file that are read at most.
const MAX_BYTES: u64 = 128 << 20;

/// How many pixels have each value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Width and height.
    pub size: [u32; 2],
    pub values: BTreeMap<i64, u64>,
}

impl Counted {
    pub fn pixels(&self) -> u64 {
        self.values.values().sum()
    }
}

/// # Errors
/// It is no map of one value per pixel, with why.
pub fn read(path: &Path) -> Result<Counted, String> {
    let (_, length) = files::open(path).map_err(|e| e.to_string())?;
    if length > MAX_BYTES {
        return Err(format!("{length} bytes, more than a map has"));
    }
    let mut maps = Maps::open(path, None).map_err(|e| e.message)?;
    if let Some((_, e)) = maps.unreadable.pop() {
        return Err(e.message);
    }
    let names: Vec<String> = maps.names().map(Into::into).collect();
    let [name] = &names[..] else {
        return Err(format!("{} maps, where one image has one", names.len()));
    };
    let map = maps.get(name, None).map_err(|e| e.message)?;
    let mut values = BTreeMap::new();
    for value in map.values {
        *values.entry(value).or_insert(0) += 1;
    }
    let size = [map.width, map.height].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    Ok(Counted { size, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_colours_are_no_values() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.png");
        let map = image::GrayImage::from_fn(3, 2, |x, _| image::Luma([x as u8 * 7]));
        map.save(&path).unwrap();
        let counted = read(&path).unwrap();
        assert_eq!(counted.size, [3, 2]);
        assert_eq!(counted.values, BTreeMap::from([(0, 2), (7, 2), (14, 2)]));
        image::RgbImage::new(2, 2).save(&path).unwrap();
        assert!(read(&path).unwrap_err().contains("Rgb"));
    }
}
