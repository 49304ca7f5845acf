//! From the text of a file to a [`Vector`], or to everything that is wrong with it.

use super::{Expect, Put, Row, Story, Trick, Vector};
use news::{Kind, Label, Reason};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use settings::{Place, Problem, Problems};
use std::{collections::HashSet, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

/// A row as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Form {
    name: String,
    about: String,
    times: Option<u8>,
    story: Option<Story>,
    record: Option<Record>,
    model: Option<Model>,
    expect: Expected,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Record {
    text: Option<String>,
    bytes: Option<Vec<u8>>,
    thread: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Model {
    refuses: Option<String>,
    unknown_labels: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Expected {
    sentiment: Option<Sentiment>,
    reason: Option<Reason>,
    quarantine: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sentiment {
    Negative,
    Neutral,
    Positive,
    Unjudged,
}

/// Something wrong at some bytes of the file.
struct Finding {
    span: Range<usize>,
    key: String,
    message: String,
}

/// Where the mistakes of one row go.
struct Spot<'a> {
    span: Range<usize>,
    row: String,
    findings: &'a mut Vec<Finding>,
}

/// The most bytes of a text: a record has to fit into 1 MiB, and JSON makes some bytes longer.
const MOST_BYTES: usize = 900_000;

pub(super) fn read(path: &str, text: &str) -> Result<Vector, Problems> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let syntax = |error: &toml::de::Error| Finding {
        span: error.span().unwrap_or_default(),
        key: String::new(),
        message: format!("this is not TOML: {}", error.message().trim().replace('\n', ", ")),
    };
    let mut findings: Vec<Finding> = errors.iter().map(syntax).collect();
    let mut rows = Vec::new();
    if findings.is_empty() {
        rows = read_rows(document.get_ref(), &mut findings);
    }
    if findings.is_empty() {
        return Ok(Vector { rows });
    }
    let located = |finding: Finding| Problem {
        place: Some(place(path, text, finding.span.start)),
        subject: finding.key,
        message: finding.message,
        help: None,
    };
    Err(Problems::new(findings.into_iter().map(located).collect()))
}

fn read_rows(document: &DeTable<'_>, findings: &mut Vec<Finding>) -> Vec<Row> {
    for (key, _) in document.iter().filter(|(key, _)| key.get_ref() != "rows") {
        let message = "a vector has [[rows]], and nothing else".into();
        findings.push(Finding { span: key.span(), key: key.get_ref().to_string(), message });
    }
    let Some(DeValue::Array(tables)) = document.get("rows").map(Spanned::get_ref) else {
        findings.push(Finding {
            span: 0..0,
            key: "rows".into(),
            message: "there are none: a vector has [[rows]]".into(),
        });
        return Vec::new();
    };
    let (mut names, mut threads) = (HashSet::new(), HashSet::new());
    let mut rows = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        let mut spot = Spot { span: table.span(), row: format!("rows[{index}]"), findings };
        let Some(form) = form(table, &mut spot) else { continue };
        if !form.name.is_empty() {
            spot.row.clone_from(&form.name);
            if !names.insert(form.name.clone()) {
                spot.report("name", "another row has it");
            }
        }
        let Some(row) = form.row(&mut spot) else { continue };
        // In the quarantine they could not be told from each other.
        if matches!(row.put, Put::Record { .. }) && !threads.insert(row.thread().to_owned()) {
            spot.report("record.thread", "another record has it");
        }
        rows.push(row);
    }
    rows
}

/// What is written, if all of it is of the right type. Each value is looked at alone, so that one mistake doesn't hide
/// the next.
fn form(table: &Spanned<DeValue<'_>>, spot: &mut Spot<'_>) -> Option<Form> {
    let before = spot.findings.len();
    let DeValue::Table(members) = table.get_ref() else {
        spot.report("", "is no table");
        return None;
    };
    for leaf in leaves(members, &[]) {
        if let Err(message) = typed::<Form>(leaf.alone) {
            let key = format!("{}.{}", spot.row, leaf.key);
            spot.findings.push(Finding { span: leaf.span, key, message });
        }
    }
    if spot.findings.len() > before {
        return None;
    }
    let whole = Value::deserialize(ValueDeserializer::from(table.clone())).unwrap_or_default();
    typed(whole).map_err(|message| spot.report("", message)).ok()
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// A value that is no table.
struct Leaf {
    key: String,
    span: Range<usize>,
    /// The row, as if it had nothing but this.
    alone: Value,
}

fn leaves(table: &DeTable<'_>, above: &[String]) -> Vec<Leaf> {
    let leaf = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = name.get_ref();
        let path: Vec<String> = above.iter().cloned().chain([name.to_string()]).collect();
        if let DeValue::Table(inner) = value.get_ref()
            && above.is_empty()
        {
            return leaves(inner, &path);
        }
        let json = Value::deserialize(ValueDeserializer::from(value.clone())).unwrap_or_default();
        let within = |inner: Value, name: &String| Value::Object(Map::from_iter([(name.clone(), inner)]));
        let alone = path.iter().rev().fold(json, within);
        vec![Leaf { key: path.join("."), span: value.span(), alone }]
    };
    table.iter().flat_map(leaf).collect()
}

impl Spot<'_> {
    fn report(&mut self, member: &str, message: impl Into<String>) {
        let dot = if member.is_empty() { "" } else { "." };
        let key = format!("{}{dot}{member}", self.row);
        self.findings.push(Finding { span: self.span.clone(), key, message: message.into() });
    }
}

