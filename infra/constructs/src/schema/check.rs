//! Holds properties against a schema. All findings, in the order the properties were set.

use std::fmt;

use super::{
    Backend, Kind, References,
    references::{Judge, only_arns},
    relations,
    shape::{List, Number, Object, Property, Schema, Shape, Text},
    words,
};
use crate::tree::{Properties, Text as Said, Value};

/// Something a schema does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where: `production_variants[0].instance_type`.
    pub path: String,
    /// What is wrong and what is allowed. Names the path's last step.
    pub message: String,
}

/// What a schema has to say against properties; nothing is good.
///
/// ```
/// use constructs::schema::{Backend, Kind, Schemas, check};
/// use constructs::tree::Properties;
/// let schemas = Schemas::new(Backend::CloudFormation);
/// let stream = schemas.find(Kind::Resource, "AWS::Kinesis::Stream").unwrap();
/// let findings = check(&stream, &Properties::default().set("RetentionPeriodHours", 12), &());
/// assert_eq!(findings[0].message, "RetentionPeriodHours is 12; allowed is 24 to 8760");
/// ```
pub fn check(schema: &Schema, properties: &Properties, references: &dyn References) -> Vec<Finding> {
    let mut checker = Checker { schema, judge: Judge::new(schema.backend, references), findings: Vec::new() };
    checker.object(&Place::ROOT, &schema.root, properties);
    checker.findings
}

struct Checker<'a> {
    schema: &'a Schema,
    judge: Judge<'a>,
    findings: Vec<Finding>,
}

