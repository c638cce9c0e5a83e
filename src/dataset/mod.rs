//! dataset: images with their labels as files lie: where a loader looks for them, what an image says of itself, and labels as YOLO, COCO and VOC write them.

pub mod coco;
pub mod declared;
pub mod files;
pub mod header;
mod jpeg;
pub mod label_map;
pub mod parallel;
pub mod pixels;
pub mod rule;
pub mod voc;
pub mod yolo;

/// An object of an image: its class and its box as corners, in shares of the image's sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Where it stands in its file: a line, or a place in a list.
    pub at: String,
    pub class: Class,
    pub corners: [f64; 4],
}

/// A class as a label says it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Id(i64),
    Name(String),
}

/// What a file of labels holds: objects, what is wrong with it, and the size that it states for its image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    pub objects: Vec<Object>,
    pub wrong: Vec<Wrong>,
    pub size: Option<[u32; 2]>,
}

/// Something that a reader of labels takes offence at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where in the file; empty where it is the file itself.
    pub at: String,
    pub kind: WrongKind,
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongKind {
    /// Bytes that are no text of the encoding that loaders read.
    Encoding,
    /// Text that is no label.
    Syntax,
    /// A number that is NaN or infinite.
    NonFinite,
    /// A coordinate that the format does not allow.
    OutOfRange,
    /// A row that is there twice.
    Repeated,
}

impl Wrong {
    pub fn new(kind: WrongKind, at: impl Into<String>, what: impl Into<String>) -> Self {
        let (at, what) = (at.into(), what.into());
        Self { at, kind, what }
    }
}
