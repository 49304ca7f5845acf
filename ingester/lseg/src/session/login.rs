//! The login's stream.

use super::{Again, LOGIN_TIMEOUT, Output, Session};
use crate::{
    message::{Kind, Message},
    state::{self, Code},
};
use std::time::Instant;

/// The login's stream.
#[derive(Debug)]
pub(super) struct Login {
    phase: Phase,
    pub(super) suspect: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// For an answer, or for a good one.
    Waiting {
        until: Instant,
        answered: bool,
    },
    Done,
}

impl Login {
    pub(super) fn new(now: Instant) -> Self {
        Self { phase: Phase::Waiting { until: now + LOGIN_TIMEOUT, answered: false }, suspect: false }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.phase != Phase::Done
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        if let Phase::Waiting { until, .. } = self.phase { Some(until) } else { None }
    }

    /// True once: with the first good state after an answer.
    fn succeed(&mut self) -> bool {
        let first = matches!(self.phase, Phase::Waiting { answered: true, .. });
        if first {
            self.phase = Phase::Done;
        }
        first
    }

    fn answered(&mut self) {
        if let Phase::Waiting { answered, .. } = &mut self.phase {
            *answered = true;
        }
    }
}

impl Session {
    pub(super) fn login_state(&mut self, message: &Message<'_>, now: Instant, out: &mut Vec<Output>) {
        if message.kind == Kind::Refresh {
            self.login.answered();
            self.learn(message);
        }
        let Some(state) = &message.state else { return };
        let why = || format!("login: {}", self.masked(&state.to_string()));
        if state.code == Code::GapDetected {
            out.push(Output::Gap(why()));
        }
        match state.of_login() {
            state::Login::Unchanged => {}
            state::Login::Suspect => self.login.suspect = true,
            state::Login::Healthy => {
                self.login.suspect = false;
                if self.login.succeed() {
                    self.ask(now, out);
                }
            }
            state::Login::Again => self.end(why(), Again::Soon, out),
            state::Login::Late => self.end(why(), Again::Late, out),
        }
    }

    pub(super) fn tick_login(&mut self, now: Instant, out: &mut Vec<Output>) {
        let late = self.login.deadline().is_some_and(|until| now >= until);
        if late {
            let why = format!("no good answer to the login within {} seconds", LOGIN_TIMEOUT.as_secs());
            self.end(why, Again::Soon, out);
        }
    }

    fn learn(&mut self, message: &Message<'_>) {
        let server = message.server();
        if let Some(seconds) = server.ping_timeout {
            self.pulse.set_timeout(seconds);
        }
        if let Some(bytes) = server.max_message.filter(|bytes| *bytes > 0) {
            self.max_message = usize::try_from(bytes).unwrap_or(usize::MAX);
        }
        if let Some(batches) = server.batches {
            self.streams.batches = batches;
        }
    }
}
