//! How long an update takes from frame to news item, on one core, by stage.
//!
//! `cargo run --release -p newsloom-lseg --example throughput`; updates are made up, in the sizes of the feed: about
//! 4 KB of JSON, 2 KB compressed.

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use lseg::{
    Identity, Options, Output, Ric, Session,
    envelope::{Assembler, Outcome, Part},
    message, story,
};
use serde_json::json;
use std::{
    hint::black_box,
    io::Write,
    time::{Duration, Instant},
};

const UPDATES: u32 = 2000;
const ROUNDS: usize = 10;

fn main() {
    let updates: Vec<Update> = (0..UPDATES).map(Update::new).collect();
    let average = |of: fn(&Update) -> usize| updates.iter().map(of).sum::<usize>() / updates.len();
    println!(
        "{UPDATES} updates: story {} bytes, compressed {} bytes, frame {} bytes",
        average(|update| update.json.len()),
        average(|update| update.compressed),
        average(|update| update.frame.len())
    );
    let now = Instant::now();
    report("frame to news item", &updates, &mut session(&updates, now));
    report("  frame to message", &updates, |update| drop(black_box(message::read(&update.frame))));
    let mut assembler = Assembler::default();
    report("  part to JSON", &updates, |update| {
        let part = Part {
            ric: Ric::Story,
            source: "HDC_PRD_A",
            guid: &update.guid,
            number: Some(1),
            total: Some(update.compressed as u64),
            fragment: &update.fragment,
        };
        assert!(matches!(black_box(assembler.add(&part, now)), Outcome::Whole(_)));
    });
    report("  JSON to news item", &updates, |update| {
        drop(black_box(story::read(update.json.as_bytes(), "wire", Timestamp::UNIX_EPOCH)));
    });
    println!("kept between updates: {} items, {} bytes", assembler.open(), assembler.held());
}

/// The best of some rounds: what others do on this machine only makes it slower.
fn report(stage: &str, updates: &[Update], mut work: impl FnMut(&Update)) {
    let round = |_| {
        let begin = Instant::now();
        updates.iter().for_each(&mut work);
        begin.elapsed()
    };
    let best: Duration = (0..ROUNDS).map(round).min().unwrap_or_default();
    println!("{stage:<24}{:>8.2} µs", (best / UPDATES).as_secs_f64() * 1e6);
}

/// A session that stands, and what it does with an update.
fn session(updates: &[Update], now: Instant) -> impl FnMut(&Update) {
    let mut out = Vec::new();
    let mut session = Session::new(options(), now, &mut out);
    let good = json!({"Stream": "Open", "Data": "Ok"});
    for id in [1, 2] {
        let answer = json!([{"ID": id, "Type": "Refresh", "State": good}]).to_string();
        session.receive(&answer, now, Timestamp::UNIX_EPOCH, &mut out);
    }
    assert!(matches!(out.last(), Some(Output::Up)) && !updates.is_empty());
    move |update| {
        out.clear();
        session.receive(&update.frame, now, Timestamp::UNIX_EPOCH, &mut out);
        assert!(matches!(out[..], [Output::Fragment, Output::Item(_)]));
    }
}

struct Update {
    guid: String,
    json: String,
    compressed: usize,
    fragment: String,
    frame: String,
}

impl Update {
    fn new(number: u32) -> Self {
        let guid = format!("ABC{number:06}_2601022{:037}", u64::from(number) * 7919);
        let json = story_of(&guid, number).to_string();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(json.as_bytes()).expect("memory takes it");
        let gzip = encoder.finish().expect("memory takes it");
        let fragment = BASE64_STANDARD.encode(&gzip);
        let frame = json!([{
            "ID": 2, "Type": "Update", "Domain": "NewsTextAnalytics", "UpdateType": "Unspecified", "DoNotCache": true,
            "DoNotConflate": true, "DoNotRipple": true, "Key": {"Service": "ELEKTRON_DD", "Name": "MRN_STORY"},
            "PermData": "AwhCEw==", "SeqNumber": 16 * number, "Fields": {
                "TIMACT_MS": 29_420_702, "ACTIV_DATE": "2026-01-02", "MRN_TYPE": "STORY", "MRN_V_MAJ": "2",
                "MRN_V_MIN": "10", "TOT_SIZE": gzip.len(), "FRAG_NUM": 1, "GUID": &guid, "MRN_SRC": "HDC_PRD_A",
                "FRAGMENT": &fragment,
            },
        }]);
        Self { guid, json, compressed: gzip.len(), fragment, frame: frame.to_string() }
    }
}

/// A story of words that nobody wrote.
fn story_of(id: &str, number: u32) -> serde_json::Value {
    let mut random = fastrand::Rng::with_seed(number.into());
    let mut word =
        || -> String { (0..random.usize(2..9)).map(|_| b"etaoinshrdlu"[random.usize(..12)] as char).collect() };
    let mut text = |words: usize, line: usize| -> String {
        (1..=words).map(|count| word() + if count % line == 0 { "\n" } else { " " }).collect()
    };
    json!({
        "id": id, "altId": &id[..9], "headline": text(10, 99), "language": "en", "body": text(480, 12),
        "firstCreated": "2026-01-02T03:04:05.678Z", "versionCreated": "2026-01-02T03:04:05.678Z", "urgency": 3,
        "messageType": 2, "takeSequence": 1, "pubStatus": "stat:usable", "mimeType": "text/plain", "provider": "NS:WIRE",
        "audiences": ["NP:A", "NP:B", "NP:C"], "instancesOf": ["NI:1"],
        "subjects": (0..30).map(|index| format!("N2:{index}")).collect::<Vec<_>>(),
    })
}

fn options() -> Options {
    Options {
        identity: Identity::User("user".into()),
        application_id: "256".into(),
        position: "10.0.0.5".into(),
        service: None,
        rics: vec![Ric::Story],
        source: "wire".into(),
    }
}
