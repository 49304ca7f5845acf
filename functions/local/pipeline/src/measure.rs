//! How fast the whole pipeline is on this machine, beside what its parts take alone.

mod alone;
mod arrivals;
mod broker;
mod flood;
mod pace;
mod processors;

use std::time::Duration;

use anyhow::{Result, ensure};
use news::EnrichedItem;
use serde::Serialize;
use simulator::Pace as FeedPace;

use crate::{
    Pipeline,
    pipeline::{Options, Scorer},
};
use alone::Machine;
use arrivals::Arrivals;

pub(crate) use alone::{Rate, Step};
pub(crate) use flood::{Flood, LAST};
pub(crate) use pace::{HOPS, Pace};

/// What is measured.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Items a second, one row each.
    pub(crate) rates: Vec<f64>,
    /// How long at each.
    pub(crate) duration: Duration,
    /// Items of the flood.
    pub(crate) items: usize,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// How many processes wanted a processor in the minute before the run.
    pub(crate) load: f64,
    pub(crate) processors: usize,
    pub(crate) model_latency_ms: f64,
    pub(crate) paces: Vec<Pace>,
    /// What an item's way takes at least, step by step.
    pub(crate) floor: Vec<Step>,
    pub(crate) flood: Flood,
    /// What each part does alone.
    pub(crate) rates: Vec<Rate>,
}

impl Report {
    /// The steps' sum, milliseconds.
    pub(crate) fn floor_ms(&self) -> f64 {
        self.floor.iter().map(|step| step.ms).sum()
    }

    /// Items a second, if nothing but processors were in the way.
    pub(crate) fn of_processors(&self) -> f64 {
        1e6 * number(self.processors) / self.flood.all_us()
    }

    /// The slowest part.
    pub(crate) fn slowest(&self) -> Option<&Rate> {
        self.rates.iter().min_by(|one, other| one.per_second.total_cmp(&other.per_second))
    }
}

/// How often a step of the floor is taken, of which the median counts.
const ROUNDS: usize = 200;

/// What connects and compiles is not what is measured: so long items come first that nobody looks at.
const WARM_UP: Duration = Duration::from_secs(2);
const WARM_UP_RATE: f64 = 50.0;

/// Starts a pipeline, measures it, and then its parts.
///
/// # Errors
///
/// When something doesn't start, or an item doesn't come.
pub(crate) async fn measure(options: Options, plan: &Plan, mut told: impl FnMut(&str)) -> Result<Report> {
    let Scorer::Lexicon { latency } = options.scorer else {
        anyhow::bail!("only the lexicon's latency is known beforehand");
    };
    let load = bench::usage::load();
    // Paused until the flood; what is measured before is sent by hand.
    let feed =
        simulator::Options { pace: FeedPace::Max, prebuilt: plan.items, keep_entries: false, ..options.feed.clone() };
    let options = Options { feed, ..options };
    let pipeline = Box::pin(Pipeline::start(options, |started| told(&started.to_string()))).await?;
    let arrivals = Arrivals::start(pipeline.deployment()).await?;
    pipeline.feed().until_subscribed(1).await?;
    let mut sender = pace::Sender::new(pipeline.feed());
    pace::pace(&mut sender, &arrivals, WARM_UP_RATE, WARM_UP).await?;
    let mut paces = Vec::new();
    for rate in &plan.rates {
        told(&format!("{rate} items a second for {} s", plan.duration.as_secs()));
        paces.push(pace::pace(&mut sender, &arrivals, *rate, plan.duration).await?);
    }
    told(&format!("a flood of {} items", plan.items));
    let (flooded, items) = flood::flood(&pipeline, &arrivals, plan.items).await?;
    told("the parts alone");
    let machine = Machine::of(&pipeline, latency).await?;
    let [enrich, publish] = alone::invocations(&pipeline, ROUNDS).await?;
    let (published, broker_rate) = broker::alone(pipeline.deployment(), &items, ROUNDS).await?;
    drop(arrivals);
    pipeline.stop().await?;
    // Only now: nobody polls any more.
    let (mut floor, mut rates) = machine.measure(&items, ROUNDS).await?;
    // In the order of an item's way: `enrich` is invoked before the model is asked, `publish` after the table's stream.
    ensure!(floor.len() == alone::STEPS, "a step is missing: {floor:?}");
    floor.insert(alone::BEFORE_ENRICH, enrich);
    floor.extend([publish, published]);
    rates.push(broker_rate);
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    Ok(Report { load, processors, model_latency_ms: ms(latency), paces, floor, flood: flooded, rates })
}

/// Items like these, one for each round, and other ones than all others.
fn others(items: &[EnrichedItem], rounds: usize) -> impl Iterator<Item = EnrichedItem> {
    items.iter().cycle().take(rounds).enumerate().map(|(round, item)| {
        let mut other = item.clone();
        other.item.id = format!("{}-{round}", item.item.id);
        other
    })
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// A number that is counted, as one to calculate with.
#[expect(clippy::cast_precision_loss, reason = "nothing here is counted to 2^53")]
fn number(count: usize) -> f64 {
    count as f64
}

/// The value that so many of a hundred don't exceed, of values in their order.
fn quantile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    quantile(&durations, 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let hundred: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        for (percent, expected) in [(50, 50), (99, 99), (100, 100)] {
            assert_eq!(quantile(&hundred, percent), Duration::from_millis(expected), "{percent}");
        }
        assert_eq!(quantile(&hundred[..1], 99), Duration::from_millis(1));
        assert_eq!(quantile(&[], 50), Duration::ZERO);
        assert_eq!(median([3, 1, 2].map(Duration::from_millis).into()), Duration::from_millis(2));
    }
}
