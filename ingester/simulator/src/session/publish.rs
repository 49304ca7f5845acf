//! News on their way out, honest and otherwise.

use super::{Session, array};
use crate::{
    envelope::{Packed, Part},
    item::Ric,
    journal::{End, Entry, Fate},
    messages::{self, Updated},
    text::hash_of,
    world::Release,
};
use std::{fmt::Write, sync::Arc};

mod troubled;

/// The rest of an item that waits for the next one.
pub(super) struct Held {
    parts: Vec<Part>,
    entry: Entry,
    release: Arc<Release>,
}

/// Frames, and the items that are in them.
#[derive(Default)]
pub(super) struct Outgoing {
    frames: Vec<String>,
    entries: Vec<Entry>,
    updates: u64,
    troubles: u64,
    /// Whether the last frame is an array to which another update may be added.
    joinable: bool,
}

impl Outgoing {
    fn frame(&mut self, frame: String) {
        self.frames.push(frame);
        self.joinable = false;
    }

    fn update(&mut self, message: &str) {
        self.updates += 1;
        self.frames.push(array(message));
        self.joinable = true;
    }

    /// In one frame with the update before, if there is one.
    fn joined(&mut self, message: &str) {
        match self.frames.last_mut().filter(|_| self.joinable) {
            Some(frame) => {
                frame.pop();
                let _ = write!(frame, ",{message}]");
                self.updates += 1;
                self.joinable = false;
            }
            None => self.update(message),
        }
    }
}

impl Session {
    /// Sends what was released, and notes it.
    pub(super) async fn publish(&mut self, batch: &mut Vec<Arc<Release>>) -> Result<(), End> {
        let mut out = Outgoing::default();
        for release in batch.drain(..) {
            if self.is_silent() {
                self.lose(&release, &mut out);
            } else if self.world.options.script.trouble.is_empty() {
                self.honest(&release, &mut out);
            } else {
                self.troubled(&release, &mut out).await?;
            }
        }
        self.flush(out).await
    }

    fn honest(&mut self, release: &Arc<Release>, out: &mut Outgoing) {
        for (packed, ids) in self.wanted(release) {
            // In the capture 3 of 125 frames had two updates.
            let joined = hash_of(&[self.world.options.seed, release.number]).is_multiple_of(42);
            for id in ids {
                for (number, fragment) in (1..).zip(&packed.fragments) {
                    let sequence = self.next_sequence();
                    let to = self.to(id, packed.about.ric, release);
                    let about = &packed.about;
                    let message = messages::update_with(&to, sequence, number, &about.id, packed.total, fragment);
                    if joined { out.joined(&message) } else { out.update(&message) }
                }
            }
            out.entries.push(self.entry(&packed, release, true));
        }
    }

    /// What of a release was asked for, and on which streams.
    fn wanted(&self, release: &Arc<Release>) -> Vec<(Arc<Packed>, Vec<i64>)> {
        let packed = [Some(&release.item), release.scores.as_ref()].into_iter().flatten();
        let ids =
            |ric: Ric| self.streams.iter().filter(move |(_, stream)| stream.ric == ric).map(|(id, _)| *id).collect();
        packed
            .map(|packed| (Arc::clone(packed), ids(packed.about.ric)))
            .filter(|(_, ids): &(_, Vec<_>)| !ids.is_empty())
            .collect()
    }

    fn lose(&self, release: &Arc<Release>, out: &mut Outgoing) {
        for (packed, _) in self.wanted(release) {
            out.entries.push(Entry { fate: Fate::Lost, ..self.entry(&packed, release, false) });
        }
    }

    fn to<'a>(&'a self, id: i64, ric: Ric, release: &Release) -> Updated<'a> {
        let options = &self.world.options;
        Updated { id, ric, service: &options.service, source: &options.source, published: release.published }
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 16;
        self.sequence
    }

    /// As it is once everything is out.
    fn entry(&self, packed: &Packed, release: &Release, whole: bool) -> Entry {
        Entry {
            connection: self.link.number,
            number: release.number,
            item: Arc::clone(&packed.about),
            whole,
            fate: Fate::Written,
            repeat: release.repeat,
        }
    }

    /// Writes, then notes; what could not be written is noted as lost.
    async fn flush(&mut self, out: Outgoing) -> Result<(), End> {
        let Outgoing { frames, mut entries, updates, troubles, .. } = out;
        if frames.is_empty() && entries.is_empty() && troubles == 0 {
            return Ok(());
        }
        let bytes = frames.iter().map(|frame| frame.len() as u64).sum::<u64>();
        let result = if frames.is_empty() { Ok(()) } else { self.write(frames).await };
        if result.is_err() {
            for entry in &mut entries {
                entry.fate = Fate::Lost;
            }
        }
        self.world.log.write(|journal| {
            journal.counts.troubles += troubles;
            if result.is_ok() {
                journal.counts.updates += updates;
                journal.counts.bytes += bytes;
            }
            journal.counts.sent += entries.iter().filter(|entry| entry.fate == Fate::Written).count() as u64;
            if journal.keeps_entries {
                journal.entries.extend(entries);
            }
        });
        result
    }
}
