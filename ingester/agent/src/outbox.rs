//! From sources to the sink: filtered, each item once, bounded in memory, counted.

use crate::status::FeedStatus;
use bytes::Bytes;
use jiff::Timestamp;
use news::{NewsItem, feeds::Filter};
use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, timeout},
};

/// How many ids are remembered, to tell repeats: at the peak of a busy day the last quarter of an hour, 50 items a second.
/// LSEG repeats within half a minute (`feed.md`: 22 to 24 s), a second connection within seconds. 5 MB.
const REMEMBERED: usize = 65_536;

/// The largest record that a stream takes unless it is told otherwise, with its partition key (Kinesis API, PutRecords and
/// `MaxRecordSizeInKiB`).
pub const LARGEST_RECORD: usize = 1 << 20;

/// What a record takes beside its data, roughly.
const OVERHEAD: usize = 256;

/// How long a live feed isn't read for want of room. Its server's and this machine's buffers hold what comes meanwhile;
/// LSEG closes a connection that says nothing for 30 seconds and more.
const PATIENCE: Duration = Duration::from_secs(5);

/// An item on its way to the sink.
#[derive(Debug)]
pub struct Record {
    /// Items of one thread keep their order; the partition key.
    pub thread: String,
    /// The item, as it is on the stream.
    pub data: Bytes,
    /// When the provider published it.
    pub published: Timestamp,
    /// When the source had it.
    pub received: Instant,
    /// Its share of the memory that all records may take; free when the record is dropped.
    share: Option<OwnedSemaphorePermit>,
}

impl Record {
    /// A record that was read from disk: it takes no memory from what comes in.
    pub fn spooled(thread: String, data: Bytes, published: Timestamp, received: Instant) -> Self {
        Self { thread, data, published, received, share: None }
    }

    /// Gives its share of the memory back: it is on disk as well.
    pub fn release(&mut self) {
        self.share = None;
    }

    /// What Kinesis counts: data and partition key, bytes.
    pub fn size(&self) -> usize {
        self.data.len() + self.thread.len()
    }
}

/// The sink's end.
pub type Records = mpsc::UnboundedReceiver<Record>;

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is on its way.
    Queued,
    /// It was before.
    Repeat,
    /// The filter doesn't want it.
    Filtered,
    /// There was no room, and a live feed doesn't wait.
    Lost,
}

/// What all outboxes share.
#[derive(Debug)]
struct Gate {
    filter: Filter,
    /// Half of the memory is for feeds that don't wait: one that does would always be the next to get room.
    live: Arc<Semaphore>,
    patient: Arc<Semaphore>,
    /// What each half is, bytes.
    half: u32,
    queue: mpsc::UnboundedSender<Record>,
}

/// A source's way to the sink.
#[derive(Debug, Clone)]
pub struct Outbox {
    feed: Arc<FeedStatus>,
    gate: Arc<Gate>,
    /// Of this feed alone: a fast replay would make others forget.
    seen: Arc<Mutex<Seen>>,
    repeats: bool,
    /// Whether waiting for room was in vain.
    starved: Arc<AtomicBool>,
}

/// Makes outboxes; the queue ends when it and all of them are gone.
#[derive(Debug)]
pub struct Outboxes(Arc<Gate>);

impl Outboxes {
    /// A queue for all sources, of at most `memory` bytes, of which live feeds have one half and patient ones the other.
    pub fn new(filter: Filter, memory: usize) -> (Self, Records) {
        let (queue, records) = mpsc::unbounded_channel();
        let half = u32::try_from(memory / 2).unwrap_or(u32::MAX);
        let room = || Arc::new(Semaphore::new(half as usize));
        (Self(Arc::new(Gate { filter, live: room(), patient: room(), half, queue })), records)
    }

    /// The way of one feed's items.
    pub fn of(&self, feed: Arc<FeedStatus>) -> Outbox {
        let gate = Arc::clone(&self.0);
        Outbox { feed, gate, seen: Arc::default(), repeats: false, starved: Arc::default() }
    }
}

impl Outbox {
    /// How this feed is.
    pub fn status(&self) -> &FeedStatus {
        &self.feed
    }

    /// The same, for a feed that repeats items on purpose.
    pub fn repeating(self) -> Self {
        Self { repeats: true, ..self }
    }

