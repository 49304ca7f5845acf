//! How fast it is, and how fast it could be.

use std::{fmt::Write as _, path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use simulator::Pace;

use super::options::Start;
use crate::measure::{Flood, HOPS, LAST, Plan, Report, measure};

/// `newsloom-local bench`.
///
/// Items one by one at two paces, then a flood; then the parts alone, with the same requests. AWS is emulated, so only
/// its emulators are measured; the functions, the ingester and the broker are the real ones.
#[derive(Args, Debug)]
pub struct Bench {
    /// The environment to run
    #[arg(short, long, value_name = "FILE", default_value = "newsloom.toml")]
    config: PathBuf,

    /// Where logs and the spool are kept
    #[arg(long, value_name = "FOLDER", default_value = "target/bench/local")]
    folder: PathBuf,

    /// Where ingester, enrich and publish are; target/function has them after `make package` [default: beside this program]
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,

    /// The RabbitMQ, as for the demo
    #[arg(long, value_name = "WHICH", default_value = "auto", env = "NEWSLOOM_LOCAL_BROKER", hide_env_values = true)]
    broker: String,

    /// How long the lexicon takes for a request, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 20)]
    latency: u64,

    /// Items a second, one by one; more than once: one row each [default: 5 and 50]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate: Vec<f64>,

    /// How long at each
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// Items of the flood, all of them different
    #[arg(long, default_value_t = 5000, value_parser = at_least_one)]
    items: usize,

    /// Also write everything here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Bench {
    pub(crate) async fn run(self) -> ExitCode {
        match Box::pin(self.measured()).await {
            Ok(report) => {
                print!("{}", text(&report));
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("newsloom-local: {error:#}; logs are in {}", self.folder.display());
                ExitCode::FAILURE
            }
        }
    }

    async fn measured(&self) -> anyhow::Result<Report> {
        let start = Start {
            config: self.config.clone(),
            folder: self.folder.clone(),
            programs: self.programs.clone(),
            aws_endpoint: None,
            broker: self.broker.clone(),
            latency: self.latency,
            sagemaker_endpoint: None,
            seed: 1,
            pace: Pace::Max,
        };
        let rates = if self.rate.is_empty() { vec![5.0, 50.0] } else { self.rate.clone() };
        let plan = Plan { rates, duration: Duration::from_secs(self.seconds), items: self.items };
        let report = Box::pin(measure(start.options()?, &plan, |line| eprintln!("{line}"))).await?;
        if let Some(file) = &self.json {
            let json = serde_json::to_vec_pretty(&report)?;
            std::fs::write(file, json).map_err(|error| anyhow::anyhow!("can't write {}: {error}", file.display()))?;
        }
        Ok(report)
    }
}

fn text(report: &Report) -> String {
    let mut out = String::new();
    let Report { load, processors, model_latency_ms, .. } = report;
    let _ = writeln!(out, "the whole pipeline on this machine: {processors} processors, load {load:.1} before");
    let _ = writeln!(out, "model {model_latency_ms:.0} ms a request; AWS emulated, the rest real");
    paces(&mut out, report);
    floor(&mut out, report);
    flood(&mut out, &report.flood);
    rates(&mut out, report);
    out
}

fn paces(out: &mut String, report: &Report) {
    let _ = writeln!(out, "\nheadline to subscriber, one by one");
    let _ = writeln!(out, "   items/s   items       p50       p99       max  p50 / floor");
    for pace in &report.paces {
        let _ = writeln!(
            out,
            "  {:8.0} {:7} {:6.1} ms {:6.1} ms {:6.1} ms  {:11.2}",
            pace.per_second,
            pace.items,
            pace.p50_ms,
            pace.p99_ms,
            pace.max_ms,
            pace.p50_ms / report.floor_ms()
        );
    }
    let columns = report.paces.iter().map(|pace| format!("{:.0}/s", pace.per_second));
    out.push('\n');
    row(out, "where the time goes, means", columns);
    for (hop, name) in HOPS.iter().enumerate() {
        row(out, name, report.paces.iter().map(|pace| format!("{:.1} ms", pace.hops_ms[hop])));
    }
    row(out, "all", report.paces.iter().map(|pace| format!("{:.1} ms", pace.mean_ms)));
}

fn row(out: &mut String, name: &str, cells: impl Iterator<Item = String>) {
    let _ = write!(out, "  {name:<36}");
    for cell in cells {
        let _ = write!(out, "{cell:>10}");
    }
    out.push('\n');
}

fn floor(out: &mut String, report: &Report) {
    let _ = writeln!(out, "\nwhat its steps take alone, medians; feed → ingester isn't among them");
    for step in &report.floor {
        let _ = writeln!(out, "  {:<44}{:7.2} ms", step.name, step.ms);
    }
    let _ = writeln!(out, "  {:<44}{:7.2} ms", "the floor, their sum", report.floor_ms());
}

fn flood(out: &mut String, flood: &Flood) {
    let Flood { items, per_second, last_s, processor_us, busy_percent } = flood;
    let _ = writeln!(out, "\na flood of {items} items: {per_second:.0} items/s, processors {busy_percent:.0} % busy");
    let last: Vec<_> = LAST.iter().zip(last_s).map(|(what, after)| format!("{what} after {after:.2} s")).collect();
    let _ = writeln!(out, "  the last item was {}", last.join(", "));
    let mut parts: Vec<_> = processor_us.iter().collect();
    parts.sort_by(|one, other| other.1.total_cmp(one.1));
    let _ = writeln!(out, "  time on processors for an item");
    for (part, time) in parts.into_iter().filter(|(_, time)| **time >= 1.0) {
        let _ = writeln!(out, "  {part:<44}{time:7.0} µs");
    }
    let _ = writeln!(out, "  {:<44}{:7.0} µs", "all", flood.all_us());
}

fn rates(out: &mut String, report: &Report) {
    let _ = writeln!(out, "\nwhat its parts do alone");
    for rate in &report.rates {
        let _ = writeln!(out, "  {:<44}{:7.0} items/s", rate.part, rate.per_second);
    }
    if let Some(slowest) = report.slowest() {
        let share = report.flood.per_second / slowest.per_second;
        let _ = writeln!(out, "  the slowest is {}; the pipeline does {share:.2} of it", slowest.part);
    }
    let bound = report.of_processors();
    let share = report.flood.per_second / bound;
    let _ = writeln!(
        out,
        "  of the time above, the processors could do {bound:.0} items/s; the pipeline does {share:.2} of it"
    );
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "a number above 0 is needed".to_owned())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| "a number from 1 on is needed".to_owned())
}
