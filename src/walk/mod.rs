//! walk: whoever runs the subjects: `layers` takes both sides piece by piece, `noise` measures the floors that are asked for, `gradients` goes
//! back from the loss, `training` puts the stages behind the activations together.

#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

pub mod computed;
pub mod decided;
mod decision;
pub mod explained;
pub mod extract;
pub mod floors;
mod freed;
pub mod function;
pub mod gradients;
pub mod isolated;
mod kept;
pub mod layers;
mod live_set;
mod loop_turn;
pub mod noise;
#[cfg(test)]
pub mod paper;
pub mod quantised;
pub mod sessions;
mod shaken;
pub mod step;
mod third;
pub mod timing;
pub mod training;
pub mod undecided;
pub mod unobserved;
pub mod whole;
