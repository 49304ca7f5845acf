//! What publishing a batch means.
//!
//! Every message is confirmed by the broker, or its record comes again. Messages of one story are confirmed in their
//! order: a later one is sent only after the earlier was confirmed.

use crate::message::Message;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use runtime::Budget;
use std::{cell::Cell, collections::HashMap, future::Future, time::Duration};
use tokio::time::timeout;

/// A broker that takes messages.
pub trait Broker {
    /// Gets ready to take messages, after a broken connection too. Called before every wave.
    ///
    /// # Errors
    ///
    /// Why it takes none for now.
    fn ready(&mut self, budget: Budget) -> impl Future<Output = Result<(), NotReady>>;

    /// Sends a message and waits until the broker has it, for as long as that takes. Several are on their way at once.
    ///
    /// A message that came back is in the answer, and it need not be this one: AMQP's clients can't tell what a return
    /// belongs to, so that it is given to whoever is confirmed next.
    ///
    /// # Errors
    ///
    /// Why the broker doesn't have it.
    fn publish(&self, message: &Message) -> impl Future<Output = Result<Option<Returned>, Failure>>;
}

/// A message that came back because no queue took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// Its id.
    pub id: String,
    /// Why, in the broker's words.
    pub reason: String,
}

/// The broker takes no messages for now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotReady(pub String);

/// Why the broker doesn't have a message, or not surely.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It was never sent.
    #[error("the broker takes no messages: {0}")]
    NotReady(#[from] NotReady),
    /// The connection broke first; it is tried again at once, once in a batch.
    #[error("the connection broke before it was confirmed: {0}")]
    Lost(String),
    /// The broker said that it could not take it.
    #[error("the broker could not take it (basic.nack)")]
    Nacked,
    /// No queue took it, not even that of the unrouted.
    #[error("no queue took it (basic.return): {0}")]
    Returned(String),
    /// No word in time.
    #[error("not confirmed within {} ms", .0.as_millis())]
    Unconfirmed(Duration),
}

/// How much is sent, and how long is waited.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many messages may be unconfirmed at once.
    pub in_flight: usize,
    /// After how long an unconfirmed message counts as failed.
    pub confirm: Duration,
}

/// What became of a batch. Each message is in exactly one of these, in the order of arrival.
#[derive(Debug, Default)]
pub struct Report {
    /// The broker has them, since that time.
    pub confirmed: Vec<(Message, Timestamp)>,
    /// The broker doesn't, or not surely.
    pub failed: Vec<(Message, Failure)>,
    /// Not sent, as they come again with an earlier one that failed.
    pub left: Vec<Message>,
}

impl Report {
    /// Where in the batch the earliest is that has to come again, and all later ones with it.
    pub fn first_failure(&self) -> Option<usize> {
        self.failed.iter().map(|(message, _)| message.position).min()
    }

    /// How many come again without having been confirmed.
    pub fn unconfirmed(&self) -> usize {
        self.failed.len() + self.left.len()
    }

    /// As they arrived, whatever came first.
    fn sorted(mut self) -> Self {
        self.confirmed.sort_by_key(|(message, _)| message.position);
        self.failed.sort_by_key(|(message, _)| message.position);
        self.left.sort_by_key(|message| message.position);
        self
    }

    /// Those that must be sent now. What lies after a failure comes again anyway, so that sending it would only make
    /// subscribers see it twice; and a later item of a story that failed lies after it.
    fn still_wanted(&mut self, messages: Vec<Message>) -> Vec<Message> {
        let first = self.first_failure().unwrap_or(usize::MAX);
        let (wanted, left) = messages.into_iter().partition(|message| message.position < first);
        self.left.extend::<Vec<_>>(left);
        wanted
    }
}

/// Publishes a batch: all messages at once, but for those of one story, which go one after the other. If the connection
/// breaks, what wasn't confirmed is published again on a new one, with the same ids; once in a batch.
pub async fn publish<B: Broker>(messages: Vec<Message>, broker: &mut B, limits: Limits, budget: Budget) -> Report {
    let mut report = Report::default();
    let mut reconnects = 1;
    for wave in runtime::waves(messages, |message| message.story.clone()) {
        let mut lost = send(wave, broker, limits, budget, &mut report).await;
        while !lost.is_empty() && reconnects > 0 {
            reconnects -= 1;
            let again = lost.into_iter().map(|(message, _)| message).collect();
            lost = send(again, broker, limits, budget, &mut report).await;
        }
        report.failed.extend(lost);
    }
    report.sorted()
}

/// Sends a wave and waits for all confirms. Gives back what was lost with the connection.
async fn send<B: Broker>(
    wave: Vec<Message>,
    broker: &mut B,
    limits: Limits,
    budget: Budget,
    report: &mut Report,
) -> Vec<(Message, Failure)> {
    let mut wave = report.still_wanted(wave);
    if wave.is_empty() {
        return Vec::new();
    }
    let ready = if budget.is_over() { Err(NotReady("no time is left".into())) } else { broker.ready(budget).await };
    if let Err(error) = ready {
        // One decision, one failure: the others come again with the earliest.
        wave.sort_by_key(|message| message.position);
        report.failed.push((wave.remove(0), error.into()));
        report.left.extend(wave);
        return Vec::new();
    }
    let (broker, first_failure) = (&*broker, &Cell::new(usize::MAX));
    let outcomes: Vec<_> = stream::iter(wave)
        .map(|message| async move {
            if message.position > first_failure.get() {
                return Sent::NotAtAll(message);
            }
            let outcome = confirmed(broker, &message, limits, budget).await;
            if !matches!(outcome, Ok(_) | Err(Failure::Lost(_))) {
                first_failure.set(first_failure.get().min(message.position));
            }
            Sent::Settled(message, outcome, Timestamp::now())
        })
        .buffer_unordered(limits.in_flight)
        .collect()
        .await;
    settle(outcomes, report)
}

/// What became of a message of a wave.
enum Sent {
    Settled(Message, Result<Option<Returned>, Failure>, Timestamp),
    /// An earlier one had failed by then.
    NotAtAll(Message),
}

async fn confirmed<B: Broker>(
    broker: &B,
    message: &Message,
    limits: Limits,
    budget: Budget,
) -> Result<Option<Returned>, Failure> {
    let patience = limits.confirm.min(budget.left());
    timeout(patience, broker.publish(message)).await.unwrap_or(Err(Failure::Unconfirmed(patience)))
}

/// Only when the whole wave has its confirms is it known which came back.
fn settle(outcomes: Vec<Sent>, report: &mut Report) -> Vec<(Message, Failure)> {
    let returned = outcomes.iter().filter_map(|sent| match sent {
        Sent::Settled(_, Ok(returned), _) => returned.clone(),
        _ => None,
    });
    let returned: HashMap<String, String> = returned.map(|returned| (returned.id, returned.reason)).collect();
    let mut lost = Vec::new();
    for sent in outcomes {
        let (message, outcome, at) = match sent {
            Sent::Settled(message, outcome, at) => (message, outcome, at),
            Sent::NotAtAll(message) => {
                report.left.push(message);
                continue;
            }
        };
        match (outcome, returned.get(&message.id)) {
            (_, Some(reason)) => report.failed.push((message, Failure::Returned(reason.clone()))),
            (Ok(_), None) => report.confirmed.push((message, at)),
            (Err(failure @ Failure::Lost(_)), None) => lost.push((message, failure)),
            (Err(failure), None) => report.failed.push((message, failure)),
        }
    }
    lost
}

#[cfg(test)]
pub(crate) mod tests;
