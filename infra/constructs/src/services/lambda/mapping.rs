//! Event source mappings: a source, its settings, and the function that it calls.

use super::{
    function::{Function, FunctionRef},
    source::{Settings, Start},
};
use crate::{
    services::units::Seconds,
    tree::{Access, Arn, Attribute, Construct, Handle, Id, NodeRef, Properties, Ref, Resource, Stack, Types, Value},
};

const MOST_FILTERS: usize = 5;
/// What a queue gives in one go.
const QUEUE_BATCH: u32 = 10;

/// What `stack.trigger` adds.
#[derive(Debug)]
pub(super) struct Mapping {
    pub(super) function: FunctionRef,
    pub(super) settings: Settings,
}

impl Construct for Mapping {
    type Handle = MappingRef;

    fn build(self, stack: &mut Stack) -> MappingRef {
        self.check(stack);
        let function = self.function;
        stack.grant(function, self.settings.read.clone());
        if let Some(destination) = &self.settings.on_failure {
            stack.grant(function, destination.send());
        }
        let mapping = MappingRef { node: stack.resource(self) };
        // Lambda refuses a mapping whose function may not read its source.
        if let Some(policy) = stack.policy_of(function.role()) {
            stack.depends(mapping, policy);
        }
        mapping
    }
}

impl Mapping {
    fn check(&self, stack: &mut Stack) {
        let settings = &self.settings;
        let seconds = |time: Option<Seconds>| time.map(|Seconds(seconds)| seconds);
        let ranges = [
            ("a batch of", settings.batch, 1, 10_000, "records"),
            ("a window of", seconds(settings.window), 0, 300, "seconds"),
            ("a parallelization of", settings.parallelization, 1, 10, "batches"),
            ("retrying", settings.retries, 0, 10_000, "times"),
            ("a greatest age of", seconds(settings.max_age), 60, 604_800, "seconds"),
            ("a tumbling window of", seconds(settings.tumbling), 0, 900, "seconds"),
            ("a greatest concurrency of", settings.concurrency, 2, 1000, "calls"),
            ("at least", settings.pollers.map(|(least, _)| least), 2, 200, "pollers"),
            ("at most", settings.pollers.map(|(_, most)| most), 2, 2000, "pollers"),
        ];
        for (what, given, least, most, unit) in ranges {
            if let Some(given) = given
                && !(least..=most).contains(&given)
            {
                stack.problem(format!("{what} {given} {unit}; Lambda takes {least} to {most}"));
            }
        }
        self.check_filters(stack);
        if settings.start.is_none() {
            self.check_queue(stack);
        }
    }

    fn check_filters(&self, stack: &mut Stack) {
        let filters = &self.settings.filters;
        if filters.len() > MOST_FILTERS {
            stack.problem(format!("{} filters; Lambda takes up to 5 of a source", filters.len()));
        }
        for problem in filters.iter().filter_map(|filter| filter.as_ref().err()) {
            stack.problem(problem.clone());
        }
        if self.settings.key.is_some() && filters.is_empty() {
            stack.problem("there is a key for filters, and no filter");
        }
    }

    fn check_queue(&self, stack: &mut Stack) {
        let settings = &self.settings;
        let batch = settings.batch.unwrap_or(QUEUE_BATCH);
        let has_window = settings.window.is_some_and(|Seconds(window)| window > 0);
        if settings.is_fifo && (batch > QUEUE_BATCH || has_window) {
            stack.problem("a queue in order gives up to 10 messages at once; leave out the window and larger batches");
        } else if batch > QUEUE_BATCH && !has_window {
            stack.problem(format!(
                "a batch of {batch} messages needs a window of at least 1 second; up to 10 need none"
            ));
        }
        if settings.concurrency.is_some() && settings.pollers.is_some() {
            stack.problem("a greatest concurrency and pollers exclude each other; leave out one of them");
        }
        if let Some((least, most)) = settings.pollers
            && least > most
        {
            stack.problem(format!("at least {least} and at most {most} pollers; the least is more than the most"));
        }
        let timeout = stack.edit::<Function>(self.function.node()).map(|function| function.timeout_given());
        if let (Some(Seconds(hidden)), Some(Seconds(timeout))) = (settings.hidden_for, timeout)
            && hidden < timeout
        {
            stack.problem(format!(
                "the queue hides messages for {hidden} seconds, and the function may take {timeout}: they would be \
                 processed twice; hide them for at least {timeout}, better {} seconds",
                timeout.saturating_mul(6)
            ));
        }
    }
}

// ---------------------------------------------------------------------------------------------------

/// An event source mapping, from `stack.trigger`.
#[derive(Debug, Clone, Copy)]
pub struct MappingRef {
    node: NodeRef,
}

impl MappingRef {
    /// The mapping's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::GetAtt("EventSourceMappingArn")))
    }

    /// The mapping's id, a UUID: for stopping and starting it by hand.
    pub fn id(self) -> Ref<Id> {
        Ref::new(self.node, Attribute::id("uuid", Access::GetAtt("Id")))
    }
}

impl Handle for MappingRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Mapping {
    fn types(&self) -> Types {
        Types::new("lambda", "aws_lambda_event_source_mapping", "AWS::Lambda::EventSourceMapping")
    }

