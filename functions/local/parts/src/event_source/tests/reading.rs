use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::sleep;

use super::world::{EPOCH, SHARD, World, done, failed, mapping, now};
use crate::event_source::source::{Place, ReadError};

const CHILD: &str = "shardId-000000000001";
const OTHER: &str = "shardId-000000000002";

#[tokio::test(start_paused = true)]
async fn an_idle_shard_is_asked_at_the_interval_and_one_with_records_without_a_pause() {
    let world = World::default();
    world.stream.put_many(10_000, 10);
    let running = world.start(mapping(&json!({ "BatchSize": 10_000 })));
    sleep(Duration::from_millis(1)).await;
    assert_eq!(running.counts().read, 10_000);
    assert_eq!(world.stream.reads(), 11, "ten pages, and none");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.stream.reads(), 21);
}

#[tokio::test(start_paused = true)]
async fn a_child_is_read_after_its_parents_are_done() {
    let world = World::default();
    world.stream.put(&["a", "b"]);
    world.stream.close(SHARD);
    world.stream.add_shard(CHILD, &[]);
    world.stream.close(CHILD);
    world.stream.add_shard(OTHER, &[SHARD, CHILD]);
    world.stream.put_on(OTHER, &["c"]);
    world.function.answers(|_| failed());
    let running = world.start(mapping(&json!({ "BatchSize": 1 })));
    sleep(Duration::from_mins(1)).await;
    assert!(world.function.batches().iter().all(|batch| batch == "1"), "the first record isn't done");
    assert_eq!(running.counts().read, 2);
    world.function.answers(|_| done());
    running.settled(3).await;
    let ended = |shard: &str| world.notices().contains(&format!("{shard}: closed, and all of it is done"));
    assert!(ended(SHARD) && ended(CHILD) && !ended(OTHER));
    assert_eq!(running.counts().shards, 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_shard_is_found_and_read_from_its_beginning() {
    let world = World::default();
    world.stream.add_shard(SHARD, &[]);
    let running = world.start(mapping(&json!({ "StartingPosition": "LATEST" })));
    sleep(Duration::from_secs(1)).await;
    world.stream.add_shard(CHILD, &["shardId-that-is-not-listed-any-more"]);
    world.stream.put_on(CHILD, &["a"]);
    running.settled(1).await;
    assert_eq!(world.stream.places(), [Place::Latest, Place::TrimHorizon]);
}

#[tokio::test(start_paused = true)]
async fn reading_begins_where_the_mapping_says() {
    for (more, expected) in [
        (json!({}), Place::TrimHorizon),
        (json!({ "StartingPosition": "LATEST" }), Place::Latest),
        (
            json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": EPOCH }),
            Place::Time(Timestamp::from_second(EPOCH).unwrap()),
        ),
    ] {
        let world = World::default();
        world.stream.put(&["a"]);
        let _running = world.start(mapping(&more));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(world.stream.places(), [expected]);
    }
}

#[tokio::test(start_paused = true)]
async fn records_before_the_latest_or_the_time_are_left_out() {
    let world = World::default();
    now();
    world.stream.put(&["a"]);
    sleep(Duration::from_secs(2)).await;
    world.stream.put(&["b"]);
    let more = json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": EPOCH + 2 });
    let at_time = world.start(mapping(&more));
    at_time.settled(1).await;
    assert_eq!(world.function.batches(), ["2"]);
    at_time.stop().await;

    let latest = world.start(mapping(&json!({ "StartingPosition": "LATEST" })));
    sleep(Duration::from_secs(2)).await;
    world.stream.put(&["c"]);
    latest.settled(1).await;
    assert_eq!(world.function.batches(), ["2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn an_expired_iterator_is_renewed_where_it_was() {
    let world = World::default();
    world.stream.put(&["a", "b"]);
    let running = world.start(mapping(&json!({})));
    running.settled(2).await;
    world.stream.expire_iterators();
    world.stream.put(&["c"]);
    running.settled(3).await;
    assert_eq!(world.stream.places(), [Place::TrimHorizon, Place::After("2".into())]);
    assert_eq!(world.function.batches(), ["1 2", "3"]);
    assert_eq!(running.counts().read_errors, 0);
}

#[tokio::test(start_paused = true)]
async fn an_iterator_at_the_latest_record_that_expires_leaves_nothing_out() {
    let world = World::default();
    world.stream.put(&["a"]);
    now();
    sleep(Duration::from_secs(10)).await;
    let running = world.start(mapping(&json!({ "StartingPosition": "LATEST" })));
    sleep(Duration::from_secs(1)).await;
    world.stream.down(true);
    world.stream.put(&["b"]);
    world.stream.expire_iterators();
    sleep(Duration::from_mins(6)).await;
    world.stream.down(false);
    running.settled(1).await;
    assert_eq!(world.function.batches(), ["2"]);
}

#[tokio::test(start_paused = true)]
async fn the_latest_position_is_that_of_the_first_list_however_late_the_first_iterator_is() {
    let world = World::default();
    now();
    world.stream.put(&["old"]);
    world.stream.close(SHARD);
    world.stream.add_shard(CHILD, &[SHARD]);
    world.stream.put_on(CHILD, &["old"]);
    world.stream.add_shard(OTHER, &[]);
    world.stream.put_on(OTHER, &["old"]);
    sleep(Duration::from_secs(10)).await;
    // Both shards that can be begun with.
    for _ in 0..6 {
        world.stream.refuse(ReadError::Failed("throttled".into()));
    }
    let running = world.start(mapping(&json!({ "StartingPosition": "LATEST" })));
    sleep(Duration::from_millis(1)).await;
    world.stream.put_on(CHILD, &["b"]);
    world.stream.put_on(OTHER, &["b"]);
    running.settled(2).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(world.function.batches(), ["2", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_poller_that_goes_on_leaves_out_nothing_of_shards_without_a_record_so_far() {
    let world = World::default();
    now();
    world.stream.put(&["old"]);
    sleep(Duration::from_secs(10)).await;
    let latest = || mapping(&json!({ "StartingPosition": "LATEST" }));
    let first = world.start(latest());
    sleep(Duration::from_secs(1)).await;
    let checkpoints = first.checkpoints();
    first.stop().await;
    world.stream.put(&["b"]);
    world.stream.add_shard(CHILD, &[]);
    world.stream.put_on(CHILD, &["a"]);
    let second = world.start_with(latest(), |options| options.checkpoints(checkpoints));
    second.settled(2).await;
    let mut batches = world.function.batches();
    batches.sort();
    assert_eq!(batches, ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn all_pages_of_records_before_the_time_are_left_out() {
    let world = World::default();
    now();
    world.stream.put_many(2_500, 10);
    sleep(Duration::from_secs(2)).await;
    world.stream.put(&["a"]);
    let more = json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": EPOCH + 2 });
    let running = world.start(mapping(&more));
    running.settled(1).await;
    assert_eq!((world.function.batches(), running.counts().read), (vec!["2501".to_owned()], 1));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_away_for_a_while_loses_nothing() {
    let world = World::default();
    world.stream.down(true);
    world.stream.put_many(2500, 7);
    let running = world.start(mapping(&json!({})));
    sleep(Duration::from_mins(1)).await;
    let errors = running.counts().read_errors;
    assert!((12..60).contains(&errors), "pauses grow to 5 s: {errors}");
    world.stream.down(false);
    running.settled(2500).await;
    world.stream.down(true);
    world.stream.put_many(10, 7);
    sleep(Duration::from_mins(1)).await;
    world.stream.down(false);
    running.settled(2510).await;
    assert_eq!(running.counts().handed_over, 2510);
    assert!(world.notices().iter().any(|line| line.starts_with("shards: could not be read, again in ")));
}

#[tokio::test(start_paused = true)]
async fn what_the_stream_has_lost_is_told_and_reading_goes_on_with_the_oldest() {
    let world = World::default();
    world.stream.put(&["a", "b"]);
    let running = world.start(mapping(&json!({})));
    running.settled(2).await;
    world.stream.fail(ReadError::Lost("trimmed".into()));
    world.stream.put(&["c"]);
    running.settled(5).await;
    assert_eq!(running.counts().losses, 1);
    assert_eq!(world.function.batches(), ["1 2", "1 2 3"], "once more, rather than not at all");
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_is_not_enabled_reads_nothing() {
    let world = World::default();
    world.stream.put(&["a"]);
    let running = world.start(mapping(&json!({ "Enabled": false })));
    sleep(Duration::from_mins(1)).await;
    assert_eq!(world.stream.reads(), 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_what_is_under_way_and_begins_nothing() {
    let world = World::default();
    world.function.takes(Duration::from_secs(20));
    world.stream.put_many(6, 6);
    let running = world.start(mapping(&json!({ "BatchSize": 2 })));
    sleep(Duration::from_secs(1)).await;
    let counts = running.stop().await;
    assert_eq!(world.function.batches(), ["1 2"]);
    assert_eq!((counts.handed_over, counts.unfinished), (2, 4));
    assert_eq!(now().as_second() - EPOCH, 20);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_fails_while_the_poller_stops_is_not_tried_again() {
    let world = World::default();
    world.function.takes(Duration::from_secs(5));
    world.function.answers(|_| failed());
    world.stream.put(&["a"]);
    let running = world.start(mapping(&json!({})));
    sleep(Duration::from_secs(1)).await;
    let counts = running.stop().await;
    assert_eq!((world.function.batches().len(), counts.unfinished), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn another_poller_goes_on_from_the_checkpoints() {
    let world = World::default();
    world.stream.put_many(10, 10);
    let first = world.start(mapping(&json!({ "BatchSize": 4 })));
    first.settled(10).await;
    let checkpoints = first.checkpoints();
    assert_eq!(checkpoints.iter().collect::<Vec<_>>(), [(SHARD, "10")]);
    first.stop().await;
    world.stream.put(&["a"]);
    let second = world.start_with(mapping(&json!({})), |options| options.checkpoints(checkpoints));
    second.settled(1).await;
    assert_eq!(world.function.batches().last().map(String::as_str), Some("11"));
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_gone_does_not_hold_up_its_child() {
    let world = World::default();
    world.stream.put(&["a"]);
    world.stream.add_shard(CHILD, &[SHARD]);
    world.stream.put_on(CHILD, &["b"]);
    let running = world.start(mapping(&json!({})));
    running.settled(1).await;
    world.stream.remove_shard(SHARD);
    running.settled(2).await;
    sleep(Duration::from_secs(10)).await;
    let counts = running.counts();
    assert_eq!((counts.handed_over, counts.losses, counts.read_errors, counts.shards), (2, 1, 0, 1));
    assert!(world.notices().contains(&format!("{SHARD}: records are gone before they were read: no such shard")));
    world.stream.put(&["a", "c"]);
    running.settled(3).await;
    assert_eq!(running.counts().shards, 2, "a stream that was made anew");
}

#[tokio::test(start_paused = true)]
async fn a_child_waits_for_its_parents_records_though_the_parent_is_not_listed_any_more() {
    let world = World::default();
    world.function.takes(Duration::from_secs(20));
    world.stream.put(&["a"]);
    let running = world.start(mapping(&json!({})));
    sleep(Duration::from_secs(1)).await;
    world.stream.add_shard(CHILD, &[SHARD]);
    world.stream.put_on(CHILD, &["b"]);
    world.stream.remove_shard(SHARD);
    sleep(Duration::from_secs(15)).await;
    assert_eq!((running.counts().read, world.stream.places().len()), (1, 1));
    running.settled(2).await;
    assert_eq!(running.counts().handed_over, 2);
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_seems_gone_but_is_listed_is_read_again() {
    let world = World::default();
    world.stream.put(&["a"]);
    world.stream.fail(ReadError::Gone("no such stream".into()));
    let running = world.start(mapping(&json!({})));
    running.settled(1).await;
    let counts = running.counts();
    assert_eq!((counts.handed_over, counts.losses, counts.read_errors), (1, 0, 1));
}
