//! The articles table: its key, its special attributes, and items as its rows.

use crate::EnrichedItem;
use serde_dynamo::{AttributeValue, Item};

/// The partition key, text: the story's own id, so that a repeat finds itself.
///
/// There is no sort key and no index; a reader who wants one story asks by id, and everyone else
/// subscribes.
pub const KEY: &str = "article_id";

/// When DynamoDB may delete the item, number, seconds since 1970. Absent where items are kept.
pub const EXPIRES_AT: &str = "expires_at";

/// The largest row, bytes: DynamoDB's limit on an item.
pub const MAX_ROW: usize = 400 * 1024;

/// The item's own name for [`KEY`].
const ID: &str = "id";

/// An item as a row: its members are attributes under their own names, but for `id`, which is the [`KEY`].
/// `ttl_days` of 0 keeps it for ever; otherwise it may go that many days after it was enriched.
#[expect(clippy::missing_panics_doc, reason = "no item makes it panic")]
pub fn to_row(item: &EnrichedItem, ttl_days: u16) -> Item {
    let row: Item = serde_dynamo::to_item(item).expect("texts, numbers, lists and maps always become attributes");
    let mut row = row.into_inner();
    if let Some(id) = row.remove(ID) {
        row.insert(KEY.into(), id);
    }
    if ttl_days > 0 {
        let expires = item.enriched.as_second() + i64::from(ttl_days) * 86_400;
        row.insert(EXPIRES_AT.into(), AttributeValue::N(expires.to_string()));
    }
    row.into()
}

/// A row as an item.
///
/// # Errors
///
/// What it lacks or has in another form.
pub fn from_row(row: Item) -> Result<EnrichedItem, serde_dynamo::Error> {
    let mut row = row.into_inner();
    row.remove(EXPIRES_AT);
    if let Some(id) = row.remove(KEY) {
        row.insert(ID.into(), id);
    }
    serde_dynamo::from_item(Item::from(row))
}

/// How large DynamoDB counts a row, bytes: names and values, with 3 for a list or a map and 1 for each entry, and
/// at most 21 for a number (DynamoDB Developer Guide, "DynamoDB item sizes and formats").
pub fn size(row: &Item) -> usize {
    row.inner().iter().map(|(name, value)| name.len() + size_of(value)).sum()
}

fn size_of(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len().min(21),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        AttributeValue::L(list) => 3 + list.iter().map(|entry| 1 + size_of(entry)).sum::<usize>(),
        AttributeValue::M(map) => 3 + map.iter().map(|(name, entry)| 1 + name.len() + size_of(entry)).sum::<usize>(),
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Bs(all) => all.iter().map(Vec::len).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbitrary;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_enriched_item_survives_the_table(item in arbitrary::enriched(), ttl_days in 0_u16..3) {
            prop_assert_eq!(from_row(to_row(&item, ttl_days)).unwrap(), item);
        }
    }

    #[test]
    fn row_is_keyed_by_the_id_and_scores_are_numbers() {
        let item: EnrichedItem =
            serde_json::from_str(include_str!("../../../docs/contract/examples/article.json")).unwrap();
        let row = to_row(&item, 2).into_inner();
        assert_eq!(row[KEY], AttributeValue::S(item.item.id.clone()));
        assert!(!row.contains_key(ID));
        assert_eq!(row[EXPIRES_AT], AttributeValue::N((item.enriched.as_second() + 172_800).to_string()));
        let AttributeValue::M(sentiment) = &row["sentiment"] else { panic!("{row:?}") };
        assert_eq!(sentiment["score"], AttributeValue::N("0.9312".into()));
        assert!(!to_row(&item, 0).inner().contains_key(EXPIRES_AT));
    }

    #[test]
    fn size_counts_names_and_values_as_dynamodb_does() {
        let row = Item::from(std::collections::HashMap::from([
            ("text".to_string(), AttributeValue::S("äb".into())),
            ("list".into(), AttributeValue::L(vec![AttributeValue::Bool(true)])),
        ]));
        assert_eq!(size(&row), 4 + 3 + 4 + 3 + 1 + 1);
    }
}
