//! Records that were read and wait for their lane.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::{sync::watch, time::Instant};

use crate::lock;

/// The most bytes of an event: Lambda's limit for what a function is invoked with.
pub(super) const MOST_BYTES: usize = 6 << 20;

const HEAD: &str = r#"{"Records":["#;
const TAIL: &str = "]}";

/// A record on its way to the function.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Which record of the shard it is, for its checkpoint.
    pub(super) ordinal: u64,
    pub(super) number: String,
    pub(super) arrived: Timestamp,
    /// The element of the event's `Records`.
    pub(super) json: String,
    /// When it was read: its batch's window begins with the first.
    pub(super) read: Instant,
}

/// When a batch is complete.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) records: usize,
    pub(super) bytes: usize,
    pub(super) window: Duration,
}

/// What a lane can do now.
#[derive(Debug)]
pub(super) enum Next {
    Batch(Vec<Item>),
    /// Nothing before this time, or before something changes.
    Wait(Option<Instant>),
    /// There will be no more.
    Ended,
}

/// The records of a shard that wait, in their lanes.
#[derive(Debug)]
pub(super) struct Buffer {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    lanes: Vec<VecDeque<Item>>,
    bytes: usize,
    closed: bool,
}

impl Buffer {
    pub(super) fn new(lanes: usize) -> Self {
        let lanes = (0..lanes).map(|_| VecDeque::new()).collect();
        Self { state: Mutex::new(State { lanes, bytes: 0, closed: false }), changed: watch::Sender::new(()) }
    }

    /// The lane of a key, always the same.
    pub(super) fn lane(&self, key: &str) -> usize {
        let lanes = self.state().lanes.len() as u64;
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        usize::try_from(hasher.finish() % lanes).unwrap_or_default()
    }

    /// Adds records, each to its lane. Lanes see all of them or none: what was read together may become one batch.
    pub(super) fn add(&self, items: impl IntoIterator<Item = (usize, Item)>) {
        {
            let mut state = self.state();
            for (lane, item) in items {
                state.bytes += item.json.len();
                state.lanes[lane].push_back(item);
            }
        }
        self.changed.send_replace(());
    }

    /// No more records follow: what waits need not wait for its window.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.send_replace(());
    }

    /// Returns when no more than so many bytes wait.
    pub(super) async fn room(&self, most: usize) {
        let mut changed = self.changes();
        while self.state().bytes > most {
            let _ = changed.changed().await;
        }
    }

    /// Sees every change from now on.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The next batch of a lane, if it is complete.
    pub(super) fn next(&self, lane: usize, limits: Limits) -> Next {
        let next = self.state().next(lane, limits);
        if matches!(next, Next::Batch(_)) {
            self.changed.send_replace(());
        }
        next
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn next(&mut self, lane: usize, limits: Limits) -> Next {
        let queue = &mut self.lanes[lane];
        let Some(first) = queue.front() else { return if self.closed { Next::Ended } else { Next::Wait(None) } };
        let fitting = fitting(queue, limits);
        let full = fitting == limits.records || fitting < queue.len();
        let until = first.read + limits.window;
        if !full && !self.closed && until > Instant::now() {
            return Next::Wait(Some(until));
        }
        let batch: Vec<_> = queue.drain(..fitting).collect();
        self.bytes -= batch.iter().map(|item| item.json.len()).sum::<usize>();
        Next::Batch(batch)
    }
}

/// How many of the first items are a batch: at least one, however large it is.
fn fitting(queue: &VecDeque<Item>, limits: Limits) -> usize {
    let mut bytes = HEAD.len() + TAIL.len();
    let fits = |item: &&Item| {
        bytes += item.json.len() + 1;
        // The last one has no comma behind it.
        bytes - 1 <= limits.bytes
    };
    queue.iter().take(limits.records).take_while(fits).count().max(1)
}

/// The event with these records.
pub(super) fn event(items: &[Item]) -> Bytes {
    let mut event = String::with_capacity(size(items));
    event.push_str(HEAD);
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            event.push(',');
        }
        event.push_str(&item.json);
    }
    event.push_str(TAIL);
    event.into()
}

/// The bytes of the event with these records.
pub(super) fn size(items: &[Item]) -> usize {
    let records: usize = items.iter().map(|item| item.json.len()).sum();
    HEAD.len() + records + items.len().saturating_sub(1) + TAIL.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(json: &str) -> Item {
        let read = Instant::now();
        Item { ordinal: 0, number: json.to_owned(), arrived: Timestamp::UNIX_EPOCH, json: json.to_owned(), read }
    }

    #[test]
    fn the_size_of_an_event_is_known_before_it_is_made() {
        for items in [vec![], vec![item("{}")], vec![item("{}"), item("[1,2]"), item("3")]] {
            assert_eq!(event(&items).len(), size(&items));
            assert!(serde_json::from_slice::<serde_json::Value>(&event(&items)).is_ok());
        }
    }

    #[test]
    fn a_batch_has_as_many_as_fit_and_at_least_one() {
        let items = [item("{}"), item("{}"), item("{}")];
        let two = size(&items[..2]);
        for (bytes, expected) in [(two, 2), (two - 1, 1), (two + 2, 2), (two + 3, 3), (0, 1)] {
            let limits = Limits { records: 10, bytes, window: Duration::ZERO };
            assert_eq!(fitting(&items.clone().into(), limits), expected, "{bytes}");
        }
    }

    #[test]
    fn a_key_is_always_on_the_same_lane_and_keys_are_on_all() {
        let buffer = Buffer::new(4);
        let lanes: std::collections::BTreeSet<_> = (0..50).map(|key| buffer.lane(&key.to_string())).collect();
        assert_eq!(lanes.len(), 4);
        assert_eq!(buffer.lane("thread"), Buffer::new(4).lane("thread"));
    }
}
