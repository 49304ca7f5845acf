//! DynamoDB's table of articles, of which only the ids are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{Origin, Shared, State, sleep};
use bench::http::Response;

/// The answer after as long as a request takes; `None` for an operation or a body that nobody expects.
pub(super) fn answer(shared: &Shared, operation: &str, body: &[u8]) -> Option<Response> {
    // Read before the lock is taken: this is what takes time.
    let asked = Asked::read(operation, body)?;
    let (answer, table_ms) = {
        let mut state = shared.state();
        state.counts.table_requests += 1;
        (asked.answer(&mut state), state.latency.table_ms)
    };
    sleep(table_ms);
    Some(Response::aws_json(&answer))
}

enum Asked {
    Put {
        id: String,
    },
    Write {
        ids: Vec<String>,
    },
    Get {
        table: String,
        ids: Vec<String>,
    },
    /// Statements that insert.
    Insert {
        ids: Vec<String>,
    },
}

impl Asked {
    fn read(operation: &str, body: &[u8]) -> Option<Self> {
        match operation {
            "PutItem" => read::<PutItem>(body).map(|put| Self::Put { id: put.item.id }),
            "BatchWriteItem" => {
                let tables = read::<BatchWriteItem>(body)?.tables;
                let ids = tables.into_values().flatten().map(|write| write.put.item.id).collect();
                Some(Self::Write { ids })
            }
            "BatchGetItem" => {
                let (table, wanted) = read::<BatchGetItem>(body)?.tables.pop_first()?;
                Some(Self::Get { table, ids: wanted.keys.into_iter().map(|key| key.id).collect() })
            }
            "BatchExecuteStatement" => {
                let statements = read::<BatchExecuteStatement>(body)?.statements;
                let ids = statements.into_iter().map(Statement::id).collect::<Option<_>>()?;
                Some(Self::Insert { ids })
            }
            _ => None,
        }
    }

    fn answer(self, state: &mut State) -> Value {
        match self {
            Self::Put { id } => {
                state.write(id);
                json!({})
            }
            Self::Write { ids } => {
                for id in ids {
                    state.write(id);
                }
                json!({ "UnprocessedItems": {} })
            }
            Self::Get { table, ids } => {
                state.counts.looked_up += ids.len();
                let there = ids.into_iter().filter(|id| state.table.contains_key(id));
                let rows: Vec<_> = there.map(|id| json!({ "article_id": { "S": id } })).collect();
                json!({ "Responses": { table: rows }, "UnprocessedKeys": {} })
            }
            Self::Insert { ids } => {
                let responses: Vec<_> = ids.into_iter().map(|id| state.insert(id)).collect();
                json!({ "Responses": responses })
            }
        }
    }
}

impl State {
    /// Writes a row over the one that may be there.
    fn write(&mut self, id: String) {
        self.counts.written += 1;
        if self.table.insert(id, Origin::Written) == Some(Origin::Written) {
            self.counts.written_twice += 1;
        }
    }

    /// Writes a row if there is none; the answer to the statement.
    fn insert(&mut self, id: String) -> Value {
        if self.table.contains_key(&id) {
            self.counts.refused += 1;
            let message = "Duplicate primary key exists in table";
            return json!({ "Error": { "Code": "DuplicateItem", "Message": message }, "TableName": "articles" });
        }
        self.write(id);
        json!({ "TableName": "articles" })
    }
}

#[derive(Deserialize)]
struct PutItem {
    #[serde(rename = "Item")]
    item: Row,
}

#[derive(Deserialize)]
struct BatchWriteItem {
    #[serde(rename = "RequestItems")]
    tables: BTreeMap<String, Vec<Write>>,
}

#[derive(Deserialize)]
struct Write {
    #[serde(rename = "PutRequest")]
    put: PutItem,
}

#[derive(Deserialize)]
struct BatchGetItem {
    #[serde(rename = "RequestItems")]
    tables: BTreeMap<String, Wanted>,
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(rename = "Keys")]
    keys: Vec<Row>,
}

/// A row, or a key: whatever else is in it is not looked at.
#[derive(Deserialize)]
struct Row {
    #[serde(rename = "article_id", deserialize_with = "text")]
    id: String,
}

#[derive(Deserialize)]
struct BatchExecuteStatement {
    #[serde(rename = "Statements")]
    statements: Vec<Statement>,
}

