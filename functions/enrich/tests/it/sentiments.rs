//! How models are asked, with models played by tests and time that stands still until it is waited for.

use crate::items::{item, item_in};
use enrich::{
    Failure, Rejected,
    enricher::{Enricher, Findings},
    sentiment::{Models, Sentiments},
};
use news::{
    NewsItem, Sentiment, Status,
    settings::{EnrichSettings, Route},
};
use proptest::{collection::vec, prelude::*};
use runtime::Budget;
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Models that answer as they were told, and else judge by one word of a headline.
#[derive(Default)]
struct Played {
    script: RefCell<HashMap<String, VecDeque<Result<String, Rejected>>>>,
    takes: Cell<Duration>,
    calls: RefCell<Vec<(String, Vec<String>)>>,
    at_once: Cell<usize>,
    peak: Cell<usize>,
}

impl Played {
    fn answers(self, endpoint: &str, answers: impl IntoIterator<Item = Result<&'static str, Rejected>>) -> Self {
        let answers = answers.into_iter().map(|answer| answer.map(str::to_owned)).collect();
        self.script.borrow_mut().insert(endpoint.into(), answers);
        self
    }

    fn taking(self, takes: Duration) -> Self {
        self.takes.set(takes);
        self
    }
}

impl Models for &Played {
    async fn invoke(&self, endpoint: &str, body: Vec<u8>) -> Result<Vec<u8>, Rejected> {
        let body: Value = serde_json::from_slice(&body).unwrap();
        let inputs: Vec<String> = serde_json::from_value(body["inputs"].clone()).unwrap();
        assert_eq!(body["parameters"], json!({ "top_k": null, "truncation": true, "max_length": 512 }));
        self.calls.borrow_mut().push((endpoint.to_owned(), inputs.clone()));
        self.at_once.set(self.at_once.get() + 1);
        self.peak.set(self.peak.get().max(self.at_once.get()));
        sleep(self.takes.get()).await;
        self.at_once.set(self.at_once.get() - 1);
        let told = self.script.borrow_mut().get_mut(endpoint).and_then(VecDeque::pop_front);
        told.unwrap_or_else(|| judge(&inputs)).map(String::into_bytes)
    }
}

/// "poison" fails a request, "odd" gets a label that is no sentiment.
fn judge(inputs: &[String]) -> Result<String, Rejected> {
    if inputs.iter().any(|headline| headline.contains("poison")) {
        return Err(Rejected::Refused("poison!".into()));
    }
    let label = |headline: &String| if headline.contains("odd") { "LABEL_7" } else { "Positive" };
    let answer: Value = inputs.iter().map(|headline| json!([{ "label": label(headline), "score": 0.75 }])).collect();
    Ok(answer.to_string())
}

fn settings() -> EnrichSettings {
    let route = |language: &str, endpoint: &str| Route {
        languages: vec![language.into()],
        endpoint_name: endpoint.into(),
        model: format!("model of {endpoint}"),
        model_version: "main".into(),
    };
    EnrichSettings {
        pipeline: "news".into(),
        table_name: "articles".into(),
        quarantine_url: "q".into(),
        ttl_days: 0,
        routes: vec![route("en", "english"), route("de", "german")],
        headlines_per_request: 4,
        requests_in_flight: 2,
        request_timeout_ms: 1000,
        writes_in_flight: 1,
    }
}

async fn ask(models: &Played, items: &[NewsItem], seconds: u64) -> Findings<Sentiment> {
    let items: Vec<&NewsItem> = items.iter().collect();
    Sentiments::new(models, settings()).enrich(&items, Budget::of(Duration::from_secs(seconds))).await
}

/// Headlines that differ, in English.
fn english(headlines: &[&str]) -> Vec<NewsItem> {
    headlines.iter().zip(0..).map(|(headline, id)| item(&format!("{id}"), &format!("{headline} {id}"))).collect()
}

fn shown(outcomes: &[Result<Sentiment, Failure>]) -> Vec<String> {
    let show = |outcome: &Result<Sentiment, Failure>| match outcome {
        Ok(Sentiment::Judged(judgement)) => judgement.label.name().to_owned(),
        Ok(Sentiment::Unjudged { reason }) => reason.name().to_owned(),
        Err(Failure::Permanent { code, .. }) => (*code).to_owned(),
        Err(Failure::Transient(_)) => "later".to_owned(),
    };
    outcomes.iter().map(show).collect()
}