impl Checker<'_> {
    fn object(&mut self, place: &Place<'_>, object: &Object, properties: &Properties) {
        for (name, value) in properties.iter() {
            self.property(&place.name(name), object, value);
        }
        for property in &object.properties {
            if property.required && !is_there(property, properties) {
                let message = format!("{} is missing", property.name);
                self.find(&place.name(&property.name), message);
            }
        }
        for relation in &object.relations {
            if let Some((name, message)) = relations::broken(relation, properties) {
                self.find(&place.name(name), message);
            }
        }
    }

    fn property(&mut self, place: &Place<'_>, object: &Object, value: &Value) {
        let name = place.last_name();
        match object.property(name) {
            _ if self.is_everywhere(place) || matches!(value, Value::Null) => {}
            Some(property) if property.read_only => {
                self.find(place, format!("{name} is read-only; it cannot be set"));
            }
            Some(property) => self.value(place, &property.shape, value),
            None if object.open => self.loose(place, value),
            None => self.find(place, unknown(name, object)),
        }
    }

    /// What Terraform takes in every block of a kind, beside the provider's properties.
    fn is_everywhere(&self, place: &Place<'_>) -> bool {
        let terraform = self.schema.backend == Some(Backend::Terraform);
        let at_root = place.parent.is_some_and(|parent| parent.parent.is_none());
        let name = place.last_name();
        let known = match (at_root, self.schema.kind) {
            (false, _) => false,
            (true, Kind::Provider) => matches!(name, "alias" | "version"),
            (true, _) => META_ARGUMENTS.contains(&name),
        };
        terraform && (known || matches!(name, "//" | "dynamic"))
    }

    fn value(&mut self, place: &Place<'_>, shape: &Shape, value: &Value) {
        match (shape, value) {
            (_, Value::Null) | (Shape::Bool, Value::Bool(_)) => {}
            (Shape::Any, _) => self.loose(place, value),
            (_, Value::Map(fields)) if self.is_intrinsic(fields) => self.loose(place, value),
            (Shape::OneOf(shapes), _) => self.one_of(place, shapes, value),
            (_, Value::Text(text)) if text.literal().is_none() => self.made(place, shape, text),
            #[allow(clippy::cast_precision_loss)] // limits are far below 2^53
            (Shape::Number(limits), Value::Integer(number)) => {
                self.number(place, limits, *number as f64);
            }
            (Shape::Number(limits), Value::Number(number)) => self.number(place, limits, *number),
            (Shape::Text(limits), Value::Text(text)) => self.text(place, limits, text),
            (Shape::Text(_), Value::Json(document)) => self.loose(place, document),
            (Shape::Text(_), Value::Base64(text)) => self.made(place, &Shape::Any, text),
            (Shape::List(list), Value::List(items)) => self.list(place, list, items),
            (Shape::List(list), Value::Map(_)) if list.block => {
                self.count(place, list, 1);
                self.value(place, &list.item, value);
            }
            (Shape::Map(inner), Value::Map(fields)) => {
                for (name, value) in fields.iter() {
                    self.value(&place.name(name), inner, value);
                }
            }
            (Shape::Object(object), Value::Map(fields)) => self.object(place, object, fields),
            _ => self.find(place, wrong_type(place, shape, value)),
        }
    }

    /// A CloudFormation function stands for a value that only a deployment knows.
    fn is_intrinsic(&self, fields: &Properties) -> bool {
        let mut names = fields.iter().map(|(name, _)| name);
        let (Some(name), None) = (names.next(), names.next()) else {
            return false;
        };
        self.schema.backend == Some(Backend::CloudFormation) && (name.starts_with("Fn::") || name == "Ref")
    }

    /// The findings of the alternative that has fewest.
    fn one_of(&mut self, place: &Place<'_>, shapes: &[Shape], value: &Value) {
        let before = self.findings.len();
        let mut best: Option<Vec<Finding>> = None;
        for shape in shapes {
            self.value(place, shape, value);
            let found = self.findings.split_off(before);
            if best.as_ref().is_none_or(|best| found.len() < best.len()) {
                best = Some(found);
            }
        }
        self.findings.extend(best.unwrap_or_default());
    }

    /// A text that holds references: only what they are is known.
    fn made(&mut self, place: &Place<'_>, shape: &Shape, text: &Said) {
        if let Some(message) = self.judge.text(place, shape, text) {
            self.find(place, message);
        }
    }

    /// A value of no known shape: its references must still exist.
    fn loose(&mut self, place: &Place<'_>, value: &Value) {
        match value {
            Value::Text(text) | Value::Base64(text) => self.made(place, &Shape::Any, text),
            Value::Json(document) => self.loose(place, document),
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.loose(&place.index(index), item);
                }
            }
            Value::Map(fields) => {
                for (name, value) in fields.iter() {
                    self.loose(&place.name(name), value);
                }
            }
            _ => {}
        }
    }

    fn number(&mut self, place: &Place<'_>, limits: &Number, number: f64) {
        let step = place.step();
        if limits.integer && number.fract() != 0.0 {
            self.find(place, format!("{step} is {number}; a whole number is needed"));
        }
        let below = limits.min.is_some_and(|min| number < min);
        let above = limits.max.is_some_and(|max| number > max);
        if below || above {
            let range = words::range(limits.min, limits.max);
            self.find(place, format!("{step} is {number}; {range}"));
        }
        if !limits.enumeration.is_empty() && !limits.enumeration.contains(&number) {
            let are = words::are(limits.enumeration.len());
            let allowed = words::listed(&limits.enumeration);
            self.find(place, format!("{step} is {number}; allowed {are} {allowed}"));
        }
    }

    fn text(&mut self, place: &Place<'_>, limits: &Text, text: &Said) {
        let Some(literal) = text.literal() else {
            return;
        };
        // CloudFormation replaces these before the service sees them.
        if literal.contains("{{resolve:") {
            return;
        }
        if let Some(complaint) = complaint(limits, literal) {
            self.find(place, format!("{} {complaint}", place.step()));
        }
    }

    fn list(&mut self, place: &Place<'_>, list: &List, items: &[Value]) {
        self.count(place, list, items.len());
        for (index, item) in items.iter().enumerate() {
            let here = place.index(index);
            self.value(&here, &list.item, item);
            let earlier = items[..index].iter().position(|other| other == item);
            if let (true, Some(earlier)) = (list.unique, earlier) {
                let (this, that) = (here.step(), place.index(earlier).step());
                self.find(&here, format!("{this} is the same as {that}; each may be there once"));
            }
        }
    }

    fn count(&mut self, place: &Place<'_>, list: &List, count: usize) {
        let few = list.min.is_some_and(|min| count < min);
        let many = list.max.is_some_and(|max| count > max);
        if few || many {
            let elements = words::counted(count, "element");
            let range = words::range(list.min, list.max);
            self.find(place, format!("{} has {elements}; {range}", place.step()));
        }
    }

    fn find(&mut self, place: &Place<'_>, message: String) {
        self.findings.push(Finding { path: place.to_string(), message });
    }
}

