//! Alpaca's messages, and the items that some of them are.
//!
//! | Item | Message ("Real-time News") |
//! |---|---|
//! | `id` | `alpaca:`, `id`, `:`, `updated_at` |
//! | `thread` | `alpaca:` and `id`: a changed article comes again with a later `updated_at` |
//! | `kind`, `status` | article, usable |
//! | `headline` | `headline` |
//! | `body` | `content`, HTML and often empty, else `summary`, as plain text |
//! | `language` | `en`: there is no other |
//! | `provider` | `source`, `benzinga` |
//! | `subjects` | `symbols` |
//! | `url` | `url` |
//! | `published`, `first_published` | `updated_at`, `created_at` |
//!
//! A changed article is an article again and no correction. The first version has often been updated already, some
//! seconds after its creation, and nothing says whether a change puts anything right or adds to it.

use crate::sources::text;
use jiff::Timestamp;
use news::{FORM, Kind, NewsItem, Status};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Who wrote what doesn't say it.
const PROVIDER: &str = "alpaca";

/// A message.
#[derive(Debug, Deserialize)]
#[serde(tag = "T")]
pub(super) enum Message {
    /// A step went well.
    #[serde(rename = "success")]
    Success {
        /// Which one: `connected`, `authenticated`.
        msg: String,
    },
    /// It didn't.
    #[serde(rename = "error")]
    Error {
        code: u16,
        #[serde(default)]
        msg: String,
    },
    /// What is subscribed to from now on.
    #[serde(rename = "subscription")]
    Subscription {},
    /// An article.
    #[serde(rename = "n")]
    News(News),
    /// What we didn't ask for.
    #[serde(other)]
    Other,
}

/// An article.
#[derive(Debug, Deserialize)]
pub(super) struct News {
    id: u64,
    headline: String,
    summary: Option<String>,
    content: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    url: Option<String>,
    symbols: Option<Vec<String>>,
    source: Option<String>,
}

/// The messages of a frame: an array. One that is none doesn't spoil the others.
pub(super) fn read(frame: &[u8]) -> Vec<serde_json::Result<Message>> {
    if frame.is_empty() {
        return Vec::new();
    }
    match serde_json::from_slice::<Vec<&RawValue>>(frame) {
        Ok(messages) => messages.into_iter().map(|message| serde_json::from_str(message.get())).collect(),
        Err(error) => vec![Err(error)],
    }
}

impl News {
    /// The item, for the feed of that name.
    pub(super) fn item(self, feed: &str) -> NewsItem {
        let some = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let content = some(self.content).map(|html| text::plain(&html)).filter(|text| !text.is_empty());
        let body = content.or_else(|| some(self.summary).map(|summary| text::plain(&summary)));
        NewsItem {
            version: FORM,
            id: format!("alpaca:{}:{}", self.id, self.updated_at),
            thread: format!("alpaca:{}", self.id),
            source: feed.into(),
            provider: some(self.source).unwrap_or_else(|| PROVIDER.into()),
            language: "en".into(),
            kind: Kind::Article,
            status: Status::Usable,
            urgency: None,
            take: None,
            headline: text::perhaps_html(&self.headline),
            body: body.unwrap_or_default(),
            subjects: self.symbols.unwrap_or_default(),
            url: some(self.url),
            published: self.updated_at,
            first_published: Some(self.created_at),
            received: None,
            trace: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn message(change: impl FnOnce(&mut Value)) -> NewsItem {
        let mut news = json!({
            "T": "n", "id": 90_000_001, "headline": "Example plc Raises Outlook", "summary": "Invented summary.",
            "author": "A. Writer", "created_at": "2026-01-05T08:00:00Z", "updated_at": "2026-01-05T08:00:01Z",
            "url": "https://news.example/90000001", "content": "<p>Invented &amp; short.</p>", "symbols": ["XMPL"],
            "source": "example",
        });
        change(&mut news);
        let frame = json!([news]).to_string();
        match read(frame.as_bytes()).remove(0).unwrap() {
            Message::News(news) => news.item("wire"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn article_is_an_item() {
        let expected = NewsItem {
            version: FORM,
            id: "alpaca:90000001:2026-01-05T08:00:01Z".into(),
            thread: "alpaca:90000001".into(),
            source: "wire".into(),
            provider: "example".into(),
            language: "en".into(),
            kind: Kind::Article,
            status: Status::Usable,
            urgency: None,
            take: None,
            headline: "Example plc Raises Outlook".into(),
            body: "Invented & short.".into(),
            subjects: vec!["XMPL".into()],
            url: Some("https://news.example/90000001".into()),
            published: "2026-01-05T08:00:01Z".parse().unwrap(),
            first_published: Some("2026-01-05T08:00:00Z".parse().unwrap()),
            received: None,
            trace: None,
        };
        assert_eq!(message(|_| ()), expected);
    }

    #[test]
    fn later_version_is_of_the_same_thread() {
        let later = message(|news| news["updated_at"] = "2026-01-05T09:04:00+01:00".into());
        assert_eq!(later.id, "alpaca:90000001:2026-01-05T08:04:00Z");
        assert_eq!((later.thread.as_str(), later.kind), ("alpaca:90000001", Kind::Article));
    }

    #[test]
    fn what_an_article_lacks_is_left_out() {
        for content in [Value::Null, "".into(), "<p> </p>".into()] {
            assert_eq!(message(|news| news["content"] = content).body, "Invented summary.");
        }
        let bare = message(|news| {
            for member in ["summary", "content", "url", "symbols", "source", "author"] {
                news.as_object_mut().unwrap().remove(member);
            }
        });
        assert_eq!((bare.body.as_str(), bare.url, bare.provider.as_str()), ("", None, "alpaca"));
        assert!(bare.subjects.is_empty());
        assert_eq!(message(|news| news["headline"] = "Sample&#39;s outlook".into()).headline, "Sample's outlook");
    }

    #[test]
    fn message_that_is_none_does_not_spoil_the_others() {
        let frame = br#"[{"T":"success","msg":"connected"},{"T":"n","id":"x"},{"T":"q","S":"XMPL"},{"no":1},{"T":"error","code":406}]"#;
        let read = read(frame);
        assert!(matches!(&read[0], Ok(Message::Success { msg }) if msg == "connected"));
        assert!(read[1].is_err() && read[3].is_err());
        assert!(matches!(&read[2], Ok(Message::Other)));
        assert!(matches!(&read[4], Ok(Message::Error { code: 406, .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(frame in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&frame);
        }

        #[test]
        fn every_article_fits_the_stream(id: u64, headline in "\\PC{0,80}", content in "\\PC{0,80}") {
            let item = message(|news| {
                (news["id"], news["headline"], news["content"]) = (id.into(), headline.into(), content.into());
            });
            prop_assert_eq!(NewsItem::from_record(&item.to_record()), Ok(item));
        }
    }
}
