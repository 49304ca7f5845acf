use super::*;
use crate::outbox::Record;
use jiff::Timestamp;
use proptest::prelude::*;
use std::{collections::BTreeMap, os::unix::fs::MetadataExt};
use tempfile::TempDir;
use tokio::time::Instant;

/// As it is after having been written: with times in microseconds.
fn entry(thread: &str, size: usize) -> Entry {
    let record = Record::spooled(thread.into(), vec![b'x'; size].into(), Timestamp::UNIX_EPOCH, Instant::now());
    Entry::decode(&Entry::of(&record).encode()).unwrap()
}

/// What the file takes on disk. It may well be longer.
fn taken(storage: &Storage) -> u64 {
    fs::metadata(storage.path()).unwrap().blocks() * 512
}

fn file() -> (TempDir, Storage) {
    let folder = TempDir::new().unwrap();
    let storage = Storage::file(folder.path().join("not/there/yet/spool.redb"));
    (folder, storage)
}

fn appended(numbers: Range<u64>, size: usize) -> Change {
    Change { append: numbers.map(|number| (number, entry(&number.to_string(), size))).collect(), ..Change::default() }
}

#[test]
fn records_come_back_in_their_order_also_after_a_restart() {
    let (_folder, storage) = file();
    let change = appended(0..5, 100);
    let spool = storage.open().unwrap().spool;
    spool.apply(&change).unwrap();
    let contents = spool.apply(&Change { remove: vec![0, 3, 77], ..Change::default() }).unwrap();
    assert_eq!((contents.records, contents.numbers.clone()), (3, 1..5));
    drop(spool);
    let Opened { spool, contents: again, .. } = storage.open().unwrap();
    assert_eq!(again, contents);
    let expected: Vec<_> = change.append.into_iter().filter(|(number, _)| [1, 2, 4].contains(number)).collect();
    assert_eq!(spool.read(0..5, u64::MAX).unwrap().entries, expected);
}

#[test]
fn a_page_has_as_many_bytes_as_asked_for_and_says_where_the_next_begins() {
    let (_folder, storage) = file();
    let spool = storage.open().unwrap().spool;
    spool.apply(&appended(10..20, 900)).unwrap();
    let page = spool.read(0..20, 3000).unwrap();
    assert_eq!((page.entries.len(), page.next), (3, 13));
    let page = spool.read(13..20, 1).unwrap();
    assert_eq!((page.entries.len(), page.next), (1, 14));
    let page = spool.read(14..20, u64::MAX).unwrap();
    assert_eq!((page.entries.len(), page.next), (6, 20));
}

#[test]
fn second_process_is_told_that_the_spool_is_in_use() {
    let (_folder, storage) = file();
    let _first = storage.open().unwrap();
    let error = storage.open().unwrap_err();
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
}

#[test]
fn file_that_was_never_a_spool_stays_where_it_is() {
    let (_folder, storage) = file();
    drop(storage.open().unwrap());
    fs::write(storage.path(), vec![7; 100_000]).unwrap();
    let error = storage.open().unwrap_err().to_string();
    assert!(error.ends_with("Not a redb database: magic number mismatch"), "{error}");
    assert_eq!(fs::read(storage.path()).unwrap(), vec![7; 100_000]);
}

#[test]
fn file_that_makes_no_sense_any_more_is_put_aside_each_time() {
    let (folder, storage) = file();
    drop(storage.open().unwrap());
    let head = fs::read(storage.path()).unwrap()[..16].to_vec();
    for (number, head) in [(1, head), (2, vec![0; 16])] {
        let wreck = [head, vec![0; 100_000]].concat();
        fs::write(storage.path(), &wreck).unwrap();
        let opened = storage.open().unwrap();
        let aside = folder.path().join(format!("not/there/yet/spool.redb.damaged-{number}"));
        assert_eq!(opened.damaged.as_deref(), Some(&*aside));
        assert_eq!(fs::read(aside).unwrap(), wreck);
        assert_eq!(opened.contents, Contents::default());
    }
}

#[test]
fn folder_that_cannot_be_made_is_an_error_with_its_name() {
    let error = Storage::file("/proc/nowhere/spool.redb".into()).open().unwrap_err().to_string();
    assert!(error.starts_with("could not open the spool /proc/nowhere/spool.redb: "), "{error}");
}

#[test]
fn what_is_refused_is_kept_with_its_reason() {
    let (_folder, storage) = file();
    let spool = storage.open().unwrap().spool;
    for why in ["too odd", "too long"] {
        spool.apply(&Change { refuse: vec![(entry("t", 10), why.into())], ..Change::default() }).unwrap();
    }
    let whys: Vec<_> = spool.refused().unwrap().into_iter().map(|(_, why)| why).collect();
    assert_eq!(whys, ["too odd", "too long"]);
    assert_eq!(spool.apply(&Change::default()).unwrap().refused, 2);
}

