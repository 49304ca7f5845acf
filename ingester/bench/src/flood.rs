//! As many updates as it takes: what a processor's core does in a second.

use crate::{
    kinesis::Kinesis,
    subject::{Programs, Who},
};
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use simulator::{Options, Pace, Simulator};
use std::time::{Duration, Instant};

/// How long a flood may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// What a flood took.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Flood {
    pub(crate) who: Who,
    pub(crate) updates: usize,
    /// Over the time by the clock, feed and Kinesis on the same processors.
    pub(crate) per_second: f64,
    /// Over the process's own time on processors, user and system.
    pub(crate) per_core_second: f64,
    /// That time for one, µs.
    pub(crate) processor_us: f64,
    /// Records in a request, mean.
    pub(crate) records_per_request: f64,
    /// Memory after a quarter of it, and at its end, MB.
    pub(crate) memory_mb: [f64; 2],
    pub(crate) peak_mb: f64,
}

/// Floods a process with that many distinct items.
pub(crate) async fn flood(programs: &Programs, kinesis: &Kinesis, who: Who, items: usize) -> Result<Flood> {
    let options = Options { prebuilt: items, pace: Pace::Max, keep_entries: false, ..Options::default() };
    let feed = Simulator::start(options).await?;
    kinesis.begin(false);
    let server = feed.websocket_urls().into_iter().next().context("the simulator has no endpoint")?;
    let subject = programs.start(who, &server, &kinesis.url())?;
    // Interpreters and libraries that start are not what is measured.
    feed.until_subscribed(1).await?;
    let before = subject.processor_time()?;
    wait(|| kinesis.records() >= items / 4).await?;
    let early = subject.memory_mb()?;
    wait(|| kinesis.records() >= items).await?;
    let processor = subject.processor_time()?.saturating_sub(before);
    let came = kinesis.came();
    ensure!(came.records == items, "{items} items were sent, {} came", came.records);
    let took = came.first.zip(came.last).map_or(Duration::ZERO, |(first, last)| last - first);
    let updates = usize::try_from(feed.journal().counts.updates)?;
    Ok(Flood {
        who,
        updates,
        per_second: number(items) / took.as_secs_f64(),
        per_core_second: number(updates) / processor.as_secs_f64(),
        processor_us: processor.as_secs_f64() * 1e6 / number(updates),
        records_per_request: number(came.records) / number(came.requests.max(1)),
        memory_mb: [early, subject.memory_mb()?],
        peak_mb: subject.peak_mb()?,
    })
}

async fn wait(mut is_so: impl FnMut() -> bool) -> Result<()> {
    let started = Instant::now();
    while !is_so() {
        ensure!(started.elapsed() < PATIENCE, "nothing came for {} s", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "nothing here is counted to 2^53")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}
