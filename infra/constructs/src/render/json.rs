//! Writes values as indented JSON. What a text becomes is the backend's affair.

use std::fmt::Write;

use crate::tree::{Properties, Text, Value};

/// How a backend writes what JSON has no word for.
pub(super) trait Dialect {
    /// Writes a text as a JSON value.
    fn text(&self, out: &mut String, text: &Text, indent: usize);
    /// Writes a document as a string that holds JSON.
    fn document(&self, out: &mut String, document: &Value, indent: usize);
    /// Writes a text that is encoded when it is deployed.
    fn base64(&self, out: &mut String, text: &Text, indent: usize);
}

/// Writes a value; `indent` is the depth of the line it starts on.
pub(super) fn write(out: &mut String, value: &Value, indent: usize, dialect: &dyn Dialect) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Integer(number) => write!(out, "{number}").expect("a string takes everything"),
        Value::Number(number) => write_number(out, *number),
        Value::Text(text) => dialect.text(out, text, indent),
        Value::Json(document) => dialect.document(out, document, indent),
        Value::Base64(text) => dialect.base64(out, text, indent),
        Value::List(items) => write_list(out, items, indent, dialect),
        Value::Map(properties) => write_object(out, properties, indent, dialect),
    }
}

fn write_list(out: &mut String, items: &[Value], indent: usize, dialect: &dyn Dialect) {
    let mut lines = Lines::open(out, '[', indent);
    for item in items.iter().filter(|item| **item != Value::Null) {
        lines.next(out);
        write(out, item, indent + 1, dialect);
    }
    lines.close(out, ']');
}

/// Writes an object; properties that are null are left out.
pub(super) fn write_object(out: &mut String, properties: &Properties, indent: usize, dialect: &dyn Dialect) {
    let mut lines = Lines::open(out, '{', indent);
    for (name, value) in properties.iter().filter(|(_, value)| **value != Value::Null) {
        lines.key(out, name);
        write(out, value, indent + 1, dialect);
    }
    lines.close(out, '}');
}

/// Writes a value as JSON in one line, with texts written by `text`: the inside of a document.
pub(super) fn write_compact(out: &mut String, value: &Value, text: &mut dyn FnMut(&mut String, &Text)) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Integer(number) => write!(out, "{number}").expect("a string takes everything"),
        Value::Number(number) => write_number(out, *number),
        // Neither backend encodes inside a document; `Context::document_problems` refuses it.
        Value::Text(value) | Value::Base64(value) => {
            out.push('"');
            text(out, value);
            out.push('"');
        }
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_compact(out, item, text);
            }
            out.push(']');
        }
        Value::Map(properties) => {
            out.push('{');
            for (index, (name, item)) in properties.iter().filter(|(_, value)| **value != Value::Null).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, name);
                out.push(':');
                write_compact(out, item, text);
            }
            out.push('}');
        }
        Value::Json(document) => {
            // A document in a document: its quotes are escaped once more.
            let mut inner = String::new();
            write_compact(&mut inner, document, text);
            write_string(out, &inner);
        }
    }
}

fn write_number(out: &mut String, number: f64) {
    match serde_json::Number::from_f64(number) {
        Some(number) => write!(out, "{number}").expect("a string takes everything"),
        None => out.push_str("null"),
    }
}

/// Writes a string with its quotes.
pub(super) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    write_escaped(out, text);
    out.push('"');
}

/// Writes a string's inside.
pub(super) fn write_escaped(out: &mut String, text: &str) {
    // Looking at every byte is faster than stopping at the first: the compiler takes many at a time.
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    if !text.bytes().fold(false, |found, byte| found | special(byte)) {
        out.push_str(text);
        return;
    }
    let quoted = serde_json::to_string(text).expect("a string is JSON");
    out.push_str(&quoted[1..quoted.len() - 1]);
}

/// The lines of an object or list that is being written.
pub(super) struct Lines {
    indent: usize,
    empty: bool,
}

impl Lines {
    pub(super) fn open(out: &mut String, bracket: char, indent: usize) -> Self {
        out.push(bracket);
        Self { indent, empty: true }
    }

    pub(super) fn next(&mut self, out: &mut String) {
        if !self.empty {
            out.push(',');
        }
        self.empty = false;
        new_line(out, self.indent + 1);
    }

    pub(super) fn key(&mut self, out: &mut String, name: &str) {
        self.next(out);
        write_string(out, name);
        out.push_str(": ");
    }

    pub(super) fn close(self, out: &mut String, bracket: char) {
        if !self.empty {
            new_line(out, self.indent);
        }
        out.push(bracket);
    }
}

fn new_line(out: &mut String, indent: usize) {
    out.push('\n');
    for _ in 0..indent {
        out.push_str("  ");
    }
}