#[test]
fn the_file_is_about_as_large_as_reckoned_and_small_again_when_empty() {
    for size in [200, 1500, 2500, 9000] {
        let (_folder, storage) = file();
        let mut spool = storage.open().unwrap().spool;
        let count = 12_000_000 / size as u64;
        let mut contents = Contents::default();
        for first in (0..count).step_by(2000) {
            contents = spool.apply(&appended(first..count.min(first + 2000), size)).unwrap();
        }
        let taken = taken(&storage);
        assert!(taken < contents.bytes * 5 / 4 + (4 << 20), "{size}: {taken} rather than {}", contents.bytes);
        assert!(spool.is_large());
        let contents = spool.apply(&Change { remove: (0..count).collect(), ..Change::default() }).unwrap();
        assert_eq!((contents.records, contents.bytes), (0, 0));
        spool.shrink().unwrap();
        assert!(!spool.is_large(), "{size}: {}", fs::metadata(storage.path()).unwrap().len());
    }
}

#[test]
fn room_that_was_given_back_is_used_again() {
    let (_folder, storage) = file();
    let spool = storage.open().unwrap().spool;
    for round in 0..40 {
        let first = round * 500;
        let remove = if round < 4 { Vec::new() } else { (first - 2000..first - 1500).collect() };
        spool.apply(&Change { remove, ..appended(first..first + 500, 3000) }).unwrap();
    }
    let reckoned = 2500 * footprint(3000);
    assert!(taken(&storage) < 2 * reckoned, "{}, where about {reckoned} are in use", taken(&storage));
}

#[derive(Debug, Clone)]
enum Step {
    Append(u8, u16),
    Remove(Vec<u16>),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..5_u8, 0..9000_u16).prop_map(|(count, size)| Step::Append(count, size)),
        prop::collection::vec(0..60_u16, 0..6).prop_map(Step::Remove),
        Just(Step::Restart),
    ]
}

proptest! {
    #[test]
    fn whatever_is_done_it_holds_what_was_put_in_and_not_taken_out(steps in prop::collection::vec(step(), 0..20)) {
        let storage = Storage::faulty(&faulty::Disk::default());
        let (mut spool, mut model, mut next) = (storage.open().unwrap().spool, BTreeMap::new(), 0);
        for step in steps {
            let change = match step {
                Step::Append(count, size) => {
                    let change = appended(next..next + u64::from(count), size.into());
                    next += u64::from(count);
                    model.extend(change.append.iter().cloned());
                    change
                }
                Step::Remove(numbers) => {
                    let remove: Vec<_> = numbers.into_iter().map(u64::from).filter(|number| *number < next).collect();
                    for number in &remove {
                        model.remove(number);
                    }
                    Change { remove, ..Change::default() }
                }
                Step::Restart => {
                    drop(spool);
                    spool = storage.open().unwrap().spool;
                    Change::default()
                }
            };
            let contents = spool.apply(&change).unwrap();
            prop_assert_eq!(contents.records, model.len() as u64);
            prop_assert_eq!(contents.bytes, model.values().map(Entry::footprint).sum::<u64>());
            let entries: BTreeMap<_, _> = spool.read(0..next, u64::MAX).unwrap().entries.into_iter().collect();
            prop_assert_eq!(&entries, &model);
        }
    }

    #[test]
    fn entry_survives_being_written(
        thread in ".{0,300}", data: Vec<u8>, published in -1_000_000_000_i64..4_000_000_000, ago in 0..1_000_u64
    ) {
        let received = Instant::now().checked_sub(std::time::Duration::from_millis(ago)).unwrap();
        let published = Timestamp::from_second(published).unwrap();
        let entry = Entry::of(&Record::spooled(thread.clone(), data.clone().into(), published, received));
        let bytes = entry.encode();
        prop_assert_eq!(entry.footprint(), footprint(bytes.len()));
        let record = Entry::decode(&bytes).unwrap().into_record();
        prop_assert_eq!((record.thread, &record.data[..], record.published), (thread, &data[..], published));
        let off = record.received.max(received) - record.received.min(received);
        prop_assert!(off < std::time::Duration::from_millis(50), "{:?}", off);
    }

    #[test]
    fn what_somebody_else_wrote_is_no_entry(bytes: Vec<u8>) {
        prop_assume!(bytes.first() != Some(&1));
        prop_assert_eq!(Entry::decode(&bytes), None);
    }
}

#[test]
#[ignore = "a measurement"]
fn how_long_writing_takes() {
    let (_folder, storage) = file();
    let spool = storage.open().unwrap().spool;
    let mut next = 0;
    for (count, rounds) in [(1, 100_u32), (50, 40), (500, 20), (5000, 4)] {
        let started = std::time::Instant::now();
        for _ in 0..rounds {
            spool.apply(&appended(next..next + count, 1300)).unwrap();
            next += count;
        }
        println!("{count} records of 1.3 KB: {:?}", started.elapsed() / rounds);
    }
    let started = std::time::Instant::now();
    let page = spool.read(0..next, 8 << 20).unwrap();
    println!("read {} records: {:?}", page.entries.len(), started.elapsed());
    let remove = page.entries.into_iter().map(|(number, _)| number).collect();
    let started = std::time::Instant::now();
    spool.apply(&Change { remove, ..Change::default() }).unwrap();
    println!("removed: {:?}", started.elapsed());
}
