//! What came of a run: for people, for programs.

mod junit;
mod terminal;

use jiff::Timestamp;
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

pub use terminal::Look;

/// What came of a run. As JSON it is one document, whose members may become more.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What marks the run's items: `newsloom-verify-k3x9a7b2`.
    pub run: String,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, what waits for more and the clean-up included.
    pub seconds: f64,
    /// Whether everything came out as expected.
    pub passed: bool,
    /// Whether it was stopped before it was done.
    pub interrupted: bool,
    /// In the order of the vector.
    pub rows: Vec<RowReport>,
    /// How much of what there was.
    pub counts: Counts,
    /// What is wrong and no row's fault.
    pub wrong: Vec<String>,
    /// What else to know: what wasn't looked at, what could not be removed.
    pub notes: Vec<String>,
}

/// What came of a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowReport {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// How it came out.
    pub outcome: Outcome,
    /// When it was where.
    pub times: Times,
    /// Everything that is wrong.
    pub wrong: Vec<Wrong>,
    /// Why it wasn't tried, if it wasn't.
    pub skipped: Option<String>,
}

/// How a row came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As expected.
    Passed,
    /// Otherwise.
    Failed,
    /// It wasn't tried.
    Skipped,
}

/// When an item was where, milliseconds since it was put in; none where it never was, or nobody looked.
///
/// What the stack says is by the clocks of AWS, which may differ from this machine's by some milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Times {
    /// Kinesis had it: its answer, or, after a feed, the time that it gave the record.
    pub stream: Option<f64>,
    /// It was judged, just before it was stored, as its row says.
    pub enriched: Option<f64>,
    /// Its row was seen; for what is set aside, the message in the quarantine. It was there some time before.
    pub seen: Option<f64>,
    /// Its message came from the exchange.
    pub exchange: Option<f64>,
}

/// Something that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// Where it was found.
    pub stage: Stage,
    /// What: `sentiment.label`, `routing key`.
    pub what: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

/// Where something is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Where items are put in.
    Stream,
    /// The table of enriched items.
    Table,
    /// The exchange.
    Exchange,
    /// The queue of what can never succeed.
    Quarantine,
}

/// How much there was, of this run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Records and stories that were put in.
    pub put: usize,
    /// Rows in the table.
    pub table: Count,
    /// Messages from the exchange; none where nobody subscribed.
    pub exchange: Option<Count>,
    /// Of them, those that came by way of the exchange for what nobody subscribed to, `<exchange>.unrouted`: their routing
    /// key doesn't end with the run's mark, or they were published there.
    pub unrouted: usize,
    /// Messages in the quarantine.
    pub quarantine: Count,
    /// The same by their reason, those found.
    pub reasons: BTreeMap<String, usize>,
    /// Batches that a function gave up on while the run went on; there should be none.
    pub given_up: usize,
}

/// How much there was, and how much there should be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// How much there should be.
    pub expected: usize,
    /// How much there was.
    pub found: usize,
}

impl Report {
    /// How many rows came out like this.
    pub fn rows(&self, outcome: Outcome) -> usize {
        self.rows.iter().filter(|row| row.outcome == outcome).count()
    }

    /// The document, with a final newline.
    #[expect(clippy::missing_panics_doc, reason = "no report makes it panic")]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts, numbers and lists always become JSON") + "\n"
    }

    /// As JUnit's XML, which systems for continuous integration show: a test case for each row.
    pub fn to_junit(&self) -> String {
        junit::document(self)
    }

    /// As a person reads it.
    pub fn to_text(&self, look: Look) -> String {
        terminal::text(self, look)
    }
}

impl Stage {
    /// As it is written: `table`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Table => "table",
            Self::Exchange => "exchange",
            Self::Quarantine => "quarantine",
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, what, expected, found } = self;
        write!(f, "{}: {what}: expected {expected}, found {found}", stage.name())
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.found, self.expected)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A report with something of everything.
    pub(in super::super) fn report() -> Report {
        let row = |name: &str, outcome, times| RowReport {
            name: name.into(),
            about: format!("What {name} shows"),
            outcome,
            times,
            wrong: Vec::new(),
            skipped: None,
        };
        let times = |stream, enriched, exchange| Times { stream, enriched, seen: enriched, exchange };
        let wrong = |stage, what: &str, expected: &str, found: &str| Wrong {
            stage,
            what: what.into(),
            expected: expected.into(),
            found: found.into(),
        };
        Report {
            run: "newsloom-verify-k3x9a7b2".into(),
            started: "2026-01-02T03:04:05Z".parse().unwrap(),
            seconds: 3.25,
            passed: false,
            interrupted: false,
            rows: vec![
                row("positive", Outcome::Passed, times(Some(4.21), Some(61.4), Some(83.0))),
                RowReport {
                    wrong: vec![
                        wrong(Stage::Table, "sentiment.label", "\"negative\"", "\"positive\""),
                        wrong(Stage::Exchange, "routing key", "\"en.negative.<x>\"", "\"en.positive.\\u{1b}[2J&\""),
                    ],
                    ..row("negative", Outcome::Failed, times(Some(4.5), Some(1612.0), Some(12_345.6)))
                },
                RowReport {
                    wrong: vec![wrong(Stage::Table, "row", "one", "none after 30 s")],
                    ..row("alert", Outcome::Failed, times(Some(5.0), None, None))
                },
                RowReport {
                    skipped: Some("no model judges de here".into()),
                    ..row("german", Outcome::Skipped, Times::default())
                },
                row("no-json", Outcome::Passed, Times { stream: Some(3.0), seen: Some(1204.0), ..Times::default() }),
            ],
            counts: Counts {
                put: 4,
                table: Count { expected: 3, found: 2 },
                exchange: Some(Count { expected: 3, found: 2 }),
                unrouted: 0,
                quarantine: Count { expected: 1, found: 1 },
                reasons: [("malformed".into(), 1)].into(),
                given_up: 1,
            },
            wrong: vec!["newsloom-enrich gave up on a batch of 3 records, RetryAttemptsExhausted".into()],
            notes: vec!["3 messages of others are in the quarantine".into()],
        }
    }

    fn snapshot(situation: &str, text: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(format!("verify_{situation}"), text));
    }

    #[test]
    fn people_see_every_row_and_everything_that_is_wrong() {
        snapshot("terminal", &report().to_text(Look { color: false }));
        snapshot("colours", &report().to_text(Look { color: true }).replace('\u{1b}', "␛"));
    }

    #[test]
    fn programs_get_one_document() {
        snapshot("json", &report().to_json());
    }

    #[test]
    fn systems_for_continuous_integration_get_a_case_for_each_row() {
        snapshot("junit", &report().to_junit());
    }

    #[test]
    fn all_that_passed_is_short() {
        let mut report = report();
        report.rows.retain(|row| row.outcome == Outcome::Passed);
        (report.passed, report.wrong, report.notes) = (true, Vec::new(), Vec::new());
        report.counts.table = Count { expected: 1, found: 1 };
        report.counts.exchange = None;
        report.counts.given_up = 0;
        snapshot("passed", &report.to_text(Look { color: false }));
    }
}
