//! What a property holds, before a backend writes it down.

use std::borrow::Cow;

use super::text::{Kind, Pseudo, Ref, Reference, Text};

/// A property's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Left out: Terraform reads null as absent, CloudFormation properties drop it.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Number(f64),
    /// A string, with or without references.
    Text(Text),
    /// Values in order.
    List(Vec<Value>),
    /// A nested object or block.
    Map(Properties),
    /// A JSON document inside a string: a policy for Terraform, a filter pattern for both.
    Json(Box<Value>),
    /// A text that is encoded when it is deployed: what an instance runs when it starts.
    Base64(Text),
}

impl Value {
    /// The value as a JSON document inside a string.
    pub fn json(value: impl Into<Value>) -> Self {
        Self::Json(Box::new(value.into()))
    }

    /// The list of what can become a value.
    pub fn list<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    /// What it is, in a message's words: `a string`, `a list`.
    pub fn word(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) | Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "an object",
            Value::Json(_) => "a JSON string",
            Value::Base64(_) => "an encoded string",
        }
    }

    /// Sets the value at a dotted path, making objects on the way. A number in the path is an index into
    /// a list; without one, the path goes through a list's only element, as a block is often written.
    pub(crate) fn set_at(&mut self, path: &[&str], value: Value) -> Result<(), String> {
        let Some((first, rest)) = path.split_first() else {
            *self = value;
            return Ok(());
        };
        if matches!(self, Value::Null) {
            *self = Value::Map(Properties::default());
        }
        match self {
            Value::Map(properties) => properties.slot(first).set_at(rest, value),
            Value::List(items) => match first.parse::<usize>() {
                Ok(index) if index < items.len() => items[index].set_at(rest, value),
                Ok(index) => Err(format!("there is no element {index}; the list has {}", items.len())),
                Err(_) if items.len() == 1 => items[0].set_at(path, value),
                Err(_) => Err(format!("`{first}` needs an index before it; the list has {} elements", items.len())),
            },
            Value::Json(document) => document.set_at(path, value),
            other => Err(format!("`{first}` is inside {}", other.word())),
        }
    }
}

/// Properties in the order they were set, which is the order they are written.
///
/// ```
/// use constructs::tree::Properties;
/// let properties = Properties::default().set("name", "news").set_some("shard_count", None::<u32>);
/// assert_eq!(properties.len(), 1);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Properties(Vec<(Cow<'static, str>, Value)>);

impl Properties {
    /// Sets a property; a second time replaces the first.
    pub fn set(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.insert(name, value);
        self
    }

    /// Sets a property if there is a value.
    pub fn set_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// Sets a list or object property unless it is empty.
    pub fn set_filled(self, name: &'static str, value: impl Into<Value>) -> Self {
        match value.into() {
            Value::List(items) if items.is_empty() => self,
            Value::Map(properties) if properties.is_empty() => self,
            value => self.set(name, value),
        }
    }

    /// Sets a property in place.
    pub fn insert(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        let name = name.into();
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, slot)) => *slot = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets everything that `more` sets.
    pub fn append(&mut self, more: Properties) {
        for (name, value) in more.0 {
            self.insert(name, value);
        }
    }

    /// The value of a property.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn slot(&mut self, name: &str) -> &mut Value {
        if let Some(index) = self.0.iter().position(|(known, _)| known == name) {
            return &mut self.0[index].1;
        }
        self.0.push((Cow::Owned(name.to_owned()), Value::Null));
        &mut self.0.last_mut().expect("just pushed").1
    }
}

impl<N: Into<Cow<'static, str>>, V: Into<Value>> FromIterator<(N, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(items: I) -> Self {
        let mut properties = Self::default();
        for (name, value) in items {
            properties.insert(name, value);
        }
        properties
    }
}

macro_rules! value_from {
    ($($source:ty => |$value:ident| $target:expr;)*) => {$(
        impl From<$source> for Value {
            fn from($value: $source) -> Self {
                $target
            }
        }
    )*};
}

value_from! {
    bool => |value| Value::Bool(value);
    i32 => |value| Value::Integer(value.into());
    i64 => |value| Value::Integer(value);
    u8 => |value| Value::Integer(value.into());
    u16 => |value| Value::Integer(value.into());
    u32 => |value| Value::Integer(value.into());
    f64 => |value| Value::Number(value);
    Text => |text| Value::Text(text);
    &Text => |text| Value::Text(text.clone());
    &'static str => |text| Value::Text(text.into());
    String => |text| Value::Text(text.into());
    &String => |text| Value::Text(text.into());
    Reference => |reference| Value::Text(reference.into());
    Pseudo => |pseudo| Value::Text(pseudo.into());
    Properties => |properties| Value::Map(properties);
}

impl<K: Kind> From<Ref<K>> for Value {
    fn from(reference: Ref<K>) -> Self {
        Value::Text(reference.into())
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::list(items)
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Self {
        Self::list(items)
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(integer) => Value::Integer(integer),
                None => Value::Number(number.as_f64().unwrap_or(f64::MAX)),
            },
            serde_json::Value::String(text) => Value::Text(text.into()),
            serde_json::Value::Array(items) => Value::list(items),
            serde_json::Value::Object(fields) => Value::Map(fields.into_iter().collect()),
        }
    }
}
