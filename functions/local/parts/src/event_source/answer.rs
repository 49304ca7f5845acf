//! What a function's answer says about its batch (`ReportBatchItemFailures`).

use std::collections::HashMap;

use serde_json::Value;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All of it is done.
    Done,
    /// This record, by its place in the batch, and all later ones have to come again.
    From(usize),
    /// None of it is done, and why.
    Nothing(String),
}

/// Reads an answer by the table of the Lambda Developer Guide, "Configuring partial batch response with Kinesis Data
/// Streams and Lambda".
///
/// Which of several records is the earliest goes by their order in the batch. An answer of another form than the
/// guide's counts as failed, so that a misspelt name is found here.
pub(super) fn read(answer: &[u8], numbers: &[&str]) -> Verdict {
    if answer.trim_ascii().is_empty() {
        return Verdict::Done;
    }
    let failures = match serde_json::from_slice(answer) {
        Ok(Value::Null) => return Verdict::Done,
        Ok(Value::Object(members)) if members.is_empty() => return Verdict::Done,
        Ok(Value::Object(mut members)) => members.remove("batchItemFailures"),
        Ok(other) => return Verdict::Nothing(format!("the answer is {}; an object is wanted", brief(&other))),
        Err(error) => return Verdict::Nothing(format!("the answer is no JSON: {error}")),
    };
    match failures {
        Some(Value::Null) => Verdict::Done,
        Some(Value::Array(failures)) => earliest(&failures, numbers),
        Some(other) => Verdict::Nothing(format!("batchItemFailures is {}; a list is wanted", brief(&other))),
        None => Verdict::Nothing("the answer has no batchItemFailures".to_owned()),
    }
}

fn earliest(failures: &[Value], numbers: &[&str]) -> Verdict {
    let places: HashMap<&str, usize> = numbers.iter().copied().zip(0..).collect();
    let mut first = None;
    for failure in failures {
        let Some(number) = failure["itemIdentifier"].as_str().filter(|number| !number.is_empty()) else {
            return Verdict::Nothing(format!("{} has no itemIdentifier", brief(failure)));
        };
        let Some(&place) = places.get(number) else {
            return Verdict::Nothing(format!("itemIdentifier {} is not in the batch", brief(&number.into())));
        };
        first = Some(first.map_or(place, |first: usize| first.min(place)));
    }
    first.map_or(Verdict::Done, Verdict::From)
}

/// A value of the function's, for a message: its beginning.
fn brief(value: &Value) -> String {
    const MOST: usize = 100;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_row_by_row() {
        use Verdict::{Done, From};
        let nothing = |reason: &str| Verdict::Nothing(reason.to_owned());
        // Numbers are compared by their place: "9" comes before "10" here, whatever text or number says.
        let numbers = ["8", "9", "10"];
        for (answer, expected) in [
            ("", Done),
            (" \n", Done),
            ("null", Done),
            ("{}", Done),
            (r#"{"batchItemFailures":[]}"#, Done),
            (r#"{"batchItemFailures":null}"#, Done),
            (r#"{"batchItemFailures":[{"itemIdentifier":"8"}]}"#, From(0)),
            (r#"{"batchItemFailures":[{"itemIdentifier":"10"}]}"#, From(2)),
            (r#"{"batchItemFailures":[{"itemIdentifier":"10"},{"itemIdentifier":"9"}]}"#, From(1)),
            (r#"{"batchItemFailures":[{"itemIdentifier":"9"}],"other":1}"#, From(1)),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
                nothing(r#"{"itemIdentifier":""} has no itemIdentifier"#),
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
                nothing(r#"{"itemIdentifier":null} has no itemIdentifier"#),
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":9}]}"#,
                nothing(r#"{"itemIdentifier":9} has no itemIdentifier"#),
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"9"},{"itemIdentifier":"7"}]}"#,
                nothing(r#"itemIdentifier "7" is not in the batch"#),
            ),
            (
                r#"{"batchItemFailures":[{"ItemIdentifier":"9"}]}"#,
                nothing(r#"{"ItemIdentifier":"9"} has no itemIdentifier"#),
            ),
            (r#"{"batchItemFailures":["9"]}"#, nothing(r#""9" has no itemIdentifier"#)),
            (r#"{"batchItemFailures":"9"}"#, nothing(r#"batchItemFailures is "9"; a list is wanted"#)),
            (r#"{"batch_item_failures":[]}"#, nothing("the answer has no batchItemFailures")),
            (r#""ok""#, nothing(r#"the answer is "ok"; an object is wanted"#)),
            ("{", nothing("the answer is no JSON: EOF while parsing an object at line 1 column 1")),
        ] {
            assert_eq!(read(answer.as_bytes(), &numbers), expected, "{answer}");
        }
    }
}
