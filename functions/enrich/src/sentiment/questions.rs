//! What is asked: headlines, each once, in requests.

use news::{NewsItem, settings::Route};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// What is asked of one endpoint.
pub(super) struct Group<'a> {
    pub(super) route: &'a Route,
    pub(super) questions: Vec<Question<'a>>,
    places: HashMap<&'a str, usize>,
}

/// A headline, and whose it is. Several items may have the same: an alert comes again as the headline of its story.
pub(super) struct Question<'a> {
    pub(super) headline: &'a str,
    pub(super) items: Vec<usize>,
    languages: Vec<&'a str>,
}

/// The longest headline that is sent, bytes. A model reads its first 512 tokens; this is several times as much.
const LONGEST: usize = 16 * 1024;

/// The most bytes of headlines in a request. In JSON a byte may become six, and a serverless endpoint takes 4 MB.
const MOST_BYTES: usize = 600 * 1024;

impl<'a> Group<'a> {
    /// The group of a route, which may be a new one.
    pub(super) fn of<'g>(groups: &'g mut Vec<Self>, route: &'a Route) -> &'g mut Self {
        let place = groups.iter().position(|group| std::ptr::eq(group.route, route)).unwrap_or(groups.len());
        if place == groups.len() {
            groups.push(Self { route, questions: Vec::new(), places: HashMap::new() });
        }
        &mut groups[place]
    }

    pub(super) fn add(&mut self, at: usize, item: &'a NewsItem) {
        let headline = &item.headline[..item.headline.floor_char_boundary(LONGEST)];
        let next = self.questions.len();
        let place = *self.places.entry(headline).or_insert(next);
        if place == next {
            self.questions.push(Question { headline, items: Vec::new(), languages: Vec::new() });
        }
        let question = &mut self.questions[place];
        question.items.push(at);
        question.languages.push(&item.language);
    }

    /// The questions in requests of at most so many, in order.
    pub(super) fn requests(&self, most: usize) -> Vec<&[Question<'a>]> {
        let mut requests = Vec::with_capacity(self.questions.len().div_ceil(most));
        let mut rest = self.questions.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(most).take_while(|question| {
                bytes += question.headline.len();
                bytes <= MOST_BYTES
            });
            let (request, after) = rest.split_at(fits.count().max(1));
            requests.push(request);
            rest = after;
        }
        requests
    }
}

impl<'a> Question<'a> {
    /// A headline that is no item's.
    pub(super) fn plain(headline: &'a str) -> Self {
        Self { headline, items: Vec::new(), languages: Vec::new() }
    }
}

/// The languages of a request.
pub(super) fn languages<'a>(questions: &[Question<'a>]) -> BTreeSet<&'a str> {
    questions.iter().flat_map(|question| question.languages.iter().copied()).collect()
}

/// A request's body. All labels are asked for, and `max_length` goes with `truncation`: a tokenizer that knows no
/// length of its own would cut nothing, and the model fail (Hugging Face inference toolkit, text classification).
pub(super) fn body(questions: &[Question<'_>]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Request<'a> {
        inputs: Vec<&'a str>,
        parameters: Value,
    }
    let inputs = questions.iter().map(|question| question.headline).collect();
    let parameters = json!({ "top_k": null, "truncation": true, "max_length": 512 });
    serde_json::to_vec(&Request { inputs, parameters }).expect("texts always become JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group<'a>(route: &'a Route, headlines: &'a [String]) -> Group<'a> {
        let questions = headlines.iter().map(|headline| Question::plain(headline)).collect();
        Group { route, questions, places: HashMap::new() }
    }

    fn route() -> Route {
        Route { languages: vec![], endpoint_name: String::new(), model: String::new(), model_version: String::new() }
    }

    #[test]
    fn requests_hold_all_questions_in_order_and_no_more_than_fit() {
        let headlines: Vec<String> = (0..35).map(|number| number.to_string()).collect();
        let lengths = |headlines: &[String], most| {
            group(&route(), headlines).requests(most).iter().map(|request| request.len()).collect::<Vec<_>>()
        };
        assert_eq!(lengths(&headlines, 16), [16, 16, 3]);
        assert_eq!(lengths(&headlines, 65_535), [35]);
        assert_eq!(lengths(&[], 16), [0_usize; 0]);
        let long = vec!["x".repeat(LONGEST); 100];
        assert_eq!(lengths(&long, 65_535), [37, 37, 26], "600 KiB are 37 of 16 KiB");
    }

    #[test]
    fn body_asks_for_all_labels_of_a_list_that_is_cut() {
        let body = body(&[Question::plain("a \"b\""), Question::plain("c")]);
        let expected = r#"{"inputs":["a \"b\"","c"],"parameters":{"max_length":512,"top_k":null,"truncation":true}}"#;
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
}
