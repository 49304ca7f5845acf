//! The streams of the RICs: asked for, open, or waiting to be asked for again.

use super::{Again, ITEM_TIMEOUT, Output, Ric, Session};
use crate::{
    message::{Key, Kind, Message},
    request,
    state::{self, Code},
};
use std::time::{Duration, Instant};

/// The first pause, before jitter.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause, before jitter.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How long a stream must stand for the pauses to begin anew.
const HEALTHY: Duration = Duration::from_mins(1);

/// After how long a refused RIC is asked for again, while another is open.
const LATE: Duration = Duration::from_mins(15);

/// After how many failures in a row another connection is better, unless the server says that the stream comes back.
const PATIENCE: u32 = 5;

/// The streams of the RICs.
#[derive(Debug)]
pub(super) struct Streams {
    all: Vec<Stream>,
    /// The request that asked for several; the answer to it is its own.
    batch: Option<i64>,
    /// Whether the server takes requests for several.
    pub(super) batches: bool,
    next_id: i64,
    random: u64,
}

#[derive(Debug)]
struct Stream {
    ric: Ric,
    /// What it is asked for by: its RIC, unless the server said otherwise.
    name: String,
    service: Option<String>,
    id: i64,
    phase: Phase,
    suspect: bool,
    /// How often it failed since it last stood long enough.
    failures: u32,
    /// How often in a row without a word that it comes back.
    hopeless: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nobody has logged in yet.
    Idle,
    Asked {
        until: Instant,
    },
    Open {
        since: Instant,
    },
    Waiting {
        until: Instant,
    },
    /// The server won't have it; the others go on without it.
    Refused {
        until: Instant,
    },
}

impl Streams {
    pub(super) fn new(rics: &[Ric], service: Option<&str>, seed: u64) -> Self {
        let stream = |ric: &Ric| Stream {
            ric: *ric,
            name: ric.name().into(),
            service: service.map(Into::into),
            id: 0,
            phase: Phase::Idle,
            suspect: false,
            failures: 0,
            hopeless: 0,
        };
        Self {
            all: rics.iter().map(stream).collect(),
            batch: None,
            batches: true,
            next_id: request::LOGIN + 1,
            random: seed,
        }
    }

    /// What an id is about, if it stands.
    pub(super) fn ric(&self, id: i64) -> Option<Ric> {
        self.index(id).map(|index| self.all[index].ric)
    }

    /// The ids that the server knows.
    pub(super) fn standing(&self) -> Vec<i64> {
        self.all.iter().filter(|stream| stream.stands()).map(|stream| stream.id).collect()
    }

    pub(super) fn suspect(&self) -> bool {
        self.all.iter().any(|stream| stream.suspect)
    }

    /// Whether all are open that the feed can't do without.
    pub(super) fn all_open(&self) -> bool {
        let open = |(index, stream): (usize, &Stream)| {
            matches!(stream.phase, Phase::Open { .. }) || self.can_do_without(index)
        };
        !self.all.is_empty() && self.all.iter().enumerate().all(open)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.all.iter().filter_map(Stream::deadline).min()
    }

    fn index(&self, id: i64) -> Option<usize> {
        self.all.iter().position(|stream| stream.id == id && stream.stands())
    }

    /// Whether the feed is worth its connection without this one: a feed of stories isn't without its stories.
    fn can_do_without(&self, index: usize) -> bool {
        let alive = |stream: &Stream| !matches!(stream.phase, Phase::Refused { .. });
        let others = self.all.iter().enumerate().any(|(other, stream)| other != index && alive(stream));
        others && self.all[index].ric != Ric::Story
    }

    /// A pause before the next attempt: up to twice as long each time, "full jitter".
    fn pause(&mut self, failures: u32) -> Duration {
        let longest = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
        longest.mul_f64(self.fraction())
    }

    /// SplitMix64, as a number from 0 to below 1.
    fn fraction(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let upper = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or_default();
        f64::from(upper) / (f64::from(u32::MAX) + 1.0)
    }
}

impl Stream {
    /// Whether the server knows its id.
    fn stands(&self) -> bool {
        matches!(self.phase, Phase::Asked { .. } | Phase::Open { .. })
    }

    fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Idle | Phase::Open { .. } => None,
            Phase::Asked { until } | Phase::Waiting { until } | Phase::Refused { until } => Some(until),
        }
    }

    fn asked(&mut self, id: i64, now: Instant) {
        self.id = id;
        self.phase = Phase::Asked { until: now + ITEM_TIMEOUT };
    }

    fn opened(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Open { .. }) {
            self.phase = Phase::Open { since: now };
        }
    }

    fn failed(&mut self, now: Instant) -> u32 {
        if matches!(self.phase, Phase::Open { since } if now.saturating_duration_since(since) >= HEALTHY) {
            (self.failures, self.hopeless) = (0, 0);
        }
        let failures = self.failures;
        self.failures = failures.saturating_add(1);
        self.suspect = false;
        failures
    }

    fn rename(&mut self, key: &Key<'_>) {
        if let Some(name) = &key.name {
            self.name = name.clone().into_owned();
        }
        if let Some(service) = &key.service {
            self.service = Some(service.clone().into_owned());
        }
    }
}

impl Session {
    /// Asks for all RICs.
    pub(super) fn ask(&mut self, now: Instant, out: &mut Vec<Output>) {
        let count = self.streams.all.len();
        if count > 1 && self.streams.batches {
            return self.ask_for_several(now, out);
        }
        for index in 0..count {
            self.ask_for_one(index, now, out);
        }
    }

