//! The spool beside the loop: what goes to the disk and comes from it, one job at a time, on a thread that may block.
//!
//! A disk that fails stops nothing: it is opened again and again, and until then all is in memory alone.

mod job;
#[cfg(test)]
mod tests;

use self::job::{Done, Failure, Job, Step};
use super::{
    batches::{Batches, Held},
    spool::{Contents, Entry, OpenError, Page, Spool, Storage},
};
use crate::outbox::Record;
use runtime::Backoff;
use std::{
    collections::{HashSet, VecDeque},
    ops::Range,
    time::Duration,
};
use tokio::{task::JoinHandle, time::Instant};

/// The most that one job writes, or reads.
const JOB: u64 = 8 << 20;

/// How long what Kinesis has may stay on disk: it would be sent again if the process were killed.
const FLUSH: Duration = Duration::from_millis(200);

/// How many of them don't wait that long.
const FLUSH_AT: usize = 2000;

/// How long new records wait for a disk that fails and has older ones. Then they go before those.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long nothing is written after writing failed. The disk may be full; reading goes on.
const NOT_WRITING: Duration = Duration::from_secs(5);

/// The last job's time: the process is about to end, and somebody may be waiting to kill it.
const LAST_JOB: Duration = Duration::from_secs(5);

/// A file that has grown by this much gives it back once it is empty.
const GROWN: u64 = 8 << 20;

/// How much, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// What the spool may take on disk, bytes.
    pub(super) spool: u64,
    /// What may be in memory and not come from the outbox' share, bytes.
    pub(super) window: usize,
    /// How long a record may be in memory alone.
    pub(super) spill_after: Duration,
}

/// What the job writes that is under way.
#[derive(Debug, Default)]
struct Writing {
    /// From the window, by arrival.
    arrivals: Vec<u64>,
    /// So many of those that come in, from the first.
    incoming: usize,
    /// What all of it takes on disk, about.
    bytes: u64,
    /// Their numbers on disk, the window's first.
    numbers: Range<u64>,
    refusals: usize,
}

/// The spool, and what of it is where.
pub(super) struct Disk {
    storage: Storage,
    limits: Limits,
    spool: Option<Spool>,
    job: Option<JoinHandle<Done>>,
    writing: Writing,
    contents: Contents,
    /// Whether it was ever open: before that, nobody knows what is in it.
    known: bool,
    /// How many records are on disk and not in the window, what they take, and from where to read them.
    unread: u64,
    unread_bytes: u64,
    next_read: u64,
    /// In the window already, though their numbers are yet to be read.
    handed: HashSet<u64>,
    /// The next number. None is used twice.
    next_number: u64,
    /// What Kinesis has and the disk too, and since when the first.
    removals: Vec<u64>,
    removals_since: Option<Instant>,
    refusals: Vec<(Record, String)>,
    trouble: Option<String>,
    unreadable_since: Option<Instant>,
    backoff: Backoff,
    /// Not before this.
    open_at: Option<Instant>,
    write_at: Option<Instant>,
    full: bool,
    grown: u64,
    /// Records in a file that was damaged.
    damaged: u64,
}

impl Disk {
    /// Opens the spool. One that can't be had is tried again later; one that another process has is an error.
    pub(super) async fn open(storage: Storage, limits: Limits, batches: &mut Batches) -> Result<Self, OpenError> {
        let mut disk = Self {
            storage,
            limits,
            spool: None,
            job: None,
            writing: Writing::default(),
            contents: Contents::default(),
            known: false,
            unread: 0,
            unread_bytes: 0,
            next_read: 0,
            handed: HashSet::new(),
            next_number: 0,
            removals: Vec::new(),
            removals_since: None,
            refusals: Vec::new(),
            trouble: None,
            unreadable_since: None,
            backoff: backoff(),
            open_at: None,
            write_at: None,
            full: false,
            grown: 0,
            damaged: 0,
        };
        disk.start(Job::default());
        let mut done = disk.done().await;
        if let Some(in_use) = done.in_use.take() {
            return Err(in_use);
        }
        disk.settle(done, batches, &mut VecDeque::new(), Instant::now());
        Ok(disk)
    }

    /// Whether a new record may go into the window: none that came before it is elsewhere.
    pub(super) fn lets_pass(&self, batches: &Batches, now: Instant) -> bool {
        let has_older = !self.known || self.unread > 0;
        let is_shut = self.spool.is_none() && self.job.is_none();
        let too_long = is_shut && self.unreadable_since.is_some_and(|since| now >= since + PATIENCE);
        self.writing.incoming == 0 && self.has_room(batches) && (!has_older || too_long)
    }

