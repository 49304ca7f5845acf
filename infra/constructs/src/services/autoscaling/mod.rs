//! EC2 Auto Scaling: groups that keep so many instances running.

mod group;
mod hook;

pub use group::{AutoScalingGroup, AutoScalingGroupRef, TerminationPolicy};
pub use hook::LifecycleHook;
