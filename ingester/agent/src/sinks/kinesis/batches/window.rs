//! The records in memory, in the order they came.

use crate::outbox::Record;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Where else a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sinks::kinesis) enum Copied {
    /// Nowhere.
    No,
    /// On its way to the disk, under this number.
    Writing(u64),
    /// On disk, under this number.
    OnDisk(u64),
}

/// A record that Kinesis doesn't have yet.
#[derive(Debug)]
pub(in crate::sinks::kinesis) struct Held {
    /// The record.
    pub(in crate::sinks::kinesis) record: Record,
    /// Where else it is.
    copied: Copied,
    /// Since when it is in the window.
    pub(super) since: Instant,
}

/// All of them.
#[derive(Debug, Default)]
pub(in crate::sinks::kinesis) struct Window {
    held: BTreeMap<u64, Held>,
    next: u64,
    bytes: usize,
    /// Those that are in memory alone, by arrival, and since when.
    only_here: BTreeMap<u64, Instant>,
}

impl Held {
    /// The number of the copy on disk, also of one on its way there.
    pub(in crate::sinks::kinesis) fn number(&self) -> Option<u64> {
        match self.copied {
            Copied::No => None,
            Copied::Writing(number) | Copied::OnDisk(number) => Some(number),
        }
    }
}

impl Window {
    pub(in crate::sinks::kinesis) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Data and partition keys.
    pub(in crate::sinks::kinesis) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Since when the oldest is here that is in memory alone.
    pub(in crate::sinks::kinesis) fn oldest_only_here(&self) -> Option<Instant> {
        self.only_here.first_key_value().map(|(_, since)| *since)
    }

    /// The arrivals that are in memory alone, oldest first.
    pub(in crate::sinks::kinesis) fn only_here(&self) -> impl Iterator<Item = u64> {
        self.only_here.keys().copied()
    }

    /// How many are in memory alone.
    pub(in crate::sinks::kinesis) fn count_only_here(&self) -> usize {
        self.only_here.len()
    }

    /// How many are not on disk, or nobody knows yet.
    pub(in crate::sinks::kinesis) fn count_not_on_disk(&self) -> usize {
        self.held.values().filter(|held| !matches!(held.copied, Copied::OnDisk(_))).count()
    }

    /// The disk has lost everything.
    pub(in crate::sinks::kinesis) fn nothing_is_on_disk(&mut self) {
        for (arrival, held) in &mut self.held {
            if let Copied::OnDisk(_) = held.copied {
                held.copied = Copied::No;
                self.only_here.insert(*arrival, held.since);
            }
        }
    }

    /// The record, which is there.
    pub(in crate::sinks::kinesis) fn get(&self, arrival: u64) -> &Held {
        &self.held[&arrival]
    }

    /// It is being written, under this number.
    pub(in crate::sinks::kinesis) fn writing(&mut self, arrival: u64, number: u64) {
        if let Some(held) = self.held.get_mut(&arrival) {
            held.copied = Copied::Writing(number);
            self.only_here.remove(&arrival);
        }
    }

    /// What was being written is on disk, and gives its share of the memory back. Kinesis may have it by now.
    pub(in crate::sinks::kinesis) fn written(&mut self, arrival: u64) {
        if let Some(held) = self.held.get_mut(&arrival)
            && let Copied::Writing(number) = held.copied
        {
            held.copied = Copied::OnDisk(number);
            held.record.release();
        }
    }

    /// What was being written is not on disk.
    pub(in crate::sinks::kinesis) fn not_written(&mut self, arrival: u64) {
        if let Some(held) = self.held.get_mut(&arrival) {
            held.copied = Copied::No;
            self.only_here.insert(arrival, held.since);
        }
    }

    pub(super) fn push(&mut self, record: Record, number: Option<u64>, since: Instant) -> u64 {
        let arrival = self.next;
        self.next += 1;
        self.bytes += record.size();
        if number.is_none() {
            self.only_here.insert(arrival, since);
        }
        let copied = number.map_or(Copied::No, Copied::OnDisk);
        self.held.insert(arrival, Held { record, copied, since });
        arrival
    }

    pub(super) fn remove(&mut self, arrival: u64) -> Held {
        let held = self.held.remove(&arrival).expect("a record stays until its lane gives it back");
        self.only_here.remove(&arrival);
        self.bytes -= held.record.size();
        held
    }
}
