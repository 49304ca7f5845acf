//! Filters: which records are worth a call. What no filter lets through is gone, and costs nothing.
//!
//! A filter holds when all of its fields hold; several filters of one source are alternatives.

use std::{
    marker::PhantomData,
    ops::{Bound, RangeBounds},
};

use serde_json::{Map, Value as Json, json};

use super::source::{DynamoDb, Kinesis, Sqs};

/// The quota "Maximum length of a filter pattern".
const LONGEST_PATTERN: usize = 4096;

/// Which records of a source a function is called for.
///
/// ```
/// use constructs::services::lambda::{EventName, Filter, one_of, prefix, text};
/// let english = Filter::data().field("language", one_of(["en"])).field("headline", prefix("Fed"));
/// let stories = Filter::event_name([EventName::Insert]).new_image("kind", text(["story"]));
/// ```
///
/// A filter for one kind of source is refused by the others, as their records have other fields:
///
/// ```compile_fail
/// use constructs::{services::{kinesis::Stream, lambda::{EventName, Filter}}, tree::App};
/// let mut app = App::new("newsloom");
/// let news = app.stack("enrichment").add("News", Stream::on_demand());
/// news.records().filter(Filter::event_name([EventName::Insert]));
/// ```
#[derive(Debug, Clone)]
pub struct Filter<K> {
    pattern: Map<String, Json>,
    kind: PhantomData<K>,
}

/// What happened to an item of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventName {
    /// It is new.
    Insert,
    /// It was changed.
    Modify,
    /// It was removed, by somebody or by its time to live.
    Remove,
}

impl Filter<Kinesis> {
    /// Records whose data is a JSON object; say which with [`Filter::field`]. Records with other data are dropped.
    pub fn data() -> Self {
        Self::empty()
    }

    /// Records whose data is plain text that matches.
    pub fn data_is(pattern: impl Into<Pattern>) -> Self {
        Self::empty().with(&["data"], pattern.into().0.into())
    }

    /// A field of the data.
    pub fn field(self, name: &str, pattern: impl Into<Pattern>) -> Self {
        self.with(&["data", name], pattern.into().0.into())
    }

    /// A field inside other fields of the data, from the outside in.
    pub fn nested<const N: usize>(self, names: [&str; N], pattern: impl Into<Pattern>) -> Self {
        self.with(&[&["data"], names.as_slice()].concat(), pattern.into().0.into())
    }
}

impl Filter<Sqs> {
    /// Messages whose body is a JSON object; say which with [`Filter::field`]. Messages with other bodies are
    /// dropped.
    pub fn body() -> Self {
        Self::empty()
    }

    /// Messages whose body is plain text that matches.
    pub fn body_is(pattern: impl Into<Pattern>) -> Self {
        Self::empty().with(&["body"], pattern.into().0.into())
    }

    /// A field of the body.
    pub fn field(self, name: &str, pattern: impl Into<Pattern>) -> Self {
        self.with(&["body", name], pattern.into().0.into())
    }

    /// A field inside other fields of the body, from the outside in.
    pub fn nested<const N: usize>(self, names: [&str; N], pattern: impl Into<Pattern>) -> Self {
        self.with(&[&["body"], names.as_slice()].concat(), pattern.into().0.into())
    }
}

impl Filter<DynamoDb> {
    /// Changes of these kinds. The Lambda guide tells only of the item's attributes, and AWS's own CDK filters
    /// this way: keep a check in the code.
    pub fn event_name(names: impl IntoIterator<Item = EventName>) -> Self {
        let words: Vec<Json> = names.into_iter().map(|name| name.word().into()).collect();
        Self::empty().with(&["eventName"], words.into())
    }

    /// Changes of every kind; say of which items.
    pub fn any_change() -> Self {
        Self::empty()
    }

    /// An attribute of the item after the change. The stream must carry new images.
    pub fn new_image(self, name: &str, attribute: Attribute) -> Self {
        self.attribute("NewImage", name, attribute)
    }

    /// An attribute of the item before the change. The stream must carry old images.
    pub fn old_image(self, name: &str, attribute: Attribute) -> Self {
        self.attribute("OldImage", name, attribute)
    }

