use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::world::{World, done, failed, mapping};
use crate::event_source::buffer::MOST_BYTES;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn what_is_there_goes_at_once_in_batches_of_the_size() {
    let world = World::default();
    world.stream.put_many(7, 7);
    let running = world.start(mapping(&json!({ "BatchSize": 3 })));
    running.settled(7).await;
    assert_eq!(world.function.times(), [(0, "1 2 3".into()), (0, "4 5 6".into()), (0, "7".into())]);
    assert_eq!(running.checkpoint().as_deref(), Some("7"));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_not_full_waits_for_the_window_from_its_first_record() {
    let world = World::default();
    let running = world.start(mapping(&json!({ "BatchSize": 100, "MaximumBatchingWindowInSeconds": 2 })));
    world.stream.put(&["a"]);
    sleep(millis(1900)).await;
    world.stream.put(&["b"]);
    running.settled(2).await;
    let times = world.function.times();
    let [(at, records)] = times.as_slice() else { panic!("{times:?}") };
    assert_eq!(records, "1 2");
    assert!((2000..2200).contains(at), "{at}");
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_wait_for_its_window() {
    let world = World::default();
    world.stream.put_many(5, 5);
    let running = world.start(mapping(&json!({ "BatchSize": 2, "MaximumBatchingWindowInSeconds": 300 })));
    sleep(millis(10)).await;
    assert_eq!(world.function.times(), [(0, "1 2".into()), (0, "3 4".into())]);
    assert_eq!(running.counts().unfinished, 1);
    running.settled(5).await;
    assert_eq!(world.function.times()[2], (300_000, "5".into()));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_shard_ends_its_last_window() {
    let world = World::default();
    world.stream.put(&["a"]);
    world.stream.close(super::world::SHARD);
    let running = world.start(mapping(&json!({ "MaximumBatchingWindowInSeconds": 300 })));
    running.settled(1).await;
    assert_eq!(world.function.times(), [(0, "1".into())]);
}

#[tokio::test(start_paused = true)]
async fn six_megabytes_of_event_end_a_batch_early() {
    let world = World::default();
    // In base64, two of these fit and three don't.
    let large = "x".repeat(2_200_000);
    world.stream.put(&[&large, &large, &large].map(|text| format!("a={text}")).each_ref().map(String::as_str));
    let running = world.start(mapping(&json!({ "MaximumBatchingWindowInSeconds": 1 })));
    running.settled(3).await;
    let invocations = world.function.invocations();
    assert_eq!(world.function.times(), [(0, "1 2".into()), (1000, "3".into())]);
    assert!(invocations.iter().all(|invocation| invocation.bytes <= MOST_BYTES));
    assert!(invocations[0].bytes + invocations[1].bytes > MOST_BYTES);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_no_invocation_can_hold_is_discarded_and_the_others_go_on() {
    let world = World::default();
    let large = format!("a={}", "x".repeat(5_000_000));
    world.stream.put(&["a", &large, "b"]);
    let running = world.start(mapping(&json!({})));
    running.settled(3).await;
    assert_eq!(world.function.batches(), ["1", "3"]);
    assert_eq!(world.destination.discarded(), ["2-2 RetryAttemptsExhausted"]);
    assert!(world.destination.messages()[0]["responseContext"].is_null());
}

#[tokio::test(start_paused = true)]
async fn one_batch_of_a_shard_is_under_way_and_with_a_factor_as_many_as_it_says() {
    for (factor, expected) in [(1, 1), (4, 4)] {
        let world = World::default();
        world.function.takes(millis(50));
        world.stream.put_many(200, 40);
        let running = world.start(mapping(&json!({ "BatchSize": 5, "ParallelizationFactor": factor })));
        running.settled(200).await;
        assert_eq!(world.function.most_at_once(), expected);
        assert_eq!(running.counts().handed_over, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn records_of_a_key_stay_in_order_on_their_lane() {
    let world = World::default();
    world.function.takes(millis(7));
    world.stream.put_many(300, 10);
    let running = world.start(mapping(&json!({ "BatchSize": 4, "ParallelizationFactor": 10 })));
    running.settled(300).await;
    for key in 0..10_usize {
        let numbers = world.function.invocations().into_iter().flat_map(|invocation| invocation.numbers);
        let numbers: Vec<usize> = numbers.map(|number| number.parse().unwrap()).collect();
        let of_key: Vec<_> = numbers.into_iter().filter(|number| (number - 1) % 10 == key).collect();
        assert!(of_key.is_sorted() && of_key.len() == 30, "{key}: {of_key:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_batch_blocks_its_lane_only() {
    let world = World::default();
    world.function.answers(|numbers| if numbers.contains(&"1".to_owned()) { failed() } else { done() });
    world.stream.put_many(100, 20);
    let running = world.start(mapping(&json!({ "BatchSize": 1, "ParallelizationFactor": 4 })));
    sleep(Duration::from_secs(10)).await;
    let counts = running.counts();
    assert!(counts.unfinished > 0 && counts.unfinished < 60, "{counts:?}");
    assert_eq!(counts.handed_over + counts.unfinished as u64, 100);
    assert_eq!(running.checkpoint(), None, "the first record isn't done");
    assert_eq!(counts.iterator_age, Some(Duration::from_secs(10)));
    world.function.answers(|_| done());
    running.settled(100).await;
    assert_eq!(running.checkpoint().as_deref(), Some("100"));
    assert_eq!(running.counts().iterator_age, None);
}

#[tokio::test(start_paused = true)]
async fn reading_pauses_when_too_much_waits_and_goes_on_when_there_is_room() {
    let world = World::default();
    world.function.answers(|_| failed());
    world.stream.put_many(5000, 10);
    let running = world.start_with(mapping(&json!({ "BatchSize": 10 })), |options| options.buffer_bytes(10_000));
    sleep(Duration::from_mins(1)).await;
    assert_eq!(running.counts().read, 1000, "one page");
    world.function.answers(|_| done());
    running.settled(5000).await;
}

#[tokio::test(start_paused = true)]
async fn filtered_records_are_gone_before_batches_are_made() {
    let world = World::default();
    world.stream.put(&[r#"a={"n":1}"#, "a=no JSON", r#"a={"n":2}"#, r#"a={"n":3}"#, r#"a={"n":4}"#]);
    let filters = [r#"{"data":{"n":[{"numeric":[">",2]}]}}"#, r#"{"data":{"n":[1]}}"#];
    let filters = filters.map(|pattern| json!({ "Pattern": pattern }));
    let running = world.start(mapping(&json!({ "BatchSize": 2, "FilterCriteria": { "Filters": filters } })));
    running.settled(5).await;
    assert_eq!(world.function.batches(), ["1 4", "5"]);
    let counts = running.counts();
    assert_eq!((counts.read, counts.filtered_out, counts.handed_over), (5, 2, 3));
    assert_eq!(running.checkpoint().as_deref(), Some("5"));
}
