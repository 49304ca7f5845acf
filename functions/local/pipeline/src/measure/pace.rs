//! Items one after the other: how much later each is at the subscriber, and where the time goes.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;
use simulator::{Generator, Simulator};

use super::{
    arrivals::{Arrival, Arrivals},
    ms, number, quantile,
};

/// How late items were.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Pace {
    pub(crate) per_second: f64,
    pub(crate) items: usize,
    /// From the moment the feed was given the item until the subscriber had read it, milliseconds.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    pub(crate) mean_ms: f64,
    /// The mean's parts, one for each of [`HOPS`].
    pub(crate) hops_ms: [f64; HOPS.len()],
}

/// From where to where.
pub(crate) const HOPS: [&str; 4] = [
    "feed → the ingester has it",
    "→ Kinesis, polled, invoked, judged",
    "→ stored, polled, invoked",
    "→ published, at the subscriber",
];

/// Invents items and gives them to a feed.
pub(super) struct Sender<'a> {
    feed: &'a Simulator,
    generator: Generator,
}

/// When the feed was given an item.
struct Sent {
    at: Instant,
    time: Timestamp,
}

/// Other items than the feed's own.
const SEED: u64 = 7_000_007;

impl<'a> Sender<'a> {
    pub(super) fn new(feed: &'a Simulator) -> Self {
        Self { feed, generator: Generator::new(SEED) }
    }

    /// Sends distinct items evenly, each when its time has come.
    async fn send(&mut self, per_second: f64, duration: Duration) -> HashMap<String, Sent> {
        let mut sent = HashMap::new();
        let mut clock = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second));
        let started = Instant::now();
        while started.elapsed() < duration {
            clock.tick().await;
            let story = loop {
                let invented = self.generator.next(Timestamp::now());
                if !invented.repeat {
                    break invented.story;
                }
            };
            sent.insert(story.id.clone(), Sent { at: Instant::now(), time: Timestamp::now() });
            self.feed.send([story]).await;
        }
        sent
    }
}

/// Sends items at that rate for that time, and waits for all of them.
pub(super) async fn pace(
    sender: &mut Sender<'_>,
    arrivals: &Arrivals,
    per_second: f64,
    duration: Duration,
) -> Result<Pace> {
    arrivals.take();
    let sent = sender.send(per_second, duration).await;
    arrivals.until(sent.len()).await?;
    let (came, _) = arrivals.take();
    let arrival = |id: &String| came.get(id).with_context(|| format!("{id} never came"));
    let pairs = sent.iter().map(|(id, sent)| Ok((sent, arrival(id)?))).collect::<Result<Vec<_>>>()?;
    let mut late: Vec<_> = pairs.iter().map(|(sent, arrival)| arrival.at.saturating_duration_since(sent.at)).collect();
    late.sort_unstable();
    Ok(Pace {
        per_second,
        items: late.len(),
        p50_ms: ms(quantile(&late, 50)),
        p99_ms: ms(quantile(&late, 99)),
        max_ms: ms(quantile(&late, 100)),
        mean_ms: late.iter().copied().map(ms).sum::<f64>() / number(late.len()),
        hops_ms: hops(&pairs),
    })
}

/// Means, because only they add up; and because times of whole milliseconds, cut off, are half a millisecond early on
/// average, all alike.
fn hops(pairs: &[(&Sent, &Arrival)]) -> [f64; HOPS.len()] {
    let mut sums = [0.0; HOPS.len()];
    for (sent, arrival) in pairs {
        let Arrival { received, enriched, sent: published, here, .. } = arrival;
        let times = [sent.time, *received, *enriched, *published, *here];
        for (sum, pair) in sums.iter_mut().zip(times.windows(2)) {
            *sum += pair[1].duration_since(pair[0]).as_secs_f64() * 1e3;
        }
    }
    sums.map(|sum| sum / number(pairs.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_between_an_items_times_and_add_up() {
        let time = |ms| Timestamp::from_millisecond(ms).unwrap();
        let now = Instant::now();
        let sent = Sent { at: now, time: time(0) };
        let arrival =
            |last| Arrival { received: time(1), enriched: time(33), sent: time(50), here: time(last), at: now };
        let (one, other) = (arrival(51), arrival(53));
        let whole = hops(&[(&sent, &one), (&sent, &other)]).map(|ms| format!("{ms:.1}"));
        assert_eq!(whole, ["1.0", "32.0", "17.0", "2.0"]);
    }
}
