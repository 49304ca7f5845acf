//! What a reference yields, held against what the property is for.

use std::sync::Arc;

use super::{
    Backend,
    check::Place,
    shape::{Pattern, Schema, Shape, Text},
    words,
};
use crate::tree::{Access, Attribute, Part, Reference, Text as Said};

/// Knows what references are to.
pub trait References {
    /// The schema of the resource a reference is to, in the backend that is checked. Nothing where none
    /// is known: then the reference is taken as it is.
    fn schema_of(&self, reference: Reference) -> Option<Arc<Schema>>;
}

/// Knows none.
impl References for () {
    fn schema_of(&self, _: Reference) -> Option<Arc<Schema>> {
        None
    }
}

/// Judges texts that hold references.
pub(super) struct Judge<'a> {
    backend: Option<Backend>,
    references: &'a dyn References,
}

impl<'a> Judge<'a> {
    pub(super) fn new(backend: Option<Backend>, references: &'a dyn References) -> Self {
        Self { backend, references }
    }

    /// What is wrong with a text that is no literal, where `shape` is needed.
    pub(super) fn text(&self, place: &Place<'_>, shape: &Shape, text: &Said) -> Option<String> {
        if let Some(reference) = text.reference() {
            return self.whole(place, shape, reference);
        }
        let references = text.parts().iter().filter_map(|part| match part {
            Part::Reference(reference) => Some(*reference),
            _ => None,
        });
        // An expression is code: it may take a list apart.
        let into = if text.is_expression() { Shape::Any } else { Shape::Text(Text::default()) };
        let wrong = |reference| self.yields(place, &into, reference);
        references.into_iter().find_map(wrong).or_else(|| {
            let fits = text.is_expression() || class(shape).is_none_or(|class| class == Class::Scalar);
            (!fits).then(|| format!("{} is a string; {} is needed", place.step(), shape.word()))
        })
    }

    fn whole(&self, place: &Place<'_>, shape: &Shape, reference: Reference) -> Option<String> {
        self.yields(place, shape, reference).or_else(|| mixed_up(place, text_of(shape)?, reference.attribute))
    }

    /// The attribute must exist, and be of the class that is needed.
    fn yields(&self, place: &Place<'_>, shape: &Shape, reference: Reference) -> Option<String> {
        let target = self.references.schema_of(reference)?;
        let (path, element) = self.path(reference.attribute)?;
        let step = place.step();
        let Some(found) = target.attribute(path) else {
            return Some(missing(&step, path, &target));
        };
        let found = match (found, element) {
            (Shape::List(list), true) => &list.item,
            (found, _) => found,
        };
        let needed = class(shape)?;
        (class(found)? != needed).then(|| {
            let (needs, is) = (shape.word(), found.word());
            format!("{step} is a reference to `{path}`, {is}; {needs} is needed")
        })
    }

    /// The attribute in the backend's words, and whether one element of it is taken. Nothing where it
    /// needs no check, or has none.
    fn path(&self, attribute: Attribute) -> Option<(&'static str, bool)> {
        match self.backend? {
            Backend::Terraform => Some((attribute.terraform, false)).filter(|(path, _)| !path.is_empty()),
            Backend::CloudFormation => match attribute.cloudformation {
                Access::GetAtt(name) => Some((name, false)),
                Access::Select(_, name) => Some((name, true)),
                Access::Ref | Access::None => None,
            },
        }
    }
}

fn missing(step: &str, path: &str, target: &Schema) -> String {
    let start = format!("{step} is a reference to `{path}`, which {} does not have", target.name);
    let own = target.root.properties.iter().map(|known| known.name.as_str());
    let names: Vec<&str> = match &target.attributes {
        Some(names) => names.iter().map(String::as_str).collect(),
        None => own.collect(),
    };
    match words::near(path, names.into_iter()).first() {
        Some(near) => format!("{start}; did you mean `{near}`?"),
        None => start,
    }
}

/// Values that convert into each other. Terraform turns numbers to strings and back, and sets to lists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Scalar,
    List,
    Object,
}

fn class(shape: &Shape) -> Option<Class> {
    match shape {
        Shape::Any => None,
        Shape::Bool | Shape::Number(_) | Shape::Text(_) => Some(Class::Scalar),
        Shape::List(_) => Some(Class::List),
        Shape::Map(_) | Shape::Object(_) => Some(Class::Object),
        Shape::OneOf(shapes) => {
            let mut classes = shapes.iter().map(class);
            let first = classes.next().flatten()?;
            classes.all(|class| class == Some(first)).then_some(first)
        }
    }
}

fn text_of(shape: &Shape) -> Option<&Text> {
    match shape {
        Shape::Text(text) => Some(text),
        _ => None,
    }
}

/// An ARN where something else belongs, or the other way round. Says so only where it is certain: many
/// properties take a name and an ARN alike.
fn mixed_up(place: &Place<'_>, limits: &Text, attribute: Attribute) -> Option<String> {
    let step = place.step();
    let kind = attribute.kind;
    if kind == "arn" && limits.patterns.iter().any(|pattern| refuses_arns(pattern)) {
        return Some(format!("{step} takes no ARN; the reference is one"));
    }
    if kind == "arn" && limits.patterns.is_empty() && limits.formats.is_empty() && wants_name(place.last_name()) {
        return Some(format!("{step} takes a name; the reference is an ARN"));
    }
    let other = matches!(kind, "name" | "id" | "url");
    let article = if kind == "id" { "an" } else { "a" };
    (other && wants_arn(place.last_name(), limits))
        .then(|| format!("{step} takes an ARN; the reference is {article} {kind}"))
}

/// Functions and tables go by their ARN as well, wherever they go by their name.
fn wants_name(name: &str) -> bool {
    let either = ["function_name", "FunctionName", "table_name", "TableName"];
    (name.ends_with("_name") || name.ends_with("Name")) && !either.contains(&name)
}

fn wants_arn(name: &str, limits: &Text) -> bool {
    if !limits.formats.is_empty() {
        return limits.formats.iter().all(|format| format == "arn" || format.ends_with(".Arn"));
    }
    if !limits.patterns.is_empty() {
        return limits.patterns.iter().any(|pattern| only_arns(pattern.text()));
    }
    let name = name.trim_end_matches('s');
    name == "arn" || ["_arn", "Arn", "ARN"].iter().any(|end| name.ends_with(end))
}

/// Whether a pattern begins with `arn:` in every alternative, as far as can be told.
pub(super) fn only_arns(pattern: &str) -> bool {
    let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
    let alternatives = alternatives(pattern);
    let grouped = pattern.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    match (grouped, alternatives.as_slice()) {
        // One group around everything, unless it closes before the end: then this finds no `arn:` either.
        (Some(inner), [_]) => only_arns(inner),
        (_, alternatives) => alternatives.iter().all(|start| start.trim_start_matches('^').starts_with("arn:")),
    }
}

/// The alternatives of a pattern outside of its groups.
fn alternatives(pattern: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let outside = |char: char| {
        depth += i32::from(char == '(') - i32::from(char == ')');
        char == '|' && depth == 0
    };
    pattern.split(outside).collect()
}

/// Whether no ARN whatsoever can match. One that speaks of ARNs takes those of its own service.
fn refuses_arns(pattern: &Pattern) -> bool {
    const SOME: [&str; 2] =
        ["arn:aws:service:us-east-1:123456789012:kind/name", "arn:aws:service:us-east-1:123456789012:name"];
    let speaks_of_arns = pattern.text().to_lowercase().contains("arn");
    !speaks_of_arns && !SOME.iter().any(|arn| pattern.matches(arn))
}
