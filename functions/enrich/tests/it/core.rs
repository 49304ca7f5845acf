//! What a batch goes through, with everything around it played by tests.

use crate::items::{item, record, records};
use enrich::{
    Enrich, Failure, Report,
    articles::{Articles, Stored},
    enricher::{Enricher, Findings},
    quarantine::{Origin, Quarantine, Quarantined},
};
use news::{EnrichedItem, NewsItem, Reason, Sentiment};
use proptest::{collection::vec, prelude::*};
use runtime::Budget;
use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    time::Duration,
};

/// What goes wrong with an item, by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The table can't say whether it is there.
    LookedUpLater,
    /// The model can't judge it now, or never.
    JudgedLater,
    JudgedNever,
    /// The table can't take it now, or never, or somebody else just stored it.
    StoredLater,
    StoredNever,
    StoredBefore,
}

#[derive(Debug, Default)]
struct World {
    faults: RefCell<HashMap<String, Fault>>,
    /// After how many records the quarantine fails.
    room: RefCell<Option<usize>>,
    asked: RefCell<Vec<String>>,
    table: RefCell<Vec<(String, String)>>,
    aside: RefCell<Vec<Quarantined>>,
}

impl World {
    fn with(faults: &[(&str, Fault)]) -> Self {
        let faults = faults.iter().map(|(id, fault)| ((*id).to_owned(), *fault)).collect();
        Self { faults: RefCell::new(faults), ..Self::default() }
    }

    fn fault(&self, id: &str) -> Fault {
        self.faults.borrow().get(id).copied().unwrap_or(Fault::None)
    }

    fn has(&self, id: &str) -> bool {
        self.table.borrow().iter().any(|(own, _)| own == id)
    }

    fn ids(&self) -> Vec<String> {
        self.table.borrow().iter().map(|(id, _)| id.clone()).collect()
    }

    fn aside(&self) -> Vec<(String, String)> {
        let number = |record: &Quarantined| record.position.sequence_number.clone().unwrap();
        self.aside.borrow().iter().map(|record| (number(record), record.reason.code.clone())).collect()
    }

    async fn batch(&self, records: Vec<enrich::Record>) -> Report {
        self.batch_in(records, Budget::of(Duration::from_mins(1))).await
    }

    async fn batch_in(&self, records: Vec<enrich::Record>, budget: Budget) -> Report {
        let enrich = Enrich { enricher: self, articles: self, quarantine: self };
        enrich.batch(records, &Origin::default(), budget).await
    }
}

impl Enricher for &World {
    type Finding = Sentiment;

    async fn enrich(&self, items: &[&NewsItem], budget: Budget) -> Findings<Sentiment> {
        let judge = |item: &&NewsItem| {
            self.asked.borrow_mut().push(item.id.clone());
            match self.fault(&item.id) {
                Fault::JudgedNever => Err(Failure::permanent("unknown_label", "joy")),
                Fault::JudgedLater => Err(Failure::transient("throttled")),
                _ if budget.is_over() => Err(Failure::transient("no time")),
                _ => Ok(Sentiment::Unjudged { reason: Reason::NoRoute }),
            }
        };
        items.iter().map(judge).collect()
    }
}

impl Articles for &World {
    async fn known(&self, ids: &[&str], _: Budget) -> Vec<Result<bool, Failure>> {
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "BatchGetItem refuses repeated keys");
        let look_up = |id: &&str| match self.fault(id) {
            Fault::LookedUpLater => Err(Failure::transient("throttled")),
            _ => Ok(self.has(id)),
        };
        ids.iter().map(look_up).collect()
    }

    async fn store(&self, items: &[&EnrichedItem], _: Budget) -> Vec<Result<Stored, Failure>> {
        let threads: HashSet<_> = items.iter().map(|item| &item.item.thread).collect();
        assert_eq!(threads.len(), items.len(), "what is stored at once has no order");
        let store = |item: &&EnrichedItem| match self.fault(&item.item.id) {
            Fault::StoredNever => Err(Failure::permanent("too_large", "it is")),
            Fault::StoredLater => Err(Failure::transient("throttled")),
            Fault::StoredBefore => Ok(Stored::Before),
            _ => {
                assert!(!self.has(&item.item.id), "an id is stored once");
                self.table.borrow_mut().push((item.item.id.clone(), item.item.thread.clone()));
                Ok(Stored::Now)
            }
        };
        items.iter().map(store).collect()
    }
}

impl Quarantine for &World {
    async fn keep(&self, records: &[Quarantined], _: Budget) -> Vec<Result<(), Failure>> {
        let keep = |record: &Quarantined| {
            let mut aside = self.aside.borrow_mut();
            if self.room.borrow().is_some_and(|room| aside.len() >= room) {
                return Err(Failure::transient("the queue is away"));
            }
            aside.push(record.clone());
            Ok(())
        };
        records.iter().map(keep).collect()
    }
}

fn earliest(report: &Report) -> Option<&str> {
    report.earliest.as_ref().map(|position| position.sequence_number.as_deref().unwrap())
}

