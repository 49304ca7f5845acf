//! What the parts take alone: the same requests as on an item's way, with nobody else asking.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use aws_config::SdkConfig;
use aws_sdk_dynamodbstreams::types::ShardIteratorType as StreamsIterator;
use aws_sdk_kinesis::{
    primitives::Blob,
    types::{PutRecordsRequestEntry, ShardIteratorType},
};
use enrich::{articles::Articles, dynamodb::DynamoDb, sagemaker::SageMaker, sentiment::Models};
use futures_util::{StreamExt, TryStreamExt, stream};
use local::{aws::Aws, runtime_api::Outcome};
use news::EnrichedItem;
use runtime::Budget;
use serde::Serialize;
use serde_json::json;

use super::{median, ms, number, others};
use crate::{Pipeline, triggers::POLL_INTERVAL};

/// A step on an item's way.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// The median of many, milliseconds.
    pub(crate) ms: f64,
}

/// What a part does alone.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Rate {
    pub(crate) part: &'static str,
    pub(crate) per_second: f64,
}

/// How many steps [`Machine::measure`] takes,
pub(super) const STEPS: usize = 8;
/// and after how many of them `enrich` is invoked.
pub(super) const BEFORE_ENRICH: usize = 3;

/// The names of what is made for it.
const STREAM: &str = "alone";
const TABLE: &str = "alone";
const ENDPOINT: &str = "alone";

/// Records in a request to Kinesis and in a batch of `enrich`.
const BATCH: usize = 100;
/// Requests to Kinesis at once, as the ingester's.
const PUTS: usize = 4;
/// Headlines in a request to the model, requests to it at once, and to the table: what an invocation of `enrich` may.
const HEADLINES: usize = 16;
const CALLS: usize = 8;
const TABLE_REQUESTS: u16 = 16;

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What it takes to measure AWS's part of a pipeline without the pipeline.
pub(super) struct Machine {
    config: SdkConfig,
    latency: Duration,
    shards: usize,
    /// Batches of `enrich` at once.
    lanes: usize,
}

impl Machine {
    pub(super) async fn of(pipeline: &Pipeline, latency: Duration) -> Result<Self> {
        let deployment = pipeline.deployment();
        let kinesis = aws_sdk_kinesis::Client::new(&deployment.config);
        let shards = kinesis.list_shards().stream_name(&deployment.outputs.stream).send().await?.shards().len();
        let factor = pipeline.triggers().first().map_or(1, |trigger| trigger.mapping().parallelization_factor);
        let lanes = shards * factor;
        Ok(Self { config: deployment.config.clone(), latency, shards, lanes })
    }

    /// The steps of one item, and how many items each service takes a second.
    pub(super) async fn measure(&self, items: &[EnrichedItem], rounds: usize) -> Result<(Vec<Step>, Vec<Rate>)> {
        let aws = Aws::start().await?;
        aws.journal(false);
        aws.sagemaker().latency(self.latency, Duration::ZERO);
        aws.kinesis().create_stream(STREAM, u32::try_from(self.shards)?);
        aws.dynamodb().create_table(TABLE);
        let config = self.config.to_builder().endpoint_url(aws.url()).build();
        let mut stream = Stream::open(&config).await?;
        let mut table = Table::open(&config).await?;
        let model = Model::new(&config, items)?;

        let [put, get] = stream.steps(items, rounds).await?;
        let call = model.step(rounds).await?;
        let [look, insert, read] = table.steps(items, rounds).await?;
        let steps = vec![
            Step { name: "PutRecords of one record", ms: ms(put) },
            Step { name: "half the poller's pause, Kinesis", ms: ms(POLL_INTERVAL) / 2.0 },
            Step { name: "GetRecords of one record", ms: ms(get) },
            Step { name: "BatchGetItem of one id", ms: ms(look) },
            Step { name: "InvokeEndpoint with one headline", ms: ms(call) },
            Step { name: "BatchExecuteStatement of one INSERT", ms: ms(insert) },
            Step { name: "half the poller's pause, DynamoDB Streams", ms: ms(POLL_INTERVAL) / 2.0 },
            Step { name: "GetRecords of one change", ms: ms(read) },
        ];
        let rates = vec![
            Rate { part: "Kinesis, in and out", per_second: stream.rate(items).await? },
            Rate { part: "the model", per_second: model.rate(items.len(), self.lanes * CALLS).await? },
            Rate { part: "DynamoDB, looked up, in and out", per_second: table.rate(items, self.lanes).await? },
        ];
        Ok((steps, rates))
    }
}

