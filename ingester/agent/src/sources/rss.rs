//! RSS and Atom pages, read from time to time.
//!
//! Each page is asked every `poll_seconds`, less often if it says so (`ttl`, `Cache-Control: max-age`, `Retry-After`, a
//! day at most), up to a tenth later by chance. Nothing comes where nothing changed: requests are conditional. A host is
//! asked once a second at most, one question at a time, and where pages lead to others, that holds for each host.
//!
//! | What happens | Then |
//! |---|---|
//! | 200 with a page | new and changed entries go out, oldest first |
//! | 304 | nothing |
//! | 410 | the page is never asked again |
//! | 301, 308 | asked there from now on, if there is a page |
//! | any other answer; no page; more than 8 MiB | asked half as often each time, down to once an hour |
//! | no answer | asked as usual |
//!
//! The first time, all that is there goes out. How a page's entries become items is in `entries`.

mod dates;
mod doors;
mod entries;
mod fetch;
mod health;

use crate::{
    outbox::{Outbox, Taken},
    sources::{Source, fingerprint::Fingerprint, pause::up_to},
};
use anyhow::Context;
use entries::{Origin, Page};
use fetch::{Answer, Place, Validators, Web};
use futures_util::future::join_all;
use health::Health;
use jiff::Timestamp;
use news::feeds;
use rustls::ClientConfig;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use url::Url;

/// A page isn't asked less often than that, whatever it says: it would be forgotten.
const LONGEST: Duration = Duration::from_hours(24);

/// One that gives nothing isn't asked less often than that.
const LONGEST_AFTER_REFUSALS: Duration = Duration::from_hours(1);

/// RSS and Atom pages.
///
/// ```no_run
/// use ingester::{sources::rss::Rss, tls};
/// use news::feeds;
///
/// let settings = feeds::Rss {
///     name: "pages".into(),
///     urls: vec!["https://news.example/feed.xml".into()],
///     poll_seconds: 300,
///     language: Some("en".into()),
/// };
/// let source = Rss::new(settings, tls::client()?);
/// # Ok::<(), tls::NoRoots>(())
/// ```
#[derive(Debug)]
pub struct Rss {
    settings: feeds::Rss,
    tls: Arc<ClientConfig>,
    tempo: Tempo,
}

/// How fast it goes.
#[derive(Debug, Clone, Copy)]
pub struct Tempo {
    /// Between two questions to a page.
    pub poll: Duration,
    /// Between two questions to a host. Defaults to a second.
    pub apart: Duration,
    /// The time over which the first questions are spread. Defaults to half a minute, if pages are asked that rarely.
    pub spread: Duration,
    /// How long an answer may take, all of it. Defaults to half a minute.
    pub timeout: Duration,
}

impl Rss {
    /// As the configuration has it.
    pub fn new(settings: feeds::Rss, tls: Arc<ClientConfig>) -> Self {
        let poll = Duration::from_secs(settings.poll_seconds.into());
        let half_a_minute = Duration::from_secs(30);
        let tempo =
            Tempo { poll, apart: Duration::from_secs(1), spread: half_a_minute.min(poll), timeout: half_a_minute };
        Self { settings, tls, tempo }
    }

    /// Another tempo, as tests need it.
    #[must_use]
    pub fn tempo(self, tempo: Tempo) -> Self {
        Self { tempo, ..self }
    }
}

impl Source for Rss {
    async fn run(self, outbox: Outbox, stop: CancellationToken) -> anyhow::Result<()> {
        let web = Web::new(&self.tls, self.tempo.timeout, self.tempo.apart)?;
        let health = Health::new(self.settings.urls.len());
        let mut readers = Vec::new();
        for (number, url) in self.settings.urls.iter().enumerate() {
            let page = Url::parse(url)
                .with_context(|| format!("page {} of feed {} has no address", number + 1, self.settings.name))?;
            let origin = Origin::new(&self.settings.name, page, self.settings.language.clone());
            let place = Place::at(origin.page.clone());
            let reader = Reader {
                number,
                place,
                origin: Arc::new(origin),
                tempo: self.tempo,
                web: &web,
                outbox: &outbox,
                health: &health,
                sent: HashSet::new(),
                ttl: None,
                refusals: 0,
            };
            readers.push(reader.run(start(self.tempo.spread, number, self.settings.urls.len())));
        }
        stop.run_until_cancelled(join_all(readers)).await;
        // Pages that are gone don't come back while this runs.
        stop.cancelled().await;
        outbox.status().connected.set(0);
        Ok(())
    }
}

/// When the first question is due, so that hundreds of pages aren't asked in the same second.
fn start(spread: Duration, number: usize, count: usize) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "there are some hundred pages")]
    spread.mul_f64(number as f64 / count.max(1) as f64)
}

