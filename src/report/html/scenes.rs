//! scenes: assignments on their images: the boxes of the ground truth, and the anchors that either side makes positive.

use crate::judge::stage::scene::{Mark, Scene};
use crate::run::Run;
use maud::{Markup, html};

/// Of an anchor on which both agree, and of one on which they do not.
const RADII: [f64; 2] = [1.5, 3.5];

/// What an anchor is, as the style knows it and as it is said.
const KINDS: [(&str, &str); 4] = [
    ("both", "both"),
    ("only0", "the reference's alone"),
    ("only1", "the candidate's alone"),
    ("moved", "another object's"),
];

pub fn scenes(run: &Run) -> Markup {
    let all = run.stages.assign.iter().flat_map(|a| &a.scenes);
    let all: Vec<&Scene> = all.collect();
    html! {
        @if !all.is_empty() {
            section id="assigned" {
                h2 { "Positives on their images" }
                div class="looks" { @for scene in all { (one(scene)) } }
            }
        }
    }
}

fn kind(mark: &Mark) -> usize {
    match (mark.reference, mark.candidate) {
        (Some(r), Some(c)) if r != c => 3,
        (Some(_), None) => 1,
        (None, Some(_)) => 2,
        (Some(_), Some(_)) | (None, None) => 0,
    }
}

fn one(scene: &Scene) -> Markup {
    let count = |k: usize| scene.marks.iter().filter(|m| kind(m) == k).count();
    let (height, width) = (scene.height, scene.width);
    html! {
        figure class="chart" {
            svg class="scene" viewBox=(format!("0 0 {width} {height}")) width="480" role="img" {
                title { "image " (scene.image) }
                rect class="h0" width=(width) height=(height) {}
                @if let Some(png) = &scene.picture {
                    image width=(width) height=(height) preserveAspectRatio="none" href=(format!("data:image/png;base64,{png}")) {}
                }
                @for [x, y, right, bottom] in &scene.boxes {
                    rect class="box" x=(x) y=(y) width=((right - x).max(0.0)) height=((bottom - y).max(0.0)) {}
                }
                // What differs is drawn last, above what agrees.
                @for mark in scene.marks.iter().rev() {
                    circle class=(KINDS[kind(mark)].0) cx=(mark.at[0]) cy=(mark.at[1]) r=(RADII[usize::from(mark.differs())]) {}
                }
            }
            figcaption class="dim" {
                "image " (scene.image) ", " (scene.boxes.len()) " objects; positives:"
                @for (k, (class, said)) in KINDS.iter().enumerate() {
                    span class=(format!("dot {class}")) {} (count(k)) " " (said)
                }
                @if scene.left > 0 { ", and " (scene.left) " more that are not drawn" }
            }
        }
    }
}
