//! Parts of items, in any order.

use crate::feed::gzip;
use base64::{Engine, prelude::BASE64_STANDARD};
use lseg::{
    Ric,
    envelope::{Assembler, Corrupt, Loss, MAX_HELD, MAX_INFLATED, MAX_OPEN, MAX_TOTAL, Outcome, PATIENCE, Part},
};
use proptest::{collection::vec, prelude::*, sample::Index};
use std::time::{Duration, Instant};

/// A part as it is on the wire.
#[derive(Debug, Clone)]
struct Wire {
    guid: String,
    number: u64,
    total: Option<u64>,
    fragment: String,
}

impl Wire {
    fn new(guid: &str, number: u64, total: Option<usize>, bytes: &[u8]) -> Self {
        let total = total.map(|total| total as u64);
        Self { guid: guid.into(), number, total, fragment: BASE64_STANDARD.encode(bytes) }
    }

    fn part(&self) -> Part<'_> {
        Part {
            ric: Ric::Story,
            source: "HDC_PRD_A",
            guid: &self.guid,
            number: Some(self.number),
            total: self.total,
            fragment: &self.fragment,
        }
    }
}

/// An item's parts of at most `size` bytes.
fn cut(guid: &str, content: &[u8], size: usize) -> Vec<Wire> {
    let gzip = gzip(content);
    let parts = gzip.chunks(size).enumerate();
    let total = |index| (index == 0).then_some(gzip.len());
    parts.map(|(index, part)| Wire::new(guid, index as u64 + 1, total(index), part)).collect()
}

fn outcomes(assembler: &mut Assembler, parts: &[Wire], now: Instant) -> Vec<String> {
    let text = |outcome: Outcome<'_>| match outcome {
        Outcome::Whole(json) => format!("whole {}", String::from_utf8_lossy(json)),
        Outcome::Waiting => "waiting".into(),
        Outcome::Repeated => "repeated".into(),
        Outcome::Late => "late".into(),
        Outcome::Lost(lost) => format!("lost {}", lost.why),
        Outcome::Corrupt(corrupt) => format!("corrupt {corrupt}"),
        Outcome::Refused(refused) => format!("refused {refused}"),
    };
    parts.iter().map(|part| text(assembler.add(&part.part(), now))).collect()
}

fn item() -> impl Strategy<Value = (Vec<u8>, usize)> {
    (vec(any::<u8>(), 0..3000), prop_oneof![1..40_usize, 100..4000_usize])
}

