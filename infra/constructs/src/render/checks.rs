//! Holds what was rendered against what the provider accepts.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::context::Context;
use crate::{
    policy::{self, Use},
    rules,
    schema::{self, Kind, Schema, TagForm},
    tree::{Arn, Backend, Block, Body, Kind as _, Node, Part, Properties, Reference, Resource, Text, Types, Value},
};

/// Checks a resource's finished properties; what is found becomes problems of the node that is being written.
pub(super) fn properties(context: &Context<'_>, types: &Types, properties: &Properties) {
    let (kind, name) = match context.backend {
        Backend::Terraform => (kind(types.block), types.terraform.as_ref()),
        Backend::CloudFormation => (Kind::Resource, types.cloudformation.as_ref()),
    };
    against(context, kind, name, properties);
}

pub(super) fn against(context: &Context<'_>, kind: Kind, name: &str, properties: &Properties) {
    let schema = match context.schemas.find(kind, name) {
        Ok(schema) => schema,
        Err(unknown) => return context.problem("", unknown.to_string()),
    };
    for finding in schema::check(&schema, properties, &Known(context)) {
        context.problem(format!("{name}.{}", finding.path), finding.message);
    }
}

pub(super) fn kind(block: Block) -> Kind {
    match block {
        Block::Resource => Kind::Resource,
        Block::Data => Kind::Data,
        Block::Ephemeral => Kind::Ephemeral,
    }
}

/// Checks every policy document among a resource's properties, whoever wrote it: a construct, an override or
/// `Raw`.
pub(super) fn policies(context: &Context<'_>, resource: &dyn Resource, name: &str, properties: &Properties) {
    for (property, value) in properties.iter() {
        let place = || format!("{name}.{property}");
        policies_in(context, resource, (name, property), &place, value);
    }
}

/// A document is a property itself, or in a block: a role's inline policies.
fn policies_in(
    context: &Context<'_>,
    resource: &dyn Resource,
    (name, property): (&str, &str),
    place: &dyn Fn() -> String,
    value: &Value,
) {
    if may_hold_document(value) {
        let role = match resource.permissions() {
            Some(permissions) => permissions.role,
            None => Use::of(name, property),
        };
        for finding in policy::check(value, role, &|reference| arn(context, reference)) {
            context.problem(place(), finding.to_string());
        }
        return;
    }
    match value {
        Value::Map(inside) => {
            for (property, value) in inside.iter() {
                let place = || format!("{}.{property}", place());
                policies_in(context, resource, (name, property), &place, value);
            }
        }
        Value::List(items) => {
            for (index, value) in items.iter().enumerate() {
                let place = || format!("{}[{index}]", place());
                policies_in(context, resource, (name, property), &place, value);
            }
        }
        _ => {}
    }
}

fn may_hold_document(value: &Value) -> bool {
    match value {
        Value::Map(map) => map.get("Statement").is_some(),
        Value::Json(document) => may_hold_document(document),
        Value::Text(text) => {
            text.literal().is_some_and(|text| text.trim_start().starts_with('{') && text.contains("\"Statement\""))
        }
        _ => false,
    }
}

/// The form of the ARN that a reference yields, with `${…}` for what isn't known.
fn arn(context: &Context<'_>, reference: Reference) -> Option<String> {
    if reference.attribute.kind != Arn::WORD {
        return None;
    }
    match &context.stack_of(reference.node).nodes[reference.node.index as usize].body {
        Body::Lookup(lookup) => lookup.known_text(reference.attribute).map(template),
        // Other ARNs than its own, such as a table's stream, are not in the schemas.
        Body::Resource(resource) if matches!(reference.attribute.terraform, "arn" | "") => {
            let schema = context.arns.find(Kind::Resource, &resource.types().cloudformation).ok()?;
            schema.arn.clone()
        }
        Body::Resource(_) | Body::Parameter(_) | Body::Module(_) => None,
    }
}

fn template(text: &Text) -> String {
    let part = |part: &Part| match part {
        Part::Literal(literal) => literal.clone().into_owned(),
        Part::Pseudo(pseudo) => format!("${{{pseudo:?}}}"),
        Part::Reference(_) => "${Name}".to_owned(),
    };
    text.parts().iter().map(part).collect()
}

/// Checks what AWS asks beyond the schemas. Where the construct found something itself, it said it better.
pub(super) fn rules(context: &Context<'_>, node: &Node, name: &str, properties: &Properties) {
    let said = context.stack.problems.iter().any(|problem| problem.path == node.path && problem.property.is_empty());
    if said {
        return;
    }
    let own = rules::name_of(name).and_then(|property| properties.get(property));
    if let (Some(Value::Text(text)), None) = (own, node.provider)
        && let Some(own) = text.literal()
    {
        context.uses.borrow_mut().named.push((name.to_owned(), own.to_owned(), node.path.clone()));
    }
    for finding in rules::check(name, properties, &Known(context)) {
        context.problem(format!("{name}.{}", finding.path), finding.message);
    }
}

impl rules::Surroundings for Known<'_, '_> {
    fn type_of(&self, reference: Reference) -> Option<String> {
        type_of(self.0, reference).map(|(_, name)| name.into_owned())
    }

    fn literal(&self, reference: Reference, property: &str) -> Option<String> {
        let Body::Resource(resource) = self.body(reference) else { return None };
        let properties = match self.0.backend {
            Backend::Terraform => resource.terraform(),
            Backend::CloudFormation => resource.cloudformation(),
        };
        match properties.get(property)? {
            Value::Text(text) => text.literal().map(str::to_owned),
            _ => None,
        }
    }

