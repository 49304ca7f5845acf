//! Literals that are written as they stand, and were meant as something else: another tool's references, another
//! partition's ARNs, CloudFormation functions of nothing.

use super::context::Context;
use crate::tree::{Backend, Body, NodeRef, Part, Properties, Text, Value, nearest, pascal};

/// What CloudFormation computes.
const FUNCTIONS: [&str; 18] = [
    "Fn::And",
    "Fn::Base64",
    "Fn::Cidr",
    "Fn::Equals",
    "Fn::FindInMap",
    "Fn::GetAZs",
    "Fn::GetAtt",
    "Fn::If",
    "Fn::ImportValue",
    "Fn::Join",
    "Fn::Length",
    "Fn::Not",
    "Fn::Or",
    "Fn::Select",
    "Fn::Split",
    "Fn::Sub",
    "Fn::ToJsonString",
    "Fn::Transform",
];

/// Reports what the literals of finished properties say that nobody means.
/// Their ARNs are left alone where the other backend's were looked at.
pub(super) fn check(context: &Context<'_>, name: &str, properties: &Properties, with_arns: bool) {
    let foreign = foreign_partitions(context.app.defaults.region.as_deref().filter(|_| with_arns));
    let reader = Reader { context, name, foreign };
    for (property, value) in properties.iter() {
        reader.value(&|| property.to_owned(), value);
    }
}

struct Reader<'c, 'a> {
    context: &'c Context<'a>,
    name: &'c str,
    foreign: &'static [&'static str],
}

impl Reader<'_, '_> {
    fn value(&self, path: &dyn Fn() -> String, value: &Value) {
        match value {
            Value::Text(text) => self.text(path, text),
            Value::Json(document) => self.value(path, document),
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(&|| format!("{}[{index}]", path()), item);
                }
            }
            Value::Map(fields) => self.map(path, fields),
            _ => {}
        }
    }

    fn map(&self, path: &dyn Fn() -> String, fields: &Properties) {
        let function = fields.iter().next().filter(|(name, _)| fields.len() == 1 && is_function(name));
        let Some((function, given)) = function.filter(|_| self.context.backend == Backend::CloudFormation) else {
            for (name, value) in fields.iter() {
                self.value(&|| format!("{}.{name}", path()), value);
            }
            return;
        };
        if function != "Ref" && !function.starts_with("Fn::ForEach::") && !FUNCTIONS.contains(&function) {
            let hint = near(function, FUNCTIONS.into_iter());
            self.problem(path, format!("CloudFormation has no function `{function}`{hint}"));
        }
        match (function, named(function, given)) {
            (_, Some(id)) if !self.is_there(id) => {
                let hint = near(id, self.ids());
                self.problem(path, format!("`{function}` of `{id}`, which isn't in the template{hint}"));
            }
            // Its text is a template, and may say `${AWS::Region}`.
            ("Fn::Sub", _) => {}
            _ => self.value(path, given),
        }
    }

    fn text(&self, path: &dyn Fn() -> String, text: &Text) {
        if text.is_expression() {
            return;
        }
        let literals = text.parts().iter().filter_map(|part| match part {
            Part::Literal(literal) => Some(literal.as_ref()),
            _ => None,
        });
        for literal in literals {
            if let Some(reference) = self.reference(literal) {
                let instead = match self.context.backend {
                    Backend::Terraform => "a handle's value, as `news.arn()`, or `Text::expression` for code",
                    Backend::CloudFormation => "a handle's value, as `news.arn()`, or `Pseudo::Region`",
                };
                self.problem(path, format!("`{reference}` is written as it stands, not as a reference; use {instead}"));
            }
            // Few literals hold an ARN, and one look says so.
            let has_arn = !self.foreign.is_empty() && literal.contains("arn:aws");
            if let Some(partition) = self.foreign.iter().find(|partition| has_arn && literal.contains(*partition)) {
                let region = self.context.app.defaults.region.as_deref().unwrap_or_default();
                self.problem(
                    path,
                    format!("`{partition}…` is another partition's, and {region} reaches none of it; use `Pseudo::Partition`"),
                );
            }
        }
    }

    /// What looks like a reference in the words of the backend that is written.
    fn reference<'t>(&self, literal: &'t str) -> Option<&'t str> {
        const TERRAFORM: [&str; 4] = ["${aws_", "${data.aws_", "${var.", "${module."];
        const CLOUDFORMATION: [&str; 1] = ["${AWS::"];
        if !literal.contains('$') && !literal.starts_with('!') {
            return None;
        }
        let starts: &[&str] = match self.context.backend {
            Backend::Terraform => &TERRAFORM,
            Backend::CloudFormation => &CLOUDFORMATION,
        };
        let found = starts.iter().find_map(|start| {
            let at = literal.find(start).filter(|at| !literal[..*at].ends_with('$'))?;
            let end = literal[at..].find('}')?;
            Some(&literal[at..=at + end])
        });
        // A dot makes it an attribute; a shell's `${aws_region}` has none.
        let found = found.filter(|found| found.contains(['.', ':']));
        let short = ["!Ref ", "!GetAtt ", "!Sub "].iter().any(|start| literal.starts_with(start));
        found.or_else(|| Some(literal).filter(|_| short && self.context.backend == Backend::CloudFormation))
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        let context = self.context;
        (0..).zip(&context.stack.nodes).filter_map(move |(index, node)| {
            let there = match &node.body {
                Body::Resource(resource) => !resource.types().cloudformation.is_empty(),
                Body::Parameter(_) => true,
                Body::Lookup(_) | Body::Module(_) => false,
            };
            there.then(|| context.name(NodeRef { stack: context.stack.id, index }))
        })
    }

    fn is_there(&self, id: &str) -> bool {
        // A lookup's parameters are named after it.
        let lookups = self.context.stack.nodes.iter().filter(|node| matches!(node.body, Body::Lookup(_)));
        id.starts_with("AWS::")
            || self.ids().any(|known| known == id)
            || lookups.into_iter().any(|node| id.starts_with(&pascal(&node.path)))
    }

    fn problem(&self, path: &dyn Fn() -> String, message: String) {
        self.context.problem(format!("{}.{}", self.name, path()), message);
    }
}

/// `; did you mean …?`, or nothing.
fn near<'n>(given: &str, known: impl Iterator<Item = &'n str>) -> String {
    nearest(given, known).map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}

fn is_function(name: &str) -> bool {
    name == "Ref" || name.starts_with("Fn::")
}

/// The logical id that a function is of.
fn named<'v>(function: &str, given: &'v Value) -> Option<&'v str> {
    let literal = |value: &'v Value| match value {
        Value::Text(text) => text.literal(),
        _ => None,
    };
    match (function, given) {
        ("Ref", value) => literal(value),
        ("Fn::GetAtt", Value::List(items)) => items.first().and_then(literal),
        ("Fn::GetAtt", value) => literal(value).and_then(|dotted| dotted.split('.').next()),
        _ => None,
    }
}

fn foreign_partitions(region: Option<&str>) -> &'static [&'static str] {
    match region {
        None => &[],
        Some(region) if region.starts_with("cn-") => &["arn:aws:", "arn:aws-us-gov:"],
        Some(region) if region.starts_with("us-gov-") => &["arn:aws:", "arn:aws-cn:"],
        Some(region) if region.contains("-iso") || region.starts_with("eusc-") => &["arn:aws:"],
        Some(_) => &["arn:aws-cn:", "arn:aws-us-gov:"],
    }
}
