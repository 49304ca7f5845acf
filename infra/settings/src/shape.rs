//! Reading a JSON Schema: references, branches, and where a name is known.

use serde_json::Value;

/// The schema itself, or the definition that it refers to.
pub(crate) fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let path = schema["$ref"].as_str();
    let name = path.and_then(|path| path.strip_prefix("#/$defs/"));
    name.map_or(schema, |name| &root["$defs"][name])
}

/// The alternatives of a schema that has some.
pub(crate) fn branches(schema: &Value) -> Option<&[Value]> {
    let branches = schema.get("oneOf").or_else(|| schema.get("anyOf"))?;
    branches.as_array().map(Vec::as_slice)
}

/// The property that tells the branches apart: a constant in each.
pub(crate) fn tag(branches: &[Value]) -> Option<&str> {
    let is_tag = |name: &str| {
        let mut constants = branches.iter().map(|branch| &branch["properties"][name]["const"]);
        constants.all(Value::is_string)
    };
    let properties = branches.first()?["properties"].as_object()?;
    properties.keys().map(String::as_str).find(|name| is_tag(name))
}

/// The tag, and its values in those branches that know a property.
pub(crate) fn other_branches<'s>(schema: &'s Value, property: &str) -> Option<(&'s str, Vec<&'s Value>)> {
    let branches = branches(schema)?;
    let tag = tag(branches)?;
    let knows = |branch: &&Value| branch["properties"].get(property).is_some();
    let knowing = branches.iter().filter(knows);
    let kinds: Vec<_> = knowing.map(|branch| &branch["properties"][tag]["const"]).collect();
    (!kinds.is_empty()).then_some((tag, kinds))
}

/// Tables that have a setting of this name, as their headers are written; four at most.
pub(crate) fn elsewhere(root: &Value, name: &str) -> Vec<String> {
    let mut search = Search { root, name, found: Vec::new() };
    search.visit(root, "", false);
    search.found.truncate(4);
    search.found
}

struct Search<'s> {
    root: &'s Value,
    name: &'s str,
    found: Vec<String>,
}

impl Search<'_> {
    fn visit(&mut self, schema: &Value, path: &str, listed: bool) {
        let schema = resolve(self.root, schema);
        for branch in branches(schema).into_iter().flatten() {
            self.visit(branch, path, listed);
        }
        if schema["items"].is_object() {
            self.visit(&schema["items"], path, true);
        }
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            if key == self.name {
                self.note(path, listed);
            }
            let dot = if path.is_empty() { "" } else { "." };
            self.visit(property, &format!("{path}{dot}{key}"), false);
        }
    }

    fn note(&mut self, path: &str, listed: bool) {
        let header = match (path, listed) {
            ("", _) => "the top of the file".into(),
            (path, true) => format!("[[{path}]]"),
            (path, false) => format!("[{path}]"),
        };
        if !self.found.contains(&header) {
            self.found.push(header);
        }
    }
}
