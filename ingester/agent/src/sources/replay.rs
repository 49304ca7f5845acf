//! Recorded items: JSON Lines from a file, standard input or S3, at their own pace or as fast as it goes.
//!
//! For tests and demonstrations, and for batches of the past. A line is an item as it is on the stream, or a brief one:
//! any object with a `headline` and without a `version`, and with any other members of an item. What a brief one leaves
//! out is filled in as in the table in `line`.
//!
//! | Of the line | To the item |
//! |---|---|
//! | `received`, `trace` | left out: this reception is another, and the trace is over |
//! | anything else | as it is, `source` and `published` too |
//!
//! `speed` is a multiple of the recorded pace: each line waits until its `published`, counted from the first line's, is
//! due. One from before its predecessor doesn't wait. With 0 nothing waits but for room in the queue.
//!
//! A line that is no item is counted and skipped; the log has the first ten of them, and how many there were.

mod gunzip;
mod input;
mod line;
mod lines;
mod location;
mod object;

use crate::{
    outbox::{Outbox, Taken},
    sources::Source,
};
use anyhow::Context;
use aws_config::SdkConfig;
use input::Input;
use jiff::Timestamp;
use lines::Lines;
use location::Location;
use news::{NewsItem, feeds};
use rustls::ClientConfig;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// How many refused lines the log names.
const NAMED: u64 = 10;

/// How often it says how far it is.
const REPORTS: Duration = Duration::from_secs(10);

/// Between two rounds of a replay that repeats: an empty file would spin.
const ROUNDS: Duration = Duration::from_secs(1);

/// A file of recorded items.
///
/// ```
/// use ingester::sources::replay::Replay;
/// use news::feeds;
///
/// let settings = feeds::Replay {
///     name: "recorded".into(),
///     location: "s3://example-archive/2026/01/02.jsonl.gz".into(),
///     speed: 10.0,
///     repeat: false,
/// };
/// let source = Replay::new(settings);
/// ```
#[derive(Debug)]
pub struct Replay {
    settings: feeds::Replay,
    reach: Reach,
}

/// How S3 is reached; what is left out is found when it is needed.
#[derive(Debug, Default)]
struct Reach {
    aws: Option<SdkConfig>,
    tls: Option<Arc<ClientConfig>>,
}

impl Replay {
    /// As the configuration has it; besides, the location may be `-`, standard input. What begins as
    /// gzip does is decompressed, whatever its name.
    pub fn new(settings: feeds::Replay) -> Self {
        Self { settings, reach: Reach::default() }
    }

    /// Whose credentials read from S3, in which region. Left out: found as the SDK finds them, when they are needed.
    #[must_use]
    pub fn aws(self, aws: SdkConfig) -> Self {
        Self { reach: Reach { aws: Some(aws), ..self.reach }, ..self }
    }

    /// Whom to trust as S3. Left out: what this machine trusts, see [`tls`](crate::tls).
    #[must_use]
    pub fn tls(self, tls: Arc<ClientConfig>) -> Self {
        Self { reach: Reach { tls: Some(tls), ..self.reach }, ..self }
    }
}

impl Source for Replay {
    async fn run(self, outbox: Outbox, stop: CancellationToken) -> anyhow::Result<()> {
        let location: Location = self.settings.location.parse()?;
        let mut replay = Round { location, settings: &self.settings, reach: &self.reach, outbox, tally: Tally::new() };
        let repeat = self.settings.repeat && replay.location != Location::StandardInput;
        let work = async {
            loop {
                // On the heap: a file's or an object's buffers are large.
                Box::pin(replay.run()).await?;
                if !repeat {
                    return anyhow::Ok(());
                }
                sleep(ROUNDS).await;
            }
        };
        let result = stop.run_until_cancelled(work).await;
        replay.outbox.status().connected.set(0);
        replay.tally.report(
            &self.settings.name,
            if result.is_some() { "The replay has ended." } else { "The replay was stopped." },
        );
        result.unwrap_or(Ok(()))
    }
}

