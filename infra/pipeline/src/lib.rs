//! The news pipeline on AWS: from [`Settings`] to Terraform JSON and CloudFormation.

pub mod assets;
mod stages;
mod synth;

pub use assets::{Asset, AssetName, Assets};
pub use constructs::{
    render::{Format, Rendered, Written},
    tree::App,
};
pub use settings::{Place, Problem, Problems, Settings};
pub use synth::{Options, Stage, Synthesized, add, app, empty_app, permissions, synth, write};
