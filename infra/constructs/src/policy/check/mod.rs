//! What is wrong with a policy document, said before AWS says it, or before nobody does.
//!
//! Documents are read as values, so that a policy written by hand in an override is checked like one made
//! of statements. What cannot be known here, such as an ARN from outside, is taken to be right.

mod actions;
mod conditions;
mod keys;
mod principals;
mod resources;
#[cfg(test)]
mod right_tests;
#[cfg(test)]
mod tests;

pub(crate) use actions::problem as action_problem;
pub(crate) use principals::problem as service_problem;

use std::{borrow::Cow, fmt};

use crate::tree::{Part, Properties, Reference, Text, Value};

/// What a document is attached to; each has elements of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A role's or a user's policy: what its holder may do.
    Identity,
    /// A bucket's, key's or queue's policy: what others may do to it.
    Resource,
    /// A role's trust policy: who may become it.
    Trust,
}

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The element: `Statement[0].Action[2]`.
    pub place: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)
    }
}

/// Knows what references stand for. A closure will do.
pub trait Resolve {
    /// The ARN a reference yields, with `${…}` for what is not known: `arn:${Partition}:s3:::${BucketName}`.
    /// Nothing where that is not known at all, or where the reference yields no ARN.
    fn arn(&self, reference: Reference) -> Option<String>;
}

impl<F: Fn(Reference) -> Option<String>> Resolve for F {
    fn arn(&self, reference: Reference) -> Option<String> {
        self(reference)
    }
}

/// Everything wrong with a document, in its order. What is no document has nothing wrong with it.
///
/// ```
/// use constructs::policy::{Document, Statement, Use, check};
/// let document = Document::of([Statement::allow(["kinesis:PutRecord5"])
///     .on("arn:aws:kinesis:eu-west-1:111122223333:stream/news")]);
/// let findings = check(&document.to_value(), Use::Identity, &|_| None);
/// assert_eq!(
///     findings[0].to_string(),
///     "Statement[0].Action[0]: kinesis has no action `PutRecord5`; did you mean `kinesis:PutRecord`?"
/// );
/// ```
pub fn check(document: &Value, role: Use, resolve: &dyn Resolve) -> Vec<Finding> {
    let mut findings = Findings::default();
    let Some(document) = document_of(document) else { return findings.0 };
    let Value::Map(fields) = &*document else { return findings.0 };
    check_version(fields, &mut findings);
    check_sids(fields, role, &mut findings);
    for (place, statement) in entries("Statement", fields.get("Statement")) {
        match statement {
            Value::Map(fields) => check_statement(&Subject { place, fields, role, resolve }, &mut findings),
            other => findings.add(&place, format!("a statement is an object, not {}", other.word())),
        }
    }
    findings.0
}

/// The policy document in a value: an object with `Statement`, the same in a JSON string, or a literal
/// string that holds one as JSON.
pub fn document_of(value: &Value) -> Option<Cow<'_, Value>> {
    match value {
        Value::Map(fields) => fields.get("Statement").map(|_| Cow::Borrowed(value)),
        Value::Json(inner) => document_of(inner),
        Value::Text(text) => {
            let text = text.literal().filter(|text| text.trim_start().starts_with('{'))?;
            let parsed = Value::from(serde_json::from_str::<serde_json::Value>(text).ok()?);
            document_of(&parsed).is_some().then_some(Cow::Owned(parsed))
        }
        _ => None,
    }
}

const ELEMENTS: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

fn check_version(fields: &Properties, findings: &mut Findings) {
    let version = fields.get("Version").and_then(literal);
    if version != Some("2012-10-17") {
        let given = version.map_or("no version".to_owned(), |version| format!("version `{version}`"));
        findings.add("Version", format!("{given}; the policy language's current one is `2012-10-17`"));
    }
}

