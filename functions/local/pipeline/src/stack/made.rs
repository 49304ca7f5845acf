//! What exists of a stack, and the template's references to it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What exists, by logical id.
///
/// ```
/// use local_pipeline::stack::{Made, Physical};
/// let mut made = Made::default();
/// made.add("News", Physical::named("news").with("Arn", "arn:aws:kinesis:eu-west-1:1:stream/news"));
/// let arn = serde_json::json!({ "Fn::GetAtt": ["News", "Arn"] });
/// assert_eq!(made.resolve(&arn).unwrap(), "arn:aws:kinesis:eu-west-1:1:stream/news");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Made {
    physical: BTreeMap<String, Physical>,
}

/// A resource that exists: what `Ref` gives, and what `Fn::GetAtt` gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Physical {
    reference: String,
    attributes: BTreeMap<&'static str, Value>,
}

/// A reference to something that isn't here, or an intrinsic function that templates of ours don't use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} can't be resolved on this machine")]
pub struct Unresolved(String);

impl Physical {
    /// A resource whose `Ref` is this.
    pub fn named(reference: impl Into<String>) -> Self {
        Self { reference: reference.into(), attributes: BTreeMap::new() }
    }

    /// With an attribute for `Fn::GetAtt`: a text, or a list.
    #[must_use]
    pub fn with(mut self, attribute: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.insert(attribute, value.into());
        self
    }
}

impl Made {
    /// Adds what was made.
    pub fn add(&mut self, id: &str, physical: Physical) {
        self.physical.insert(id.to_owned(), physical);
    }

    /// What `Ref` gives of the resource that has this value as its attribute.
    pub fn reference_of(&self, attribute: &str, value: &str) -> Option<&str> {
        let has = |physical: &&Physical| physical.attributes.get(attribute).is_some_and(|known| known == value);
        self.physical.values().find(has).map(|physical| physical.reference.as_str())
    }

    /// A value with its references and functions replaced by what they stand for.
    ///
    /// # Errors
    ///
    /// The first reference that leads nowhere.
    pub fn resolve(&self, value: &Value) -> Result<Value, Unresolved> {
        match value {
            Value::Array(values) => values.iter().map(|value| self.resolve(value)).collect(),
            Value::Object(members) => match only(members) {
                Some((function, argument)) if function == "Ref" || function.starts_with("Fn::") => {
                    self.call(function, argument)
                }
                _ => self.resolve_members(members).map(Value::Object),
            },
            plain => Ok(plain.clone()),
        }
    }

    /// Like [`resolve`](Self::resolve), without the members that can't be resolved: rights, networks and keys have no
    /// counterpart here.
    pub fn resolve_known(&self, properties: &Value) -> Value {
        let Value::Object(members) = properties else { return properties.clone() };
        let known = members.iter().filter_map(|(name, value)| Some((name.clone(), self.resolve(value).ok()?)));
        Value::Object(known.collect())
    }

    fn resolve_members(&self, members: &Map<String, Value>) -> Result<Map<String, Value>, Unresolved> {
        members.iter().map(|(name, value)| Ok((name.clone(), self.resolve(value)?))).collect()
    }

    fn call(&self, function: &str, argument: &Value) -> Result<Value, Unresolved> {
        let unresolved = || Unresolved(format!("{function} {argument}"));
        match (function, argument) {
            ("Ref", Value::String(id)) => self.reference(id).map(Value::String).ok_or_else(unresolved),
            ("Fn::GetAtt", Value::Array(path)) => self.attribute(path).ok_or_else(unresolved),
            ("Fn::Sub", Value::String(text)) => self.substitute(text).map(Value::String),
            ("Fn::Base64", text) => self.resolve(text),
            ("Fn::Select", Value::Array(arguments)) => self.select(arguments)?.ok_or_else(unresolved),
            _ => Err(unresolved()),
        }
    }

    fn reference(&self, id: &str) -> Option<String> {
        let pseudo = match id {
            "AWS::Region" => local::REGION,
            "AWS::AccountId" => local::ACCOUNT,
            "AWS::Partition" => "aws",
            "AWS::URLSuffix" => "amazonaws.com",
            _ => return self.physical.get(id).map(|physical| physical.reference.clone()),
        };
        Some(pseudo.to_owned())
    }

