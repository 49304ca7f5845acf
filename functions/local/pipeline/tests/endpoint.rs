//! A pipeline whose stream, table, queues and secrets are somewhere else: at any endpoint that speaks AWS's protocols.

use std::{path::Path, time::Duration};

use local::aws::Aws;
use local_pipeline::{
    Pipeline,
    pipeline::{Options, Place, Scorer, StartError},
    programs::Programs,
    subscriber::Subscriber,
    verdict::Verdict,
};
use settings::Settings;
use simulator::Pace;

fn options(elsewhere: &Aws, folder: &Path) -> Options {
    Options {
        settings: Settings::from_toml("newsloom.toml", include_str!("../../../../newsloom.toml")).unwrap(),
        programs: Programs::beside_this_one().unwrap(),
        folder: folder.to_owned(),
        feed: simulator::Options { pace: Pace::Rate(40.0), ..simulator::Options::default() },
        aws: Place::At(elsewhere.url()),
        broker: "installed".parse().unwrap(),
        scorer: Scorer::Lexicon { latency: Duration::ZERO },
        unfiltered: true,
    }
}

/// The names of streams and tables that are there, and whether the quarantine is.
async fn there(elsewhere: &Aws) -> (Vec<String>, Vec<String>, bool) {
    let credentials = aws_sdk_dynamodb::config::Credentials::new("test", "test", None, None, "test");
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(elsewhere.url())
        .region(aws_config::Region::new(local::REGION))
        .credentials_provider(aws_sdk_dynamodb::config::SharedCredentialsProvider::new(credentials));
    let config = &config.load().await;
    let streams = aws_sdk_kinesis::Client::new(config).list_streams().send().await.unwrap().stream_names;
    let tables = aws_sdk_dynamodb::Client::new(config).list_tables().send().await.unwrap().table_names;
    let sqs = aws_sdk_sqs::Client::new(config);
    let queue = sqs.get_queue_url().queue_name("newsloom-enrichment-quarantine").send().await.is_ok();
    (streams, tables.unwrap_or_default(), queue)
}

#[tokio::test]
async fn pipeline_runs_at_a_named_endpoint_and_leaves_nothing_there() {
    let elsewhere = Aws::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Box::pin(Pipeline::start(options(&elsewhere, folder.path()), |_| {})).await.unwrap();
    let names = ["newsloom-ingestion-news".to_owned()].into();
    let tables = ["newsloom-enrichment-articles".to_owned()].into();
    assert_eq!(there(&elsewhere).await, (names, tables, true));

    let subscriber = Subscriber::start(pipeline.deployment(), Some("endpoint")).await.unwrap();
    pipeline.feed().resume();
    pipeline.feed().until(|journal| journal.counts.released >= 20).await.unwrap();
    pipeline.feed().pause();
    let verdict = Verdict::of(&pipeline, &subscriber).await.unwrap();
    assert!(verdict.is_good() && verdict.ledger.stored >= 20, "{verdict}");
    assert!(
        elsewhere.dynamodb().count("newsloom-enrichment-articles") >= 20,
        "they are there, and not in this process"
    );

    pipeline.stop().await.unwrap();
    assert_eq!(there(&elsewhere).await, (vec![], vec![], false));
}

#[tokio::test]
async fn what_somebody_has_there_is_neither_used_nor_removed() {
    let elsewhere = Aws::start().await.unwrap();
    elsewhere.sqs().create_queue("newsloom-enrichment-quarantine");
    let folder = tempfile::tempdir().unwrap();
    let started = Box::pin(Pipeline::start(options(&elsewhere, folder.path()), |_| {})).await;
    let error = started.expect_err("the queue is somebody's");
    assert!(matches!(error, StartError::Provision(_)), "{error}");
    assert!(error.to_string().contains("queue newsloom-enrichment-quarantine: there is one of that name"), "{error}");
    assert_eq!(there(&elsewhere).await, (vec![], vec![], true), "only what was there before is");
}
