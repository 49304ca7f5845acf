//! The measurements as tables.

use std::{fmt::Write, fs, thread};

use serde::Serialize;

use crate::{
    Bench,
    measure::Plan,
    row::{Least, Row, Who},
};

/// Everything that is known of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    plan: Plan,
    processors: usize,
    /// How many processes wanted a processor in the last minute, ours included.
    load: f64,
    /// Or why there is none.
    python: String,
    rows: Vec<Row>,
}

/// What the columns leave out, and how they are meant.
const NOTES: &str = "\
init: from a process's start until it asks for work; cold: that and its first batch. Medians.
  Neither has what AWS adds to a cold start: a microVM, the package's download, TLS to AWS (the broker's is in it).
batch: from handing it out until the answer was there, warm, median; max: the longest. records/s: over all of them.
processor: user and system time of a warm batch. Lambda gives a function of 256 MB a seventh of a processor, so
  there it takes up to seven times as long by the clock.
package: boto3, some 30 MB unpacked, is in AWS's runtime and not counted.
judged: headlines of a batch that were sent to the model. least: what a batch waits for others, the way each goes.
Python publishes id, headline and sentiment; Newsloom the whole item, body and all.
";

impl Report {
    pub(crate) fn new(bench: &Bench, rows: Vec<Row>) -> Self {
        let python = match &bench.python {
            Ok(python) => python.version().to_owned(),
            Err(error) => format!("left out: {error:#}"),
        };
        let processors = thread::available_parallelism().map_or(0, usize::from);
        Self { plan: bench.plan, processors, load: load(), python, rows }
    }
}

/// All tables.
pub(crate) fn text(report: &Report) -> String {
    let mut out = String::new();
    let Plan { records, batches, colds } = report.plan;
    let Report { processors, load, python, .. } = report;
    let _ = writeln!(out, "the functions: {records} records a batch, {batches} warm batches, {colds} cold starts each");
    let _ = writeln!(out, "{processors} processors, load {load:.1}; Python: {python}");
    for rows in report.rows.chunk_by(|one, next| (one.function, one.scenario) == (next.function, next.scenario)) {
        table(&mut out, rows, report.plan);
    }
    let _ = write!(out, "\n{NOTES}");
    out
}

fn table(out: &mut String, rows: &[Row], plan: Plan) {
    let Some(first) = rows.first() else { return };
    let _ = writeln!(out, "\n{}, {}", first.function, first.scenario);
    let header = ["init ms", "cold ms", "batch ms", "max ms", "records/s", "processor ms", "peak MB", "package KB"];
    let more = ["judged", "least ms"];
    let _ = writeln!(out, "{}", line("", header.into_iter().chain(more)));
    for row in rows {
        let _ = writeln!(out, "{}", line(row.who.name(), cells(row, plan).iter().map(String::as_str)));
    }
    let newsloom = rows.iter().find(|row| row.who == Who::Newsloom);
    if let Some((row, least)) = newsloom.and_then(|row| Some((row, row.least?))) {
        let _ = writeln!(out, "{}", ratios(row, least));
    }
}

fn cells(row: &Row, plan: Plan) -> [String; 10] {
    let measured = &row.measured;
    let judged = row.counts.map(|counts| counts.headlines / plan.all_batches());
    [
        format!("{:.0}", measured.init_ms),
        format!("{:.0}", measured.cold_ms),
        format!("{:.1}", measured.warm_ms),
        format!("{:.1}", measured.warm_max_ms),
        format!("{:.0}", measured.records_per_s),
        format!("{:.1}", measured.processor_ms),
        format!("{:.0}", measured.peak_mb),
        format!("{:.0}", row.package_kb),
        judged.map_or_else(String::new, |headlines| headlines.to_string()),
        row.least.map_or_else(String::new, |least| format!("{:.1}", least.own_ms)),
    ]
}

/// The way that `enrich` goes costs a look into the table; both are said.
fn ratios(row: &Row, least: Least) -> String {
    let Least { own_ms, without_look_ms } = least;
    let (own, without) = (row.measured.warm_ms / own_ms, row.measured.warm_ms / without_look_ms);
    format!(
        "  Newsloom looks first what is in the table: {own:.2} times the {own_ms:.1} ms of its own steps, \
         {without:.2} times the {without_look_ms:.1} ms without a look"
    )
}

fn line<'a>(name: &str, cells: impl Iterator<Item = &'a str>) -> String {
    const WIDTHS: [usize; 10] = [7, 7, 8, 8, 9, 12, 7, 10, 6, 8];
    let padded = cells.zip(WIDTHS).map(|(cell, width)| format!("  {cell:>width$}"));
    format!("  {name:<18}{}", padded.collect::<String>()).trim_end().to_owned()
}

/// Of the last minute; 0 where the system doesn't say.
fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}
