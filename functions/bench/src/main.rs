//! `make bench`, second part: the functions beside what others write, measured in one run.

mod enrich;
mod events;
mod measure;
mod packages;
mod publish;
mod report;
mod row;
mod stub;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::Parser;

use bench::{python::Python, usage};

use crate::{measure::Plan, report::Report, row::Who, stub::Stub};

/// What Python's functions need.
const REQUIREMENTS: &str = "functions/bench/python/requirements.txt";

/// Measures `enrich` and `publish` beside Python's; in the workspace's folder.
#[derive(Debug, Parser)]
#[command(name = "newsloom-functions-bench")]
struct Arguments {
    /// Records in a batch
    #[arg(long, default_value_t = 100, value_parser = at_least_one)]
    records: usize,
    /// Batches that a warm function gets
    #[arg(long, default_value_t = 20, value_parser = at_least_one)]
    batches: usize,
    /// Cold starts of each, of which the median is taken
    #[arg(long, default_value_t = 7, value_parser = at_least_one)]
    colds: usize,
    /// Only rows with this in `function, scenario, who`; more than once: with all of them
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Our package, as `make package` leaves it
    #[arg(long, value_name = "ZIP", default_value = "target/package/enrich.zip")]
    enrich: PathBuf,
    /// Our package, as `make package` leaves it
    #[arg(long, value_name = "ZIP", default_value = "target/package/publish.zip")]
    publish: PathBuf,
    /// Also write everything here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What all measurements share.
struct Bench {
    arguments: Arguments,
    plan: Plan,
    /// Or why there is none.
    python: Result<Python>,
    stub: Stub,
    /// Where packages are unpacked.
    folder: PathBuf,
    /// How busy the machine was before anything was measured.
    load: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let bench = Bench::prepare(Arguments::parse())?;
    let mut rows = enrich::rows(&bench).await?;
    rows.extend(publish::rows(&bench).await?);
    let report = Report::new(&bench, rows);
    print!("{}", report::text(&report));
    if let Some(file) = &bench.arguments.json {
        let json = serde_json::to_vec_pretty(&report)?;
        fs::write(file, json).with_context(|| format!("can't write {}", file.display()))?;
    }
    Ok(())
}

impl Bench {
    fn prepare(arguments: Arguments) -> Result<Self> {
        let folder = PathBuf::from("target/bench");
        fs::create_dir_all(&folder).context("can't write to target/bench")?;
        let folder = folder.canonicalize()?;
        let load = usage::load();
        let python = Python::ready(&folder.join("venv"), REQUIREMENTS);
        if let Err(error) = &python {
            eprintln!("Python's functions are left out: {error:#}");
        }
        let plan = Plan { records: arguments.records, batches: arguments.batches, colds: arguments.colds };
        let stub = Stub::start(&publish::secret()).context("can't stand in for AWS")?;
        Ok(Self { arguments, plan, python, stub, folder, load })
    }

    fn python(&self) -> Result<&Python> {
        self.python.as_ref().map_err(|error| anyhow!("{error:#}"))
    }

    /// Who is measured in a scenario: all whom the command line wants and who can run here.
    fn who(&self, function: &str, scenario: &str) -> Vec<Who> {
        let wanted = |who: &Who| {
            let row = format!("{function}, {scenario}, {}", who.name());
            self.arguments.only.iter().all(|only| row.contains(only.as_str()))
        };
        let runs = |who: &Who| *who == Who::Newsloom || self.python.is_ok();
        Who::ALL.into_iter().filter(|who| wanted(who) && runs(who)).collect()
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| "a number from 1 on is needed".to_owned())
}

/// A number that is counted, as one to calculate with.
#[expect(clippy::cast_precision_loss, reason = "nothing here is counted to 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}
