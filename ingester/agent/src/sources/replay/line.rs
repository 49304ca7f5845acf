//! A line, and the item that it is.
//!
//! A brief line has a `headline` and any other members of an item, but no `version`. What it leaves out:
//!
//! | Member | Without it |
//! |---|---|
//! | `id` | `brief:` and a fingerprint of what is there, so that the same line is the same item |
//! | `thread` | the id |
//! | `source`, `provider` | the feed's name |
//! | `language` | `und` |
//! | `kind`, `status` | `article`, `usable` |
//! | `published` | now: an article whose time nobody knows |

use super::lines::LONGEST;
use crate::sources::fingerprint::Fingerprint;
use bytes::Bytes;
use jiff::Timestamp;
use news::{FORM, Kind, NewsItem, Status, UNKNOWN_LANGUAGE};
use serde::Deserialize;

/// A line, and which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    /// Without its end. `None` was too long.
    pub(super) text: Option<Bytes>,
}

impl Line {
    /// The item, for the feed of that name.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub(super) fn item(&self, feed: &str) -> Result<NewsItem, String> {
        let text = self.text.as_ref().ok_or_else(|| format!("is longer than {LONGEST} bytes"))?;
        let item = NewsItem::from_record(text).or_else(|refused| match serde_json::from_slice::<Brief>(text) {
            Ok(brief) if brief.version.is_none() => brief.item(feed),
            _ => Err(refused.to_string()),
        })?;
        Ok(NewsItem { received: None, trace: None, ..item })
    }
}

/// What is known of an item.
#[derive(Deserialize)]
struct Brief {
    version: Option<serde::de::IgnoredAny>,
    id: Option<String>,
    thread: Option<String>,
    source: Option<String>,
    provider: Option<String>,
    language: Option<String>,
    kind: Option<Kind>,
    status: Option<Status>,
    urgency: Option<u8>,
    take: Option<u32>,
    headline: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    subjects: Vec<String>,
    url: Option<String>,
    published: Option<Timestamp>,
    first_published: Option<Timestamp>,
}

impl Brief {
    fn item(self, feed: &str) -> Result<NewsItem, String> {
        let id = self.id.clone().unwrap_or_else(|| self.fingerprint());
        let item = NewsItem {
            version: FORM,
            thread: self.thread.unwrap_or_else(|| id.chars().take(256).collect()),
            id,
            source: self.source.unwrap_or_else(|| feed.into()),
            provider: self.provider.unwrap_or_else(|| feed.into()),
            language: self.language.unwrap_or_else(|| UNKNOWN_LANGUAGE.into()),
            kind: self.kind.unwrap_or(Kind::Article),
            status: self.status.unwrap_or(Status::Usable),
            urgency: self.urgency,
            take: self.take,
            headline: self.headline,
            body: self.body,
            subjects: self.subjects,
            url: self.url,
            published: self.published.unwrap_or_else(Timestamp::now),
            first_published: self.first_published,
            received: None,
            trace: None,
        };
        // The same rules for lengths as for a whole one.
        NewsItem::from_record(&item.to_record()).map_err(|refused| refused.to_string())
    }

    fn fingerprint(&self) -> String {
        let published = self.published.map(|time| time.to_string()).unwrap_or_default();
        let texts = [&self.thread, &self.provider, &self.language, &self.url];
        let texts = texts.into_iter().map(|text| text.as_deref().unwrap_or_default());
        let all = texts.chain([self.headline.as_str(), &self.body, &published]);
        format!("brief:{}", Fingerprint::of(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(text: &str) -> Line {
        Line { number: 1, text: Some(Bytes::copy_from_slice(text.as_bytes())) }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Line { number: 1, text: Some(bytes.into()) }.item("recorded");
        }
    }

    #[test]
    fn whole_item_is_passed_on_but_for_its_last_journey() {
        let text = r#"{"version":1,"id":"a","thread":"t","source":"wire","provider":"RTRS","language":"EN","kind":"alert",
            "status":"usable","headline":"h","published":"2026-01-02T03:04:05Z","received":"2026-01-02T03:04:06Z",
            "trace":"Root=1-x"}"#;
        let item = line(text).item("recorded").unwrap();
        assert_eq!((item.id.as_str(), item.source.as_str(), item.language.as_str()), ("a", "wire", "en"));
        assert_eq!((item.received, item.trace), (None, None));
    }

    #[test]
    fn brief_line_gets_what_it_leaves_out() {
        let item = line(r#"{"headline":"Example plc lifts outlook"}"#).item("recorded").unwrap();
        assert_eq!(
            item,
            NewsItem {
                version: FORM,
                id: "brief:7e8350964448c65899ed6560caf77ae0".into(),
                thread: item.id.clone(),
                source: "recorded".into(),
                provider: "recorded".into(),
                language: "und".into(),
                kind: Kind::Article,
                status: Status::Usable,
                urgency: None,
                take: None,
                headline: "Example plc lifts outlook".into(),
                body: String::new(),
                subjects: Vec::new(),
                url: None,
                published: item.published,
                first_published: None,
                received: None,
                trace: None,
            }
        );
    }

    #[test]
    fn brief_line_keeps_what_it_says() {
        let text = r#"{"id":"7","headline":"h","language":"DE","published":"2020-01-02T03:04:05Z","subjects":["X"]}"#;
        let item = line(text).item("recorded").unwrap();
        assert_eq!((item.id.as_str(), item.thread.as_str(), item.language.as_str()), ("7", "7", "de"));
        assert_eq!(
            (item.published.to_string().as_str(), &item.subjects[..]),
            ("2020-01-02T03:04:05Z", &["X".into()][..])
        );
    }

    #[test]
    fn what_is_no_item_is_refused_with_the_reason() {
        for (text, expected) in [
            ("Profit warning", "is no news item: expected value at line 1 column 1"),
            (r#"{"version":2,"headline":"h"}"#, "is of form 2; forms up to 1 are understood"),
            (r#"{"version":1,"headline":"h"}"#, "is no news item: missing field `id` at line 1 column 28"),
            (r#"{"headline":"h","id":""}"#, "id has 0 bytes, 1 to 2048 are allowed"),
            (r#"{"title":"h"}"#, "is no news item: missing field `version` at line 1 column 13"),
        ] {
            assert_eq!(line(text).item("recorded"), Err(expected.into()));
        }
    }
}
