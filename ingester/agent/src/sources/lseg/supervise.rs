//! Coming back, with pauses, for ever.

use super::Timings;
use runtime::Backoff;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// What became of an attempt to be connected.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Why it ended, without secrets.
    pub(super) why: String,
    /// How long it delivered.
    pub(super) healthy: Duration,
    pub(super) next: Next,
}

/// When the next attempt makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// After the usual pause, which grows from attempt to attempt.
    Soon,
    /// When somebody may have changed something.
    Late,
    /// Not before that: it was said so, or is known from another attempt.
    At(Instant),
}

/// A connection that can be made again and again.
pub(super) trait Link {
    /// Connects, and delivers until the connection ends.
    fn attempt(&mut self) -> impl Future<Output = Outcome>;

    /// There will be a pause, and why.
    fn pausing(&self, why: &str, pause: Duration);
}

/// Attempts one after the other until it is told to stop. The link notices that by itself and says goodbye; a pause ends
/// at once.
pub(super) async fn keep_up(mut link: impl Link, timings: &Timings, stop: &CancellationToken) {
    let mut backoff = timings.backoff();
    while !stop.is_cancelled() {
        let outcome = link.attempt().await;
        if stop.is_cancelled() {
            return;
        }
        if outcome.healthy >= timings.healthy {
            backoff = timings.backoff();
        }
        let until = until(outcome.next, &mut backoff, timings.late);
        link.pausing(&outcome.why, until.saturating_duration_since(Instant::now()));
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep_until(until) => {}
        }
    }
}

fn until(next: Next, backoff: &mut Backoff, late: Duration) -> Instant {
    match next {
        Next::Soon => Instant::now() + backoff.next_pause(),
        Next::Late => Instant::now() + late,
        Next::At(at) => at.max(Instant::now()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        collections::VecDeque,
        sync::{Arc, Mutex},
    };

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A link with its outcomes in advance: how long each takes, how much of that was healthy, what comes next.
    struct Scripted {
        script: VecDeque<(Duration, Next)>,
        pauses: Arc<Mutex<Vec<Duration>>>,
        stop: CancellationToken,
    }

    impl Link for Scripted {
        async fn attempt(&mut self) -> Outcome {
            let Some((healthy, next)) = self.script.pop_front() else {
                self.stop.cancel();
                return Outcome { why: String::new(), healthy: Duration::ZERO, next: Next::Soon };
            };
            tokio::time::sleep(healthy).await;
            Outcome { why: "cut".into(), healthy, next }
        }

        fn pausing(&self, _: &str, pause: Duration) {
            self.pauses.lock().unwrap().push(pause);
        }
    }

    async fn pauses(script: impl IntoIterator<Item = (Duration, Next)>) -> Vec<Duration> {
        let stop = CancellationToken::new();
        let pauses = Arc::default();
        let script = script.into_iter().collect();
        let link = Scripted { script, pauses: Arc::clone(&pauses), stop: stop.clone() };
        keep_up(link, &Timings::default(), &stop).await;
        std::mem::take(&mut pauses.lock().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_a_minute_and_are_drawn_below_it() {
        let mut longest = [Duration::ZERO; 8];
        for _ in 0..50 {
            let drawn = pauses([(Duration::ZERO, Next::Soon); 8]).await;
            for ((longest, drawn), bound) in longest.iter_mut().zip(drawn).zip([1, 2, 4, 8, 16, 32, 60, 60]) {
                assert!(drawn <= seconds(bound), "{drawn:?} where {bound} s is the most");
                *longest = drawn.max(*longest);
            }
        }
        assert!(longest[7] > seconds(32), "of fifty draws one is above the bound before: {longest:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn minute_of_health_begins_with_short_pauses_again() {
        let sick = std::iter::repeat_n((seconds(59), Next::Soon), 8);
        let drawn = pauses(sick.chain([(seconds(60), Next::Soon)])).await;
        assert!(drawn[8] <= seconds(1), "{drawn:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_until_somebody_acts_is_tried_every_quarter_of_an_hour() {
        let drawn = pauses([(Duration::ZERO, Next::Late); 3]).await;
        assert_eq!(drawn, [seconds(900); 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn time_that_the_server_names_is_kept() {
        let at = Instant::now() + seconds(77);
        assert_eq!(pauses([(Duration::ZERO, Next::At(at))]).await, [seconds(77)]);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_ends_a_pause_at_once() {
        let stop = CancellationToken::new();
        let script = VecDeque::from([(Duration::ZERO, Next::Late)]);
        let link = Scripted { script, pauses: Arc::default(), stop: stop.clone() };
        let started = Instant::now();
        let timings = Timings::default();
        tokio::join!(keep_up(link, &timings, &stop), async {
            tokio::time::sleep(seconds(5)).await;
            stop.cancel();
        });
        assert_eq!(started.elapsed(), seconds(5));
    }
}