    /// Kinesis has it.
    pub(super) fn accepted(&mut self, held: &Held, now: Instant) {
        if let Some(number) = held.number() {
            self.removals.push(number);
            self.removals_since.get_or_insert(now);
        }
    }

    /// Kinesis won't have it: it is kept beside the others.
    pub(super) fn refuse(&mut self, held: Held, why: String, now: Instant) {
        self.accepted(&held, now);
        self.refusals.push((held.record, why));
    }

    /// Starts a job, if there is reason for one and none under way.
    pub(super) fn work(&mut self, batches: &mut Batches, incoming: &VecDeque<Record>, now: Instant) {
        if self.job.is_some() || self.open_at.is_some_and(|at| at > now) {
            return;
        }
        if self.spool.is_none() {
            return self.start(Job::default());
        }
        let reads = self.reads(batches);
        let mut job = Job { reads, ..Job::default() };
        if self.write_at.is_none_or(|at| at <= now) {
            job.tries_writing = self.write_at.take().is_some();
            self.append(&mut job, batches, incoming, now);
            self.add_refusals(&mut job);
        }
        let removal_due =
            self.removals.len() >= FLUSH_AT || self.removals_since.is_some_and(|since| since + FLUSH <= now);
        if removal_due || !job.is_empty() {
            job.change.remove = std::mem::take(&mut self.removals);
            self.removals_since = None;
            self.start(job);
        } else if self.is_worth_shrinking() {
            self.grown = 0;
            self.start(Job { shrinks: true, ..Job::default() });
        }
    }

    /// When [`work`](Self::work) should be asked again if nothing else happens.
    pub(super) fn next_at(&self, batches: &Batches, now: Instant) -> Option<Instant> {
        if self.job.is_some() {
            return None;
        }
        let spill = batches.window().oldest_only_here().map(|since| since + self.limits.spill_after);
        let flush = self.removals_since.map(|since| since + FLUSH);
        let patience = self.unreadable_since.map(|since| since + PATIENCE);
        let times = [spill, flush, patience, self.open_at, self.write_at];
        // What is due and was not begun waits for something else: a look each second is enough.
        let due = times.iter().flatten().any(|at| *at <= now).then(|| now + Duration::from_secs(1));
        times.into_iter().flatten().filter(|at| *at > now).chain(due).min()
    }

    /// Waits for the job under way; for ever if there is none.
    pub(super) async fn done(&mut self) -> Done {
        let Some(job) = &mut self.job else { return std::future::pending().await };
        let done = job.await.unwrap_or_else(|panicked| Done::panicked(&panicked));
        self.job = None;
        done
    }

    /// Takes what the job did, and what it read into the window.
    pub(super) fn settle(&mut self, done: Done, batches: &mut Batches, incoming: &mut VecDeque<Record>, now: Instant) {
        let writing = std::mem::take(&mut self.writing);
        if let Some(opened) = done.opened {
            if let Some(path) = &done.damaged {
                tracing::error!(path = %path.display(), "The spool was damaged: it is put aside, and a new one begun.");
            }
            self.opened(opened, done.damaged.is_some(), batches);
        }
        match (done.changed, &done.failure) {
            (Some(contents), _) => self.written(contents, &writing, batches, incoming),
            (None, Some(_)) => self.not_written(done.removals, &writing, batches, now),
            (None, None) => (),
        }
        let has_read = done.page.is_some();
        if let Some(page) = done.page {
            self.read(page, batches, now);
        }
        self.spool = done.spool;
        match done.failure {
            Some(failure) => self.failed(failure, now),
            None => self.worked(has_read),
        }
    }

    /// What is wrong with it.
    pub(super) fn trouble(&self) -> Option<String> {
        let full = || {
            let (records, mib) = (self.contents.records, self.limits.spool >> 20);
            format!("the spool is full: {records} records wait in {mib} MiB, and what comes waits in memory")
        };
        self.trouble.clone().or_else(|| self.full.then(full))
    }

    /// What is on disk.
    pub(super) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// How many records were lost with a damaged file since this was last asked.
    pub(super) fn take_damaged(&mut self) -> u64 {
        std::mem::take(&mut self.damaged)
    }

    /// Whether all records on disk are in the window too.
    pub(super) fn has_nothing_to_read(&self) -> bool {
        self.known && self.unread == 0 && self.writing.incoming == 0
    }

    /// Writes all that is in memory alone, beyond any limit: the process ends. Says how many records are lost.
    pub(super) async fn finish(&mut self, batches: &mut Batches, incoming: &mut VecDeque<Record>) -> usize {
        self.last(batches, incoming).await;
        if self.spool.is_none() {
            // Without it nobody knows which numbers are free.
            self.start(Job::default());
            self.last(batches, incoming).await;
        }
        if self.spool.is_some() {
            self.limits.spool = u64::MAX;
            let mut job = Job::default();
            self.append_all(&mut job, u64::MAX, batches, incoming);
            self.add_refusals(&mut job);
            job.change.remove = std::mem::take(&mut self.removals);
            self.start(job);
            self.last(batches, incoming).await;
        }
        batches.window().count_not_on_disk() + incoming.len() + self.refusals.len()
    }

