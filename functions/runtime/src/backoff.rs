//! Pauses between attempts.

use crate::{Budget, Over};
use std::time::Duration;

/// Pauses between attempts: up to the base, then up to twice that, and so on until the longest; each drawn at
/// random from nothing to its bound, so that functions that failed together don't come back together.
#[derive(Debug, Clone)]
pub struct Backoff {
    bound: Duration,
    longest: Duration,
    random: fastrand::Rng,
}

impl Backoff {
    /// The first pause is at most `base`, none is longer than `longest`.
    pub fn new(base: Duration, longest: Duration) -> Self {
        Self { bound: base.min(longest), longest, random: fastrand::Rng::new() }
    }

    /// The same, with pauses that a test can repeat.
    #[must_use]
    pub fn seeded(self, seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), ..self }
    }

    /// The next pause.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.bound.mul_f64(self.random.f64());
        self.bound = (self.bound * 2).min(self.longest);
        pause
    }

    /// Pauses, if there is time for it.
    ///
    /// # Errors
    ///
    /// The pause would take all that is left: there is no point in another attempt.
    pub async fn pause(&mut self, budget: Budget) -> Result<(), Over> {
        let pause = self.next_pause();
        if pause >= budget.left() {
            return Err(Over);
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::time::Instant;

    proptest! {
        #[test]
        fn pauses_stay_below_a_bound_that_doubles_up_to_the_longest(seed: u64) {
            let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(300)).seeded(seed);
            for bound in [50, 100, 200, 300, 300, 300] {
                prop_assert!(backoff.next_pause() <= Duration::from_millis(bound));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_pause_outlasts_the_budget() {
        let budget = Budget::of(Duration::from_secs(1));
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(400)).seeded(7);
        let started = Instant::now();
        while backoff.pause(budget).await.is_ok() {}
        assert!(started.elapsed() < Duration::from_secs(1));
        assert!(budget.left() < Duration::from_millis(400));
    }
}
