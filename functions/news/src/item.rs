//! A news item as it is on the stream.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the form that this code writes, and the newest that it reads.
///
/// It goes up when a reader of the old form would misread the new one. A new optional member is no
/// such change: readers ignore members that they don't know.
pub const FORM: u16 = 1;

/// The language of an item whose feed names none, as ISO 639-2 has it.
pub const UNKNOWN_LANGUAGE: &str = "und";

/// A news item as it is on the stream: what every feed's own form becomes.
///
/// ```
/// let record = br#"{
///     "version": 1, "id": "urn:example:1", "thread": "urn:example:1", "source": "wire",
///     "provider": "RTRS", "language": "en", "kind": "alert", "status": "usable",
///     "headline": "Example plc warns on profit", "published": "2026-01-02T03:04:05.678Z"
/// }"#;
/// let item = news::NewsItem::from_record(record)?;
/// assert_eq!(item.kind, news::Kind::Alert);
/// # Ok::<(), news::Refused>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewsItem {
    /// The version of this form, 1.
    pub version: u16,
    /// Names this very version of the story, unique within all feeds: 1 to 2048 bytes, opaque. A
    /// correction or a new take has another. Whoever sees an id twice has seen the same item twice.
    #[schemars(length(min = 1, max = 2048))]
    pub id: String,
    /// The same for all takes, corrections and the cancellation of a story, 1 to 256 characters. Items of
    /// one thread keep their order; it is the partition key on Kinesis.
    #[schemars(length(min = 1, max = 256))]
    pub thread: String,
    /// The feed it came from, as `newsloom.toml` names it.
    pub source: String,
    /// Who wrote it: LSEG's provider code without its prefix, `RTRS`; a site's host for RSS.
    pub provider: String,
    /// The language in lower case, ISO 639, `en`; `und` where the feed names none.
    pub language: String,
    /// What it is to its story.
    pub kind: Kind,
    /// Whether it stands.
    pub status: Status,
    /// As the feed has it: LSEG's 1 is an alert, 3 an article. Left out where the feed has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<u8>,
    /// Which take of the story it is, from 1, as the feed counts. Left out where it doesn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<u32>,
    /// The headline, plain text. Empty on some cancellations.
    pub headline: String,
    /// The text, as the feed gives it; left out where there is none, as for alerts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// What it is about, in the feed's own codes: `R:VOD.L`, `N2:GB`, `AAPL`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// Where to read it, for feeds of web pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When the provider published this version.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub published: Timestamp,
    /// When the story's first version was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub first_published: Option<Timestamp>,
    /// When the ingester had the whole item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub received: Option<Timestamp>,
    /// X-Ray's trace header of whoever sent it, `Root=1-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// What an item is to its story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A headline alone, sent before there is a text.
    Alert,
    /// A story, or a new take of it.
    Article,
    /// It puts right what an earlier item of the thread said.
    Correction,
}

impl Kind {
    /// As it is written: `alert`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Article => "article",
            Self::Correction => "correction",
        }
    }
}

/// Whether an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does.
    Usable,
    /// It takes back its thread: whoever shows or counts the story stops.
    Canceled,
}

impl Status {
    /// As it is written: `usable`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Canceled => "canceled",
        }
    }
}

/// Why a record is no news item, and never will be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The Kinesis Producer Library put several records into one.
    #[error("aggregated by the Kinesis Producer Library, which is not supported: send one item per record")]
    Aggregated,
    /// No JSON, or not of this form.
    #[error("is no news item: {0}")]
    Malformed(String),
    /// A newer form than this code knows.
    #[error("is of form {0}; forms up to {FORM} are understood")]
    Newer(u16),
    /// A member is outside of its range.
    #[error("{member} has {given} {unit}, 1 to {max} are allowed")]
    Length {
        /// Which one.
        member: &'static str,
        /// Its length.
        given: usize,
        /// The longest that is allowed.
        max: usize,
        /// Of what.
        unit: &'static str,
    },
}

impl Refused {
    /// A word for it, for who counts them: `malformed`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Aggregated => "aggregated",
            Self::Malformed(_) => "malformed",
            Self::Newer(_) => "newer_form",
            Self::Length { .. } => "out_of_range",
        }
    }
}

