//! From the text of a file to [`Settings`], or to everything that is wrong with it.

use crate::check::Checker;
use crate::problem::{Place, Problem, Problems};
use crate::{Settings, rules, schema};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::de::DeTable;

/// Something wrong at some bytes of the file.
pub(crate) struct Finding {
    pub(crate) span: Range<usize>,
    pub(crate) key: String,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Where in the text each key of the file has its value.
pub(crate) type Spans = BTreeMap<String, Range<usize>>;

impl Settings {
    /// Reads the text of a file; `path` is how problems name it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its line: what isn't TOML; else keys that don't
    /// exist, values of a wrong type or out of range, what is missing, and what doesn't go
    /// together.
    pub fn from_toml(path: &str, text: &str) -> Result<Self, Problems> {
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(located(path, text, errors.iter().map(|error| syntax(text, error)).collect()));
        }

        let schema = schema::schema();
        let mut checker = Checker::new(&schema);
        let document = checker.document(&table);
        let Checker { mut findings, spans, .. } = checker;

        let settings = Self::deserialize(document);
        if let Ok(settings) = &settings {
            rules::check(settings, &spans, &mut findings);
        }
        match settings {
            Ok(settings) if findings.is_empty() => Ok(settings),
            // Deserializing names the first mistake only, without a line; the check has named all.
            Err(error) if findings.is_empty() => Err(Problems::of(path, error.to_string())),
            _ => Err(located(path, text, findings)),
        }
    }
}

fn syntax(text: &str, error: &toml::de::Error) -> Finding {
    let span = error.span().unwrap_or_default();
    let said = error.message().trim().replace('\n', ", ");
    let message = bare_word(text, span.start).map_or(said, |word| format!("{word} needs quotes: \"{word}\""));
    Finding { span, key: String::new(), message: format!("this is not TOML: {message}"), help: None }
}

/// The text without quotes that begins at or around an offset, if that is what is wrong there.
fn bare_word(text: &str, offset: usize) -> Option<&str> {
    let line_start = text.get(..offset)?.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next()?;
    let (_, value) = line.split_once('=')?;
    let value = value.split('#').next()?.trim();
    let bare = value.starts_with(|c: char| c.is_ascii_alphabetic()) && !value.contains(['"', '\'']);
    (bare && value != "true" && value != "false").then_some(value)
}

fn located(path: &str, text: &str, findings: Vec<Finding>) -> Problems {
    let locate = |finding: Finding| Problem {
        place: Some(place(path, text, finding.span.start)),
        subject: finding.key,
        message: finding.message,
        help: finding.help,
    };
    Problems::new(findings.into_iter().map(locate).collect())
}

fn place(path: &str, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place {
        file: path.into(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}