fn sizes(models: &Played) -> Vec<usize> {
    models.calls.borrow().iter().map(|(_, inputs)| inputs.len()).collect()
}

#[tokio::test(start_paused = true)]
async fn language_decides_the_endpoint_and_some_items_need_none() {
    let models = Played::default();
    let canceled = NewsItem { status: Status::Canceled, ..item("4", "Gone") };
    let items = [
        item("1", "a"),
        item_in("de", "2", "b"),
        item_in("fr", "3", "c"),
        canceled,
        item("5", " "),
        item_in("DE", "6", "d"),
    ];
    let findings = ask(&models, &items, 10).await;
    let expected = ["positive", "positive", "no_route", "canceled", "no_headline", "positive"];
    assert_eq!(shown(&findings.outcomes), expected);
    let german = vec!["b".to_owned(), "d".into()];
    assert_eq!(*models.calls.borrow(), [("english".to_owned(), vec!["a".to_owned()]), ("german".to_owned(), german)]);
    let Ok(Sentiment::Judged(judgement)) = &findings.outcomes[1] else { panic!("{findings:?}") };
    assert_eq!((judgement.model.as_str(), judgement.score), ("model of german", 0.75));
}

#[tokio::test(start_paused = true)]
async fn requests_are_bounded_in_size_and_number_and_endpoints_don_t_wait_for_each_other() {
    let models = Played::default().taking(Duration::from_millis(100));
    let mut items = english(&["a"; 18]);
    items.extend(english(&["b"; 4]).into_iter().map(|item| NewsItem { language: "de".into(), ..item }));
    let started = Instant::now();
    let findings = ask(&models, &items, 10).await;
    assert!(findings.outcomes.iter().all(Result::is_ok));
    assert_eq!(sizes(&models), [4, 4, 4, 4, 4, 2], "five requests of English, one of German");
    assert_eq!(models.peak.get(), 3, "two of English at once, and German beside them");
    assert_eq!(started.elapsed(), Duration::from_millis(300));
    let english = findings.latencies.iter().filter(|(language, _)| language == "en");
    assert_eq!(english.count(), 5);
    assert!(findings.latencies.iter().all(|(_, took)| *took == Duration::from_millis(100)));
}

