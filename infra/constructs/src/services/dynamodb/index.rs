//! Keys and indexes: which attributes a table can be asked by.

use std::{borrow::Cow, collections::BTreeMap};

use super::Capacity;
use crate::tree::{Properties, Stack, Value};

/// An attribute that is part of a key. Only those are declared; items have any others besides.
///
/// ```
/// use constructs::services::dynamodb::{Key, Table};
/// let by_text = Table::keyed_by("article_id");
/// let by_number = Table::keyed_by(Key::number("day")).sorted_by(Key::binary("hash"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub(super) name: Cow<'static, str>,
    /// DynamoDB's letter for the type: `S`, `N`, `B`.
    pub(super) kind: &'static str,
}

impl Key {
    /// An attribute that holds text, 1 to 255 characters long by name. Sorts by its UTF-8 bytes.
    pub fn text(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), kind: "S" }
    }

    /// An attribute that holds a number.
    pub fn number(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), kind: "N" }
    }

    /// An attribute that holds bytes.
    pub fn binary(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), kind: "B" }
    }

    fn word(&self) -> &'static str {
        match self.kind {
            "S" => "text",
            "N" => "a number",
            _ => "binary",
        }
    }
}

impl From<&'static str> for Key {
    fn from(name: &'static str) -> Self {
        Self::text(name)
    }
}

impl From<String> for Key {
    fn from(name: String) -> Self {
        Self::text(name)
    }
}

/// Another key for the same items, over all partitions. Read later than the table by a moment, and paid
/// for like a table of its own.
///
/// ```
/// use constructs::services::dynamodb::{GlobalIndex, Key, Table};
/// let articles = Table::keyed_by("article_id").index(
///     GlobalIndex::new("by_language", "language").sorted_by(Key::number("published")).including(["title", "url"]),
/// );
/// ```
#[derive(Debug, Clone)]
pub struct GlobalIndex {
    pub(super) index: Index,
    /// `None` where it has the table's.
    pub(super) capacity: Option<Capacity>,
}

impl GlobalIndex {
    /// An index by a name of 3 to 255 letters, digits, `_`, `.` and `-`, and its partition key. Items
    /// without the key attribute aren't in the index. It holds whole items unless told otherwise.
    pub fn new(name: impl Into<Cow<'static, str>>, key: impl Into<Key>) -> Self {
        Self { index: Index::new(name.into(), key.into()), capacity: None }
    }

    /// Sorts the items of one partition key by another attribute.
    pub fn sorted_by(mut self, key: impl Into<Key>) -> Self {
        self.index.sort = Some(key.into());
        self
    }

    /// Holds the keys of table and index only; the rest is read from the table.
    pub fn keys_only(mut self) -> Self {
        self.index.projection = Projection::Keys;
        self
    }

    /// Holds the keys and these attributes.
    pub fn including<N: Into<Cow<'static, str>>>(mut self, attributes: impl IntoIterator<Item = N>) -> Self {
        self.index.projection = Projection::Some(attributes.into_iter().map(Into::into).collect());
        self
    }

    /// Reads and writes a second, for a provisioned table; each at least 1. Defaults to the table's. An
    /// index with too few writes slows the table down.
    pub fn provisioned(mut self, read: u32, write: u32) -> Self {
        self.capacity = Some(Capacity::Provisioned { read, write });
        self
    }

    /// Refuses more than so many reads and writes a second, for an on-demand table; each at least 1.
    /// Defaults to the table's.
    pub fn at_most(mut self, read: u32, write: u32) -> Self {
        self.capacity = Some(Capacity::OnDemand { at_most: Some((read, write)) });
        self
    }
}

/// Another sort key for the items of one partition key. Made with the table only: adding one later replaces
/// the table. It limits the items of one partition key to 10 GB.
///
/// ```
/// use constructs::services::dynamodb::{Key, LocalIndex, Table};
/// let scores = Table::keyed_by("ticker")
///     .sorted_by(Key::number("published"))
///     .local_index(LocalIndex::new("by_score", Key::number("score")).keys_only());
/// ```
#[derive(Debug, Clone)]
pub struct LocalIndex {
    pub(super) name: Cow<'static, str>,
    pub(super) sort: Key,
    pub(super) projection: Projection,
}

impl LocalIndex {
    /// An index by a name of 3 to 255 letters, digits, `_`, `.` and `-`, and its sort key.
    pub fn new(name: impl Into<Cow<'static, str>>, sort: impl Into<Key>) -> Self {
        Self { name: name.into(), sort: sort.into(), projection: Projection::All }
    }

