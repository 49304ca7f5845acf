//! What stands beside resources: modules, outputs, variables and moves.

use std::collections::BTreeMap;

use crate::render::{
    context::Context,
    json::{self, Lines},
};

use super::{
    blocks::mark,
    meta_arguments,
    text::{Terraform, address_of, export_name},
};
use crate::tree::{Body, NodeRef, Properties, Reference, Value, snake};

pub(super) fn modules(context: &Context<'_>) -> Option<String> {
    let mut all = Properties::default();
    for (index, node) in (0..).zip(&context.stack.nodes) {
        let Body::Module(module) = &node.body else { continue };
        let mut body = Properties::default().set("source", &module.source).set_some("version", module.version.as_ref());
        for (name, value) in module.inputs.iter() {
            body.insert(name.to_owned(), value.clone());
        }
        meta_arguments(context, node, false, &mut body);
        all.insert(context.name(NodeRef { stack: context.stack.id, index }).to_owned(), body);
    }
    file_of(context, "module", &all)
}

pub(super) fn outputs(context: &Context<'_>, exports: &[Reference]) -> Option<String> {
    let mut all: BTreeMap<String, Properties> = BTreeMap::new();
    for output in &context.stack.outputs {
        let body = Properties::default()
            .set_some("description", output.description.as_ref())
            .set("value", &output.value)
            .set_some("sensitive", output.is_sensitive().then_some(true));
        all.insert(snake(&output.name), body);
    }
    for reference in exports {
        let body = Properties::default()
            .set(
                "description",
                format!("For other stacks: {}", context.stack.nodes[reference.node.index as usize].path),
            )
            .set("value", *reference)
            .set_some("sensitive", reference.attribute.sensitive.then_some(true));
        all.insert(export_name(context, *reference), body);
    }
    file_of(context, "output", &all.into_iter().collect())
}

pub(super) fn variables(context: &Context<'_>) -> Option<String> {
    let mut all = Properties::default();
    for (index, node) in (0..).zip(&context.stack.nodes) {
        let Body::Parameter(parameter) = &node.body else { continue };
        let body = Properties::default()
            .set("type", "string")
            .set("description", parameter.description.clone().into_owned())
            .set_some("default", parameter.default.as_ref())
            .set_some("sensitive", parameter.sensitive.then_some(true));
        all.insert(context.name(NodeRef { stack: context.stack.id, index }).to_owned(), body);
    }
    file_of(context, "variable", &all)
}

pub(super) fn moves(context: &Context<'_>) -> Option<String> {
    let mut all: Vec<Properties> = Vec::new();
    for (index, node) in (0..).zip(&context.stack.nodes) {
        let (Some(old), Some(new)) =
            (&node.moved_from, address_of(context, NodeRef { stack: context.stack.id, index }))
        else {
            continue;
        };
        let (kind, _) = new.rsplit_once('.').expect("an address has a dot");
        all.push(Properties::default().set("from", format!("{kind}.{}", snake(old))).set("to", new));
    }
    if all.is_empty() {
        return None;
    }
    let mut out = String::new();
    let mut lines = Lines::open(&mut out, '{', 0);
    mark(&mut lines, &mut out);
    lines.key(&mut out, "moved");
    json::write(&mut out, &Value::list(all), 1, &Terraform(context));
    lines.close(&mut out, '}');
    out.push('\n');
    Some(out)
}

fn file_of(context: &Context<'_>, keyword: &str, all: &Properties) -> Option<String> {
    if all.is_empty() {
        return None;
    }
    let mut out = String::new();
    let mut lines = Lines::open(&mut out, '{', 0);
    mark(&mut lines, &mut out);
    lines.key(&mut out, keyword);
    json::write_object(&mut out, all, 1, &Terraform(context));
    lines.close(&mut out, '}');
    out.push('\n');
    Some(out)
}
