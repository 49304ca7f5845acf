//! What AWS asks of a resource's properties together, and no schema says: for whoever wrote them, in a
//! construct, an override or [`Raw`](crate::tree::Raw).
//!
//! A rule reads finished properties in either backend's words. It judges literals, and references where
//! what they are to is known; what only a deployment knows is taken to be right.

mod cidr;
mod compute;
mod data;
mod environment;
mod names;
mod network;
mod roles;
mod schedule;
mod watch;

pub use cidr::{Cidr, CidrError};
pub(crate) use environment::variable_problem;
pub(crate) use names::name_of;

use crate::{
    schema::Finding,
    tree::{Properties, Reference, Text, Value},
};

/// Knows what references are to.
pub(crate) trait Surroundings {
    /// The type, in the words of the backend that is written.
    fn type_of(&self, reference: Reference) -> Option<String>;

    /// A property of it, where that is a literal string.
    fn literal(&self, reference: Reference, property: &str) -> Option<String>;

    /// Whether a service may assume it; nothing where it is no role that is known.
    fn trusts(&self, reference: Reference, service: &str) -> Option<bool>;

    /// Its path.
    fn path(&self, reference: Reference) -> String;
}

/// Everything that AWS would refuse, or that nobody means, about properties of a type.
pub(crate) fn check(name: &str, properties: &Properties, known: &dyn Surroundings) -> Vec<Finding> {
    let subject = Subject { name, properties, known };
    let mut findings = Findings::default();
    for rule in [data::check, compute::check, network::check, roles::check, schedule::check, watch::check] {
        rule(&subject, &mut findings);
    }
    findings.0
}

/// The resource that is looked at.
struct Subject<'a> {
    name: &'a str,
    properties: &'a Properties,
    known: &'a dyn Surroundings,
}

impl<'a> Subject<'a> {
    /// The values at a dotted path, through every element of the lists on the way, each with its own path.
    fn each(&self, path: &str) -> Vec<(String, &'a Value)> {
        let mut found = Vec::new();
        descend("", path, self.properties, &mut found);
        found
    }

    /// The first value at a dotted path.
    fn first(&self, path: &str) -> Option<&'a Value> {
        self.each(path).into_iter().map(|(_, value)| value).next()
    }

    /// The first literal string at a dotted path.
    fn word(&self, path: &str) -> Option<&'a str> {
        self.first(path).and_then(literal)
    }

    fn has(&self, path: &str) -> bool {
        self.first(path).is_some()
    }
}

fn descend<'a>(before: &str, path: &str, properties: &'a Properties, found: &mut Vec<(String, &'a Value)>) {
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let Some(value) = properties.get(step) else { return };
    let here = if before.is_empty() { step.to_owned() } else { format!("{before}.{step}") };
    let each: Vec<(String, &Value)> = match value {
        Value::List(items) => {
            items.iter().enumerate().map(|(index, item)| (format!("{here}[{index}]"), item)).collect()
        }
        one => vec![(here, one)],
    };
    for (here, value) in each {
        match value {
            Value::Null => {}
            value if rest.is_empty() => found.push((here, value)),
            Value::Map(inside) => descend(&here, rest, inside, found),
            _ => {}
        }
    }
}

fn text(value: &Value) -> Option<&Text> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn literal(value: &Value) -> Option<&str> {
    text(value)?.literal()
}

fn reference(value: &Value) -> Option<Reference> {
    text(value)?.reference()
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Text(text) => text.literal()?.parse().ok(),
        _ => None,
    }
}

/// `a, b`.
fn listed<T: AsRef<str>>(names: &[T]) -> String {
    names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ")
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Finding { path: path.into(), message: message.into() });
    }
}
