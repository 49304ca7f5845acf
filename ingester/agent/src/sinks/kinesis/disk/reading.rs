//! What comes from the disk.

use super::{
    super::{
        batches::Batches,
        spool::{Contents, Page},
    },
    Disk,
};
use std::{collections::HashSet, ops::Range};
use tokio::time::Instant;

/// The most that one job reads.
const MOST: u64 = 8 << 20;

impl Disk {
    /// The next records, as far as the window has room.
    pub(super) fn reads(&self, batches: &Batches) -> Option<(Range<u64>, u64)> {
        let room = self.limits.window.saturating_sub(batches.window().bytes());
        // Not each record for itself.
        let worth_it = room >= self.limits.window / 4;
        (self.unread > 0 && worth_it).then(|| (self.next_read..self.next_number, MOST.min(room as u64)))
    }

    /// It is open, for the first time or again.
    pub(super) fn opened(&mut self, contents: Contents, anew: bool, batches: &mut Batches) {
        if !self.known {
            self.unread = contents.records;
            self.unread_bytes = contents.bytes;
            self.next_read = contents.numbers.start;
            self.next_number = contents.numbers.end;
            self.grown = u64::MAX;
        } else if anew {
            self.damaged += std::mem::take(&mut self.unread);
            self.unread_bytes = 0;
            self.removals.clear();
            self.handed.clear();
            batches.window_mut().nothing_is_on_disk();
        }
        self.known = true;
        self.contents = contents;
    }

    pub(super) fn read(&mut self, page: Page, batches: &mut Batches, now: Instant) {
        if page.unreadable > 0 {
            tracing::error!(records = page.unreadable, "Records on disk are of an unknown form and stay there.");
        }
        self.unread = self.unread.saturating_sub(page.unreadable as u64);
        // What is to be removed may be there still, and is in memory or with Kinesis.
        let removed: HashSet<u64> = self.removals.iter().copied().filter(|number| *number >= self.next_read).collect();
        for (number, entry) in page.entries {
            if self.handed.remove(&number) || removed.contains(&number) {
                continue;
            }
            self.unread = self.unread.saturating_sub(1);
            self.unread_bytes = self.unread_bytes.saturating_sub(entry.footprint());
            batches.push(entry.into_record(), Some(number), now);
        }
        self.next_read = page.next;
        if page.next >= self.next_number {
            (self.unread, self.unread_bytes) = (0, 0);
            self.handed.clear();
        }
    }
}
