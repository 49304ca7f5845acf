//! A batch on its way: what became of each of its records so far.

use crate::{
    Failure, Position, Record,
    articles::Stored,
    quarantine::{Data, Origin, Quarantined, Why},
};
use jiff::Timestamp;
use news::{EnrichedItem, NewsItem, Sentiment};
use std::collections::HashSet;

/// The records of a batch, in the order of their stream, and what became of each so far.
#[derive(Debug)]
pub(crate) struct Batch {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    position: Position,
    data: Vec<u8>,
    fate: Fate,
}

/// What became of a record so far: it is open, then enriched, and ends as one of the others.
#[derive(Debug)]
enum Fate {
    Open(NewsItem),
    Enriched(EnrichedItem),
    Stored { language: String },
    Skipped,
    Refused { id: Option<String>, code: &'static str, text: String },
    SetAside,
    Failed { thread: Option<String>, text: String },
}

/// What became of a batch, by number of records.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) stored: Vec<String>,
    pub(crate) skipped: usize,
    pub(crate) set_aside: usize,
    pub(crate) again: usize,
}

impl Batch {
    /// Records that are items are open, others are refused.
    pub(crate) fn of(records: Vec<Record>) -> Self {
        let entry = |record: Record| {
            let fate = match record.item {
                Ok(item) => Fate::Open(item),
                Err(failure) => Fate::failed(failure, None, None),
            };
            Entry { position: record.position, data: record.data, fate }
        };
        Self { entries: records.into_iter().map(entry).collect() }
    }

    /// An id's first record counts; who sees an id twice has seen the same item twice.
    pub(crate) fn skip_repeats(&mut self) {
        let mut seen = HashSet::new();
        let repeated: Vec<usize> =
            self.open().filter(|(_, item)| !seen.insert(item.id.as_str())).map(|(at, _)| at).collect();
        for at in repeated {
            self.skip(at);
        }
    }

    /// The items that nothing was decided about, with where they are.
    pub(crate) fn open(&self) -> impl Iterator<Item = (usize, &NewsItem)> {
        self.entries.iter().enumerate().filter_map(|(at, entry)| match &entry.fate {
            Fate::Open(item) => Some((at, item)),
            _ => None,
        })
    }

    /// The items that were enriched and not yet stored.
    pub(crate) fn enriched(&self) -> impl Iterator<Item = (usize, &EnrichedItem)> {
        self.entries.iter().enumerate().filter_map(|(at, entry)| match &entry.fate {
            Fate::Enriched(item) => Some((at, item)),
            _ => None,
        })
    }

    pub(crate) fn skip(&mut self, at: usize) {
        self.entries[at].fate = Fate::Skipped;
    }

    pub(crate) fn fail(&mut self, at: usize, failure: Failure) {
        let fate = &mut self.entries[at].fate;
        let (id, thread) = match std::mem::replace(fate, Fate::Skipped) {
            Fate::Open(item) => (Some(item.id), Some(item.thread)),
            Fate::Enriched(item) => (Some(item.item.id), Some(item.item.thread)),
            _ => (None, None),
        };
        *fate = Fate::failed(failure, id, thread);
    }

    pub(crate) fn enrich(&mut self, at: usize, sentiment: Sentiment, enriched: Timestamp) {
        let Entry { position, fate, .. } = &mut self.entries[at];
        if let Fate::Open(item) = std::mem::replace(fate, Fate::Skipped) {
            *fate = Fate::Enriched(EnrichedItem { item, sentiment, arrived: position.arrived, enriched });
        }
    }

    pub(crate) fn store(&mut self, at: usize, stored: Stored) {
        let fate = &mut self.entries[at].fate;
        if let (Fate::Enriched(item), Stored::Now) = (std::mem::replace(fate, Fate::Skipped), stored) {
            *fate = Fate::Stored { language: item.item.language };
        }
    }

    /// What follows a failed item in its story has to wait for it.
    pub(crate) fn hold_back(&mut self) {
        let mut failed: HashSet<String> = HashSet::new();
        let mut waiting = Vec::new();
        for (at, entry) in self.entries.iter().enumerate() {
            match &entry.fate {
                Fate::Failed { thread: Some(thread), .. } => drop(failed.insert(thread.clone())),
                Fate::Open(item) | Fate::Enriched(EnrichedItem { item, .. }) if failed.contains(&item.thread) => {
                    waiting.push(at);
                }
                _ => (),
            }
        }
        for at in waiting {
            self.fail(at, Failure::transient("waits for an earlier item of its story"));
        }
    }

    /// The refused records that the stream won't bring again, with where they are: those before the first that failed.
    pub(crate) fn to_set_aside(&self, origin: &Origin, time: Timestamp) -> Vec<(usize, Quarantined)> {
        let done = self.first_failed().unwrap_or(self.entries.len());
        let refused = self.entries[..done].iter().enumerate();
        refused.filter_map(|(at, entry)| Some((at, entry.quarantined(origin, time)?))).collect()
    }

    pub(crate) fn set_aside(&mut self, at: usize) {
        self.entries[at].fate = Fate::SetAside;
    }

    /// The first record that has to come again, and why.
    pub(crate) fn earliest(&self) -> Option<(&Position, &str)> {
        let entry = &self.entries[self.first_failed()?];
        let why = if let Fate::Failed { text, .. } = &entry.fate { text } else { "was not finished" };
        Some((&entry.position, why))
    }

    fn first_failed(&self) -> Option<usize> {
        let unfinished = |fate: &Fate| matches!(fate, Fate::Failed { .. } | Fate::Open(_) | Fate::Enriched(_));
        self.entries.iter().position(|entry| unfinished(&entry.fate))
    }

    /// How many became what. What is open, enriched or refused and not set aside comes again like what failed.
    pub(crate) fn tally(self) -> Tally {
        let mut tally = Tally::default();
        for entry in self.entries {
            match entry.fate {
                Fate::Stored { language } => tally.stored.push(language),
                Fate::Skipped => tally.skipped += 1,
                Fate::SetAside => tally.set_aside += 1,
                Fate::Open(_) | Fate::Enriched(_) | Fate::Refused { .. } | Fate::Failed { .. } => tally.again += 1,
            }
        }
        tally
    }
}

impl Fate {
    fn failed(failure: Failure, id: Option<String>, thread: Option<String>) -> Self {
        match failure {
            Failure::Permanent { code, text } => Self::Refused { id, code, text },
            Failure::Transient(text) => Self::Failed { thread, text },
        }
    }
}

impl Entry {
    fn quarantined(&self, origin: &Origin, time: Timestamp) -> Option<Quarantined> {
        let Fate::Refused { id, code, text } = &self.fate else { return None };
        Some(Quarantined {
            reason: Why { code: (*code).into(), text: text.clone() },
            position: self.position.clone(),
            id: id.clone(),
            bytes: self.data.len(),
            data: Data::of(self.data.clone()),
            cut: false,
            function: origin.function.clone(),
            request_id: origin.request_id.clone(),
            time,
        })
    }
}
