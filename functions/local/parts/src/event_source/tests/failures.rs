use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::world::{EPOCH, SHARD, World, done, failed, from, mapping, throttled};
use crate::event_source::{Pause, function::Invoked};

/// Fails whatever has this record in it.
fn poison(number: &'static str) -> impl FnMut(&[String]) -> Invoked + Send + 'static {
    move |numbers| if numbers.iter().any(|other| other == number) { failed() } else { done() }
}

/// Comes as far as this record, as a function does that works in order.
fn stops_at(number: &'static str) -> impl FnMut(&[String]) -> Invoked + Send + 'static {
    move |numbers| if numbers.iter().any(|other| other == number) { from(number) } else { done() }
}

async fn run(records: usize, more: serde_json::Value, world: &World) -> super::world::Running {
    world.stream.put_many(records, records);
    let running = world.start(mapping(&more));
    running.settled(records as u64).await;
    running
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_fails_is_tried_again_after_pauses_that_double_and_is_then_given_up() {
    let world = World::default();
    world.function.answers(poison("2"));
    let running = run(3, json!({ "MaximumRetryAttempts": 3 }), &world).await;
    assert_eq!(world.function.times(), [0, 200, 600, 1400].map(|at| (at, "1 2 3".to_owned())));
    assert_eq!(world.destination.discarded(), ["1-3 RetryAttemptsExhausted"]);
    let counts = running.counts();
    assert_eq!((counts.invocations, counts.function_errors, counts.retries), (4, 4, 3));
    assert_eq!((counts.handed_over, counts.discarded, counts.destination_messages), (0, 3, 1));
    assert_eq!(running.checkpoint().as_deref(), Some("3"));
}

#[tokio::test(start_paused = true)]
async fn no_retry_is_one_attempt() {
    let world = World::default();
    world.function.answers(|_| failed());
    run(2, json!({ "MaximumRetryAttempts": 0 }), &world).await;
    assert_eq!(world.function.batches(), ["1 2"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_a_batch_is_tried_until_it_succeeds() {
    let world = World::default();
    let mut left = 50;
    world.function.answers(move |_| {
        left -= 1;
        if left == 0 { done() } else { failed() }
    });
    let running = run(2, json!({}), &world).await;
    assert_eq!(world.function.batches().len(), 50);
    assert_eq!((running.counts().handed_over, running.counts().discarded), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn the_pause_between_attempts_is_an_option() {
    let world = World::default();
    world.function.answers(|_| failed());
    world.stream.put(&["a"]);
    let pause = Pause { first: Duration::from_secs(1), longest: Duration::from_secs(3) };
    let more = json!({ "MaximumRetryAttempts": 4 });
    let running = world.start_with(mapping(&more), |options| options.retry_pause(pause));
    running.settled(1).await;
    let at: Vec<_> = world.function.times().iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [0, 1000, 3000, 6000, 9000]);
}

#[tokio::test(start_paused = true)]
async fn the_rest_from_the_record_named_comes_again_and_counts_as_a_retry() {
    let world = World::default();
    world.function.answers(stops_at("3"));
    let running = run(4, json!({ "MaximumRetryAttempts": 2 }), &world).await;
    assert_eq!(world.function.batches(), ["1 2 3 4", "3 4", "3 4"]);
    assert_eq!(world.destination.discarded(), ["3-4 RetryAttemptsExhausted"]);
    let counts = running.counts();
    assert_eq!((counts.partial_failures, counts.function_errors), (3, 0));
    assert_eq!((counts.handed_over, counts.discarded), (2, 2));
    let message = &world.destination.messages()[0];
    assert_eq!(
        message["responseContext"],
        json!({ "statusCode": 200, "executedVersion": "$LATEST", "functionError": null })
    );
}

#[tokio::test(start_paused = true)]
async fn the_lowest_record_named_is_the_checkpoint() {
    let world = World::default();
    let mut first = true;
    world.function.answers(move |_| {
        let answer = json!({ "batchItemFailures": [{ "itemIdentifier": "4" }, { "itemIdentifier": "2" }] });
        if std::mem::take(&mut first) { Invoked::Answered(answer.to_string().into()) } else { done() }
    });
    run(4, json!({}), &world).await;
    assert_eq!(world.function.batches(), ["1 2 3 4", "2 3 4"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_names_nothing_of_the_batch_fails_all_of_it() {
    let world = World::default();
    world.function.answers(|_| from("77"));
    let running = run(2, json!({ "MaximumRetryAttempts": 1 }), &world).await;
    assert_eq!(world.function.batches(), ["1 2", "1 2"]);
    assert_eq!(running.counts().function_errors, 2);
    assert!(world.notices().iter().any(|line| line.contains(r#"itemIdentifier "77" is not in the batch"#)));
}

#[tokio::test(start_paused = true)]
async fn without_the_response_type_the_answer_does_not_count() {
    let world = World::default();
    world.function.answers(|_| from("1"));
    let running = run(2, json!({ "FunctionResponseTypes": [] }), &world).await;
    assert_eq!(world.function.batches(), ["1 2"]);
    assert_eq!(running.counts().handed_over, 2);
}

#[tokio::test(start_paused = true)]
async fn bisecting_finds_the_record_and_takes_no_attempts() {
    let world = World::default();
    world.function.answers(poison("6"));
    let more = json!({ "MaximumRetryAttempts": 1, "BisectBatchOnFunctionError": true });
    let running = run(8, more, &world).await;
    let expected = ["1 2 3 4 5 6 7 8", "1 2 3 4", "5 6 7 8", "5 6", "5", "6", "6", "7 8"];
    assert_eq!(world.function.batches(), expected);
    assert_eq!(world.destination.discarded(), ["6-6 RetryAttemptsExhausted"]);
    assert_eq!(world.destination.messages()[0]["requestContext"]["approximateInvokeCount"], 5);
    assert_eq!((running.counts().handed_over, running.counts().discarded), (7, 1));
}

#[tokio::test(start_paused = true)]
async fn bisecting_cuts_at_the_record_named_and_only_the_rest_comes_again() {
    let world = World::default();
    world.function.answers(stops_at("3"));
    let more = json!({ "MaximumRetryAttempts": 1, "BisectBatchOnFunctionError": true });
    let running = run(5, more, &world).await;
    // The cut takes no attempt; an answer that names the first record cuts nothing.
    assert_eq!(world.function.batches(), ["1 2 3 4 5", "3 4 5", "3 4 5"]);
    assert_eq!(world.destination.discarded(), ["3-5 RetryAttemptsExhausted"]);
    assert_eq!(running.counts().handed_over, 2);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_not_run_is_tried_again_and_no_attempt_counts() {
    let world = World::default();
    let mut left = 20;
    world.function.answers(move |_| {
        left -= 1;
        if left > 0 { throttled() } else { done() }
    });
    let running = run(2, json!({ "MaximumRetryAttempts": 0, "BisectBatchOnFunctionError": true }), &world).await;
    let counts = running.counts();
    assert_eq!((counts.not_run, counts.invocations, counts.retries, counts.handed_over), (19, 1, 0, 2));
    assert!(world.function.batches().iter().all(|batch| batch == "1 2"));
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_never_run_loses_its_records_to_their_age() {
    let world = World::default();
    world.function.answers(|_| throttled());
    let running = run(2, json!({ "MaximumRecordAgeInSeconds": 60 }), &world).await;
    assert_eq!(world.destination.discarded(), ["1-2 RecordAgeExceeded"]);
    let message = &world.destination.messages()[0];
    assert_eq!(message["requestContext"]["approximateInvokeCount"], 0);
    assert!(message["responseContext"].is_null());
    assert_eq!(running.counts().discarded, 2);
}

#[tokio::test(start_paused = true)]
async fn records_that_are_too_old_are_discarded_and_later_ones_go_on() {
    let world = World::default();
    world.function.answers(poison("1"));
    world.stream.put(&["a", "b"]);
    let running = world.start(mapping(&json!({ "MaximumRecordAgeInSeconds": 60, "BatchSize": 10 })));
    sleep(Duration::from_secs(30)).await;
    world.stream.put(&["c", "d"]);
    running.settled(4).await;
    assert_eq!(world.destination.discarded(), ["1-2 RecordAgeExceeded"]);
    assert_eq!(world.function.batches().last().map(String::as_str), Some("3 4"));
    assert_eq!((running.counts().handed_over, running.counts().discarded), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn the_old_records_of_a_batch_are_taken_off_its_front() {
    let world = World::default();
    world.stream.put(&["a", "b"]);
    super::world::now();
    sleep(Duration::from_secs(61)).await;
    world.stream.put(&["c"]);
    let running = world.start(mapping(&json!({ "MaximumRecordAgeInSeconds": 60 })));
    running.settled(3).await;
    assert_eq!(world.destination.discarded(), ["1-2 RecordAgeExceeded"]);
    assert_eq!(world.function.batches(), ["3"], "the others were never invoked");
}

#[tokio::test(start_paused = true)]
async fn the_destination_is_told_as_by_lambda() {
    let world = World::default();
    world.function.answers(|_| failed());
    super::world::now();
    world.stream.put(&["a"]);
    sleep(Duration::from_millis(580)).await;
    world.stream.put(&["b"]);
    let running = world.start(mapping(&json!({ "MaximumRetryAttempts": 1 })));
    running.settled(2).await;
    let mut message = world.destination.messages().remove(0);
    let id = message["requestContext"]["requestId"].take();
    assert_eq!(id.as_str().unwrap().split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert_eq!(EPOCH, 1_767_323_046, "2026-01-02T03:04:06Z");
    let expected = json!({
        "requestContext": {
            "requestId": null,
            "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:enrich",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
        "version": "1.0",
        "timestamp": "2026-01-02T03:04:06.780Z",
        "KinesisBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": "1",
            "endSequenceNumber": "2",
            "approximateArrivalOfFirstRecord": "2026-01-02T03:04:06Z",
            "approximateArrivalOfLastRecord": "2026-01-02T03:04:06.580Z",
            "batchSize": 2,
            "streamArn": "arn:aws:kinesis:eu-west-1:123456789012:stream/news",
        },
    });
    assert_eq!(message, expected);
}

#[tokio::test(start_paused = true)]
async fn the_checkpoint_waits_until_the_destination_is_told() {
    let world = World::default();
    world.function.answers(poison("1"));
    world.destination.fail(usize::MAX);
    world.stream.put(&["a", "b"]);
    let running = world.start(mapping(&json!({ "MaximumRetryAttempts": 0, "BatchSize": 1 })));
    sleep(Duration::from_mins(10)).await;
    assert_eq!(running.checkpoint(), None);
    assert_eq!((running.counts().unfinished, running.counts().discarded), (2, 0));
    assert!(world.notices().iter().any(|line| line.contains("the destination was not told: told to fail")));
    world.destination.fail(1);
    running.settled(2).await;
    assert_eq!(world.destination.discarded(), ["1-1 RetryAttemptsExhausted"]);
    assert_eq!(running.checkpoint().as_deref(), Some("2"));
}

#[tokio::test(start_paused = true)]
async fn without_a_destination_discarded_records_are_only_counted() {
    let world = World::default();
    world.function.answers(|_| failed());
    let running = run(2, json!({ "MaximumRetryAttempts": 0, "DestinationConfig": null }), &world).await;
    assert_eq!(world.destination.messages().len(), 0);
    assert_eq!((running.counts().discarded, running.counts().destination_messages), (2, 0));
}
