//! Metrics in CloudWatch's Embedded Metric Format: lines of the log that CloudWatch turns into metrics.
//!
//! The format: CloudWatch User Guide, "Specification: Embedded metric format". A function prints, and calls nothing.

use jiff::Timestamp;
use news::metrics::{Metric, NAMESPACE, PIPELINE, Unit};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// How many values of one metric a line may hold.
const VALUES: usize = 100;

/// What an invocation counted and measured.
///
/// ```
/// use news::metrics::{ITEMS, SKIPPED};
/// let mut metrics = runtime::emf::Metrics::of("news");
/// metrics.add(ITEMS, &["en"], 2.0);
/// metrics.add(SKIPPED, &[], 0.0);
/// let mut log = Vec::new();
/// metrics.write(jiff::Timestamp::UNIX_EPOCH, &[("requestId", "4f2a")], &mut log)?;
/// assert_eq!(log.iter().filter(|byte| **byte == b'\n').count(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    pipeline: String,
    /// Dimensions, as names and values, to what was measured under them.
    measured: BTreeMap<Vec<(&'static str, String)>, BTreeMap<&'static str, Measured>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Measured {
    unit: Unit,
    values: Vec<f64>,
}

impl Metrics {
    /// Nothing yet, of that pipeline.
    pub fn of(pipeline: impl Into<String>) -> Self {
        Self { pipeline: pipeline.into(), measured: BTreeMap::new() }
    }

    /// Counts or measures. `dimensions` are the values of the metric's dimensions after the pipeline. Counts add up;
    /// times are kept one by one, so that CloudWatch can tell percentiles.
    ///
    /// # Panics
    ///
    /// In debug builds, if there are more or fewer values than the metric has dimensions.
    pub fn add(&mut self, metric: Metric, dimensions: &[&str], value: f64) {
        debug_assert_eq!(metric.dimensions.len(), dimensions.len() + 1, "{}", metric.name);
        let names = metric.dimensions.iter().copied().filter(|name| *name != PIPELINE);
        let dimensions = names.zip(dimensions.iter().map(ToString::to_string)).collect();
        let measured = self.measured.entry(dimensions).or_default().entry(metric.name);
        let measured = measured.or_insert(Measured { unit: metric.unit, values: Vec::new() });
        match (metric.unit, measured.values.first_mut()) {
            (Unit::Count, Some(sum)) => *sum += value,
            _ => measured.values.push(value),
        }
    }

    /// Writes a line for each set of dimensions; more where a metric has more than 100 values. `properties` go into
    /// every line, for whoever searches the log; they are no dimensions and cost nothing.
    pub fn write(&self, now: Timestamp, properties: &[(&str, &str)], out: &mut impl Write) -> io::Result<()> {
        for (dimensions, measured) in &self.measured {
            let most = measured.values().map(|measured| measured.values.len()).max().unwrap_or(0);
            for part in 0..most.div_ceil(VALUES) {
                let line = self.line(now, dimensions, measured, part, properties);
                serde_json::to_writer(&mut *out, &line)?;
                out.write_all(b"\n")?;
            }
        }
        out.flush()
    }

    fn line(
        &self,
        now: Timestamp,
        dimensions: &[(&'static str, String)],
        measured: &BTreeMap<&'static str, Measured>,
        part: usize,
        properties: &[(&str, &str)],
    ) -> Value {
        let mut line = Map::new();
        let mut metrics = Vec::new();
        for (name, measured) in measured {
            let Some(values) = measured.values.chunks(VALUES).nth(part) else { continue };
            metrics.push(json!({ "Name": name, "Unit": measured.unit.name() }));
            line.insert((*name).into(), numbers(values));
        }
        let names = std::iter::once(PIPELINE).chain(dimensions.iter().map(|(name, _)| *name));
        let directive =
            json!({ "Namespace": NAMESPACE, "Dimensions": [names.collect::<Vec<_>>()], "Metrics": metrics });
        line.insert("_aws".into(), json!({ "Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive] }));
        line.insert(PIPELINE.into(), self.pipeline.as_str().into());
        line.extend(dimensions.iter().map(|(name, value)| ((*name).into(), value.as_str().into())));
        line.extend(properties.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        line.into()
    }
}

/// A single value alone, several in a list; whole ones without a fraction.
fn numbers(values: &[f64]) -> Value {
    match values {
        [value] => number(*value),
        values => values.iter().copied().map(number).collect(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "only where nothing is cut off")]
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 { (value as i64).into() } else { value.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use news::metrics::{ITEMS, MODEL_LATENCY, QUARANTINED, SKIPPED};

    fn lines(metrics: &Metrics) -> Vec<Value> {
        let mut log = Vec::new();
        metrics
            .write(Timestamp::from_millisecond(1_767_322_000_123).unwrap(), &[("requestId", "r")], &mut log)
            .unwrap();
        String::from_utf8(log).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn each_set_of_dimensions_is_a_line_of_the_embedded_metric_format() {
        let mut metrics = Metrics::of("news");
        metrics.add(ITEMS, &["en"], 2.0);
        metrics.add(ITEMS, &["en"], 1.0);
        metrics.add(MODEL_LATENCY, &["en"], 20.5);
        metrics.add(MODEL_LATENCY, &["en"], 31.0);
        metrics.add(SKIPPED, &[], 4.0);
        metrics.add(QUARANTINED, &[], 0.0);
        assert_eq!(
            lines(&metrics),
            [
                json!({
                    "_aws": { "Timestamp": 1_767_322_000_123_i64, "CloudWatchMetrics": [{
                        "Namespace": "Newsloom",
                        "Dimensions": [["Pipeline"]],
                        "Metrics": [{ "Name": "Quarantined", "Unit": "Count" }, { "Name": "Skipped", "Unit": "Count" }],
                    }] },
                    "Pipeline": "news", "requestId": "r", "Quarantined": 0, "Skipped": 4,
                }),
                json!({
                    "_aws": { "Timestamp": 1_767_322_000_123_i64, "CloudWatchMetrics": [{
                        "Namespace": "Newsloom",
                        "Dimensions": [["Pipeline", "Language"]],
                        "Metrics": [{ "Name": "Items", "Unit": "Count" }, { "Name": "ModelLatency", "Unit": "Milliseconds" }],
                    }] },
                    "Pipeline": "news", "Language": "en", "requestId": "r", "Items": 3, "ModelLatency": [20.5, 31],
                }),
            ]
        );
    }

    #[test]
    fn more_values_than_a_line_may_hold_are_in_several() {
        let mut metrics = Metrics::of("news");
        for value in 0..250 {
            metrics.add(MODEL_LATENCY, &["en"], f64::from(value));
        }
        let lines = lines(&metrics);
        let held = |line: &Value| line["ModelLatency"].as_array().unwrap().len();
        assert_eq!(lines.iter().map(held).collect::<Vec<_>>(), [100, 100, 50]);
    }

    #[test]
    fn nothing_measured_is_nothing_written() {
        assert_eq!(lines(&Metrics::of("news")), Vec::<Value>::new());
    }
}
