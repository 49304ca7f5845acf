//! The whole pipeline on this machine, from the description that AWS gets.
//!
//! The stack of `newsloom.toml` is synthesized, and what it says is done here: its stream, table, queues and secret are
//! made, its functions run as the real programs with the environment that it gives them, and its event source mappings
//! poll with its settings.

pub mod command;
pub mod deployment;
pub mod faults;
pub mod follow;
pub mod ingester;
pub mod ledger;
mod measure;
pub mod pipeline;
pub mod programs;
pub mod provision;
pub mod stack;
pub mod subscriber;
pub mod triggers;
pub mod verdict;
pub mod verify;

pub use deployment::{Deployment, Outputs};
pub use pipeline::Pipeline;