    /// An attribute of the item's key.
    pub fn key(self, name: &str, attribute: Attribute) -> Self {
        self.attribute("Keys", name, attribute)
    }

    fn attribute(self, image: &str, name: &str, Attribute { kind, pattern }: Attribute) -> Self {
        self.with(&["dynamodb", image, name, kind], pattern.0.into())
    }
}

impl<K> Filter<K> {
    fn empty() -> Self {
        Self { pattern: Map::new(), kind: PhantomData }
    }

    fn with(mut self, path: &[&str], pattern: Json) -> Self {
        set(&mut self.pattern, path, pattern);
        self
    }

    /// The finished pattern, or what is wrong with it.
    pub(super) fn finish(self) -> Result<Json, String> {
        let pattern = Json::Object(self.pattern);
        if pattern == json!({}) {
            return Err("a filter says nothing; name a field, or leave the filter out".to_owned());
        }
        if let Some(field) = without_alternatives(&pattern, "") {
            return Err(format!("the filter's field `{field}` has no values, so nothing would pass; name one"));
        }
        let length = pattern.to_string().chars().count();
        if length > LONGEST_PATTERN {
            return Err(format!("a filter has {length} characters; Lambda takes up to 4096"));
        }
        Ok(pattern)
    }
}

impl EventName {
    fn word(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Modify => "MODIFY",
            Self::Remove => "REMOVE",
        }
    }
}

fn set(map: &mut Map<String, Json>, path: &[&str], pattern: Json) {
    match path {
        [] => {}
        [last] => {
            map.insert((*last).to_owned(), pattern);
        }
        [first, rest @ ..] => {
            let slot = map.entry(*first).or_insert_with(|| json!({}));
            if !slot.is_object() {
                *slot = json!({});
            }
            if let Json::Object(inner) = slot {
                set(inner, rest, pattern);
            }
        }
    }
}

fn without_alternatives(pattern: &Json, path: &str) -> Option<String> {
    match pattern {
        Json::Array(alternatives) if alternatives.is_empty() => Some(path.to_owned()),
        Json::Object(fields) => fields.iter().find_map(|(name, inner)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            without_alternatives(inner, &path)
        }),
        _ => None,
    }
}

/// What a value has to be: one of several alternatives.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern(Vec<Json>);

impl Pattern {
    /// This, or another.
    pub fn or(mut self, other: impl Into<Self>) -> Self {
        self.0.extend(other.into().0);
        self
    }
}

impl<T: Into<Json>, const N: usize> From<[T; N]> for Pattern {
    /// One of the values, see [`one_of`].
    fn from(values: [T; N]) -> Self {
        one_of(values)
    }
}

/// One of the values, exactly: strings, numbers, booleans or null.
pub fn one_of<T: Into<Json>>(values: impl IntoIterator<Item = T>) -> Pattern {
    // Numbers as such compare as they are written, so that 300 isn't 300.0.
    let exactly = |value: Json| if value.is_number() { json!({"numeric": ["=", whole(value)]}) } else { value };
    Pattern(values.into_iter().map(Into::into).map(exactly).collect())
}

/// None of the values: strings or numbers.
pub fn anything_but<T: Into<Json>>(values: impl IntoIterator<Item = T>) -> Pattern {
    let values: Vec<Json> = values.into_iter().map(Into::into).map(whole).collect();
    Pattern(vec![json!({"anything-but": values})])
}

/// A string that begins so.
pub fn prefix(beginning: &str) -> Pattern {
    Pattern(vec![json!({"prefix": beginning})])
}

/// A string that ends so.
pub fn suffix(end: &str) -> Pattern {
    Pattern(vec![json!({"suffix": end})])
}

/// A string, whether its letters are small or capital.
pub fn equals_ignore_case(text: &str) -> Pattern {
    Pattern(vec![json!({"equals-ignore-case": text})])
}

