//! The spool beside the loop: what goes to the disk and comes from it, one job at a time, on a thread that may block.
//!
//! A disk that fails stops nothing: it is opened again and again, and until then all is in memory alone.

mod job;
mod reading;
#[cfg(test)]
mod tests;
mod writing;

use self::{
    job::{Done, Failure, Job, Step},
    writing::Writing,
};
use super::{
    batches::{Batches, Held},
    spool::{Contents, OpenError, Spool, Storage},
};
use crate::outbox::Record;
use runtime::Backoff;
use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};
use tokio::{task::JoinHandle, time::Instant};

/// How long what Kinesis has may stay on disk: it would be sent again if the process were killed.
const FLUSH: Duration = Duration::from_millis(200);

/// How many of them don't wait that long.
const FLUSH_AT: usize = 2000;

/// How long new records wait for a disk that fails and has older ones. Then they go before those.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time for all that is done at the end: somebody may be waiting to kill the process.
const AT_THE_END: Duration = Duration::from_secs(5);

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
        let may_write = self.write_at.is_none_or(|at| at <= now);
        if may_write {
            job.tries_writing = self.write_at.take().is_some();
            self.append(&mut job, batches, incoming, now);
            self.add_refusals(&mut job);
        }
        let many_or_old =
            self.removals.len() >= FLUSH_AT || self.removals_since.is_some_and(|since| since + FLUSH <= now);
        if (may_write && many_or_old) || !job.is_empty() {
            // While nothing can be written they would keep the job from reading.
            if may_write {
                job.change.remove = std::mem::take(&mut self.removals);
                self.removals_since = None;
            }
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
            (None, Some(failure)) => self.not_written(failure.step, done.removals, &writing, batches, now),
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

    /// Writes all that is in memory alone, beyond any limit: the process ends. Says how many records are lost, within
    /// five seconds.
    pub(super) async fn finish(&mut self, batches: &mut Batches, incoming: &mut VecDeque<Record>) -> usize {
        // What hangs until then is lost as far as anybody knows.
        let _ = tokio::time::timeout(AT_THE_END, self.write_all(batches, incoming)).await;
        batches.window().count_not_on_disk() + incoming.len() + self.refusals.len()
    }

    async fn write_all(&mut self, batches: &mut Batches, incoming: &mut VecDeque<Record>) {
        self.last(batches, incoming).await;
        if self.spool.is_none() && self.job.is_none() {
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
    }

    /// Waits for the job under way, if there is one.
    async fn last(&mut self, batches: &mut Batches, incoming: &mut VecDeque<Record>) {
        if self.job.is_some() {
            let done = self.done().await;
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

    fn is_worth_shrinking(&self) -> bool {
        self.grown > GROWN && self.contents.records == 0 && self.unread == 0 && self.removals.is_empty()
    }

    fn failed(&mut self, failure: Failure, now: Instant) {
        if failure.step == Step::Change {
            // Writing pauses for itself, and what can be read is read meanwhile.
            self.open_at = None;
        } else {
            self.unreadable_since.get_or_insert(now);
            self.open_at = Some(now + self.backoff.next_pause());
        }
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
}

/// Not much longer than [`PATIENCE`] allows for a few attempts.
fn backoff() -> Backoff {
    let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
    if cfg!(test) { backoff.seeded(7) } else { backoff }
}
