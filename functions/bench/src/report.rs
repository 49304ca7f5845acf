//! The measurements as tables.

use std::{fmt::Write, thread};

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
    /// How many processes wanted a processor in the minute before the run.
    load: f64,
    /// Or why there is none.
    python: String,
    rows: Vec<Row>,
}

/// What the columns leave out, and how they are meant.
const NOTES: &str = "\
init: from a process's start until it asks for work; cold: that and its first batch. Medians. Newsloom connects within
  its init, Python with its first batch. Neither has what AWS adds to a cold start: a microVM, the package's
  download, TLS to AWS (the broker's is in it).
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
            Err(error) => format!("no Python: {error:#}"),
        };
        let processors = thread::available_parallelism().map_or(0, usize::from);
        Self { plan: bench.plan, processors, load: bench.load, python, rows }
    }
}

/// All tables.
pub(crate) fn text(report: &Report) -> String {
    let mut out = String::new();
    let Plan { records, batches, colds } = report.plan;
    let Report { processors, load, python, .. } = report;
    let _ = writeln!(out, "the functions: {records} records a batch, {batches} warm batches, {colds} cold starts each");
    let _ = writeln!(out, "{processors} processors, load {load:.1} before, {python}");
    for rows in report.rows.chunk_by(|one, next| (one.function, one.scenario) == (next.function, next.scenario)) {
        table(&mut out, rows, report.plan);
    }
    let _ = write!(out, "\n{NOTES}");
    out
}

fn table(out: &mut String, rows: &[Row], plan: Plan) {
    let Some(first) = rows.first() else { return };
    let _ = writeln!(out, "\n{}, {}", first.function, first.scenario);
    let cells: Vec<_> = rows.iter().map(|row| cells(row, plan)).collect();
    let used: Vec<usize> = (0..COLUMNS.len()).filter(|&at| cells.iter().any(|cells| cells[at].is_some())).collect();
    let line = |name: &str, cell: &dyn Fn(usize) -> String| {
        let padded = used.iter().map(|&at| format!("  {:>width$}", cell(at), width = COLUMNS[at].len().max(8)));
        format!("  {name:<18}{}", padded.collect::<String>())
    };
    let _ = writeln!(out, "{}", line("", &|at| COLUMNS[at].to_owned()));
    for (row, cells) in rows.iter().zip(&cells) {
        let _ = writeln!(out, "{}", line(row.who.name(), &|at| cells[at].clone().unwrap_or_default()));
    }
    let newsloom = rows.iter().find(|row| row.who == Who::Newsloom);
    if let Some((row, least)) = newsloom.and_then(|row| Some((row, row.least?))) {
        let _ = writeln!(out, "{}", ratios(row, least));
    }
}

const COLUMNS: [&str; 10] = [
    "init ms",
    "cold ms",
    "batch ms",
    "max ms",
    "records/s",
    "processor ms",
    "peak MB",
    "package KB",
    "judged",
    "least ms",
];

/// What a row has in each column.
fn cells(row: &Row, plan: Plan) -> [Option<String>; COLUMNS.len()] {
    let measured = &row.measured;
    [
        Some(format!("{:.0}", measured.init_ms)),
        Some(format!("{:.0}", measured.cold_ms)),
        Some(format!("{:.1}", measured.warm_ms)),
        Some(format!("{:.1}", measured.warm_max_ms)),
        Some(format!("{:.0}", measured.records_per_s)),
        Some(format!("{:.1}", measured.processor_ms)),
        Some(format!("{:.0}", measured.peak_mb)),
        Some(format!("{:.0}", row.package_kb)),
        row.counts.map(|counts| (counts.headlines / plan.all_batches()).to_string()),
        row.least.map(|least| format!("{:.1}", least.own_ms)),
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
