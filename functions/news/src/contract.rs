//! What subscribers can rely on: the form of a message's body as JSON Schema, and examples of it.
//!
//! `docs/contract/` holds both; tests keep it and the types the same.

use crate::{EnrichedItem, NewsItem};
use schemars::{Schema, generate::SchemaSettings};

/// The JSON Schema of an [`EnrichedItem`], the body of a message: `docs/contract/enriched-item.schema.json`.
pub fn enriched_item() -> Schema {
    titled(schema().into_root_schema_for::<EnrichedItem>())
}

/// The JSON Schema of a [`NewsItem`], the data of a Kinesis record: `docs/contract/news-item.schema.json`.
pub fn news_item() -> Schema {
    titled(schema().into_root_schema_for::<NewsItem>())
}

fn schema() -> schemars::SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}

fn titled(mut schema: Schema) -> Schema {
    schema.insert("$comment".into(), "Readers ignore members that they don't know: docs/contract/README.md".into());
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{routing, table};
    use std::path::{Path, PathBuf};

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/contract")
    }

    /// A change of the contract is a change of a file that subscribers read: it is written with
    /// `UPDATE_CONTRACT=1 cargo test -p newsloom-news` and reviewed like any other.
    fn locked(name: &str, content: &str) {
        let path = folder().join(name);
        if std::env::var_os("UPDATE_CONTRACT").is_some() {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&path, content).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == content,
            "docs/contract/{name} differs from the types: UPDATE_CONTRACT=1 writes it anew\n{content}"
        );
    }

    fn pretty(schema: &Schema) -> String {
        serde_json::to_string_pretty(schema).unwrap() + "\n"
    }

    #[test]
    fn published_schemas_are_those_of_the_types() {
        locked("enriched-item.schema.json", &pretty(&enriched_item()));
        locked("news-item.schema.json", &pretty(&news_item()));
    }

    fn examples() -> Vec<(String, String)> {
        let read = |name: &str| (name.into(), std::fs::read_to_string(folder().join("examples").join(name)).unwrap());
        ["alert.json", "article.json", "cancellation.json", "no-route.json"].map(read).into()
    }

    #[test]
    fn examples_are_exactly_what_is_written() {
        for (name, text) in examples() {
            let item: EnrichedItem = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(serde_json::to_string_pretty(&item).unwrap() + "\n", text, "{name}");
            assert_eq!(table::from_row(table::to_row(&item, 0)).unwrap(), item, "{name}");
        }
    }

    #[test]
    fn routing_keys_of_the_examples_are_those_that_the_contract_names() {
        let keys: Vec<_> =
            examples().iter().map(|(_, text)| routing::key(&serde_json::from_str(text).unwrap())).collect();
        assert_eq!(keys, ["en.negative.rtrs", "en.positive.rtrs", "en.unjudged.rtrs", "ja.unjudged.lse"]);
    }

    #[test]
    fn members_that_a_later_form_adds_are_ignored() {
        let (_, text) = examples().remove(1);
        let mut later: serde_json::Value = serde_json::from_str(&text).unwrap();
        later["entities"] = serde_json::json!([{ "name": "Example plc" }]);
        later["sentiment"]["confidence"] = "high".into();
        let read: EnrichedItem = serde_json::from_value(later).unwrap();
        assert_eq!(read, serde_json::from_str(&text).unwrap());
    }
}
