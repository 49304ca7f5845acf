//! What the packs say, and what the checker makes of it.

mod cloudformation;
mod packs;
mod references;
mod terraform;

use std::sync::Arc;

use serde_json::json;

use super::{Backend, Finding, Kind, References, Schema, Schemas, TagForm, check, shape};
use crate::tree::{Access, Attribute, NodeRef, Properties, Reference, Text, Value};

const BACKENDS: [Backend; 2] = [Backend::Terraform, Backend::CloudFormation];
const KINDS: [Kind; 4] = [Kind::Resource, Kind::Data, Kind::Ephemeral, Kind::Provider];

fn schema(name: &str) -> Arc<Schema> {
    let backend = if name.contains("::") { Backend::CloudFormation } else { Backend::Terraform };
    let schemas = Schemas::new(backend);
    schemas.find(Kind::Resource, name).unwrap()
}

fn properties(document: serde_json::Value) -> Properties {
    match Value::from(document) {
        Value::Map(properties) => properties,
        other => panic!("{} is no set of properties", other.word()),
    }
}

/// The findings as `path: message`.
fn findings(name: &str, document: serde_json::Value) -> Vec<String> {
    shown(check(&schema(name), &properties(document), &()))
}

fn shown(findings: Vec<Finding>) -> Vec<String> {
    let shown = findings.into_iter().map(|finding| format!("{}: {}", finding.path, finding.message));
    shown.collect()
}

#[track_caller]
fn good(name: &str, document: serde_json::Value) {
    assert_eq!(findings(name, document), [""; 0]);
}

#[track_caller]
fn bad<const N: usize>(name: &str, document: serde_json::Value, expected: [&str; N]) {
    assert_eq!(findings(name, document), expected);
}
