//! A news item with what the models say about it.

use crate::NewsItem;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A news item with what the models say about it: a row of the table, a message on the exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EnrichedItem {
    /// The item as it was on the stream.
    #[serde(flatten)]
    pub item: NewsItem,
    /// What a model makes of its headline, or why none was asked.
    pub sentiment: Sentiment,
    /// When Kinesis took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub arrived: Option<Timestamp>,
    /// When it was judged, just before it was stored.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub enriched: Timestamp,
}

/// What a model makes of a headline, or why none was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Sentiment {
    /// A model judged it.
    Judged(Judgement),
    /// No model was asked.
    Unjudged {
        /// Why not.
        reason: Reason,
    },
}

/// What a model makes of a headline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judgement {
    /// The label with the highest score.
    pub label: Label,
    /// Its score, 0 to 1.
    pub score: f64,
    /// The scores of all labels that the model gave, 0 to 1 each.
    pub scores: BTreeMap<Label, f64>,
    /// Which model judged, `ProsusAI/finbert`.
    pub model: String,
    /// Which version of it.
    pub model_version: String,
}

/// A sentiment, in the words of all FinBERT models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// Bad news.
    Negative,
    /// Neither.
    Neutral,
    /// Good news.
    Positive,
}

impl Label {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Negative, Self::Neutral, Self::Positive];

    /// As it is written: `negative`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Negative => "negative",
            Self::Neutral => "neutral",
            Self::Positive => "positive",
        }
    }

    /// A model's own spelling, whatever its case: `Positive`, `neg`. `None` for what is no sentiment, `LABEL_0`
    /// among it: which number means what differs from model to model.
    pub fn from_model(label: &str) -> Option<Self> {
        let label = label.trim();
        let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(label));
        match () {
            () if is(&["negative", "neg", "bearish"]) => Some(Self::Negative),
            () if is(&["neutral", "neu"]) => Some(Self::Neutral),
            () if is(&["positive", "pos", "bullish"]) => Some(Self::Positive),
            () => None,
        }
    }
}

/// Why no model was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No model judges the language.
    NoRoute,
    /// The item takes its thread back: there is nothing to judge.
    Canceled,
    /// There is no headline.
    NoHeadline,
}

impl Reason {
    /// As it is written: `no_route`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoRoute => "no_route",
            Self::Canceled => "canceled",
            Self::NoHeadline => "no_headline",
        }
    }
}

impl Sentiment {
    /// The label, or `unjudged`: the middle word of the routing key.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Judged(judgement) => judgement.label.name(),
            Self::Unjudged { .. } => "unjudged",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbitrary;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_enriched_item_survives_json(item in arbitrary::enriched()) {
            let json = serde_json::to_string(&item).unwrap();
            prop_assert_eq!(serde_json::from_str::<EnrichedItem>(&json).unwrap(), item);
        }
    }

    #[test]
    fn labels_of_every_finbert_are_understood_and_others_are_not() {
        for (spelt, label) in [
            ("positive", Some(Label::Positive)),
            ("Neutral", Some(Label::Neutral)),
            ("NEGATIVE", Some(Label::Negative)),
            (" neg ", Some(Label::Negative)),
            ("LABEL_0", None),
            ("", None),
            ("joy", None),
        ] {
            assert_eq!(Label::from_model(spelt), label, "{spelt:?}");
        }
    }

    #[test]
    fn names_are_what_is_written() {
        for label in Label::ALL {
            assert_eq!(serde_json::to_value(label).unwrap(), label.name());
        }
        for reason in [Reason::NoRoute, Reason::Canceled, Reason::NoHeadline] {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
    }
}
