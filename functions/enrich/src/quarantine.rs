//! Records that can never succeed, set aside for a person.

use crate::{Failure, Position};
use aws_lambda_events::encodings::Base64Data;
use jiff::Timestamp;
use runtime::Budget;
use serde::{Deserialize, Serialize};

/// Somewhere to set records aside.
#[diagnostic::on_unimplemented(
    message = "`{Self}` sets nothing aside",
    label = "pass `Sqs`, or implement `Quarantine`"
)]
pub trait Quarantine {
    /// Sets records aside in their order, and says which are. After one that fails, none has to be tried: it will
    /// come again, and all after it.
    fn keep(&self, records: &[Quarantined], budget: Budget) -> impl Future<Output = Vec<Result<(), Failure>>>;
}

/// A record that was set aside: the body of a message in the quarantine.
///
/// The shape is stable: members may be added.
///
/// ```
/// let message = r#"{
///     "reason": { "code": "malformed", "text": "is no news item: expected value at line 1 column 1" },
///     "position": { "shard": "shardId-000000000000", "sequence_number": "4959" },
///     "data": { "text": "Profit warning" }, "bytes": 14, "cut": false,
///     "function": "newsloom-enrichment-enrich", "request_id": "8f0c", "time": "2026-01-02T03:04:05Z"
/// }"#;
/// let record: enrich::quarantine::Quarantined = serde_json::from_str(message)?;
/// assert_eq!(record.reason.code, "malformed");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Why it can never succeed.
    pub reason: Why,
    /// Where it was on the stream.
    pub position: Position,
    /// The item's id, if it is an item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The record's data, or its beginning.
    pub data: Data,
    /// How many bytes the data has.
    pub bytes: usize,
    /// Whether `data` is only its beginning.
    pub cut: bool,
    /// The function that set it aside.
    pub function: String,
    /// In which of its invocations.
    pub request_id: String,
    /// When.
    pub time: Timestamp,
}

/// Why a record can never succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// A word for it, `unknown_label`.
    pub code: String,
    /// What is wrong.
    pub text: String,
}

/// A record's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// It is text.
    Text(String),
    /// It isn't.
    Base64(Base64Data),
}

/// Which invocation sets records aside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The function's name.
    pub function: String,
    /// The request's id.
    pub request_id: String,
}

impl Data {
    /// Text where it can be.
    pub fn of(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Base64(base64(error.into_bytes())),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Base64(bytes) => bytes.len(),
        }
    }

    fn truncate(&mut self, most: usize) {
        match self {
            Self::Text(text) => text.truncate(text.floor_char_boundary(most)),
            Self::Base64(bytes) => bytes.truncate(most),
        }
    }
}

fn base64(bytes: Vec<u8>) -> Base64Data {
    let mut data = Base64Data::default();
    data.0 = bytes;
    data
}

impl Quarantined {
    /// The message's body: JSON of at most that many bytes. Data that doesn't fit is cut.
    pub fn to_message(&self, most: usize) -> String {
        let mut message = json(self);
        let mut part = self.clone();
        // What JSON makes of a byte has up to six; halving ends after a few rounds, and happens to very few records.
        while message.len() > most && part.data.len() > 0 {
            part.data.truncate((part.data.len() / 2).min(most));
            part.cut = true;
            message = json(&part);
        }
        message
    }
}

/// SQS takes what XML 1.0 can hold; JSON escapes all that it can't but these two, which are only ever inside of texts.
fn json(record: &Quarantined) -> String {
    let json = serde_json::to_string(record).expect("texts, numbers and times always become JSON");
    if json.contains(['\u{fffe}', '\u{ffff}']) {
        return json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff");
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quarantined(data: Vec<u8>) -> Quarantined {
        Quarantined {
            reason: Why { code: "malformed".into(), text: "is no news item".into() },
            position: Position::default(),
            id: None,
            bytes: data.len(),
            data: Data::of(data),
            cut: false,
            function: "enrich".into(),
            request_id: "r".into(),
            time: Timestamp::UNIX_EPOCH,
        }
    }

    proptest! {
        #[test]
        fn any_data_survives_a_message(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            let record = quarantined(data);
            let message = record.to_message(4096);
            prop_assert_eq!(serde_json::from_str::<Quarantined>(&message).unwrap(), record);
        }

        #[test]
        fn any_text_survives_a_message(text: String) {
            let record = quarantined(text.into_bytes());
            let message = record.to_message(100_000);
            let refused_by_sqs = |letter: char| letter < ' ' || letter == '\u{fffe}' || letter == '\u{ffff}';
            prop_assert!(!message.contains(refused_by_sqs));
            prop_assert_eq!(serde_json::from_str::<Quarantined>(&message).unwrap(), record);
        }

        #[test]
        fn what_is_too_large_is_cut_and_says_so(byte: u8, most in 400_usize..2000) {
            let message = quarantined(vec![byte; 5000]).to_message(most);
            prop_assert!(message.len() <= most);
            let record: Quarantined = serde_json::from_str(&message).unwrap();
            prop_assert!(record.cut && record.bytes == 5000 && record.data.len() > 0);
        }
    }
}
