//! Lambda's event in, its answer out.

use crate::{
    Broker, Limits, Report,
    message::Message,
    publish,
    record::{Change, Record, Refused},
};
use aws_lambda_events::streams::DynamoDbEventResponse;
use jiff::Timestamp;
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use news::metrics::{AGE, AGE_BY_LANGUAGE, PUBLISHED, QUARANTINED, UNCONFIRMED};
use runtime::{
    Budget,
    emf::Metrics,
    events::{Batch, dynamodb_response},
};
use std::{io::Write, time::Duration};

/// What it takes to answer, kept from an invocation's time.
const RESERVE: Duration = Duration::from_millis(500);

/// The function: what is the same for all its invocations.
#[derive(Debug)]
pub struct Handler<B> {
    broker: B,
    limits: Limits,
    pipeline: String,
}

/// A record has to come again, and has no sequence number to say so with: all of the batch comes again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "record {position} of the batch could not be published and has no sequence number, so all of the batch comes again"
)]
pub struct Unnumbered {
    /// Where it is in the batch, from 0.
    pub position: usize,
}

impl From<Unnumbered> for Diagnostic {
    fn from(error: Unnumbered) -> Self {
        Self { error_type: "Unnumbered".into(), error_message: error.to_string() }
    }
}

impl<B: Broker> Handler<B> {
    /// A function that publishes to a broker. `pipeline` is the environment's name, for the metrics.
    pub fn new(broker: B, limits: Limits, pipeline: impl Into<String>) -> Self {
        Self { broker, limits, pipeline: pipeline.into() }
    }

    /// Publishes a batch of changes. Every new item of it is confirmed by the broker, or the answer names the earliest that
    /// isn't, so that it comes again and all later ones with it.
    ///
    /// Metrics are written to `out`.
    ///
    /// # Errors
    ///
    /// A record has to come again that can't be named.
    pub async fn handle(
        &mut self,
        event: LambdaEvent<Batch>,
        out: &mut impl Write,
    ) -> Result<DynamoDbEventResponse, Unnumbered> {
        let LambdaEvent { payload: batch, context } = event;
        let budget = Budget::until(context.deadline, RESERVE);
        let Read { messages, numbers } = read(&batch, context.xray_trace_id.as_deref());
        let report = publish(messages, &mut self.broker, self.limits, budget).await;
        let counts = Counts::of(&report);
        tell(&report, &counts, numbers.len());
        self.measure(&report, &counts, &context, out);
        match report.first_failure() {
            None => Ok(dynamodb_response(None)),
            Some(position) => match &numbers[position] {
                Some(number) => Ok(dynamodb_response(Some(number.clone()))),
                None => Err(Unnumbered { position }),
            },
        }
    }

