//! What the fuzz targets do: one function for each. The tests of `lseg` run them as well.

use jiff::Timestamp;
use lseg::{
    Identity, Options, Output, Ric, Session, analytics,
    envelope::{Assembler, MAX_HELD, MAX_INFLATED, MAX_OPEN, Outcome, Part},
    story as stories,
};
use std::time::{Duration, Instant};

const TOKEN: &str = "HEADER.PAYLOAD.SIGNATURE";

/// Frames, one a line, of a server to a session that has logged in; ten seconds pass after each.
///
/// # Panics
///
/// Something follows an end, a log would show the token, or too much is kept.
pub fn frame(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (mut now, mut out) = (Instant::now(), Vec::new());
    let mut session = Session::with_seed(options(), 1, now, &mut out);
    session.receive(LOGGED_IN, now, Timestamp::UNIX_EPOCH, &mut out);
    for frame in text.lines() {
        session.receive(frame, now, Timestamp::UNIX_EPOCH, &mut out);
        now += Duration::from_secs(10);
        session.tick(now, &mut out);
        assert!(session.assembler().held() <= MAX_HELD && session.assembler().open() <= MAX_OPEN);
    }
    let end = out.iter().position(|output| matches!(output, Output::End(_)));
    assert!(end.is_none_or(|end| end + 1 == out.len()), "something follows the end: {out:?}");
    assert!(!format!("{out:?}").contains(TOKEN), "the token is shown");
}

/// Parts of items: each of a byte for the name, one for the number, two for the size, one for the length, and as many
/// bytes of base64.
///
/// # Panics
///
/// Too much is kept, or an item is larger than allowed.
pub fn fragment(mut data: &[u8]) {
    let (mut now, mut assembler) = (Instant::now(), Assembler::default());
    while let Some(([name, number, high, low, length], rest)) = data.split_first_chunk::<5>() {
        let (fragment, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        data = rest;
        let Ok(fragment) = std::str::from_utf8(fragment) else { continue };
        let part = Part {
            ric: if name & 1 == 0 { Ric::Story } else { Ric::Scores },
            source: if name & 2 == 0 { "HDC_PRD_A" } else { "HDC_PRD_B" },
            guid: if name & 4 == 0 { "a" } else { "b" },
            number: Some(u64::from(*number)),
            total: Some(u64::from(u16::from_be_bytes([*high, *low]))).filter(|total| *total > 0),
            fragment,
        };
        if let Outcome::Whole(item) = assembler.add(&part, now) {
            assert!(item.len() <= MAX_INFLATED);
        }
        now += Duration::from_secs(u64::from(name >> 3));
        assembler.expire(now);
        while assembler.lost().is_some() {}
        assert!(assembler.held() <= MAX_HELD && assembler.open() <= MAX_OPEN);
    }
}

/// A story, or scores.
///
/// # Panics
///
/// An item was made that no reader of the stream would take, or scores that are no line.
pub fn story(data: &[u8]) {
    if let Ok(item) = stories::read(data, "wire", Timestamp::UNIX_EPOCH) {
        let read = news::NewsItem::from_record(&item.to_record());
        assert_eq!(read.as_ref(), Ok(&item));
    }
    let _ = analytics::read(data, "wire", Timestamp::UNIX_EPOCH);
}

const LOGGED_IN: &str = r#"[{"ID":1,"Type":"Refresh","Domain":"Login","State":{"Stream":"Open","Data":"Ok"}}]"#;

fn options() -> Options {
    Options {
        identity: Identity::Token(TOKEN.into()),
        application_id: "256".into(),
        position: "10.0.0.5".into(),
        service: None,
        rics: vec![Ric::Story],
        source: "wire".into(),
    }
}