/// How a record begins that the Kinesis Producer Library made of several (its aggregation format).
const AGGREGATED: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];

impl NewsItem {
    /// Reads the data of a Kinesis record.
    ///
    /// # Errors
    ///
    /// Why it is none; the same bytes will never be one.
    pub fn from_record(data: &[u8]) -> Result<Self, Refused> {
        if data.starts_with(&AGGREGATED) {
            return Err(Refused::Aggregated);
        }
        match serde_json::from_slice::<Self>(data) {
            Ok(item) if item.version > FORM => Err(Refused::Newer(item.version)),
            Ok(item) => item.checked(),
            // A newer form may well miss what this one requires; its number says more than the parser.
            Err(error) => Err(newer(data).unwrap_or_else(|| Refused::Malformed(error.to_string()))),
        }
    }

    /// The data of a Kinesis record: compact JSON.
    #[expect(clippy::missing_panics_doc, reason = "no item makes it panic")]
    pub fn to_record(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts, numbers and times always become JSON")
    }

    /// The language in lower case, `und` if there is none.
    pub fn language(&self) -> String {
        let language = self.language.trim();
        if language.is_empty() { UNKNOWN_LANGUAGE.into() } else { language.to_lowercase() }
    }

    fn checked(mut self) -> Result<Self, Refused> {
        within("id", self.id.len(), 2048, "bytes")?;
        within("thread", self.thread.chars().count(), 256, "characters")?;
        self.language = self.language();
        Ok(self)
    }
}

fn within(member: &'static str, given: usize, max: usize, unit: &'static str) -> Result<(), Refused> {
    if (1..=max).contains(&given) { Ok(()) } else { Err(Refused::Length { member, given, max, unit }) }
}

fn newer(data: &[u8]) -> Option<Refused> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u16,
    }
    let version = serde_json::from_slice::<Versioned>(data).ok()?.version;
    (version > FORM).then_some(Refused::Newer(version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbitrary;
    use proptest::prelude::*;

    fn record(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
        let mut item = serde_json::json!({
            "version": 1, "id": "a", "thread": "t", "source": "wire", "provider": "RTRS", "language": "EN",
            "kind": "article", "status": "usable", "headline": "h", "published": "2026-01-02T03:04:05Z",
        });
        change(&mut item);
        serde_json::to_vec(&item).unwrap()
    }

    proptest! {
        #[test]
        fn every_item_survives_a_record(item in arbitrary::item()) {
            prop_assert_eq!(NewsItem::from_record(&item.to_record()), Ok(item));
        }

        #[test]
        fn no_bytes_make_it_panic(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = NewsItem::from_record(&data);
        }
    }

    #[test]
    fn what_can_never_be_an_item_is_refused_with_the_reason() {
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (b"Profit warning".to_vec(), "is no news item: expected value at line 1 column 1"),
            (
                vec![0xF3, 0x89, 0x9A, 0xC2, 1, 2],
                "aggregated by the Kinesis Producer Library, which is not supported: send one item per record",
            ),
            (record(|item| item["version"] = 2.into()), "is of form 2; forms up to 1 are understood"),
            (br#"{"version": 7, "story": {}}"#.to_vec(), "is of form 7; forms up to 1 are understood"),
            (record(|item| item["id"] = "".into()), "id has 0 bytes, 1 to 2048 are allowed"),
            (record(|item| item["thread"] = "x".repeat(257).into()), "thread has 257 characters, 1 to 256 are allowed"),
            (record(|item| item["published"] = "soon".into()), "is no news item: failed to parse"),
            (record(|item| item["kind"] = "rumour".into()), "is no news item: unknown variant `rumour`"),
        ];
        for (data, expected) in cases {
            let refused = NewsItem::from_record(&data).unwrap_err().to_string();
            assert!(refused.starts_with(expected), "{refused}");
        }
    }

    #[test]
    fn members_of_later_forms_are_ignored_and_languages_are_in_lower_case() {
        let item = NewsItem::from_record(&record(|item| item["mood"] = "good".into())).unwrap();
        assert_eq!(item.language, "en");
        let item = NewsItem::from_record(&record(|item| item["language"] = " ".into())).unwrap();
        assert_eq!(item.language, "und");
    }
}