/// Once through the lines.
struct Round<'a> {
    location: Location,
    settings: &'a feeds::Replay,
    reach: &'a Reach,
    outbox: Outbox,
    tally: Tally,
}

impl Round<'_> {
    async fn run(&mut self) -> anyhow::Result<()> {
        let input = Input::open(&self.location, self.reach).await?;
        let mut lines = Lines::of(input);
        self.outbox.status().connected.set(1);
        let mut pace = Pace::new(self.settings.speed);
        while let Some(line) =
            lines.next(self.outbox.status()).await.with_context(|| format!("could not read {}", self.location))?
        {
            self.tally.read += 1;
            match line.item(&self.settings.name) {
                Ok(item) => self.pass_on(item, &mut pace).await,
                Err(why) => self.refuse(line.number, &why),
            }
            self.tally.report_now_and_then(&self.settings.name);
        }
        Ok(())
    }

    async fn pass_on(&mut self, item: NewsItem, pace: &mut Pace) {
        pace.due(item.published).await;
        self.outbox.status().heard();
        self.tally.count(self.outbox.send(item).await);
    }

    fn refuse(&mut self, line: u64, why: &str) {
        self.outbox.status().refused.inc();
        self.tally.refused += 1;
        if self.tally.refused <= NAMED {
            tracing::warn!(feed = self.settings.name, line, why, "A line is no item.");
        }
    }
}

/// When items are due.
#[derive(Debug)]
struct Pace {
    speed: f64,
    /// The first line's time, here and there.
    first: Option<(Instant, Timestamp)>,
}

impl Pace {
    fn new(speed: f64) -> Self {
        Self { speed, first: None }
    }

    async fn due(&mut self, published: Timestamp) {
        if let Some(due) = self.when(published) {
            sleep_until(due).await;
        }
    }

    /// `None` is now.
    fn when(&mut self, published: Timestamp) -> Option<Instant> {
        let (begun, first) = *self.first.get_or_insert_with(|| (Instant::now(), published));
        let recorded = published.duration_since(first).as_secs_f64();
        let passes = self.speed > 0.0 && recorded > 0.0;
        let after = Duration::try_from_secs_f64(recorded / self.speed).ok().filter(|_| passes)?;
        begun.checked_add(after)
    }
}

/// What became of the lines.
#[derive(Debug)]
struct Tally {
    read: u64,
    sent: u64,
    repeats: u64,
    filtered: u64,
    lost: u64,
    refused: u64,
    reported: Instant,
}

impl Tally {
    fn new() -> Self {
        Self { read: 0, sent: 0, repeats: 0, filtered: 0, lost: 0, refused: 0, reported: Instant::now() }
    }

    fn count(&mut self, taken: Taken) {
        *match taken {
            Taken::Queued => &mut self.sent,
            Taken::Repeat => &mut self.repeats,
            Taken::Filtered => &mut self.filtered,
            Taken::Lost => &mut self.lost,
        } += 1;
    }

    fn report_now_and_then(&mut self, feed: &str) {
        if self.reported.elapsed() >= REPORTS {
            self.reported = Instant::now();
            self.report(feed, "The replay goes on.");
        }
    }

    fn report(&self, feed: &str, what: &str) {
        let Self { read, sent, repeats, filtered, lost, refused, .. } = *self;
        tracing::info!(feed, read, sent, repeats, filtered, lost, refused, "{what}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn items_are_due_as_long_after_the_first_as_they_were_published() {
        let at = |seconds: i64| Timestamp::from_second(1_767_322_800 + seconds).unwrap();
        for (speed, after_100_seconds) in [(1.0, Some(100)), (10.0, Some(10)), (0.0, None)] {
            let mut pace = Pace::new(speed);
            assert_eq!(pace.when(at(0)), None, "the first goes at once");
            tokio::time::advance(Duration::from_secs(3)).await;
            let due = pace.when(at(100)).map(|due| due - Instant::now());
            assert_eq!(due, after_100_seconds.map(|seconds| Duration::from_secs(seconds - 3)));
            assert_eq!(pace.when(at(-100)), None, "what is older than the first doesn't wait");
        }
    }
}
