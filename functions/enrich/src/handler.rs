//! Lambda's coat: a Kinesis event in, how far it came out.

use crate::{
    Enrich, Record, Report,
    articles::Articles,
    enricher::Enricher,
    quarantine::{Origin, Quarantine},
};
use aws_lambda_events::streams::KinesisEventResponse;
use jiff::Timestamp;
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use news::{
    Sentiment,
    metrics::{ITEMS, MODEL_LATENCY, QUARANTINED, RETRIED, SKIPPED},
};
use runtime::{
    Budget,
    emf::Metrics,
    events::{Batch, kinesis_response},
};
use std::{
    io::{Write, stdout},
    time::Duration,
};
use tokio::time::Instant;

/// Answers Lambda's events.
#[derive(Debug)]
pub struct Handler<E, A, Q> {
    /// What a batch goes through.
    pub enrich: Enrich<E, A, Q>,
    /// The environment's name, for the metrics.
    pub pipeline: String,
}

/// What is kept of an invocation's time for its answer. A function that was stopped has answered nothing, and all of its
/// batch comes again.
const ANSWERING: Duration = Duration::from_millis(500);

/// The earliest record that has to come again has no sequence number to ask for it by. So the invocation fails, and the
/// whole batch comes again: what was done is skipped then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record without a sequence number has to come again, and with it the whole batch")]
pub struct NoSequenceNumber;

impl From<NoSequenceNumber> for Diagnostic {
    fn from(error: NoSequenceNumber) -> Self {
        Self { error_type: "Enrich.NoSequenceNumber".into(), error_message: error.to_string() }
    }
}

impl<E: Enricher<Finding = Sentiment>, A: Articles, Q: Quarantine> Handler<E, A, Q> {
    /// Enriches an event's records. The answer names the earliest that has to come again, or none.
    ///
    /// # Errors
    ///
    /// That record has no sequence number: the whole batch comes again.
    pub async fn handle(&self, event: LambdaEvent<Batch>) -> Result<KinesisEventResponse, NoSequenceNumber> {
        let started = Instant::now();
        let LambdaEvent { payload, context } = event;
        let budget = Budget::until(context.deadline, ANSWERING);
        let records = payload.records.iter().map(|raw| read(raw, &context)).collect();
        drop(payload);
        let origin =
            Origin { function: context.env_config.function_name.clone(), request_id: context.request_id.clone() };
        // On the heap: all that a batch goes through is a large future, which would be moved with everything around it.
        let report = Box::pin(self.enrich.batch(records, &origin, budget)).await;
        self.tell(&report, &context.request_id, started.elapsed());
        match report.earliest.map(|position| position.sequence_number) {
            None => Ok(kinesis_response(None)),
            Some(Some(number)) => Ok(kinesis_response(Some(number))),
            Some(None) => Err(NoSequenceNumber),
        }
    }

    fn tell(&self, report: &Report, request_id: &str, took: Duration) {
        let mut lines = Vec::new();
        let written = metrics(&self.pipeline, report).write(Timestamp::now(), &[("requestId", request_id)], &mut lines);
        // Metrics that can't be printed are no reason to do a batch again.
        let _ = written.and_then(|()| stdout().write_all(&lines));
        tracing::info!(
            records = report.records,
            stored = report.stored.values().sum::<usize>(),
            skipped = report.skipped,
            quarantined = report.quarantined,
            retried = report.retried,
            milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "Batch done."
        );
    }
}

/// An item that nobody traced so far goes on under the invocation's trace.
fn read(raw: &serde_json::value::RawValue, context: &Context) -> Record {
    let mut record = Record::from_event(raw);
    if let Ok(item) = &mut record.item
        && item.trace.is_none()
    {
        item.trace.clone_from(&context.xray_trace_id);
    }
    record
}

/// Counts also where they are 0: an alarm can tell nothing from silence.
#[expect(clippy::cast_precision_loss, reason = "a batch has at most 10 000 records")]
fn metrics(pipeline: &str, report: &Report) -> Metrics {
    let mut metrics = Metrics::of(pipeline);
    for (language, items) in &report.stored {
        metrics.add(ITEMS, &[language], *items as f64);
    }
    for (language, took) in &report.latencies {
        metrics.add(MODEL_LATENCY, &[language], (took.as_secs_f64() * 1_000_000.0).round() / 1000.0);
    }
    metrics.add(SKIPPED, &[], report.skipped as f64);
    metrics.add(QUARANTINED, &[], report.quarantined as f64);
    metrics.add(RETRIED, &[], report.retried as f64);
    metrics
}
