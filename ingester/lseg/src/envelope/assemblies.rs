//! All items that are incomplete, and those that were a moment ago.

use super::{
    Loss, Lost, MAX_HELD, MAX_OPEN, PATIENCE, Part,
    parts::{Parts, Progress},
};
use crate::Ric;
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    time::Instant,
};

/// What keeping an item in mind costs beside its names and parts, roughly.
const COST: usize = 256;

/// All items that are incomplete, and those that were a moment ago: their parts may still be under way.
#[derive(Debug, Default)]
pub(super) struct Assemblies {
    /// By age: all are kept equally long.
    assemblies: BTreeMap<u64, Assembly>,
    by_name: HashMap<String, u64>,
    next: u64,
    held: usize,
    /// Where names are put together.
    name: String,
}

#[derive(Debug)]
struct Assembly {
    ric: Ric,
    guid: String,
    name: String,
    since: Instant,
    phase: Phase,
    /// Another copy of it was whole: nothing is lost with this one.
    spare: bool,
    cost: usize,
}

#[derive(Debug)]
enum Phase {
    Open(Parts),
    Whole,
    GivenUp,
}

/// What came of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Added {
    Whole(Vec<u8>),
    Waiting,
    Repeated,
    Late,
    Lost(Loss),
}

impl Assemblies {
    pub(super) fn add(
        &mut self,
        part: &Part<'_>,
        number: u32,
        total: Option<usize>,
        bytes: &[u8],
        now: Instant,
    ) -> Added {
        let Some(id) = self.id_for(part, number, now) else { return Added::Late };
        let Some(assembly) = self.assemblies.get_mut(&id) else { return Added::Late };
        let Phase::Open(parts) = &mut assembly.phase else { return Added::Late };
        let progress = parts.add(number, total, bytes);
        let added = match progress {
            Progress::Waiting => Added::Waiting,
            Progress::Repeated => Added::Repeated,
            Progress::Lost(_) if assembly.spare => Added::Late,
            Progress::Lost(why) => Added::Lost(why),
            Progress::Whole => Added::Whole(std::mem::take(parts).into_bytes()),
        };
        match added {
            Added::Waiting => self.weigh(id),
            Added::Repeated => {}
            Added::Whole(_) => self.settle(id, Phase::Whole, now),
            Added::Late | Added::Lost(_) => self.settle(id, Phase::GivenUp, now),
        }
        added
    }

    /// The item came whole in another way: what waits of it is of no use.
    pub(super) fn finish(&mut self, part: &Part<'_>, now: Instant) {
        if let Some(id) = self.find(part) {
            self.settle(id, Phase::Whole, now);
        }
    }

    /// Forgets the oldest if its time is up; says so if something is lost with it. None if there is none such.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Option<Lost>> {
        if now < self.deadline()? {
            return None;
        }
        self.pop(Parts::expired)
    }

    /// Forgets the oldest if there is too much; says so if something is lost with it. None if there is room.
    pub(super) fn pop_superfluous(&mut self) -> Option<Option<Lost>> {
        if self.len() <= MAX_OPEN && self.held <= MAX_HELD {
            return None;
        }
        self.pop(|_| Loss::Evicted)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.assemblies.first_key_value().map(|(_, oldest)| oldest.since + PATIENCE)
    }

    pub(super) fn len(&self) -> usize {
        self.assemblies.len()
    }

    pub(super) fn held(&self) -> usize {
        self.held
    }

    fn find(&mut self, part: &Part<'_>) -> Option<u64> {
        // Nearly always: then an item costs no hash.
        if self.by_name.is_empty() {
            return None;
        }
        self.spell(part);
        self.by_name.get(&self.name).copied()
    }

    /// The assembly that a part belongs to; none if its item was given up.
    fn id_for(&mut self, part: &Part<'_>, number: u32, now: Instant) -> Option<u64> {
        let Some(id) = self.find(part) else { return Some(self.start(part, false, now)) };
        match self.assemblies.get(&id)?.phase {
            Phase::Open(_) => Some(id),
            Phase::Whole => Some(self.start(part, true, now)),
            Phase::GivenUp if number == 1 => Some(self.start(part, false, now)),
            Phase::GivenUp => None,
        }
    }

    fn start(&mut self, part: &Part<'_>, spare: bool, now: Instant) -> u64 {
        self.spell(part);
        let (name, guid) = (self.name.clone(), part.guid.to_owned());
        let phase = Phase::Open(Parts::default());
        self.insert(Assembly { ric: part.ric, guid, name, since: now, phase, spare, cost: 0 })
    }

    /// Keeps only what is needed to know a late part. As the time begins anew, it is the youngest.
    fn settle(&mut self, id: u64, phase: Phase, now: Instant) {
        if let Some(assembly) = self.remove(id) {
            self.insert(Assembly { phase, since: now, ..assembly });
        }
    }

    fn insert(&mut self, assembly: Assembly) -> u64 {
        let id = self.next;
        self.next += 1;
        if let Some(old) = self.by_name.insert(assembly.name.clone(), id) {
            self.held -= self.assemblies.remove(&old).map_or(0, |old| old.cost);
        }
        self.held += assembly.cost;
        self.assemblies.insert(id, assembly);
        self.weigh(id);
        id
    }

    fn remove(&mut self, id: u64) -> Option<Assembly> {
        let assembly = self.assemblies.remove(&id)?;
        self.by_name.remove(&assembly.name);
        self.held -= assembly.cost;
        Some(assembly)
    }

    fn weigh(&mut self, id: u64) {
        let Some(assembly) = self.assemblies.get_mut(&id) else { return };
        self.held -= assembly.cost;
        assembly.cost = assembly.weight();
        self.held += assembly.cost;
    }

    fn pop(&mut self, why: impl FnOnce(&Parts) -> Loss) -> Option<Option<Lost>> {
        let oldest = *self.assemblies.first_key_value()?.0;
        let assembly = self.remove(oldest)?;
        Some(match assembly.phase {
            Phase::Open(parts) if !assembly.spare => {
                Some(Lost { ric: assembly.ric, guid: assembly.guid, why: why(&parts) })
            }
            _ => None,
        })
    }

    /// Lengths come first, so that no two keys have the same name.
    fn spell(&mut self, part: &Part<'_>) {
        self.name.clear();
        let _ = write!(self.name, "{} {} {}{}", part.ric.name(), part.source.len(), part.source, part.guid);
    }
}

impl Assembly {
    fn weight(&self) -> usize {
        let parts = if let Phase::Open(parts) = &self.phase { parts.cost() } else { 0 };
        COST + 2 * self.name.len() + self.guid.len() + parts
    }
}
