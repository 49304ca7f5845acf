//! The desk's coat: a file of items in, a file of enriched items out, by the same core.

mod lines;
mod sinks;

use crate::{
    Enrich, Position, Record, Report, enricher::Enricher, quarantine::Origin, sagemaker::SageMaker,
    sentiment::Sentiments,
};
use anyhow::Context;
use clap::Parser;
use lines::{Line, Lines};
use news::{Sentiment, settings::EnrichSettings};
use runtime::Budget;
use sinks::{Enriched, Refused};
use std::{
    io::{IsTerminal, Write, stderr},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::{
    fs::File,
    io::{AsyncBufRead, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, BufWriter, stdin, stdout},
};

/// Enriches a file of news items, without a stream and a table: what the function does to records, it does to lines.
///
/// A line is an item as JSON, a line of the output an enriched item. Routes come from the function's own variables
/// (ROUTES, ROUTE_1_LANGUAGES, …), or one endpoint judges all languages (--endpoint).
///
/// Exits with 2 if lines were refused, with 1 if it had to give up.
#[derive(Debug, Parser)]
#[command(name = "enrich", version, after_help = "In Lambda (AWS_LAMBDA_RUNTIME_API is set) it is the function.")]
pub struct Options {
    /// Items, one a line; - for standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Where enriched items go [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where refused lines go, as JSON with line number and reason [default: the reasons on standard error]
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// The SageMaker endpoint that judges all languages
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// The model it runs, as items will say [default: the endpoint's name]
    #[arg(long, value_name = "MODEL", requires = "endpoint")]
    model: Option<String>,
    /// Which version of it, as items will say
    #[arg(long, value_name = "VERSION", requires = "endpoint", default_value = "unknown")]
    model_version: String,
    /// How many seconds an endpoint may keep a batch of 100 waiting before it is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    patience: u32,
}

/// How many lines are enriched at once. Repeats are found within these.
const BATCH: usize = 100;

/// What the function's settings are where a desk has no reason to say.
const DEFAULTS: [(&str, &str); 8] = [
    ("PIPELINE", "file"),
    ("TABLE_NAME", "none"),
    ("QUARANTINE_URL", "none"),
    ("TTL_DAYS", "0"),
    ("HEADLINES_PER_REQUEST", "16"),
    ("REQUESTS_IN_FLIGHT", "4"),
    ("REQUEST_TIMEOUT_MS", "10000"),
    ("WRITES_IN_FLIGHT", "8"),
];

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines that were done, empty ones included.
    pub lines: u64,
    /// Items written.
    pub written: usize,
    /// Items that repeated one shortly before.
    pub repeats: usize,
    /// Lines refused.
    pub refused: usize,
    /// The line that could not be done for now, from which on nothing was written.
    pub gave_up_at: Option<u64>,
}

/// Enriches the file that the options name.
///
/// # Errors
///
/// A file can't be read or written, or there is no route.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let settings = options.settings().context("the environment makes no settings; name an --endpoint")?;
    let asking = Duration::from_millis(settings.request_timeout_ms.into()) + Duration::from_secs(1);
    let aws = runtime::aws::configuration(Duration::from_secs(5), asking).await;
    let models = SageMaker::new(aws_sdk_sagemakerruntime::Client::new(&aws));
    let input = BufReader::with_capacity(1 << 16, options.input().await?);
    let out = BufWriter::with_capacity(1 << 16, options.output().await?);
    let refused = Refused::to(options.refused.as_deref())?;
    let mut pass = Pass {
        name: options.file.display().to_string(),
        enrich: Enrich {
            enricher: Sentiments::new(models, settings),
            articles: Enriched::default(),
            quarantine: refused,
        },
        patience: Duration::from_secs(options.patience.into()),
        summary: Summary::default(),
    };
    let started = Instant::now();
    let ended = tokio::select! {
        ended = pass.over(input, out) => ended.map(|()| true)?,
        _ = tokio::signal::ctrl_c() => false,
    };
    Ok(tell(&pass.summary, ended, started.elapsed()))
}

fn tell(summary: &Summary, ended: bool, took: Duration) -> ExitCode {
    let Summary { lines, written, repeats, refused, gave_up_at } = summary;
    eprintln!("{lines} lines in {:.1} s: {written} enriched, {repeats} repeats, {refused} refused", took.as_secs_f64());
    match gave_up_at {
        Some(line) => {
            eprintln!("gave up at line {line}; nothing from there on was written, so begin again there");
            ExitCode::FAILURE
        }
        None if !ended => {
            eprintln!("interrupted after line {lines}; begin again at the next one");
            ExitCode::from(130)
        }
        None if *refused > 0 => ExitCode::from(2),
        None => ExitCode::SUCCESS,
    }
}