    fn cloudformation(&self) -> Properties {
        let settings = &self.settings;
        Properties::default()
            .set("FunctionName", self.function.arn())
            .set("EventSourceArn", &settings.arn)
            .set_some("StartingPosition", settings.start.map(Start::word))
            .set_some("StartingPositionTimestamp", settings.start.and_then(Start::seconds))
            .set_some("BatchSize", settings.batch)
            .set_some("MaximumBatchingWindowInSeconds", settings.window)
            .set_some("ParallelizationFactor", settings.parallelization)
            .set_some("MaximumRetryAttempts", settings.retries)
            .set_some("MaximumRecordAgeInSeconds", settings.max_age)
            .set_some("BisectBatchOnFunctionError", settings.bisects.then_some(true))
            .set_some("TumblingWindowInSeconds", settings.tumbling)
            .set_some("FunctionResponseTypes", self.response_types())
            .set_some("DestinationConfig", self.destination(["OnFailure", "Destination"]))
            .set_some("FilterCriteria", self.filters(["Filters", "Pattern"]))
            .set_some("KmsKeyArn", settings.key.map(|key| key.arn()))
            .set_some("ScalingConfig", self.scaling("MaximumConcurrency"))
            .set_some("ProvisionedPollerConfig", self.pollers(["MinimumPollers", "MaximumPollers"]))
            .set_some("MetricsConfig", self.metrics("Metrics"))
            .set_some("Enabled", (!settings.is_enabled).then_some(false))
    }

    fn terraform(&self) -> Properties {
        let settings = &self.settings;
        Properties::default()
            .set("function_name", self.function.arn())
            .set("event_source_arn", &settings.arn)
            .set_some("starting_position", settings.start.map(Start::word))
            .set_some("starting_position_timestamp", settings.start.and_then(Start::rfc3339))
            .set_some("batch_size", settings.batch)
            .set_some("maximum_batching_window_in_seconds", settings.window)
            .set_some("parallelization_factor", settings.parallelization)
            .set_some("maximum_retry_attempts", settings.retries)
            .set_some("maximum_record_age_in_seconds", settings.max_age)
            .set_some("bisect_batch_on_function_error", settings.bisects.then_some(true))
            .set_some("tumbling_window_in_seconds", settings.tumbling)
            .set_some("function_response_types", self.response_types())
            .set_some("destination_config", self.destination(["on_failure", "destination_arn"]))
            .set_some("filter_criteria", self.filters(["filter", "pattern"]))
            .set_some("kms_key_arn", settings.key.map(|key| key.arn()))
            .set_some("scaling_config", self.scaling("maximum_concurrency"))
            .set_some("provisioned_poller_config", self.pollers(["minimum_pollers", "maximum_pollers"]))
            .set_some("metrics_config", self.metrics("metrics"))
            .set_some("enabled", (!settings.is_enabled).then_some(false))
    }
}

impl Mapping {
    fn response_types(&self) -> Option<Value> {
        self.settings.reports_failures.then(|| ["ReportBatchItemFailures"].into())
    }

    fn destination(&self, [on_failure, arn]: [&'static str; 2]) -> Option<Properties> {
        let destination = self.settings.on_failure.as_ref()?;
        Some(Properties::default().set(on_failure, Properties::default().set(arn, destination.arn())))
    }

    fn filters(&self, [filters, pattern]: [&'static str; 2]) -> Option<Properties> {
        let finished = self.settings.filters.iter().flatten();
        let all: Vec<_> =
            finished.map(|filter| Properties::default().set(pattern, Value::json(filter.clone()))).collect();
        (!all.is_empty()).then(|| Properties::default().set(filters, all))
    }

    fn scaling(&self, concurrency: &'static str) -> Option<Properties> {
        self.settings.concurrency.map(|calls| Properties::default().set(concurrency, calls))
    }

    fn pollers(&self, [minimum, maximum]: [&'static str; 2]) -> Option<Properties> {
        let (least, most) = self.settings.pollers?;
        Some(Properties::default().set(minimum, least).set(maximum, most))
    }

    fn metrics(&self, metrics: &'static str) -> Option<Properties> {
        self.settings.is_counted.then(|| Properties::default().set(metrics, ["EventCount"]))
    }
}

impl Start {
    fn word(self) -> &'static str {
        match self {
            Self::TrimHorizon => "TRIM_HORIZON",
            Self::Latest => "LATEST",
            Self::At(_) => "AT_TIMESTAMP",
        }
    }

    /// CloudFormation takes seconds since 1970.
    fn seconds(self) -> Option<i64> {
        if let Self::At(seconds) = self { i64::try_from(seconds).ok() } else { None }
    }

    /// Terraform takes a date and time.
    fn rfc3339(self) -> Option<String> {
        if let Self::At(seconds) = self { Some(date_and_time(seconds)) } else { None }
    }
}

/// `1767225600` → `2026-01-01T00:00:00Z`.
fn date_and_time(seconds: u64) -> String {
    let (mut day, time) = (seconds / 86_400, seconds % 86_400);
    let is_leap = |year: u64| (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let mut year = 1970;
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 0;
    for days in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        month += 1;
        if day < days {
            break;
        }
        day -= days;
    }
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (1_767_225_600, "2026-01-01T00:00:00Z"),
        ] {
            assert_eq!(date_and_time(seconds), date);
        }
    }
}