/// A number in a range: `within(0.5..)`, `within(0.0..=1.0)`.
pub fn within(range: impl RangeBounds<f64>) -> Pattern {
    let mut bounds: Vec<Json> = Vec::new();
    let mut add = |operator: &str, number: f64| bounds.extend([operator.into(), whole(number.into())]);
    match range.start_bound() {
        Bound::Included(least) => add(">=", *least),
        Bound::Excluded(below) => add(">", *below),
        Bound::Unbounded => {}
    }
    match range.end_bound() {
        Bound::Included(most) => add("<=", *most),
        Bound::Excluded(above) => add("<", *above),
        Bound::Unbounded => {}
    }
    if bounds.is_empty() { exists() } else { Pattern(vec![json!({"numeric": bounds})]) }
}

/// Any value, as long as the field is there.
pub fn exists() -> Pattern {
    Pattern(vec![json!({"exists": true})])
}

/// The field is not there.
pub fn absent() -> Pattern {
    Pattern(vec![json!({"exists": false})])
}

/// Whole numbers are written without a fraction.
fn whole(value: Json) -> Json {
    let integer = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15);
    match integer {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and far from the ends")]
        Some(number) if value.is_f64() => json!(number as i64),
        _ => value,
    }
}

/// An attribute of an item and its type, as DynamoDB writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    kind: &'static str,
    pattern: Pattern,
}

/// A string attribute: `text(["story"])`, `text(prefix("urn:"))`.
pub fn text(pattern: impl Into<Pattern>) -> Attribute {
    Attribute { kind: "S", pattern: pattern.into() }
}

/// A number attribute that is one of these, written as DynamoDB writes it: `number(["1", "2.5"])`. DynamoDB
/// sends numbers as strings, so there are no ranges.
pub fn number<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Attribute {
    Attribute { kind: "N", pattern: Pattern(values.into_iter().map(|value| value.into().into()).collect()) }
}

/// A boolean attribute.
pub fn boolean(value: bool) -> Attribute {
    Attribute { kind: "BOOL", pattern: Pattern(vec![value.into()]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_what_lambda_reads() {
        let fields = Filter::data()
            .field("language", ["en", "de"])
            .field("urgency", one_of([1]).or(within(3.0..=5.0)))
            .field("score", within(0.5..))
            .field("headline", prefix("Fed").or(suffix("!")))
            .nested(["story", "provider"], anything_but(["test"]))
            .field("symbols", exists())
            .field("replaces", absent())
            .field("kind", equals_ignore_case("Story"));
        let expected = json!({"data": {
            "language": ["en", "de"],
            "urgency": [{"numeric": ["=", 1]}, {"numeric": [">=", 3, "<=", 5]}],
            "score": [{"numeric": [">=", 0.5]}],
            "headline": [{"prefix": "Fed"}, {"suffix": "!"}],
            "story": {"provider": [{"anything-but": ["test"]}]},
            "symbols": [{"exists": true}],
            "replaces": [{"exists": false}],
            "kind": [{"equals-ignore-case": "Story"}],
        }});
        assert_eq!(fields.finish(), Ok(expected));

        let items = Filter::event_name([EventName::Insert, EventName::Modify])
            .new_image("kind", text(["story"]))
            .old_image("version", number(["1"]))
            .key("deleted", boolean(true));
        let expected = json!({"eventName": ["INSERT", "MODIFY"], "dynamodb": {
            "NewImage": {"kind": {"S": ["story"]}},
            "OldImage": {"version": {"N": ["1"]}},
            "Keys": {"deleted": {"BOOL": [true]}},
        }});
        assert_eq!(items.finish(), Ok(expected));

        assert_eq!(Filter::body_is(prefix("retry")).finish(), Ok(json!({"body": [{"prefix": "retry"}]})));
    }

    #[test]
    fn filters_that_lambda_refuses_or_nobody_means_are_refused() {
        let nothing = Filter::any_change().finish();
        assert_eq!(nothing, Err("a filter says nothing; name a field, or leave the filter out".into()));
        let none = Filter::data().field("language", one_of([""; 0])).finish();
        assert_eq!(
            none,
            Err("the filter's field `data.language` has no values, so nothing would pass; name one".into())
        );
        let long = Filter::body().field("text", one_of(["x".repeat(4096)])).finish();
        assert_eq!(long, Err("a filter has 4118 characters; Lambda takes up to 4096".into()));
    }
}
