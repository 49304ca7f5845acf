//! The words that the infrastructure and the runtimes share.
//!
//! What the stack writes and a function reads has one definition, here: a function's [settings],
//! the [metrics] that alarms watch, the attributes of the [table], the names of the [routing]; and
//! what travels: a [`NewsItem`] on the stream, an [`EnrichedItem`] in the table and on the exchange.
//! No AWS SDK, so that both sides can depend on it at no cost.

pub mod contract;
mod enriched;
pub mod feeds;
mod item;
pub mod metrics;
pub mod routing;
pub mod settings;
pub mod table;

pub use enriched::{EnrichedItem, Judgement, Label, Reason, Sentiment};
pub use item::{FORM, Kind, NewsItem, Refused, Status, UNKNOWN_LANGUAGE};

#[cfg(test)]
mod arbitrary;
