//! The news pipeline on AWS.

pub mod assets;
pub mod output;
mod synth;

pub use assets::{Asset, Assets};
pub use settings::{Place, Problem, Problems, Settings};
pub use synth::{Formats, Options, Rendered, Stage, permissions, synth};