    fn attribute(&self, path: &[Value]) -> Option<Value> {
        let [Value::String(id), Value::String(attribute)] = path else { return None };
        self.physical.get(id)?.attributes.get(attribute.as_str()).cloned()
    }

    fn select(&self, arguments: &[Value]) -> Result<Option<Value>, Unresolved> {
        let [index, list] = arguments else { return Ok(None) };
        let index = index.as_u64().and_then(|index| usize::try_from(index).ok());
        let list = self.resolve(list)?;
        Ok(index.and_then(|index| list.get(index).cloned()))
    }

    /// `${Id}` and `${Id.Attribute}`; `${!` is a `${` that is none.
    fn substitute(&self, text: &str) -> Result<String, Unresolved> {
        let mut parts = text.split("${");
        let mut done = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').ok_or_else(|| Unresolved(format!("${{{part}")))?;
            if let Some(literal) = name.strip_prefix('!') {
                done.extend(["${", literal, "}", rest]);
                continue;
            }
            let value = match name.split_once('.') {
                Some((id, attribute)) => self.attribute(&[id.into(), attribute.into()]),
                None => self.reference(name).map(Value::String),
            };
            let value = value.as_ref().and_then(Value::as_str).map(ToOwned::to_owned);
            done += &value.ok_or_else(|| Unresolved(format!("${{{name}}}")))?;
            done += rest;
        }
        Ok(done)
    }
}

/// The only member of an object.
fn only(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut members = members.iter();
    let (name, value) = members.next()?;
    members.next().is_none().then_some((name.as_str(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn made() -> Made {
        let mut made = Made::default();
        made.add("News", Physical::named("news").with("Arn", "arn:news"));
        made.add("Broker", Physical::named("b-1").with("AmqpEndpoints", json!(["amqps://one:5671"])));
        made
    }

    #[test]
    fn references_lead_to_what_was_made() {
        for (value, expected) in [
            (json!("plain"), json!("plain")),
            (json!({ "Ref": "News" }), json!("news")),
            (json!({ "Ref": "AWS::Region" }), json!("eu-west-1")),
            (json!({ "Fn::GetAtt": ["News", "Arn"] }), json!("arn:news")),
            (json!({ "Fn::Select": [0, { "Fn::GetAtt": ["Broker", "AmqpEndpoints"] }] }), json!("amqps://one:5671")),
            (
                json!({ "Fn::Sub": "${News} at ${News.Arn} in ${AWS::Region}, ${!News}" }),
                json!("news at arn:news in eu-west-1, ${News}"),
            ),
            (json!({ "Fn::Base64": { "Fn::Sub": "${News}" } }), json!("news")),
            (json!({ "Ref": "News", "Other": 1 }), json!({ "Ref": "News", "Other": 1 })),
            (json!([{ "Name": { "Ref": "News" } }]), json!([{ "Name": "news" }])),
        ] {
            assert_eq!(made().resolve(&value).as_ref(), Ok(&expected), "{value}");
        }
    }

    #[test]
    fn what_is_not_here_is_named() {
        for (value, expected) in [
            (json!({ "Ref": "Role" }), r#"Ref "Role""#),
            (json!({ "Fn::GetAtt": ["News", "Colour"] }), r#"Fn::GetAtt ["News","Colour"]"#),
            (json!({ "Fn::Sub": "${Role.Arn}" }), "${Role.Arn}"),
            (json!({ "Fn::ImportValue": "x" }), r#"Fn::ImportValue "x""#),
        ] {
            let error = made().resolve(&json!({ "Member": value })).unwrap_err();
            assert_eq!(error.to_string(), format!("{expected} can't be resolved on this machine"));
        }
    }

    #[test]
    fn properties_keep_what_can_be_known() {
        let properties = json!({ "Role": { "Ref": "Role" }, "Timeout": 60 });
        assert_eq!(made().resolve_known(&properties), json!({ "Timeout": 60 }));
    }

    #[test]
    fn resource_is_found_by_its_attribute() {
        assert_eq!(made().reference_of("Arn", "arn:news"), Some("news"));
        assert_eq!(made().reference_of("Arn", "arn:other"), None);
    }
}