    /// Holds the keys of table and index only; the rest is read from the table.
    pub fn keys_only(mut self) -> Self {
        self.projection = Projection::Keys;
        self
    }

    /// Holds the keys and these attributes.
    pub fn including<N: Into<Cow<'static, str>>>(mut self, attributes: impl IntoIterator<Item = N>) -> Self {
        self.projection = Projection::Some(attributes.into_iter().map(Into::into).collect());
        self
    }
}

/// What both kinds of index are once the table is known.
#[derive(Debug, Clone)]
pub(super) struct Index {
    pub(super) name: Cow<'static, str>,
    pub(super) key: Key,
    pub(super) sort: Option<Key>,
    pub(super) projection: Projection,
}

/// What an index holds of an item.
#[derive(Debug, Clone)]
pub(super) enum Projection {
    All,
    Keys,
    Some(Vec<Cow<'static, str>>),
}

impl Index {
    fn new(name: Cow<'static, str>, key: Key) -> Self {
        Self { name, key, sort: None, projection: Projection::All }
    }

    pub(super) fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("IndexName", self.name.to_string())
            .set("KeySchema", key_schema(["AttributeName", "KeyType"], &self.key, self.sort.as_ref()))
            .set(
                "Projection",
                Properties::default()
                    .set("ProjectionType", self.projection.word())
                    .set_filled("NonKeyAttributes", self.projection.attributes()),
            )
    }

    pub(super) fn terraform(&self) -> Properties {
        Properties::default()
            .set("name", self.name.to_string())
            .set("key_schema", key_schema(["attribute_name", "key_type"], &self.key, self.sort.as_ref()))
            .set("projection_type", self.projection.word())
            .set_filled("non_key_attributes", self.projection.attributes())
    }
}

impl LocalIndex {
    pub(super) fn cloudformation(&self, key: &Key) -> Properties {
        let index = Index { sort: Some(self.sort.clone()), ..Index::new(self.name.clone(), key.clone()) };
        Index { projection: self.projection.clone(), ..index }.cloudformation()
    }

    pub(super) fn terraform(&self) -> Properties {
        Properties::default()
            .set("name", self.name.to_string())
            .set("range_key", self.sort.name.to_string())
            .set("projection_type", self.projection.word())
            .set_filled("non_key_attributes", self.projection.attributes())
    }
}

impl Projection {
    fn word(&self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Keys => "KEYS_ONLY",
            Self::Some(_) => "INCLUDE",
        }
    }

    fn attributes(&self) -> Value {
        match self {
            Self::Some(names) => Value::list(names.iter().map(ToString::to_string)),
            Self::All | Self::Keys => Value::List(Vec::new()),
        }
    }
}

/// A key as both backends list it; `names` are their words for the attribute and its role.
pub(super) fn key_schema(names: [&'static str; 2], key: &Key, sort: Option<&Key>) -> Value {
    let element =
        |key: &Key, role: &'static str| Properties::default().set(names[0], key.name.to_string()).set(names[1], role);
    Value::list([element(key, "HASH")].into_iter().chain(sort.map(|sort| element(sort, "RANGE"))))
}

/// The attributes that keys are made of, by name. One that is used with two types is a problem.
pub(super) fn attributes<'k>(stack: &mut Stack, keys: impl Iterator<Item = &'k Key>) -> BTreeMap<String, &'static str> {
    let mut known: BTreeMap<String, &Key> = BTreeMap::new();
    for key in keys {
        let first = *known.entry(key.name.to_string()).or_insert(key);
        if first.kind != key.kind {
            let (name, first, second) = (&key.name, first.word(), key.word());
            stack.problem(format!(
                "the key attribute `{name}` is {first} in one place and {second} in another; it has one type"
            ));
        }
    }
    known.into_iter().map(|(name, key)| (name, key.kind)).collect()
}

/// Reports what is wrong with one index, whatever its kind.
pub(super) fn check(stack: &mut Stack, name: &str, projection: &Projection) {
    if !is_name(name) {
        stack.problem(format!("the index name `{name}` must be 3 to 255 letters, digits, `_`, `.` or `-`"));
    }
    if matches!(projection, Projection::Some(names) if names.is_empty()) {
        stack.problem(format!("the index `{name}` includes no attribute; name some, or let it hold its keys only"));
    }
}

/// Whether a table or index may be called so.
pub(super) fn is_name(name: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    (3..=255).contains(&name.len()) && name.chars().all(allowed)
}
