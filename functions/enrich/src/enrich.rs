//! What enriching a batch means.

use crate::{
    Failure, Position, Record,
    articles::Articles,
    batch::Batch,
    enricher::Enricher,
    quarantine::{Origin, Quarantine},
};
use jiff::Timestamp;
use news::Sentiment;
use runtime::Budget;
use std::{collections::BTreeMap, time::Duration};

/// Enriches batches of records.
///
/// What it promises, whatever fails and however often a record comes:
///
/// - **Each id is once in the table.** A repeat is skipped, and nothing is paid for it.
/// - **A story keeps its order.** An item is stored only after those before it; where one has to come again, so do the
///   later ones of its story.
/// - **Nothing is lost.** Each record is stored, skipped as a repeat, set aside, or comes again: at least once.
/// - **Nothing blocks a shard that cannot succeed.** What will never be an item, or never be judged, is set aside with the
///   reason, and the batch goes on.
#[derive(Debug)]
pub struct Enrich<E, A, Q> {
    /// Judges items.
    pub enricher: E,
    /// Keeps them.
    pub articles: A,
    /// Takes what can never succeed.
    pub quarantine: Q,
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// How many records it had.
    pub records: usize,
    /// The earliest record that has to come again, and with it all later ones; `None` if the batch is done.
    pub earliest: Option<Position>,
    /// Items stored, by language.
    pub stored: BTreeMap<String, usize>,
    /// Items that were in the table before, or earlier in the batch.
    pub skipped: usize,
    /// Records set aside.
    pub quarantined: usize,
    /// Records that could not be done for now.
    pub retried: usize,
    /// How long each request to a model took, with its language.
    pub latencies: Vec<(String, Duration)>,
}

impl<E: Enricher<Finding = Sentiment>, A: Articles, Q: Quarantine> Enrich<E, A, Q> {
    /// Enriches a batch within the time that is left: skips what is known, judges the rest, stores it in the order of
    /// its stories, sets aside what can never succeed, and says from where on the stream has to bring it again.
    pub async fn batch(&self, records: Vec<Record>, origin: &Origin, budget: Budget) -> Report {
        let count = records.len();
        let mut batch = Batch::of(records);
        let judging = budget.less(for_storing(budget));
        batch.skip_repeats();
        self.skip_known(&mut batch, judging).await;
        let latencies = self.judge(&mut batch, judging).await;
        self.store(&mut batch, budget).await;
        self.set_aside(&mut batch, origin, budget).await;
        report(batch, count, latencies)
    }

    /// A model is dearer than a look at the table.
    async fn skip_known(&self, batch: &mut Batch, budget: Budget) {
        let (places, ids): (Vec<_>, Vec<_>) = batch.open().map(|(at, item)| (at, item.id.as_str())).unzip();
        if ids.is_empty() {
            return;
        }
        let known = self.articles.known(&ids, budget).await;
        for (at, known) in places.into_iter().zip(known) {
            match known {
                Ok(true) => batch.skip(at),
                Ok(false) => (),
                Err(failure) => batch.fail(at, failure),
            }
        }
        batch.hold_back();
    }

    async fn judge(&self, batch: &mut Batch, budget: Budget) -> Vec<(String, Duration)> {
        let (places, items): (Vec<_>, Vec<_>) = batch.open().unzip();
        if items.is_empty() {
            return Vec::new();
        }
        let findings = self.enricher.enrich(&items, budget).await;
        let now = Timestamp::now();
        for (at, outcome) in places.into_iter().zip(findings.outcomes) {
            match outcome {
                Ok(sentiment) => batch.enrich(at, sentiment, now),
                Err(failure) => batch.fail(at, failure),
            }
        }
        batch.hold_back();
        findings.latencies
    }

    /// In waves, each with at most one item of a story: nearly always there is one.
    async fn store(&self, batch: &mut Batch, budget: Budget) {
        let order: Vec<_> = batch.enriched().map(|(at, item)| (at, item.item.thread.clone())).collect();
        for wave in runtime::waves(order, |(_, thread)| thread.clone()) {
            let wave: Vec<usize> = wave.into_iter().map(|(at, _)| at).collect();
            self.store_wave(batch, &wave, budget).await;
            batch.hold_back();
        }
    }

    async fn store_wave(&self, batch: &mut Batch, wave: &[usize], budget: Budget) {
        let of_wave = batch.enriched().filter(|(at, _)| wave.binary_search(at).is_ok());
        let (places, items): (Vec<_>, Vec<_>) = of_wave.unzip();
        if items.is_empty() {
            return;
        }
        let outcomes = self.articles.store(&items, budget).await;
        for (at, outcome) in places.into_iter().zip(outcomes) {
            match outcome {
                Ok(stored) => batch.store(at, stored),
                Err(failure) => batch.fail(at, failure),
            }
        }
    }

    /// Only what the stream won't bring again: the rest would be there twice.
    async fn set_aside(&self, batch: &mut Batch, origin: &Origin, budget: Budget) {
        let (places, records): (Vec<_>, Vec<_>) = batch.to_set_aside(origin, Timestamp::now()).into_iter().unzip();
        if records.is_empty() {
            return;
        }
        let outcomes = self.quarantine.keep(&records, budget).await;
        for ((at, record), outcome) in places.into_iter().zip(&records).zip(outcomes) {
            match outcome {
                Ok(()) => {
                    let (id, number) = (record.id.as_deref(), record.position.sequence_number.as_deref());
                    tracing::warn!(code = record.reason.code, id, number, "Set aside: it can never succeed.");
                    batch.set_aside(at);
                }
                // Whatever the reason, the record must not get lost: it comes again.
                Err(Failure::Permanent { text, .. } | Failure::Transient(text)) => {
                    batch.fail(at, Failure::Transient(text));
                }
            }
        }
    }
}

/// What judging leaves for storing: a quarter of the time, at most two seconds.
fn for_storing(budget: Budget) -> Duration {
    (budget.left() / 4).min(Duration::from_secs(2))
}

fn report(batch: Batch, records: usize, latencies: Vec<(String, Duration)>) -> Report {
    let earliest = batch.earliest().map(|(position, why)| {
        tracing::warn!(
            number = position.sequence_number.as_deref(),
            why,
            "Batch stops here: the stream brings it again."
        );
        position.clone()
    });
    let tally = batch.tally();
    let mut stored = BTreeMap::new();
    for language in tally.stored {
        *stored.entry(language).or_default() += 1;
    }
    Report {
        records,
        earliest,
        stored,
        skipped: tally.skipped,
        quarantined: tally.set_aside,
        retried: tally.again,
        latencies,
    }
}
