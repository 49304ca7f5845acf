//! Items and records for tests.

use enrich::{Position, Record};
use news::{FORM, Kind, NewsItem, Status};

/// An English article whose thread is its own id.
pub(crate) fn item(id: &str, headline: &str) -> NewsItem {
    NewsItem {
        version: FORM,
        id: id.into(),
        thread: id.into(),
        source: "wire".into(),
        provider: "RTRS".into(),
        language: "en".into(),
        kind: Kind::Article,
        status: Status::Usable,
        urgency: None,
        take: None,
        headline: headline.into(),
        body: String::new(),
        subjects: Vec::new(),
        url: None,
        published: "2026-01-02T03:04:05.678Z".parse().unwrap(),
        first_published: None,
        received: None,
        trace: None,
    }
}

/// The same in another language.
pub(crate) fn item_in(language: &str, id: &str, headline: &str) -> NewsItem {
    NewsItem { language: language.into(), ..item(id, headline) }
}

/// Bytes at a place of the stream; the numbers' text order is not their order.
pub(crate) fn record(number: usize, data: &[u8]) -> Record {
    let position = Position { sequence_number: Some(number.to_string()), ..Position::default() };
    Record::new(position, data.to_vec())
}

/// Items in a row, numbered from 0.
pub(crate) fn records(items: &[NewsItem]) -> Vec<Record> {
    items.iter().enumerate().map(|(at, item)| record(at, &item.to_record())).collect()
}
