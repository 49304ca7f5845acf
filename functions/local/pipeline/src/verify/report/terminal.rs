//! The report as a person reads it.

use super::{Count, Counts, Outcome, Report, RowReport, Times};
use std::fmt::Write;

/// How a report is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// In colours.
    pub color: bool,
}

const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[1;31m";
const GREEN: &str = "\u{1b}[32m";
const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

impl Look {
    fn with(self, colour: &str, words: &str) -> String {
        if self.color && !words.trim().is_empty() { format!("{colour}{words}{PLAIN}") } else { words.into() }
    }
}

pub(super) fn text(report: &Report, look: Look) -> String {
    let width = report.rows.iter().map(|row| row.name.len()).max().unwrap_or_default().max(3);
    let mut lines = vec![
        format!("{} {}", look.with(BOLD, "run"), report.run),
        String::new(),
        look.with(DIM, &columns("row", width, "", ["in", "table", "exchange"], "")),
    ];
    for row in &report.rows {
        lines.extend(row_lines(row, width, look));
    }
    lines.push(String::new());
    lines.push(total(report, look));
    lines.extend(counts(&report.counts, look));
    lines.extend(report.wrong.iter().map(|wrong| format!("{}  {wrong}", look.with(RED, "wrong"))));
    lines.extend(report.notes.iter().map(|note| format!("{}   {note}", look.with(DIM, "note"))));
    lines.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{}", line.trim_end());
        text
    })
}

fn row_lines(row: &RowReport, width: usize, look: Look) -> Vec<String> {
    let (word, colour) = match row.outcome {
        Outcome::Passed => ("pass", GREEN),
        Outcome::Failed => ("FAIL", RED),
        Outcome::Skipped => ("skip", DIM),
    };
    let Times { stream, enriched, seen, exchange } = row.times;
    let times = [stream, enriched.or(seen), exchange].map(|time| time.map_or_else(String::new, duration));
    let mut said = row.wrong.iter().map(ToString::to_string).chain(row.skipped.clone());
    let times = times.each_ref().map(String::as_str);
    let first = columns(&row.name, width, &look.with(colour, word), times, &said.next().unwrap_or_default());
    let indent = " ".repeat(width + 38);
    [first].into_iter().chain(said.map(|line| format!("{indent}{line}"))).collect()
}

/// What is coloured has its width already.
fn columns(name: &str, width: usize, result: &str, [stream, table, exchange]: [&str; 3], said: &str) -> String {
    let result = if result.is_empty() { "    " } else { result };
    format!("{name:width$}  {result}  {stream:>8}  {table:>8}  {exchange:>8}  {said}")
}

fn duration(milliseconds: f64) -> String {
    match milliseconds {
        ..9.95 => format!("{milliseconds:.1} ms"),
        ..999.5 => format!("{milliseconds:.0} ms"),
        _ => format!("{:.1} s", milliseconds / 1000.0),
    }
}

fn total(report: &Report, look: Look) -> String {
    let [passed, failed, skipped] = [Outcome::Passed, Outcome::Failed, Outcome::Skipped].map(|one| report.rows(one));
    let colour = if report.passed { GREEN } else { RED };
    let verdict = if report.passed { "passed" } else { "FAILED" };
    let stopped = if report.interrupted { ", stopped before it was done" } else { "" };
    let verdict = look.with(colour, verdict);
    format!("{verdict}: {passed} passed, {failed} failed, {skipped} skipped in {:.1} s{stopped}", report.seconds)
}

fn counts(counts: &Counts, look: Look) -> Vec<String> {
    let reasons: Vec<_> = counts.reasons.iter().map(|(code, count)| format!("{count} {code}")).collect();
    let unrouted = if counts.unrouted > 0 { format!("{} of them unrouted", counts.unrouted) } else { String::new() };
    let line = |what: &str, count: Count, more: &str| {
        let numbers = format!("{:9}", count.to_string());
        let numbers = if count.found == count.expected { numbers } else { look.with(RED, &numbers) };
        format!("  {what:13}{numbers}  {more}")
    };
    let exchange = counts.exchange.map(|count| line("published", count, &unrouted));
    [Some(line("stored", counts.table, "")), exchange]
        .into_iter()
        .flatten()
        .chain([line("set aside", counts.quarantine, &reasons.join(", "))])
        .chain(
            (counts.given_up > 0)
                .then(|| format!("  {:13}{}", "given up", look.with(RED, &counts.given_up.to_string()))),
        )
        .collect()
}
