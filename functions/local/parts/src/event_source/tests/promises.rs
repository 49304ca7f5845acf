//! What holds whatever the function does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use proptest::prelude::*;
use serde_json::json;

use super::world::{World, done, failed, from, mapping, throttled};
use crate::event_source::{
    function::Invoked,
    notice::{Batch, Notice},
};

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

/// The first record in a bad temper decides.
fn script(tempers: Vec<Temper>) -> impl FnMut(&[String]) -> Invoked + Send + 'static {
    let mut tempers = tempers;
    move |numbers| {
        for number in numbers {
            let temper = &mut tempers[number.parse::<usize>().unwrap() - 1];
            match temper {
                Temper::Good => (),
                Temper::AlwaysFails => return failed(),
                Temper::AlwaysStops => return from(number),
                Temper::Fails(left) | Temper::Stops(left) | Temper::Throttled(left) if *left == 0 => {
                    *temper = Temper::Good;
                }
                Temper::Fails(left) => {
                    *left -= 1;
                    return failed();
                }
                Temper::Stops(left) => {
                    *left -= 1;
                    return from(number);
                }
                Temper::Throttled(left) => {
                    *left -= 1;
                    return throttled();
                }
            }
        }
        done()
    }
}

/// The records that were handed over, in their order, and those that were discarded, from what an observer was told.
fn outcome(notices: &[Notice]) -> (Vec<usize>, Vec<usize>) {
    let numbers = |batch: &Batch| batch.numbers.iter().map(|number| number.parse().unwrap()).collect::<Vec<usize>>();
    let (mut done, mut discarded) = (Vec::new(), Vec::new());
    for notice in notices {
        match notice {
            Notice::BatchDone { batch } => done.extend(numbers(batch)),
            Notice::BatchPartlyDone { batch, done: first } => done.extend(&numbers(batch)[..*first]),
            Notice::Discarded { batch, .. } => discarded.extend(numbers(batch)),
            _ => (),
        }
    }
    (done, discarded)
}

fn check(tempers: &[Temper], keys: usize, size: usize, factor: usize, attempts: u32, bisect: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let world = World::default();
    let checked = Arc::new(Mutex::new(BTreeSet::new()));
    let counts = runtime.block_on(async {
        world.function.answers(script(tempers.to_vec()));
        world.stream.put_many(tempers.len(), keys);
        let running = world.start(mapping(&json!({
            "BatchSize": size,
            "ParallelizationFactor": factor,
            "MaximumRetryAttempts": attempts,
            "BisectBatchOnFunctionError": bisect,
        })));
        running.settled(tempers.len() as u64).await;
        checked.lock().unwrap().extend(running.checkpoint());
        running.stop().await
    });
    let (done, discarded) = outcome(&world.notices.lock().unwrap());
    let all: Vec<_> = (1..=tempers.len()).collect();
    let mut either = [done.clone(), discarded.clone()].concat();
    either.sort_unstable();
    assert_eq!(either, all, "each record is done or discarded, and once");
    assert_eq!((counts.handed_over, counts.discarded), (done.len() as u64, discarded.len() as u64));
    let mut of_keys: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for number in done {
        of_keys.entry((number - 1) % keys).or_default().push(number);
    }
    assert!(of_keys.values().all(|numbers| numbers.is_sorted()), "{of_keys:?}");
    let told: usize = world.destination.messages().iter().map(size_of).sum();
    assert_eq!(told, discarded.len(), "the destination knows of all of them");
    assert_eq!(checked.lock().unwrap().iter().collect::<Vec<_>>(), [&tempers.len().to_string()]);
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
    ) {
        check(&tempers, keys, size, factor, attempts, bisect);
    }
}
