//! One item, followed through the pipeline.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kinesis::types::ShardIteratorType;
use jiff::Timestamp;
use news::{EnrichedItem, NewsItem, routing, table};
use serde::{Deserialize, Serialize};
use simulator::Story;

use crate::{Pipeline, subscriber::Subscriber};

/// What somebody wants to see come out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The headline.
    pub headline: String,
    /// The text; empty for none.
    #[serde(default)]
    pub body: String,
    /// The language, `en`.
    pub language: String,
    /// Whether it is an alert: a headline before its story.
    #[serde(default)]
    pub alert: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Followed {
    /// Its id.
    pub id: String,
    /// The steps that it reached, in their order.
    pub steps: Vec<Step>,
    /// The item as it was stored.
    pub item: Option<EnrichedItem>,
    /// What it was published with.
    pub routing_key: Option<String>,
    /// Who judged: a lexicon, or an endpoint of SageMaker.
    pub judge: String,
}

/// A step, and when it was reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// `feed`, `stream`, `table`, `exchange`.
    pub name: String,
    /// Milliseconds since the feed was given it.
    pub after_ms: f64,
}

/// Somebody's item could not be followed.
#[derive(Debug, thiserror::Error)]
#[error("could not ask {what}: {cause}")]
pub struct NotAsked {
    what: &'static str,
    cause: String,
}

/// How long is waited between two questions.
const PAUSE: Duration = Duration::from_millis(2);

impl Letter {
    fn story(&self) -> Story {
        let story = if self.alert { Story::alert(&self.headline) } else { Story::article(&self.headline, &self.body) };
        let thread = format!("nSEND{:04}", fastrand::u16(..10_000));
        story.thread(thread).language(&self.language).at(Timestamp::now())
    }
}

impl Followed {
    /// Whether it came out of the exchange.
    pub fn arrived(&self) -> bool {
        self.steps.iter().any(|step| step.name == "exchange")
    }
}

/// Gives it to the feed, and watches for it on the stream, in the table and at the exchange, for so long.
///
/// # Errors
///
/// When the stream or the table can't be asked.
pub async fn follow(
    pipeline: &Pipeline,
    subscriber: &Subscriber,
    letter: &Letter,
    patience: Duration,
) -> Result<Followed, NotAsked> {
    let story = letter.story();
    let mut stream = Tail::of(pipeline).await?;
    let began = Instant::now();
    let mut followed = Followed {
        id: story.id.clone(),
        steps: Vec::new(),
        item: None,
        routing_key: None,
        judge: pipeline.judge().to_owned(),
    };
    pipeline.feed().send([&story]).await;
    followed.reach("feed", began);
    let mut on_stream = false;
    while began.elapsed() < patience && !followed.arrived() {
        if !on_stream && stream.has(&story.id).await? {
            on_stream = true;
            followed.reach("stream", began);
        }
        if followed.item.is_none()
            && let Some(item) = stored(pipeline, &story.id).await?
        {
            // It was there before, seen or not.
            if !std::mem::replace(&mut on_stream, true) {
                followed.reach("stream", began);
            }
            followed.reach("table", began);
            followed.routing_key = Some(routing::key(&item));
            followed.item = Some(item);
        }
        if followed.item.is_some() && subscriber.look(|account| account.ages.contains_key(&story.id)) {
            followed.reach("exchange", began);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(followed)
}

impl Followed {
    fn reach(&mut self, name: &str, began: Instant) {
        self.steps.push(Step { name: name.to_owned(), after_ms: began.elapsed().as_secs_f64() * 1000.0 });
    }
}

/// The end of a stream, all its shards.
struct Tail {
    client: aws_sdk_kinesis::Client,
    places: Vec<String>,
}

impl Tail {
    async fn of(pipeline: &Pipeline) -> Result<Self, NotAsked> {
        let deployment = pipeline.deployment();
        let client = aws_sdk_kinesis::Client::new(&deployment.config);
        let stream = &deployment.outputs.stream;
        let listed =
            client.list_shards().stream_name(stream).send().await.map_err(|error| asked("the stream", &error))?;
        let mut places = Vec::new();
        for shard in listed.shards() {
            let place = client.get_shard_iterator().stream_name(stream).shard_id(&shard.shard_id);
            let place = place.shard_iterator_type(ShardIteratorType::Latest).send().await;
            places.extend(place.map_err(|error| asked("the stream", &error))?.shard_iterator);
        }
        Ok(Self { client, places })
    }

    /// Whether an item came since it was last asked.
    async fn has(&mut self, id: &str) -> Result<bool, NotAsked> {
        let mut found = false;
        for place in &mut self.places {
            let page = self.client.get_records().shard_iterator(place.as_str()).send().await;
            let page = page.map_err(|error| asked("the stream", &error))?;
            let is_it = |item: NewsItem| item.id == id;
            found |= page.records.iter().any(|record| NewsItem::from_record(record.data.as_ref()).is_ok_and(is_it));
            if let Some(next) = page.next_shard_iterator {
                *place = next;
            }
        }
        Ok(found)
    }
}

async fn stored(pipeline: &Pipeline, id: &str) -> Result<Option<EnrichedItem>, NotAsked> {
    let deployment = pipeline.deployment();
    let client = aws_sdk_dynamodb::Client::new(&deployment.config);
    let request = client.get_item().table_name(&deployment.outputs.table).consistent_read(true);
    let answer = request.key(table::KEY, AttributeValue::S(id.to_owned())).send().await;
    let row = answer.map_err(|error| asked("the table", &error))?.item;
    let item = row.map(|row| table::from_row(row.into())).transpose();
    item.map_err(|error| NotAsked { what: "the table", cause: error.to_string() })
}

fn asked(what: &'static str, error: &(dyn std::error::Error + 'static)) -> NotAsked {
    NotAsked { what, cause: runtime::with_causes(error) }
}
