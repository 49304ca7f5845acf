//! What Lambda's event source mappings do for Kinesis and DynamoDB streams: a stream's records to a function, in batches.
//!
//! A [`Mapping`] holds the settings, read from the same properties that CloudFormation gets; a [`Poller`] does what they
//! say, as the Lambda Developer Guide has it ("How Lambda processes records from stream and queue-based event sources").
//! So batching, retries, bisecting, filters and the destination can be tried before anything is deployed.
//!
//! - **At least once.** A record is handed over, or told of to the destination, before the checkpoint passes it. Checkpoints
//!   are in memory.
//! - **In order.** A shard is read after its parents. Its records go to as many lanes as `ParallelizationFactor` says, by their
//!   key, and a lane has one batch under way. A batch that fails holds up its lane only, until as much waits behind it as
//!   [may](Options::buffer_bytes).
//! - **Nothing left out in silence.** What isn't done here is refused when the mapping is read ([`Mapping::read`]): tumbling windows,
//!   enhanced fan-out, destinations other than SQS.
//!
//! What AWS doesn't publish is an [option](Options): pauses between attempts, and how often a shard is asked. What its guide
//! leaves open is decided for the worse case, so that it shows here first:
//!
//! - An answer that names the first record of a batch cuts nothing off. The attempt counts, with bisecting too.
//! - Coming further than the last time doesn't give a batch new attempts, unless bisecting is on.
//! - With `ReportBatchItemFailures`, an answer that is neither empty nor of the guide's form counts as failed.
//! - A single record that is larger than an invocation may be (6 MiB as an event) is discarded at once.

mod answer;
mod buffer;
mod checkpoints;
mod destination;
mod dynamodb;
mod filter;
mod function;
mod job;
mod kinesis;
mod lane;
mod mapping;
mod notice;
mod options;
mod poller;
mod sdk;
mod shard;
mod source;
#[cfg(test)]
mod tests;

pub use self::{
    checkpoints::{Checkpoints, Counts},
    destination::{Condition, Destination, Nowhere, SqsDestination},
    dynamodb::DynamoDbSource,
    filter::{BadPattern, Filter},
    function::{Invoke, Invoked},
    kinesis::KinesisSource,
    mapping::{EventSource, Mapping, Problems, Service, StartingPosition},
    notice::{Batch, Notice},
    options::{Options, Pause},
    poller::Poller,
    source::{Page, Place, ReadError, Record, ShardInfo, Source},
};
