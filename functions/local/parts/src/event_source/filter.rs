//! `FilterCriteria`: which records reach the function.
//!
//! A pattern is a JSON object of the form that EventBridge and Lambda share. Every member must match. A member is
//! either an object, for what is nested, or a list, of which one element must match:
//!
//! | Element | Matches |
//! |---|---|
//! | `"text"`, `5`, `null`, `true`, `false` | the same value; numbers by value, `5` and `5.0` alike |
//! | `{"prefix": "a"}`, `{"suffix": "a"}` | texts that begin or end so |
//! | `{"equals-ignore-case": "a"}` | the text, whatever its case |
//! | `{"anything-but": "a"}`, a number, a list of either, or `{"prefix": "a"}` | any other value that is there |
//! | `{"numeric": [">", 0, "<=", 5]}` | numbers; `=`, `<`, `<=`, `>`, `>=` alone, or a range |
//! | `{"exists": true}`, `{"exists": false}` | a value that is there or isn't; values only, not objects |
//!
//! `"$or": [{…}, {…}]` matches when one of its patterns does. A list in the event matches if one of its elements does.
//!
//! Numbers of DynamoDB are texts in the event, `{"N": "5"}`: `"5"` matches them, `numeric` never does.

use std::{cmp::Ordering, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::mapping::Service;

/// The most filters of a mapping.
pub(super) const MOST_FILTERS: usize = 5;
/// The longest pattern, in characters.
const LONGEST_PATTERN: usize = 4096;
/// EventBridge's and Lambda's range of numbers in `numeric`.
const LARGEST_NUMBER: f64 = 5.0e9;

/// A filter of a mapping: a pattern that has been read.
///
/// ```
/// use local::event_source::{Filter, Service};
/// use serde_json::json;
///
/// let stories = Filter::read(r#"{"data": {"kind": ["story", {"prefix": "alert"}]}}"#, Service::Kinesis).unwrap();
/// // Data comes in base64: {"kind":"story"}
/// assert!(stories.matches(&json!({ "kinesis": { "data": "eyJraW5kIjoic3RvcnkifQ==" } })));
/// assert!(!stories.matches(&json!({ "kinesis": { "data": "bm8gSlNPTg==" } })));
///
/// let error = Filter::read(r#"{"data": {"kind": "story"}}"#, Service::Kinesis).unwrap_err();
/// assert_eq!(error.to_string(), r#"data.kind is "story"; a list of what matches, or an object, is wanted"#);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    text: String,
    service: Service,
    pattern: Pattern,
}

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPattern(String);

#[derive(Debug, Clone, PartialEq)]
struct Pattern {
    fields: Vec<(String, Field)>,
    /// For each `$or`, its patterns.
    alternatives: Vec<Vec<Pattern>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Field {
    Nested(Pattern),
    OneOf(Vec<Rule>),
}

#[derive(Debug, Clone, PartialEq)]
enum Rule {
    Is(Value),
    Prefix(String),
    Suffix(String),
    IgnoringCase(String),
    /// The value is there and is none of these.
    NoneOf(Vec<Value>),
    NotPrefixed(String),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Filter {
    /// Reads a pattern, the text of `FilterCriteria.Filters[].Pattern`.
    ///
    /// For Kinesis only `data` can be filtered, for DynamoDB any member of the record (`eventName`, `dynamodb`, …).
    ///
    /// # Errors
    ///
    /// When it is longer than 4096 characters, no JSON, or not of a pattern's form: where, what is there, and what is
    /// allowed.
    pub fn read(text: &str, service: Service) -> Result<Self, BadPattern> {
        let length = text.chars().count();
        if length > LONGEST_PATTERN {
            return Err(BadPattern(format!("it has {length} characters; {LONGEST_PATTERN} are allowed")));
        }
        let json: Value = serde_json::from_str(text).map_err(|error| BadPattern(format!("it is no JSON: {error}")))?;
        let Value::Object(members) = json else { return Err(bad("", &json, "an object is wanted")) };
        let pattern = Pattern::read("", &members)?;
        if service == Service::Kinesis {
            pattern.only_data()?;
        }
        Ok(Self { text: text.to_owned(), service, pattern })
    }

    /// Whether a record of the event, in the form the function would get it, passes.
    ///
    /// Data of Kinesis is decoded first. Where the pattern wants an object it must be JSON, where it wants a value it
    /// must be text (UTF-8); a record of another form doesn't pass.
    pub fn matches(&self, record: &Value) -> bool {
        match self.service {
            Service::DynamoDb => self.pattern.matches(Some(record)),
            Service::Kinesis => self.matches_data(record["kinesis"]["data"].as_str().unwrap_or_default()),
        }
    }

    /// The pattern as it was written.
    pub fn pattern(&self) -> &str {
        &self.text
    }

    fn matches_data(&self, data: &str) -> bool {
        let Ok(data) = STANDARD.decode(data) else { return false };
        self.pattern.matches_data(&data)
    }
}

impl Pattern {
    fn read(path: &str, members: &Map<String, Value>) -> Result<Self, BadPattern> {
        if members.is_empty() {
            return Err(BadPattern(format!("{} is empty; it needs a member", name(path))));
        }
        let mut pattern = Self { fields: Vec::new(), alternatives: Vec::new() };
        for (member, value) in members {
            let path = if path.is_empty() { member.clone() } else { format!("{path}.{member}") };
            if member == "$or" {
                pattern.alternatives.push(alternatives(&path, value)?);
            } else {
                pattern.fields.push((member.clone(), Field::read(&path, value)?));
            }
        }
        Ok(pattern)
    }

