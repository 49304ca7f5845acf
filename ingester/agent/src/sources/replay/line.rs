//! Lines, and the items that they are.
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

use super::{gunzip::Gunzip, input::Input};
use crate::{sources::fingerprint::Fingerprint, status::FeedStatus};
use bytes::Bytes;
use jiff::Timestamp;
use news::{FORM, Kind, NewsItem, Status, UNKNOWN_LANGUAGE};
use serde::Deserialize;

/// The longest line that is read: four times what a stream takes.
const LONGEST: usize = 4 << 20;

/// How a gzip file begins (RFC 1952, section 2.3.1); no JSON does.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A line, and which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: u64,
    /// Without its end. `None` was too long.
    pub text: Option<Bytes>,
}

impl Line {
    /// The item, for the feed of that name.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub fn item(&self, feed: &str) -> Result<NewsItem, String> {
        let text = self.text.as_ref().ok_or_else(|| format!("is longer than {LONGEST} bytes"))?;
        match serde_json::from_slice::<Brief>(text) {
            Ok(brief) if brief.version.is_none() => brief.item(feed),
            // Whole, or nothing of ours: who reads the stream says what is wrong with it.
            _ => NewsItem::from_record(text).map_err(|refused| refused.to_string()),
        }
        .map(|item| NewsItem { received: None, trace: None, ..item })
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

/// Cuts an input into lines.
pub(super) struct Lines {
    input: Input,
    form: Form,
    cutter: Cutter,
    over: bool,
}

/// What the input's first bytes say.
enum Form {
    Unknown,
    Plain,
    Compressed(Box<Gunzip>),
}

impl Lines {
    pub(super) fn of(input: Input) -> Self {
        Self { input, form: Form::Unknown, cutter: Cutter::default(), over: false }
    }

    /// The next line that has anything in it.
    pub(super) async fn next(&mut self, status: &FeedStatus) -> anyhow::Result<Option<Line>> {
        loop {
            if let Some(line) = self.cutter.next() {
                return Ok(Some(line));
            }
            if self.over {
                return Ok(self.cutter.last());
            }
            self.fill(status).await?;
        }
    }

    async fn fill(&mut self, status: &FeedStatus) -> anyhow::Result<()> {
        if let Form::Compressed(gunzip) = &mut self.form
            && let Some(piece) = gunzip.take()?
        {
            self.cutter.give(&piece);
            return Ok(());
        }
        let piece = self.input.read(status).await?;
        self.over = piece.is_empty();
        if let Form::Unknown = self.form {
            self.form = if piece.starts_with(&GZIP) { Form::Compressed(Box::new(Gunzip::new())) } else { Form::Plain };
        }
        match &mut self.form {
            Form::Compressed(gunzip) if self.over => self.cutter.give(&gunzip.finish()?),
            Form::Compressed(gunzip) => gunzip.give(piece),
            _ => self.cutter.give(&piece),
        }
        Ok(())
    }
}

/// Bytes in, lines out.
#[derive(Debug, Default)]
struct Cutter {
    bytes: Vec<u8>,
    /// Up to here it was cut.
    cut: usize,
    /// Up to here there is no end of a line.
    searched: usize,
    /// The line's beginning was thrown away: it is too long.
    skipping: bool,
    number: u64,
}

impl Cutter {
    fn give(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.cut);
        self.searched -= self.cut;
        self.cut = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line that has anything in it.
    fn next(&mut self) -> Option<Line> {
        loop {
            let Some(at) = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') else {
                self.searched = self.bytes.len();
                self.skip_if_too_long();
                return None;
            };
            let end = self.searched + at;
            let line = self.line(end);
            (self.cut, self.searched) = (end + 1, end + 1);
            if line.is_some() {
                return line;
            }
        }
    }

    /// What is left when no more comes.
    fn last(&mut self) -> Option<Line> {
        let line = self.line(self.bytes.len());
        *self = Self { number: self.number, ..Self::default() };
        line
    }

    fn line(&mut self, end: usize) -> Option<Line> {
        let skipped = std::mem::take(&mut self.skipping);
        self.number += 1;
        let text = self.bytes[self.cut..end].trim_ascii();
        // Windows' editors begin a file with a mark of UTF-8.
        let text = if self.number == 1 { text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text) } else { text };
        let too_long = skipped || text.len() > LONGEST;
        let has_any = too_long || !text.is_empty();
        has_any.then(|| Line { number: self.number, text: (!too_long).then(|| Bytes::copy_from_slice(text)) })
    }

    fn skip_if_too_long(&mut self) {
        if self.bytes.len() - self.cut > LONGEST || self.skipping {
            self.skipping = true;
            self.cut = self.bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(text: &str) -> Line {
        Line { number: 1, text: Some(Bytes::copy_from_slice(text.as_bytes())) }
    }

    fn all(mut cutter: Cutter, pieces: &[&[u8]]) -> Vec<Line> {
        let mut lines = Vec::new();
        for piece in pieces {
            cutter.give(piece);
            lines.extend(std::iter::from_fn(|| cutter.next()));
        }
        lines.extend(cutter.last());
        lines
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_the_bytes_come(text in "[ab\r\n]{0,60}", size in 1..9_usize) {
            let pieces: Vec<_> = text.as_bytes().chunks(size).collect();
            let expected: Vec<_> = (1..)
                .zip(text.split('\n'))
                .filter(|(_, text)| !text.trim().is_empty())
                .map(|(number, text)| Line { number, text: Some(Bytes::copy_from_slice(text.trim().as_bytes())) })
                .collect();
            prop_assert_eq!(all(Cutter::default(), &pieces), expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Line { number: 1, text: Some(bytes.into()) }.item("recorded");
        }
    }

    #[test]
    fn line_that_is_too_long_is_refused_and_the_next_is_read() {
        let long = vec![b'x'; LONGEST + 10];
        let lines = all(Cutter::default(), &[&long[..LONGEST / 2], &long, b"\nnext\n"]);
        assert_eq!(
            lines,
            [Line { number: 1, text: None }, Line { number: 2, text: Some(Bytes::from_static(b"next")) }]
        );
        assert_eq!(lines[0].item("recorded"), Err("is longer than 4194304 bytes".into()));
    }

    #[test]
    fn mark_of_utf_8_at_the_beginning_is_no_part_of_the_line() {
        let lines = all(Cutter::default(), &[b"\xEF\xBB\xBF{}\n"]);
        assert_eq!(lines[0].text.as_deref(), Some(&b"{}"[..]));
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
