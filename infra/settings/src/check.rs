//! Checks a TOML document against the schema, keeps going, and remembers where things are.

use crate::file::{Finding, Spans};
use crate::shape::{branches, elsewhere, other_branches, resolve, tag};
use crate::words::{closest, given, looks_secret, one_of, one_of_values};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Walks document and schema together.
pub(crate) struct Checker<'s> {
    root: &'s Value,
    pub(crate) findings: Vec<Finding>,
    pub(crate) spans: Spans,
}

/// The value being looked at: its key, where it is, and what its schema says.
#[derive(Clone)]
struct Spot<'s> {
    key: String,
    span: Range<usize>,
    schema: &'s Value,
    help: Option<&'s str>,
}

impl<'s> Spot<'s> {
    fn child(&self, name: &str, span: Range<usize>, schema: &'s Value) -> Self {
        let dot = if self.key.is_empty() { "" } else { "." };
        Self { key: format!("{}{dot}{name}", self.key), span, schema, help: schema["description"].as_str() }
    }

    fn element(&self, index: usize, span: Range<usize>, schema: &'s Value) -> Self {
        Self { key: format!("{}[{index}]", self.key), span, schema, help: schema["description"].as_str().or(self.help) }
    }
}

impl<'s> Checker<'s> {
    pub(crate) fn new(root: &'s Value) -> Self {
        Self { root, findings: Vec::new(), spans: Spans::new() }
    }

    /// The document as JSON, without what the schema doesn't know.
    pub(crate) fn document(&mut self, table: &Spanned<DeTable<'_>>) -> Value {
        let spot = Spot { key: String::new(), span: 0..0, schema: self.root, help: None };
        self.table(&spot, self.root, table.get_ref())
    }

    fn value(&mut self, spot: &Spot<'s>, value: &DeValue<'_>) -> Value {
        self.spans.insert(spot.key.clone(), spot.span.clone());
        let schema = resolve(self.root, spot.schema);
        if let Some(branches) = branches(schema) {
            return self.branch(spot, branches, value);
        }
        self.enumeration(spot, schema, value);
        match (schema["type"].as_str(), value) {
            (Some("object"), DeValue::Table(table)) => return self.table(spot, schema, table),
            (Some("array"), DeValue::Array(array)) => return self.array(spot, schema, array),
            (Some("string"), DeValue::String(text)) => self.text(spot, schema, value, text),
            (Some("integer"), DeValue::Integer(_)) | (Some("number"), DeValue::Integer(_) | DeValue::Float(_)) => {
                self.number(spot, schema, value);
            }
            (Some("boolean"), DeValue::Boolean(_)) | (None, _) => (),
            (Some(wanted), _) => self.wrong_type(spot, wanted, value),
        }
        scalar(value)
    }

    fn table(&mut self, spot: &Spot<'s>, schema: &'s Value, table: &DeTable<'_>) -> Value {
        let known = schema["properties"].as_object();
        let mut object = Map::new();
        for (name, value) in table {
            let text = name.get_ref().as_ref();
            let property = known.and_then(|known| known.get_key_value(text));
            let any = &schema["additionalProperties"];
            let Some((text, property)) = property
                .map(|(text, property)| (text.as_str(), property))
                .or_else(|| any.is_object().then_some((text, any)))
                .or_else(|| self.unknown(spot, schema, name, table))
            else {
                continue;
            };
            let span = span_of(name, value);
            let child = spot.child(text, span, property);
            object.insert(text.into(), self.value(&child, value.get_ref()));
        }
        self.missing(spot, schema, &object);
        self.size(spot, schema, object.len(), "Properties", "entries");
        Value::Object(object)
    }

