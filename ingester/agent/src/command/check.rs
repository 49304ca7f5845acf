//! `ingester check`: every step once, and what came of it.

use super::{
    logs,
    options::Check,
    parts::{Parts, Scores},
    plan::{Plan, Target},
    usage,
};
use crate::{
    outbox::Outboxes,
    status::{FeedStatus, Status},
};
use aws_sdk_kinesis::error::DisplayErrorContext;
use news::feeds::{Feed, Filter};
use serde_json::json;
use std::{io::IsTerminal, process::ExitCode, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long a feed has to deliver, or to say why it doesn't.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether it does.
const LOOK: Duration = Duration::from_millis(20);

/// Does it; the exit code.
pub(super) async fn run(check: &Check) -> ExitCode {
    let plan = match Plan::of(&check.told, |name| std::env::var(name).ok()) {
        Ok(plan) => plan,
        Err(error) => return usage(&error),
    };
    logs::init_for_checks(&check.told);
    let mut report = Report { json: check.json, colour: std::io::stdout().is_terminal() && !check.json, failed: 0 };
    match Parts::of(&plan).await {
        Ok(parts) => {
            for feed in &plan.feeds {
                try_feed(&plan, &parts, feed, &mut report).await;
            }
            try_sink(&plan, &parts, &mut report).await;
        }
        Err(error) => report.tell("ingester", "start", &Err(format!("{error:#}"))),
    }
    if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints steps, and counts those that failed.
struct Report {
    json: bool,
    colour: bool,
    failed: usize,
}

impl Report {
    fn tell(&mut self, subject: &str, step: &str, outcome: &Result<String, String>) {
        self.failed += usize::from(outcome.is_err());
        let (ok, text) = match outcome {
            Ok(text) => (true, text),
            Err(text) => (false, text),
        };
        if self.json {
            println!("{}", json!({ "subject": subject, "step": step, "ok": ok, "text": text }));
            return;
        }
        let word = match (ok, self.colour) {
            (true, true) => "\u{1b}[32mok    \u{1b}[0m",
            (false, true) => "\u{1b}[31mFAILED\u{1b}[0m",
            (true, false) => "ok    ",
            (false, false) => "FAILED",
        };
        println!("{word}  {subject:16} {step:10} {text}");
    }
}

async fn try_feed(plan: &Plan, parts: &Parts, feed: &Feed, report: &mut Report) {
    let name = feed.name();
    if feed.needs_credentials() && !try_login(parts, feed, report).await {
        return;
    }
    let tell = |step: crate::sources::lseg::Step, outcome| report.tell(name, &step.to_string(), &outcome);
    match feed {
        Feed::Lseg(settings) => match parts.cloud(feed, settings) {
            Ok(cloud) => cloud.check(tell).await,
            Err(error) => report.tell(name, "start", &Err(error.to_string())),
        },
        Feed::LsegDeployed(settings) => match parts.deployed(settings) {
            Ok(deployed) => deployed.check(tell).await,
            Err(error) => report.tell(name, "start", &Err(error.to_string())),
        },
        Feed::Alpaca(_) | Feed::Rss(_) | Feed::Replay(_) => {
            let outcome = until_it_delivers(plan, parts, feed).await;
            report.tell(name, "news", &outcome);
        }
    }
}

/// Whether the login can be read; what it is worth, the next step tells.
async fn try_login(parts: &Parts, feed: &Feed, report: &mut Report) -> bool {
    let read = match parts.login(feed) {
        Ok(place) => match place.read::<serde_json::Map<String, serde_json::Value>>().await {
            Ok(_) => Ok(place.to_string()),
            Err(error) => Err(error.to_string()),
        },
        Err(error) => Err(error.to_string()),
    };
    report.tell(feed.name(), "secret", &read);
    read.is_ok()
}

/// Runs a feed, its items going nowhere, until it delivers or says why it doesn't.
async fn until_it_delivers(plan: &Plan, parts: &Parts, feed: &Feed) -> Result<String, String> {
    let mut status = Status::new();
    let told = status.feed(feed.name());
    let (outboxes, mut nowhere) = Outboxes::new(Filter::default(), 16 << 20);
    let stop = CancellationToken::new();
    let scores = Scores::to(plan, None);
    let running = parts.run(feed, outboxes.of(Arc::clone(&told)), stop.clone(), &scores);
    let running = running.map_err(|error| format!("{error:#}"))?;
    tokio::select! {
        ended = running => match ended {
            Ok(()) => Ok(delivered(&told)),
            Err(error) => Err(format!("{error:#}")),
        },
        () = async { while nowhere.recv().await.is_some() {} } => Ok(delivered(&told)),
        outcome = deliverance(&told) => outcome,
    }
}

async fn deliverance(feed: &FeedStatus) -> Result<String, String> {
    let waiting = async {
        loop {
            if let Some(trouble) = feed.current_trouble() {
                return Err(trouble);
            }
            if feed.connected.get() > 0 {
                return Ok(delivered(feed));
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let silent = |_| Err(format!("nothing came within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(silent)
}

fn delivered(feed: &FeedStatus) -> String {
    format!("it delivers; {} items so far", feed.items.get())
}

async fn try_sink(plan: &Plan, parts: &Parts, report: &mut Report) {
    let Target::Kinesis(stream) = &plan.to else { return };
    let outcome = describe(parts, stream).await;
    report.tell("kinesis", "stream", &outcome);
    let spool = match std::fs::metadata(&plan.spool) {
        Ok(folder) if folder.is_dir() => Ok(format!("{}, up to {} MiB", plan.spool.display(), plan.spool_mib)),
        Ok(_) => Err(format!("{} is no folder", plan.spool.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(format!("{}, which is made at the start", plan.spool.display()))
        }
        Err(error) => Err(format!("{}: {error}", plan.spool.display())),
    };
    report.tell("kinesis", "spool", &spool);
}

async fn describe(parts: &Parts, stream: &str) -> Result<String, String> {
    let client = aws_sdk_kinesis::Client::new(parts.aws().map_err(|error| error.to_string())?);
    let asked = client.describe_stream_summary();
    let asked = if stream.starts_with("arn:") { asked.stream_arn(stream) } else { asked.stream_name(stream) };
    let answer = asked.send().await.map_err(|error| format!("{stream}: {}", DisplayErrorContext(error)))?;
    let summary = answer.stream_description_summary;
    match summary {
        Some(summary) if summary.stream_status.as_str() == "ACTIVE" || summary.stream_status.as_str() == "UPDATING" => {
            Ok(format!("{stream} is {}, {} shards", summary.stream_status, summary.open_shard_count))
        }
        Some(summary) => Err(format!("{stream} is {}; it must be ACTIVE", summary.stream_status)),
        None => Err(format!("{stream}: Kinesis says nothing of it")),
    }
}
