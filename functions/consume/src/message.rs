//! What a message's body says.

use lapin::BasicProperties;
use news::{EnrichedItem, FORM};
use serde::Deserialize;
use serde_json::error::Category;

/// The id that a message says it has, if any.
pub(crate) fn id(properties: &BasicProperties) -> Option<String> {
    properties.message_id().as_ref().map(ToString::to_string).filter(|id| !id.is_empty())
}

/// Why a body is no item that this program understands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAnItem {
    /// It never will be.
    #[error("{0}")]
    Malformed(String),
    /// A later program understands it.
    #[error("is of form {0}; forms up to {FORM} are understood")]
    Newer(u16),
}

/// Reads a body.
pub(crate) fn read(body: &[u8]) -> Result<EnrichedItem, NotAnItem> {
    match serde_json::from_slice::<EnrichedItem>(body) {
        Ok(item) if item.item.version > FORM => Err(NotAnItem::Newer(item.item.version)),
        Ok(item) => Ok(item),
        // A newer form may miss what this one requires: its number says more than the parser.
        Err(error) => Err(newer(body).unwrap_or_else(|| NotAnItem::Malformed(reason(&error)))),
    }
}

fn newer(body: &[u8]) -> Option<NotAnItem> {
    let Versioned { version } = serde_json::from_slice(body).ok()?;
    (version > FORM).then_some(NotAnItem::Newer(version))
}

#[derive(Deserialize)]
struct Versioned {
    version: u16,
}

/// What is wrong with a body, without quoting it: stories are not for logs.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let quotes_nothing = error.classify() != Category::Data || text.starts_with("missing field");
    if quotes_nothing { text } else { "a member is not what the contract says".into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&body);
        }
    }

    #[test]
    fn malformed_bodies_are_explained_without_being_quoted() {
        for (body, expected) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("Profit warning", "expected value at line 1 column 1"),
            ("{\"version\": 1, \"id\": \"a\"}", "missing field `sentiment` at line 1 column 25"),
            ("{\"sentiment\": \"Profit warning\"}", "a member is not what the contract says"),
            ("[\"Profit warning\"]", "a member is not what the contract says"),
        ] {
            assert_eq!(read(body.as_bytes()), Err(NotAnItem::Malformed(expected.into())), "{body}");
        }
    }

    #[test]
    fn newer_form_is_told_from_a_malformed_body() {
        assert_eq!(read(br#"{"version": 2, "story": {}}"#), Err(NotAnItem::Newer(2)));
    }
}