    fn trusts(&self, reference: Reference, service: &str) -> Option<bool> {
        let Body::Resource(resource) = self.body(reference) else { return None };
        let permissions = resource.permissions().filter(|permissions| permissions.role == Use::Trust)?;
        Some(permissions.document.assumable_by(service))
    }

    fn path(&self, reference: Reference) -> String {
        self.0.stack_of(reference.node).nodes[reference.node.index as usize].path.clone()
    }
}

impl<'a> Known<'_, 'a> {
    fn body(&self, reference: Reference) -> &'a Body {
        &self.0.stack_of(reference.node).nodes[reference.node.index as usize].body
    }
}

/// Tells the checker what references are to.
struct Known<'c, 'a>(&'c Context<'a>);

impl schema::References for Known<'_, '_> {
    fn schema_of(&self, reference: Reference) -> Option<Arc<Schema>> {
        let Self(context) = self;
        let (kind, name) = type_of(context, reference)?;
        context.schemas.find(kind, &name).ok()
    }
}

/// The type a reference is to, in the words of the backend that is written; nothing where the reference is to
/// a value that needs no resource.
fn type_of<'a>(context: &Context<'a>, reference: Reference) -> Option<(Kind, Cow<'a, str>)> {
    match &context.stack_of(reference.node).nodes[reference.node.index as usize].body {
        Body::Resource(resource) => {
            let types = resource.types();
            match context.backend {
                Backend::Terraform => Some((kind(types.block), types.terraform)),
                Backend::CloudFormation => Some((Kind::Resource, types.cloudformation)),
            }
        }
        Body::Lookup(lookup) if lookup.known_text(reference.attribute).is_none() => match context.backend {
            Backend::Terraform => Some((Kind::Data, lookup.terraform.into())),
            Backend::CloudFormation => None,
        },
        Body::Lookup(_) | Body::Parameter(_) | Body::Module(_) => None,
    }
}

/// Adds the tags that the app, the stack and the constructs above a node ask for, in the form that its type
/// takes. Terraform's provider gives the app's and the stack's to everything by itself, but not to what a
/// resource launches later.
pub(super) fn add_tags(context: &Context<'_>, node: &Node, resource: &dyn Resource, properties: &mut Properties) {
    let types = resource.types();
    let below: BTreeMap<&str, &str> = context.stack.tags.below(&node.path).collect();
    let app = context.app.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let mut all: BTreeMap<&str, &str> = app.chain(context.stack.tags.top()).collect();
    all.extend(&below);
    if all.is_empty() || types.block != Block::Resource {
        return;
    }
    for path in resource.tag_specifications(context.backend) {
        add_to_specifications(properties, path, context.backend, &all);
    }
    let name = match context.backend {
        Backend::Terraform => types.terraform.as_ref(),
        Backend::CloudFormation => types.cloudformation.as_ref(),
    };
    let Ok(schema) = context.schemas.find(Kind::Resource, name) else { return };
    let Some(form) = &schema.tags else { return };
    let by_provider = context.backend == Backend::Terraform && !matches!(form.form, TagForm::PairsAtLaunch);
    let tags = if by_provider { &below } else { &all };
    if tags.is_empty() {
        return;
    }
    let slot = properties.slot(&form.property);
    match form.form {
        TagForm::Map => add_to_map(slot, tags),
        TagForm::Pairs => add_pairs(slot, tags, pair),
        TagForm::PairsAtLaunch => match context.backend {
            Backend::CloudFormation => {
                add_pairs(slot, tags, |key, value| pair(key, value).set("PropagateAtLaunch", true));
            }
            Backend::Terraform => add_pairs(slot, tags, |key, value| {
                Properties::default().set("key", key).set("value", value).set("propagate_at_launch", true)
            }),
        },
    }
}

fn pair(key: String, value: String) -> Properties {
    Properties::default().set("Key", key).set("Value", value)
}

fn add_to_specifications(properties: &mut Properties, path: &str, backend: Backend, tags: &BTreeMap<&str, &str>) {
    let mut steps = path.split('.');
    let mut place = properties.slot(steps.next().unwrap_or_default());
    for step in steps {
        let Value::Map(inside) = place else { return };
        place = inside.slot(step);
    }
    let Value::List(specifications) = place else { return };
    for specification in specifications {
        let Value::Map(specification) = specification else { continue };
        match backend {
            Backend::Terraform => add_to_map(specification.slot("tags"), tags),
            Backend::CloudFormation => add_pairs(specification.slot("Tags"), tags, pair),
        }
    }
}

/// What the construct set itself stays.
fn add_to_map(slot: &mut Value, tags: &BTreeMap<&str, &str>) {
    if *slot == Value::Null {
        *slot = Value::Map(Properties::default());
    }
    let Value::Map(map) = slot else { return };
    for (key, value) in tags {
        if map.get(key).is_none() {
            map.insert((*key).to_owned(), (*value).to_owned());
        }
    }
}

fn add_pairs(slot: &mut Value, tags: &BTreeMap<&str, &str>, pair: impl Fn(String, String) -> Properties) {
    if *slot == Value::Null {
        *slot = Value::List(Vec::new());
    }
    let Value::List(pairs) = slot else { return };
    for (key, value) in tags {
        let is_key = |pair: &Value| match pair {
            Value::Map(pair) => [pair.get("Key"), pair.get("key")]
                .into_iter()
                .flatten()
                .any(|known| *known == Value::from((*key).to_owned())),
            _ => false,
        };
        if !pairs.iter().any(is_key) {
            pairs.push(pair((*key).to_owned(), (*value).to_owned()).into());
        }
    }
}