impl Form {
    /// The row, if what is written goes together.
    fn row(self, spot: &mut Spot<'_>) -> Option<Row> {
        let before = spot.findings.len();
        if !is_name(&self.name) {
            spot.report("name", "1 to 40 lower-case letters, digits and hyphens are needed");
        }
        let times = self.times.unwrap_or(1);
        if !(1..=10).contains(&times) {
            spot.report("times", format!("is {times}; 1 to 10 are allowed"));
        }
        let model = self.model.and_then(|model| model.trick(spot));
        let put = put(self.story, self.record, spot);
        let expect = self.expect.expect(spot);
        if matches!((&put, &expect), (Some(Put::Record { .. }), Some(expect)) if expect.is_published()) {
            spot.report("expect", "a record that comes out is a story: write it as one");
        }
        if model.is_some() && matches!(put, Some(Put::Record { .. })) {
            spot.report("model", "is never asked about a record that is no story");
        }
        let (put, expect) = (put?, expect?);
        (spot.findings.len() == before).then_some(Row { name: self.name, about: self.about, times, put, model, expect })
    }
}

fn put(story: Option<Story>, record: Option<Record>, spot: &mut Spot<'_>) -> Option<Put> {
    match (story, record) {
        (Some(story), None) => {
            check(&story, spot);
            Some(Put::Story(story))
        }
        (None, Some(record)) => record.put(spot),
        _ => {
            spot.report("", "has either a story or a record");
            None
        }
    }
}

fn check(story: &Story, spot: &mut Spot<'_>) {
    let language = &story.language;
    if !(2..=3).contains(&language.len()) || !language.bytes().all(|letter| letter.is_ascii_lowercase()) {
        spot.report("story.language", format!("is {language:?}; two or three lower-case letters are allowed"));
    }
    check_thread("story.thread", story.thread.as_deref(), spot);
    if story.take == 0 {
        spot.report("story.take", "is 0; takes are counted from 1");
    }
    if story.kind == Kind::Alert && !(story.body.is_empty() && story.body_bytes.is_none()) {
        spot.report("story.body", "an alert is a headline alone");
    }
    if story.kind == Kind::Correction && !story.headline.starts_with("CORRECTED-") {
        spot.report("story.headline", "a correction begins with CORRECTED-: a feed has no other mark for it");
    }
    if story.headline.is_empty() && story.headline_bytes.is_some() {
        spot.report("story.headline_bytes", "there is no headline that could be repeated");
    }
    for (member, given, most) in [
        ("story.headline_bytes", story.headline_bytes, MOST_BYTES),
        ("story.body_bytes", story.body_bytes, MOST_BYTES),
        ("story.id_bytes", story.id_bytes, 2048),
    ] {
        if let Some(given) = given.filter(|given| !(100..=most).contains(given)) {
            spot.report(member, format!("is {given}; 100 to {most} are allowed"));
        }
    }
}