/// `INSERT INTO "articles" VALUE {'article_id': ?, 'headline': ?}`
#[derive(Deserialize)]
struct Statement {
    #[serde(rename = "Statement")]
    text: String,
    #[serde(rename = "Parameters", default)]
    parameters: Vec<Map<String, Value>>,
}

impl Statement {
    /// The new row's id; `None` where it inserts none.
    fn id(self) -> Option<String> {
        // Every other part is within quotation marks, and has no parameter.
        let mut parts = self.text.split('\'');
        let mut before =
            parts.next().filter(|part| part.trim_start().starts_with("INSERT INTO "))?.matches('?').count();
        while let (Some(name), Some(after)) = (parts.next(), parts.next()) {
            if name == news::table::KEY {
                let is_parameter = after.trim_start_matches([':', ' ']).starts_with('?');
                let value = if is_parameter { self.parameters.get(before)?.get("S")?.as_str() } else { parts.next() };
                return value.map(str::to_owned);
            }
            before += after.matches('?').count();
        }
        None
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// `{"S": "…"}`.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    struct Text {
        #[serde(rename = "S")]
        text: String,
    }
    Text::deserialize(deserializer).map(|text| text.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(shared: &Shared, operation: &str, body: &Value) -> Option<Value> {
        let answer = answer(shared, operation, body.to_string().as_bytes())?;
        serde_json::from_slice(&answer.body).ok()
    }

    fn row(id: &str) -> Value {
        json!({ news::table::KEY: { "S": id }, "sentiment": { "M": {} } })
    }

    fn insert(id: &str) -> Value {
        let statement = "INSERT INTO \"articles\" VALUE {'headline': ?, 'article_id': ?}";
        json!({ "Statement": statement, "Parameters": [{ "S": "is it?" }, { "S": id }] })
    }

    #[test]
    fn what_is_written_is_found_and_nothing_else_is() {
        let shared = Shared::default();
        ask(&shared, "PutItem", &json!({ "TableName": "articles", "Item": row("a") })).unwrap();
        let both = json!({ "RequestItems": { "articles": [{ "PutRequest": { "Item": row("b") } }] } });
        ask(&shared, "BatchWriteItem", &both).unwrap();
        let wanted = json!({ "RequestItems": { "articles": { "Keys": [row("a"), row("b"), row("c")] } } });
        let found = ask(&shared, "BatchGetItem", &wanted).unwrap();
        assert_eq!(
            found["Responses"]["articles"],
            json!([{ "article_id": { "S": "a" } }, { "article_id": { "S": "b" } }])
        );
    }

    #[test]
    fn statement_inserts_what_is_new_and_refuses_the_rest() {
        let shared = Shared::default();
        let answer =
            ask(&shared, "BatchExecuteStatement", &json!({ "Statements": [insert("a"), insert("a")] })).unwrap();
        assert_eq!(answer["Responses"][0], json!({ "TableName": "articles" }));
        assert_eq!(answer["Responses"][1]["Error"]["Code"], "DuplicateItem");
        let counts = shared.state().counts;
        assert_eq!((counts.written, counts.refused, counts.written_twice), (1, 1, 0));
    }

    #[test]
    fn row_that_is_written_twice_is_told_from_one_that_was_there() {
        let shared = Shared::default();
        shared.state().table.insert("a".into(), Origin::ThereBefore);
        for written_twice in [0, 1] {
            ask(&shared, "PutItem", &json!({ "Item": row("a") })).unwrap();
            assert_eq!(shared.state().counts.written_twice, written_twice);
        }
    }

    #[test]
    fn id_of_a_statement_is_a_parameter_or_a_literal() {
        let id = |text: &str, parameters: Value| {
            let parameters = serde_json::from_value(parameters).unwrap();
            Statement { text: text.into(), parameters }.id()
        };
        assert_eq!(id("INSERT INTO t VALUE {'article_id' : 'x', 'a': ?}", json!([])).as_deref(), Some("x"));
        assert_eq!(
            id("INSERT INTO t VALUE {'a':?,'b':'?','article_id':?}", json!([{}, { "S": "y" }])).as_deref(),
            Some("y")
        );
        assert_eq!(id("INSERT INTO t VALUE {'article_id': ?}", json!([])), None);
        assert_eq!(id("DELETE FROM t WHERE article_id = ?", json!([{ "S": "z" }])), None);
    }
}
