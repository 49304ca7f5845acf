//! SageMaker's InvokeEndpoint in front of Hugging Face's text-classification.

use serde::{Deserialize, Serialize};

use super::Shared;
use bench::http::Response;

/// `POST /endpoints/{name}/invocations`.
pub(super) fn is_invocation(path: &str) -> bool {
    path.starts_with("/endpoints/") && path.ends_with("/invocations")
}

/// The model's opinions, after as long as it takes; `None` where the body is not of its contract.
pub(super) fn answer(shared: &Shared, body: &[u8]) -> Option<Response> {
    let asked: Asked = serde_json::from_slice(body).ok()?;
    {
        let mut state = shared.state();
        state.counts.calls += 1;
        state.counts.headlines += asked.inputs.len();
    }
    shared.work(asked.inputs.len());
    Some(asked.answer())
}

#[derive(Deserialize)]
struct Asked {
    inputs: Inputs,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Inputs {
    One(String),
    List(Vec<String>),
}

#[derive(Deserialize)]
struct Parameters {
    /// How many labels are wanted, null for all; one where it is left out.
    #[serde(default = "one")]
    top_k: Option<usize>,
}

#[derive(Debug, Clone, Serialize)]
struct Opinion {
    label: &'static str,
    score: f64,
}

impl Asked {
    /// Flat but for a list of which more than one label is wanted.
    fn answer(&self) -> Response {
        let top_k = self.parameters.top_k;
        let wanted = |text: &String| opinions(text).into_iter().take(top_k.unwrap_or(usize::MAX)).collect::<Vec<_>>();
        match &self.inputs {
            Inputs::One(text) => Response::json(&wanted(text)),
            Inputs::List(texts) if top_k == one() => Response::json(&texts.iter().flat_map(wanted).collect::<Vec<_>>()),
            Inputs::List(texts) => Response::json(&texts.iter().map(wanted).collect::<Vec<_>>()),
        }
    }
}

impl Inputs {
    fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::List(texts) => texts.len(),
        }
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Self { top_k: one() }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the member's own type")]
fn one() -> Option<usize> {
    Some(1)
}

/// All labels of a text, the likeliest first: always the same of the same text, and of no meaning.
fn opinions(text: &str) -> [Opinion; 3] {
    // FNV-1a, 32 bit.
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let mut labels = ["positive", "negative", "neutral"];
    labels.rotate_left((hash % 3) as usize);
    let best = 5001 + (hash >> 8) % 4900;
    let second = (10_000 - best) * 2 / 3;
    let scores = [best, second, 10_000 - best - second];
    [0, 1, 2].map(|place| Opinion { label: labels[place], score: f64::from(scores[place]) / 10_000.0 })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ask(body: &Value) -> Value {
        let answer = answer(&Shared::default(), body.to_string().as_bytes()).unwrap();
        serde_json::from_slice(&answer.body).unwrap()
    }

    #[test]
    fn answers_are_flat_but_for_a_list_with_all_labels() {
        let all = json!({ "top_k": null });
        let shape = |value: &Value| match value[0].as_array() {
            Some(first) => (value.as_array().unwrap().len(), first.len()),
            None => (value.as_array().unwrap().len(), 0),
        };
        assert_eq!(shape(&ask(&json!({ "inputs": "a" }))), (1, 0));
        assert_eq!(shape(&ask(&json!({ "inputs": "a", "parameters": all }))), (3, 0));
        assert_eq!(shape(&ask(&json!({ "inputs": ["a", "b"] }))), (2, 0));
        assert_eq!(shape(&ask(&json!({ "inputs": ["a", "b"], "parameters": all }))), (2, 3));
    }

    #[test]
    fn scores_add_up_and_the_first_is_the_highest() {
        for text in ["", "Example plc warns", "Example plc cheers"] {
            let [first, second, third] = opinions(text).map(|opinion| opinion.score);
            assert!(first > second && second >= third, "{text}");
            assert!((first + second + third - 1.0).abs() < 1e-9, "{text}");
        }
    }

    #[test]
    fn headlines_are_counted_and_nonsense_is_not_understood() {
        let shared = Shared::default();
        assert!(answer(&shared, br#"{"inputs": ["a", "b"]}"#).is_some());
        assert!(answer(&shared, br#"{"inputs": 1}"#).is_none());
        let counts = shared.state().counts;
        assert_eq!((counts.calls, counts.headlines), (1, 2));
    }
}
