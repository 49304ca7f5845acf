//! The JSON Schema of `newsloom.toml`, for editors and for our own check.

use crate::Settings;
use serde_json::{Map, Value, json};

/// The schema, draft 2020-12, as `newsloom.schema.json` holds it, with a final newline.
///
/// # Panics
///
/// Never: what schemars generates can be written down.
pub fn schema_json() -> String {
    let text = serde_json::to_string_pretty(&schema()).expect("a schema is JSON");
    text + "\n"
}

/// The schema that a file is checked against.
pub(crate) fn schema() -> Value {
    let mut schema = schemars::schema_for!(Settings).to_value();
    tidy(&mut schema);
    schema["title"] = json!("newsloom.toml");
    schema
}

/// Takes away what Rust knows and TOML doesn't: null, widths of numbers, line breaks in comments.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            drop_null(object);
            object.remove("format");
            if let Some(Value::String(description)) = object.get_mut("description") {
                *description = unwrap_lines(description);
            }
            object.values_mut().for_each(tidy);
        }
        Value::Array(array) => array.iter_mut().for_each(tidy),
        _ => (),
    }
}

fn drop_null(schema: &mut Map<String, Value>) {
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(default) = schema.get_mut("default") {
        drop_null_members(default);
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(branches)) = schema.get_mut("anyOf") {
        branches.retain(|branch| branch["type"] != "null");
        if let [Value::Object(only)] = branches.as_mut_slice() {
            let only = std::mem::take(only);
            schema.remove("anyOf");
            // What the field says about itself stays; the type's own words would hide it.
            for (key, value) in only {
                schema.entry(key).or_insert(value);
            }
        }
    }
}

fn drop_null_members(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(drop_null_members);
        }
        Value::Array(array) => array.iter_mut().for_each(drop_null_members),
        _ => (),
    }
}

fn unwrap_lines(comment: &str) -> String {
    let paragraphs = comment.split("\n\n");
    let unwrapped: Vec<_> = paragraphs.map(|lines| lines.replace('\n', " ")).collect();
    unwrapped.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_schema_is_null_because_toml_has_no_null() {
        assert!(!schema_json().contains("null"));
    }

    #[test]
    fn every_setting_is_documented() {
        undocumented(&schema(), "");
    }

    fn undocumented(schema: &Value, path: &str) {
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            let documented = property["description"].is_string() || property["const"].is_string();
            assert!(documented, "{path}/{key} says nothing");
        }
        let nested = schema.as_object().into_iter().flatten();
        nested.for_each(|(key, nested)| undocumented(nested, &format!("{path}/{key}")));
        for branch in schema.as_array().into_iter().flatten() {
            undocumented(branch, path);
        }
    }
}