#[tokio::test(start_paused = true)]
async fn same_headline_is_asked_once() {
    let models = Played::default();
    let findings = ask(&models, &[item("1", "a"), item("2", "b"), item("3", "a")], 10).await;
    assert_eq!(shown(&findings.outcomes), ["positive"; 3]);
    assert_eq!(models.calls.borrow()[0].1, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_now_is_asked_again() {
    for busy in ["ThrottlingException", "ModelNotReadyException", "503"] {
        let models = Played::default().answers("english", vec![Err(Rejected::Busy(busy.into())); 5]);
        let findings = ask(&models, &english(&["a", "b"]), 30).await;
        assert_eq!(shown(&findings.outcomes), ["positive"; 2]);
        assert_eq!(sizes(&models), [2; 6]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_asked_again() {
    let wrong = ["", "{}", "[]", r#"[[{"label":"neutral","score":1}]]"#];
    let models = Played::default().answers("english", wrong.map(Ok));
    let findings = ask(&models, &english(&["a", "b"]), 30).await;
    assert_eq!(shown(&findings.outcomes), ["positive"; 2]);
    assert_eq!(models.calls.borrow().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn request_that_takes_too_long_is_given_up_and_asked_again() {
    let models = Played::default().taking(Duration::from_secs(5));
    let started = Instant::now();
    let findings = ask(&models, &english(&["a"]), 10).await;
    assert_eq!(shown(&findings.outcomes), ["later"]);
    assert!(started.elapsed() <= Duration::from_secs(10));
    let calls = models.calls.borrow().len();
    assert!((5..=10).contains(&calls), "a second each, and pauses: {calls}");
}

#[tokio::test(start_paused = true)]
async fn asking_ends_with_the_budget() {
    let models = Played::default().answers("english", vec![Err(Rejected::Busy("throttled".into())); 10_000]);
    let started = Instant::now();
    let findings = ask(&models, &english(&["a"; 40]), 7).await;
    assert_eq!(shown(&findings.outcomes), ["later"; 40]);
    assert!(started.elapsed() <= Duration::from_secs(7));
    assert_eq!(findings.outcomes[0], Err(Failure::transient("throttled")));
}

#[tokio::test(start_paused = true)]
async fn endpoint_that_is_not_there_is_not_asked_again_and_nothing_is_set_aside() {
    let absent = vec![Err(Rejected::Unusable("not found".into())); 100];
    let models = Played::default().answers("english", absent).taking(Duration::from_millis(10));
    let mut items = english(&["a"; 40]);
    items.push(item_in("de", "g", "b"));
    let findings = ask(&models, &items, 30).await;
    let outcomes = shown(&findings.outcomes);
    assert_eq!(outcomes[..40], ["later"; 40]);
    assert_eq!(outcomes[40], "positive", "other endpoints go on");
    assert_eq!(sizes(&models), [4, 4, 1], "the two that were on their way, and one of German");
}

#[tokio::test(start_paused = true)]
async fn headline_that_the_model_cannot_stand_is_found_and_its_neighbours_are_judged() {
    let models = Played::default();
    let findings = ask(&models, &english(&["a", "b", "poison", "d"]), 30).await;
    assert_eq!(shown(&findings.outcomes), ["positive", "positive", "model_refused", "positive"]);
    assert_eq!(findings.outcomes[2], Err(Failure::permanent("model_refused", "poison!")));
    assert_eq!(sizes(&models), [4, 1, 2, 2, 1, 1], "all, a plain one, both halves, and the half of one");
}

#[tokio::test(start_paused = true)]
async fn endpoint_that_refuses_everything_is_broken_and_nothing_is_set_aside() {
    for headlines in [&["a"][..], &["a"; 40]] {
        let models = Played::default().answers("english", vec![Err(Rejected::Refused("no parameter".into())); 100]);
        let findings = ask(&models, &english(headlines), 30).await;
        assert!(shown(&findings.outcomes).iter().all(|outcome| outcome == "later"));
        let calls = models.calls.borrow();
        assert!(calls.len() <= 4, "not hammered: {calls:?}");
        assert_eq!(calls.iter().filter(|(_, inputs)| inputs == &["Shares are unchanged."]).count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn single_headline_that_is_refused_is_set_aside_where_the_endpoint_judges_others() {
    let models = Played::default();
    let findings = ask(&models, &english(&["poison"]), 30).await;
    assert_eq!(shown(&findings.outcomes), ["model_refused"]);
}

#[tokio::test(start_paused = true)]
async fn refusal_while_nobody_can_say_whether_the_endpoint_is_sound_is_no_reason_to_set_aside() {
    let throttled = Err(Rejected::Busy("throttled".into()));
    let script = std::iter::once(Err(Rejected::Refused("?".into()))).chain(vec![throttled; 10_000]);
    let models = Played::default().answers("english", script);
    let findings = ask(&models, &english(&["a", "b"]), 5).await;
    assert_eq!(shown(&findings.outcomes), ["later"; 2]);
}

#[tokio::test(start_paused = true)]
async fn label_that_is_no_sentiment_fails_its_headline_alone() {
    let models = Played::default();
    let findings = ask(&models, &english(&["a", "odd", "c"]), 30).await;
    assert_eq!(shown(&findings.outcomes), ["positive", "unknown_label", "positive"]);
    let Err(Failure::Permanent { text, .. }) = &findings.outcomes[1] else { panic!() };
    assert_eq!(text, r#"the model's label "LABEL_7" is no sentiment"#);
}

#[tokio::test(start_paused = true)]
async fn models_message_is_cut() {
    let message = "ä".repeat(5000);
    let models = Played::default().answers("english", [Err(Rejected::Refused(message))]);
    let findings = ask(&models, &english(&["a"]), 30).await;
    let Err(Failure::Permanent { text, .. }) = &findings.outcomes[0] else { panic!("{findings:?}") };
    assert_eq!(text.chars().count(), 1000);
}

proptest! {
    /// Whichever headlines are poison, exactly those are refused, whatever is busy in between.
    #[test]
    fn exactly_the_poison_is_refused(kinds in vec(prop_oneof![3 => Just("a"), 1 => Just("poison"), 1 => Just("odd")], 1..30), busy in 0_usize..6) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let models = Played::default().answers("english", vec![Err(Rejected::Busy("throttled".into())); busy]);
            let findings = ask(&models, &english(&kinds), 120).await;
            let expected = |kind: &&str| match *kind { "a" => "positive", "odd" => "unknown_label", _ => "model_refused" };
            prop_assert_eq!(shown(&findings.outcomes), kinds.iter().map(expected).collect::<Vec<_>>());
            prop_assert!(models.peak.get() <= 2);
            Ok(())
        })?;
    }
}
