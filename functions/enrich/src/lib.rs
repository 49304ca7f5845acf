//! Kinesis to SageMaker to DynamoDB: every story of the stream, judged once and stored once.
//!
//! [`enrich`] is the core: what enriching a batch means, and what it promises. It knows no AWS; what it needs are three
//! traits. [`enricher::Enricher`] judges (first implementation: [`sentiment`] over [`sagemaker`]),
//! [`articles::Articles`] keeps ([`dynamodb`]), [`quarantine::Quarantine`] sets aside ([`sqs`]). Around it are two
//! coats: [`handler`] for Lambda's events, [`mod@file`] for files of JSON Lines.

pub mod articles;
mod batch;
pub mod dynamodb;
pub mod enrich;
pub mod enricher;
mod failure;
pub mod file;
pub mod handler;
pub mod lambda;
pub mod quarantine;
mod record;
mod rejected;
pub mod sagemaker;
pub mod sentiment;
pub mod sqs;
mod warm;

pub use enrich::{Enrich, Report};
pub use failure::Failure;
pub use record::{Position, Record};
pub use rejected::Rejected;
