//! Items one after the other: how much later each is at Kinesis.

use crate::{
    flood::number,
    kinesis::Kinesis,
    subject::{Programs, Who},
};
use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde::Serialize;
use simulator::{Generator, Options, Simulator};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How long the last item may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How late items were.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Pace {
    pub(crate) who: Who,
    pub(crate) per_second: f64,
    pub(crate) items: usize,
    /// From the moment the feed was given the item until Kinesis had its request, milliseconds.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// Of a core, percent.
    pub(crate) processor_percent: f64,
    pub(crate) memory_mb: f64,
}

/// Sends items at that rate for that time.
pub(crate) async fn pace(
    programs: &Programs,
    kinesis: &Kinesis,
    who: Who,
    per_second: f64,
    seconds: f64,
) -> Result<Pace> {
    let feed = Simulator::start(Options { keep_entries: false, ..Options::manual() }).await?;
    kinesis.begin(true);
    let server = feed.websocket_urls().into_iter().next().context("the simulator has no endpoint")?;
    let subject = programs.start(who, &server, &kinesis.url())?;
    feed.until_subscribed(1).await?;
    let mut generator = Generator::new(7);
    // What connects, compiles and warms up is not what is measured.
    let warm_up = send(&feed, &mut generator, per_second, 2.0).await;
    arrive(kinesis, &warm_up).await?;
    kinesis.begin(true);
    let before = subject.processor_time()?;
    let started = Instant::now();
    let sent = send(&feed, &mut generator, per_second, seconds).await;
    arrive(kinesis, &sent).await?;
    let processor = subject.processor_time()?.saturating_sub(before);
    let mut late = lateness(&sent, &kinesis.came().arrivals)?;
    late.sort_unstable();
    Ok(Pace {
        who,
        per_second,
        items: late.len(),
        p50_ms: quantile(&late, 50),
        p99_ms: quantile(&late, 99),
        max_ms: quantile(&late, 100),
        processor_percent: 100.0 * processor.as_secs_f64() / started.elapsed().as_secs_f64(),
        memory_mb: subject.memory_mb()?,
    })
}

/// Sends distinct items evenly, each when its time has come; when each was sent.
async fn send(feed: &Simulator, generator: &mut Generator, per_second: f64, seconds: f64) -> HashMap<String, Instant> {
    let mut sent = HashMap::new();
    let mut clock = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second).max(Duration::from_millis(1)));
    let started = Instant::now();
    while started.elapsed().as_secs_f64() < seconds {
        clock.tick().await;
        let due = started.elapsed().as_secs_f64() * per_second;
        while number(sent.len()) < due {
            let invented = generator.next(Timestamp::now());
            if invented.repeat {
                continue;
            }
            sent.insert(invented.story.id.clone(), Instant::now());
            feed.send([invented.story]).await;
        }
    }
    sent
}

async fn arrive(kinesis: &Kinesis, sent: &HashMap<String, Instant>) -> Result<()> {
    let started = Instant::now();
    loop {
        let missing = kinesis.missing(sent.keys());
        if missing == 0 {
            return Ok(());
        }
        ensure!(started.elapsed() < PATIENCE, "{} items were sent, {missing} never came", sent.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn lateness(sent: &HashMap<String, Instant>, arrivals: &HashMap<String, Instant>) -> Result<Vec<Duration>> {
    let late = sent.iter().map(|(id, sent)| {
        let arrived = arrivals.get(id).with_context(|| format!("{id} never came"))?;
        Ok(arrived.saturating_duration_since(*sent))
    });
    late.collect()
}

fn quantile(sorted: &[Duration], percent: usize) -> f64 {
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).map_or(0.0, |late| late.as_secs_f64() * 1e3)
}
