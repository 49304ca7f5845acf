//! The test vector against what the functions are around: the real cores of enrich and publish, with their adapters. So it
//! is known that the vector expects what they do.

use aws_sdk_kinesis::config::{Credentials, Region, SharedCredentialsProvider};
use enrich::{
    Enrich, Position, Record, dynamodb::DynamoDb, quarantine::Origin, sagemaker::SageMaker, sentiment::Sentiments,
    sqs::Sqs,
};
use jiff::Timestamp;
use local::{
    aws::{Aws, sagemaker::Labels},
    rabbitmq::{Broker, PASSWORD, USER},
};
use local_pipeline::{
    Deployment, Outputs,
    verify::{Model, Models, Options, Outcome, Vector, never, verify},
};
use news::{
    routing,
    settings::{EnrichSettings, Route},
    table,
};
use publish::{
    Limits,
    broker::{RabbitMq, Tls, Told, Topology},
    credentials::Secret,
    message::Message,
};
use runtime::Budget;
use serde_json::json;
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

/// How long a batch may take.
const BATCH: Duration = Duration::from_secs(20);

fn settings(aws: &Aws) -> EnrichSettings {
    let route = |language: &str| Route {
        languages: vec![language.into()],
        endpoint_name: format!("finbert-{language}"),
        model: "lexicon".into(),
        model_version: "1".into(),
    };
    EnrichSettings {
        pipeline: "news".into(),
        table_name: "articles".into(),
        quarantine_url: aws.queue_url("quarantine"),
        ttl_days: 1,
        routes: ["en", "de", "sv"].map(route).into(),
        headlines_per_request: 8,
        requests_in_flight: 4,
        request_timeout_ms: 5_000,
        writes_in_flight: 4,
    }
}

async fn deployment(aws: &Aws, broker: &Broker) -> Deployment {
    let vhost = broker.vhost().await.unwrap();
    let credentials = Credentials::new("local", "local", None, None, "test");
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(aws.url())
        .region(Region::new(aws.region().to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials));
    let outputs = Outputs {
        stream: "news".into(),
        table: "articles".into(),
        quarantine_url: aws.queue_url("quarantine"),
        enrich_failures_url: aws.queue_url("enrich-failures"),
        publish_failures_url: aws.queue_url("publish-failures"),
        broker_url: format!("amqps://{}/{vhost}", broker.tls_address()),
        broker_secret: aws.secrets().put("broker", &json!({ "username": USER, "password": PASSWORD })),
    };
    let (config, exchange) = (config.load().await, routing::EXCHANGE.to_owned());
    Deployment { config, outputs, exchange, broker_ca: Some(broker.ca_file()) }
}

/// Batches of the stream into the table, and what is new there onto the exchange, for ever.
async fn functions(aws: &Aws, deployment: &Deployment) {
    let (config, settings) = (&deployment.config, settings(aws));
    let models = SageMaker::new(aws_sdk_sagemakerruntime::Client::new(config));
    let articles = DynamoDb::new(aws_sdk_dynamodb::Client::new(config), "articles", 1, 4);
    let quarantine = Sqs::new(aws_sdk_sqs::Client::new(config), &settings.quarantine_url);
    let enrich = Enrich { enricher: Sentiments::new(models, settings), articles, quarantine };
    let told = Told {
        address: deployment.outputs.broker_url.parse().unwrap(),
        tls: Tls::trusting(deployment.broker_ca.as_deref()).unwrap(),
        topology: Topology::new(routing::EXCHANGE, 1000),
        connect: Duration::from_secs(10),
        blocked: Duration::from_secs(1),
    };
    let secrets = aws_sdk_secretsmanager::Client::new(config);
    let mut broker = RabbitMq::new(told, Secret::new(secrets, &deployment.outputs.broker_secret));
    let limits = Limits { in_flight: 100, confirm: Duration::from_secs(10) };
    let mut done: HashMap<String, usize> = HashMap::new();
    let mut published: HashSet<String> = HashSet::new();
    loop {
        for shard in aws.kinesis().records("news") {
            let done = done.entry(shard.id.clone()).or_default();
            let records = shard.records[*done..].iter().map(|record| {
                let position = Position {
                    shard: Some(shard.id.clone()),
                    sequence_number: Some(record.number.clone()),
                    partition_key: Some(record.key.clone()),
                    arrived: Some(Timestamp::now()),
                    ..Position::default()
                };
                Record::new(position, record.data.to_vec())
            });
            let records: Vec<_> = records.collect();
            *done += records.len();
            let report = enrich.batch(records, &Origin::default(), Budget::of(BATCH)).await;
            assert_eq!(report.earliest, None, "nothing has to come again on this machine");
        }
        let rows = aws.dynamodb().items("articles").into_iter();
        let items = rows.map(|row| table::from_row(serde_json::from_value(row).unwrap()).unwrap());
        let mut new: Vec<_> = items.filter(|item| published.insert(item.item.id.clone())).collect();
        // The table's stream brings them as they were stored.
        new.sort_by_key(|item| item.item.published);
        let messages = new.iter().enumerate().map(|(at, item)| Message::new(at, item, None)).collect();
        let report = publish::publish(messages, &mut broker, limits, Budget::of(BATCH)).await;
        assert_eq!(report.unconfirmed(), 0, "{report:?}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

#[tokio::test]
async fn functions_do_what_the_vector_expects() {
    let aws = Aws::start().await.unwrap();
    aws.kinesis().create_stream("news", 2);
    aws.dynamodb().create_table("articles");
    for queue in ["quarantine", "enrich-failures", "publish-failures"] {
        aws.sqs().create_queue(queue);
    }
    let vector = Vector::default();
    for text in vector.refused_texts() {
        aws.sagemaker().poison(text);
    }
    for language in vector.languages_without_sentiments() {
        aws.sagemaker().labels(&format!("finbert-{language}"), Labels::numbered());
    }
    let deployment = deployment(&aws, Broker::shared().await.unwrap()).await;
    let model = Model { name: "lexicon".into(), version: "1".into() };
    let models = ["en", "de", "sv"]
        .into_iter()
        .fold(Models::default(), |models, language| models.with([language], model.clone()));
    let options = Options { tricks: true, settle: Duration::from_millis(300), ..Options::local(models) };
    let report = tokio::select! {
        report = verify(&deployment, None, &vector, &options, never()) => report.unwrap(),
        () = functions(&aws, &deployment) => panic!("they never end"),
    };
    assert!(report.passed, "{report:#?}");
    assert_eq!(report.rows(Outcome::Skipped), 1, "the one that only a feed can bring");
    assert_eq!((aws.dynamodb().count("articles"), aws.sqs().messages("quarantine").len()), (0, 0));
}
