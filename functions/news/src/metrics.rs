//! The metrics that functions and ingester report, and that alarms and dashboard read.
//!
//! All are in [`NAMESPACE`] and carry [`PIPELINE`], so that two environments in one account stay
//! apart. CloudWatch treats every set of dimensions as a metric of its own: whoever asks for one
//! names exactly [`Metric::dimensions`].

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Newsloom";

/// Dimension: the name of the environment, as `newsloom.toml` gives it.
pub const PIPELINE: &str = "Pipeline";

/// Dimension: the item's language in lower case, `en`.
pub const LANGUAGE: &str = "Language";

/// Dimension: the feed's name, as `newsloom.toml` gives it.
pub const FEED: &str = "Feed";

/// A metric: what it is called, what it counts in, what it is told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name in CloudWatch.
    pub name: &'static str,
    /// Its unit in CloudWatch.
    pub unit: Unit,
    /// The names of its dimensions.
    pub dimensions: &'static [&'static str],
}

/// What a metric counts in, in CloudWatch's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// CloudWatch's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
        }
    }
}

/// Items stored with or without sentiment, by language.
pub const ITEMS: Metric = count("Items", &[PIPELINE, LANGUAGE]);

/// Items that were in the table before; nothing was paid for them.
pub const SKIPPED: Metric = count("Skipped", &[PIPELINE]);

/// Records set aside because they can never succeed. Anything above zero wants a look.
pub const QUARANTINED: Metric = count("Quarantined", &[PIPELINE]);

/// One request to a model, from sending to the whole answer, by language.
pub const MODEL_LATENCY: Metric =
    Metric { name: "ModelLatency", unit: Unit::Milliseconds, dimensions: &[PIPELINE, LANGUAGE] };

/// From the provider's publication to the broker's confirmation.
pub const AGE: Metric = Metric { name: "Age", unit: Unit::Milliseconds, dimensions: &[PIPELINE] };

/// The same, by language.
pub const AGE_BY_LANGUAGE: Metric = Metric { dimensions: &[PIPELINE, LANGUAGE], ..AGE };

/// Records that could not be done for now; the stream brings them again.
pub const RETRIED: Metric = count("Retried", &[PIPELINE]);

/// Messages that the broker confirmed.
pub const PUBLISHED: Metric = count("Published", &[PIPELINE]);

/// Messages that were nacked, returned or not confirmed in time; the stream brings them again.
pub const UNCONFIRMED: Metric = count("Unconfirmed", &[PIPELINE]);

/// One a minute from an ingester that runs. No data means that no ingester does.
pub const HEARTBEAT: Metric = count("Heartbeat", &[PIPELINE]);

/// How long a feed has been silent although it should not be.
pub const STALENESS: Metric = Metric { name: "Staleness", unit: Unit::Seconds, dimensions: &[PIPELINE, FEED] };

/// Items that a feed announced and never completed, or said were lost: data loss.
pub const GAPS: Metric = count("Gaps", &[PIPELINE, FEED]);

/// Connections of a feed that deliver.
pub const CONNECTED: Metric = count("Connected", &[PIPELINE, FEED]);

/// Whole items that a feed brought, repeats included.
pub const RECEIVED: Metric = count("Received", &[PIPELINE, FEED]);

/// Messages of a feed with an item or a part of one.
pub const FRAGMENTS: Metric = count("Fragments", &[PIPELINE, FEED]);

/// Items of a feed whose parts never all came.
pub const INCOMPLETE: Metric = count("Incomplete", &[PIPELINE, FEED]);

/// Items that a feed brought again, or that its other connection had brought.
pub const DUPLICATES: Metric = count("Duplicates", &[PIPELINE, FEED]);

/// Items that Kinesis took.
pub const ACCEPTED: Metric = count("Accepted", &[PIPELINE]);

/// From the provider's publication to Kinesis' acceptance; at most 100 items a minute are measured.
pub const ACCEPTED_AGE: Metric = Metric { name: "AcceptedAge", unit: Unit::Milliseconds, dimensions: &[PIPELINE] };

/// Items that the ingester had and could not keep: memory and disk were full.
pub const LOST: Metric = count("Lost", &[PIPELINE]);

/// Items waiting on the ingester's disk because Kinesis did not take them.
pub const SPOOLED: Metric = count("Spooled", &[PIPELINE]);

/// All of them, in the order of the pipeline.
pub const ALL: &[Metric] = &[
    HEARTBEAT,
    STALENESS,
    GAPS,
    CONNECTED,
    RECEIVED,
    FRAGMENTS,
    INCOMPLETE,
    DUPLICATES,
    ACCEPTED,
    ACCEPTED_AGE,
    LOST,
    SPOOLED,
    ITEMS,
    SKIPPED,
    QUARANTINED,
    RETRIED,
    MODEL_LATENCY,
    PUBLISHED,
    UNCONFIRMED,
    AGE,
    AGE_BY_LANGUAGE,
];

const fn count(name: &'static str, dimensions: &'static [&'static str]) -> Metric {
    Metric { name, unit: Unit::Count, dimensions }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn metrics_are_distinct_and_every_one_says_whose_it_is() {
        let names: BTreeSet<_> = ALL.iter().map(|metric| (metric.name, metric.dimensions)).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|metric| metric.dimensions[0] == PIPELINE));
    }
}
