//! Mistakes that a user of the library makes, and what each is answered with, before terraform runs.
//!
//! A case is a stack with one mistake in it, and the words its answer must have: the path, the value, what is
//! allowed. An area's answers are one page, `snapshots/mistakes_<area>.snap`, to be read like a reader who is
//! in trouble. What is right and looks wrong is in [`valid`], and has no answer at all.

mod data;
mod functions;
mod network;
mod policies;
mod tree;
mod valid;
mod watch;

use std::{fs, path::Path};

use constructs::{
    testing::{problems, snapshot},
    tree::{Properties, Stack, Value},
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What was done, how, and what the answer has to say.
type Case = (&'static str, fn(&mut Stack), &'static [&'static str]);

/// Every case must be refused in the words it gives; the answers of all become a page.
fn check(area: &str, cases: &[Case]) {
    let mut page = String::new();
    for (mistake, build, words) in cases {
        add(&mut page, mistake, &problems(build), words);
    }
    snapshot(&format!("mistakes_{area}"), &page);
}

fn add(page: &mut String, mistake: &str, answer: &str, words: &[&str]) {
    assert!(!answer.is_empty(), "nobody sees: {mistake}");
    for word in words {
        assert!(answer.contains(word), "{mistake}: `{word}` is not in\n{answer}");
    }
    page.extend(["# ", mistake, "\n", answer, "\n"]);
}

#[test]
fn the_page_of_mistakes_quotes_what_is_answered() {
    let file = |path: &str| fs::read_to_string(Path::new(ROOT).join(path)).expect(path);
    let pages = fs::read_dir(Path::new(ROOT).join("snapshots")).expect("the snapshots' folder");
    let names = pages.map(|page| page.expect("a snapshot").file_name().to_string_lossy().into_owned());
    let answers: String =
        names.filter(|name| name.starts_with("mistakes_")).map(|name| file(&format!("snapshots/{name}"))).collect();
    for row in file("docs/mistakes.md").lines().filter(|row| row.contains("| synth | `` ")) {
        let quoted = row.split("| synth | `` ").nth(1).and_then(|rest| rest.strip_suffix(" `` |")).expect(row);
        let quoted = quoted.trim_end_matches('…').trim_end().replace("\\|", "|");
        assert!(answers.contains(&quoted), "nobody says: {quoted}");
    }
}

fn map<const N: usize>(fields: [(&'static str, Value); N]) -> Value {
    Value::Map(fields.into_iter().collect::<Properties>())
}
