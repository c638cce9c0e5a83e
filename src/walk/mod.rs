//! walk: whoever runs the subjects: `layers` takes both sides piece by piece, `noise` measures the floors that are asked for, `gradients` goes
//! back from the loss, `training` puts the stages behind the activations together.

pub mod bench;
pub mod bisect;
mod computed;
pub mod context;
pub mod decided;
mod decision;
pub mod extract;
pub mod floors;
pub mod forward;
mod freed;
pub mod gradients;
pub mod isolated;
pub mod judged;
pub mod layers;
pub mod noise;
#[cfg(test)]
pub mod paper;
pub mod quantised;
mod third;
pub mod training;
mod turns;
pub mod undecided;
pub mod unobserved;
mod values;
