//! What AWS decides by itself and doesn't publish, or what is better otherwise on a desk.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{checkpoints::Checkpoints, notice::Notice};

/// How a poller works, beside what its mapping says.
///
/// ```
/// use std::time::Duration;
///
/// use local::event_source::{Options, Pause};
///
/// let options = Options::default()
///     .poll_interval(Duration::from_millis(20))
///     .retry_pause(Pause { first: Duration::from_secs(1), longest: Duration::from_mins(1) })
///     .observe(|notice| eprintln!("{notice}"));
/// # let _ = options;
/// ```
#[derive(Clone)]
pub struct Options {
    pub(super) poll_interval: Duration,
    pub(super) shard_interval: Duration,
    pub(super) retry_pause: Pause,
    pub(super) trouble_pause: Pause,
    pub(super) buffer_bytes: usize,
    pub(super) observer: Option<Arc<Observer>>,
    pub(super) checkpoints: Checkpoints,
    pub(super) clock: fn() -> Timestamp,
}

/// Who is told of what happens.
pub(super) type Observer = dyn Fn(&Notice) + Send + Sync;

/// A pause that doubles each time, up to the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Options {
    /// How long a shard that had no new records is left alone. Defaults to 100 ms; AWS asks each shard about once a
    /// second (Kinesis) or four times a second (DynamoDB). While a shard has records it is read without a pause.
    pub fn poll_interval(mut self, pause: Duration) -> Self {
        self.poll_interval = pause;
        self
    }

    /// How often new shards are looked for, beside when one is read to its end. Defaults to 5 s.
    pub fn shard_interval(mut self, pause: Duration) -> Self {
        self.shard_interval = pause;
        self
    }

    /// The pause before a batch that failed, or couldn't be run, is tried again. Defaults to 200 ms, doubling to 5 s, so that
    /// things happen while one watches; AWS doesn't publish its own.
    pub fn retry_pause(mut self, pause: Pause) -> Self {
        self.retry_pause = pause;
        self
    }

    /// The pause before the stream or the destination is asked again after an error; up to half of it is left off at
    /// random. Defaults to 100 ms, doubling to 5 s.
    pub fn trouble_pause(mut self, pause: Pause) -> Self {
        self.trouble_pause = pause;
        self
    }

    /// How many bytes of events, per shard, may wait for lanes that are busy. Reading the shard pauses when there are more, so
    /// that lanes with nothing left to do wait, too. Defaults to 64 MiB.
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.buffer_bytes = bytes;
        self
    }

    /// Is told of everything that happens, on the poller's own thread: it should return soon. Defaults to nobody.
    pub fn observe(mut self, observer: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Goes on where another poller of this stream has stopped. The mapping's starting position is that of the first
    /// poller, for the shards that there were then; later ones are read from their beginning. Defaults to none, which makes
    /// this the first.
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = checkpoints;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_millis(100),
            shard_interval: Duration::from_secs(5),
            retry_pause: Pause { first: Duration::from_millis(200), longest: Duration::from_secs(5) },
            trouble_pause: Pause { first: Duration::from_millis(100), longest: Duration::from_secs(5) },
            buffer_bytes: 64 << 20,
            observer: None,
            checkpoints: Checkpoints::default(),
            clock: Timestamp::now,
        }
    }
}

impl Pause {
    /// The pause after so many failures, counted from 1.
    pub(super) fn after(self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(doubled).min(self.longest)
    }

    /// The same, with up to half of it left off, so that shards don't come back all at once.
    pub(super) fn about(self, failures: u32) -> Duration {
        self.after(failures).mul_f64(1.0 - fastrand::f64() / 2.0)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("poll_interval", &self.poll_interval)
            .field("shard_interval", &self.shard_interval)
            .field("retry_pause", &self.retry_pause)
            .field("trouble_pause", &self.trouble_pause)
            .field("buffer_bytes", &self.buffer_bytes)
            .field("checkpoints", &self.checkpoints)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pause = Options::default().retry_pause;
        let millis: Vec<_> = [1, 2, 3, 5, 6, 40, u32::MAX].map(|failures| pause.after(failures).as_millis()).into();
        assert_eq!(millis, [200, 400, 800, 3200, 5000, 5000, 5000]);
        let about = pause.about(1).as_millis();
        assert!((100..=200).contains(&about), "{about}");
    }
}
