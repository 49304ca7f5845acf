//! Where records come from, whatever the service.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

/// A stream that can be read, shard by shard: [`KinesisSource`](super::KinesisSource),
/// [`DynamoDbSource`](super::DynamoDbSource), or one of a test's own.
///
/// Nothing here retries: the poller does, after a pause.
#[diagnostic::on_unimplemented(message = "pass a `KinesisSource`, a `DynamoDbSource`, or something that reads shards")]
pub trait Source: Send + Sync + 'static {
    /// All shards there are, also closed ones that still hold records.
    fn shards(&self) -> impl Future<Output = Result<Vec<ShardInfo>, ReadError>> + Send;

    /// An iterator at a place in a shard.
    fn iterator(&self, shard: &str, from: &Place) -> impl Future<Output = Result<String, ReadError>> + Send;

    /// The next records, which may be none, and where to go on.
    fn records(&self, shard: &str, iterator: &str) -> impl Future<Output = Result<Page, ReadError>> + Send;
}

/// A shard, and those it continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardInfo {
    /// `shardId-000000000000`.
    pub id: String,
    /// The shards that were split or merged into this one; its records come after theirs.
    pub parents: Vec<String>,
}

/// A place in a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The oldest record.
    TrimHorizon,
    /// After the newest record.
    Latest,
    /// The first record that arrived then or later. A service that has no such place goes to the oldest: the poller
    /// leaves out what is older.
    Time(Timestamp),
    /// The record after the one with this sequence number.
    After(String),
}

/// What one read gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The records, in the shard's order.
    pub records: Vec<Record>,
    /// Where to go on; `None` when the shard is closed and read to its end.
    pub next: Option<String>,
}

/// A record, in the form in which the function gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its sequence number.
    pub number: String,
    /// What order is kept by: the partition key, or the item's key.
    pub key: String,
    /// When the stream took it, about.
    pub arrived: Timestamp,
    /// The element of the event's `Records`.
    pub event: Value,
}

/// Why nothing was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// The iterator is too old, or not known any more: another one goes on where it was.
    Expired(String),
    /// The place is not there any more, its records are lost: reading goes on with the oldest there is.
    Lost(String),
    /// The shard, or its stream, is not there any more. Reading the shard ends where the stream is there and doesn't list
    /// it; otherwise another try follows.
    Gone(String),
    /// Anything else; worth another try.
    Failed(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(reason) | Self::Lost(reason) | Self::Gone(reason) | Self::Failed(reason) => {
                f.write_str(reason)
            }
        }
    }
}

impl std::error::Error for ReadError {}
