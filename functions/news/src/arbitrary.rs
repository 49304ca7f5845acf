//! Items of every kind, for property tests.

use crate::{EnrichedItem, FORM, Judgement, Kind, Label, NewsItem, Reason, Sentiment, Status};
use jiff::Timestamp;
use proptest::{collection::vec, option, prelude::*, sample::select};

/// From 1970 to 2100, to the nanosecond.
fn time() -> impl Strategy<Value = Timestamp> {
    (0_i64..4_102_444_800, 0_i32..1_000_000_000).prop_map(|(second, nano)| Timestamp::new(second, nano).unwrap())
}

fn text() -> impl Strategy<Value = String> {
    any::<String>()
}

prop_compose! {
    pub(crate) fn item()(
        (id, thread) in ("\\PC{1,64}", "\\PC{1,64}"),
        (source, provider, language) in (text(), text(), select(vec!["en", "de", "und", "zh-hans"])),
        kind in select(vec![Kind::Alert, Kind::Article, Kind::Correction]),
        status in select(vec![Status::Usable, Status::Canceled]),
        (urgency, take) in (option::of(any::<u8>()), option::of(any::<u32>())),
        (headline, body, subjects) in (text(), text(), vec(text(), 0..4)),
        (url, trace) in (option::of(text()), option::of(text())),
        (published, first_published, received) in (time(), option::of(time()), option::of(time())),
    ) -> NewsItem {
        let language = language.into();
        NewsItem {
            version: FORM, id, thread, source, provider, language, kind, status, urgency, take, headline, body,
            subjects, url, published, first_published, received, trace,
        }
    }
}

fn sentiment() -> impl Strategy<Value = Sentiment> {
    // Models compute in f32; what they print is anywhere between 0 and 1.
    let scores = [0_f64..=1.0, 0_f64..=1.0, 0_f64..=1.0];
    let judged =
        (scores, text(), text(), select(Label::ALL.to_vec())).prop_map(|(scores, model, model_version, label)| {
            let scores = Label::ALL.into_iter().zip(scores).collect();
            Sentiment::Judged(Judgement { label, score: scores_of(&scores, label), scores, model, model_version })
        });
    let reasons = vec![Reason::NoRoute, Reason::Canceled, Reason::NoHeadline];
    prop_oneof![judged, select(reasons).prop_map(|reason| Sentiment::Unjudged { reason })]
}

fn scores_of(scores: &std::collections::BTreeMap<Label, f64>, label: Label) -> f64 {
    scores[&label]
}

prop_compose! {
    pub(crate) fn enriched()(
        item in item(), sentiment in sentiment(), arrived in option::of(time()), enriched in time(),
    ) -> EnrichedItem {
        EnrichedItem { item, sentiment, arrived, enriched }
    }
}
