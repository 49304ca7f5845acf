//! What goes on the exchange.

use crate::record::Refused;
use jiff::Timestamp;
use news::{
    EnrichedItem,
    routing::{self, header},
};
use std::fmt;

/// The type of a message whose body is a row that could not be published, in DynamoDB's JSON.
pub const REFUSED_TYPE: &str = "news.row.refused";

/// The header of such a message that says why.
pub const REFUSED: &str = "refused";

/// A message, with what publishing must know about it. Its `Debug` has no content in it: logs never have.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Where its record was in the batch.
    pub position: usize,
    /// Messages of one story are published one after the other.
    pub story: String,
    /// Where it goes.
    pub destination: Destination,
    /// Its routing key.
    pub routing_key: String,
    /// The same for the same change, however often it is published.
    pub id: String,
    /// The type property.
    pub kind: &'static str,
    /// The timestamp property, seconds since 1970. Left out where there is no time that would be the same every time.
    pub timestamp: Option<u64>,
    /// The headers, but for the time of sending.
    pub headers: Vec<(&'static str, String)>,
    /// The body, JSON.
    pub body: Vec<u8>,
    /// What its age is measured by; `None` for what is no item.
    pub published: Option<Timestamp>,
    /// The item's language; empty for what is no item.
    pub language: String,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The exchange that subscribers bind to.
    Subscribers,
    /// The alternate exchange, where what nobody bound waits too.
    Unrouted,
}

impl Message {
    /// An item for subscribers. `trace` is the invocation's; an item's own goes before it.
    #[expect(clippy::missing_panics_doc, reason = "no item makes it panic")]
    pub fn new(position: usize, item: &EnrichedItem, trace: Option<&str>) -> Self {
        let news = &item.item;
        let mut headers = vec![
            (header::LANGUAGE, news.language.clone()),
            (header::SENTIMENT, item.sentiment.name().into()),
            (header::PROVIDER, news.provider.clone()),
            (header::SOURCE, news.source.clone()),
            (header::KIND, news.kind.name().into()),
            (header::STATUS, news.status.name().into()),
            (header::THREAD, news.thread.clone()),
        ];
        headers.extend(news.trace.as_deref().or(trace).map(|trace| (header::TRACE, trace.into())));
        Self {
            position,
            story: news.thread.clone(),
            destination: Destination::Subscribers,
            routing_key: routing::key(item),
            id: routing::message_id(&news.id),
            kind: routing::MESSAGE_TYPE,
            timestamp: u64::try_from(item.enriched.as_second()).ok(),
            headers,
            body: serde_json::to_vec(item).expect("texts, numbers and times always become JSON"),
            published: Some(news.published),
            language: news.language.clone(),
        }
    }

    /// A row that can never be published, for a person to look at. `number` is its place in the stream.
    pub fn refused(position: usize, refused: Refused, number: Option<&str>) -> Self {
        let number = number.unwrap_or("unknown");
        let id = refused.key.map_or_else(|| format!("refused-{number}"), |key| routing::message_id(&key));
        Self {
            position,
            story: refused.thread.unwrap_or_else(|| format!("\u{0}{position}")),
            destination: Destination::Unrouted,
            routing_key: String::new(),
            id,
            kind: REFUSED_TYPE,
            timestamp: None,
            headers: vec![(REFUSED, refused.reason), ("sequence_number", number.into())],
            body: refused.row.into_bytes(),
            published: None,
            language: String::new(),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, id, destination, routing_key, .. } = self;
        write!(f, "Message({position}, {id}, {destination:?}, {routing_key})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::article;

    #[test]
    fn item_is_a_message_as_the_contract_has_it() {
        let message = Message::new(3, &article(), Some("Root=1-invocation"));
        assert_eq!(message.routing_key, "en.positive.rtrs");
        assert_eq!((message.id, message.kind), (article().item.id, "news.item.v1"));
        assert_eq!(message.timestamp, Some(1_767_323_045));
        assert_eq!(serde_json::from_slice::<EnrichedItem>(&message.body).unwrap(), article());
        let headers: Vec<_> = message.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(
            headers,
            [
                ("language", "en"),
                ("sentiment", "positive"),
                ("provider", "RTRS"),
                ("source", "lseg"),
                ("kind", "article"),
                ("status", "usable"),
                ("thread", "nL1N3XYZ01"),
                ("trace", "Root=1-invocation"),
            ]
        );
    }

    #[test]
    fn trace_of_the_item_goes_before_that_of_the_invocation() {
        let mut item = article();
        item.item.trace = Some("Root=1-item".into());
        let message = Message::new(0, &item, Some("Root=1-invocation"));
        assert!(message.headers.contains(&(header::TRACE, "Root=1-item".into())));
        assert!(!Message::new(0, &article(), None).headers.iter().any(|(name, _)| *name == header::TRACE));
    }

    #[test]
    fn refused_rows_go_where_the_unrouted_wait() {
        let refused = |key: Option<&str>| Refused {
            reason: "is of form 2".into(),
            key: key.map(Into::into),
            thread: None,
            row: "{}".into(),
        };
        let message = Message::refused(4, refused(Some("a")), Some("111"));
        assert_eq!((message.destination, message.id.as_str()), (Destination::Unrouted, "a"));
        assert_eq!(message.headers, [("refused", "is of form 2".into()), ("sequence_number", "111".into())]);
        assert_eq!(Message::refused(4, refused(None), Some("111")).id, "refused-111");
    }
}
