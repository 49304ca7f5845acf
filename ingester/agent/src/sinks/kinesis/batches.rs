//! Which records go into the next request: no socket, no clock.
//!
//! The rule of order: while a record of a thread is on its way or has failed, later ones of that thread wait.
//! PutRecords may fail the first and take the second (Kinesis API, PutRecords), so a request has one record of a thread
//! at most. Other threads go on.
//!
//! A record that Kinesis fails alone goes again after a pause of its own. A request that fails as a whole pauses all,
//! and then one request at a time tries whether Kinesis is back. A request that is refused as invalid is halved until
//! it is known because of which record. A request that has no answer in time may be too large for the line: those after
//! it are half as large, and twice as large again with each answer.

mod pauses;
#[cfg(test)]
mod tests;
mod window;

pub(super) use self::window::Held;

use self::{
    pauses::{Calls, Sleeping},
    window::Window,
};
use crate::outbox::Record;
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    time::Duration,
};
use tokio::time::Instant;

/// Requests are not made smaller than this because of a slow line, bytes.
const SMALLEST: usize = 64 << 10;

/// What a request may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The most records of a request.
    pub(super) records: usize,
    /// The most bytes of a request, partition keys included. A record that is larger by itself goes alone.
    pub(super) bytes: usize,
    /// How many requests may be on their way.
    pub(super) in_flight: usize,
    /// How long a record waits for others while a request is on its way. When none is, it goes at once: the wait is
    /// worth it only when requests are what is short.
    pub(super) linger: Duration,
}

/// How long to leave Kinesis alone after a request that failed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// It will pass by itself.
    Soon,
    /// Somebody has to do something first.
    Slow,
}

/// A lane's place.
type Lane = usize;

/// The records of a thread that wait, by arrival. The first may be on its way.
#[derive(Debug, Default)]
struct Waiting {
    arrivals: VecDeque<u64>,
    /// How often the first was sent.
    sends: u32,
    /// How many records had been accepted when the first was refused alone, as invalid.
    suspected: Option<u64>,
}

/// Whose turn it is, since when. The size is its first record's.
#[derive(Debug, Clone, Copy)]
struct Turn {
    lane: Lane,
    since: Instant,
    size: usize,
}

/// What goes, at most one record of a thread. It is given back with its answer.
#[derive(Debug)]
pub(super) struct Request {
    lanes: Vec<Lane>,
    /// Its records, for [`Batches::get`].
    pub(super) arrivals: Vec<u64>,
    /// How many of them went before.
    pub(super) resent: usize,
    /// It is a part of one that was refused, and stays as it is.
    trial: bool,
    /// How many bytes it might have had.
    allowed: usize,
    round: u64,
}

/// The window of records that Kinesis doesn't have yet.
#[derive(Debug)]
pub(super) struct Batches {
    limits: Limits,
    /// The most bytes of a request for now.
    bytes: usize,
    window: Window,
    threads: HashMap<String, Lane>,
    lanes: Vec<Waiting>,
    free: Vec<Lane>,
    ready: VecDeque<Turn>,
    ready_bytes: usize,
    trials: VecDeque<Vec<Lane>>,
    sleeping: Sleeping,
    calls: Calls,
    in_flight: usize,
    accepted: u64,
}

