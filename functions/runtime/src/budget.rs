//! The time that an invocation has left.

use jiff::Timestamp;
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The time that an invocation has left, less what it takes to answer.
///
/// A function that Lambda stops has answered nothing: all of its batch comes again, and counts as an attempt.
/// So work ends before that, and the answer says how far it came.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    ends: Instant,
}

/// The time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over;

impl Budget {
    /// That long from now.
    pub fn of(duration: Duration) -> Self {
        Self { ends: Instant::now() + duration }
    }

    /// Until `reserve` before Lambda's deadline, in milliseconds since 1970 as the Runtime API gives it. A deadline
    /// that has passed leaves nothing.
    pub fn until(deadline_ms: u64, reserve: Duration) -> Self {
        let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0);
        Self::of(Duration::from_millis(deadline_ms.saturating_sub(now)).saturating_sub(reserve))
    }

    /// The same, ending that much earlier: what comes after needs it.
    pub fn less(self, reserve: Duration) -> Self {
        Self { ends: self.ends.checked_sub(reserve).unwrap_or(self.ends) }
    }

    /// What is left.
    pub fn left(self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// Whether nothing is left.
    pub fn is_over(self) -> bool {
        self.left().is_zero()
    }

    /// Runs something until it ends or the time is up.
    ///
    /// # Errors
    ///
    /// The time is up, and it was dropped unfinished.
    pub async fn run<F: Future>(self, work: F) -> Result<F::Output, Over> {
        timeout_at(self.ends, work).await.map_err(|_| Over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    #[tokio::test(start_paused = true)]
    async fn work_ends_with_the_budget() {
        let budget = Budget::of(Duration::from_secs(3));
        assert_eq!(budget.run(async { 1 }).await, Ok(1));
        let started = Instant::now();
        assert_eq!(budget.less(Duration::from_secs(1)).run(pending::<()>()).await, Err(Over));
        assert_eq!(started.elapsed(), Duration::from_secs(2));
        assert_eq!(budget.left(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn deadline_that_has_passed_leaves_nothing() {
        assert!(Budget::until(0, Duration::ZERO).is_over());
        assert!(!Budget::until(u64::MAX / 1_000_000, Duration::from_secs(1)).is_over());
    }
}
