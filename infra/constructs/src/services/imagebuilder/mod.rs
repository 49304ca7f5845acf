//! EC2 Image Builder: machine images that are built and tested instead of configured at every start.
//!
//! Components are what is done, a recipe is a parent image and components in order, an infrastructure
//! configuration is where it runs, a distribution where the result goes. An [`Image`] is built at once, as a part
//! of the deployment; an [`ImagePipeline`] builds again when its schedule says so.

mod component;
mod distribution;
mod image;
mod infrastructure;
mod pipeline;
mod recipe;

pub use component::{Component, ComponentRef, Document, ExistingComponent, OnFailure, Platform, Step};
pub use distribution::{Distribution, DistributionConfiguration, DistributionConfigurationRef};
pub use image::{Image, ImageRef};
pub use infrastructure::{InfrastructureConfiguration, InfrastructureConfigurationRef};
pub use pipeline::{ImagePipeline, ImagePipelineRef, Schedule};
pub use recipe::{ImageRecipe, ImageRecipeRef, ParentImage};

use crate::{
    services::units::Minutes,
    tree::{Stack, Text},
};

/// Reports a name that Image Builder doesn't take.
fn check_name(stack: &mut Stack, what: &str, name: &Text) {
    let Some(name) = name.literal() else { return };
    let length = name.chars().count();
    if !(3..=126).contains(&length) {
        stack.problem(format!("the {what}'s name `{name}` has {length} letters; Image Builder takes 3 to 126"));
    } else if !name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_ ".contains(letter)) {
        stack.problem(format!("the {what}'s name `{name}` must be letters, digits, hyphens, underscores and spaces"));
    }
}

/// Reports a version that isn't three numbers.
fn check_version(stack: &mut Stack, what: &str, version: &str) {
    let number = |part: &str| !part.is_empty() && part.len() <= 9 && part.chars().all(|digit| digit.is_ascii_digit());
    if version.split('.').count() != 3 || !version.split('.').all(number) {
        stack.problem(format!("the {what}'s version `{version}` must be three numbers, like `1.0.0`"));
    }
}

/// Reports tests that are given too little or too much time.
fn check_tests(stack: &mut Stack, tests: Option<Minutes>) {
    if let Some(Minutes(minutes)) = tests
        && !(60..=1440).contains(&minutes)
    {
        stack.problem(format!("tests may take {minutes} minutes; Image Builder takes 60 to 1440"));
    }
}

#[cfg(test)]
mod tests;