impl Batches {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            bytes: limits.bytes,
            window: Window::default(),
            threads: HashMap::new(),
            lanes: Vec::new(),
            free: Vec::new(),
            ready: VecDeque::new(),
            ready_bytes: 0,
            trials: VecDeque::new(),
            sleeping: Sleeping::default(),
            calls: Calls::default(),
            in_flight: 0,
            accepted: 0,
        }
    }

    /// The records, in the order they came.
    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    /// The records, to note where else they are.
    pub(super) fn window_mut(&mut self) -> &mut Window {
        &mut self.window
    }

    /// A record of a request.
    pub(super) fn get(&self, arrival: u64) -> &Record {
        &self.window.get(arrival).record
    }

    /// Takes a record behind all that came before; `number` if it is on disk as well.
    pub(super) fn push(&mut self, record: Record, number: Option<u64>, now: Instant) {
        let lane = match self.threads.entry(record.thread.clone()) {
            Entry::Occupied(lane) => *lane.get(),
            Entry::Vacant(thread) => {
                let lane = self.free.pop().unwrap_or(self.lanes.len());
                if lane == self.lanes.len() {
                    self.lanes.push(Waiting::default());
                }
                *thread.insert(lane)
            }
        };
        let arrival = self.window.push(record, number, now);
        self.lanes[lane].arrivals.push_back(arrival);
        if self.lanes[lane].arrivals.len() == 1 {
            self.take_turn(lane, now);
        }
    }

    /// The next request, if there is reason for one now.
    pub(super) fn next(&mut self, now: Instant) -> Option<Request> {
        if self.calls.are_held(now) || self.in_flight >= self.allowed() {
            return None;
        }
        self.wake(now);
        let (lanes, trial) = match self.trials.pop_front() {
            Some(lanes) => (lanes, true),
            None => (self.gather(now)?, false),
        };
        self.in_flight += 1;
        let arrivals = lanes.iter().map(|lane| self.lanes[*lane].first()).collect();
        let resent = lanes.iter().filter(|lane| self.lanes[**lane].sends > 0).count();
        for lane in &lanes {
            self.lanes[*lane].sends += 1;
        }
        Some(Request { lanes, arrivals, resent, trial, allowed: self.bytes, round: self.calls.round() })
    }

    /// When [`next`](Self::next) should be asked again if nothing else happens; `None` if there is no use in it.
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        if self.in_flight >= self.allowed() {
            return None;
        }
        let trial = (!self.trials.is_empty()).then_some(now);
        let ready = self.ready.front().map(|turn| if self.is_full() { now } else { self.due(*turn) });
        let earliest = [trial, ready, self.sleeping.next()].into_iter().flatten().min()?;
        Some(self.calls.held_until().map_or(earliest, |held| held.max(earliest)))
    }

    /// Kinesis answered: for each record, whether it has it. What it has is given back; the others go again, after a
    /// pause.
    pub(super) fn answered(&mut self, request: &Request, accepted: &[bool], now: Instant) -> Vec<Held> {
        self.in_flight -= 1;
        self.calls.answered();
        self.bytes = self.bytes.saturating_mul(2).min(self.limits.bytes);
        let mut taken = Vec::with_capacity(request.lanes.len());
        let mut failed = Vec::new();
        for (lane, accepted) in request.lanes.iter().zip(accepted) {
            if *accepted {
                taken.push(self.remove_first(*lane, now));
            } else {
                failed.push(*lane);
            }
        }
        if !taken.is_empty() {
            self.accepted += taken.len() as u64;
            self.calls.accepted();
        }
        self.put_to_sleep(failed, now);
        taken
    }

    /// It failed as a whole: all of it goes again, and nothing before a pause.
    pub(super) fn failed(&mut self, request: Request, pace: Pace, now: Instant) {
        self.in_flight -= 1;
        self.calls.failed(request.round, pace, now);
        if request.trial {
            self.trials.push_front(request.lanes);
        } else {
            self.return_turns(&request.lanes);
        }
    }

    /// It had no answer in time: it [failed](Self::failed), and the next are smaller. Of those that were on their way
    /// together one counts.
    pub(super) fn late(&mut self, mut request: Request, now: Instant) {
        let half = (request.allowed / 2).max(SMALLEST).min(self.limits.bytes);
        self.bytes = self.bytes.min(half);
        if request.trial && request.lanes.len() > 1 {
            let right = request.lanes.split_off(request.lanes.len() / 2);
            self.trials.push_front(right);
        }
        self.failed(request, Pace::Soon, now);
    }

    /// It was refused as invalid, which one record alone may be the reason of: the halves go for themselves.
    ///
    /// A record that is refused alone is given back, but only if others were accepted between two refusals of it: when
    /// Kinesis takes nothing at all, it is not the record that is wrong.
    pub(super) fn invalid(&mut self, mut request: Request, now: Instant) -> Option<Held> {
        self.in_flight -= 1;
        if let [lane] = *request.lanes {
            self.calls.refused(request.round, self.lanes[lane].suspected.is_some(), now);
            return self.suspect(lane, now);
        }
        self.calls.refused(request.round, false, now);
        let right = request.lanes.split_off(request.lanes.len() / 2);
        self.trials.push_front(right);
        self.trials.push_front(request.lanes);
        None
    }

    /// Whether the last request failed as a whole, or too many were refused.
    pub(super) fn is_failing(&self) -> bool {
        self.calls.are_failing()
    }

    fn suspect(&mut self, lane: Lane, now: Instant) -> Option<Held> {
        let accepted = self.accepted;
        match self.lanes[lane].suspected {
            Some(then) if accepted > then => return Some(self.remove_first(lane, now)),
            Some(_) => (),
            None => self.lanes[lane].suspected = Some(accepted),
        }
        self.put_to_sleep(vec![lane], now);
        None
    }

    /// Takes the first of a lane away; the next has its turn.
    fn remove_first(&mut self, lane: Lane, now: Instant) -> Held {
        let waiting = &mut self.lanes[lane];
        let arrival = waiting.arrivals.pop_front().expect("a record was sent of each lane of a request");
        waiting.sends = 0;
        waiting.suspected = None;
        let held = self.window.remove(arrival);
        if self.lanes[lane].arrivals.is_empty() {
            self.threads.remove(&held.record.thread);
            self.free.push(lane);
        } else {
            self.take_turn(lane, now);
        }
        held
    }

    fn take_turn(&mut self, lane: Lane, since: Instant) {
        let size = self.get(self.lanes[lane].first()).size();
        self.ready_bytes += size;
        self.ready.push_back(Turn { lane, since, size });
    }

    /// Before all others: what went before is older.
    fn return_turns(&mut self, lanes: &[Lane]) {
        for lane in lanes.iter().rev() {
            let arrival = self.lanes[*lane].first();
            let (since, size) = (self.window.get(arrival).since, self.get(arrival).size());
            self.ready_bytes += size;
            self.ready.push_front(Turn { lane: *lane, since, size });
        }
    }

    fn put_to_sleep(&mut self, lanes: Vec<Lane>, now: Instant) {
        if let Some(sends) = lanes.iter().map(|lane| self.lanes[*lane].sends).max() {
            self.sleeping.add(lanes, sends, now);
        }
    }

    fn wake(&mut self, now: Instant) {
        while let Some(lanes) = self.sleeping.wake(now) {
            // Together with others it would spoil their request.
            let (suspects, others): (Vec<_>, Vec<_>) =
                lanes.into_iter().partition(|lane| self.lanes[*lane].suspected.is_some());
            self.trials.extend(suspects.into_iter().map(|lane| vec![lane]));
            self.return_turns(&others);
        }
    }

    /// From the front as many as a request takes, if it is full or the first has waited long enough.
    fn gather(&mut self, now: Instant) -> Option<Vec<Lane>> {
        let first = *self.ready.front()?;
        if !self.is_full() && self.due(first) > now {
            return None;
        }
        let (mut lanes, mut bytes) = (Vec::new(), 0);
        while let Some(turn) = self.ready.front()
            && lanes.len() < self.limits.records
            && (lanes.is_empty() || bytes + turn.size <= self.bytes)
        {
            bytes += turn.size;
            lanes.push(turn.lane);
            self.ready.pop_front();
        }
        self.ready_bytes -= bytes;
        Some(lanes)
    }

    fn is_full(&self) -> bool {
        self.ready.len() >= self.limits.records || self.ready_bytes >= self.bytes
    }

    fn due(&self, turn: Turn) -> Instant {
        if self.in_flight == 0 { turn.since } else { turn.since + self.limits.linger }
    }

    fn allowed(&self) -> usize {
        if self.calls.are_failing() { 1 } else { self.limits.in_flight }
    }
}

impl Waiting {
    fn first(&self) -> u64 {
        *self.arrivals.front().expect("a lane in use has a record")
    }
}