/// Who reads one page.
struct Reader<'a> {
    number: usize,
    place: Place,
    origin: Arc<Origin>,
    tempo: Tempo,
    web: &'a Web,
    outbox: &'a Outbox,
    health: &'a Health,
    /// What was on the page last time. Whoever sends it remembers ids too, but of all feeds together, and not for ever.
    sent: HashSet<u64>,
    ttl: Option<Duration>,
    /// How often in a row it gave nothing.
    refusals: u32,
}

impl Reader<'_> {
    async fn run(mut self, start: Duration) {
        sleep(start).await;
        while let Some(pause) = self.poll().await {
            sleep(pause + up_to(pause / 10)).await;
        }
    }

    /// Asks once, and says when to ask again, if ever.
    async fn poll(&mut self) -> Option<Duration> {
        let answer = self.place.ask(self.web).await;
        if !matches!(answer, Answer::Failed { .. }) {
            self.outbox.status().heard();
        }
        match answer {
            Answer::Page { bytes, address, validators, keep } => {
                Some(self.read(bytes, address, validators, keep).await)
            }
            Answer::Unchanged { keep } => Some(self.good(keep)),
            Answer::Refused { why, after } => Some(self.refused(&why, after)),
            Answer::Failed { why } => {
                self.trouble(&why);
                Some(self.tempo.poll)
            }
            Answer::Gone => {
                self.trouble("is gone for ever (410): take it out of the configuration");
                None
            }
        }
    }

    async fn read(
        &mut self,
        bytes: Vec<u8>,
        address: Url,
        validators: Box<Validators>,
        keep: Option<Duration>,
    ) -> Duration {
        // On a thread of its own: a large page takes long enough for others to wait for.
        let origin = Arc::clone(&self.origin);
        let reading = move || origin.page(&bytes, &address, Timestamp::now());
        let page = tokio::task::spawn_blocking(reading).await.unwrap_or_else(|error| Err(error.to_string()));
        match page {
            Ok(page) => {
                self.pass_on(page).await;
                self.place.remember(validators);
                self.good(keep)
            }
            Err(why) => {
                self.outbox.status().refused.inc();
                self.refused(&format!("is no page of news: {why}"), None)
            }
        }
    }

    async fn pass_on(&mut self, page: Page) {
        let status = self.outbox.status();
        status.fragments.inc();
        status.refused.inc_by(page.refused);
        self.ttl = page.ttl;
        let mut sent = HashSet::with_capacity(page.items.len());
        for item in page.items {
            let id = Fingerprint::of([item.id.as_str()]).short();
            if self.sent.contains(&id) || self.outbox.send(item).await != Taken::Lost {
                sent.insert(id);
            }
        }
        self.sent = sent;
    }

    fn good(&mut self, keep: Option<Duration>) -> Duration {
        self.refusals = 0;
        self.health.say(self.outbox.status(), self.number, &self.origin.page, None);
        as_asked(self.tempo.poll, self.ttl.max(keep))
    }

    fn refused(&mut self, why: &str, after: Option<Duration>) -> Duration {
        self.trouble(why);
        self.refusals += 1;
        as_asked(after_refusals(self.tempo.poll, self.refusals), after)
    }

    fn trouble(&self, why: &str) {
        self.health.say(self.outbox.status(), self.number, &self.origin.page, Some(why));
    }
}

/// As often as we want, or less if the page wants.
fn as_asked(ours: Duration, asked_for: Option<Duration>) -> Duration {
    ours.max(asked_for.unwrap_or_default().min(LONGEST))
}

/// Half as often each time.
fn after_refusals(poll: Duration, refusals: u32) -> Duration {
    let longest = LONGEST_AFTER_REFUSALS.max(poll);
    poll.saturating_mul(1 << refusals.min(10)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_asked_as_rarely_as_it_wants_but_once_a_day() {
        let poll = Duration::from_mins(5);
        for (asked_for, expected) in [
            (None, 5),
            (Some(Duration::from_mins(1)), 5),
            (Some(Duration::from_mins(7)), 7),
            (Some(Duration::from_hours(9000)), 24 * 60),
        ] {
            assert_eq!(as_asked(poll, asked_for), Duration::from_mins(expected));
        }
    }

    #[test]
    fn page_that_gives_nothing_is_asked_half_as_often_each_time() {
        let minutes = |poll, refusals| after_refusals(Duration::from_mins(poll), refusals).as_secs() / 60;
        assert_eq!([1, 2, 3, 4, 1000].map(|refusals| minutes(5, refusals)), [10, 20, 40, 60, 60]);
        assert_eq!(minutes(120, 3), 120, "never more often than usual");
    }

    #[test]
    fn first_questions_are_spread() {
        let spread = Duration::from_secs(30);
        assert_eq!([0, 1, 2].map(|number| start(spread, number, 3).as_secs()), [0, 10, 20]);
    }
}
