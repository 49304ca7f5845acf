//! The words that the infrastructure and the runtimes share.
//!
//! What the stack writes and a function reads has one definition, here: a function's [settings],
//! the [metrics] that alarms watch, the attributes of the [table], the names of the [routing].
//! No AWS SDK, so that both sides can depend on it at no cost.

pub mod metrics;
pub mod routing;
pub mod settings;
pub mod table;
