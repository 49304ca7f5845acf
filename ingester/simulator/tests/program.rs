//! The program, as a script uses it.

mod support;

use serde_json::Value;
use std::{process::Stdio, time::Duration};
use support::{Anything, connect, user};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_newsfeed-sim"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

#[tokio::test]
async fn script_starts_it_reads_where_it_is_and_waits_for_its_end() -> Anything {
    let mut child = program(&["--json", "--pace", "max", "--count", "50", "--exit"]).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let started: Value = serde_json::from_str(&lines.next_line().await?.unwrap())?;
    assert_eq!(started["event"], "started");
    assert!(started["api"].as_str().unwrap().starts_with("http://localhost:"));

    let mut client = connect(started["websockets"][1].as_str().unwrap(), Some("tr_json2")).await?;
    client.say(user()).await;
    client.message().await.unwrap();
    client.say(serde_json::json!({"ID": 2, "Domain": "NewsTextAnalytics", "Key": {"Name": "MRN_STORY"}})).await;
    let messages = client.until_the_end().await;
    assert!(messages.len() >= 51, "{}", messages.len());

    let ended: Value = serde_json::from_str(&lines.next_line().await?.unwrap())?;
    assert_eq!((&ended["event"], &ended["sent"], &ended["missed"]), (&"ended".into(), &50.into(), &0.into()));
    assert!(timeout(Duration::from_secs(10), child.wait()).await??.success());
    Ok(())
}

#[tokio::test]
async fn it_ends_well_when_it_is_told_to() -> Anything {
    let mut child = program(&[]).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while lines.next_line().await?.is_some_and(|line| !line.starts_with("Ctrl-C")) {}
    Command::new("kill").args(["-TERM", &child.id().unwrap().to_string()]).output().await?;
    let mut text = String::new();
    while let Some(line) = timeout(Duration::from_secs(10), lines.next_line()).await?? {
        text.push_str(&line);
    }
    assert!(child.wait().await?.success());
    assert!(text.contains("0 items released"), "{text}");
    Ok(())
}

#[tokio::test]
async fn mistakes_have_codes_of_their_own() -> Anything {
    let script = std::env::temp_dir().join(format!("newsfeed-sim-test-{}.toml", std::process::id()));
    std::fs::write(&script, "[[trouble]]\nat = 1\nkind = \"nonsense\"\n")?;
    let script = script.to_str().unwrap();
    let cases: [(&[&str], i32, &str); 5] = [
        (&["--pace", "fast"], 2, "recorded, x10, 500/s and max are allowed"),
        (&["--endpoints", "4"], 2, "1..=3"),
        (&["--exit"], 1, "--exit needs an end"),
        (&["--trouble", "/nowhere.toml"], 1, "could not read /nowhere.toml"),
        (&["--trouble", script], 1, "unknown variant `nonsense`"),
    ];
    for (arguments, code, says) in cases {
        let output = program(arguments).output().await?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(says), "{text}");
    }
    std::fs::remove_file(script)?;
    Ok(())
}
