//! LSEG's own scores of an item: what is in an envelope of `MRN_TRNA`.
//!
//! Members as in LSEG's "MRN Data Models and Elektron Implementation Guide", 5. A story is scored for each company,
//! commodity or country that it mentions.

use crate::{
    message::Malformed,
    scalar,
    story::{language, provider, time},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// LSEG's own scores of a story, to compare with others. Written as one JSON line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analytics {
    /// Its own id: `tr:`, and the story's.
    pub id: String,
    /// The story's id, as [`NewsItem`](news::NewsItem) has it.
    pub story: String,
    /// The feed's name.
    pub source: String,
    /// Who wrote the story, without `NS:`.
    pub provider: String,
    /// The story's language, in lower case.
    pub language: String,
    /// When the story's version was published.
    pub published: Option<Timestamp>,
    /// When the scores were whole.
    pub received: Timestamp,
    /// What computed them.
    pub system: Option<String>,
    /// How many words the story has.
    pub words: Option<u64>,
    /// How many sentences the story has.
    pub sentences: Option<u64>,
    /// How many companies the story mentions.
    pub companies: Option<u64>,
    /// Whether the story is about a market at large.
    pub market_commentary: Option<bool>,
    /// One for each of those that it is about.
    pub assets: Vec<Asset>,
}

/// What a story means for somebody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asset {
    /// A PermID.
    #[serde(rename(deserialize = "assetId"), default, deserialize_with = "scalar::string")]
    pub id: Option<String>,
    /// `CMPNY`, `CMDTY`, …
    #[serde(rename(deserialize = "assetClass"), default, deserialize_with = "scalar::string")]
    pub class: Option<String>,
    /// Its codes: `R:VOD.L`, `P:4295896661`.
    #[serde(rename(deserialize = "assetCodes"), default, deserialize_with = "scalar::strings")]
    pub codes: Vec<String>,
    /// Its name.
    #[serde(rename(deserialize = "assetName"), default, deserialize_with = "scalar::string")]
    pub name: Option<String>,
    /// How much the story is about it, 0 to 1.
    #[serde(default, deserialize_with = "scalar::float")]
    pub relevance: Option<f64>,
    /// The prevailing sentiment: -1, 0 or 1.
    #[serde(rename(deserialize = "sentimentClass"), default, deserialize_with = "scalar::float")]
    pub sentiment: Option<f64>,
    /// The probability that it is negative, 0 to 1.
    #[serde(rename(deserialize = "sentimentNegative"), default, deserialize_with = "scalar::float")]
    pub negative: Option<f64>,
    /// The probability that it is neutral, 0 to 1.
    #[serde(rename(deserialize = "sentimentNeutral"), default, deserialize_with = "scalar::float")]
    pub neutral: Option<f64>,
    /// The probability that it is positive, 0 to 1.
    #[serde(rename(deserialize = "sentimentPositive"), default, deserialize_with = "scalar::float")]
    pub positive: Option<f64>,
    /// How many words this was concluded from.
    #[serde(rename(deserialize = "sentimentWordCount"), default, deserialize_with = "scalar::number")]
    pub sentiment_words: Option<u64>,
    /// The sentence in which it is first mentioned, from 1; 0 is nowhere.
    #[serde(rename(deserialize = "firstMentionSentence"), default, deserialize_with = "scalar::number")]
    pub first_mention: Option<u64>,
}

/// Why an item of the feed is no scores.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoScores {
    /// Not of this form.
    #[error("is no scores: {0}")]
    Malformed(#[from] Malformed),
    /// Nobody can say which story they are of.
    #[error("is no scores: the story's id is missing")]
    Storyless,
}

/// Reads the scores of a story.
///
/// `source` is the feed's name, `received` the time at which they were whole.
///
/// ```
/// let scores = br#"{"id": "tr:ABC_1", "analytics": {"analyticsScores": [{"assetId": "1", "sentimentClass": -1}]}}"#;
/// let scores = lseg::analytics::read(scores, "wire", jiff::Timestamp::UNIX_EPOCH)?;
/// assert_eq!((&*scores.story, scores.assets[0].sentiment), ("ABC_1", Some(-1.0)));
/// # Ok::<(), lseg::analytics::NoScores>(())
/// ```
///
/// # Errors
///
/// It names no story. All else may be missing or of another type.
pub fn read(json: &[u8], source: &str, received: Timestamp) -> Result<Analytics, NoScores> {
    let whole: Whole<'_> = serde_json::from_slice(json).map_err(|error| Malformed::new(&error))?;
    let scores: Scores<'_> = part(whole.analytics).unwrap_or_default();
    let counts: Counts = part(scores.news_item).unwrap_or_default();
    let story: Story = part(whole.news_item).unwrap_or_default();
    let id = whole.id.unwrap_or_default();
    let of_id = || id.strip_prefix("tr:").map(Into::into);
    Ok(Analytics {
        story: story.source_id.or_else(of_id).filter(|id: &String| !id.is_empty()).ok_or(NoScores::Storyless)?,
        id,
        source: source.into(),
        provider: provider(story.provider.as_deref().unwrap_or_default()).into(),
        language: language(story.language.as_deref().unwrap_or_default()),
        published: time(story.source_timestamp.as_deref()),
        received,
        system: scores.system_version,
        words: counts.word_count,
        sentences: counts.sentence_count,
        companies: counts.company_count,
        market_commentary: counts.market_commentary,
        assets: assets(scores.assets),
    })
}

