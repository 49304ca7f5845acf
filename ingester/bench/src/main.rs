//! `make bench`, third part: the ingester beside Python's, measured in one run.

mod flood;
mod kinesis;
mod pace;
mod subject;

use anyhow::{Context, Result, ensure};
use bench::{python::Python, usage};
use clap::Parser;
use flood::{Flood, flood};
use kinesis::Kinesis;
use pace::{Pace, pace};
use serde::Serialize;
use std::{fs, path::PathBuf};
use subject::{Programs, Who};

/// What Python's ingester needs.
const REQUIREMENTS: &str = "ingester/bench/python/requirements.txt";

/// Updates in the busiest second of the recorded half minute of LSEG's feed, and a hundred times that.
const PEAK: f64 = 34.0;
const HUNDRED_PEAKS: f64 = 3400.0;

/// Measures the ingester beside Python's; in the workspace's folder.
#[derive(Debug, Parser)]
#[command(name = "newsloom-ingester-bench")]
struct Arguments {
    /// Items of a flood
    #[arg(long, default_value_t = 50_000)]
    items: usize,
    /// How long items come at a steady pace
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Our program, as `make package` leaves it
    #[arg(long, value_name = "FILE", default_value = "target/package/ingester")]
    ingester: PathBuf,
    /// Only ours
    #[arg(long)]
    alone: bool,
    /// Also write everything here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Report {
    /// How many processes wanted a processor in the minute before the run.
    load: f64,
    processors: usize,
    floods: Vec<Flood>,
    paces: Vec<Pace>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.ingester.is_file(), "{} isn't there; `make package` builds it", arguments.ingester.display());
    let folder = tempfile::tempdir()?;
    let venv = PathBuf::from("target/bench/ingester-venv");
    fs::create_dir_all(&venv).context("can't write to target/bench")?;
    let python = Python::ready(&venv, REQUIREMENTS);
    if let Err(error) = &python {
        eprintln!("Python's ingester is left out: {error:#}");
    }
    let runs = |who: &Who| *who == Who::Newsloom || (python.is_ok() && !arguments.alone);
    let everybody: Vec<Who> = Who::ALL.into_iter().filter(runs).collect();
    let programs = Programs { ingester: arguments.ingester.canonicalize()?, python, folder: folder.path().into() };
    let kinesis = Kinesis::start()?;
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let mut report = Report { load: usage::load(), processors, floods: Vec::new(), paces: Vec::new() };
    for who in &everybody {
        report.floods.push(flood(&programs, &kinesis, *who, arguments.items).await?);
    }
    for rate in [PEAK, HUNDRED_PEAKS] {
        for who in &everybody {
            report.paces.push(pace(&programs, &kinesis, *who, rate, arguments.seconds).await?);
        }
    }
    print(&report);
    if let Some(file) = &arguments.json {
        let json = serde_json::to_vec_pretty(&report)?;
        fs::write(file, json).with_context(|| format!("can't write {}", file.display()))?;
    }
    Ok(())
}

fn print(report: &Report) {
    println!("the ingester: {} processors, load {:.1} before", report.processors, report.load);
    println!("\nas many updates as it takes, LSEG's protocol → Kinesis");
    println!("            updates/s  per core  processor  a request  memory, at ¼ and at the end, peak");
    for flood in &report.floods {
        let Flood { who, per_second, per_core_second, processor_us, records_per_request, memory_mb, peak_mb, .. } =
            flood;
        let [early, late] = memory_mb;
        println!(
            "{:10} {per_second:10.0} {per_core_second:9.0} {processor_us:7.1} µs {records_per_request:10.0}  \
             {early:.0} MB, {late:.0} MB, {peak_mb:.0} MB",
            who.name()
        );
    }
    println!("\nitems one after the other, from the feed until Kinesis has the request");
    println!("            items/s      p50       p99       max   of a core  memory");
    for pace in &report.paces {
        let Pace { who, per_second, p50_ms, p99_ms, max_ms, processor_percent, memory_mb, .. } = pace;
        println!(
            "{:10} {per_second:8.0} {p50_ms:6.1} ms {p99_ms:6.1} ms {max_ms:6.1} ms {processor_percent:8.1} %  \
             {memory_mb:.0} MB",
            who.name()
        );
    }
}
