//! What is on a page, as items.
//!
//! | Item | RSS 2.0 and 0.9x | RSS 1.0 | Atom |
//! |---|---|---|---|
//! | `thread` | `rss:` page (its query hidden), guid, else link, else title and date | the same with its link | with its id |
//! | `id` | thread, and a fingerprint of headline and text | the same | thread, and `updated` |
//! | `kind` | article | article | article |
//! | `headline` | `title`, else the text's beginning | the same | `title`, by its type |
//! | `body` | `content:encoded`, else `description` | the same | `content` if it is text, else `summary` |
//! | `published` | `pubDate` or `dc:date`, else now | `dc:date`, else now | `updated`, else `published`, else now |
//! | `first_published` | `pubDate` | `dc:date` | `published` |
//! | `language` | `language` | `dc:language` | `xml:lang` of the content, else of the feed |
//! | `url` | `link` | `link` | the alternate link |
//! | `subjects` | `category` | none | `category`'s terms |
//! | `provider` | the page's host | the same | the same |
//!
//! Sources: RSS 2.0 specification (`item`, `guid`, `pubDate`, `ttl`), RSS 1.0 with its modules Content and Dublin Core,
//! RFC 4287 (`id` and `updated` are required, sections 4.2.6 and 4.2.15; titles have a type, 3.1).
//!
//! A page says that an entry has changed, never that it was wrong, so a changed one is an article again, of the same
//! thread, and no correction. RSS has no time of change, and publishers correct without touching `pubDate`, so there the
//! text itself tells versions apart; an element `updated`, where a page has one, tells better.
//!
//! A language that isn't given is the setting's, else `und`; only its first part counts: `en-GB` is `en`.

use super::{dates, fetch::bare};
use crate::sources::{fingerprint::Fingerprint, text};
use feed_rs::{
    model::{Content, Entry, Feed, FeedType, Link, Text},
    parser,
};
use jiff::Timestamp;
use news::{FORM, Kind, NewsItem, Status, UNKNOWN_LANGUAGE};
use std::{panic, time::Duration};
use url::Url;

/// A headline that had to be made of the text, characters.
const MADE: usize = 120;

/// What the entries of a page have in common.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// The feed's name in the configuration.
    pub(super) feed: String,
    /// The page's address in the configuration: redirections change where it is read, not which one it is.
    pub(super) page: Url,
    /// The page's name in ids.
    name: String,
    /// The language of pages that don't say.
    language: Option<String>,
}

/// A page that was read.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Oldest first.
    pub(super) items: Vec<NewsItem>,
    /// Entries that are no items: nothing to read in them.
    pub(super) refused: u64,
    /// How long the page says it may be kept.
    pub(super) ttl: Option<Duration>,
}

impl Origin {
    /// A page of the feed of that name.
    pub(super) fn new(feed: &str, page: Url, language: Option<String>) -> Self {
        // A token in a query isn't for everybody who reads the stream.
        let query = page.query().map(|query| format!("?{}", Fingerprint::of([query])));
        let name = format!("{}{}", bare(&page), query.unwrap_or_default());
        Self { feed: feed.into(), page, name, language }
    }

    /// Reads a page that was found at `address`. Slow for a large one.
    ///
    /// # Errors
    ///
    /// It is no page of news, in words for who looks after the ingester.
    pub(super) fn page(&self, bytes: &[u8], address: &Url, now: Timestamp) -> Result<Page, String> {
        let feed = parsed(bytes, address)?;
        let language = [feed.language.as_deref(), self.language.as_deref()].into_iter().flatten().find_map(primary);
        let mut page =
            Page { ttl: feed.ttl.map(|minutes| Duration::from_secs(60 * u64::from(minutes))), ..Page::default() };
        let common = Common { origin: self, language, kind: feed.feed_type, now };
        // Pages have the newest on top.
        for entry in feed.entries.into_iter().rev() {
            match common.item(&entry) {
                Some(item) => page.items.push(item),
                None => page.refused += 1,
            }
        }
        page.items.sort_by_key(|item| item.published);
        Ok(page)
    }
}

fn parsed(bytes: &[u8], address: &Url) -> Result<Feed, String> {
    let parser = parser::Builder::new()
        .base_uri(Some(address))
        .timestamp_parser(timestamp)
        // An invented id would be another each time.
        .id_generator(|_, _, _| String::new())
        .build();
    // The parser is somebody else's, and it panics on some pages: on an author in front of whose address stands a
    // dash of three bytes, on a duration of thirty digits.
    let parsed = panic::catch_unwind(panic::AssertUnwindSafe(|| parser.parse(bytes)));
    let parsed = parsed.map_err(|_| "the parser gave up on it".to_owned())?;
    parsed.map_err(|error| error.to_string())
}

/// The parser has times of another crate, which isn't worth a dependency: they understand each other in JSON.
fn timestamp<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    let time = dates::read(text)?;
    serde_json::from_value(time.to_string().into()).ok()
}

struct Common<'a> {
    origin: &'a Origin,
    language: Option<String>,
    kind: FeedType,
    now: Timestamp,
}

