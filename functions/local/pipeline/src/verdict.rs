//! Whether a pipeline kept its promises.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    time::{Duration, Instant},
};

use enrich::quarantine::Quarantined;
use local::event_source::Service;
use simulator::Ric;

use crate::{
    Pipeline,
    ledger::{self, Ledger, NotCounted},
    subscriber::Subscriber,
};

/// What became of the promises: nothing lost, nothing twice, a story's items in order, every refusal explained.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// How the books stand.
    pub ledger: Ledger,
    /// Items that were sent, and are not in the table.
    pub lost: BTreeSet<String>,
    /// Items in the table that never came out of the exchange.
    pub unpublished: BTreeSet<String>,
    /// Items that came from nowhere.
    pub invented: BTreeSet<String>,
    /// Threads whose items came out in another order than they were sent.
    pub disordered: BTreeSet<String>,
    /// How many records were refused, by the reason's code.
    pub refused: BTreeMap<String, usize>,
    /// What else is wrong.
    pub wrong: Vec<String>,
}

/// How long everything may take to come to its end. The longest pause between two attempts is in it.
const PATIENCE: Duration = Duration::from_mins(1);

impl Verdict {
    /// Waits until everything that was sent has come to its end, a minute at most, and looks at all of it. The feed must
    /// have been paused.
    ///
    /// # Errors
    ///
    /// When the table or a queue can't be asked.
    pub async fn of(pipeline: &Pipeline, subscriber: &Subscriber) -> Result<Self, NotCounted> {
        let started = Instant::now();
        let ledger = loop {
            let ledger = Ledger::of(pipeline, subscriber).await;
            if ledger.as_ref().is_ok_and(Ledger::is_settled) || started.elapsed() >= PATIENCE {
                break ledger?;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let stored = ledger::stored(pipeline).await?;
        let sent = ledger::sent(pipeline, &stored);
        let published: BTreeSet<_> = subscriber.look(|account| account.ages.keys().cloned().collect());
        let mut quarantine = quarantine(pipeline).await?;
        quarantine.sort_by_key(ledger::place);
        quarantine.dedup_by_key(|record| ledger::place(record));
        // At a named endpoint messages were counted.
        let ledger = Ledger { refused: quarantine.len(), ..ledger };
        let refused_ids: BTreeSet<_> = quarantine.iter().filter_map(|record| record.id.clone()).collect();
        let refused_sent = refused_ids.intersection(&sent).count();
        let mut verdict = Self {
            ledger,
            lost: sent.difference(&stored).cloned().collect(),
            unpublished: stored.difference(&published).cloned().collect(),
            invented: stored.union(&published).filter(|id| !sent.contains(*id)).cloned().collect(),
            disordered: disordered(pipeline, subscriber),
            ..Self::default()
        };
        for record in quarantine {
            *verdict.refused.entry(record.reason.code).or_default() += 1;
        }
        if refused_sent > 0 {
            verdict.wrong.push(format!("{refused_sent} items were refused that nothing is wrong with"));
        }
        verdict.look(pipeline, subscriber).await;
        Ok(verdict)
    }

    async fn look(&mut self, pipeline: &Pipeline, subscriber: &Subscriber) {
        if self.ledger.balance() != 0 {
            self.wrong.push(format!("the books don't balance: {}", self.ledger.balance()));
        }
        let put = pipeline.put_aside_the_feed();
        if self.ledger.refused != put {
            self.wrong
                .push(format!("{put} records that are no items were put in, {} were refused", self.ledger.refused));
        }
        // The mapping of the table's stream lets inserts through: what it left out was written over.
        let changes =
            pipeline.triggers().iter().filter(|trigger| trigger.mapping().event_source.service == Service::DynamoDb);
        let overwritten: u64 = changes.map(|trigger| trigger.counts().filtered_out).sum();
        if overwritten > 0 {
            self.wrong
                .push(format!("rows were written more than once: {overwritten} changes of the table are no inserts"));
        }
        if let Some(trouble) = subscriber.look(|account| account.trouble().map(ToOwned::to_owned)) {
            self.wrong.push(format!("the subscription ended: {trouble}"));
        }
        if self.ledger.discarded > 0 {
            self.wrong.push(format!("{} batches were given up: see the failure queues", self.ledger.discarded));
        }
        let explained: usize = self.refused.values().sum();
        if explained != self.ledger.refused {
            self.wrong.push(format!("{} records were refused, {explained} of them with a reason", self.ledger.refused));
        }
        if !pipeline.ingester_runs().await {
            self.wrong.push("the ingester ended".to_owned());
        }
    }

    /// Whether every promise was kept.
    pub fn is_good(&self) -> bool {
        let Self { lost, unpublished, invented, disordered, wrong, .. } = self;
        [lost, unpublished, invented, disordered].iter().all(|ids| ids.is_empty()) && wrong.is_empty()
    }
}

/// The books, and then a line for each promise that was not kept.
impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.ledger)?;
        if !self.refused.is_empty() {
            let reasons = self.refused.iter().map(|(code, count)| format!("{count} {code}"));
            write!(formatter, "; refused: {}", reasons.collect::<Vec<_>>().join(", "))?;
        }
        for (what, ids) in [
            ("lost", &self.lost),
            ("stored and never published", &self.unpublished),
            ("from nowhere", &self.invented),
            ("stories out of order", &self.disordered),
        ] {
            if !ids.is_empty() {
                let some = ids.iter().take(5).map(String::as_str).collect::<Vec<_>>();
                write!(formatter, "\n  {what}: {}: {}", ids.len(), some.join(", "))?;
            }
        }
        self.wrong.iter().try_for_each(|wrong| write!(formatter, "\n  {wrong}"))
    }
}

/// Every record in the quarantine. They stay there.
async fn quarantine(pipeline: &Pipeline) -> Result<Vec<Quarantined>, NotCounted> {
    let deployment = pipeline.deployment();
    let client = aws_sdk_sqs::Client::new(&deployment.config);
    let url = &deployment.outputs.quarantine_url;
    let mut found = BTreeMap::new();
    loop {
        // Each is hidden from the next question, for a little while.
        let asked = client.receive_message().queue_url(url).max_number_of_messages(10).visibility_timeout(10);
        let answer = asked.wait_time_seconds(0).send().await;
        let messages = answer.map_err(|error| NotCounted::new("the messages of the quarantine", &error))?.messages;
        let Some(messages) = messages.filter(|messages| !messages.is_empty()) else { break };
        for message in messages {
            let body = message.body.unwrap_or_default();
            found.insert(message.message_id.unwrap_or_default(), body);
        }
    }
    Ok(found.values().filter_map(|body| serde_json::from_str(body).ok()).collect())
}

/// Threads whose items first came out in another order than the feed first sent them.
fn disordered(pipeline: &Pipeline, subscriber: &Subscriber) -> BTreeSet<String> {
    let mut numbers: HashMap<String, u64> = HashMap::new();
    pipeline.feed().look(|journal| {
        for entry in journal.entries.iter().filter(|entry| entry.item.ric == Ric::Story) {
            let number = numbers.entry(entry.item.id.clone()).or_insert(entry.number);
            *number = entry.number.min(*number);
        }
    });
    subscriber.look(|account| {
        let came = account.threads.iter().filter(|(_, ids)| !ids.is_sorted_by_key(|id| numbers.get(id)));
        came.map(|(thread, _)| thread.clone()).collect()
    })
}