fn part<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

fn assets(raw: Option<&RawValue>) -> Vec<Asset> {
    let list: Vec<&RawValue> = part(raw).unwrap_or_default();
    list.into_iter().filter_map(|asset| part(Some(asset))).collect()
}

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(default, deserialize_with = "scalar::string")]
    id: Option<String>,
    #[serde(borrow, default)]
    analytics: Option<&'a RawValue>,
    #[serde(rename = "newsItem", borrow, default)]
    news_item: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scores<'a> {
    #[serde(rename = "analyticsScores", borrow, default)]
    assets: Option<&'a RawValue>,
    #[serde(borrow, default)]
    news_item: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "scalar::string")]
    system_version: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    #[serde(default, deserialize_with = "scalar::number")]
    word_count: Option<u64>,
    #[serde(default, deserialize_with = "scalar::number")]
    sentence_count: Option<u64>,
    #[serde(default, deserialize_with = "scalar::number")]
    company_count: Option<u64>,
    #[serde(default, deserialize_with = "scalar::truth")]
    market_commentary: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Story {
    #[serde(default, deserialize_with = "scalar::string")]
    source_id: Option<String>,
    #[serde(default, deserialize_with = "scalar::string")]
    source_timestamp: Option<String>,
    #[serde(default, deserialize_with = "scalar::string")]
    provider: Option<String>,
    #[serde(default, deserialize_with = "scalar::string")]
    language: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn line(scores: &Value) -> Result<Value, NoScores> {
        let received = "2026-01-02T03:04:06Z".parse().unwrap();
        read(scores.to_string().as_bytes(), "wire", received).map(|scores| serde_json::to_value(scores).unwrap())
    }

    #[test]
    fn scores_become_a_line_that_joins_with_the_story() {
        let scores = json!({
            "id": "tr:ABC_1",
            "analytics": {
                "systemVersion": "TS:1",
                "newsItem": {"wordCount": 212, "sentenceCount": 9, "companyCount": 1, "marketCommentary": false},
                "analyticsScores": [{
                    "assetId": "4295896661", "assetClass": "CMPNY", "assetName": "Example plc",
                    "assetCodes": ["R:EXA.L", "P:4295896661"], "relevance": 1.0, "sentimentClass": -1,
                    "sentimentNegative": 0.807, "sentimentNeutral": 0.144, "sentimentPositive": 0.049,
                    "sentimentWordCount": 103, "firstMentionSentence": 1, "brokerAction": "UNDEFINED",
                }],
            },
            "newsItem": {
                "sourceId": "ABC_1", "sourceTimestamp": "2026-01-02T03:04:05.678Z", "provider": "NS:RTRS", "language": "EN",
            },
        });
        let expected = json!({
            "id": "tr:ABC_1", "story": "ABC_1", "source": "wire", "provider": "RTRS", "language": "en",
            "published": "2026-01-02T03:04:05.678Z", "received": "2026-01-02T03:04:06Z", "system": "TS:1",
            "words": 212, "sentences": 9, "companies": 1, "market_commentary": false,
            "assets": [{
                "id": "4295896661", "class": "CMPNY", "codes": ["R:EXA.L", "P:4295896661"], "name": "Example plc",
                "relevance": 1.0, "sentiment": -1.0, "negative": 0.807, "neutral": 0.144, "positive": 0.049,
                "sentiment_words": 103, "first_mention": 1,
            }],
        });
        assert_eq!(line(&scores).unwrap(), expected);
    }

    #[test]
    fn odd_members_are_left_out_and_only_the_story_is_required() {
        let odd = json!({
            "id": "tr:ABC_1",
            "analytics": {"analyticsScores": [7, null, {"relevance": "much", "assetCodes": {}}], "newsItem": []},
            "newsItem": 7,
        });
        let read = line(&odd).unwrap();
        assert_eq!((&read["story"], &read["assets"].as_array().unwrap().len()), (&json!("ABC_1"), &1));
        assert_eq!(read["assets"][0]["relevance"], Value::Null);
        for none in [json!({}), json!({"id": "tr:"}), json!({"id": "ABC_1"}), json!({"newsItem": {"sourceId": ""}})] {
            assert_eq!(line(&none), Err(NoScores::Storyless), "{none}");
        }
        assert!(line(&json!(7)).is_err());
    }
}
