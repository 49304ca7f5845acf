//! News feeds to Kinesis, losing nothing.
//!
//! ```text
//! sources ──▶ Outbox ──▶ queue ──▶ sink
//!   lseg       filter     bounded    Kinesis, with a spool on disk
//!   alpaca     no repeat             standard output, a file
//!   rss        counted
//!   replay
//! ```
//!
//! A [`Source`](sources::Source) hands items to its [`Outbox`](outbox::Outbox); a [`Sink`](sinks::Sink) takes
//! [`Record`](outbox::Record)s and settles each. All of it counts in a [`Status`](status::Status), which health, metrics
//! and the heartbeat read. One thread does everything but waiting for disks.

pub mod cloudwatch;
pub mod command;
pub mod health;
pub mod http;
pub mod outbox;
pub mod report;
pub mod secrets;
pub mod service;
pub mod sinks;
pub mod sources;
pub mod status;
pub mod tls;
