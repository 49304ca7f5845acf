//! All items that are incomplete, and those that were a moment ago.

use super::{
    Loss, Lost, MAX_HELD, MAX_OPEN, PATIENCE, Part,
    parts::{Parts, Progress},
};
use crate::Ric;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt::Write,
    time::Instant,
};

/// What keeping an item in mind costs beside its names and parts, roughly.
const COST: usize = 256;

/// All items that are incomplete, and those that were a moment ago: their parts may still be under way.
#[derive(Debug, Default)]
pub(super) struct Assemblies {
    /// All are kept equally long.
    by_age: BTreeMap<u64, Assembly>,
    by_name: HashMap<String, u64>,
    next: u64,
    held: usize,
    lost: VecDeque<Lost>,
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
        let Some(assembly) = self.by_age.get_mut(&id) else { return Added::Late };
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
        self.make_room();
        added
    }

    /// The item came whole in another way: what waits of it is of no use.
    pub(super) fn finish(&mut self, part: &Part<'_>, now: Instant) {
        if let Some(id) = self.find(part) {
            self.settle(id, Phase::Whole, now);
        }
    }

    /// The item has all its bytes, and they are wrong: a later copy of it is not to spare. Says whether this one was.
    pub(super) fn give_up(&mut self, part: &Part<'_>, now: Instant) -> bool {
        let Some(id) = self.find(part) else { return false };
        self.settle(id, Phase::GivenUp, now);
        self.by_age.last_key_value().is_some_and(|(_, assembly)| assembly.spare)
    }

    /// Forgets those whose time is up.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.deadline().is_some_and(|deadline| now >= deadline) {
            self.forget_oldest(Parts::expired);
        }
    }

    /// Forgets all.
    pub(super) fn abandon(&mut self) {
        while self.len() > 0 {
            self.forget_oldest(|_| Loss::Abandoned);
        }
    }

    /// The next that was forgotten although something is lost with it.
    pub(super) fn lost(&mut self) -> Option<Lost> {
        self.lost.pop_front()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.by_age.first_key_value().map(|(_, oldest)| oldest.since + PATIENCE)
    }

    pub(super) fn len(&self) -> usize {
        self.by_age.len()
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
        let Assembly { phase, spare, .. } = self.by_age.get(&id)?;
        match (phase, *spare) {
            (Phase::Open(_), _) => Some(id),
            (Phase::Whole, _) => Some(self.start(part, true, now)),
            (Phase::GivenUp, spare) if number == 1 => Some(self.start(part, spare, now)),
            (Phase::GivenUp, _) => None,
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
            self.held -= self.by_age.remove(&old).map_or(0, |old| old.cost);
        }
        self.held += assembly.cost;
        self.by_age.insert(id, assembly);
        self.weigh(id);
        id
    }

    fn remove(&mut self, id: u64) -> Option<Assembly> {
        let assembly = self.by_age.remove(&id)?;
        self.by_name.remove(&assembly.name);
        self.held -= assembly.cost;
        Some(assembly)
    }

    fn weigh(&mut self, id: u64) {
        let Some(assembly) = self.by_age.get_mut(&id) else { return };
        self.held -= assembly.cost;
        assembly.cost = assembly.weight();
        self.held += assembly.cost;
    }

    /// Forgets the oldest while there is too much.
    fn make_room(&mut self) {
        while self.len() > MAX_OPEN || self.held > MAX_HELD {
            self.forget_oldest(|_| Loss::Evicted);
        }
    }

    fn forget_oldest(&mut self, why: impl FnOnce(&Parts) -> Loss) {
        let oldest = self.by_age.first_key_value().map(|(id, _)| *id);
        let Some(assembly) = oldest.and_then(|id| self.remove(id)) else { return };
        if let Phase::Open(parts) = assembly.phase
            && !assembly.spare
        {
            self.lost.push_back(Lost { ric: assembly.ric, guid: assembly.guid, why: why(&parts) });
        }
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
