//! kinds: what can be wrong with data, one row each: its name, how bad it is, and what to do.

use crate::dataset::WrongKind;
use crate::verdict::Severity::{self, Fault, Note, Unjudged, Warning};

#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    pub severity: Severity,
    /// The next step; empty where the fact says it.
    pub next: &'static str,
}

macro_rules! kinds {
    ($($name:ident $word:literal $severity:ident $next:literal;)*) => {
        $(pub static $name: Kind = Kind { name: $word, severity: $severity, next: $next };)*
    };
}

kinds! {
    MISSING_SOURCE "missing_source" Fault "mend the path, or name the folder that it is relative to: --root DIR";
    EMPTY_SOURCE "empty_source" Fault "mend the path, or put the images there";
    NOT_READ "not_read" Fault "mend the link or the permission, or take it out";
    CONTRADICTION "contradiction" Fault "mend the key, or the one that it contradicts";
    MISSING_IMAGE "missing_image" Fault "put the image back, or take it out of the list";
    EMPTY_FILE "empty_file" Fault "copy the file again from where it came";
    TRUNCATED "truncated" Fault "copy the file again from where it came";
    UNREADABLE "unreadable" Fault "open it in a viewer; copy it again, or take it and its label out";
    UNKNOWN_FORMAT "unknown_format" Unjudged "convert it to PNG, JPEG, TIFF, BMP or WebP to have it checked";
    TINY_IMAGE "tiny_image" Fault "ultralytics leaves out images with a side below 10 pixels: take it out";
    SIZE "size" Fault "an image was resized, or its labels are those of another: make both anew from one source";
    CHANNELS "channels" Fault "give images of the declared channels, or depth beside them (train_depth, --depth), or declare what the images have";
    ODD_CHANNELS "odd_channels" Warning "loaders repeat a single channel; take such images out, or keep them knowingly";
    CHANNELS_UNSTATED "channels_unstated" Warning "state channels: 4 beside train_depth";
    BIT_DEPTH "bit_depth" Warning "loaders scale such images otherwise: save all with the same bits";
    MISSING_DEPTH "missing_depth" Fault "put the depth map where it is looked for, or take the image out";
    ORPHAN_DEPTH "orphan_depth" Warning "put its image back, or take it out";
    DEPTH_BITS "depth_bits" Fault "save depth with 16 bits: 8 bits hold 256 distances";
    ALL_DEPTH_BITS "depth_bits" Warning "8 bits hold 256 distances: save depth with 16 bits where the sensor gives more";
    DEPTH_CHANNELS "depth_channels" Fault "save depth as one channel of distances, not as a picture of them";
    DEPTH_SIZE "depth_size" Fault "depth must lie over its image pixel for pixel: make it at the image's size";
    SOURCE_ORDER "source_order" Fault "write the entries of both lists in the same order";
    LABELS_NOT_FOUND "labels_not_found" Fault "put labels where they are looked for, or declare where they are: --pair FROM=TO";
    MISSING_LABEL "missing_label" Warning "an image without a label file trains as background: write its label, or an empty file to say so";
    BACKGROUND "background" Note "";
    MISNAMED_LABEL "misnamed_label" Fault "rename the label to its image's name";
    LABEL_IS_DUE "missing_annotation" Fault "write its annotation, or take the image out of the list";
    ORPHAN_LABEL "orphan_label" Fault "put its image back, or take the label out";
    SAME_STEM "same_stem" Warning "both images read one label file: rename one, and give it its own";
    LABEL_ENCODING "label_encoding" Fault "save it as UTF-8 without a byte order mark";
    LABEL_SYNTAX "label_syntax" Fault "mend the row: loaders leave out the whole image, or read it as something else";
    NOT_FINITE "not_finite" Fault "mend or remove the label";
    OUT_OF_RANGE "out_of_range" Fault "divide by the image's sides and clip to 0 … 1: loaders leave out the whole image";
    REPEATED "repeated_label" Warning "remove the second one";
    REPEATED_ID "repeated_id" Fault "give each its own id: loaders keep the last one";
    CLASS_RANGE "class_out_of_range" Fault "mend the class, or the list of classes";
    ZERO_AREA "zero_area" Fault "mend or remove the box: corners may be exchanged";
    BOX_OUTSIDE "box_outside" Fault "mend the box: its corners may stand where centre and size belong, or its image was resized";
    BOX_BEYOND "box_beyond_image" Warning "loaders clip such a box: clip it, or look whether it belongs to another image";
    NORMALISED "normalised_boxes" Fault "multiply boxes by the image's sides: this format has pixels";
    STALE_CACHE "stale_cache" Warning "remove the cache: the loader may keep labels that were changed since";
    DUPLICATE "duplicate_across_splits" Fault "keep it in one split: what is trained on cannot be validated on";
    SHIFTED "shifted_source" Fault "map this source's ids to those of the others before they are mixed";
    ONE_SPLIT_CLASS "class_in_one_split" Warning "look whether the split was made by chance, and whether the classes of all sources mean the same";
    ONE_SPLIT_SOURCE "source_in_one_split" Warning "what is trained from it is never validated: hold some of it out";
    CLASS_TWICE "class_written_twice" Warning "write the class in one way";
    COUNT "count" Fault "look at the table for what is lacking where";
    MISSING_MAP "missing_label_map" Fault "put the label map where it is looked for, or take the image out";
    MAP_UNREADABLE "label_map_unreadable" Fault "save one class per pixel: PNG of 8 or 16 bits, or an array of whole numbers";
    MAP_VALUE "label_map_value" Fault "map it to a class or to the ignored value, or declare it: --classes N, --ignore V";
    MAP_BINARY "label_map_binary" Fault "255 stands for the class in a mask of one: divide by 255, or map it";
    MAP_IGNORED "label_map_ignored" Fault "nothing of it is trained: look at how the map was made";
    MAP_SHARE "ignore_share" Warning "look at how maps are made: most of the pixels teach nothing";
    RIGHT "found_right" Note "";
}

/// Labels that a reader took offence at.
pub fn of_wrong(kind: WrongKind) -> &'static Kind {
    match kind {
        WrongKind::Encoding => &LABEL_ENCODING,
        WrongKind::Syntax => &LABEL_SYNTAX,
        WrongKind::NonFinite => &NOT_FINITE,
        WrongKind::OutOfRange => &OUT_OF_RANGE,
        WrongKind::Repeated => &REPEATED,
    }
}
