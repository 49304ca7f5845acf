//! What a message consists of, and what SQS asks of it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Message, Refusal, queue::MOST_DELAY};

/// Body and attributes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Content {
    pub(super) message_body: String,
    #[serde(default)]
    message_attributes: BTreeMap<String, Attribute>,
    /// For how long nobody receives it; the queue says when this doesn't.
    #[serde(default)]
    pub(super) delay_seconds: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    data_type: String,
    /// Binary values are left out: nothing here sends them.
    #[serde(default)]
    string_value: Option<String>,
}

impl Content {
    pub(super) fn bytes(&self) -> usize {
        let attribute = |(name, attribute): (&String, &Attribute)| {
            name.len() + attribute.data_type.len() + attribute.string_value.as_ref().map_or(0, String::len)
        };
        self.message_body.len() + self.message_attributes.iter().map(attribute).sum::<usize>()
    }

    /// Whether SQS takes it, in a queue whose messages have so many bytes at most.
    pub(super) fn check(&self, most_bytes: usize) -> Result<(), Refusal> {
        if self.bytes() > most_bytes {
            return Err(Refusal::new(
                "InvalidParameterValue",
                format!("One or more parameters are invalid. Reason: Message must be shorter than {most_bytes} bytes."),
            ));
        }
        if let Some(seconds) = self.delay_seconds.filter(|seconds| *seconds > MOST_DELAY) {
            let reason = format!("DelaySeconds must be >= 0 and <= {MOST_DELAY}.");
            return Err(Refusal::new(
                "InvalidParameterValue",
                format!("Value {seconds} for parameter DelaySeconds is invalid. Reason: {reason}"),
            ));
        }
        if self.message_body.is_empty() {
            return Err(Refusal::new("MissingParameter", "The request must contain the parameter MessageBody."));
        }
        if !self.message_body.chars().all(is_allowed) {
            return Err(Refusal::new(
                "InvalidMessageContents",
                "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
            ));
        }
        if self.message_attributes.len() > 10 {
            let message = format!(
                "Number of message attributes [{}] exceeds the allowed maximum [10].",
                self.message_attributes.len()
            );
            return Err(Refusal::new("InvalidParameterValue", message));
        }
        match self
            .message_attributes
            .iter()
            .find(|(_, attribute)| attribute.string_value.as_ref().is_none_or(String::is_empty))
        {
            Some((name, _)) => Err(Refusal::new(
                "InvalidParameterValue",
                format!("Message (user) attribute '{name}' must contain a non-empty value of type 'String'."),
            )),
            None => Ok(()),
        }
    }

    pub(super) fn message(&self) -> Message {
        let attribute = |(name, attribute): (&String, &Attribute)| {
            (name.clone(), attribute.string_value.clone().unwrap_or_default())
        };
        Message { body: self.message_body.clone(), attributes: self.message_attributes.iter().map(attribute).collect() }
    }

    /// What a client compares with what it sent.
    pub(super) fn digest_of_body(&self) -> String {
        digest(self.message_body.as_bytes())
    }

    /// The same for all attributes, if there are any.
    pub(super) fn digest_of_attributes(&self) -> Option<String> {
        self.digest_of(&self.message_attributes.keys().collect::<Vec<_>>())
    }

    /// The attributes that a receiver asked for (by name, by `prefix.*`, all by `All`), and their digest.
    pub(super) fn asked_for(&self, asked: &[String]) -> Option<(Value, String)> {
        let is_asked = |name: &str| {
            asked.iter().any(|asked| {
                let prefix = asked.strip_suffix(".*");
                asked == "All" || asked == name || prefix.is_some_and(|prefix| name.starts_with(prefix))
            })
        };
        let names: Vec<_> = self.message_attributes.keys().filter(|name| is_asked(name)).collect();
        let digest = self.digest_of(&names)?;
        let attribute = |name: &String| {
            let Attribute { data_type, string_value } = &self.message_attributes[name];
            (name.clone(), json!({ "DataType": data_type, "StringValue": string_value }))
        };
        Some((names.into_iter().map(attribute).collect(), digest))
    }

    /// The MD5 that clients compare: name, data type and value by name, each with its length before it.
    fn digest_of(&self, names: &[&String]) -> Option<String> {
        const STRING: u8 = 1;
        if names.is_empty() {
            return None;
        }
        let mut bytes = Vec::new();
        for &name in names {
            let attribute = &self.message_attributes[name];
            add(&mut bytes, name);
            add(&mut bytes, &attribute.data_type);
            bytes.push(STRING);
            add(&mut bytes, attribute.string_value.as_deref().unwrap_or_default());
        }
        Some(digest(&bytes))
    }
}

fn add(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(text.as_bytes());
}

fn digest(bytes: &[u8]) -> String {
    format!("{:x}", md5::compute(bytes))
}

/// SQS takes what XML 1.0 can hold.
fn is_allowed(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
