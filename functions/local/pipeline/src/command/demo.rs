//! Everything at once, and what comes out, until Ctrl-C.

use std::{
    process::{ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Args;
use local::guardian::Guarded;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use super::{console::Console, control::Control, options::Start, signals::Signals};
use crate::{Pipeline, ledger::Ledger, pipeline::Options, subscriber::Subscriber, triggers::Trigger};

/// `newsloom-local demo`.
#[derive(Args, Debug)]
#[allow(rustdoc::invalid_html_tags, reason = "these comments are what --help shows")]
pub struct Demo {
    #[command(flatten)]
    start: Start,

    /// End after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,

    /// Patterns of routing keys to print, <language>.<sentiment>.<provider>; all by default
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
}

/// How often the status line is written anew; without a terminal it is a line of its own, less often.
const ON_TERMINAL: Duration = Duration::from_millis(500);
const IN_LOG: Duration = Duration::from_secs(10);

/// How long what is on its way may take at the end.
const LAST_ITEMS: Duration = Duration::from_secs(10);

impl Demo {
    pub(crate) async fn run(self) -> ExitCode {
        let mut console = Console::new();
        let options = match self.start.options() {
            Ok(options) => options,
            Err(problems) => {
                eprintln!("{problems}");
                return ExitCode::from(2);
            }
        };
        match Box::pin(self.show(options, &mut console)).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                console.status("");
                eprintln!("newsloom-local: {error:#}");
                ExitCode::FAILURE
            }
        }
    }

    async fn show(&self, options: Options, console: &mut Console) -> anyhow::Result<()> {
        let mut signals = Signals::new()?;
        let folder = options.folder.clone();
        let consume = options.programs.path("consume");
        console.line(&format!("{}; logs are in {}", options.settings.name, self.start.folder.display()));
        let starting = Pipeline::start(options, |part| {
            console.line(&part.to_string());
        });
        let pipeline = tokio::select! {
            pipeline = starting => pipeline?,
            () = signals.next() => return Ok(()),
        };
        let subscriber = Subscriber::start(pipeline.deployment(), None).await?;
        let mut printed = Printed::start(&pipeline, &consume, &folder, &self.patterns, console)?;
        pipeline.feed().resume();
        console.line(&console.dim("Ctrl-C ends it. What the columns are, consume --help says."));
        let control = Control::listen(&folder)?;
        let serving = control.serve(&pipeline, &subscriber);
        let outcome = tokio::select! {
            outcome = self.watch(&pipeline, &subscriber, &mut printed, &mut signals, console) => outcome,
            error = serving => Err(error.into()),
        };
        drop(control);
        Box::pin(end(pipeline, subscriber, &mut printed, &mut signals, console)).await?;
        outcome
    }

    /// Prints until somebody says stop, or something ends.
    async fn watch(
        &self,
        pipeline: &Pipeline,
        subscriber: &Subscriber,
        printed: &mut Printed,
        signals: &mut Signals,
        console: &mut Console,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        let end = started + Duration::from_secs(self.seconds.unwrap_or(u64::from(u32::MAX)));
        let mut clock = tokio::time::interval(if console.is_terminal() { ON_TERMINAL } else { IN_LOG });
        loop {
            tokio::select! {
                () = signals.next() => return Ok(()),
                () = tokio::time::sleep_until(end.into()) => return Ok(()),
                line = printed.lines.next_line() => match line? {
                    Some(line) if console.line(&line) => {}
                    Some(_) => return Ok(()),
                    None => anyhow::bail!("consume ended; consume.log says why"),
                },
                _ = clock.tick() => {
                    let status = status(pipeline, subscriber);
                    if console.is_terminal() {
                        console.status(&status);
                    } else {
                        eprintln!("{status}");
                    }
                    if let Some(trouble) = subscriber.look(|account| account.trouble().map(ToOwned::to_owned)) {
                        anyhow::bail!("the subscription ended: {trouble}");
                    }
                    anyhow::ensure!(pipeline.ingester_runs().await, "the ingester ended; ingester.log says why");
                }
            }
        }
    }
}

/// Rate, ages, languages, and what is behind.
fn status(pipeline: &Pipeline, subscriber: &Subscriber) -> String {
    let behind = pipeline.triggers().iter().map(Trigger::behind).max().flatten();
    subscriber.look(|account| {
        let age = |percent| account.age(percent).map_or("-".to_owned(), |age| format!("{} ms", age.as_millis()));
        let mut languages: Vec<_> = account.languages.iter().collect();
        languages.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
        let languages = languages.iter().take(6).map(|(language, count)| format!("{language} {count}"));
        let behind = behind.map_or(String::new(), |age| format!("  behind {:.1} s", age.as_secs_f64()));
        format!(
            "{:.1}/s  {} items  age p50 {} p99 {}  {}{behind}",
            account.rate(),
            account.ages.len(),
            age(50),
            age(99),
            languages.collect::<Vec<_>>().join(" "),
        )
    })
}

/// The feed stops, what is on its way arrives, and everything ends; a second signal doesn't wait.
async fn end(
    pipeline: Pipeline,
    subscriber: Subscriber,
    printed: &mut Printed,
    signals: &mut Signals,
    console: &mut Console,
) -> anyhow::Result<()> {
    console.status("Stopping…");
    pipeline.feed().pause();
    let ending = async {
        let ledger = settle(&pipeline, &subscriber, printed, console).await?;
        console.status("");
        console.line(&format!("{ledger}"));
        printed.stop().await;
        pipeline.stop().await?;
        Ok(())
    };
    tokio::select! {
        ended = ending => ended,
        () = signals.next() => Ok(()),
    }
}

async fn settle(
    pipeline: &Pipeline,
    subscriber: &Subscriber,
    printed: &mut Printed,
    console: &mut Console,
) -> anyhow::Result<Ledger> {
    let started = Instant::now();
    let mut clock = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            line = printed.lines.next_line() => {
                if let Ok(Some(line)) = line {
                    console.line(&line);
                }
            }
            _ = clock.tick() => {
                let ledger = Ledger::of(pipeline, subscriber).await?;
                if ledger.is_settled() || started.elapsed() > LAST_ITEMS {
                    return Ok(ledger);
                }
            }
        }
    }
}

/// `consume`, and the lines that it writes.
struct Printed {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    _guarded: Guarded,
}

impl Printed {
    fn start(
        pipeline: &Pipeline,
        program: &std::path::Path,
        folder: &std::path::Path,
        patterns: &[String],
        console: &Console,
    ) -> anyhow::Result<Self> {
        let deployment = pipeline.deployment();
        let log = std::fs::File::create(folder.join("consume.log")).context("could not write consume.log")?;
        let mut command = Command::new(program);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(pipeline.environment().iter().cloned());
        command.args(["--tail", "--url", &deployment.outputs.broker_url, "--exchange", &deployment.exchange]);
        command.args(["--secret", &deployment.outputs.broker_secret]);
        if let Some(authority) = &deployment.broker_ca {
            command.arg("--ca").arg(authority);
        }
        command.args(["--color", if console.colours() { "always" } else { "never" }]).args(patterns);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("could not start {}", program.display()))?;
        let guarded = Guarded::group(child.id().unwrap_or_default())?;
        let output = child.stdout.take().ok_or_else(|| anyhow::anyhow!("consume has no output"))?;
        Ok(Self { child, lines: BufReader::new(output).lines(), _guarded: guarded })
    }

    async fn stop(&mut self) {
        let _ = self.child.kill().await;
    }
}
