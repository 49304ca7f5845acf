//! Ending a run between two requests, and never in the middle of one: what is asked of AWS is done there, whether or not
//! anybody waits for the answer.

use std::future::Future;
use tokio::{
    pin, select,
    sync::watch,
    time::{Instant, timeout_at},
};

/// Whether the run is to end.
#[derive(Debug, Clone)]
pub(super) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    pub(super) fn is_so(&self) -> bool {
        *self.0.borrow()
    }

    #[cfg(test)]
    pub(super) fn never() -> Self {
        Self(watch::channel(false).1)
    }

    #[cfg(test)]
    pub(super) fn now() -> Self {
        Self(watch::channel(true).1)
    }

    /// Waits until then, or until the run is to end.
    pub(super) async fn sleep_until(&self, end: Instant) {
        let mut changes = self.0.clone();
        // Whoever could have stopped it may be gone: then nobody does.
        let stopped = async {
            if changes.wait_for(|stopped| *stopped).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let _ = timeout_at(end, stopped).await;
    }
}

/// Does the work to its end, and tells it when `stop` has ended that it is to come soon.
pub(super) async fn until<W: Future>(stop: impl Future<Output = ()>, work: impl FnOnce(Stopping) -> W) -> W::Output {
    let (tell, told) = watch::channel(false);
    let work = work(Stopping(told));
    pin!(work);
    select! {
        done = &mut work => return done,
        () = stop => (),
    }
    tell.send_replace(true);
    work.await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::pending, time::Duration};
    use tokio::task::yield_now;

    #[tokio::test]
    async fn work_that_is_stopped_goes_on_to_its_next_stop() {
        let finished = until(yield_now(), async |stopping: Stopping| {
            for _ in 0..100 {
                yield_now().await;
            }
            let stopped = stopping.is_so();
            stopping.sleep_until(Instant::now() + Duration::from_hours(24)).await;
            stopped
        });
        assert!(finished.await);
    }

    #[tokio::test]
    async fn sleep_that_nobody_stops_ends_by_itself() {
        let end = Instant::now() + Duration::from_millis(5);
        until(pending(), async |stopping: Stopping| stopping.sleep_until(end).await).await;
        Stopping::never().sleep_until(end).await;
        assert!(Instant::now() >= end);
    }
}
