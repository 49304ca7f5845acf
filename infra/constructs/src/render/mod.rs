//! How it is written down: Terraform's JSON syntax and CloudFormation templates. Knows no AWS service.

mod checks;
mod cloudformation;
mod context;
mod json;
mod literals;
mod output;
mod synth;
mod terraform;
#[cfg(test)]
mod tests;

pub use output::{Rendered, Written};
pub use synth::Format;