/// A name may be there once. Policies of roles take letters and digits only; keys and buckets are not so strict.
fn check_sids(fields: &Properties, role: Use, findings: &mut Findings) {
    let statements = entries("Statement", fields.get("Statement"));
    let sids = statements.iter().filter_map(|(place, statement)| match statement {
        Value::Map(fields) => Some((place, fields.get("Sid").and_then(literal)?)),
        _ => None,
    });
    let mut known: Vec<(&str, &str)> = Vec::new();
    for (place, sid) in sids {
        if let Some((_, first)) = known.iter().find(|(other, _)| *other == sid) {
            findings
                .add(&format!("{place}.Sid"), format!("`{sid}` is the name of {first} already; each is there once"));
        }
        let plain = sid.chars().all(|letter| letter.is_ascii_alphanumeric());
        if role != Use::Resource && !plain {
            findings.add(&format!("{place}.Sid"), format!("`{sid}` must be letters and digits"));
        }
        known.push((sid, place));
    }
}

fn check_statement(subject: &Subject<'_>, findings: &mut Findings) {
    for (name, _) in subject.fields.iter().filter(|(name, _)| !ELEMENTS.contains(name)) {
        findings.add(&subject.place, format!("a statement has no element `{name}`{}", did_you_mean(name, ELEMENTS)));
    }
    match subject.fields.get("Effect").and_then(literal) {
        Some("Allow" | "Deny") => {}
        Some(other) => findings.add(&subject.at("Effect"), format!("`{other}` is no effect; it is `Allow` or `Deny`")),
        None => findings.add(&subject.place, "`Effect` is missing; it is `Allow` or `Deny`"),
    }
    principals::check(subject, findings);
    let meaning = actions::check(subject, findings);
    resources::check(subject, &meaning, findings);
    conditions::check(subject, &meaning, findings);
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, place: &str, message: impl Into<String>) {
        self.0.push(Finding { place: place.to_owned(), message: message.into() });
    }
}

/// The statement that is looked at.
struct Subject<'a> {
    place: String,
    fields: &'a Properties,
    role: Use,
    resolve: &'a dyn Resolve,
}

impl Subject<'_> {
    fn at(&self, element: &str) -> String {
        format!("{}.{element}", self.place)
    }

    fn denies(&self) -> bool {
        self.fields.get("Effect").and_then(literal) == Some("Deny")
    }

    fn has(&self, element: &str) -> bool {
        self.fields.get(element).is_some_and(|value| *value != Value::Null)
    }

    /// The values of an element, which may be one or a list.
    fn values(&self, element: &str) -> Vec<(String, &Value)> {
        entries(&self.at(element), self.fields.get(element))
    }

    /// What is known of a part of a text.
    fn template(&self, part: &Part) -> Option<String> {
        match part {
            Part::Reference(reference) => self.resolve.arn(*reference),
            _ => None,
        }
    }
}

/// A value as a list with places: one value has the element's own place, a list's values an index.
fn entries<'a>(place: &str, value: Option<&'a Value>) -> Vec<(String, &'a Value)> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Json(inner)) => entries(place, Some(inner)),
        Some(Value::List(items)) => {
            items.iter().enumerate().map(|(index, item)| (format!("{place}[{index}]"), item)).collect()
        }
        Some(one) => vec![(place.to_owned(), one)],
    }
}

fn literal(value: &Value) -> Option<&str> {
    text(value)?.literal()
}

fn text(value: &Value) -> Option<&Text> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// `; did you mean …?`, or nothing if nothing is close.
fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}

/// The known name that is closest, if it differs in about every third letter at most.
fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_ascii_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&given, &name.to_ascii_lowercase());
    let ranked = known.into_iter().map(|name| (distance(name), name));
    let (distance, name) = ranked.min_by_key(|(distance, _)| *distance)?;
    (distance <= name.len() / 3).then_some(name)
}

/// The first few of many: `a, b and 3 more`.
fn some_of(names: &[String], at_most: usize) -> String {
    match names.len().checked_sub(at_most) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..at_most].join(", ")),
    }
}