    fn only_data(&self) -> Result<(), BadPattern> {
        if let Some((other, _)) = self.fields.iter().find(|(field, _)| field != "data") {
            return Err(BadPattern(format!("{other} can't be filtered; of a Kinesis record only data can")));
        }
        self.alternatives.iter().flatten().try_for_each(Self::only_data)
    }

    fn matches(&self, value: Option<&Value>) -> bool {
        if let Some(Value::Array(elements)) = value
            && !elements.is_empty()
        {
            return elements.iter().any(|element| self.matches(Some(element)));
        }
        let member = |name: &str| value.and_then(|value| value.get(name));
        let either = |patterns: &Vec<Self>| patterns.iter().any(|pattern| pattern.matches(value));
        self.fields.iter().all(|(name, field)| field.matches(member(name))) && self.alternatives.iter().all(either)
    }

    /// The same where the only member is `data`, which is JSON for a nested pattern and text for a value.
    fn matches_data(&self, data: &[u8]) -> bool {
        let field = |(_, field): &(String, Field)| match field {
            Field::Nested(pattern) => {
                serde_json::from_slice::<Value>(data).is_ok_and(|json| pattern.matches(Some(&json)))
            }
            Field::OneOf(_) => std::str::from_utf8(data).is_ok_and(|text| field.matches(Some(&text.into()))),
        };
        let either = |patterns: &Vec<Self>| patterns.iter().any(|pattern| pattern.matches_data(data));
        self.fields.iter().all(field) && self.alternatives.iter().all(either)
    }
}

fn alternatives(path: &str, value: &Value) -> Result<Vec<Pattern>, BadPattern> {
    let wanted = || bad(path, value, "a list of two or more objects is wanted");
    let list = value.as_array().filter(|list| list.len() > 1).ok_or_else(wanted)?;
    let read = |(place, value): (usize, &Value)| {
        let members = value.as_object().ok_or_else(wanted)?;
        Pattern::read(&format!("{path}[{place}]"), members)
    };
    list.iter().enumerate().map(read).collect()
}

impl Field {
    fn read(path: &str, value: &Value) -> Result<Self, BadPattern> {
        match value {
            Value::Object(members) => Ok(Self::Nested(Pattern::read(path, members)?)),
            Value::Array(rules) if rules.is_empty() => Err(bad(path, value, "a list needs an element")),
            Value::Array(rules) => {
                let rules = rules.iter().enumerate().map(|(place, rule)| Rule::read(&format!("{path}[{place}]"), rule));
                Ok(Self::OneOf(rules.collect::<Result<_, _>>()?))
            }
            _ => Err(bad(path, value, "a list of what matches, or an object, is wanted")),
        }
    }

