//! What nobody should send: the fuzz targets over their seeds, changed at random but always the same.

#[path = "../../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is a library of its own for the fuzzer")]
mod targets;

use proptest::prelude::*;
use std::path::Path;

/// How many changes of each seed are tried.
const CHANGES: usize = 400;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 3, "seeds are missing");
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn run(target: &str, entry: fn(&[u8])) {
    let seeds = seeds(target);
    let mut random = fastrand::Rng::with_seed(42);
    for seed in &seeds {
        entry(seed);
        for _ in 0..CHANGES {
            let mut data = seed.clone();
            for _ in 0..random.usize(1..5) {
                change(&mut data, &seeds, &mut random);
            }
            entry(&data);
        }
    }
}

/// One step away: a bit, a byte, a digit, a piece taken out, doubled, or from another seed.
fn change(data: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut fastrand::Rng) {
    if data.is_empty() {
        return data.push(random.u8(..));
    }
    let at = random.usize(..data.len());
    let end = random.usize(at..=data.len().min(at + 40));
    match random.u8(..7) {
        0 => data[at] ^= 1 << random.u8(..8),
        1 => data[at] = random.u8(..),
        2 => data[at] = random.digit(10) as u8,
        3 => data.truncate(at),
        4 => drop(data.drain(at..end)),
        5 => {
            let piece = data[at..end].to_vec();
            data.splice(at..at, piece);
        }
        _ => {
            let other = random.choice(seeds).unwrap();
            data.truncate(at);
            data.extend(&other[random.usize(..other.len())..]);
        }
    }
}

#[test]
fn no_frame_does_harm() {
    run("frame", targets::frame);
}

#[test]
fn no_fragment_does_harm() {
    run("fragment", targets::fragment);
}

#[test]
fn no_story_does_harm() {
    run("story", targets::story);
}

proptest! {
    #[test]
    fn no_text_does_harm(text in ".{0,200}") {
        targets::frame(text.as_bytes());
        targets::story(text.as_bytes());
    }

    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        targets::fragment(&bytes);
        targets::story(&bytes);
    }

    #[test]
    fn no_members_of_other_types_do_harm(
        member in "ID|Type|Domain|Key|State|Fields|Text|Elements|Debug",
        value in r#"null|true|-1|1\.5|99999999999999999999|"x"|\[\]|\[1,2\]|\{\}|\{"Stream":"Closed"\}|\{"FRAGMENT":1\}|\[\[\]\]"#,
        kind in "Refresh|Update|Status|Error|Ping|9",
    ) {
        targets::frame(format!(r#"[{{"Type":"{kind}","ID":2,"{member}":{value}}}]"#).as_bytes());
        targets::frame(format!(r#"[{{"ID":1,"{member}":{value},"Domain":"Login"}}]"#).as_bytes());
    }
}
