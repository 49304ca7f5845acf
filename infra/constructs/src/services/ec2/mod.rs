//! Elastic Compute Cloud: instances, and the templates they are launched from.

mod ami;
mod instance;
mod launch_template;

pub use super::processor::Architecture;
pub use ami::{Ami, InstanceType};
pub use instance::{Instance, InstanceRef};
pub use launch_template::{LaunchTemplate, LaunchTemplateRef};