    fn measure(&self, report: &Report, counts: &Counts, context: &Context, out: &mut impl Write) {
        let mut metrics = Metrics::of(&self.pipeline);
        let Counts { published, kept, unconfirmed } = *counts;
        for (metric, count) in [(PUBLISHED, published), (UNCONFIRMED, unconfirmed), (QUARANTINED, kept)] {
            metrics.add(metric, &[], f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
        }
        for (message, at) in &report.confirmed {
            let Some(published) = message.published else { continue };
            let age = age(published, *at);
            metrics.add(AGE, &[], age);
            metrics.add(AGE_BY_LANGUAGE, &[&message.language], age);
        }
        // Nothing to be done about it, and the batch is what it is.
        if let Err(error) = metrics.write(Timestamp::now(), &[("requestId", &context.request_id)], out) {
            tracing::warn!(%error, "Metrics could not be written.");
        }
    }
}

/// How many became what.
struct Counts {
    /// Items that the broker has.
    published: usize,
    /// Rows that will never be items, and that the broker keeps.
    kept: usize,
    /// What comes again.
    unconfirmed: usize,
}

impl Counts {
    fn of(report: &Report) -> Self {
        let kept = report.confirmed.iter().filter(|(message, _)| message.published.is_none()).count();
        Self { published: report.confirmed.len() - kept, kept, unconfirmed: report.unconfirmed() }
    }
}

fn tell(report: &Report, counts: &Counts, records: usize) {
    for (message, cause) in &report.failed {
        tracing::warn!(item = message.id, %cause, "Not published, comes again.");
    }
    let Counts { published, kept, unconfirmed } = *counts;
    tracing::info!(records, published, refused = kept, unconfirmed, "Batch is done.");
}

/// A batch that was read.
struct Read {
    messages: Vec<Message>,
    /// Each record's sequence number.
    numbers: Vec<Option<String>>,
}

fn read(batch: &Batch, trace: Option<&str>) -> Read {
    let mut read = Read { messages: Vec::new(), numbers: Vec::new() };
    for (position, record) in batch.records.iter().enumerate() {
        let Record { number, change } = Record::read(record);
        match change {
            Change::New(item) => read.messages.push(Message::new(position, &item, trace)),
            Change::Ignored => (),
            Change::Refused(refused) => {
                warn_of(&refused, number.as_deref());
                read.messages.push(Message::refused(position, refused, number.as_deref()));
            }
        }
        read.numbers.push(number);
    }
    read
}

fn warn_of(refused: &Refused, number: Option<&str>) {
    let Refused { reason, key, .. } = refused;
    tracing::error!(key, number, reason, "Row can never be published; it goes to the queue of the unrouted.");
}

/// Milliseconds; nothing if the provider's clock is ahead of ours.
fn age(published: Timestamp, confirmed: Timestamp) -> f64 {
    let age = confirmed.as_millisecond().saturating_sub(published.as_millisecond());
    f64::from(u32::try_from(age.max(0)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        publish::tests::{Answer, Fake},
        record::tests::{article, insertion},
    };
    use serde_json::{Value, json};

    const LIMITS: Limits = Limits { in_flight: 10, confirm: Duration::from_secs(1) };

    /// The answer, and the metrics by name.
    async fn invoke(broker: Fake, records: Vec<Value>) -> (Result<Value, Unnumbered>, Value) {
        let batch = serde_json::from_value(json!({ "Records": records })).unwrap();
        let mut context = Context::default();
        context.deadline = u64::try_from(Timestamp::now().as_millisecond()).unwrap() + 60_000;
        let mut out = Vec::new();
        let mut handler = Handler::new(broker, LIMITS, "news");
        let answer = handler.handle(LambdaEvent::new(batch, context), &mut out).await;
        let metrics = String::from_utf8(out).unwrap().lines().next().map_or(Value::Null, |line| line.parse().unwrap());
        (answer.map(|answer| serde_json::to_value(answer).unwrap()), metrics)
    }

    fn story(number: &str, story: &str) -> Value {
        let mut item = article();
        item.item.thread = story.into();
        item.item.id = format!("{story}{number}");
        insertion(number, &item)
    }

    fn again(number: &str) -> Value {
        json!({ "batchItemFailures": [{ "itemIdentifier": number }] })
    }

    #[tokio::test(start_paused = true)]
    async fn batch_that_is_confirmed_is_done() {
        let mut changed = story("12", "a");
        changed["eventName"] = "MODIFY".into();
        let (answer, metrics) = invoke(Fake::default(), vec![story("11", "a"), changed, story("13", "b")]).await;
        assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
        assert_eq!([&metrics["Published"], &metrics["Unconfirmed"], &metrics["Quarantined"]], [2, 0, 0]);
        assert_eq!(metrics["Age"].as_array().map(Vec::len), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn answer_names_the_earliest_by_arrival_and_no_number_is_compared() {
        let broker = Fake::answering(&[Answer::Ack, Answer::Nack, Answer::Ack, Answer::Nack]);
        let records = vec![story("900", "a"), story("1000", "b"), story("5", "c"), story("6", "d")];
        let (answer, metrics) = invoke(broker, records).await;
        assert_eq!(answer, Ok(again("1000")));
        assert_eq!([&metrics["Published"], &metrics["Unconfirmed"]], [2, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn refused_row_is_counted_and_kept() {
        let mut odd = story("11", "a");
        odd["dynamodb"]["NewImage"] = json!({ "article_id": { "S": "x" } });
        let (answer, metrics) = invoke(Fake::default(), vec![odd.clone(), story("12", "b")]).await;
        assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
        assert_eq!([&metrics["Published"], &metrics["Quarantined"]], [1, 1]);
        let (answer, _) = invoke(Fake::answering(&[Answer::Nack]), vec![odd]).await;
        assert_eq!(answer, Ok(again("11")), "until it is kept it comes again");
    }

    #[tokio::test(start_paused = true)]
    async fn failure_without_a_number_fails_the_batch_by_name() {
        let mut unnumbered = story("11", "a");
        unnumbered["dynamodb"]["SequenceNumber"] = "".into();
        let (answer, _) = invoke(Fake { away: 1, ..Fake::default() }, vec![unnumbered]).await;
        let diagnostic = Diagnostic::from(answer.unwrap_err());
        assert_eq!(diagnostic.error_type, "Unnumbered");
        assert!(diagnostic.error_message.starts_with("record 0 of the batch"));
    }

    #[test]
    fn provider_whose_clock_is_ahead_has_items_of_no_age() {
        let at = |second| Timestamp::new(second, 0).unwrap();
        assert_eq!(format!("{} {}", age(at(10), at(12)), age(at(12), at(10))), "2000 0");
    }
}
