//! What a poller tells its observer.

use std::{fmt, time::Duration};

use super::destination::Condition;

/// Something that happened. Its text is a line for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A shard is read from now on.
    ShardStarted {
        /// The shard.
        shard: String,
    },
    /// A shard is closed, and its last record is done.
    ShardEnded {
        /// The shard.
        shard: String,
    },
    /// The stream could not be read; another try follows.
    ReadFailed {
        /// The shard; none when it was the list of shards.
        shard: Option<String>,
        /// Why.
        reason: String,
        /// The pause before the next try.
        pause: Duration,
    },
    /// Records of a shard were gone before they were read. Reading goes on with the oldest there is, or ends when the shard
    /// itself is gone.
    RecordsLost {
        /// The shard.
        shard: String,
        /// What the stream said.
        reason: String,
    },
    /// All of a batch is done.
    BatchDone {
        /// The batch.
        batch: Batch,
    },
    /// A batch failed as a whole.
    BatchFailed {
        /// The batch.
        batch: Batch,
        /// Why: the function's error, or what is wrong with its answer.
        reason: String,
    },
    /// The function answered that it came as far as a record.
    BatchPartlyDone {
        /// The batch.
        batch: Batch,
        /// How many records are done.
        done: usize,
    },
    /// The function was not run.
    NotRun {
        /// The batch.
        batch: Batch,
        /// Why.
        reason: String,
    },
    /// A batch that failed is cut in two, and both are tried.
    Split {
        /// The batch.
        batch: Batch,
        /// How many records the first part has.
        first: usize,
    },
    /// A batch is not tried any more, and the destination, if there is one, was told.
    Discarded {
        /// The batch.
        batch: Batch,
        /// Why.
        condition: Condition,
    },
    /// The destination didn't take a message; another try follows.
    DestinationFailed {
        /// The batch that it tells of.
        batch: Batch,
        /// Why.
        reason: String,
    },
}

/// Which batch it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// The shard.
    pub shard: String,
    /// The lane within the shard, from 0.
    pub lane: usize,
    /// The sequence numbers of its records, in their order.
    pub numbers: Vec<String>,
    /// How often it was invoked so far, within larger batches too.
    pub invocations: u32,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShardStarted { shard } => write!(f, "{shard}: read from now on"),
            Self::ShardEnded { shard } => write!(f, "{shard}: closed, and all of it is done"),
            Self::ReadFailed { shard, reason, pause } => {
                let what = shard.as_deref().unwrap_or("shards");
                write!(f, "{what}: could not be read, again in {} ms: {reason}", pause.as_millis())
            }
            Self::RecordsLost { shard, reason } => {
                write!(f, "{shard}: records are gone before they were read: {reason}")
            }
            Self::BatchDone { batch } => write!(f, "{batch} is done"),
            Self::BatchFailed { batch, reason } => write!(f, "{batch} failed: {reason}"),
            Self::BatchPartlyDone { batch, done } => write!(f, "{batch}: {done} are done, the others come again"),
            Self::NotRun { batch, reason } => write!(f, "{batch}: the function was not run: {reason}"),
            Self::Split { batch, first } => {
                write!(f, "{batch} is split into {first} and {}", batch.numbers.len().saturating_sub(*first))
            }
            Self::Discarded { batch, condition } => write!(f, "{batch} is discarded: {condition}"),
            Self::DestinationFailed { batch, reason } => write!(f, "{batch}: the destination was not told: {reason}"),
        }
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shard, lane, numbers, invocations } = self;
        let first = numbers.first().map_or("-", String::as_str);
        write!(f, "{shard}, lane {lane}: batch of {} from {first}, invocation {invocations},", numbers.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_a_line_for_a_log() {
        let numbers = ["11", "12", "13"].map(str::to_owned).into();
        let batch = Batch { shard: "shardId-000000000000".into(), lane: 1, numbers, invocations: 2 };
        let split = Notice::Split { batch, first: 1 }.to_string();
        assert_eq!(split, "shardId-000000000000, lane 1: batch of 3 from 11, invocation 2, is split into 1 and 2");
        let failed = Notice::ReadFailed { shard: None, reason: "throttled".into(), pause: Duration::from_millis(100) };
        assert_eq!(failed.to_string(), "shards: could not be read, again in 100 ms: throttled");
    }
}