/// A word for a batch: items of those ids, and what is no item for `-`.
fn batch(ids: &[&str]) -> Vec<enrich::Record> {
    let read = |(at, id): (usize, &&str)| match *id {
        "-" => record(at, b"no item"),
        id => record(at, &story(id).to_record()),
    };
    ids.iter().enumerate().map(read).collect()
}

/// The first letter is the story.
fn story(id: &str) -> NewsItem {
    NewsItem { thread: id[..1].into(), ..item(id, "h") }
}

#[tokio::test]
async fn ordinary_batch_is_stored_in_order() {
    let world = World::default();
    let report = world.batch(batch(&["a1", "b1", "a2", "c1"])).await;
    assert_eq!(earliest(&report), None);
    assert_eq!(report.stored["en"], 4);
    assert_eq!(world.ids(), ["a1", "b1", "c1", "a2"]);
}

#[tokio::test]
async fn malformed_record_is_set_aside_and_the_batch_goes_on() {
    let world = World::default();
    let report = world.batch(batch(&["a1", "-", "b1"])).await;
    assert_eq!((earliest(&report), report.quarantined), (None, 1));
    assert_eq!(world.ids(), ["a1", "b1"]);
    assert_eq!(world.aside(), [("1".into(), "malformed".into())]);
}

#[tokio::test]
async fn repeat_is_skipped_and_nothing_is_asked_for_it() {
    let world = World::default();
    let report = world.batch(batch(&["a1", "a1", "b1", "a1"])).await;
    assert_eq!((earliest(&report), report.skipped, report.stored["en"]), (None, 2, 2));
    let again = world.batch(batch(&["a1", "b1"])).await;
    assert_eq!((earliest(&again), again.skipped), (None, 2));
    assert_eq!(*world.asked.borrow(), ["a1", "b1"]);
}

#[tokio::test]
async fn answer_names_the_earliest_record_that_has_to_come_again() {
    for (faults, expected, stored) in [
        (vec![("b1", Fault::JudgedLater)], Some("1"), vec!["a1", "c1"]),
        (vec![("c1", Fault::StoredLater), ("b1", Fault::LookedUpLater)], Some("1"), vec!["a1"]),
        (vec![("a1", Fault::StoredLater)], Some("0"), vec!["b1", "c1"]),
        (vec![("a1", Fault::JudgedNever)], None, vec!["b1", "c1"]),
        (vec![("b1", Fault::StoredNever)], None, vec!["a1", "c1"]),
        (vec![("b1", Fault::StoredBefore)], None, vec!["a1", "c1"]),
    ] {
        let world = World::with(&faults);
        let report = world.batch(batch(&["a1", "b1", "c1"])).await;
        assert_eq!(earliest(&report), expected, "{faults:?}");
        assert_eq!(world.ids(), stored, "{faults:?}");
    }
}

#[tokio::test]
async fn earliest_is_by_arrival_and_not_by_number() {
    let world = World::with(&[("a1", Fault::JudgedLater), ("b1", Fault::JudgedLater)]);
    let records = vec![record(10, &item("a1", "h").to_record()), record(9, &item("b1", "h").to_record())];
    assert_eq!(earliest(&world.batch(records).await), Some("10"));
}

#[tokio::test]
async fn later_items_of_a_story_wait_for_one_that_has_to_come_again() {
    for fault in [Fault::LookedUpLater, Fault::JudgedLater, Fault::StoredLater] {
        let world = World::with(&[("a2", fault)]);
        let report = world.batch(batch(&["a1", "a2", "b1", "a3", "b2"])).await;
        assert_eq!(earliest(&report), Some("1"), "{fault:?}");
        assert_eq!(world.ids(), ["a1", "b1", "b2"], "{fault:?}");
        assert_eq!(report.retried, 2, "{fault:?}");
    }
}

#[tokio::test]
async fn later_items_of_a_story_do_not_wait_for_one_that_never_succeeds() {
    for fault in [Fault::JudgedNever, Fault::StoredNever] {
        let world = World::with(&[("a1", fault)]);
        assert_eq!(earliest(&world.batch(batch(&["a1", "a2"])).await), None);
        assert_eq!(world.ids(), ["a2"]);
    }
}

#[tokio::test]
async fn what_comes_again_anyway_is_not_set_aside_yet() {
    let world = World::with(&[("b1", Fault::JudgedLater)]);
    let report = world.batch(batch(&["-", "b1", "-", "c1"])).await;
    assert_eq!(world.aside(), [("0".into(), "malformed".into())]);
    assert_eq!((earliest(&report), report.retried), (Some("1"), 2));
}

#[tokio::test]
async fn record_that_cannot_be_set_aside_comes_again() {
    let world = World::default();
    *world.room.borrow_mut() = Some(1);
    let report = world.batch(batch(&["-", "a1", "-", "b1", "-"])).await;
    assert_eq!((earliest(&report), report.quarantined, report.retried), (Some("2"), 1, 2));
    assert_eq!(world.ids(), ["a1", "b1"]);
}

