//! What goes wrong, when told to.

use std::{fmt, time::Duration};

use ferrokinesis::error::KinesisErrorResponse;
use serde_json::Value;

use super::decoded;

/// What happens to a request.
pub(super) enum Fault {
    Down,
    Hang,
    /// The error's code.
    Rejected(String),
    /// Executed, and not answered.
    LostAnswer,
    /// Answered, after so long.
    Late(Duration),
}

/// Whether the record of this key fails.
type Fails = dyn FnMut(&str) -> bool + Send;

#[derive(Default)]
pub(super) struct Faults {
    pub(super) latency: Duration,
    pub(super) down: bool,
    pub(super) hanging: usize,
    pub(super) lost_answers: usize,
    rejected: usize,
    code: String,
    poison: Option<String>,
    fails: Option<Box<Fails>>,
}

impl Faults {
    pub(super) fn reject(&mut self, requests: usize, code: &str) {
        self.rejected = requests;
        code.clone_into(&mut self.code);
    }

    pub(super) fn poison(&mut self, text: &str) {
        self.poison = Some(text.to_owned());
    }

    pub(super) fn fail_records_where(&mut self, fails: impl FnMut(&str) -> bool + Send + 'static) {
        self.fails = Some(Box::new(fails));
    }

    pub(super) fn next(&mut self) -> Fault {
        if self.down {
            return Fault::Down;
        }
        if take_one(&mut self.hanging) {
            return Fault::Hang;
        }
        if take_one(&mut self.lost_answers) {
            return Fault::LostAnswer;
        }
        if take_one(&mut self.rejected) { Fault::Rejected(self.code.clone()) } else { Fault::Late(self.latency) }
    }

    /// Which of the records fail; an error if one is poison.
    pub(super) fn failing(&mut self, records: &[Value]) -> Result<Vec<bool>, KinesisErrorResponse> {
        let poisoned = |record: &Value| {
            let contains = |poison: &String| String::from_utf8_lossy(&decoded(record)).contains(poison.as_str());
            self.poison.as_ref().is_some_and(contains)
        };
        if records.iter().any(poisoned) {
            return Err(KinesisErrorResponse::client_error("InvalidArgumentException", Some("told to refuse this")));
        }
        let mut fails = |record: &Value| {
            let key = record["PartitionKey"].as_str().unwrap_or_default();
            self.fails.as_mut().is_some_and(|fails| fails(key))
        };
        Ok(records.iter().map(&mut fails).collect())
    }
}

fn take_one(left: &mut usize) -> bool {
    let some = *left > 0;
    // All that come are without number.
    if *left != usize::MAX {
        *left = left.saturating_sub(1);
    }
    some
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faults")
    }
}