    fn missing(&mut self, spot: &Spot<'s>, schema: &'s Value, object: &Map<String, Value>) {
        let required = schema["required"].as_array().into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            if !object.contains_key(name) {
                let property = &schema["properties"][name];
                let child = spot.child(name, spot.span.clone(), property);
                self.report(&child, "missing".into());
            }
        }
    }

    /// Reports a key that the schema doesn't know. If it is clear what was meant, the check goes on
    /// as if that had been written, so that a mistake in the value shows at once.
    fn unknown(
        &mut self,
        spot: &Spot<'s>,
        schema: &'s Value,
        name: &Spanned<Cow<'_, str>>,
        table: &DeTable<'_>,
    ) -> Option<(&'s str, &'s Value)> {
        let text = name.get_ref().as_ref();
        let known = schema["properties"].as_object()?;
        let free = known.keys().filter(|key| !table.contains_key(key.as_str()));
        let free: Vec<_> = free.map(String::as_str).collect();
        let meant = closest(text, free.iter().copied()).filter(|_| !looks_secret(text));
        let (message, help) = match meant {
            Some(meant) => (format!("no such setting; did you mean {meant}?"), None),
            None => self.stranger(spot, text, &free),
        };
        self.findings.push(Finding {
            span: name.span(),
            key: spot.child(text, name.span(), &Value::Null).key,
            message,
            help,
        });
        known.get_key_value(meant?).map(|(key, property)| (key.as_str(), property))
    }

    /// What to say of a key that is not a misspelt one.
    fn stranger(&self, spot: &Spot<'s>, key: &str, free: &[&str]) -> (String, Option<String>) {
        if looks_secret(key) {
            let message = "looks like a secret, and no secret belongs in this file";
            let help = "Put it into Secrets Manager, and name the secret where a setting asks for one.";
            return (message.into(), Some(help.into()));
        }
        if let Some((tag, kinds)) = other_branches(resolve(self.root, spot.schema), key) {
            return (format!("goes with {tag} = {} only", one_of_values(&kinds)), None);
        }
        let elsewhere = elsewhere(self.root, key);
        if !elsewhere.is_empty() {
            return (format!("belongs in {}", one_of(&elsewhere)), None);
        }
        let help = format!("Settings here are {}.", free.join(", "));
        ("no such setting".into(), Some(help))
    }

    fn branch(&mut self, spot: &Spot<'s>, branches: &'s [Value], value: &DeValue<'_>) -> Value {
        if branches.iter().all(|branch| branch["const"].is_string()) {
            let names: Vec<_> = branches.iter().map(|branch| &branch["const"]).collect();
            self.one_of(spot, &names, value);
            return scalar(value);
        }
        let Some(tag) = tag(branches) else {
            return self.branch_by_type(spot, branches, value);
        };
        let DeValue::Table(table) = value else {
            self.wrong_type(spot, "object", value);
            return Value::Null;
        };
        let names: Vec<_> = branches.iter().map(|branch| &branch["properties"][tag]["const"]).collect();
        let Some((name, kind)) = table.get_key_value(tag) else {
            let child = spot.child(tag, spot.span.clone(), &Value::Null);
            self.report(&child, format!("missing; {} is allowed", one_of_values(&names)));
            return Value::Null;
        };
        let kind_value = kind.get_ref();
        let chosen = names.iter().position(|name| name.as_str() == kind_value.as_str());
        let Some(chosen) = chosen else {
            let child = spot.child(tag, span_of(name, kind), &Value::Null);
            self.one_of(&child, &names, kind_value);
            return Value::Null;
        };
        self.table(spot, &branches[chosen], table)
    }

    fn branch_by_type(&mut self, spot: &Spot<'s>, branches: &'s [Value], value: &DeValue<'_>) -> Value {
        let wanted = type_of(value);
        let types = branches.iter().map(|branch| resolve(self.root, branch)["type"].as_str());
        if let Some(chosen) = types.clone().position(|name| name == Some(wanted)) {
            let mut chosen_spot = spot.clone();
            chosen_spot.schema = &branches[chosen];
            return self.value(&chosen_spot, value);
        }
        let allowed: Vec<_> = types.flatten().map(type_words).collect();
        self.report(spot, format!("{} given; {} is needed", given(value), one_of(&allowed)));
        scalar(value)
    }

    fn array(&mut self, spot: &Spot<'s>, schema: &'s Value, array: &[Spanned<DeValue<'_>>]) -> Value {
        self.size(spot, schema, array.len(), "Items", "entries");
        let elements = array.iter().enumerate().map(|(index, value)| {
            let element = spot.element(index, value.span(), &schema["items"]);
            self.value(&element, value.get_ref())
        });
        Value::Array(elements.collect())
    }

    fn enumeration(&mut self, spot: &Spot<'s>, schema: &'s Value, value: &DeValue<'_>) {
        if let Some(allowed) = schema["enum"].as_array() {
            let allowed: Vec<_> = allowed.iter().collect();
            self.one_of(spot, &allowed, value);
        }
    }

    fn one_of(&mut self, spot: &Spot<'s>, allowed: &[&Value], value: &DeValue<'_>) {
        if allowed.contains(&&scalar(value)) {
            return;
        }
        let names = allowed.iter().filter_map(|name| name.as_str());
        let meant = value.as_str().and_then(|text| closest(text, names));
        let meant = meant.map_or(String::new(), |meant| format!("; did you mean {meant:?}?"));
        let allowed = one_of_values(allowed);
        self.report(spot, format!("{} given; {allowed} is allowed{meant}", given(value)));
    }

    fn number(&mut self, spot: &Spot<'s>, schema: &'s Value, value: &DeValue<'_>) {
        let number = scalar(value);
        let Some(number) = number.as_f64() else {
            return self.report(spot, format!("{} given, which is too large", given(value)));
        };
        let (min, max) = (&schema["minimum"], &schema["maximum"]);
        let below = min.as_f64().is_some_and(|min| number < min);
        let above = max.as_f64().is_some_and(|max| number > max);
        if below || above {
            self.report(spot, format!("{} given; {min} to {max} is allowed", given(value)));
        }
        let step = schema["multipleOf"].as_f64();
        if step.is_some_and(|step| number % step != 0.0) {
            let step = &schema["multipleOf"];
            self.report(spot, format!("{} given; a multiple of {step} is needed", given(value)));
        }
    }

    fn text(&mut self, spot: &Spot<'s>, schema: &'s Value, value: &DeValue<'_>, text: &str) {
        self.size(spot, schema, text.chars().count(), "Length", "characters");
        let Some(pattern) = schema["pattern"].as_str() else {
            return;
        };
        let known_to_be_wrong = self.findings.last().is_some_and(|last| last.key == spot.key);
        if known_to_be_wrong {
            return;
        }
        let fits = regex_lite::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text));
        if !fits {
            self.report(spot, format!("{} given; it must match {pattern}", given(value)));
        }
    }

    /// Compares a size with `min<What>` and `max<What>`.
    fn size(&mut self, spot: &Spot<'s>, schema: &'s Value, size: usize, what: &str, unit: &str) {
        let bound = |side: &str| schema[format!("{side}{what}")].as_u64();
        let (min, max) = (bound("min").unwrap_or(0), bound("max"));
        let size = size as u64;
        if size >= min && max.is_none_or(|max| size <= max) {
            return;
        }
        let allowed = max.map_or(format!("{min} or more"), |max| format!("{min} to {max}"));
        self.report(spot, format!("{size} given; {allowed} {unit} are allowed"));
    }

    fn wrong_type(&mut self, spot: &Spot<'s>, wanted: &str, value: &DeValue<'_>) {
        self.report(spot, format!("{} given; {} is needed", given(value), type_words(wanted)));
    }

    fn report(&mut self, spot: &Spot<'s>, message: String) {
        self.findings.push(Finding {
            span: spot.span.clone(),
            key: spot.key.clone(),
            message,
            help: spot.help.map(Into::into),
        });
    }
}

/// A table is where its header names it, anything else where its value is.
fn span_of(name: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>) -> Range<usize> {
    if value.get_ref().is_table() { name.span() } else { value.span() }
}

fn scalar(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Boolean(truth) => (*truth).into(),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Into::into)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Into::into),
        _ => Value::Null,
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "string",
        DeValue::Boolean(_) => "boolean",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "number",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
        DeValue::Datetime(_) => "datetime",
    }
}

fn type_words(name: &str) -> &str {
    match name {
        "object" => "a table",
        "array" => "an array",
        "string" => "a text in quotes",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        other => other,
    }
}
