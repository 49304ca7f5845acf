//! What all tasks of a poller share.

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    checkpoints::{Counts, Progress},
    mapping::Mapping,
    notice::Notice,
    options::Options,
};
use crate::lock;

/// A mapping at work.
pub(super) struct Job<S, I, D> {
    pub(super) mapping: Mapping,
    pub(super) options: Options,
    pub(super) source: S,
    pub(super) function: I,
    pub(super) destination: D,
    pub(super) progress: Arc<Mutex<Progress>>,
    /// How long what is under way may still take, once the poller is to stop.
    pub(super) stopping: watch::Receiver<Option<Duration>>,
}

/// What ends early breaks: the poller stops.
pub(super) type Flow<T = ()> = ControlFlow<(), T>;

impl<S, I, D> Job<S, I, D> {
    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        lock(&self.progress)
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.progress().counts);
    }

    /// Tells the observer, if there is one.
    pub(super) fn tell(&self, notice: impl FnOnce() -> Notice) {
        if let Some(observer) = &self.options.observer {
            observer(&notice());
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.options.clock)()
    }

    /// Waits, or breaks when the poller stops.
    pub(super) async fn pause(&self, pause: Duration) -> Flow {
        if self.stopping.borrow().is_some() {
            return ControlFlow::Break(());
        }
        if pause.is_zero() {
            return ControlFlow::Continue(());
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => ControlFlow::Continue(()),
            () = self.stopped() => ControlFlow::Break(()),
        }
    }

    /// Does what can be left off, or breaks when the poller stops.
    pub(super) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Flow<T> {
        tokio::select! {
            biased;
            () = self.stopped() => ControlFlow::Break(()),
            done = work => ControlFlow::Continue(done),
        }
    }

    /// Returns when the poller is to stop, also because its handle is gone.
    pub(super) async fn stopped(&self) {
        let _ = self.stopping.clone().wait_for(Option::is_some).await;
    }
}
