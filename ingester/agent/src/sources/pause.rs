//! Pauses of a source that comes back by itself.

use runtime::Backoff;
use std::time::Duration;

/// Pauses with full jitter that grow, and begin anew when things went well: ingesters that lost a server together must
/// not come back together.
#[derive(Debug)]
pub(crate) struct Pause {
    bounds: [Duration; 2],
    backoff: Backoff,
}

impl Pause {
    /// The first is up to `bounds[0]`, then up to twice that, none longer than `bounds[1]`.
    pub(crate) fn between(bounds: [Duration; 2]) -> Self {
        Self { bounds, backoff: Backoff::new(bounds[0], bounds[1]) }
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> Duration {
        self.backoff.next_pause()
    }

    /// It went well: the next is short again.
    pub(crate) fn reset(&mut self) {
        *self = Self::between(self.bounds);
    }
}

/// A time of chance, from nothing to `longest`.
pub(crate) fn up_to(longest: Duration) -> Duration {
    Backoff::new(longest, longest).next_pause()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_short_again_after_a_good_time() {
        let mut pause = Pause::between([Duration::from_millis(1), Duration::from_mins(1)]);
        let longest = (0..30).map(|_| pause.next()).max().unwrap();
        assert!(longest > Duration::from_millis(1) && longest <= Duration::from_mins(1), "{longest:?}");
        pause.reset();
        assert!(pause.next() <= Duration::from_millis(1));
    }
}
