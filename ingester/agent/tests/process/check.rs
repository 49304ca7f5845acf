//! `ingester check`, and what is said of a configuration that is wrong.

use crate::support::Desk;
use serde_json::{Value, json};
use simulator::Options;
use std::{fs, process::Output};

async fn check(desk: &Desk) -> Output {
    let mut command = desk.command();
    command.arg("check").arg("--config").arg(desk.folder.path().join("ingester.json")).arg("--json");
    // The stand-ins answer from threads of their own.
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn steps(output: &Output) -> Vec<(String, bool)> {
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    let read = |line: &str| {
        let step: Value = serde_json::from_str(line).unwrap();
        (format!("{} {}", step["subject"].as_str().unwrap(), step["step"].as_str().unwrap()), step["ok"] == true)
    };
    lines.lines().map(read).collect()
}

fn all_well(steps: &[&str]) -> Vec<(String, bool)> {
    steps.iter().map(|step| ((*step).to_owned(), true)).collect()
}

const STEPS: [&str; 7] =
    ["lseg secret", "lseg token", "lseg endpoints", "lseg login", "lseg news", "kinesis stream", "kinesis spool"];

#[tokio::test]
async fn every_step_that_works_is_told() {
    let desk = Desk::new(Options::manual()).await;
    desk.configure(1);
    let output = check(&desk).await;
    assert_eq!(steps(&output), all_well(&STEPS), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(desk.records(), 0, "it puts nothing");
}

#[tokio::test]
async fn step_that_fails_is_told_with_the_reason_and_the_others_are_tried() {
    let desk = Desk::new(Options::manual()).await;
    desk.aws.secrets().put("feeds/lseg", &json!({ "client_id": "GE-1", "client_secret": "a-wrong-secret" }));
    let config = fs::read_to_string(desk.configure(1)).unwrap().replace("\"stream\":\"news\"", "\"stream\":\"other\"");
    fs::write(desk.folder.path().join("ingester.json"), config).unwrap();
    let output = check(&desk).await;
    let expected = [("lseg secret", true), ("lseg token", false), ("kinesis stream", false), ("kinesis spool", true)];
    let expected: Vec<_> = expected.into_iter().map(|(step, ok)| (step.to_owned(), ok)).collect();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(steps(&output), expected, "{text}");
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("ResourceNotFoundException") && !text.contains("a-wrong-secret"), "{text}");
}

#[tokio::test]
async fn wrong_command_line_is_answered_with_what_is_allowed() {
    let desk = Desk::new(Options::manual()).await;
    for (arguments, expected) in [
        (vec![], "no feed: give a --config with feeds, or --rss"),
        (vec!["--rss", "news.example"], "feed rss: \"news.example\" is no address"),
        (vec!["--rss", "https://a.example/", "--listen", "0.0.0.0:80"], "only this machine's own address"),
        (vec!["--config", "no/such.json"], "could not read no/such.json"),
    ] {
        let mut command = desk.command();
        let output = command.args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && text.contains(expected), "{text}");
    }
}
