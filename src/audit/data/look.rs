//! look: what one image and its label, depth and label map say of themselves; each is opened once.

use super::kinds::{self, Kind};
use super::problem::{Problem, shown};
use super::set::{Item, Label, Set};
use super::{boxes, maps};
use crate::dataset::files;
use crate::dataset::header::{self, Header, Unread};
use crate::dataset::pixels::{self, Marks, Undecoded};
use crate::dataset::{Class, Labels, Wrong, label_map, voc, yolo};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// A label file beyond this is none.
const MAX_LABEL: u64 = 64 << 20;
/// The smaller side of an image that ultralytics takes.
const LEAST_SIDE: u32 = 10;

/// What is said of a file that is not there.
type Said = (&'static Kind, &'static str);
const NO_IMAGE: Said = (&kinds::MISSING_IMAGE, "the image is not there");
const NO_DEPTH: Said = (
    &kinds::MISSING_DEPTH,
    "the depth map of this image is not there",
);

/// What came of looking at an item.
#[derive(Default)]
pub struct Seen {
    pub header: Option<Header>,
    pub depth: Option<Header>,
    pub labelled: Labelled,
    /// The size that its label states.
    pub stated: Option<[u32; 2]>,
    pub classes: Vec<Class>,
    /// Boxes of a pixel or less in both directions.
    pub specks: usize,
    pub map: Option<label_map::Counted>,
    pub marks: Option<Marks>,
    pub problems: Vec<Problem>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Labelled {
    /// There is no file.
    #[default]
    Missing,
    /// There is a file, of no object.
    Empty,
    Objects,
    /// There is a file that cannot be read.
    Broken,
}

/// How to look.
pub struct Look<'a> {
    pub set: &'a Set,
    pub pixels: bool,
    /// Values of label maps that are no class.
    pub ignore: &'a [i64],
}

