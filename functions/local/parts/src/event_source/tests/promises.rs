//! What holds whatever the function does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use proptest::prelude::*;
use serde_json::json;
use tokio::time::sleep;

use super::world::{SHARD, World, done, failed, from, mapping, throttled};
use crate::event_source::{checkpoints::Checkpoints, function::Invoked, mapping::Mapping, notice::Notice};

/// What the function does with a record, the first time and later.
#[derive(Debug, Clone, Copy)]
enum Temper {
    Good,
    /// So often it fails all of its batch, and then no more.
    Fails(u32),
    /// So often the batch is answered to have come this far, and then no more.
    Stops(u32),
    /// So often the function isn't run.
    Throttled(u32),
    AlwaysFails,
    AlwaysStops,
}

fn temper() -> impl Strategy<Value = Temper> {
    prop_oneof![
        12 => Just(Temper::Good),
        2 => (1..5_u32).prop_map(Temper::Fails),
        2 => (1..5_u32).prop_map(Temper::Stops),
        1 => (1..3_u32).prop_map(Temper::Throttled),
        1 => Just(Temper::AlwaysFails),
        1 => Just(Temper::AlwaysStops),
    ]
}

/// Answers, and notes the records that are done by that.
fn script(mut tempers: Vec<Temper>, done: Arc<Mutex<Vec<usize>>>) -> impl FnMut(&[String]) -> Invoked + Send + 'static {
    move |numbers| {
        let (answer, first) = answer(&mut tempers, numbers);
        done.lock().unwrap().extend(numbers[..first].iter().map(|number| number.parse::<usize>().unwrap()));
        answer
    }
}

/// The first record in a bad temper decides. The number is how many are done.
fn answer(tempers: &mut [Temper], numbers: &[String]) -> (Invoked, usize) {
    for (place, number) in numbers.iter().enumerate() {
        let temper = &mut tempers[number.parse::<usize>().unwrap() - 1];
        match temper {
            Temper::Good => (),
            Temper::AlwaysFails => return (failed(), 0),
            Temper::AlwaysStops => return (from(number), place),
            Temper::Fails(left) | Temper::Stops(left) | Temper::Throttled(left) if *left == 0 => {
                *temper = Temper::Good;
            }
            Temper::Fails(left) => {
                *left -= 1;
                return (failed(), 0);
            }
            Temper::Stops(left) => {
                *left -= 1;
                return (from(number), place);
            }
            Temper::Throttled(left) => {
                *left -= 1;
                return (throttled(), 0);
            }
        }
    }
    (done(), numbers.len())
}

/// The records that were discarded, from what an observer was told.
fn discarded(world: &World) -> Vec<usize> {
    let notices = world.notices.lock().unwrap();
    let batches = notices.iter().filter_map(|notice| match notice {
        Notice::Discarded { batch, .. } => Some(batch),
        _ => None,
    });
    batches.flat_map(|batch| &batch.numbers).map(|number| number.parse().unwrap()).collect()
}

/// A poller that may be stopped after so many milliseconds, and another one that goes on.
fn check(tempers: &[Temper], keys: usize, mapping: &Mapping, stop: Option<u64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let world = World::default();
    let done = Arc::new(Mutex::new(Vec::new()));
    let settled = |reached: usize| [done.lock().unwrap().clone(), discarded(&world)].concat().contains(&reached);
    let (handed_over, first, last) = runtime.block_on(async {
        world.function.answers(script(tempers.to_vec(), Arc::clone(&done)));
        world.stream.put_many(tempers.len(), keys);
        let (mut handed_over, mut checkpoints, mut reached) = (0, Checkpoints::default(), 0);
        if let Some(time) = stop {
            let running = world.start(mapping.clone());
            sleep(Duration::from_millis(time)).await;
            checkpoints = running.checkpoints();
            (reached, handed_over) = (number(&checkpoints), running.stop().await.handed_over);
            assert!((1..=reached).all(settled), "the checkpoint {reached} passes what is neither done nor discarded");
        }
        let first = done.lock().unwrap().len();
        let before = world.function.invocations().len();
        let running = world.start_with(mapping.clone(), |options| options.checkpoints(checkpoints));
        running.settled((tempers.len() - reached) as u64).await;
        let last = number(&running.checkpoints());
        let again = world.function.invocations().split_off(before);
        let again = again.iter().flat_map(|invocation| &invocation.numbers).map(|number| number.parse().unwrap());
        assert!(again.min().is_none_or(|first: usize| first > reached), "what the checkpoint has passed came again");
        (handed_over + running.stop().await.handed_over, first, last)
    });
    let (done, discarded) = (done.lock().unwrap().clone(), discarded(&world));
    let mut either = [done.clone(), discarded.clone()].concat();
    either.sort_unstable();
    if stop.is_some() {
        either.dedup();
    }
    let all: Vec<_> = (1..=tempers.len()).collect();
    assert_eq!(either, all, "each record is done or discarded, and once but for a stop");
    assert_eq!(handed_over, done.len() as u64);
    // Each for itself: what the first discarded behind its checkpoint may come again later.
    let (first, second) = done.split_at(first);
    assert!(are_in_order(first, keys) && are_in_order(second, keys), "{first:?}, then {second:?}");
    let told: usize = world.destination.messages().iter().map(size_of).sum();
    assert_eq!(told, discarded.len(), "the destination knows of all of them");
    assert_eq!(last, tempers.len());
}

/// Whether the records of each key are, and each comes once.
fn are_in_order(numbers: &[usize], keys: usize) -> bool {
    let mut last = BTreeMap::new();
    numbers.iter().all(|number| last.insert((number - 1) % keys, number).is_none_or(|before| before < number))
}

/// How far the one shard has come.
fn number(checkpoints: &Checkpoints) -> usize {
    checkpoints.get(SHARD).map_or(0, |number| number.parse().unwrap())
}

fn size_of(message: &serde_json::Value) -> usize {
    usize::try_from(message["KinesisBatchInfo"]["batchSize"].as_u64().unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_record_is_handed_over_or_discarded_and_keys_stay_in_order(
        tempers in prop::collection::vec(temper(), 1..60),
        keys in 1..12_usize,
        size in 1..20_usize,
        factor in 1..=10_usize,
        attempts in 0..4_u32,
        bisect: bool,
        stop in prop::option::of(0..3_000_u64),
    ) {
        let mapping = mapping(&json!({
            "BatchSize": size,
            "ParallelizationFactor": factor,
            "MaximumRetryAttempts": attempts,
            "BisectBatchOnFunctionError": bisect,
        }));
        check(&tempers, keys, &mapping, stop);
    }
}