/// All parts of some items, some of them more than once, shuffled.
fn shuffled() -> impl Strategy<Value = (Vec<Vec<u8>>, Vec<Wire>)> {
    (vec(item(), 1..6), vec(any::<Index>(), 0..20)).prop_flat_map(|(items, repeats)| {
        let cut = |(index, (content, size)): (usize, &(Vec<u8>, usize))| cut(&index.to_string(), content, *size);
        let mut parts: Vec<Wire> = items.iter().enumerate().flat_map(cut).collect();
        let repeated: Vec<Wire> = repeats.iter().map(|index| index.get(&parts).clone()).collect();
        parts.extend(repeated);
        let contents: Vec<Vec<u8>> = items.into_iter().map(|(content, _)| content).collect();
        (Just(contents), Just(parts).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn parts_in_any_order_with_any_repeats_are_exactly_the_items((items, parts) in shuffled()) {
        let (mut assembler, now) = (Assembler::default(), Instant::now());
        let mut whole = vec![None; items.len()];
        for wire in &parts {
            let index: usize = wire.guid.parse().unwrap();
            match assembler.add(&wire.part(), now) {
                Outcome::Whole(content) => whole[index] = Some(content.to_vec()),
                Outcome::Waiting | Outcome::Repeated => {}
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert_eq!(whole, items.into_iter().map(Some).collect::<Vec<_>>());
        assembler.expire(now + PATIENCE);
        prop_assert_eq!(assembler.lost(), None, "nothing is lost with what came again");
        prop_assert_eq!((assembler.open(), assembler.held()), (0, 0));
    }

    #[test]
    fn item_without_one_of_its_parts_is_lost_and_told_once(
        content in vec(any::<u8>(), 200..2000), size in 10..100_usize, missing in any::<Index>(), shuffle in any::<u64>(),
    ) {
        let (mut assembler, now) = (Assembler::default(), Instant::now());
        let mut parts = cut("a", &content, size);
        let missing = parts.remove(missing.index(parts.len()));
        fastrand::Rng::with_seed(shuffle).shuffle(&mut parts);
        for wire in &parts {
            prop_assert_eq!(assembler.add(&wire.part(), now), Outcome::Waiting);
        }
        assembler.expire(now + Duration::from_secs(59));
        prop_assert_eq!(assembler.lost(), None);
        prop_assert_eq!(assembler.deadline(), Some(now + PATIENCE));
        assembler.expire(now + PATIENCE);
        let lost = assembler.lost().unwrap();
        prop_assert_eq!(lost.why == Loss::Orphan, missing.number == 1, "{}", lost);
        prop_assert_eq!(assembler.lost(), None);
    }

    #[test]
    fn no_parts_make_it_panic_or_take_more_than_its_share(
        parts in vec((0..3_u8, any::<Option<u64>>(), any::<Option<u64>>(), "[A-Za-z0-9+/=]{0,40}|.{0,20}"), 0..60),
    ) {
        let (mut assembler, mut now) = (Assembler::default(), Instant::now());
        for (guid, number, total, fragment) in parts {
            let small = |number: Option<u64>| number.map(|number| if number % 3 == 0 { number } else { number % 50 });
            let guid = guid.to_string();
            let part = Part {
                ric: Ric::Scores, source: "", guid: &guid, number: small(number), total: small(total), fragment: &fragment,
            };
            assembler.add(&part, now);
            now += Duration::from_secs(1);
            assembler.expire(now);
            prop_assert!(assembler.open() <= 3 && assembler.held() < 10_000);
        }
    }
}

#[test]
fn item_of_one_part_leaves_no_trace() {
    let (mut assembler, now) = (Assembler::default(), Instant::now());
    let parts = cut("a", b"content", 9999);
    for _ in 0..3 {
        assert_eq!(outcomes(&mut assembler, &parts, now), ["whole content"]);
        assert_eq!((assembler.open(), assembler.held(), assembler.deadline()), (0, 0, None));
    }
}

#[test]
fn same_guid_of_another_ric_or_source_is_another_item() {
    let (mut assembler, now) = (Assembler::default(), Instant::now());
    let parts = cut("a", b"content", 20);
    let mut others = parts.iter().map(Wire::part).collect::<Vec<_>>();
    for part in &mut others {
        part.ric = Ric::Scores;
    }
    let mut more = parts.iter().map(Wire::part).collect::<Vec<_>>();
    // Together the names are the same letters.
    for part in &mut more {
        (part.source, part.guid) = ("HDC_PRD_", "Aa");
    }
    for part in parts.iter().map(Wire::part).chain(others).chain(more).filter(|part| part.number == Some(1)) {
        assert_eq!(assembler.add(&part, now), Outcome::Waiting);
    }
    assert_eq!(assembler.open(), 3);
}

#[test]
fn part_that_came_with_other_content_ends_its_item_until_it_begins_anew() {
    let (mut assembler, now) = (Assembler::default(), Instant::now());
    let parts = cut("a", b"content", 10);
    let other = Wire { fragment: BASE64_STANDARD.encode(b"other"), ..parts[1].clone() };
    let steps = [parts[0].clone(), parts[1].clone(), other, parts[2].clone()];
    assert_eq!(
        outcomes(&mut assembler, &steps, now),
        ["waiting", "waiting", "lost part 2 came again with other content", "late"]
    );
    assert_eq!(outcomes(&mut assembler, &parts, now), ["waiting", "waiting", "whole content"]);
    assembler.expire(now + PATIENCE);
    assert_eq!(assembler.lost(), None, "it was told");
}

#[test]
fn second_copy_is_handed_out_if_it_is_whole_and_not_missed_if_it_is_not() {
    let (mut assembler, now) = (Assembler::default(), Instant::now());
    let parts = cut("a", b"content", 15);
    assert_eq!(outcomes(&mut assembler, &parts, now), ["waiting", "whole content"]);
    assert_eq!(outcomes(&mut assembler, &parts, now + Duration::from_secs(22)), ["waiting", "whole content"]);
    let other = Wire { fragment: BASE64_STANDARD.encode(b"other"), ..parts[1].clone() };
    let broken = [parts[1].clone(), other, parts[1].clone(), parts[0].clone()];
    assert_eq!(
        outcomes(&mut assembler, &broken, now + Duration::from_secs(23)),
        ["waiting", "late", "late", "waiting"]
    );
    assembler.expire(now + 2 * PATIENCE);
    assert_eq!((assembler.lost(), assembler.open()), (None, 0));
}

#[test]
fn what_is_no_part_is_refused_with_the_reason() {
    let good = cut("a", b"content", 9999).remove(0);
    let part = good.part();
    let long = "A".repeat(MAX_TOTAL * 2);
    let cases = [
        (Part { number: None, ..part }, "FRAG_NUM is None; 1 to 1048576 are allowed"),
        (Part { number: Some(0), ..part }, "FRAG_NUM is Some(0); 1 to 1048576 are allowed"),
        (Part { number: Some(u64::MAX), ..part }, "FRAG_NUM is Some(18446744073709551615); 1 to 1048576 are allowed"),
        (Part { total: None, ..part }, "TOT_SIZE is None; 1 to 1048576 are allowed"),
        (Part { total: Some(0), ..part }, "TOT_SIZE is Some(0); 1 to 1048576 are allowed"),
        (Part { total: Some(1_048_577), ..part }, "TOT_SIZE is Some(1048577); 1 to 1048576 are allowed"),
        (Part { fragment: "", ..part }, "FRAGMENT is empty"),
        (Part { fragment: "*", ..part }, "FRAGMENT is no base64"),
        (Part { fragment: &long, ..part }, "FRAGMENT has 2097152 letters; an item has at most 1048576 bytes"),
        (Part { guid: "", total: Some(1000), ..part }, "GUID is missing"),
        (Part { guid: &long[..2049], ..part }, "GUID or MRN_SRC has 2049 bytes; 2048 are allowed"),
        (Part { source: &long[..2049], ..part }, "GUID or MRN_SRC has 2049 bytes; 2048 are allowed"),
    ];
    let (mut assembler, now) = (Assembler::default(), Instant::now());
    for (part, expected) in cases {
        let Outcome::Refused(refused) = assembler.add(&part, now) else { panic!("{expected}") };
        assert_eq!(refused.to_string(), expected);
    }
    assert_eq!(assembler.open(), 0);
    let unpadded = good.fragment.trim_end_matches('=');
    assert_eq!(assembler.add(&Part { fragment: unpadded, ..part }, now), Outcome::Whole(b"content"));
}

#[test]
fn items_too_large_for_the_limits_are_dropped() {
    let (mut assembler, now) = (Assembler::default(), Instant::now());
    let bomb = gzip(&vec![b' '; MAX_INFLATED + 1]);
    let wire = Wire::new("a", 1, Some(bomb.len()), &bomb);
    assert_eq!(assembler.add(&wire.part(), now), Outcome::Corrupt(Corrupt::Large));
    let more = [Wire::new("b", 1, Some(5), b"1234"), Wire::new("b", 2, None, b"56")];
    assert_eq!(outcomes(&mut assembler, &more, now), ["waiting", "lost its parts have 6 bytes, 5 were announced"]);
    let single = Wire::new("c", 1, Some(3), b"1234");
    assert_eq!(outcomes(&mut assembler, &[single], now), ["lost its parts have 4 bytes, 3 were announced"]);
}

#[test]
fn no_more_items_are_kept_than_allowed_and_the_oldest_makes_room() {
    let (mut assembler, now) = (Assembler::default(), Instant::now());
    for number in 0..MAX_OPEN + 5 {
        let wire = Wire::new(&number.to_string(), 1, Some(9), b"part");
        assert_eq!(assembler.add(&wire.part(), now), Outcome::Waiting);
        assert!(assembler.open() <= MAX_OPEN);
    }
    let lost: Vec<_> = std::iter::from_fn(|| assembler.lost()).map(|lost| (lost.guid, lost.why)).collect();
    assert_eq!(lost, ["0", "1", "2", "3", "4"].map(|guid| (guid.to_owned(), Loss::Evicted)));
}

#[test]
fn incomplete_items_never_hold_more_bytes_than_allowed() {
    let (mut assembler, now) = (Assembler::default(), Instant::now());
    let half = vec![0; MAX_TOTAL / 2];
    let mut lost = 0;
    for number in 0..200 {
        let wire = Wire::new(&number.to_string(), 2, None, &half);
        assembler.add(&wire.part(), now);
        assert!(assembler.held() <= MAX_HELD);
        lost += std::iter::from_fn(|| assembler.lost()).count();
    }
    assert_eq!(lost + assembler.open(), 200);
    assert!(lost > 0);
}

#[test]
fn parts_of_a_single_byte_count_with_what_they_cost() {
    let (mut assembler, now) = (Assembler::default(), Instant::now());
    for number in 0..10_000 {
        let wire = Wire::new("a", 2 + 2 * number, None, b"x");
        assembler.add(&wire.part(), now);
    }
    assert!(assembler.held() > 10_000 * 50, "{}", assembler.held());
}

#[test]
fn copy_of_an_item_that_was_corrupt_is_not_to_spare() {
    let (mut assembler, now) = (Assembler::default(), Instant::now());
    let parts = [Wire::new("a", 1, Some(8), b"no g"), Wire::new("a", 2, None, b"zip!")];
    assert_eq!(outcomes(&mut assembler, &parts, now), ["waiting", "corrupt is no gzip"]);
    assert_eq!(outcomes(&mut assembler, &parts[..1], now), ["waiting"]);
    assembler.expire(now + PATIENCE);
    assert!(assembler.lost().is_some(), "the second copy was the last hope");

    let whole = cut("b", b"content", 20);
    assert_eq!(outcomes(&mut assembler, &whole, now).last().unwrap(), "whole content");
    let parts = [Wire::new("b", 1, Some(8), b"no g"), Wire::new("b", 2, None, b"zip!")];
    assert_eq!(outcomes(&mut assembler, &parts, now), ["waiting", "late"], "nothing is lost with it");
}