#[tokio::test(start_paused = true)]
async fn without_time_the_first_record_comes_again_and_nothing_is_paid_for() {
    let world = World::with(&[("a1", Fault::LookedUpLater)]);
    let report = world.batch_in(batch(&["a1", "b1"]), Budget::of(Duration::ZERO)).await;
    assert_eq!(earliest(&report), Some("0"));
}

#[tokio::test]
async fn message_says_what_why_and_where() {
    let world = World::with(&[("a1", Fault::JudgedNever)]);
    let enrich = Enrich { enricher: &world, articles: &world, quarantine: &world };
    let origin = Origin { function: "enrich".into(), request_id: "r1".into() };
    enrich.batch(records(&[story("a1")]), &origin, Budget::of(Duration::from_secs(1))).await;
    let message = serde_json::to_value(&world.aside.borrow()[0]).unwrap();
    assert_eq!(message["reason"], serde_json::json!({ "code": "unknown_label", "text": "joy" }));
    assert_eq!(message["id"], "a1");
    assert_eq!(message["position"]["sequence_number"], "0");
    assert_eq!(message["function"], "enrich");
    assert_eq!(message["data"]["text"].as_str().unwrap().as_bytes(), story("a1").to_record());
}

/// An id names a story, a letter, and a version of it; a `-` is no item.
fn ids() -> impl Strategy<Value = Vec<String>> {
    let id = prop_oneof![
        9 => ("[abc]", 1_u8..5).prop_map(|(story, version)| format!("{story}{version}")),
        1 => Just("-".to_owned()),
    ];
    vec(id, 0..24)
}

fn faults() -> impl Strategy<Value = HashMap<String, Fault>> {
    let fault = prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::LookedUpLater),
        1 => Just(Fault::JudgedLater),
        1 => Just(Fault::JudgedNever),
        1 => Just(Fault::StoredLater),
        1 => Just(Fault::StoredNever),
    ];
    let ids: Vec<String> =
        ["a", "b", "c"].iter().flat_map(|story| (1..5).map(move |at| format!("{story}{at}"))).collect();
    vec(fault, ids.len()).prop_map(move |faults| ids.iter().cloned().zip(faults).collect())
}

proptest! {
    /// Whatever goes wrong, a batch keeps its promises; and when what went wrong is over, the rest of it is done.
    #[test]
    fn promises_are_kept_whatever_fails(ids in ids(), faults in faults(), room in proptest::option::of(0_usize..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(keeps_its_promises(&ids, &faults, room))?;
    }
}

async fn keeps_its_promises(
    ids: &[String],
    faults: &HashMap<String, Fault>,
    room: Option<usize>,
) -> Result<(), TestCaseError> {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let world = World { faults: RefCell::new(faults.clone()), room: RefCell::new(room), ..World::default() };
    let report = world.batch(batch(&ids)).await;

    let stored: usize = report.stored.values().sum();
    prop_assert_eq!(
        stored + report.skipped + report.quarantined + report.retried,
        ids.len(),
        "each record is one of four"
    );
    prop_assert_eq!(stored, world.ids().len());
    prop_assert_eq!(report.quarantined, world.aside().len());

    let done = earliest(&report).map_or(ids.len(), |number| number.parse().unwrap());
    prop_assert_eq!(report.earliest.is_none(), report.retried == 0);
    for (at, id) in ids.iter().enumerate() {
        let aside = world.aside().iter().any(|(number, _)| *number == at.to_string());
        let repeats = ids[..at].contains(id) && *id != "-";
        prop_assert!(at >= done || world.has(id) || aside || repeats, "{} is done", id);
        prop_assert!(at < done || !aside, "{} comes again, so it is not set aside", id);
    }
    if let Some(at) = (done < ids.len()).then_some(done) {
        prop_assert!(!world.has(ids[at]) || ids[at] == "-", "the earliest is not done");
    }
    in_order(&world, &ids)?;

    world.faults.borrow_mut().retain(|_, fault| matches!(fault, Fault::JudgedNever | Fault::StoredNever));
    *world.room.borrow_mut() = None;
    let rest = batch(&ids).into_iter().skip(done).collect();
    prop_assert!(world.batch(rest).await.earliest.is_none(), "the rest can be done");
    in_order(&world, &ids)?;
    for id in &ids {
        let never = matches!(faults.get(*id), Some(Fault::JudgedNever | Fault::StoredNever));
        prop_assert!(*id == "-" || world.has(id) != never, "{} is in the table or can never be", id);
    }
    let mut numbers: Vec<String> = world.aside().into_iter().map(|(number, _)| number).collect();
    let all = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    prop_assert_eq!(numbers.len(), all, "nothing is set aside twice");
    Ok(())
}

/// A story's items are in the table in the order in which they first came.
fn in_order(world: &World, ids: &[&str]) -> Result<(), TestCaseError> {
    for story in ["a", "b", "c"] {
        let table = world.table.borrow();
        let of_story = table.iter().filter(|(_, thread)| thread == story);
        let places: Vec<_> = of_story.map(|(id, _)| ids.iter().position(|own| own == id)).collect();
        prop_assert!(places.is_sorted(), "{:?}", table);
    }
    Ok(())
}
