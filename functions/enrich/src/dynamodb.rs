//! The articles table in DynamoDB.

use crate::{
    Failure,
    articles::{Articles, Stored},
    rejected::{Rejected, rejected},
    warm,
};
use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeValue, BatchStatementError, BatchStatementErrorCodeEnum as Code, BatchStatementRequest,
        KeysAndAttributes,
    },
};
use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, join, join_all},
};
use news::{EnrichedItem, table};
use runtime::{Backoff, Budget};
use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
    time::Duration,
};
use tokio::sync::Semaphore;

/// The articles table.
#[derive(Debug)]
pub struct DynamoDb {
    client: Client,
    table_name: String,
    ttl_days: u16,
    /// How many more requests may be on their way.
    free: Semaphore,
}

/// BatchGetItem's limit on keys.
const KEYS: usize = 100;

/// BatchExecuteStatement's limit on statements.
const STATEMENTS: usize = 25;

/// The first pause before asking again is at most this.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl DynamoDb {
    /// The table of that name. `ttl_days` of 0 keeps items for ever; `in_flight` bounds the requests on their way.
    pub fn new(client: Client, table_name: impl Into<String>, ttl_days: u16, in_flight: u16) -> Self {
        Self { client, table_name: table_name.into(), ttl_days, free: Semaphore::new(in_flight.into()) }
    }

    /// Connects, so that the first request need not wait for it. Whether it works doesn't matter.
    pub async fn warm(&self) {
        let nothing = KeysAndAttributes::builder().set_keys(Some(Vec::new())).build();
        let Ok(nothing) = nothing else { return };
        let request = self.client.batch_get_item().request_items(&self.table_name, nothing);
        let _ = request.customize().mutate_request(warm::ping).send().await;
    }
}

/// Reads are consistent. The repeats that matter come right after the first: the rest of a batch that was done in part,
/// which is when another read could still miss what was stored. It costs half a read unit more for an item, which is
/// far less than a model does; and were one missed, the insert would say so.
///
/// Writes are `INSERT` statements, which fail where the key exists: the conditional put, 25 in a request and each answered
/// for itself. BatchWriteItem knows no condition, TransactWriteItems fails as a whole and costs twice, PutItem takes a
/// request for each (DynamoDB Developer Guide, "PartiQL insert statements" and "Running batch operations with PartiQL").
impl Articles for DynamoDb {
    async fn known(&self, ids: &[&str], budget: Budget) -> Vec<Result<bool, Failure>> {
        join_all(ids.chunks(KEYS).map(|ids| self.look_up(ids, budget))).await.concat()
    }

    async fn store(&self, items: &[&EnrichedItem], budget: Budget) -> Vec<Result<Stored, Failure>> {
        join_all(items.chunks(STATEMENTS).map(|items| self.insert(items, budget))).await.concat()
    }
}

impl DynamoDb {
    async fn look_up(&self, ids: &[&str], budget: Budget) -> Vec<Result<bool, Failure>> {
        let mut found = HashSet::new();
        let mut left: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let failure = loop {
            let failure = match self.get(&left, budget).await {
                Ok((there, unprocessed)) => {
                    found.extend(there);
                    left = unprocessed;
                    if left.is_empty() {
                        break None;
                    }
                    "the table is too busy to say what it has".to_owned()
                }
                Err(Rejected::Busy(text)) => text,
                Err(rejected) => break Some(self.is_unusable(&rejected)),
            };
            if backoff.pause(budget).await.is_err() {
                break Some(Failure::Transient(failure));
            }
        };
        let left: HashSet<&str> = left.iter().map(String::as_str).collect();
        let outcome = |id: &&str| match &failure {
            Some(failure) if left.contains(id) => Err(failure.clone()),
            _ => Ok(found.contains(*id)),
        };
        ids.iter().map(outcome).collect()
    }