impl Common<'_> {
    fn item(&self, entry: &Entry) -> Option<NewsItem> {
        let body = self.body(entry);
        let headline = entry.title.as_ref().map(|title| self.line(title)).filter(|title| !title.is_empty());
        let headline = headline.or_else(|| beginning(&body))?;
        let body = if text::one_line(&body) == headline { String::new() } else { body };
        let [first, updated] = [entry.published, entry.updated]
            .map(|time| time.and_then(|time| Timestamp::from_microsecond(time.timestamp_micros()).ok()));
        let url = link(&entry.links);
        let thread = self.thread(entry, url.as_deref(), &headline, first);
        // Where RSS has no time of change, the parser puts the time of publication.
        let changed = updated.filter(|updated| self.kind == FeedType::Atom || first != Some(*updated));
        let version =
            changed.map_or_else(|| Fingerprint::of([headline.as_str(), &body]).to_string(), |time| time.to_string());
        Some(NewsItem {
            version: FORM,
            id: format!("{thread} {version}"),
            thread,
            source: self.origin.feed.clone(),
            provider: self.origin.page.host_str().unwrap_or_default().into(),
            language: self.language(entry),
            kind: Kind::Article,
            status: Status::Usable,
            urgency: None,
            take: None,
            headline,
            body,
            subjects: subjects(entry),
            url,
            published: changed.or(first).unwrap_or(self.now),
            first_published: first,
            received: None,
            trace: None,
        })
    }

    fn language(&self, entry: &Entry) -> String {
        let own = entry.language.as_deref().and_then(primary);
        own.or_else(|| self.language.clone()).unwrap_or_else(|| UNKNOWN_LANGUAGE.into())
    }

    /// The parser calls plain what it doesn't know, but Atom's own plain text is.
    fn markup(&self, kind: &str) -> Markup {
        match kind {
            "text/plain" if self.kind == FeedType::Atom => Markup::Plain,
            "text/plain" => Markup::Either,
            _ => Markup::Html,
        }
    }

    fn line(&self, text: &Text) -> String {
        self.markup(&text.content_type.essence().to_string()).line(&text.content)
    }

    /// The content, if it is text: a picture in base 64 is none. Else the summary.
    fn body(&self, entry: &Entry) -> String {
        let content = entry.content.as_ref().and_then(|content| self.content(content));
        let summary = || {
            let summary = entry.summary.as_ref()?;
            Some(self.markup(&summary.content_type.essence().to_string()).text(&summary.content))
        };
        content.filter(|text| !text.is_empty()).or_else(summary).unwrap_or_default()
    }

    fn content(&self, content: &Content) -> Option<String> {
        let kind = content.content_type.essence().to_string();
        let is_text = kind.starts_with("text/") || kind.ends_with("/xhtml") || kind.ends_with("/xhtml+xml");
        content.body.as_deref().filter(|_| is_text).map(|body| self.markup(&kind).text(body))
    }

    /// At most 256 characters.
    fn thread(&self, entry: &Entry, url: Option<&str>, headline: &str, first: Option<Timestamp>) -> String {
        let page = self.origin.name.as_str();
        let key = match (entry.id.trim(), url) {
            ("", Some(url)) => url.to_owned(),
            ("", None) => {
                let date = first.map(|time| time.to_string()).unwrap_or_default();
                Fingerprint::of([headline, &date]).to_string()
            }
            (id, _) => id.to_owned(),
        };
        let thread = format!("rss:{page} {key}");
        if thread.chars().count() <= 256 { thread } else { format!("rss:{}", Fingerprint::of([page, &key])) }
    }
}

/// What a text is written in.
enum Markup {
    Html,
    Plain,
    /// RSS doesn't say.
    Either,
}

impl Markup {
    fn line(self, text: &str) -> String {
        match self {
            Self::Html => text::line(text),
            Self::Plain => text::one_line(text),
            Self::Either => text::perhaps_html(text),
        }
    }

    fn text(self, text: &str) -> String {
        match self {
            Self::Plain => text.trim().into(),
            Self::Either if !text.contains(['<', '&']) => text.trim().into(),
            Self::Html | Self::Either => text::plain(text),
        }
    }
}

/// A headline of a text without one: RSS wants a title or a description.
fn beginning(body: &str) -> Option<String> {
    let line = text::one_line(body.lines().next()?);
    let cut = line.char_indices().nth(MADE).map(|(at, _)| at);
    let beginning = cut.map_or(line.clone(), |at| format!("{}…", line[..at].trim_end()));
    (!beginning.is_empty()).then_some(beginning)
}

/// Where to read it: the link that is no other kind of link.
fn link(links: &[Link]) -> Option<String> {
    let is_alternate = |link: &&Link| link.target.is_none() && link.rel.as_deref().is_none_or(|rel| rel == "alternate");
    let is_web = |link: &&Link| link.href.starts_with("http://") || link.href.starts_with("https://");
    links.iter().filter(is_alternate).find(is_web).map(|link| link.href.trim().into())
}

fn subjects(entry: &Entry) -> Vec<String> {
    let mut subjects: Vec<String> = Vec::new();
    for category in &entry.categories {
        let subject = text::perhaps_html(&category.term);
        if !subject.is_empty() && !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    subjects
}

/// `en` of `en-GB`; none of what is no language.
fn primary(tag: &str) -> Option<String> {
    let primary = tag.trim().split(['-', '_']).next()?.to_lowercase();
    let is_language = (2..=3).contains(&primary.len()) && primary.bytes().all(|byte| byte.is_ascii_lowercase());
    is_language.then_some(primary)
}

#[cfg(test)]
mod tests;
