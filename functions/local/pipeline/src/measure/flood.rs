//! As many items as it takes: how many a second come out, and who used the processors.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use jiff::Timestamp;
use news::EnrichedItem;
use serde::Serialize;

use super::{arrivals::Arrivals, number, processors::Snapshot};
use crate::Pipeline;

/// What a flood took.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Flood {
    pub(crate) items: usize,
    /// By the clock, from the feed's first item until the subscriber had the last.
    pub(crate) per_second: f64,
    /// How long the last item took to come so far, seconds: to the ingester, judged, published, here.
    pub(crate) last_s: [f64; LAST.len()],
    /// Time on processors for an item, by part, microseconds.
    pub(crate) processor_us: BTreeMap<String, f64>,
    /// Of all processors, percent.
    pub(crate) busy_percent: f64,
}

/// What `last_s` is of.
pub(crate) const LAST: [&str; 4] = ["received", "judged", "published", "delivered"];

impl Flood {
    /// Time on processors for an item, all parts together, microseconds.
    pub(crate) fn all_us(&self) -> f64 {
        self.processor_us.values().sum()
    }
}

/// Lets the feed go, which was paused, and waits for all of its items, which come back with it.
pub(super) async fn flood(
    pipeline: &Pipeline,
    arrivals: &Arrivals,
    items: usize,
) -> Result<(Flood, Vec<EnrichedItem>)> {
    arrivals.take();
    let before = Snapshot::take();
    let (started, began) = (Instant::now(), Timestamp::now());
    pipeline.feed().resume();
    arrivals.until(items).await?;
    let took = Snapshot::take().since(&before);
    let (came, whole) = arrivals.take();
    let came: Vec<_> = came.into_values().collect();
    let last = came.iter().map(|arrival| arrival.at).max().context("no item came")?;
    let elapsed = last.saturating_duration_since(started);
    let latest = |of: fn(&super::arrivals::Arrival) -> Timestamp| {
        let latest = came.iter().map(of).max().unwrap_or(began);
        latest.duration_since(began).as_secs_f64()
    };
    let used: Duration = took.values().sum();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let flood = Flood {
        items: came.len(),
        per_second: number(came.len()) / elapsed.as_secs_f64(),
        last_s: [
            latest(|arrival| arrival.received),
            latest(|arrival| arrival.enriched),
            latest(|arrival| arrival.sent),
            latest(|arrival| arrival.here),
        ],
        processor_us: took.into_iter().map(|(part, time)| (part, time.as_secs_f64() * 1e6 / number(items))).collect(),
        busy_percent: 100.0 * used.as_secs_f64() / elapsed.as_secs_f64() / number(processors),
    };
    Ok((flood, whole))
}