/// Invocations of `enrich` and `publish` with nothing to do: Lambda's own share, here an emulator's.
pub(super) async fn invocations(pipeline: &Pipeline, rounds: usize) -> Result<[Step; 2]> {
    let mut took = [Duration::ZERO; 2];
    for (took, name) in took.iter_mut().zip(["enrich", "publish"]) {
        let mut all = Vec::new();
        for _ in 0..rounds {
            let began = Instant::now();
            let invocation = pipeline.function(name).invoke(r#"{"Records":[]}"#).await?;
            all.push(began.elapsed());
            let Outcome::Response(_) = invocation.outcome else { bail!("{name} failed: {:?}", invocation.outcome) };
        }
        *took = median(all);
    }
    let [enrich, publish] = took.map(ms);
    Ok([
        Step { name: "an invocation of enrich with nothing to do", ms: enrich },
        Step { name: "an invocation of publish with nothing to do", ms: publish },
    ])
}

/// A stream of Kinesis, and how far it was read.
struct Stream {
    client: aws_sdk_kinesis::Client,
    places: Vec<String>,
}

impl Stream {
    async fn open(config: &SdkConfig) -> Result<Self> {
        let client = aws_sdk_kinesis::Client::new(config);
        let mut places = Vec::new();
        for shard in client.list_shards().stream_name(STREAM).send().await?.shards() {
            let place = client.get_shard_iterator().stream_name(STREAM).shard_id(&shard.shard_id);
            let place = place.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await?;
            places.push(place.shard_iterator.context("a shard without an iterator")?);
        }
        Ok(Self { client, places })
    }

    /// One record in, and out: all shards are asked, each question counts for itself, the one with the record is taken.
    async fn steps(&mut self, items: &[EnrichedItem], rounds: usize) -> Result<[Duration; 2]> {
        let (mut puts, mut gets) = (Vec::new(), Vec::new());
        for item in others(items, rounds) {
            let began = Instant::now();
            self.put(&[item]).await?;
            puts.push(began.elapsed());
            let began = Instant::now();
            let mut took = None;
            while took.is_none() {
                ensure!(began.elapsed() < PATIENCE, "Kinesis doesn't give back what it took");
                for at in 0..self.places.len() {
                    let asked = Instant::now();
                    if self.get(at).await? > 0 {
                        took = Some(asked.elapsed());
                    }
                }
            }
            gets.extend(took);
        }
        Ok([median(puts), median(gets)])
    }

    async fn rate(&mut self, items: &[EnrichedItem]) -> Result<f64> {
        let began = Instant::now();
        let puts = stream::iter(items.chunks(BATCH)).map(|batch| self.put(batch)).buffer_unordered(PUTS);
        puts.try_collect::<Vec<()>>().await?;
        let mut got = 0;
        while got < items.len() {
            ensure!(began.elapsed() < PATIENCE, "Kinesis gave back {got} records of {}", items.len());
            for at in 0..self.places.len() {
                got += self.get(at).await?;
            }
        }
        Ok(number(items.len()) / began.elapsed().as_secs_f64())
    }

    async fn put(&self, items: &[EnrichedItem]) -> Result<()> {
        let entries = items.iter().map(|item| {
            let record = PutRecordsRequestEntry::builder().data(Blob::new(item.item.to_record()));
            record.partition_key(&item.item.thread).build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let answer = self.client.put_records().stream_name(STREAM).set_records(Some(entries)).send().await?;
        ensure!(answer.failed_record_count.unwrap_or(0) == 0, "Kinesis refused records");
        Ok(())
    }

    async fn get(&mut self, at: usize) -> Result<usize> {
        let page = self.client.get_records().shard_iterator(&self.places[at]).send().await?;
        self.places[at] = page.next_shard_iterator.context("a shard ended")?;
        Ok(page.records.len())
    }
}

/// A model, asked as `enrich` asks it.
struct Model {
    client: SageMaker,
    headline: String,
}

impl Model {
    fn new(config: &SdkConfig, items: &[EnrichedItem]) -> Result<Self> {
        let client = SageMaker::new(aws_sdk_sagemakerruntime::Client::new(config));
        let headline = items.iter().map(|item| &item.item.headline).find(|headline| !headline.is_empty());
        Ok(Self { client, headline: headline.context("no item has a headline")?.clone() })
    }

    async fn step(&self, rounds: usize) -> Result<Duration> {
        let mut all = Vec::new();
        for _ in 0..rounds {
            let began = Instant::now();
            self.ask(1).await?;
            all.push(began.elapsed());
        }
        Ok(median(all))
    }

    async fn rate(&self, items: usize, at_once: usize) -> Result<f64> {
        let requests = items.div_ceil(HEADLINES);
        let began = Instant::now();
        let asked = stream::iter(0..requests).map(|_| self.ask(HEADLINES)).buffer_unordered(at_once);
        asked.try_collect::<Vec<()>>().await?;
        Ok(number(requests * HEADLINES) / began.elapsed().as_secs_f64())
    }

    async fn ask(&self, headlines: usize) -> Result<()> {
        let body = json!({ "inputs": vec![&self.headline; headlines], "parameters": { "top_k": null } });
        let answer = self.client.invoke(ENDPOINT, body.to_string().into_bytes()).await;
        answer.map(drop).map_err(|rejected| anyhow!("the model refuses: {rejected:?}"))
    }
}

/// A table, asked as `enrich` asks it, and how far its stream was read.
struct Table {
    articles: DynamoDb,
    changes: aws_sdk_dynamodbstreams::Client,
    places: Vec<String>,
}

impl Table {
    async fn open(config: &SdkConfig) -> Result<Self> {
        let client = aws_sdk_dynamodb::Client::new(config);
        let changes = aws_sdk_dynamodbstreams::Client::new(config);
        let described = client.describe_table().table_name(TABLE).send().await?;
        let arn = described.table.and_then(|table| table.latest_stream_arn).context("a table without a stream")?;
        let described = changes.describe_stream().stream_arn(&arn).send().await?;
        let mut places = Vec::new();
        for shard in described.stream_description.context("no stream")?.shards() {
            let place = changes.get_shard_iterator().stream_arn(&arn).set_shard_id(shard.shard_id.clone());
            let place = place.shard_iterator_type(StreamsIterator::TrimHorizon).send().await?;
            places.push(place.shard_iterator.context("a shard without an iterator")?);
        }
        Ok(Self { articles: DynamoDb::new(client, TABLE, 30, TABLE_REQUESTS), changes, places })
    }

    async fn steps(&mut self, items: &[EnrichedItem], rounds: usize) -> Result<[Duration; 3]> {
        let mut all = [Vec::new(), Vec::new(), Vec::new()];
        for item in others(items, rounds) {
            let began = Instant::now();
            self.look(&[&item]).await?;
            let looked = Instant::now();
            self.store(&[&item]).await?;
            let stored = Instant::now();
            while self.read().await? == 0 {
                ensure!(stored.elapsed() < PATIENCE, "the table's stream doesn't tell of an item");
            }
            let took = [looked - began, stored - looked, stored.elapsed()];
            all.iter_mut().zip(took).for_each(|(all, took)| all.push(took));
        }
        Ok(all.map(median))
    }

    async fn rate(&mut self, items: &[EnrichedItem], lanes: usize) -> Result<f64> {
        let all: Vec<_> = items.iter().collect();
        let began = Instant::now();
        let enriched = stream::iter(all.chunks(BATCH)).map(|batch| self.look_and_store(batch)).buffer_unordered(lanes);
        enriched.try_collect::<Vec<()>>().await?;
        let mut read = 0;
        while read < items.len() {
            ensure!(began.elapsed() < PATIENCE, "the table's stream told of {read} items of {}", items.len());
            read += self.read().await?;
        }
        Ok(number(items.len()) / began.elapsed().as_secs_f64())
    }

    async fn look_and_store(&self, items: &[&EnrichedItem]) -> Result<()> {
        self.look(items).await?;
        self.store(items).await
    }

    async fn look(&self, items: &[&EnrichedItem]) -> Result<()> {
        let ids: Vec<_> = items.iter().map(|item| item.item.id.as_str()).collect();
        for known in self.articles.known(&ids, Budget::of(PATIENCE)).await {
            let known = known.map_err(|failure| anyhow!("the table can't be read: {failure:?}"))?;
            ensure!(!known, "an item is there already");
        }
        Ok(())
    }

    async fn store(&self, items: &[&EnrichedItem]) -> Result<()> {
        for stored in self.articles.store(items, Budget::of(PATIENCE)).await {
            stored.map_err(|failure| anyhow!("the table can't be written: {failure:?}"))?;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<usize> {
        let mut read = 0;
        for place in &mut self.places {
            let page = self.changes.get_records().shard_iterator(place.as_str()).send().await?;
            *place = page.next_shard_iterator.context("a shard ended")?;
            read += page.records.unwrap_or_default().len();
        }
        Ok(read)
    }
}
