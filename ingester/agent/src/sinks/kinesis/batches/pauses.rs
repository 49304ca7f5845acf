//! Pauses: of records that failed alone, and of all requests when some failed as a whole.

use super::{Lane, Pace};
use runtime::Backoff;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// The first pause of a record that failed is at most this: a shard's limits are for a second (Kinesis API, PutRecords).
const FIRST: Duration = Duration::from_millis(50);

/// No pause of a record is longer.
const LONGEST: Duration = Duration::from_secs(5);

/// After so many requests in a row that were refused as invalid it is not a record that is wrong: halving 500 until
/// one is alone takes nine.
const REFUSED_IN_A_ROW: u32 = 16;

/// Lanes whose first record failed, and when they go again. Those that failed together go together.
#[derive(Debug, Default)]
pub(super) struct Sleeping {
    groups: BTreeMap<(Instant, u64), Vec<Lane>>,
    added: u64,
}

impl Sleeping {
    /// Puts lanes to sleep, the longer the more often they were sent.
    pub(super) fn add(&mut self, lanes: Vec<Lane>, sends: u32, now: Instant) {
        let bound = FIRST.saturating_mul(1 << sends.saturating_sub(1).min(10));
        let pause = backoff(bound, LONGEST).next_pause();
        self.added += 1;
        self.groups.insert((now + pause, self.added), lanes);
    }

    /// A group whose time has come.
    pub(super) fn wake(&mut self, now: Instant) -> Option<Vec<Lane>> {
        let first = self.groups.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }

    /// When the next wakes.
    pub(super) fn next(&self) -> Option<Instant> {
        self.groups.first_key_value().map(|((at, _), _)| *at)
    }
}

/// How requests as such fare.
#[derive(Debug, Default)]
pub(super) struct Calls {
    failing: Option<(Pace, Backoff)>,
    held_until: Option<Instant>,
    /// Requests that were on their way together fail together: only the first of a round makes the pause longer.
    round: u64,
    refused_in_a_row: u32,
}

impl Calls {
    pub(super) fn round(&self) -> u64 {
        self.round
    }

    pub(super) fn are_failing(&self) -> bool {
        self.failing.is_some()
    }

    pub(super) fn are_held(&self, now: Instant) -> bool {
        self.held_until.is_some_and(|until| until > now)
    }

    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held_until
    }

    /// One was answered, whatever became of its records.
    pub(super) fn answered(&mut self) {
        self.failing = None;
        self.held_until = None;
    }

    /// At least one record was accepted.
    pub(super) fn accepted(&mut self) {
        self.refused_in_a_row = 0;
    }

    /// One failed as a whole.
    pub(super) fn failed(&mut self, round: u64, pace: Pace, now: Instant) {
        if round != self.round {
            return;
        }
        self.round += 1;
        let backoff = match self.failing.take() {
            Some((same, backoff)) if same == pace => backoff,
            _ => pace.backoff(),
        };
        let (_, backoff) = self.failing.insert((pace, backoff));
        self.held_until = Some(now + backoff.next_pause());
    }

    /// One was refused as invalid; `again` if it is known which record is to blame.
    pub(super) fn refused(&mut self, round: u64, again: bool, now: Instant) {
        if !again {
            self.refused_in_a_row += 1;
        }
        if self.refused_in_a_row > REFUSED_IN_A_ROW {
            self.failed(round, Pace::Slow, now);
        } else {
            self.answered();
        }
    }
}

impl Pace {
    fn backoff(self) -> Backoff {
        match self {
            Self::Soon => backoff(Duration::from_millis(100), Duration::from_secs(5)),
            Self::Slow => backoff(Duration::from_secs(1), Duration::from_secs(30)),
        }
    }
}

fn backoff(first: Duration, longest: Duration) -> Backoff {
    let backoff = Backoff::new(first, longest);
    if cfg!(test) { backoff.seeded(7) } else { backoff }
}