    fn matches(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Nested(pattern) => pattern.matches(value),
            Self::OneOf(rules) => rules.iter().any(|rule| rule.matches(value)),
        }
    }
}

impl Rule {
    fn read(path: &str, value: &Value) -> Result<Self, BadPattern> {
        let members = match value {
            Value::Array(_) => return Err(bad(path, value, "a value or a rule is wanted, no list")),
            Value::Object(members) => members,
            _ => return Ok(Self::Is(value.clone())),
        };
        let mut members = members.iter();
        let (Some((rule, argument)), None) = (members.next(), members.next()) else {
            return Err(bad(path, value, "a rule is an object with one member"));
        };
        let path = format!("{path}.{rule}");
        let text = || argument.as_str().map(str::to_owned).ok_or_else(|| bad(&path, argument, "a text is wanted"));
        match rule.as_str() {
            "prefix" => text().map(Self::Prefix),
            "suffix" => text().map(Self::Suffix),
            "equals-ignore-case" => text().map(|text| Self::IgnoringCase(text.to_lowercase())),
            "anything-but" => Self::anything_but(&path, argument),
            "numeric" => numeric(&path, argument).map(Self::Numeric),
            "exists" => {
                let exists = argument.as_bool();
                exists.map(Self::Exists).ok_or_else(|| bad(&path, argument, "true or false is wanted"))
            }
            _ => Err(BadPattern(format!(
                "{path} is no rule; prefix, suffix, anything-but, numeric, exists and equals-ignore-case are"
            ))),
        }
    }

    fn anything_but(path: &str, argument: &Value) -> Result<Self, BadPattern> {
        let all = |list: &[Value], one: fn(&Value) -> bool| !list.is_empty() && list.iter().all(one);
        match argument {
            Value::String(_) | Value::Number(_) => Ok(Self::NoneOf(vec![argument.clone()])),
            Value::Array(list) if all(list, Value::is_string) || all(list, Value::is_number) => {
                Ok(Self::NoneOf(list.clone()))
            }
            Value::Object(members) if members.len() == 1 && members.get("prefix").is_some_and(Value::is_string) => {
                Ok(Self::NotPrefixed(members["prefix"].as_str().unwrap_or_default().to_owned()))
            }
            _ => Err(bad(
                path,
                argument,
                r#"a text, a number, a list of texts, a list of numbers or {"prefix": text} is wanted"#,
            )),
        }
    }

    fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (rule, Some(Value::Array(elements))) if !elements.is_empty() => {
                elements.iter().any(|element| rule.matches(Some(element)))
            }
            // An object is no value, and an empty list has none.
            (Self::Exists(exists), None | Some(Value::Object(_) | Value::Array(_))) => !exists,
            (Self::Exists(exists), Some(_)) => *exists,
            (_, None | Some(Value::Object(_) | Value::Array(_))) => false,
            (Self::Is(expected), Some(value)) => same(expected, value),
            (Self::NoneOf(others), Some(value)) => !others.iter().any(|other| same(other, value)),
            (Self::NotPrefixed(start), Some(value)) => !value.as_str().is_some_and(|text| text.starts_with(start)),
            (Self::Prefix(start), Some(value)) => value.as_str().is_some_and(|text| text.starts_with(start)),
            (Self::Suffix(end), Some(value)) => value.as_str().is_some_and(|text| text.ends_with(end)),
            (Self::IgnoringCase(lower), Some(value)) => {
                value.as_str().is_some_and(|text| text.to_lowercase() == *lower)
            }
            (Self::Numeric(bounds), Some(value)) => {
                let holds = |number: f64| bounds.iter().all(|(comparison, bound)| comparison.holds(number, *bound));
                value.as_f64().is_some_and(holds)
            }
        }
    }
}

/// Equal, numbers by their value.
fn same(expected: &Value, value: &Value) -> bool {
    match (expected.as_f64(), value.as_f64()) {
        (Some(expected), Some(value)) => Comparison::Equal.holds(value, expected),
        _ => expected == value,
    }
}

fn numeric(path: &str, argument: &Value) -> Result<Vec<(Comparison, f64)>, BadPattern> {
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};

    let wanted = || {
        let form = "a comparison (=, <, <=, >, >=) and a number is wanted, or a range such as [\">\", 0, \"<=\", 5], of numbers within ±5e9";
        bad(path, argument, form)
    };
    let list = argument.as_array().filter(|list| matches!(list.len(), 2 | 4)).ok_or_else(wanted)?;
    let bound = |pair: &[Value]| {
        let comparison = pair[0].as_str().and_then(Comparison::read)?;
        let number = pair[1].as_f64().filter(|number| number.abs() <= LARGEST_NUMBER)?;
        Some((comparison, number))
    };
    let bounds: Option<Vec<_>> = list.chunks_exact(2).map(bound).collect();
    let bounds = bounds.ok_or_else(wanted)?;
    match *bounds.as_slice() {
        [_] => Ok(bounds),
        [(Greater | GreaterOrEqual, low), (Less | LessOrEqual, high)] if low < high => Ok(bounds),
        _ => Err(wanted()),
    }
}

