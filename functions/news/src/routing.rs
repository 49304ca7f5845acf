//! The exchange that subscribers bind to, and what a message on it is called.

use crate::EnrichedItem;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The durable topic exchange, unless the settings name another.
///
/// The routing key is `<language>.<sentiment>.<provider>`: `en.negative.rtrs`.
pub const EXCHANGE: &str = "news";

/// What the alternate exchange's name and its queue's name add to the exchange's name.
pub const UNROUTED_SUFFIX: &str = ".unrouted";

/// The type of a message whose body is an [`EnrichedItem`] of this form.
pub const MESSAGE_TYPE: &str = "news.item.v1";

/// The media type of a message's body.
pub const CONTENT_TYPE: &str = "application/json";

/// The headers of a message: what a subscriber may want to know before it reads the body.
pub mod header {
    /// The item's language, `en`.
    pub const LANGUAGE: &str = "language";
    /// `negative`, `neutral`, `positive` or `unjudged`.
    pub const SENTIMENT: &str = "sentiment";
    /// The item's provider.
    pub const PROVIDER: &str = "provider";
    /// The feed's name.
    pub const SOURCE: &str = "source";
    /// `alert`, `article` or `correction`.
    pub const KIND: &str = "kind";
    /// `usable` or `canceled`.
    pub const STATUS: &str = "status";
    /// The story's thread.
    pub const THREAD: &str = "thread";
    /// X-Ray's trace header, where there is one.
    pub const TRACE: &str = "trace";
    /// When the message was sent, milliseconds since 1970: AMQP's own timestamp has whole seconds.
    pub const SENT: &str = "sent_ms";
}

/// The alternate exchange of `exchange`, and the queue behind it: `news.unrouted`.
pub fn unrouted(exchange: &str) -> String {
    format!("{exchange}{UNROUTED_SUFFIX}")
}

/// The routing key of an item: `en.negative.rtrs`.
///
/// Each word is in lower case; what would end a word or mean something to a binding (`.`, `*`, `#`, white space) is
/// a `-`, as is everything outside of ASCII; an empty word is `unknown`. A word has at most 80 bytes, as the whole
/// key may have 255 (AMQP 0-9-1, short string).
pub fn key(item: &EnrichedItem) -> String {
    let words = [item.item.language.as_str(), item.sentiment.name(), item.item.provider.as_str()];
    words.map(word).join(".")
}

fn word(text: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "_:/+".contains(letter) { letter } else { '-' };
    let word: String = text.trim().chars().take(80).map(plain).collect();
    if word.is_empty() { "unknown".into() } else { word.to_ascii_lowercase() }
}

/// The id of an item's message: the item's own, or the digest of an id that is longer than the 255 bytes which AMQP
/// has for it. The same item always has the same, so that a subscriber can tell that it saw a message before.
pub fn message_id(id: &str) -> String {
    if id.len() <= 255 {
        return id.into();
    }
    Sha256::digest(id).iter().fold(String::from("sha256:"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbitrary;
    use proptest::prelude::*;

    #[test]
    fn unrouted_is_named_after_its_exchange() {
        assert_eq!(unrouted(EXCHANGE), "news.unrouted");
    }

    #[test]
    fn words_of_a_key_cannot_break_out_of_their_place() {
        for (text, expected) in [
            ("RTRS", "rtrs"),
            ("www.example.com", "www-example-com"),
            ("#", "-"),
            ("*.*", "---"),
            ("a b\n", "a-b"),
            ("  ", "unknown"),
            ("Ärzte", "-rzte"),
        ] {
            assert_eq!(word(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_key_has_three_words_and_fits(item in arbitrary::enriched()) {
            let key = key(&item);
            prop_assert_eq!(key.split('.').filter(|word| !word.is_empty()).count(), 3);
            prop_assert!(key.len() <= 255 && !key.contains(['*', '#']));
        }

        #[test]
        fn every_message_id_fits_and_is_stable(id in "\\PC{1,600}") {
            prop_assert!(message_id(&id).len() <= 255);
            prop_assert_eq!(message_id(&id), message_id(&id));
        }
    }
}
