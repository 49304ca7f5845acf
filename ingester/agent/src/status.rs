//! How the feeds and the sink are: counted here, read by health, metrics and heartbeat.

use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// From publication to acceptance, in seconds: LSEG delivers some items 11 ms after their publication and repeats others an
/// hour later.
const AGES: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0, 3600.0];

/// From reception to acceptance, in seconds.
const LATENCIES: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0, 60.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    feed: String,
}

/// One feed.
#[derive(Debug)]
pub struct FeedStatus {
    /// As the configuration names it.
    pub name: String,
    /// Connections that deliver now; for a feed that polls, 1 after a poll that worked.
    pub connected: Gauge,
    /// Connections that were lost.
    pub disconnects: Counter,
    /// Messages with a part of an item, or a whole one.
    pub fragments: Counter,
    /// Items whose parts never all came.
    pub incomplete: Counter,
    /// Items, or stretches of time, that the feed itself says were lost, and items that never became whole.
    pub gaps: Counter,
    /// Messages that are no item: not decodable, of an unknown form.
    pub refused: Counter,
    /// Whole items.
    pub items: Counter,
    /// Items that had come before: by the other connection, or again.
    pub duplicates: Counter,
    /// Items that the filter didn't want.
    pub filtered: Counter,
    /// Items for which there was no room, in memory or on disk.
    pub lost: Counter,
    /// 1 while the server says that what it sends may be stale.
    pub suspect: Gauge,
    /// When the server was last heard of, in milliseconds after `started`, plus one; 0 is never.
    heard: AtomicU64,
    /// Why it doesn't deliver.
    trouble: Mutex<Option<String>>,
    ended: AtomicBool,
    started: Instant,
}

impl FeedStatus {
    /// Anything came from the server: an item, an answer, a ping.
    pub fn heard(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.heard.store(now + 1, Ordering::Relaxed);
    }

    /// How long the server has been silent; since the start, if it never spoke.
    pub fn silence(&self) -> Duration {
        let heard = self.heard.load(Ordering::Relaxed);
        self.started.elapsed().saturating_sub(Duration::from_millis(heard.saturating_sub(1)))
    }

    /// It has no more: a replay came to its end.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether it has no more.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Says why it doesn't deliver, without any secret; `None` when it does.
    pub fn trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Why it doesn't deliver.
    pub fn current_trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The sink.
#[derive(Debug)]
pub struct SinkStatus {
    /// Records accepted.
    pub accepted: Counter,
    /// Bytes accepted.
    pub bytes: Counter,
    /// Requests.
    pub requests: Counter,
    /// Records that were sent again.
    pub resent: Counter,
    /// Records on disk that Kinesis hasn't taken yet.
    pub spooled: Gauge,
    /// What they take, bytes.
    pub spooled_bytes: Gauge,
    /// Records that nobody took and that found no room on disk.
    pub lost: Counter,
    /// Records that Kinesis refuses whatever is tried. They are kept on disk.
    pub refused: Counter,
    /// Seconds from publication to acceptance.
    pub age: Histogram,
    /// Seconds from reception to acceptance.
    pub latency: Histogram,
    /// Some of the ages since somebody last asked.
    ages: Mutex<Sample>,
    trouble: Mutex<Option<String>>,
}

/// At most 100 of the values, each as likely to be among them: what fits a line of CloudWatch's format.
#[derive(Debug, Default)]
struct Sample {
    values: Vec<f64>,
    seen: usize,
}

impl Sample {
    const MOST: usize = 100;

    fn add(&mut self, value: f64) {
        self.seen += 1;
        if self.values.len() < Self::MOST {
            self.values.push(value);
        } else if let Some(place) = self.values.get_mut(fastrand::usize(..self.seen)) {
            *place = value;
        }
    }
}

impl SinkStatus {
    /// A record is where it should be.
    pub fn accept(&self, bytes: usize, published: Timestamp, received: Instant) {
        self.accepted.inc();
        self.bytes.inc_by(bytes as u64);
        let age = Timestamp::now().duration_since(published).as_secs_f64().max(0.0);
        self.age.observe(age);
        self.ages.lock().unwrap_or_else(PoisonError::into_inner).add(age);
        self.latency.observe(received.elapsed().as_secs_f64());
    }

    /// Seconds from publication to acceptance since the last call, at most 100 of them.
    pub fn take_ages(&self) -> Vec<f64> {
        std::mem::take(&mut *self.ages.lock().unwrap_or_else(PoisonError::into_inner)).values
    }

    /// Says what is wrong with it; `None` when nothing is.
    pub fn trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// What is wrong with it.
    pub fn current_trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// All of it.
pub struct Status {
    registry: Registry,
    families: Families,
    feeds: Vec<Arc<FeedStatus>>,
    sink: Arc<SinkStatus>,
    started: Instant,
}

#[derive(Default)]
struct Families {
    connected: Family<Labels, Gauge>,
    suspect: Family<Labels, Gauge>,
    disconnects: Family<Labels, Counter>,
    fragments: Family<Labels, Counter>,
    incomplete: Family<Labels, Counter>,
    gaps: Family<Labels, Counter>,
    refused: Family<Labels, Counter>,
    items: Family<Labels, Counter>,
    duplicates: Family<Labels, Counter>,
    filtered: Family<Labels, Counter>,
    lost: Family<Labels, Counter>,
    silence: Family<Labels, Gauge<f64, AtomicU64>>,
}

impl Default for Status {
    fn default() -> Self {
        Self::new()
    }
}

impl Status {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("newsloom_ingester");
        let families = Families::registered(&mut registry);
        let sink = SinkStatus::registered(&mut registry);
        Self { registry, families, feeds: Vec::new(), sink: Arc::new(sink), started: Instant::now() }
    }

