//! The quarantine in SQS.

use crate::{
    Failure,
    quarantine::{Quarantine, Quarantined},
    rejected::{Rejected, rejected},
};
use aws_sdk_sqs::{Client, types::SendMessageBatchRequestEntry as Entry};
use runtime::{Backoff, Budget};
use std::time::Duration;

/// A queue for records that can never succeed.
#[derive(Debug, Clone)]
pub struct Sqs {
    client: Client,
    queue_url: String,
}

/// SendMessageBatch's limit on messages.
const MESSAGES: usize = 10;

/// SQS takes 1 MiB today, for a message as for a batch. It was 256 KiB for long, and people's tools may still think so.
const MOST_BYTES: usize = 256 * 1024;

/// The first pause before sending again is at most this.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long sending is tried: a queue that is away for longer is away, and the stream keeps the records.
const LONGEST: Duration = Duration::from_secs(5);

impl Sqs {
    /// The queue at that URL.
    pub fn new(client: Client, queue_url: impl Into<String>) -> Self {
        Self { client, queue_url: queue_url.into() }
    }
}

impl Quarantine for Sqs {
    async fn keep(&self, records: &[Quarantined], budget: Budget) -> Vec<Result<(), Failure>> {
        let budget = Budget::of(budget.left().min(LONGEST));
        let messages: Vec<String> = records.iter().map(|record| record.to_message(MOST_BYTES)).collect();
        let mut outcomes = Vec::with_capacity(records.len());
        for batch in batches(&messages) {
            outcomes.extend(self.send(batch, budget).await);
            if let Some(Err(failure)) = outcomes.iter().find(|outcome| outcome.is_err()).cloned() {
                outcomes.resize(records.len(), Err(failure));
                break;
            }
        }
        outcomes
    }
}

impl Sqs {
    /// Sends a batch; what fails is sent again, alone.
    async fn send(&self, messages: &[String], budget: Budget) -> Vec<Result<(), Failure>> {
        let mut outcomes: Vec<Result<(), Failure>> = vec![Err(Failure::transient("was not sent")); messages.len()];
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            match self.attempt(messages, &mut outcomes, budget).await {
                Err(Rejected::Unusable(text) | Rejected::Refused(text)) => {
                    tracing::error!(queue = self.queue_url, why = text, "The quarantine cannot be used as it is.");
                    fail(&mut outcomes, &text);
                    return outcomes;
                }
                Err(Rejected::Busy(text)) => fail(&mut outcomes, &text),
                Ok(()) => (),
            }
            if outcomes.iter().all(Result::is_ok) || backoff.pause(budget).await.is_err() {
                return outcomes;
            }
        }
    }

    async fn attempt(
        &self,
        messages: &[String],
        outcomes: &mut [Result<(), Failure>],
        budget: Budget,
    ) -> Result<(), Rejected> {
        let unsent = messages.iter().enumerate().filter(|(at, _)| outcomes[*at].is_err());
        let entries: Result<Vec<Entry>, _> =
            unsent.map(|(at, message)| Entry::builder().id(at.to_string()).message_body(message).build()).collect();
        let entries = entries.map_err(|error| Rejected::Unusable(error.to_string()))?;
        let request = self.client.send_message_batch().queue_url(&self.queue_url).set_entries(Some(entries));
        let late = |_| Rejected::Busy("no time left for the quarantine".into());
        let answer = budget.run(request.send()).await.map_err(late)?.map_err(|error| rejected(&error))?;
        for sent in answer.successful {
            set(outcomes, &sent.id, Ok(()));
        }
        for failed in answer.failed {
            let text = format!("{}: {}", failed.code, failed.message.unwrap_or_default());
            set(outcomes, &failed.id, Err(Failure::Transient(text)));
        }
        Ok(())
    }
}

fn set(outcomes: &mut [Result<(), Failure>], id: &str, outcome: Result<(), Failure>) {
    if let Some(place) = id.parse().ok().and_then(|at: usize| outcomes.get_mut(at)) {
        *place = outcome;
    }
}

fn fail(outcomes: &mut [Result<(), Failure>], text: &str) {
    for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_err()) {
        *outcome = Err(Failure::transient(text));
    }
}

/// Messages in batches that SQS takes, in order.
fn batches(messages: &[String]) -> Vec<&[String]> {
    let mut batches = Vec::new();
    let mut rest = messages;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take(MESSAGES).take_while(|message| {
            bytes += message.len();
            bytes <= MOST_BYTES
        });
        let (batch, after) = rest.split_at(fits.count().max(1));
        batches.push(batch);
        rest = after;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn batches_hold_every_message_in_order_and_fit(lengths in proptest::collection::vec(1_usize..100_000, 0..60)) {
            let messages: Vec<String> = lengths.into_iter().map(|length| "x".repeat(length)).collect();
            let batches = batches(&messages);
            prop_assert_eq!(&batches.concat(), &messages);
            for batch in batches {
                prop_assert!(batch.len() <= MESSAGES);
                prop_assert!(batch.iter().map(String::len).sum::<usize>() <= MOST_BYTES);
            }
        }
    }
}