impl Look<'_> {
    pub fn at(&self, item: &Item) -> Seen {
        let mut seen = Seen::default();
        seen.header = self.header(&item.image, NO_IMAGE, &mut seen.problems);
        if let Some(header) = seen.header {
            self.least_side(item, header, &mut seen);
        }
        if let Some(depth) = &item.depth {
            seen.depth = self.depth(depth, seen.header, &mut seen.problems);
        }
        match &item.label {
            Label::Yolo(path) => self.file(path, &mut seen, |bytes| {
                yolo::read(bytes, self.set.keypoints)
            }),
            Label::Voc(path) => self.file(path, &mut seen, voc::read),
            Label::Map(path) => self.map(path, &mut seen),
            Label::Listed(labels) => self.labels(None, labels, &mut seen),
        }
        self.states_its_size(item, &mut seen);
        if self.pixels && seen.header.is_some() {
            self.decode(&item.image, &mut seen);
        }
        seen
    }

    fn shown(&self, path: &Path) -> String {
        shown(&self.set.root, path)
    }

    fn header(&self, path: &Path, missing: Said, problems: &mut Vec<Problem>) -> Option<Header> {
        let unread = match header::read(path) {
            Ok(header) => return Some(header),
            Err(unread) => unread,
        };
        let (kind, what) = said(&unread, missing);
        problems.push(Problem::new(kind, self.shown(path), what));
        None
    }

    fn least_side(&self, item: &Item, header: Header, seen: &mut Seen) {
        let [w, h] = header.size();
        if matches!(item.label, Label::Yolo(_)) && w.min(h) < LEAST_SIDE {
            let what = format!("{w} x {h} pixels");
            seen.problems.push(Problem::new(
                &kinds::TINY_IMAGE,
                self.shown(&item.image),
                what,
            ));
        }
    }

    fn depth(
        &self,
        path: &Path,
        image: Option<Header>,
        problems: &mut Vec<Problem>,
    ) -> Option<Header> {
        let depth = self.header(path, NO_DEPTH, problems)?;
        if let Some(image) = image.filter(|i| !i.fits(depth.size())) {
            let ([w, h], [dw, dh]) = (image.size(), depth.size());
            let what = format!("{dw} x {dh} pixels of depth for an image of {w} x {h}");
            problems.push(Problem::new(&kinds::DEPTH_SIZE, self.shown(path), what));
        }
        Some(depth)
    }

    fn file(&self, path: &Path, seen: &mut Seen, read: impl Fn(&[u8]) -> Labels) {
        match bytes(path) {
            Ok(bytes) => self.labels(Some(path), &read(&bytes), seen),
            Err(e) if e.kind() == ErrorKind::NotFound => seen.labelled = Labelled::Missing,
            Err(e) => {
                seen.labelled = Labelled::Broken;
                let problem = Problem::new(&kinds::UNREADABLE, self.shown(path), e.to_string());
                seen.problems.push(problem);
            }
        }
    }

    fn labels(&self, path: Option<&Path>, labels: &Labels, seen: &mut Seen) {
        let place = |at: &str| match path.map(|p| self.shown(p)) {
            Some(path) if at.is_empty() => path,
            Some(path) => format!("{path}:{at}"),
            None => at.to_string(),
        };
        let wrong = |w: &Wrong| Problem::new(kinds::of_wrong(w.kind), place(&w.at), &w.what);
        seen.problems.extend(labels.wrong.iter().map(wrong));
        seen.stated = labels.size;
        let [w, h] = labels
            .size
            .or(seen.header.map(|h| h.size()))
            .unwrap_or([0, 0]);
        for object in &labels.objects {
            let classes = self.set.classes.refuse(&object.class);
            let classes = classes.map(|what| (&kinds::CLASS_RANGE as &'static Kind, what));
            let all = classes.into_iter().chain(boxes::wrong(object.corners));
            let all = all.map(|(kind, what)| Problem::new(kind, place(&object.at), what));
            seen.problems.extend(all);
            let [x1, y1, x2, y2] = object.corners;
            let speck = (x2 - x1) * f64::from(w) <= 1.0 && (y2 - y1) * f64::from(h) <= 1.0;
            seen.specks += usize::from(speck && w > 0);
            seen.classes.push(object.class.clone());
        }
        seen.labelled = match (labels.objects.is_empty(), labels.wrong.is_empty()) {
            (false, _) => Labelled::Objects,
            (true, true) => Labelled::Empty,
            (true, false) => Labelled::Broken,
        };
    }

    fn map(&self, path: &Path, seen: &mut Seen) {
        if !path.exists() {
            return;
        }
        let place = self.shown(path);
        match label_map::read(path) {
            Ok(counted) => {
                let classes = self.set.classes.count();
                let all = maps::wrong(&counted, seen.header, classes, self.ignore);
                let all = all
                    .into_iter()
                    .map(|(kind, what)| Problem::new(kind, &place, what));
                seen.problems.extend(all);
                let is_class = |(value, _): &(&i64, &u64)| !self.ignore.contains(value);
                let values = counted.values.iter().filter(is_class);
                seen.classes = values.map(|(v, _)| Class::Id(*v)).collect();
                seen.labelled = Labelled::Objects;
                seen.map = Some(counted);
            }
            Err(what) => {
                seen.labelled = Labelled::Broken;
                seen.problems
                    .push(Problem::new(&kinds::MAP_UNREADABLE, place, what));
            }
        }
    }

    /// A label file states the size of its image; where a camera says that it is turned, either way.
    fn states_its_size(&self, item: &Item, seen: &mut Seen) {
        let (Some([w, h]), Some(header)) = (seen.stated, seen.header) else {
            return;
        };
        let is = header.size();
        if !header.fits([w, h]) && w > 0 && h > 0 {
            let what = format!(
                "{} x {} pixels, and its annotation says {w} x {h}",
                is[0], is[1]
            );
            seen.problems
                .push(Problem::new(&kinds::SIZE, self.shown(&item.image), what));
        }
    }

    fn decode(&self, path: &Path, seen: &mut Seen) {
        match pixels::marks(path) {
            Ok(marks) => {
                let place = self.shown(path);
                match &marks.pixels {
                    Ok(_) => {}
                    Err(Undecoded::Damaged(what)) => {
                        seen.problems
                            .push(Problem::new(&kinds::UNREADABLE, place, what));
                    }
                    Err(Undecoded::Unknown(what)) => {
                        seen.problems
                            .push(Problem::new(&kinds::UNKNOWN_FORMAT, place, what));
                    }
                }
                seen.marks = Some(marks);
            }
            Err(e) => {
                let problem = Problem::new(&kinds::UNREADABLE, self.shown(path), e.to_string());
                seen.problems.push(problem);
            }
        }
    }
}

fn said(unread: &Unread, missing: Said) -> (&'static Kind, String) {
    match unread {
        Unread::Missing => (missing.0, missing.1.into()),
        Unread::Empty => (&kinds::EMPTY_FILE, "the file is empty".into()),
        Unread::Truncated(what) => (&kinds::TRUNCATED, what.clone()),
        Unread::NoImage(what) => (&kinds::UNREADABLE, what.clone()),
        Unread::Unknown(format) => {
            let what = format!("{format} is not read here: size and channels were not looked at");
            (&kinds::UNKNOWN_FORMAT, what)
        }
    }
}

/// The bytes of a file of labels.
fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let (file, length) = files::open(path)?;
    if length > MAX_LABEL {
        let what = format!("{length} bytes are no label");
        return Err(std::io::Error::other(what));
    }
    let mut bytes = Vec::with_capacity(length as usize + 1);
    file.take(MAX_LABEL).read_to_end(&mut bytes)?;
    Ok(bytes)
}