    /// Waits until there is some room for live items, five seconds at most: before a live feed reads on. After a wait in
    /// vain it doesn't wait again until there is room, so that the connection lives while items are lost.
    pub async fn room(&self) {
        let some = (self.gate.half / 8).max(1);
        if self.gate.live.available_permits() >= some as usize {
            self.starved.store(false, Ordering::Relaxed);
        } else if !self.starved.load(Ordering::Relaxed) {
            let waited = timeout(PATIENCE, self.gate.live.acquire_many(some)).await;
            self.starved.store(waited.is_err(), Ordering::Relaxed);
        }
    }

    /// Takes an item of a feed that doesn't wait: where there is no room, it is lost, and counted.
    pub fn offer(&self, item: NewsItem) -> Taken {
        let Some((record, id)) = self.admit(item) else { return Taken::Filtered };
        if !self.repeats && self.seen().has(id) {
            self.feed.duplicates.inc();
            return Taken::Repeat;
        }
        let Ok(share) = Arc::clone(&self.gate.live).try_acquire_many_owned(self.share_of(&record)) else {
            self.feed.lost.inc();
            return Taken::Lost;
        };
        self.queue(record, id, share)
    }

    /// Takes an item of a feed that can wait, as soon as there is room.
    pub async fn send(&self, item: NewsItem) -> Taken {
        let Some((record, id)) = self.admit(item) else { return Taken::Filtered };
        if !self.repeats && self.seen().has(id) {
            self.feed.duplicates.inc();
            return Taken::Repeat;
        }
        match Arc::clone(&self.gate.patient).acquire_many_owned(self.share_of(&record)).await {
            Ok(share) => self.queue(record, id, share),
            Err(_) => Taken::Lost,
        }
    }

    fn admit(&self, mut item: NewsItem) -> Option<(Record, u64)> {
        self.feed.items.inc();
        if !self.gate.filter.takes(&item) {
            self.feed.filtered.inc();
            return None;
        }
        let id = self.seen().hash(&item.id);
        let received = Instant::now();
        item.received.get_or_insert_with(Timestamp::now);
        let mut data = item.to_record();
        if data.len() + item.thread.len() > LARGEST_RECORD {
            tracing::warn!(
                feed = self.feed.name,
                id = item.id,
                bytes = data.len(),
                "The item goes without its text: it is larger than a record."
            );
            item.body.clear();
            data = item.to_record();
        }
        let record =
            Record { thread: item.thread, data: data.into(), published: item.published, received, share: None };
        Some((record, id))
    }