fn check_thread(member: &str, thread: Option<&str>, spot: &mut Spot<'_>) {
    if let Some(thread) = thread.filter(|thread| !is_name(thread)) {
        spot.report(member, format!("is {thread:?}; 1 to 40 lower-case letters, digits and hyphens are allowed"));
    }
}

impl Record {
    fn put(self, spot: &mut Spot<'_>) -> Option<Put> {
        let Self { text, bytes, thread } = self;
        check_thread("record.thread", thread.as_deref(), spot);
        let data = match (text, bytes) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(bytes)) => bytes,
            _ => {
                spot.report("record", "has either a text or bytes");
                return None;
            }
        };
        Some(Put::Record { data, thread })
    }
}

impl Model {
    fn trick(self, spot: &mut Spot<'_>) -> Option<Trick> {
        match (self.refuses, self.unknown_labels) {
            (Some(text), false) if !text.is_empty() => Some(Trick::Refuses(text)),
            (None, true) => Some(Trick::UnknownLabels),
            _ => {
                spot.report("model", "either refuses a text, or has unknown_labels = true");
                None
            }
        }
    }
}

impl Expected {
    fn expect(self, spot: &mut Spot<'_>) -> Option<Expect> {
        let Self { sentiment, reason, quarantine } = self;
        let expect = match (sentiment, reason, quarantine) {
            (Some(Sentiment::Negative), None, None) => Expect::Judged(Label::Negative),
            (Some(Sentiment::Neutral), None, None) => Expect::Judged(Label::Neutral),
            (Some(Sentiment::Positive), None, None) => Expect::Judged(Label::Positive),
            (Some(Sentiment::Unjudged), Some(reason), None) => Expect::Unjudged(reason),
            (None, None, Some(code)) if !code.is_empty() => Expect::Quarantined(code),
            (Some(Sentiment::Unjudged), None, None) => {
                spot.report("expect.reason", "is missing: no_route, canceled or no_headline");
                return None;
            }
            (_, Some(_), None) => {
                spot.report("expect.reason", "goes with sentiment = \"unjudged\" only");
                return None;
            }
            _ => {
                spot.report("expect", "has either a sentiment or a quarantine");
                return None;
            }
        };
        Some(expect)
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
    (1..=40).contains(&text.len()) && text.bytes().all(allowed)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let problems = Vector::read("v.toml", text).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    /// A row that is fine, but for this.
    fn row(lines: &str) -> String {
        let put = if lines.contains("story") || lines.contains("record") { "" } else { "story.headline = \"h\"\n" };
        let name = if lines.contains("name =") { "" } else { "name = \"a\"\n" };
        let expect = if lines.contains("expect") { "" } else { "expect.sentiment = \"neutral\"\n" };
        format!("[[rows]]\n{name}{put}{expect}{lines}\n")
    }

    #[test]
    fn default_vector_has_every_kind_of_row() {
        let vector = Vector::read("vector.toml", super::super::DEFAULT).unwrap_or_else(|problems| panic!("{problems}"));
        let has = |is: &dyn Fn(&Row) -> bool| assert!(vector.rows.iter().any(is));
        has(&|row| row.times == 2);
        has(&|row| row.expect == Expect::Unjudged(Reason::NoRoute));
        has(&|row| row.put.story().is_some_and(|story| story.feed_only));
        for code in
            ["malformed", "aggregated", "newer_form", "out_of_range", "too_large", "model_refused", "unknown_label"]
        {
            has(&|row| row.expect == Expect::Quarantined(code.into()));
        }
        assert_eq!(vector.refused_texts().len(), 1);
        assert_eq!(vector.languages_without_sentiments(), ["sv"].into());
    }

    #[test]
    fn each_mistake_is_named_with_its_line() {
        for (lines, expected) in [
            ("name = \"A b\"", "v.toml:1:1: A b.name: 1 to 40 lower-case letters, digits and hyphens are needed"),
            ("times = 11", "v.toml:1:1: a.times: is 11; 1 to 10 are allowed"),
            ("tmies = 1", "v.toml:5:9: rows[0].tmies: unknown field `tmies`, expected one of"),
            ("story.headline = 7", "v.toml:4:18: rows[0].story.headline: invalid type: integer `7`, expected a string"),
            ("story.take = -1", "v.toml:4:14: rows[0].story.take: invalid value: integer `-1`, expected u32"),
            ("story.take = 0", "v.toml:1:1: a.story.take: is 0; takes are counted from 1"),
            (
                "story.language = \"EN\"",
                "v.toml:1:1: a.story.language: is \"EN\"; two or three lower-case letters are allowed",
            ),
            ("story = {kind = \"alert\", body = \"b\"}", "v.toml:1:1: a.story.body: an alert is a headline alone"),
            ("story = {kind = \"correction\"}", "v.toml:1:1: a.story.headline: a correction begins with CORRECTED-"),
            ("story.kind = \"rumour\"", "v.toml:4:14: rows[0].story.kind: unknown variant `rumour`, expected one of"),
            ("story.body_bytes = 2000000", "v.toml:1:1: a.story.body_bytes: is 2000000; 100 to 900000 are allowed"),
            ("story.headline_bytes = 200", "v.toml:1:1: a.story.headline_bytes: there is no headline that could be"),
            ("story.headline = \"\"\nrecord.text = \"\"", "v.toml:1:1: a: has either a story or a record"),
            ("record.text = \"t\"\nrecord.bytes = [1]", "v.toml:1:1: a.record: has either a text or bytes"),
            ("record.text = \"t\"", "v.toml:1:1: a.expect: a record that comes out is a story: write it as one"),
            ("expect.sentiment = \"glad\"", "v.toml:4:20: rows[0].expect.sentiment: unknown variant `glad`"),
            (
                "expect.sentiment = \"unjudged\"",
                "v.toml:1:1: a.expect.reason: is missing: no_route, canceled or no_headline",
            ),
            (
                "expect = {sentiment = \"neutral\", reason = \"canceled\"}",
                "v.toml:1:1: a.expect.reason: goes with sentiment",
            ),
            ("expect = {}", "v.toml:1:1: a.expect: has either a sentiment or a quarantine"),
            (
                "model.unknown_labels = false",
                "v.toml:1:1: a.model: either refuses a text, or has unknown_labels = true",
            ),
        ] {
            let found = problems(&row(lines));
            assert!(found.iter().any(|problem| problem.starts_with(expected)), "{lines}: {found:#?}");
        }
    }

    #[test]
    fn all_mistakes_of_a_file_are_named_at_once() {
        let text = format!(
            "title = 1\n{}{}{}",
            row("times = \"x\"\nstory.headline = 7"),
            row("name = \"b\"\ntimes = 0"),
            row("name = \"b\"")
        );
        let found = problems(&text);
        assert_eq!(found.len(), 5, "{found:#?}");
    }

    #[test]
    fn records_of_one_thread_could_not_be_told_apart() {
        let record = |name: &str, thread: &str| {
            row(&format!(
                "name = \"{name}\"\nrecord = {{text = \"t\", thread = \"{thread}\"}}\nexpect = {{quarantine = \"q\"}}"
            ))
        };
        assert!(Vector::read("v.toml", &(record("a", "x") + &record("b", "y"))).is_ok());
        assert_eq!(
            problems(&(record("a", "x") + &record("b", "x"))),
            ["v.toml:5:1: b.record.thread: another record has it"]
        );
        assert!(problems(&record("a", "X"))[0].starts_with("v.toml:1:1: a.record.thread: is \"X\"; 1 to 40"));
    }

    #[test]
    fn what_is_no_toml_or_has_no_rows_says_so() {
        assert!(problems("[[rows]\nname")[0].starts_with("v.toml:1:"), "{:?}", problems("[[rows]\nname"));
        assert_eq!(problems(""), ["v.toml:1:1: rows: there are none: a vector has [[rows]]"]);
        assert_eq!(problems("rows = [1]"), ["v.toml:1:9: rows[0]: is no table"]);
    }
}
