//! What CloudWatch is told each minute: the heartbeat, and how feeds and sink are.

use crate::status::{FeedStatus, SinkStatus, Status};
use news::metrics::{
    ACCEPTED, ACCEPTED_AGE, CONNECTED, DUPLICATES, FRAGMENTS, GAPS, HEARTBEAT, INCOMPLETE, LOST, RECEIVED, SPOOLED,
    STALENESS,
};
use runtime::emf::Metrics;
use std::{sync::Arc, time::Duration};

/// How often.
pub const PERIOD: Duration = Duration::from_mins(1);

/// Makes reports: counts are of the time since the last.
#[derive(Debug)]
pub struct Reporter {
    pipeline: String,
    status: Arc<Status>,
    feeds: Vec<FeedCounts>,
    sink: SinkCounts,
}

#[derive(Debug, Clone, Copy, Default)]
struct FeedCounts {
    items: u64,
    fragments: u64,
    incomplete: u64,
    gaps: u64,
    duplicates: u64,
    lost: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct SinkCounts {
    accepted: u64,
    /// Those that found no room, and those that the stream will never take.
    lost: u64,
}

impl Reporter {
    /// Of everything from now on.
    pub fn new(pipeline: impl Into<String>, status: Arc<Status>) -> Self {
        let feeds = status.feeds().iter().map(|feed| FeedCounts::of(feed)).collect();
        let sink = SinkCounts::of(&status.sink());
        Self { pipeline: pipeline.into(), status, feeds, sink }
    }

    /// What happened since the last, and that it lives.
    pub fn report(&mut self) -> Metrics {
        let mut metrics = self.last_report();
        metrics.add(HEARTBEAT, &[], 1.0);
        metrics
    }

    /// What happened since the last.
    pub fn last_report(&mut self) -> Metrics {
        let mut metrics = Metrics::of(self.pipeline.as_str());
        let mut lost = 0;
        for (feed, before) in self.status.feeds().iter().zip(&mut self.feeds) {
            let now = FeedCounts::of(feed);
            lost += now.lost - before.lost;
            tell(feed, now, *before, &mut metrics);
            *before = now;
        }
        let sink = self.status.sink();
        let now = SinkCounts::of(&sink);
        metrics.add(SPOOLED, &[], number(u64::try_from(sink.spooled.get()).unwrap_or(0)));
        metrics.add(ACCEPTED, &[], number(now.accepted - self.sink.accepted));
        metrics.add(LOST, &[], number(lost + now.lost - self.sink.lost));
        for age in sink.take_ages() {
            metrics.add(ACCEPTED_AGE, &[], (age * 1e3).round());
        }
        self.sink = now;
        metrics
    }
}

fn tell(feed: &FeedStatus, now: FeedCounts, before: FeedCounts, metrics: &mut Metrics) {
    let name = [feed.name.as_str()];
    if !feed.has_ended() {
        metrics.add(STALENESS, &name, feed.silence().as_secs_f64().round());
    }
    metrics.add(CONNECTED, &name, number(u64::try_from(feed.connected.get()).unwrap_or(0)));
    metrics.add(RECEIVED, &name, number(now.items - before.items));
    metrics.add(FRAGMENTS, &name, number(now.fragments - before.fragments));
    metrics.add(INCOMPLETE, &name, number(now.incomplete - before.incomplete));
    metrics.add(GAPS, &name, number(now.gaps - before.gaps));
    metrics.add(DUPLICATES, &name, number(now.duplicates - before.duplicates));
}

impl FeedCounts {
    fn of(feed: &FeedStatus) -> Self {
        Self {
            items: feed.items.get(),
            fragments: feed.fragments.get(),
            incomplete: feed.incomplete.get(),
            gaps: feed.gaps.get(),
            duplicates: feed.duplicates.get(),
            lost: feed.lost.get(),
        }
    }
}

impl SinkCounts {
    fn of(sink: &SinkStatus) -> Self {
        Self { accepted: sink.accepted.get(), lost: sink.lost.get() + sink.refused.get() }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a minute")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn lines(reporter: &mut Reporter) -> String {
        let mut log = Vec::new();
        reporter.report().write(Timestamp::UNIX_EPOCH, &[], &mut log).unwrap();
        String::from_utf8(log).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn each_minute_says_that_it_lives_and_what_happened_in_it() {
        let mut status = Status::new();
        let (feed, sink) = (status.feed("lseg"), status.sink());
        let mut reporter = Reporter::new("news", Arc::new(status));
        feed.items.inc_by(5);
        feed.lost.inc();
        feed.connected.set(2);
        sink.spooled.set(7);
        tokio::time::advance(Duration::from_secs(90)).await;
        let first = lines(&mut reporter);
        for expected in [
            r#""Heartbeat":1"#,
            r#""Received":5"#,
            r#""Staleness":90"#,
            r#""Connected":2"#,
            r#""Spooled":7"#,
            r#""Lost":1"#,
            r#""Feed":"lseg""#,
        ] {
            assert!(first.contains(expected), "{expected} in {first}");
        }
        let second = lines(&mut reporter);
        assert!(second.contains(r#""Received":0"#) && second.contains(r#""Lost":0"#), "{second}");
    }

    #[tokio::test(start_paused = true)]
    async fn feed_that_came_to_its_end_is_not_stale() {
        let mut status = Status::new();
        status.feed("replay").end();
        let mut reporter = Reporter::new("news", Arc::new(status));
        assert!(!lines(&mut reporter).contains("Staleness"));
    }
}
