//! How far each shard has come, and the figures that follow from it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use jiff::Timestamp;

use super::source::Place;

/// How far each shard has come: the sequence number up to which all records are done, that one included, or where it
/// began. Kept in memory only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoints(BTreeMap<String, Place>);

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
    /// How long ago the oldest unfinished record arrived; `None` when there is none. Like CloudWatch's `IteratorAge`, but
    /// of what was read already: a record that waits in the stream doesn't count.
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
    /// How many records were entered.
    entered: u64,
    /// By which of all records of the shard it is. Those done that follow each other are one entry, their first one's
    /// with the last one's number: a record that holds up its lane for a day must not fill the memory.
    entries: BTreeMap<u64, Listed>,
    unfinished: usize,
}

#[derive(Debug)]
struct Listed {
    number: String,
    /// When, unless it is done.
    unfinished: Option<Timestamp>,
}

impl Checkpoints {
    /// The sequence number up to which all records of a shard are done.
    pub fn get(&self, shard: &str) -> Option<&str> {
        self.0.get(shard).and_then(number)
    }

    /// The shards of which something is done, and their sequence numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(shard, place)| Some((shard.as_str(), number(place)?)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn number(place: &Place) -> Option<&str> {
    match place {
        Place::After(number) => Some(number),
        Place::TrimHorizon | Place::Latest | Place::Time(_) => None,
    }
}

impl Progress {
    pub(super) fn of(checkpoints: Checkpoints) -> Self {
        Self { checkpoints, ..Self::default() }
    }

    pub(super) fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    /// Where a shard begins of which nothing is known yet.
    pub(super) fn start(&mut self, shard: &str, place: &Place) {
        if !self.checkpoints.0.contains_key(shard) {
            self.checkpoints.0.insert(shard.to_owned(), place.clone());
        }
    }

    /// Where reading a shard goes on.
    pub(super) fn place(&self, shard: &str) -> Place {
        self.checkpoints.0.get(shard).cloned().unwrap_or(Place::TrimHorizon)
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
        let ordinal = ledger.entered;
        ledger.entries.insert(ordinal, Listed { number: number.to_owned(), unfinished: Some(arrived) });
        ledger.entered += 1;
        ledger.unfinished += 1;
        ordinal
    }

    /// Marks records as done. The checkpoint moves to the last before which all are.
    pub(super) fn finish(&mut self, shard: &str, ordinals: impl IntoIterator<Item = u64>) {
        let Some(ledger) = self.shards.get_mut(shard) else { return };
        for ordinal in ordinals {
            ledger.finish(ordinal);
        }
        let Some(first) = ledger.entries.first_entry().filter(|entry| entry.get().unfinished.is_none()) else { return };
        self.checkpoints.0.insert(shard.to_owned(), Place::After(first.remove().number));
    }

    /// The counts, and how things stand now.
    pub(super) fn counts(&self, now: Timestamp) -> Counts {
        let first = |ledger: &Ledger| ledger.entries.first_key_value().and_then(|(_, entry)| entry.unfinished);
        let oldest = self.shards.values().filter_map(first).min();
        Counts {
            shards: self.shards.len(),
            unfinished: self.shards.values().map(|ledger| ledger.unfinished).sum(),
            iterator_age: oldest.map(|arrived| age(arrived, now)),
            ..self.counts
        }
    }
}

impl Ledger {
    /// Marks a record as done, and makes one entry of it and its neighbours that are.
    fn finish(&mut self, ordinal: u64) {
        let Entry::Occupied(mut entry) = self.entries.entry(ordinal) else { return };
        if entry.get_mut().unfinished.take().is_none() {
            return;
        }
        self.unfinished -= 1;
        self.join(ordinal);
        if let Some((&before, _)) = self.entries.range(..ordinal).next_back() {
            self.join(before);
        }
    }

    /// Makes one entry of this and the next, if both are done.
    fn join(&mut self, ordinal: u64) {
        let mut both = self.entries.range(ordinal..).take(2);
        let (Some((_, this)), Some((&next, after))) = (both.next(), both.next()) else { return };
        if this.unfinished.is_some() || after.unfinished.is_some() {
            return;
        }
        if let (Some(after), Some(this)) = (self.entries.remove(&next), self.entries.get_mut(&ordinal)) {
            this.number = after.number;
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

    #[test]
    fn what_is_done_behind_a_record_that_is_not_takes_no_room() {
        let mut progress = Progress::default();
        progress.begin("s");
        for number in 0..1_000 {
            progress.enter("s", &number.to_string(), second(number));
        }
        let entries = |progress: &Progress| progress.shards["s"].entries.len();
        // From the middle to both sides, and one that is done already.
        progress.finish("s", (500..1_000).chain((2..500).rev()).chain([700]));
        assert_eq!((entries(&progress), progress.counts(second(0)).unfinished), (3, 2));
        progress.finish("s", [0]);
        assert_eq!((entries(&progress), progress.checkpoints().get("s")), (2, Some("0")));
        progress.finish("s", [1]);
        assert_eq!((entries(&progress), progress.checkpoints().get("s")), (0, Some("999")));
    }
}
