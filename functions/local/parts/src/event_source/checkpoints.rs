//! How far each shard has come, and the figures that follow from it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;

/// How far each shard has come: the sequence number before which all records are done. Kept in memory only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoints(BTreeMap<String, String>);

/// What a poller has done so far, and has yet to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Records read, with those read again after the stream had lost the place.
    pub read: u64,
    /// Records that the filters left out.
    pub filtered_out: u64,
    /// Records that the function has done.
    pub handed_over: u64,
    /// Times the function ran.
    pub invocations: u64,
    /// Invocations that failed as a whole: the function's error, or an answer that makes no sense.
    pub function_errors: u64,
    /// Invocations after which a record and all later ones came again.
    pub partial_failures: u64,
    /// Invocations of records that had been invoked before.
    pub retries: u64,
    /// Times the function was not run, because of throttling for instance.
    pub not_run: u64,
    /// Records given up, with or without a destination that was told.
    pub discarded: u64,
    /// Messages that the destination took.
    pub destination_messages: u64,
    /// How often records were gone from the stream before they could be read.
    pub losses: u64,
    /// Errors of the stream, each followed by another try.
    pub read_errors: u64,
    /// Shards that are read, or whose records are still under way.
    pub shards: usize,
    /// Records read and not done: waiting, in an invocation, or between two.
    pub unfinished: usize,
    /// How long ago the oldest unfinished record arrived; `None` when there is none. CloudWatch's `IteratorAge`.
    pub iterator_age: Option<Duration>,
}

/// How a poller stands. Behind a lock that is never held across an await.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Only what is counted; the rest is computed when asked for.
    pub(super) counts: Counts,
    shards: BTreeMap<String, Ledger>,
    checkpoints: Checkpoints,
}

/// The records of a shard that are not done, and those after them that are.
#[derive(Debug, Default)]
struct Ledger {
    /// Which of all records of the shard the first entry is.
    base: u64,
    entries: VecDeque<Entry>,
    unfinished: usize,
}

#[derive(Debug)]
struct Entry {
    number: String,
    arrived: Timestamp,
    done: bool,
}

impl Checkpoints {
    /// The sequence number up to which all records of a shard are done.
    pub fn get(&self, shard: &str) -> Option<&str> {
        self.0.get(shard).map(String::as_str)
    }

    /// The shards and their sequence numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(shard, number)| (shard.as_str(), number.as_str()))
    }
}

impl Progress {
    pub(super) fn of(checkpoints: Checkpoints) -> Self {
        Self { checkpoints, ..Self::default() }
    }

    pub(super) fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    pub(super) fn begin(&mut self, shard: &str) {
        self.shards.insert(shard.to_owned(), Ledger::default());
    }

    pub(super) fn end(&mut self, shard: &str) {
        self.shards.remove(shard);
    }

    /// Enters a record that was read, and says which of its shard it is.
    pub(super) fn enter(&mut self, shard: &str, number: &str, arrived: Timestamp) -> u64 {
        let ledger = self.shards.entry(shard.to_owned()).or_default();
        ledger.entries.push_back(Entry { number: number.to_owned(), arrived, done: false });
        ledger.unfinished += 1;
        ledger.base + ledger.entries.len() as u64 - 1
    }

    /// Marks records as done. The checkpoint moves to the last before which all are.
    pub(super) fn finish(&mut self, shard: &str, ordinals: impl IntoIterator<Item = u64>) {
        let Some(ledger) = self.shards.get_mut(shard) else { return };
        for ordinal in ordinals {
            let place = ordinal.checked_sub(ledger.base).and_then(|place| usize::try_from(place).ok());
            let entry = place.and_then(|place| ledger.entries.get_mut(place)).filter(|entry| !entry.done);
            if let Some(entry) = entry {
                entry.done = true;
                ledger.unfinished -= 1;
            }
        }
        let mut reached = None;
        while ledger.entries.front().is_some_and(|entry| entry.done) {
            reached = ledger.entries.pop_front();
            ledger.base += 1;
        }
        if let Some(entry) = reached {
            self.checkpoints.0.insert(shard.to_owned(), entry.number);
        }
    }

    /// The counts, and how things stand now.
    pub(super) fn counts(&self, now: Timestamp) -> Counts {
        let oldest = self.shards.values().filter_map(|ledger| ledger.entries.front()).map(|entry| entry.arrived).min();
        Counts {
            shards: self.shards.len(),
            unfinished: self.shards.values().map(|ledger| ledger.unfinished).sum(),
            iterator_age: oldest.map(|arrived| age(arrived, now)),
            ..self.counts
        }
    }
}

/// How long ago that was; zero for what comes from a clock ahead of ours.
pub(super) fn age(arrived: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(arrived)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_checkpoint_never_passes_an_unfinished_record() {
        let mut progress = Progress::default();
        progress.begin("s");
        let ordinals: Vec<_> = (0..5).map(|number| progress.enter("s", &number.to_string(), second(number))).collect();
        assert_eq!(ordinals, [0, 1, 2, 3, 4]);
        let mut at = |done: &[u64]| {
            progress.finish("s", done.iter().copied());
            let counts = progress.counts(second(10));
            let age = counts.iterator_age.map(|age| age.as_secs());
            (progress.checkpoints().get("s").map(str::to_owned), counts.unfinished, age)
        };
        assert_eq!(at(&[1, 2]), (None, 3, Some(10)));
        assert_eq!(at(&[0]), (Some("2".into()), 2, Some(7)));
        assert_eq!(at(&[0, 1]), (Some("2".into()), 2, Some(7)), "done before");
        assert_eq!(at(&[4, 3]), (Some("4".into()), 0, None));
    }
}
