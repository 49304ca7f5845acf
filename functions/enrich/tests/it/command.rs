//! `enrich --file`, the real binary, with SageMaker on this machine.

use crate::items::{item, item_in};
use local::aws::{Aws, sagemaker::Answer};
use news::{EnrichedItem, NewsItem};
use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

struct Desk {
    aws: Aws,
    folder: TempDir,
}

impl Desk {
    async fn new() -> Self {
        Self { aws: Aws::start().await.unwrap(), folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, lines: &[Vec<u8>]) {
        std::fs::write(self.path("items.jsonl"), lines.join(&b'\n')).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enrich"));
        command.env_clear().envs(self.aws.environment()).current_dir(self.folder.path());
        command.args(["--file", "items.jsonl", "--endpoint", "finbert"]).stdin(Stdio::null());
        command
    }

    async fn until_asked(&self, calls: usize) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.aws.sagemaker().count() < calls {
            assert!(Instant::now() < deadline, "{} calls", self.aws.sagemaker().count());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn out(&self, name: &str) -> Vec<EnrichedItem> {
        read(&std::fs::read(self.path(name)).unwrap())
    }
}

fn read(lines: &[u8]) -> Vec<EnrichedItem> {
    lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn ids(items: &[EnrichedItem]) -> Vec<&str> {
    items.iter().map(|item| item.item.id.as_str()).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn lines_become_enriched_lines_in_their_order() {
    let desk = Desk::new().await;
    let story = |id: &str| NewsItem { thread: "t".into(), ..item(id, "Oil falls") };
    let lines: Vec<_> =
        [story("a"), item_in("de", "b", "Gewinn steigt"), story("c")].iter().map(NewsItem::to_record).collect();
    desk.write(&lines);
    let output = desk.command().args(["--model", "ProsusAI/finbert"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let items = read(&output.stdout);
    assert_eq!(ids(&items), ["a", "b", "c"]);
    let news::Sentiment::Judged(judgement) = &items[0].sentiment else { panic!("{items:?}") };
    assert_eq!((judgement.label.name(), judgement.model.as_str()), ("negative", "ProsusAI/finbert"));
    assert!(
        said(&output).contains("3 lines in ") && said(&output).contains("3 enriched, 0 repeats, 0 refused"),
        "{}",
        said(&output)
    );
}

#[tokio::test]
async fn refused_lines_are_named_and_the_others_are_written() {
    let desk = Desk::new().await;
    desk.write(&[item("a", "Oil falls").to_record(), b"no item".to_vec(), vec![], item("b", "Gold gains").to_record()]);
    let output = desk.command().args(["--out", "enriched.jsonl"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("line 2: malformed: is no news item: expected"), "{}", said(&output));
    assert_eq!(ids(&desk.out("enriched.jsonl")), ["a", "b"]);

    let output = desk.command().args(["--out", "enriched.jsonl", "--refused", "refused.jsonl"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let refused = std::fs::read_to_string(desk.path("refused.jsonl")).unwrap();
    let refused: enrich::quarantine::Quarantined = serde_json::from_str(refused.trim()).unwrap();
    assert_eq!(refused.position.sequence_number.as_deref(), Some("2"));
}

#[tokio::test]
async fn more_lines_than_a_batch_are_done_in_turn() {
    let desk = Desk::new().await;
    let items: Vec<_> = (0..250).map(|number| item(&format!("{number:03}"), &format!("Oil falls {number}"))).collect();
    desk.write(&items.iter().map(NewsItem::to_record).collect::<Vec<_>>());
    let output = desk.command().output().unwrap();
    let written = read(&output.stdout);
    assert_eq!(ids(&written), items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>());
    assert_eq!(desk.aws.sagemaker().judged(), 250);
}

#[tokio::test]
async fn endpoint_that_stays_away_ends_the_pass_at_a_line_to_begin_again_at() {
    let desk = Desk::new().await;
    desk.aws.sagemaker().only(["another"]);
    let lines: Vec<_> =
        ["", "Oil falls"].iter().zip(["a", "b"]).map(|(headline, id)| item(id, headline).to_record()).collect();
    desk.write(&lines);
    let output = desk.command().args(["--patience", "2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(ids(&read(&output.stdout)), ["a"]);
    assert!(said(&output).contains("gave up at line 2"), "{}", said(&output));
}

#[tokio::test]
async fn interrupt_ends_it_cleanly_with_what_was_done() {
    let desk = Desk::new().await;
    let items: Vec<_> = (0..150).map(|number| item(&format!("{number:03}"), &format!("Oil falls {number}"))).collect();
    desk.write(&items.iter().map(NewsItem::to_record).collect::<Vec<_>>());
    // The first batch takes seven requests; while they are being answered, those after them are told to hang.
    desk.aws.sagemaker().latency(Duration::from_millis(300), Duration::ZERO);
    let child = desk.command().args(["--out", "enriched.jsonl"]).stderr(Stdio::piped()).spawn().unwrap();
    desk.until_asked(7).await;
    desk.aws.sagemaker().answers("finbert", vec![Answer::Hang; 20]);
    desk.until_asked(8).await;
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(said(&output).contains("interrupted after line 100"), "{}", said(&output));
    assert_eq!(desk.out("enriched.jsonl").len(), 100);
}

#[tokio::test]
async fn without_a_route_it_says_what_is_missing() {
    let desk = Desk::new().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_enrich"));
    let output = command.env_clear().args(["--file", "-"]).current_dir(desk.folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("missing environment variables: ROUTES"), "{}", said(&output));
}
