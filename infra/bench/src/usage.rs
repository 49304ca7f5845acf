//! What something took: time by the clock, time on processors, memory.

use std::time::Instant;

use nix::sys::{
    resource::{Usage, UsageWho, getrusage},
    time::TimeVal,
};
use serde::Serialize;

/// The median and the ends of several measurements, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// All zero where nothing was measured.
    pub(crate) fn of(mut measured: Vec<f64>) -> Self {
        measured.sort_by(f64::total_cmp);
        let at = |index: usize| measured.get(index).copied().unwrap_or_default();
        Self { median: at(measured.len() / 2), min: at(0), max: at(measured.len().saturating_sub(1)) }
    }
}

/// Whose processor time is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose {
    Own,
    /// Of child processes that have ended.
    Children,
}

/// Started when it is made.
pub(crate) struct Watch {
    whose: Whose,
    clock: Instant,
    processor: f64,
}

impl Watch {
    pub(crate) fn start(whose: Whose) -> Self {
        Self { whose, clock: Instant::now(), processor: processor_ms(whose) }
    }

    /// Milliseconds by the clock since the start.
    pub(crate) fn wall_ms(&self) -> f64 {
        self.clock.elapsed().as_secs_f64() * 1000.0
    }

    /// Milliseconds on processors since the start, user and system: steady where others use the machine too.
    pub(crate) fn processor_ms(&self) -> f64 {
        processor_ms(self.whose) - self.processor
    }
}

/// The most memory in megabytes: this process's own, or its largest ended child's.
pub(crate) fn peak_mb(whose: Whose) -> f64 {
    let kilobytes = usage(whose).map_or(0, |usage| usage.max_rss());
    f64::from(i32::try_from(kilobytes).unwrap_or(i32::MAX)) / 1024.0
}

fn processor_ms(whose: Whose) -> f64 {
    usage(whose).map_or(0.0, |usage| milliseconds(usage.user_time()) + milliseconds(usage.system_time()))
}

fn usage(whose: Whose) -> Option<Usage> {
    let who = match whose {
        Whose::Own => UsageWho::RUSAGE_SELF,
        Whose::Children => UsageWho::RUSAGE_CHILDREN,
    };
    getrusage(who).ok()
}

#[allow(clippy::cast_precision_loss)] // a measurement is far below 2^53 seconds
fn milliseconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3
}
