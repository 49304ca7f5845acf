//! One function, process after process: cold starts, then batches on the last of them.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use local::{
    function::{Builder, Function},
    runtime_api::Outcome,
};
use serde::{Deserialize, Serialize};

use bench::usage;

use crate::count;

/// How much is measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Plan {
    /// Records in a batch.
    pub(crate) records: usize,
    /// Batches that a warm function gets.
    pub(crate) batches: usize,
    /// Cold starts, each of a process of its own with a batch of its own.
    pub(crate) colds: usize,
}

/// What a function took in one scenario. Milliseconds by the clock, but for `processor_ms`.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Measured {
    /// From the process's start until it asks for an event. Median.
    pub(crate) init_ms: f64,
    /// That, and the first batch until its answer. Median.
    pub(crate) cold_ms: f64,
    /// A batch, from being handed out until the answer was there. Median.
    pub(crate) warm_ms: f64,
    /// The longest of them.
    pub(crate) warm_max_ms: f64,
    /// Records over the time of all warm batches.
    pub(crate) records_per_s: f64,
    /// Time on processors for a warm batch, all threads, user and system. Mean.
    pub(crate) processor_ms: f64,
    /// The most memory it had at once.
    pub(crate) peak_mb: f64,
}

impl Plan {
    /// How many batches a function gets in all.
    pub(crate) fn all_batches(self) -> usize {
        self.colds + self.batches
    }

    /// How many records that is.
    pub(crate) fn all_records(self) -> usize {
        self.records * self.all_batches()
    }
}

/// Measures a function. `event` makes a batch of records by their numbers; every batch has others, from 0 on.
pub(crate) async fn measure(
    program: &Builder,
    plan: Plan,
    event: impl Fn(std::ops::Range<usize>) -> Vec<u8>,
) -> Result<Measured> {
    let batch = |index: usize| event(index * plan.records..(index + 1) * plan.records);
    let (mut init, mut cold) = (Vec::new(), Vec::new());
    let mut last = None;
    for index in 0..plan.colds {
        // The process before must be gone: it would be counted among those that use the machine.
        drop(last.take());
        let first = batch(index);
        let function = program.clone().start().await?;
        let until_ready = function.ready().await?;
        let took = invoke(&function, first).await?;
        init.push(ms(until_ready));
        cold.push(ms(until_ready + took));
        last = Some(function);
    }
    let function = last.context("a function starts at least once")?;
    let mut warm = Vec::new();
    let before = usage::processor_time(function.pid())?;
    for index in plan.colds..plan.all_batches() {
        warm.push(ms(invoke(&function, batch(index)).await?));
    }
    let processor = usage::processor_time(function.pid())?.saturating_sub(before);
    let warm_ms: f64 = warm.iter().sum();
    Ok(Measured {
        init_ms: median(init),
        cold_ms: median(cold),
        warm_max_ms: warm.iter().copied().fold(0.0, f64::max),
        records_per_s: count(plan.records * plan.batches) / (warm_ms / 1000.0),
        warm_ms: median(warm),
        processor_ms: ms(processor) / count(plan.batches),
        peak_mb: usage::peak_mb(function.pid())?,
    })
}

/// How long a batch took; an error where any of it failed.
async fn invoke(function: &Function, event: Vec<u8>) -> Result<Duration> {
    let invocation = function.invoke_bytes(event).await;
    let Outcome::Response(body) = invocation.outcome else {
        let lines = function.lines();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        bail!("the function failed: {:?}; its last lines:\n{last}", invocation.outcome);
    };
    let answer: Answer = serde_json::from_slice(&body).context("the function's answer is no batch response")?;
    let failed = answer.failures.len();
    ensure!(failed == 0, "{failed} records were reported as failed; its lines:\n{}", function.lines().join("\n"));
    Ok(invocation.took)
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "batchItemFailures", default)]
    failures: Vec<serde::de::IgnoredAny>,
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// 0 where nothing was measured; the mean of the two in the middle of an even number.
fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    match all.len() {
        0 => 0.0,
        length if length % 2 == 1 => all[length / 2],
        length => f64::midpoint(all[length / 2 - 1], all[length / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_in_the_middle() {
        for (all, middle) in [(vec![], 0.0), (vec![3.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0, 3.0, 2.0], 2.5)] {
            assert!((median(all.clone()) - middle).abs() < f64::EPSILON, "{all:?}");
        }
    }
}