impl Comparison {
    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "=" => Self::Equal,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Equal => number.partial_cmp(&bound).is_some_and(Ordering::is_eq),
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
        }
    }
}

fn name(path: &str) -> &str {
    if path.is_empty() { "the pattern" } else { path }
}

fn bad(path: &str, value: &Value, wanted: &str) -> BadPattern {
    BadPattern(format!("{} is {value}; {wanted}", name(path)))
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadPattern {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(rule: &Value, event: &Value) -> bool {
        let pattern = json!({ "dynamodb": { "a": rule } }).to_string();
        let record = json!({ "dynamodb": event });
        Filter::read(&pattern, Service::DynamoDb).unwrap_or_else(|error| panic!("{rule}: {error}")).matches(&record)
    }

    #[test]
    fn every_rule_matches_what_it_says_and_nothing_else() {
        for (rule, yes, no) in [
            (json!(["x"]), json!(["x", ["y", "x"]]), json!(["X", 1, null, [], ["y"], { "x": 1 }])),
            (json!(["5"]), json!(["5"]), json!([5])),
            (json!([5]), json!([5, 5.0, [4, 5]]), json!(["5", 5.1])),
            (json!([""]), json!([""]), json!([null, " "])),
            (json!([null]), json!([null]), json!(["null", 0, false, ""])),
            (json!([true]), json!([true]), json!([false, "true", 1])),
            (json!(["x", 1]), json!(["x", 1]), json!(["y", 2])),
            (json!([{ "prefix": "ab" }]), json!(["ab", "abc", ["z", "abz"]]), json!(["a", "zab", 1])),
            (json!([{ "suffix": "bc" }]), json!(["bc", "abc"]), json!(["bcd", null])),
            (json!([{ "equals-ignore-case": "Ab" }]), json!(["ab", "AB"]), json!(["abc", 1])),
            (json!([{ "anything-but": "x" }]), json!(["y", 1, ["x", "y"]]), json!(["x", ["x"], { "b": 1 }])),
            (json!([{ "anything-but": ["x", "y"] }]), json!(["z"]), json!(["x", "y"])),
            (json!([{ "anything-but": [1, 2] }]), json!([3, "1"]), json!([1, 2.0])),
            (json!([{ "anything-but": { "prefix": "x" } }]), json!(["y", 1]), json!(["x", "xy"])),
            (json!([{ "numeric": [">", 0, "<=", 5] }]), json!([0.1, 5, [9, 3]]), json!([0, 5.1, "3", null])),
            (json!([{ "numeric": ["=", 5] }]), json!([5, 5.0]), json!([4, "5"])),
            (json!([{ "numeric": [">=", 5] }]), json!([5, 6]), json!([4.9])),
            (json!([{ "numeric": ["<", 5] }]), json!([4.9, -1]), json!([5])),
            (json!([{ "exists": true }]), json!(["x", null, 0, false, ["x"]]), json!([{ "b": 1 }, []])),
            (
                json!({ "b": ["x"] }),
                json!([{ "b": "x" }, [{ "b": "y" }, { "b": "x" }]]),
                json!([{ "b": "y" }, "x", []]),
            ),
        ] {
            for value in yes.as_array().unwrap() {
                assert!(matches(&rule, &json!({ "a": value })), "{rule} should match {value}");
            }
            for value in no.as_array().unwrap() {
                assert!(!matches(&rule, &json!({ "a": value })), "{rule} should not match {value}");
            }
        }
    }

    #[test]
    fn what_is_absent_only_matches_a_rule_that_says_so() {
        for rule in [json!(["x"]), json!([null]), json!([{ "anything-but": "x" }]), json!([{ "exists": true }])] {
            assert!(!matches(&rule, &json!({})), "{rule}");
        }
        assert!(matches(&json!([{ "exists": false }]), &json!({})));
        assert!(!matches(&json!([{ "exists": false }]), &json!({ "a": null })));
        assert!(matches(&json!([{ "exists": false }, "x"]), &json!({ "a": "x" })));
        assert!(matches(&json!({ "b": { "c": [{ "exists": false }] } }), &json!({})));
    }

    #[test]
    fn every_member_must_match_and_one_of_an_or() {
        let pattern = json!({
            "eventName": ["INSERT"],
            "$or": [{ "dynamodb": { "NewImage": { "kind": { "S": ["story"] } } } }, { "awsRegion": ["eu-west-1"] }],
        });
        let filter = Filter::read(&pattern.to_string(), Service::DynamoDb).unwrap();
        let record = |name: &str, kind: &str, region: &str| json!({ "eventName": name, "awsRegion": region, "dynamodb": { "NewImage": { "kind": { "S": kind } } } });
        assert!(filter.matches(&record("INSERT", "story", "x")));
        assert!(filter.matches(&record("INSERT", "alert", "eu-west-1")));
        assert!(!filter.matches(&record("INSERT", "alert", "x")));
        assert!(!filter.matches(&record("MODIFY", "story", "eu-west-1")));
    }

    #[test]
    fn data_of_kinesis_is_decoded_and_must_be_of_the_patterns_form() {
        let passes = |pattern: Value, data: &[u8]| {
            let record = json!({ "kinesis": { "data": STANDARD.encode(data) } });
            Filter::read(&pattern.to_string(), Service::Kinesis).unwrap().matches(&record)
        };
        let object = || json!({ "data": { "language": ["en"] } });
        assert!(passes(object(), br#"{"language":"en"}"#));
        assert!(!passes(object(), br#"{"language":"de"}"#));
        assert!(!passes(object(), b"language: en"), "no JSON");
        assert!(!passes(json!({ "data": { "language": [{ "exists": false }] } }), b"no JSON"));
        assert!(passes(json!({ "data": [{ "prefix": "lang" }] }), b"language: en"));
        assert!(!passes(json!({ "data": [{ "anything-but": "x" }] }), b"\xff\xfe"), "no text");
        let either = json!({ "$or": [{ "data": ["x"] }, { "data": { "a": [1] } }] });
        assert!(passes(either.clone(), b"x") && passes(either.clone(), br#"{"a":1}"#) && !passes(either, b"y"));
    }

    #[test]
    fn a_pattern_that_is_none_says_where_and_what_is_allowed() {
        let long = format!(r#"{{"a":["{}"]}}"#, "x".repeat(4096));
        for (pattern, expected) in [
            ("nonsense", "it is no JSON: expected ident at line 1 column 2"),
            (long.as_str(), "it has 4106 characters; 4096 are allowed"),
            ("[]", "the pattern is []; an object is wanted"),
            ("{}", "the pattern is empty; it needs a member"),
            (r#"{"a":{}}"#, "a is empty; it needs a member"),
            (r#"{"a":[]}"#, "a is []; a list needs an element"),
            (r#"{"a":"x"}"#, r#"a is "x"; a list of what matches, or an object, is wanted"#),
            (r#"{"a":{"b":[["x"]]}}"#, r#"a.b[0] is ["x"]; a value or a rule is wanted, no list"#),
            (r#"{"a":[{"prefix":1}]}"#, "a[0].prefix is 1; a text is wanted"),
            (r#"{"a":[{"exists":"yes"}]}"#, r#"a[0].exists is "yes"; true or false is wanted"#),
            (r#"{"a":[{"prefix":"a","suffix":"b"}]}"#, "a rule is an object with one member"),
            (r#"{"a":[{"wildcard":"*"}]}"#, "a[0].wildcard is no rule; prefix, suffix, anything-but,"),
            (r#"{"a":[{"anything-but":["x",1]}]}"#, "a list of texts, a list of numbers"),
            (r#"{"a":[{"anything-but":true}]}"#, "a[0].anything-but is true; a text, a number,"),
            (r#"{"a":[{"numeric":["=="]}]}"#, "a[0].numeric is [\"==\"]; a comparison"),
            (r#"{"a":[{"numeric":["==",1]}]}"#, "a comparison (=, <, <=, >, >=) and a number is wanted"),
            (r#"{"a":[{"numeric":["=",6e9]}]}"#, "within ±5e9"),
            (r#"{"a":[{"numeric":[">",5,"<",5]}]}"#, "or a range such as"),
            (r#"{"a":[{"numeric":["<",5,">",1]}]}"#, "or a range such as"),
            (r#"{"$or":[{"a":[1]}]}"#, "$or is [{\"a\":[1]}]; a list of two or more objects is wanted"),
            (r#"{"$or":{"a":[1]}}"#, "a list of two or more objects is wanted"),
        ] {
            let error = Filter::read(pattern, Service::DynamoDb).expect_err(pattern).to_string();
            assert!(error.contains(expected), "{pattern}: {error}");
        }
        let error = Filter::read(r#"{"partitionKey":["a"]}"#, Service::Kinesis).unwrap_err().to_string();
        assert_eq!(error, "partitionKey can't be filtered; of a Kinesis record only data can");
    }
}