    pub(super) fn stream_state(&mut self, id: i64, message: &Message<'_>, now: Instant, out: &mut Vec<Output>) {
        let Some(state) = &message.state else { return };
        if self.streams.batch == Some(id) {
            return self.batch_state(state, now, out);
        }
        let Some(index) = self.streams.index(id) else { return };
        let why = format!("{}: {}", self.streams.all[index].ric.name(), self.masked(&state.to_string()));
        if state.code == Code::GapDetected {
            out.push(Output::Gap(why.clone()));
        }
        let stream = &mut self.streams.all[index];
        let open = message.kind == Kind::Refresh;
        match state.of_item() {
            state::Item::Unchanged => {}
            health @ (state::Item::Healthy | state::Item::Suspect) => {
                stream.suspect = health == state::Item::Suspect;
                if open {
                    stream.opened(now);
                }
            }
            state::Item::Again if state.stream == state::Stream::ClosedRecover => self.recover(index, why, now, out),
            state::Item::Again => self.wait(index, why, now, out),
            state::Item::Redirected => {
                stream.rename(&message.key());
                self.wait(index, why, now, out);
            }
            state::Item::Late => self.refused(index, why, now, out),
        }
    }

    pub(super) fn stream_error(&mut self, id: i64, why: &str, now: Instant, out: &mut Vec<Output>) {
        let asked = self.streams.all.iter().position(|stream| stream.id == id && stream.stands());
        if let Some(index) = asked.filter(|index| matches!(self.streams.all[*index].phase, Phase::Asked { .. })) {
            self.wait(index, why.into(), now, out);
        }
    }

    pub(super) fn tick_streams(&mut self, now: Instant, out: &mut Vec<Output>) {
        for index in 0..self.streams.all.len() {
            let stream = &self.streams.all[index];
            if self.over || stream.deadline().is_none_or(|until| now < until) {
                continue;
            }
            if let Phase::Asked { .. } = stream.phase {
                let why = format!("{}: no answer within {} seconds", stream.ric.name(), ITEM_TIMEOUT.as_secs());
                self.send(request::close(stream.id), out);
                self.wait(index, why, now, out);
            } else {
                self.ask_for_one(index, now, out);
            }
        }
    }

    fn ask_for_one(&mut self, index: usize, now: Instant, out: &mut Vec<Output>) {
        let id = self.streams.next_id;
        self.streams.next_id += 1;
        let stream = &mut self.streams.all[index];
        stream.asked(id, now);
        let frame = request::news(id, &[&stream.name], stream.service.as_deref());
        self.send(frame, out);
    }

    fn ask_for_several(&mut self, now: Instant, out: &mut Vec<Output>) {
        let id = self.streams.next_id;
        let mut next = id + 1;
        for stream in &mut self.streams.all {
            stream.asked(next, now);
            next += 1;
        }
        self.streams.next_id = next;
        self.streams.batch = Some(id);
        let names: Vec<&str> = self.streams.all.iter().map(|stream| stream.name.as_str()).collect();
        self.send(request::news(id, &names, self.options.service.as_deref()), out);
    }

    /// The answer to a request for several. The good one is that its own stream ends.
    fn batch_state(&mut self, state: &state::State<'_>, now: Instant, out: &mut Vec<Output>) {
        if state.is_batch_accepted() || matches!(state.of_item(), state::Item::Healthy | state::Item::Unchanged) {
            return;
        }
        self.streams.batch = None;
        let one_by_one = state.code.refuses_batches();
        let why = self.masked(&state.to_string());
        for index in 0..self.streams.all.len() {
            let stream = &self.streams.all[index];
            if self.over || !matches!(stream.phase, Phase::Asked { .. }) {
                continue;
            }
            if one_by_one {
                self.ask_for_one(index, now, out);
                continue;
            }
            let why = format!("{}: {why}", stream.ric.name());
            if state.code.lasts() { self.refused(index, why, now, out) } else { self.wait(index, why, now, out) }
        }
    }

    /// It ended, and will be asked for again; on another connection, if that was often in vain.
    fn wait(&mut self, index: usize, why: String, now: Instant, out: &mut Vec<Output>) {
        let stream = &mut self.streams.all[index];
        let failures = stream.failed(now);
        stream.hopeless = stream.hopeless.saturating_add(1);
        if stream.hopeless >= PATIENCE && !self.streams.can_do_without(index) {
            return self.end(why, Again::Soon, out);
        }
        self.pause(index, failures, why, now, out);
    }

    /// It ended, and comes back here by the server's own word.
    fn recover(&mut self, index: usize, why: String, now: Instant, out: &mut Vec<Output>) {
        let stream = &mut self.streams.all[index];
        let failures = stream.failed(now);
        stream.hopeless = 0;
        self.pause(index, failures, why, now, out);
    }

    fn pause(&mut self, index: usize, failures: u32, why: String, now: Instant, out: &mut Vec<Output>) {
        let until = now + self.streams.pause(failures);
        self.streams.all[index].phase = Phase::Waiting { until };
        if self.streams.can_do_without(index) {
            out.push(Output::Refused(why));
        } else {
            self.down(why, out);
        }
    }

    /// The server won't have it.
    fn refused(&mut self, index: usize, why: String, now: Instant, out: &mut Vec<Output>) {
        if !self.streams.can_do_without(index) {
            return self.end(why, Again::Late, out);
        }
        let stream = &mut self.streams.all[index];
        stream.failed(now);
        stream.phase = Phase::Refused { until: now + LATE };
        out.push(Output::Refused(why));
    }
}
