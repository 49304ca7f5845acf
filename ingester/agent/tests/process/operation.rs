//! How it tells how it is: health, metrics, systemd, CloudWatch. And that no secret is in any of it.

use crate::support::{Desk, GROUP, Process, until};
use nix::sys::signal::Signal;
use simulator::{Options, Pace};
use std::{os::unix::net::UnixDatagram, time::Duration};

#[tokio::test]
async fn health_metrics_and_cloudwatch_tell_of_every_item_and_of_no_secret() {
    let desk = Desk::new(Options { pace: Pace::Max, count: Some(300), ..Options::default() }).await;
    let process = desk.start(1);
    process.listens().await;
    let delivered = || desk.feed.look(|journal| journal.delivered_ids().len());
    desk.feed.until(|journal| journal.counts.released == 300).await.unwrap();
    until("all are accepted", || process.metric("newsloom_ingester_accepted_total") == delivered()).await;
    let (code, health) = process.get("/healthz");
    let told: serde_json::Value = serde_json::from_str(&health).unwrap();
    assert_eq!((code, &told["status"], &told["feeds"][0]["connected"]), (200, &"ok".into(), &1.into()), "{health}");
    let (_, metrics) = process.get("/metrics");
    process.signal(Signal::SIGTERM);
    let (status, _, log) = process.ended().await;
    assert!(status.success(), "{log}");

    let cloudwatch = desk.aws.logs().lines(GROUP).join("\n");
    assert!(!cloudwatch.contains("Heartbeat"), "it lived less than a minute: {cloudwatch}");
    for expected in [r#""Received":"#, r#""Pipeline":"test""#, r#""message":"Started.""#, "Stopped."] {
        assert!(cloudwatch.contains(expected), "{expected} in {cloudwatch}");
    }
    let accounts = &desk.feed.options().accounts;
    let secrets = [accounts.client_secret.as_str(), accounts.password.as_str(), "Bearer "];
    for text in [&health, &metrics, &log, &cloudwatch] {
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{text}");
    }
}

#[tokio::test]
async fn systemd_hears_that_it_is_ready_that_it_lives_and_that_it_ends() {
    let desk = Desk::new(Options::manual()).await;
    let path = desk.folder.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_nonblocking(true).unwrap();
    let mut command = desk.command();
    command.arg("--config").arg(desk.configure(1)).args(["--listen", "none"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let process = Process::start(command, &desk.folder);
    let mut heard = String::new();
    let mut was_told = |word: &str| {
        let mut buffer = [0; 4096];
        while let Ok(length) = systemd.recv(&mut buffer) {
            heard += &String::from_utf8_lossy(&buffer[..length]);
            heard.push('\n');
        }
        heard.contains(word)
    };
    until("it is ready", || was_told("READY=1")).await;
    until("it lives", || was_told("WATCHDOG=1")).await;
    until("it says how it is", || was_told("STATUS=")).await;
    process.signal(Signal::SIGTERM);
    let (status, took, log) = process.ended().await;
    assert!(status.success() && took < Duration::from_secs(10), "{log}");
    until("it ends", || was_told("STOPPING=1")).await;
}

#[tokio::test]
async fn service_whose_recording_has_ended_waits_to_be_stopped() {
    let desk = Desk::new(Options::manual()).await;
    let recording = desk.folder.path().join("items.jsonl");
    std::fs::write(&recording, "{\"headline\":\"Example plc opens a plant\"}\n").unwrap();
    let mut command = desk.command();
    command.arg("--replay").arg(&recording).args(["--to", "stdout"]);
    command.env("NOTIFY_SOCKET", desk.folder.path().join("notify"));
    let process = Process::start(command, &desk.folder);
    until("the recording has ended", || process.log().contains("Every feed has come to its end")).await;
    process.signal(Signal::SIGTERM);
    let (status, _, log) = process.ended().await;
    assert!(status.success() && log.contains("Stopping"), "{log}");
}

#[tokio::test]
async fn wrong_login_is_told_and_not_tried_in_a_hot_loop() {
    let desk = Desk::new(Options::manual()).await;
    let wrong = serde_json::json!({ "client_id": "GE-1", "client_secret": "a-wrong-secret" });
    desk.aws.secrets().put("feeds/lseg", &wrong);
    let process = desk.start(1);
    process.listens().await;
    until("it says so", || process.get("/healthz").1.contains("trouble")).await;
    let (code, health) = process.get("/healthz");
    assert_eq!(code, 503, "{health}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(desk.feed.journal().exchanges.len() <= 2, "{:?}", desk.feed.journal().exchanges);
    assert!(!health.contains("a-wrong-secret") && !process.log().contains("a-wrong-secret"));
}