    /// Those of the ids that are there, and those that DynamoDB had no time for.
    async fn get(&self, ids: &[String], budget: Budget) -> Result<(Vec<String>, Vec<String>), Rejected> {
        let keys =
            ids.iter().map(|id| HashMap::from([(table::KEY.to_owned(), AttributeValue::S(id.clone()))])).collect();
        let asked =
            KeysAndAttributes::builder().set_keys(Some(keys)).projection_expression(table::KEY).consistent_read(true);
        let asked = asked.build().map_err(|error| Rejected::Unusable(error.to_string()))?;
        let request = self.client.batch_get_item().request_items(&self.table_name, asked);
        let answer = self.in_turn(budget, request.send()).await?.map_err(|error| rejected(&error))?;
        let there = answer.responses.unwrap_or_default().into_values().flatten();
        let left = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys);
        Ok((there.filter_map(id_of).collect(), left.filter_map(id_of).collect()))
    }

    /// One outcome for each item, in their order. What is too busy is tried again, alone; a request that can't be done
    /// is halved, until it is known because of which item.
    fn insert<'a>(
        &'a self,
        items: &'a [&'a EnrichedItem],
        budget: Budget,
    ) -> LocalBoxFuture<'a, Vec<Result<Stored, Failure>>> {
        async move {
            let mut outcomes: Vec<Option<Result<Stored, Failure>>> = vec![None; items.len()];
            let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
            loop {
                let busy = match self.execute(items, &mut outcomes, budget).await {
                    Ok(None) => break,
                    Ok(Some(busy)) | Err(Rejected::Busy(busy)) => busy,
                    Err(Rejected::Refused(text)) if items.len() == 1 => {
                        return vec![Err(Failure::permanent("table_refused", text))];
                    }
                    Err(Rejected::Refused(_)) => {
                        let (left, right) = items.split_at(items.len() / 2);
                        let (left, right) = join(self.insert(left, budget), self.insert(right, budget)).await;
                        return [left, right].concat();
                    }
                    Err(rejected) => {
                        let failure = self.is_unusable(&rejected);
                        return outcomes.into_iter().map(|outcome| outcome.unwrap_or(Err(failure.clone()))).collect();
                    }
                };
                if backoff.pause(budget).await.is_err() {
                    let failure = Failure::Transient(busy);
                    return outcomes.into_iter().map(|outcome| outcome.unwrap_or(Err(failure.clone()))).collect();
                }
            }
            outcomes.into_iter().flatten().collect()
        }
        .boxed_local()
    }

    /// Inserts what has no outcome yet. If some are too busy, says so.
    async fn execute(
        &self,
        items: &[&EnrichedItem],
        outcomes: &mut [Option<Result<Stored, Failure>>],
        budget: Budget,
    ) -> Result<Option<String>, Rejected> {
        let (mut places, mut statements) = (Vec::new(), Vec::new());
        for (at, item) in items.iter().enumerate() {
            if outcomes[at].is_some() {
                continue;
            }
            match statement(&self.table_name, item, self.ttl_days) {
                Ok(statement) => {
                    places.push(at);
                    statements.push(statement);
                }
                Err(failure) => outcomes[at] = Some(Err(failure)),
            }
        }
        if statements.is_empty() {
            return Ok(None);
        }
        let request = self.client.batch_execute_statement().set_statements(Some(statements));
        let answer = self.in_turn(budget, request.send()).await?.map_err(|error| rejected(&error))?;
        let answers = answer.responses.unwrap_or_default();
        if answers.len() != places.len() {
            return Err(Rejected::Busy(format!("{} answers to {} statements", answers.len(), places.len())));
        }
        let mut busy = None;
        for (at, answer) in places.into_iter().zip(answers) {
            match answer.error.map_or(Ok(Stored::Now), |error| said(&error)) {
                Ok(stored) => outcomes[at] = Some(Ok(stored)),
                Err(Rejected::Busy(text)) => busy = Some(text),
                Err(Rejected::Refused(text)) => outcomes[at] = Some(Err(Failure::permanent("table_refused", text))),
                Err(unusable) => outcomes[at] = Some(Err(self.is_unusable(&unusable))),
            }
        }
        Ok(busy)
    }

    /// Waits for one of the requests that may be on their way, and then for its answer.
    async fn in_turn<T>(&self, budget: Budget, request: impl Future<Output = T>) -> Result<T, Rejected> {
        let late = |_| Rejected::Busy("no time left for the table".into());
        let _turn = budget.run(self.free.acquire()).await.map_err(late)?;
        budget.run(request).await.map_err(late)
    }

    /// Nothing that was asked about is to blame, so the records come again; but somebody has to look at it.
    fn is_unusable(&self, rejected: &Rejected) -> Failure {
        tracing::error!(table = self.table_name, why = rejected.text(), "The table cannot be used as it is.");
        Failure::transient(rejected.text())
    }
}