const META_ARGUMENTS: [&str; 7] =
    ["connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner"];

fn is_there(property: &Property, properties: &Properties) -> bool {
    match properties.get(&property.name) {
        Some(Value::Null) => property.named,
        Some(_) => true,
        None => relations::is_dynamic(&property.name, properties),
    }
}

fn unknown(name: &str, object: &Object) -> String {
    let settable = object.properties.iter().filter(|known| !known.read_only);
    let names = settable.map(|known| known.name.as_str());
    match words::near(name, names.clone()).first() {
        Some(near) => format!("unknown property `{name}`; did you mean `{near}`?"),
        None if names.clone().next().is_none() => {
            format!("unknown property `{name}`; none is allowed here")
        }
        None => format!("unknown property `{name}`; allowed are {}", words::listed(names)),
    }
}

fn wrong_type(place: &Place<'_>, shape: &Shape, value: &Value) -> String {
    let given = match value {
        Value::Text(text) => match text.literal() {
            Some(literal) => format!("the string {}", words::quoted(literal)),
            None => "a string".to_owned(),
        },
        Value::Integer(number) => format!("the number {number}"),
        Value::Number(number) => format!("the number {number}"),
        Value::Bool(value) => format!("the boolean {value}"),
        other => other.word().to_owned(),
    };
    format!("{} is {given}; {} is needed", place.step(), shape.word())
}

/// The first thing wrong with a literal.
fn complaint(limits: &Text, literal: &str) -> Option<String> {
    let given = || words::quoted(literal);
    let same = |known: &String| known == literal || limits.ignore_case && known.eq_ignore_ascii_case(literal);
    if !limits.enumeration.is_empty() && !limits.enumeration.iter().any(same) {
        let allowed = words::allowed(literal, &limits.enumeration);
        return Some(format!("is {}; {allowed}", given()));
    }
    let length = literal.chars().count();
    if limits.min.is_some_and(|min| length < min) || limits.max.is_some_and(|max| length > max) {
        let characters = words::counted(length, "character");
        return Some(format!("has {characters}; {}", words::range(limits.min, limits.max)));
    }
    let broken = limits.patterns.iter().find(|known| !known.matches(literal));
    if broken.is_some_and(|pattern| only_arns(pattern.text())) && !literal.starts_with("arn:") {
        return Some(format!("is {}; an ARN is needed", given()));
    }
    if let Some(pattern) = broken {
        return Some(format!("is {}; it must match {}", given(), pattern.text()));
    }
    match limits.formats.as_slice() {
        [only] if only == "arn" && !literal.is_empty() && !literal.starts_with("arn:") => {
            Some(format!("is {}; an ARN is needed", given()))
        }
        [only] if only == "json" && !literal.is_empty() => {
            let error = serde_json::from_str::<serde::de::IgnoredAny>(literal).err()?;
            Some(format!("is {}; a JSON document is needed: {error}", given()))
        }
        _ => None,
    }
}

/// Where a value is. Written out only when something is found.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Name(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    const ROOT: Place<'static> = Place { parent: None, step: Step::Root };

    fn name(&'a self, name: &'a str) -> Place<'a> {
        let step = Step::Name(name);
        Place { parent: Some(self), step }
    }

    fn index(&'a self, index: usize) -> Place<'a> {
        let step = Step::Index(index);
        Place { parent: Some(self), step }
    }

    /// The last name on the way, whatever the index behind it.
    pub(super) fn last_name(&self) -> &'a str {
        match (self.step, self.parent) {
            (Step::Name(name), _) => name,
            (_, Some(parent)) => parent.last_name(),
            (_, None) => "",
        }
    }

    /// The last name and the indices behind it, as a message begins.
    pub(super) fn step(&self) -> String {
        match (self.step, self.parent) {
            (Step::Index(index), Some(parent)) => format!("{}[{index}]", parent.step()),
            _ => self.last_name().to_owned(),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else {
            return Ok(());
        };
        parent.fmt(formatter)?;
        match self.step {
            Step::Root => Ok(()),
            Step::Name(name) if parent.parent.is_none() => formatter.write_str(name),
            Step::Name(name) => write!(formatter, ".{name}"),
            Step::Index(index) => write!(formatter, "[{index}]"),
        }
    }
}
