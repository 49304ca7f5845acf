//! What went in, what came out, and what is between.

use std::{collections::BTreeSet, fmt};

use aws_sdk_sqs::types::QueueAttributeName;
use enrich::quarantine::Quarantined;
use news::table;
use simulator::Ric;

use crate::{Pipeline, subscriber::Subscriber};

/// Items by what became of them: each counted once, however often it was sent or came.
///
/// ```
/// use local_pipeline::ledger::Ledger;
/// let ledger = Ledger { sent: 10, stored: 8, refused: 1, published: 8, discarded: 0 };
/// assert_eq!((ledger.balance(), ledger.in_flight()), (1, 1));
/// assert_eq!(ledger.to_string(), "sent 10 = stored 8 + refused 1 + balance 1; published 8, in flight 1");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Items that the feed delivered to the ingester and its filter let in, and records put on the stream beside it.
    pub sent: usize,
    /// Rows of the table.
    pub stored: usize,
    /// Records in the quarantine.
    pub refused: usize,
    /// Items that came out of the exchange.
    pub published: usize,
    /// Batches that a function gave up on: messages in the failure queues.
    pub discarded: usize,
}

/// A number that could not be had.
#[derive(Debug, thiserror::Error)]
#[error("could not count {what}: {cause}")]
pub struct NotCounted {
    what: String,
    cause: String,
}

impl NotCounted {
    pub(crate) fn new(what: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        Self { what: what.to_owned(), cause: runtime::with_causes(error) }
    }
}

impl Ledger {
    /// Items that are neither stored nor refused: on their way, or, when nothing moves any more, lost.
    pub fn balance(&self) -> i64 {
        signed(self.sent) - signed(self.stored) - signed(self.refused)
    }

    /// Items that have not come to their end.
    pub fn in_flight(&self) -> i64 {
        self.balance() + signed(self.stored) - signed(self.published)
    }

    /// Whether everything has come to its end, and nothing was given up.
    pub fn is_settled(&self) -> bool {
        self.balance() == 0 && self.in_flight() == 0 && self.discarded == 0
    }

    /// Counts.
    ///
    /// # Errors
    ///
    /// When the table or a queue can't be asked.
    pub async fn of(pipeline: &Pipeline, subscriber: &Subscriber) -> Result<Self, NotCounted> {
        // From the end to the beginning, so that nothing is counted at its end and not at its beginning.
        let published = subscriber.look(|account| account.ages.len());
        let outputs = &pipeline.deployment().outputs;
        let queue = |url| waiting(pipeline, url);
        let discarded = queue(&outputs.enrich_failures_url).await? + queue(&outputs.publish_failures_url).await?;
        let refused = refused(pipeline).await?;
        let stored = stored(pipeline).await?;
        let let_in = sent(pipeline, &stored).len().saturating_sub(pipeline.left_out().await);
        let sent = let_in + pipeline.put_aside_the_feed();
        Ok(Self { sent, stored: stored.len(), refused, published, discarded })
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, stored, refused, published, discarded } = self;
        let balance = self.balance();
        write!(formatter, "sent {sent} = stored {stored} + refused {refused} + balance {balance}; ")?;
        write!(formatter, "published {published}, in flight {}", self.in_flight())?;
        if *discarded > 0 {
            write!(formatter, "; {discarded} batches given up")?;
        }
        Ok(())
    }
}

/// The ids of what the feed delivered. Of a connection that broke nobody knows what had arrived: what was stored had.
pub(crate) fn sent(pipeline: &Pipeline, stored: &BTreeSet<String>) -> BTreeSet<String> {
    pipeline.feed().look(|journal| {
        let stories = journal.entries.iter().filter(|entry| entry.item.ric == Ric::Story);
        let arrived = stories.filter(|entry| entry.is_delivered() || stored.contains(&entry.item.id));
        arrived.map(|entry| entry.item.id.clone()).collect()
    })
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Records in the quarantine, each once: a function that is killed may have set one aside, and does it again. At a named
/// endpoint it is the messages that are counted, as reading them would hide them.
async fn refused(pipeline: &Pipeline) -> Result<usize, NotCounted> {
    let url = &pipeline.deployment().outputs.quarantine_url;
    if !pipeline.is_embedded() {
        return waiting(pipeline, url).await;
    }
    let messages = pipeline.aws().sqs().messages(url);
    let records = messages.iter().filter_map(|message| serde_json::from_str(&message.body).ok());
    Ok(records.map(|record: Quarantined| place(&record)).collect::<BTreeSet<_>>().len())
}

/// Where a record was: its shard, and its number there.
pub(crate) fn place(record: &Quarantined) -> (Option<String>, Option<String>) {
    (record.position.shard.clone(), record.position.sequence_number.clone())
}

async fn waiting(pipeline: &Pipeline, url: &str) -> Result<usize, NotCounted> {
    let failed = |cause: String| NotCounted { what: format!("the messages of {url}"), cause };
    let client = aws_sdk_sqs::Client::new(&pipeline.deployment().config);
    let names =
        [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::ApproximateNumberOfMessagesNotVisible];
    let asked = client.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec())).send().await;
    let told = asked.map_err(|error| failed(runtime::with_causes(&error)))?.attributes.unwrap_or_default();
    let count = |name| told.get(name).and_then(|count| count.parse::<usize>().ok());
    let counts = names.iter().map(count).collect::<Option<Vec<_>>>();
    counts.map(|counts| counts.iter().sum()).ok_or_else(|| failed("it doesn't say how many it has".to_owned()))
}

/// Every id in the table.
pub(crate) async fn stored(pipeline: &Pipeline) -> Result<BTreeSet<String>, NotCounted> {
    let deployment = pipeline.deployment();
    let client = aws_sdk_dynamodb::Client::new(&deployment.config);
    let scan = client.scan().table_name(&deployment.outputs.table).projection_expression(table::KEY);
    let mut rows = scan.into_paginator().items().send();
    let mut ids = BTreeSet::new();
    while let Some(row) = rows.next().await {
        let row = row.map_err(|error| NotCounted::new("the rows of the table", &error))?;
        ids.extend(row.get(table::KEY).and_then(|id| id.as_s().ok()).cloned());
    }
    Ok(ids)
}
