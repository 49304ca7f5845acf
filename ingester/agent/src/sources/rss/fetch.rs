//! One question to one page: conditional, polite, redirected by hand.
//!
//! Sources: RFC 9110, sections 13.1 (conditional requests: a validator goes only where it came from), 15.4
//! (redirections: 301 and 308 are for ever), 15.5.11 (410), 10.2.3 (`Retry-After`); RFC 9111, sections 5.2.2.1 and 5.1
//! (`max-age`, `Age`).

use super::{dates, doors::Doors};
use crate::http;
use jiff::Timestamp;
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use rustls::ClientConfig;
use std::time::Duration;
use url::Url;

/// The largest page that is read; a long one of a large paper has one.
const LARGEST: usize = 8 << 20;

/// How often a page may lead to another.
const REDIRECTIONS: usize = 5;

/// What we read, the best first.
const ACCEPT: &str = "application/atom+xml, application/rss+xml, application/rdf+xml;q=0.9, application/xml;q=0.8, \
                      text/xml;q=0.8, */*;q=0.1";

/// What came of a question.
#[derive(Debug)]
pub(super) enum Answer {
    /// A page.
    Page {
        bytes: Vec<u8>,
        /// Where it was in the end.
        address: Url,
        /// To be given back next time, if the page is any good.
        validators: Box<Validators>,
        /// How long it is good for.
        keep: Option<Duration>,
    },
    /// It is as it was.
    Unchanged { keep: Option<Duration> },
    /// For ever.
    Gone,
    /// The server doesn't give it, or gives what nobody can take.
    Refused { why: String, after: Option<Duration> },
    /// There was no answer, or not all of it.
    Failed { why: String },
}

/// What a server knows a version of its page by.
#[derive(Debug, Clone)]
pub(super) struct Validators {
    address: Url,
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

/// A page's place.
#[derive(Debug)]
pub(super) struct Place {
    address: Url,
    validators: Option<Box<Validators>>,
}

impl Place {
    pub(super) fn at(address: Url) -> Self {
        Self { address, validators: None }
    }

    /// The page with these validators was a good one: only another is asked for.
    pub(super) fn remember(&mut self, validators: Box<Validators>) {
        self.validators = Some(validators);
    }

    /// Asks for the page, wherever it was moved.
    pub(super) async fn ask(&mut self, web: &Web) -> Answer {
        let mut address = self.address.clone();
        // Where it is from now on: up to the first redirection that isn't for ever.
        let (mut home, mut settled) = (address.clone(), false);
        for _ in 0..=REDIRECTIONS {
            let known = self.validators.as_deref().filter(|known| known.address == address);
            let answer = match web.get(&address, known).await {
                Step::Answer(answer) => answer,
                Step::Redirection { to, for_ever } => {
                    settled |= !for_ever;
                    if !settled {
                        home = to.clone();
                    }
                    address = to;
                    continue;
                }
            };
            if matches!(answer, Answer::Page { .. } | Answer::Unchanged { .. }) && home != self.address {
                tracing::info!(from = bare(&self.address), to = bare(&home), "A page has moved.");
                self.address = home;
            }
            return answer;
        }
        Answer::Refused {
            why: format!("leads from one address to another more than {REDIRECTIONS} times"),
            after: None,
        }
    }
}

/// An address without what may be a secret: people put tokens into queries, and servers want them as user names.
pub(super) fn bare(address: &Url) -> String {
    let mut bare = address.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    // They fail where there can't be any.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.into()
}

/// The way to all servers.
#[derive(Debug)]
pub(super) struct Web {
    client: Client,
    doors: Doors,
}

enum Step {
    Answer(Answer),
    Redirection { to: Url, for_ever: bool },
}

impl Web {
    /// Requests to one host are one after the other, `apart` from each other.
    pub(super) fn new(tls: &ClientConfig, timeout: Duration, apart: Duration) -> reqwest::Result<Self> {
        Ok(Self { client: http::client(tls, timeout)?, doors: Doors::apart(apart) })
    }