    // Remembered only now: the second connection's copy of an item that was lost here may still find room.
    fn queue(&self, record: Record, id: u64, share: OwnedSemaphorePermit) -> Taken {
        if !self.seen().remember(id) && !self.repeats {
            self.feed.duplicates.inc();
            return Taken::Repeat;
        }
        let record = Record { share: Some(share), ..record };
        if self.gate.queue.send(record).is_err() {
            self.feed.lost.inc();
            return Taken::Lost;
        }
        Taken::Queued
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never more than there is: a record that is larger waits for all of it.
    fn share_of(&self, record: &Record) -> u32 {
        u32::try_from(record.size() + OVERHEAD).unwrap_or(u32::MAX).min(self.gate.half)
    }
}

/// The ids of late, as hashes of 64 bits with a key of this process: an item is taken for another once in 10^14.
#[derive(Debug, Default)]
struct Seen {
    keyed: RandomState,
    ids: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Seen {
    fn hash(&self, id: &str) -> u64 {
        self.keyed.hash_one(id)
    }

    fn has(&self, id: u64) -> bool {
        self.ids.contains(&id)
    }

    /// Whether it is new.
    fn remember(&mut self, id: u64) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;
    use news::{FORM, Kind, Status as Standing};

    fn item(id: &str) -> NewsItem {
        NewsItem {
            version: FORM,
            id: id.into(),
            thread: "t".into(),
            source: "wire".into(),
            provider: "RTRS".into(),
            language: "en".into(),
            kind: Kind::Article,
            status: Standing::Usable,
            urgency: Some(3),
            take: None,
            headline: "h".into(),
            body: String::new(),
            subjects: Vec::new(),
            url: None,
            published: Timestamp::UNIX_EPOCH,
            first_published: None,
            received: None,
            trace: None,
        }
    }

    fn outbox(filter: Filter, memory: usize) -> (Outbox, Records) {
        let mut status = Status::new();
        let (outboxes, records) = Outboxes::new(filter, memory);
        (outboxes.of(status.feed("wire")), records)
    }

    #[tokio::test]
    async fn each_item_goes_once_whoever_brings_it() {
        let (outbox, mut records) = outbox(Filter::default(), 1 << 20);
        assert_eq!(outbox.offer(item("a")), Taken::Queued);
        assert_eq!(outbox.clone().offer(item("a")), Taken::Repeat);
        assert_eq!(outbox.send(item("b")).await, Taken::Queued);
        assert_eq!(outbox.status().duplicates.get(), 1);
        drop(outbox);
        let mut ids = Vec::new();
        while let Some(record) = records.recv().await {
            let item = NewsItem::from_record(&record.data).unwrap();
            assert!(item.received.is_some());
            ids.push(item.id);
        }
        assert_eq!(ids, ["a", "b"]);
    }

    #[test]
    fn feed_that_repeats_on_purpose_may() {
        let (outbox, _records) = outbox(Filter::default(), 1 << 20);
        let outbox = outbox.repeating();
        assert_eq!([outbox.offer(item("a")), outbox.offer(item("a"))], [Taken::Queued; 2]);
    }

    #[tokio::test]
    async fn item_without_room_is_lost_and_counted_and_welcome_again() {
        let (outbox, mut records) = outbox(Filter::default(), 1400);
        assert_eq!(outbox.offer(item("a")), Taken::Queued);
        assert_eq!(outbox.offer(item("b")), Taken::Lost);
        assert_eq!(outbox.status().lost.get(), 1);
        drop(records.recv().await);
        assert_eq!(outbox.offer(item("b")), Taken::Queued);
    }

    #[tokio::test]
    async fn feed_that_can_wait_does_and_takes_no_room_from_live_ones() {
        let (outbox, mut records) = outbox(Filter::default(), 1400);
        assert_eq!(outbox.send(item("a")).await, Taken::Queued);
        let waiting = tokio::spawn({
            let outbox = outbox.clone();
            async move { outbox.send(item("b")).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(outbox.offer(item("c")), Taken::Queued);
        drop(records.recv().await);
        assert_eq!(waiting.await.unwrap(), Taken::Queued);
    }

    #[tokio::test(start_paused = true)]
    async fn live_feed_waits_for_room_once_and_not_again_until_there_is_some() {
        let (outbox, mut records) = outbox(Filter::default(), 1400);
        let started = Instant::now();
        outbox.room().await;
        assert_eq!(outbox.offer(item("a")), Taken::Queued);
        let rest = u32::try_from(outbox.gate.live.available_permits()).unwrap();
        outbox.gate.live.try_acquire_many(rest).unwrap().forget();
        outbox.room().await;
        outbox.room().await;
        assert_eq!(started.elapsed(), PATIENCE);
        drop(records.recv().await);
        outbox.room().await;
        assert!(!outbox.starved.load(Ordering::Relaxed));
    }

    #[test]
    fn filter_decides_what_is_sent() {
        let (outbox, _records) = outbox(Filter { languages: vec!["de".into()], ..Filter::default() }, 1 << 20);
        assert_eq!(outbox.offer(item("a")), Taken::Filtered);
        assert_eq!(outbox.status().filtered.get(), 1);
    }

    #[test]
    fn item_larger_than_a_record_goes_without_its_text() {
        let (outbox, mut records) = outbox(Filter::default(), 8 << 20);
        let long = NewsItem { body: "x".repeat(2 << 20), ..item("a") };
        assert_eq!(outbox.offer(long), Taken::Queued);
        let record = records.try_recv().unwrap();
        assert!(record.size() < 1000);
    }

    #[test]
    fn oldest_ids_are_forgotten() {
        let mut seen = Seen::default();
        for id in 0..REMEMBERED as u64 + 10 {
            assert!(seen.remember(id));
        }
        assert_eq!((seen.ids.len(), seen.order.len()), (REMEMBERED, REMEMBERED));
        assert!(seen.has(10) && !seen.has(9));
    }
}
