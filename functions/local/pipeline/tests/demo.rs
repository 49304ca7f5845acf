//! The program, as somebody runs it who has just built it.

use std::{
    io::{BufRead, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::{
        prctl::set_child_subreaper,
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use tempfile::TempDir;

/// How long something that must happen may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);

fn newsloom_local() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_newsloom-local"));
    command.env_remove("RUST_LOG").env_remove("NO_COLOR").stdin(Stdio::null());
    command.current_dir(root());
    command
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// A demo that runs.
struct Demo {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    fn start(folder: &TempDir, arguments: &[&str]) -> Self {
        let mut command = newsloom_local();
        command.args(["demo", "--broker", "installed", "--folder"]).arg(folder.path()).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line that has all this in it.
    fn line_with(&mut self, words: &[&str]) -> String {
        let mut seen = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
            seen.push(line);
        }
        panic!("no line with {words:?} in\n{}", seen.join("\n"));
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }
}

fn send(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = newsloom_local();
    command.args(["send", "--folder"]).arg(folder.path()).args(arguments).output().unwrap()
}

/// Waits until this process has no children, those of its children that are gone included.
fn has_no_children() -> bool {
    let started = Instant::now();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(_) => return true,
            Ok(WaitStatus::StillAlive) if started.elapsed() > PATIENCE => return false,
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(20)),
            Ok(_) => {}
        }
    }
}

/// The only test of this process: those of another one would be taken for children that were left.
#[test]
fn demo_prints_enriched_headlines_takes_items_and_leaves_nothing_behind() {
    set_child_subreaper(true).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(&folder, &[]);
    for part in ["stack", "aws", "feed", "broker", "made", "functions", "triggers", "ingester"] {
        demo.line_with(&[&format!("  {part} ")]);
    }
    // Judged by the lexicon, and in a language that no model judges.
    demo.line_with(&[" en ", " neutral "]);
    demo.line_with(&["(no_route)"]);

    let sent = send(&folder, &["Example plc shares surge to a record after profit beats estimates", "--json"]);
    let text = String::from_utf8_lossy(&sent.stdout);
    assert!(sent.status.success(), "{text}{}", String::from_utf8_lossy(&sent.stderr));
    let followed: serde_json::Value = serde_json::from_str(&text).unwrap();
    let steps: Vec<_> =
        followed["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(steps, ["feed", "stream", "table", "exchange"]);
    assert_eq!(followed["item"]["sentiment"]["label"], "positive", "{followed}");
    assert_eq!(followed["routing_key"], "en.positive.sim");
    assert!(followed["judge"].as_str().unwrap().contains("no FinBERT"), "{followed}");
    demo.line_with(&["Example plc shares surge to a record"]);

    let twice = newsloom_local().args(["demo", "--broker", "installed", "--folder"]).arg(folder.path()).output();
    let twice = twice.unwrap();
    assert_eq!(twice.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("another pipeline runs"), "{twice:?}");

    demo.signal(Signal::SIGINT);
    let books = demo.line_with(&["sent ", "stored "]);
    assert!(books.contains("balance 0"), "{books}");
    assert!(demo.child.wait().unwrap().success());
    assert!(has_no_children(), "processes are left");
    assert!(!folder.path().join("demo.sock").exists());
    for log in ["ingester.log", "enrich.log", "publish.log", "triggers.log", "consume.log"] {
        assert!(folder.path().join(log).exists(), "{log} is missing");
    }
}
