//! What goes to the disk.

use super::{
    super::{
        batches::Batches,
        spool::{Contents, Entry},
    },
    Disk,
    job::{Job, Step},
};
use crate::outbox::Record;
use std::{collections::VecDeque, ops::Range, time::Duration};
use tokio::time::Instant;

/// The most that one job writes.
const MOST: u64 = 8 << 20;

/// How long nothing is written after writing failed. The disk may be full; reading goes on.
const NOT_WRITING: Duration = Duration::from_secs(5);

/// What the job writes that is under way.
#[derive(Debug, Default)]
pub(super) struct Writing {
    /// From the window, by arrival.
    pub(super) arrivals: Vec<u64>,
    /// So many of those that come in, from the first.
    pub(super) incoming: usize,
    /// What all of it takes on disk, about.
    pub(super) bytes: u64,
    /// Their numbers on disk, the window's first.
    pub(super) numbers: Range<u64>,
    pub(super) refusals: usize,
}

impl Disk {
    /// Adds what has been in memory alone for too long, and what can't come into the window.
    pub(super) fn append(&mut self, job: &mut Job, batches: &mut Batches, incoming: &VecDeque<Record>, now: Instant) {
        // What comes in need not go to the disk if nothing is left there after this job.
        let read = job.reads.as_ref().map_or(0, |(_, bytes)| *bytes);
        let blocked = !incoming.is_empty() && (self.unread_bytes > read || !self.has_room(batches));
        let oldest = batches.window().oldest_only_here();
        let late = oldest.is_some_and(|since| since + self.limits.spill_after <= now);
        self.full = false;
        if blocked || late {
            let nothing = VecDeque::new();
            self.append_all(job, MOST, batches, if blocked { incoming } else { &nothing });
        }
    }

    /// Adds as much as there is room for, in the order it came: the window's first.
    pub(super) fn append_all(&mut self, job: &mut Job, most: u64, batches: &mut Batches, incoming: &VecDeque<Record>) {
        let free = self.limits.spool.saturating_sub(self.contents.bytes).min(most);
        let first = self.next_number;
        let mut writing = Writing::default();
        let mut add = |record: &Record, bytes: &mut u64| {
            let entry = Entry::of(record);
            *bytes += entry.footprint();
            let fits = *bytes <= free;
            if fits {
                job.change.append.push((first + job.change.append.len() as u64, entry));
            }
            fits
        };
        for arrival in batches.window().only_here() {
            if !add(batches.get(arrival), &mut writing.bytes) {
                break;
            }
            writing.arrivals.push(arrival);
        }
        let all = writing.arrivals.len() == batches.window().count_only_here();
        for record in incoming.iter().take_while(|_| all) {
            if !add(record, &mut writing.bytes) {
                break;
            }
            writing.incoming += 1;
        }
        let some_left = !all || writing.incoming < incoming.len();
        self.full = some_left && job.change.append.is_empty();
        self.next_number += job.change.append.len() as u64;
        writing.numbers = first..self.next_number;
        for (arrival, number) in writing.arrivals.iter().zip(first..) {
            batches.window_mut().writing(*arrival, number);
        }
        self.writing = writing;
    }

    pub(super) fn add_refusals(&mut self, job: &mut Job) {
        let entries = self.refusals.iter().map(|(record, why)| (Entry::of(record), why.clone()));
        job.change.refuse = entries.collect();
        self.writing.refusals = job.change.refuse.len();
    }

    pub(super) fn written(
        &mut self,
        contents: Contents,
        writing: &Writing,
        batches: &mut Batches,
        incoming: &mut VecDeque<Record>,
    ) {
        self.contents = contents;
        for arrival in &writing.arrivals {
            batches.window_mut().written(*arrival);
        }
        let read_from = writing.numbers.start + writing.arrivals.len() as u64;
        if writing.numbers.is_empty() {
            // Only removed.
        } else if self.unread == 0 {
            self.next_read = read_from;
        } else {
            self.handed.extend(writing.numbers.start..read_from);
        }
        for record in incoming.drain(..writing.incoming) {
            self.unread += 1;
            self.unread_bytes += Entry::of(&record).footprint();
        }
        self.refusals.drain(..writing.refusals);
        self.grown = self.grown.saturating_add(writing.bytes);
    }

    /// Whether the disk has it nobody knows; so it is taken away, if it is there, and written anew with other numbers.
    pub(super) fn not_written(
        &mut self,
        failed: Step,
        removals: Vec<u64>,
        writing: &Writing,
        batches: &mut Batches,
        now: Instant,
    ) {
        for arrival in &writing.arrivals {
            batches.window_mut().not_written(*arrival);
        }
        self.removals.extend(removals);
        self.removals.extend(writing.numbers.clone());
        if !self.removals.is_empty() {
            self.removals_since.get_or_insert(now);
        }
        if failed == Step::Change || !writing.numbers.is_empty() || writing.refusals > 0 {
            self.write_at = Some(now + NOT_WRITING);
        }
    }
}