impl Options {
    fn settings(&self) -> Result<EnrichSettings, news::settings::SettingsError> {
        EnrichSettings::from_variables(|name| {
            let route = self.endpoint.as_deref().and_then(|endpoint| match name {
                "ROUTES" => Some("1"),
                "ROUTE_1_LANGUAGES" => Some("*"),
                "ROUTE_1_ENDPOINT" => Some(endpoint),
                "ROUTE_1_MODEL" => Some(self.model.as_deref().unwrap_or(endpoint)),
                "ROUTE_1_MODEL_VERSION" => Some(self.model_version.as_str()),
                _ => None,
            });
            let default = || DEFAULTS.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
            route.map(str::to_owned).or_else(|| std::env::var(name).ok()).or_else(default)
        })
    }

    async fn input(&self) -> anyhow::Result<Box<dyn AsyncRead + Unpin>> {
        if self.file == Path::new("-") {
            return Ok(Box::new(stdin()));
        }
        let file = File::open(&self.file).await;
        Ok(Box::new(file.with_context(|| format!("could not open {}", self.file.display()))?))
    }

    async fn output(&self) -> anyhow::Result<Box<dyn AsyncWrite + Unpin>> {
        let Some(path) = &self.out else { return Ok(Box::new(stdout())) };
        let file = File::create(path).await;
        Ok(Box::new(file.with_context(|| format!("could not write {}", path.display()))?))
    }
}

/// A pass over a file, and how far it came.
struct Pass<E> {
    name: String,
    enrich: Enrich<E, Enriched, Refused>,
    patience: Duration,
    summary: Summary,
}

impl<E: Enricher<Finding = Sentiment>> Pass<E> {
    /// Every batch is written before the next is read, so that memory is bounded and an interruption costs one batch.
    async fn over(&mut self, input: impl AsyncBufRead + Unpin, mut out: impl AsyncWrite + Unpin) -> anyhow::Result<()> {
        let mut lines = Lines::of(input);
        loop {
            let batch = lines.next(BATCH).await.with_context(|| format!("could not read {}", self.name))?;
            if batch.is_empty() {
                break;
            }
            self.enrich(batch, lines.read(), &mut out).await?;
            self.progress();
            if self.summary.gave_up_at.is_some() {
                break;
            }
        }
        out.flush().await.context("could not write the output")
    }

    async fn enrich(&mut self, batch: Vec<Line>, last: u64, out: &mut (impl AsyncWrite + Unpin)) -> anyhow::Result<()> {
        let records: Vec<Record> = batch.into_iter().map(|line| self.record(line)).collect();
        let ids: Vec<(String, String)> = records.iter().filter_map(number_and_id).collect();
        let budget = Budget::of(self.patience);
        let report = Box::pin(self.enrich.batch(records, &Origin::default(), budget)).await;
        let failed = failed_line(&report);
        let done = ids.iter().take_while(|(number, _)| failed.is_none_or(|failed| number.parse() != Ok(failed)));
        for (_, id) in done {
            if let Some(line) = self.enrich.articles.take(id) {
                out.write_all(&line).await.context("could not write the output")?;
                self.summary.written += 1;
            }
        }
        out.flush().await.context("could not write the output")?;
        self.enrich.quarantine.write().context("could not write the refused lines")?;
        self.summary.lines = failed.map_or(last, |failed| failed - 1);
        self.summary.repeats += report.skipped;
        self.summary.refused += report.quarantined;
        self.summary.gave_up_at = failed;
        Ok(())
    }

    fn record(&self, line: Line) -> Record {
        let position = Position {
            source: Some(self.name.clone()),
            sequence_number: Some(line.number.to_string()),
            ..Position::default()
        };
        match line.text {
            Ok(text) => Record::new(position, text),
            Err(failure) => Record { position, data: Vec::new(), item: Err(failure) },
        }
    }

    fn progress(&self) {
        let mut stderr = stderr();
        if stderr.is_terminal() {
            let _ = write!(stderr, "\r{} lines, {} enriched ", self.summary.lines, self.summary.written);
        }
    }
}

fn number_and_id(record: &Record) -> Option<(String, String)> {
    Some((record.position.sequence_number.clone()?, record.id()?.to_owned()))
}

fn failed_line(report: &Report) -> Option<u64> {
    report.earliest.as_ref()?.sequence_number.as_ref()?.parse().ok()
}
