//! Pings, and the end of patience.
//!
//! From LSEG's WebSocket API protocol specification, 1.4, and its example `market_price_ping.py`: after a third of the
//! server's time-out without anything received one asks, after the whole of it the connection is dead.

use super::PING_TIMEOUT;
use std::time::{Duration, Instant};

/// The longest time-out that is believed.
const LONGEST: Duration = Duration::from_hours(1);

/// Listens for life.
#[derive(Debug)]
pub(super) struct Pulse {
    timeout: Duration,
    heard: Instant,
    asked: Instant,
}

/// How the connection is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Fine,
    /// A ping is due.
    Ask,
    /// Nothing came for so long.
    Dead(Duration),
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Self {
        Self { timeout: PING_TIMEOUT, heard: now, asked: now }
    }

    /// The server says how long it bears silence, in seconds.
    pub(super) fn set_timeout(&mut self, seconds: u64) {
        if seconds > 0 {
            self.timeout = Duration::from_secs(seconds).min(LONGEST);
        }
    }

    /// Anything came.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    pub(super) fn beat(&mut self, now: Instant) -> Beat {
        let silence = now.saturating_duration_since(self.heard);
        if silence >= self.timeout {
            return Beat::Dead(silence);
        }
        if now < self.next_ping() {
            return Beat::Fine;
        }
        self.asked = now;
        Beat::Ask
    }

    pub(super) fn deadline(&self) -> Instant {
        self.next_ping().min(self.heard + self.timeout)
    }

    fn next_ping(&self) -> Instant {
        self.heard.max(self.asked) + self.timeout / 3
    }
}