/// What DynamoDB says of one statement of a batch.
fn said(error: &BatchStatementError) -> Result<Stored, Rejected> {
    let code = error.code.as_ref();
    let text =
        || format!("{}: {}", code.map_or("no code", Code::as_str), error.message.as_deref().unwrap_or("no message"));
    match code {
        Some(Code::DuplicateItem | Code::ConditionalCheckFailed) => Ok(Stored::Before),
        Some(Code::ValidationError | Code::ItemCollectionSizeLimitExceeded) => Err(Rejected::Refused(text())),
        Some(Code::AccessDenied | Code::ResourceNotFound) => Err(Rejected::Unusable(text())),
        // Throttled in one of several ways, an error inside, or a code that is newer than this.
        _ => Err(Rejected::Busy(text())),
    }
}

/// `INSERT INTO "articles" VALUE {'article_id': ?, …}` and the values. Names are our own, so nothing has to be quoted;
/// they are sorted, so that the same attributes make the same statement.
fn statement(table_name: &str, item: &EnrichedItem, ttl_days: u16) -> Result<BatchStatementRequest, Failure> {
    let row = table::to_row(item, ttl_days);
    let size = table::size(&row);
    if size > table::MAX_ROW {
        let text = format!("the row has {size} bytes, DynamoDB takes {}", table::MAX_ROW);
        return Err(Failure::permanent("too_large", text));
    }
    let mut row: Vec<_> = row.into_inner().into_iter().collect();
    row.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let mut text = format!("INSERT INTO \"{table_name}\" VALUE {{");
    let mut values = Vec::with_capacity(row.len());
    for (name, value) in row {
        let comma = if values.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}'{name}': ?");
        values.push(AttributeValue::from(value));
    }
    text.push('}');
    let statement = BatchStatementRequest::builder().statement(text).set_parameters(Some(values)).build();
    statement.map_err(|error| Failure::transient(error.to_string()))
}

fn id_of(mut item: HashMap<String, AttributeValue>) -> Option<String> {
    match item.remove(table::KEY) {
        Some(AttributeValue::S(id)) => Some(id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> EnrichedItem {
        serde_json::from_str(include_str!("../../../docs/contract/examples/article.json")).unwrap()
    }

    #[test]
    fn statement_names_every_attribute_and_values_are_parameters() {
        let statement = statement("articles", &item(), 2).unwrap();
        assert_eq!(
            statement.statement,
            "INSERT INTO \"articles\" VALUE {'arrived': ?, 'article_id': ?, 'body': ?, 'enriched': ?, 'expires_at': ?, \
             'first_published': ?, 'headline': ?, 'kind': ?, 'language': ?, 'provider': ?, 'published': ?, 'received': ?, \
             'sentiment': ?, 'source': ?, 'status': ?, 'subjects': ?, 'take': ?, 'thread': ?, 'urgency': ?, 'version': ?}"
        );
        let values = statement.parameters.unwrap();
        assert_eq!(values[1], AttributeValue::S(item().item.id));
        assert_eq!(values.len(), 20);
    }

    #[test]
    fn row_that_is_too_large_is_refused_before_it_is_sent() {
        let mut item = item();
        item.item.body = "x".repeat(table::MAX_ROW);
        let refused = statement("articles", &item, 0).unwrap_err();
        assert!(matches!(refused, Failure::Permanent { code: "too_large", .. }), "{refused}");
    }

    #[test]
    fn what_dynamodb_says_of_a_statement_decides_what_happens_to_it() {
        let says = |code: &str| said(&BatchStatementError::builder().code(code.into()).message("m").build());
        for code in ["DuplicateItem", "ConditionalCheckFailed"] {
            assert_eq!(says(code), Ok(Stored::Before));
        }
        for code in [
            "ProvisionedThroughputExceeded",
            "ThrottlingError",
            "RequestLimitExceeded",
            "InternalServerError",
            "TransactionConflict",
            "SomethingNew",
        ] {
            assert_eq!(says(code), Err(Rejected::Busy(format!("{code}: m"))));
        }
        for code in ["ValidationError", "ItemCollectionSizeLimitExceeded"] {
            assert_eq!(says(code), Err(Rejected::Refused(format!("{code}: m"))));
        }
        for code in ["AccessDenied", "ResourceNotFound"] {
            assert_eq!(says(code), Err(Rejected::Unusable(format!("{code}: m"))));
        }
    }
}