    async fn get(&self, address: &Url, known: Option<&Validators>) -> Step {
        let request = conditional(self.client.get(address.clone()).header(header::ACCEPT, ACCEPT), known);
        let host = address.host_str().unwrap_or_default();
        let asking = async {
            match request.send().await {
                Ok(response) => step(response, address).await,
                Err(error) => Step::Answer(failed(error)),
            }
        };
        self.doors.alone(host, asking).await
    }
}

fn conditional(mut request: RequestBuilder, known: Option<&Validators>) -> RequestBuilder {
    let Some(known) = known else { return request };
    if let Some(etag) = &known.etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    if let Some(last_modified) = &known.last_modified {
        request = request.header(header::IF_MODIFIED_SINCE, last_modified);
    }
    request
}

async fn step(response: Response, address: &Url) -> Step {
    let keep = keep(response.headers());
    let after = text(response.headers(), &header::RETRY_AFTER).and_then(|text| retry_after(text, Timestamp::now()));
    let refused = |why: String| Step::Answer(Answer::Refused { why, after });
    match response.status() {
        StatusCode::OK => Step::Answer(page(response, address, keep).await),
        StatusCode::NOT_MODIFIED => Step::Answer(Answer::Unchanged { keep }),
        StatusCode::GONE => Step::Answer(Answer::Gone),
        status @ (StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT) => match target(&response, address) {
            Ok(to) => Step::Redirection {
                to,
                for_ever: matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT),
            },
            Err(why) => refused(why),
        },
        status => refused(format!("answers {status}")),
    }
}

/// Where a redirection leads. What was asked for in private isn't read in public.
fn target(response: &Response, address: &Url) -> Result<Url, String> {
    let location = text(response.headers(), &header::LOCATION).ok_or("leads elsewhere, but doesn't say where")?;
    let to = address.join(location).map_err(|_| "leads to what is no address".to_owned())?;
    match (address.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => Ok(to),
        ("https", "http") => Err(format!("leads from https to http, {}", bare(&to))),
        (_, scheme) => Err(format!("leads to an address of {scheme}, http and https are read")),
    }
}

async fn page(mut response: Response, address: &Url, keep: Option<Duration>) -> Answer {
    let own = |name| response.headers().get(name).cloned();
    let validators = Box::new(Validators {
        address: address.clone(),
        etag: own(header::ETAG),
        last_modified: own(header::LAST_MODIFIED),
    });
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Answer::Page { bytes, address: address.clone(), validators, keep },
            Ok(Some(chunk)) if bytes.len() + chunk.len() > LARGEST => {
                return Answer::Refused { why: format!("is larger than {LARGEST} bytes"), after: None };
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Err(error) => return failed(error),
        }
    }
}

fn failed(error: reqwest::Error) -> Answer {
    Answer::Failed { why: format!("{:#}", anyhow::Error::from(error.without_url())) }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// For how much longer the answer is good.
fn keep(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let max_age = directives.flat_map(|value| value.split(',')).find_map(|directive| {
        let (name, seconds) = directive.trim().split_once('=')?;
        seconds.trim_matches('"').parse::<u64>().ok().filter(|_| name.eq_ignore_ascii_case("max-age"))
    })?;
    let age = text(headers, &header::AGE).and_then(|age| age.trim().parse().ok()).unwrap_or(0);
    Some(Duration::from_secs(max_age.saturating_sub(age)))
}

/// Seconds, or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let seconds = text.trim().parse::<u64>().ok().map(Duration::from_secs);
    seconds.or_else(|| Some(Duration::try_from(dates::read(text)?.duration_since(now)).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_good_for_its_age_less_than_its_maximum() {
        for (control, age, expected) in [
            ("max-age=600", None, Some(600)),
            ("public, Max-Age=600", Some("100"), Some(500)),
            ("max-age=\"60\"", Some("100"), Some(0)),
            ("no-cache", None, None),
            ("max-age=soon", None, None),
            ("s-maxage=60", None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CACHE_CONTROL, control.parse().unwrap());
            age.map(|age: &str| headers.insert(header::AGE, age.parse().unwrap()));
            assert_eq!(keep(&headers), expected.map(Duration::from_secs), "{control}");
        }
    }

    #[test]
    fn server_says_when_to_come_back_in_seconds_or_as_a_date() {
        let now: Timestamp = "2026-01-05T08:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("120", Some(120)),
            ("Mon, 05 Jan 2026 08:01:00 GMT", Some(60)),
            ("Monday, 05-Jan-26 08:01:00 GMT", Some(60)),
            ("Mon, 05 Jan 2026 07:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(text, now), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn address_is_said_without_its_query_and_its_user() {
        for address in [
            "https://news.example/feed?token=hunter2#top",
            "https://hunter2@news.example/feed",
            "https://reader:hunter2@news.example/feed",
        ] {
            assert_eq!(bare(&Url::parse(address).unwrap()), "https://news.example/feed", "{address}");
        }
    }
}