    /// A feed of that name. Every name has its own.
    pub fn feed(&mut self, name: &str) -> Arc<FeedStatus> {
        let feed = Arc::new(self.families.feed(name, self.started));
        self.feeds.push(Arc::clone(&feed));
        feed
    }

    /// All feeds, as configured.
    pub fn feeds(&self) -> &[Arc<FeedStatus>] {
        &self.feeds
    }

    /// The sink.
    pub fn sink(&self) -> Arc<SinkStatus> {
        Arc::clone(&self.sink)
    }

    /// Everything in OpenMetrics' text form, which Prometheus reads.
    pub fn metrics(&self) -> String {
        for feed in &self.feeds {
            let labels = Labels { feed: feed.name.clone() };
            self.families.silence.get_or_create(&labels).set(feed.silence().as_secs_f64());
        }
        let mut text = String::new();
        // Writing to a String never fails.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Status").field("feeds", &self.feeds).field("sink", &self.sink).finish_non_exhaustive()
    }
}

impl Families {
    fn registered(registry: &mut Registry) -> Self {
        let families = Self::default();
        registry.register("connected", "Connections that deliver", families.connected.clone());
        registry.register("suspect", "1 while the server calls its data stale", families.suspect.clone());
        registry.register("disconnects", "Connections lost", families.disconnects.clone());
        registry.register("fragments", "Messages with an item or a part of one", families.fragments.clone());
        registry.register("incomplete", "Items whose parts never all came", families.incomplete.clone());
        registry.register(
            "gaps",
            "Losses that the feed reports, and items that never became whole",
            families.gaps.clone(),
        );
        registry.register("refused", "Messages that are no item", families.refused.clone());
        registry.register("items", "Whole items", families.items.clone());
        registry.register("duplicates", "Items that had come before", families.duplicates.clone());
        registry.register("filtered", "Items that the filter didn't want", families.filtered.clone());
        registry.register("feed_lost", "Items for which there was no room", families.lost.clone());
        registry.register("silence_seconds", "How long the server has been silent", families.silence.clone());
        families
    }

    fn feed(&self, name: &str, started: Instant) -> FeedStatus {
        let labels = Labels { feed: name.into() };
        FeedStatus {
            name: name.into(),
            connected: self.connected.get_or_create_owned(&labels),
            disconnects: self.disconnects.get_or_create_owned(&labels),
            fragments: self.fragments.get_or_create_owned(&labels),
            incomplete: self.incomplete.get_or_create_owned(&labels),
            gaps: self.gaps.get_or_create_owned(&labels),
            refused: self.refused.get_or_create_owned(&labels),
            items: self.items.get_or_create_owned(&labels),
            duplicates: self.duplicates.get_or_create_owned(&labels),
            filtered: self.filtered.get_or_create_owned(&labels),
            lost: self.lost.get_or_create_owned(&labels),
            suspect: self.suspect.get_or_create_owned(&labels),
            heard: AtomicU64::new(0),
            trouble: Mutex::default(),
            ended: AtomicBool::new(false),
            started,
        }
    }
}

impl SinkStatus {
    fn registered(registry: &mut Registry) -> Self {
        let sink = Self {
            accepted: Counter::default(),
            bytes: Counter::default(),
            requests: Counter::default(),
            resent: Counter::default(),
            spooled: Gauge::default(),
            spooled_bytes: Gauge::default(),
            lost: Counter::default(),
            refused: Counter::default(),
            age: Histogram::new(AGES),
            latency: Histogram::new(LATENCIES),
            ages: Mutex::default(),
            trouble: Mutex::default(),
        };
        registry.register("accepted", "Records that the sink has", sink.accepted.clone());
        registry.register("accepted_bytes", "Bytes that the sink has", sink.bytes.clone());
        registry.register("requests", "Requests to the sink", sink.requests.clone());
        registry.register("resent", "Records sent again", sink.resent.clone());
        registry.register("spooled", "Records on disk", sink.spooled.clone());
        registry.register("spooled_bytes", "Bytes on disk", sink.spooled_bytes.clone());
        registry.register("lost", "Records for which there was no room on disk", sink.lost.clone());
        registry.register("sink_refused", "Records that the sink refuses for good", sink.refused.clone());
        registry.register("age_seconds", "From publication to acceptance", sink.age.clone());
        registry.register("latency_seconds", "From reception to acceptance", sink.latency.clone());
        sink
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn metrics_name_every_feed_and_what_it_counted() {
        let mut status = Status::new();
        let feed = status.feed("lseg");
        feed.items.inc_by(3);
        feed.heard();
        tokio::time::advance(Duration::from_secs(40)).await;
        let text = status.metrics();
        assert!(text.contains("newsloom_ingester_items_total{feed=\"lseg\"} 3\n"), "{text}");
        assert!(text.contains("newsloom_ingester_silence_seconds{feed=\"lseg\"} 40.0\n"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn sample_holds_a_hundred_of_whatever_came() {
        let sink = Status::new().sink();
        for _ in 0..1000 {
            sink.accept(1, Timestamp::UNIX_EPOCH, Instant::now());
        }
        assert_eq!((sink.take_ages().len(), sink.take_ages().len()), (100, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn server_that_never_spoke_is_silent_since_the_start() {
        let mut status = Status::new();
        let feed = status.feed("lseg");
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(feed.silence(), Duration::from_secs(5));
    }
}