    /// Waits for the job under way, if there is one, but not for ever.
    async fn last(&mut self, batches: &mut Batches, incoming: &mut VecDeque<Record>) {
        if self.job.is_some()
            && let Ok(done) = tokio::time::timeout(LAST_JOB, self.done()).await
        {
            self.settle(done, batches, incoming, Instant::now());
        }
    }
}

impl Disk {
    fn start(&mut self, job: Job) {
        let (spool, storage) = (self.spool.take(), self.storage.clone());
        self.job = Some(tokio::task::spawn_blocking(move || job.run(spool, &storage)));
    }

    fn has_room(&self, batches: &Batches) -> bool {
        batches.window().bytes() < self.limits.window
    }

    /// The next records, as far as the window has room.
    fn reads(&self, batches: &Batches) -> Option<(Range<u64>, u64)> {
        let room = self.limits.window.saturating_sub(batches.window().bytes());
        // Not each record for itself.
        let worth_it = room >= self.limits.window / 4;
        (self.unread > 0 && worth_it).then(|| (self.next_read..self.next_number, JOB.min(room as u64)))
    }

    /// Adds what has been in memory alone for too long, and what can't come into the window.
    fn append(&mut self, job: &mut Job, batches: &mut Batches, incoming: &VecDeque<Record>, now: Instant) {
        // What comes in need not go to the disk if nothing is left there after this job.
        let read = job.reads.as_ref().map_or(0, |(_, bytes)| *bytes);
        let blocked = !incoming.is_empty() && (self.unread_bytes > read || !self.has_room(batches));
        let oldest = batches.window().oldest_only_here();
        let late = oldest.is_some_and(|since| since + self.limits.spill_after <= now);
        self.full = false;
        if blocked || late {
            let nothing = VecDeque::new();
            self.append_all(job, JOB, batches, if blocked { incoming } else { &nothing });
        }
    }

    /// Adds as much as there is room for, in the order it came: the window's first.
    fn append_all(&mut self, job: &mut Job, most: u64, batches: &mut Batches, incoming: &VecDeque<Record>) {
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

    fn add_refusals(&mut self, job: &mut Job) {
        let entries = self.refusals.iter().map(|(record, why)| (Entry::of(record), why.clone()));
        job.change.refuse = entries.collect();
        self.writing.refusals = job.change.refuse.len();
    }

    fn is_worth_shrinking(&self) -> bool {
        self.grown > GROWN && self.contents.records == 0 && self.unread == 0 && self.removals.is_empty()
    }

    /// It is open, for the first time or again.
    fn opened(&mut self, contents: Contents, anew: bool, batches: &mut Batches) {
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

    fn written(
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
    fn not_written(&mut self, removals: Vec<u64>, writing: &Writing, batches: &mut Batches, now: Instant) {
        for arrival in &writing.arrivals {
            batches.window_mut().not_written(*arrival);
        }
        self.removals.extend(removals);
        self.removals.extend(writing.numbers.clone());
        if !self.removals.is_empty() {
            self.removals_since.get_or_insert(now);
        }
        if !writing.numbers.is_empty() || writing.refusals > 0 {
            self.write_at = Some(now + NOT_WRITING);
        }
    }

    fn failed(&mut self, failure: Failure, now: Instant) {
        if failure.step != Step::Change {
            self.unreadable_since.get_or_insert(now);
        }
        self.open_at = Some(now + self.backoff.next_pause());
        self.trouble = Some(failure.text);
    }

    fn worked(&mut self, has_read: bool) {
        if has_read || self.unread == 0 {
            self.unreadable_since = None;
        }
        // What failed may fail still.
        if self.write_at.is_none() && self.unreadable_since.is_none() {
            self.trouble = None;
            self.backoff = backoff();
        }
        self.open_at = None;
    }

    fn read(&mut self, page: Page, batches: &mut Batches, now: Instant) {
        if page.unreadable > 0 {
            tracing::error!(records = page.unreadable, "Records on disk are of an unknown form and stay there.");
        }
        self.unread = self.unread.saturating_sub(page.unreadable as u64);
        for (number, entry) in page.entries {
            if self.handed.remove(&number) {
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

/// Not much longer than [`PATIENCE`] allows for a few attempts.
fn backoff() -> Backoff {
    let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
    if cfg!(test) { backoff.seeded(7) } else { backoff }
}
