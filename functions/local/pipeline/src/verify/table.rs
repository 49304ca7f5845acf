//! The run's rows in the table of enriched items.

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, DeleteRequest, KeysAndAttributes, WriteRequest},
};
use news::{EnrichedItem, table};
use runtime::with_causes;
use std::collections::HashMap;

/// The table of enriched items.
#[derive(Debug)]
pub(super) struct Table {
    client: Client,
    name: String,
}

/// BatchGetItem's limit on keys.
const KEYS: usize = 100;

/// BatchWriteItem's limit on requests.
const WRITES: usize = 25;

/// How often what DynamoDB had no time for is asked again before it counts as an error.
const ATTEMPTS: usize = 10;

impl Table {
    pub(super) fn new(config: &aws_config::SdkConfig, name: &str) -> Self {
        Self { client: Client::new(config), name: name.into() }
    }

    /// Those of the ids that are there, each as an item, or why it is none.
    pub(super) async fn read(&self, ids: &[&str]) -> Result<Vec<(String, Result<EnrichedItem, String>)>, String> {
        let mut found = Vec::new();
        for ids in ids.chunks(KEYS) {
            let mut left: Vec<_> = ids.iter().map(|id| key(id)).collect();
            // A read that is too large comes in parts.
            while !left.is_empty() {
                let (rows, unprocessed) = self.get(left).await?;
                if rows.is_empty() && !unprocessed.is_empty() {
                    return Err("the table is too busy to say what it has".into());
                }
                found.extend(rows.into_iter().filter_map(|row| Some((id_of(&row)?, read(row)))));
                left = unprocessed;
            }
        }
        Ok(found)
    }

    async fn get(&self, keys: Vec<Row>) -> Result<(Vec<Row>, Vec<Row>), String> {
        let asked = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let asked = asked.map_err(|error| error.to_string())?;
        let answer = self.client.batch_get_item().request_items(&self.name, asked).send().await;
        let answer = answer.map_err(|error| with_causes(&error))?;
        let rows = answer.responses.unwrap_or_default().into_values().flatten().collect();
        let left = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys).collect();
        Ok((rows, left))
    }

    /// Removes the rows of these ids, whether they are there or not.
    pub(super) async fn delete(&self, ids: &[&str]) -> Result<(), String> {
        for ids in ids.chunks(WRITES) {
            let delete = |id: &&str| {
                let delete = DeleteRequest::builder().set_key(Some(key(id))).build();
                delete.map(|delete| WriteRequest::builder().delete_request(delete).build())
            };
            let writes: Result<Vec<_>, _> = ids.iter().map(delete).collect();
            self.write(writes.map_err(|error| error.to_string())?).await?;
        }
        Ok(())
    }

    async fn write(&self, mut writes: Vec<WriteRequest>) -> Result<(), String> {
        for _ in 0..ATTEMPTS {
            let answer = self.client.batch_write_item().request_items(&self.name, writes).send().await;
            let left = answer.map_err(|error| with_causes(&error))?.unprocessed_items.unwrap_or_default();
            writes = left.into_values().flatten().collect();
            if writes.is_empty() {
                return Ok(());
            }
        }
        Err(format!("the table is too busy to remove {} rows", writes.len()))
    }
}

type Row = HashMap<String, AttributeValue>;

fn key(id: &str) -> Row {
    HashMap::from([(table::KEY.to_owned(), AttributeValue::S(id.to_owned()))])
}

fn id_of(row: &Row) -> Option<String> {
    row.get(table::KEY)?.as_s().ok().cloned()
}

fn read(row: Row) -> Result<EnrichedItem, String> {
    table::from_row(row.into()).map_err(|error| error.to_string())
}
