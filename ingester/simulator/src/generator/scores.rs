//! Invented scores of a story, `MRN_TRNA`.

use crate::{
    item::{About, Item, Ric, Story, json},
    text::hash,
};
use serde_json::json;
use std::sync::Arc;

/// What an analyst that knows nothing makes of a story in English; other languages have no scores.
pub(crate) fn scores(story: &Story) -> Option<Item> {
    if !story.language.eq_ignore_ascii_case("en") {
        return None;
    }
    let mut random = fastrand::Rng::with_seed(hash(story.id.as_bytes()));
    let class = random.i8(-1..=1);
    let [strong, weak] = [random.u32(500..900), random.u32(30..80)].map(|share| f64::from(share) / 1000.0);
    let rest = ((1.0 - strong - weak) * 1000.0).round() / 1000.0;
    let (negative, neutral, positive) = match class {
        -1 => (strong, rest, weak),
        0 => (weak, strong, rest),
        _ => (weak, rest, strong),
    };
    let words = story.body.split_whitespace().count();
    let company: String = story.headline.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let volumes = json!([
        { "window": "12H", "itemCount": 0 }, { "window": "24H", "itemCount": 0 }, { "window": "3D", "itemCount": 1 },
    ]);
    let content = json!({
        "id": format!("tr:{}", story.id),
        "analytics": {
            "analyticsScores": [{
                "assetClass": "CMPNY",
                "assetCodes": [format!("P:4{:09}", random.u32(..1_000_000_000)), story.subjects.get(1)],
                "assetId": format!("4{:09}", random.u32(..1_000_000_000)),
                "assetName": company,
                "brokerAction": "UNDEFINED",
                "firstMentionSentence": 1,
                "linkedIds": [],
                "noveltyCounts": volumes,
                "priceTargetIndicator": "UNDEFINED",
                "relevance": 1,
                "sentimentClass": class,
                "sentimentNegative": negative,
                "sentimentNeutral": neutral,
                "sentimentPositive": positive,
                "sentimentWordCount": words,
                "volumeCounts": volumes,
            }],
            "newsItem": {
                "bodySize": story.body.len(), "companyCount": 1, "exchangeAction": "UNDEFINED", "headlineTag": "",
                "marketCommentary": false, "sentenceCount": words.div_ceil(18) + 1, "wordCount": words,
            },
            "systemVersion": "SIM:1",
        },
        "newsItem": {
            "dataType": "News", "feedFamilyCode": "tr", "headline": story.headline, "language": story.language,
            "metadata": {
                "altId": story.alt_id, "audiences": story.audiences, "feedTimestamp": story.version_created,
                "firstCreated": story.first_created, "isArchive": false, "takeSequence": story.take_sequence,
            },
            "provider": story.provider, "sourceId": story.id, "sourceTimestamp": story.version_created,
            "subjects": story.subjects, "urgency": story.urgency,
        },
    });
    let about = About {
        ric: Ric::Scores,
        id: format!("tr:{}", story.id),
        thread: story.alt_id.clone(),
        take: story.take_sequence,
        headline: story.headline.clone(),
    };
    Some(Item { about: Arc::new(about), content: json(&content) })
}
