//! What a model answers: labels and scores, in the shapes of the Hugging Face container.

use crate::Failure;
use news::Label;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a model makes of a headline.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Opinion {
    pub(super) label: Label,
    pub(super) score: f64,
    pub(super) scores: BTreeMap<Label, f64>,
}

#[derive(Deserialize)]
struct Scored {
    label: String,
    score: Value,
}

/// One opinion for each of `count` headlines. An opinion that can't be used is a failure of its headline alone.
///
/// # Errors
///
/// It isn't the shape of an answer, or an answer to something else.
pub(super) fn read(body: &[u8], count: usize) -> Result<Vec<Result<Opinion, Failure>>, String> {
    let lists = lists(body, count)?;
    if lists.len() != count {
        return Err(format!("{} answers to {count} headlines", lists.len()));
    }
    if lists.iter().any(Vec::is_empty) {
        return Err("an answer without a label".into());
    }
    Ok(lists.into_iter().map(opinion).collect())
}

/// With `top_k` there is a list for each headline. Containers that don't know it answer a label for each; some answer
/// one headline with its labels alone.
fn lists(body: &[u8], count: usize) -> Result<Vec<Vec<Scored>>, String> {
    let error = match serde_json::from_slice(body) {
        Ok(nested) => return Ok(nested),
        Err(error) => error,
    };
    let Ok(flat) = serde_json::from_slice::<Vec<Scored>>(body) else {
        return Err(format!("the answer is no list of labels and scores: {error}"));
    };
    Ok(if count == 1 && flat.len() > 1 { vec![flat] } else { flat.into_iter().map(|one| vec![one]).collect() })
}

fn opinion(labels: Vec<Scored>) -> Result<Opinion, Failure> {
    let mut scores = BTreeMap::new();
    for Scored { label, score } in labels {
        let Some(known) = Label::from_model(&label) else {
            return Err(Failure::permanent("unknown_label", format!("the model's label {label:?} is no sentiment")));
        };
        let Some(score) = score.as_f64().filter(|score| (0.0..=1.0).contains(score)) else {
            return Err(Failure::permanent(
                "bad_score",
                format!("the model's score for {label:?} is {score}, not 0 to 1"),
            ));
        };
        scores.insert(known, score);
    }
    let highest = scores.iter().max_by(|one, other| one.1.total_cmp(other.1));
    let (label, score) = highest.map(|(label, score)| (*label, *score)).expect("at least one label");
    Ok(Opinion { label, score, scores })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str, count: usize) -> String {
        match read(body.as_bytes(), count) {
            Err(error) => error,
            Ok(opinions) => opinions
                .into_iter()
                .map(|opinion| match opinion {
                    Ok(opinion) => format!("{} {} of {}", opinion.label.name(), opinion.score, opinion.scores.len()),
                    Err(failure) => failure.to_string(),
                })
                .collect::<Vec<_>>()
                .join("; "),
        }
    }

    #[test]
    fn every_shape_of_the_container_is_understood() {
        let three =
            r#"{"label":"positive","score":0.9},{"label":"neutral","score":0.07},{"label":"negative","score":0.03}"#;
        for (body, count, expected) in [
            (format!("[[{three}],[{three}]]"), 2, "positive 0.9 of 3; positive 0.9 of 3"),
            (format!("[[{three}]]"), 1, "positive 0.9 of 3"),
            (format!("[{three}]"), 1, "positive 0.9 of 3"),
            (format!("[{three}]"), 3, "positive 0.9 of 1; neutral 0.07 of 1; negative 0.03 of 1"),
            (r#"[{"label":"Negative","score":1}]"#.into(), 1, "negative 1 of 1"),
            (r#"[[{"label":"Neutral","score":0.5,"rank":1}]]"#.into(), 1, "neutral 0.5 of 1"),
        ] {
            assert_eq!(shown(&body, count), expected, "{body}");
        }
    }

    #[test]
    fn opinion_that_cannot_be_used_fails_its_headline_alone() {
        let fine = r#"[{"label":"neutral","score":0.5}]"#;
        for (odd, expected) in [
            (r#"[{"label":"LABEL_0","score":0.5}]"#, r#"unknown_label: the model's label "LABEL_0" is no sentiment"#),
            (
                r#"[{"label":"neutral","score":1.5}]"#,
                r#"bad_score: the model's score for "neutral" is 1.5, not 0 to 1"#,
            ),
            (
                r#"[{"label":"neutral","score":-0.1}]"#,
                r#"bad_score: the model's score for "neutral" is -0.1, not 0 to 1"#,
            ),
            (
                r#"[{"label":"neutral","score":null}]"#,
                r#"bad_score: the model's score for "neutral" is null, not 0 to 1"#,
            ),
        ] {
            let body = format!("[{fine},{odd},{fine}]");
            assert_eq!(shown(&body, 3), format!("neutral 0.5 of 1; {expected}; neutral 0.5 of 1"));
        }
    }

    #[test]
    fn what_is_no_answer_is_no_answer_for_any_headline() {
        for (body, expected) in [
            ("[]", "0 answers to 2 headlines"),
            (r#"[[{"label":"neutral","score":1}]]"#, "1 answers to 2 headlines"),
            ("[[],[]]", "an answer without a label"),
            (
                "{}",
                "the answer is no list of labels and scores: invalid type: map, expected a sequence at line 1 column 0",
            ),
            ("<html>", "the answer is no list of labels and scores: expected value at line 1 column 1"),
            (
                r#"[[{"label":"neutral","score":NaN}]]"#,
                "the answer is no list of labels and scores: expected value at line 1 column 30",
            ),
        ] {
            assert_eq!(shown(body, 2), expected, "{body}");
        }
    }
}
