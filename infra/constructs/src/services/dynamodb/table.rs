//! Tables: what is said of them, and what is checked.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    Capacity,
    handle::{ExistingTable, StreamingTableRef, TableRef},
    index::{self, GlobalIndex, Key, LocalIndex},
};
use crate::{
    services::{kms::KeyRef, units::Days},
    tree::{Construct, Stack, Text},
};

mod rendering;

use rendering::Insights;

const MOST_LOCAL_INDEXES: usize = 5;
const MOST_INCLUDED: usize = 100;

/// A table.
///
/// Pays for what is read and written, can be restored to any second of the last 35 days, and is encrypted
/// with the key that AWS manages for DynamoDB. It can't be deleted unless the stack's removal is
/// [`Removal::Destroy`](crate::tree::Removal). Named after its path.
///
/// ```
/// use constructs::{services::dynamodb::{GlobalIndex, Key, Table, View}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("enrichment");
/// let articles = Table::keyed_by("article_id")
///     .index(GlobalIndex::new("by_language", "language").sorted_by(Key::number("published")))
///     .expires_at("expires_at")
///     .streaming(View::NewImage);
/// let articles = stack.add("Articles", articles);
/// stack.output("TableName", articles.name());
/// stack.output("StreamArn", articles.stream_arn());
/// ```
#[derive(Debug, Clone)]
pub struct Table {
    key: Key,
    sort: Option<Key>,
    capacity: Capacity,
    indexes: Vec<GlobalIndex>,
    local_indexes: Vec<LocalIndex>,
    expiry: Option<Cow<'static, str>>,
    recovery: Recovery,
    encryption: Encryption,
    infrequent: bool,
    insights: bool,
    stream: Option<View>,
    name: Option<Text>,
    /// Every attribute that a key is made of and its type; known once it is built.
    attributes: BTreeMap<String, &'static str>,
    protected: bool,
}

#[derive(Debug, Clone, Copy)]
enum Recovery {
    Off,
    /// AWS keeps 35 days.
    Longest,
    Kept(Days),
}

#[derive(Debug, Clone, Copy)]
enum Encryption {
    OwnedByAws,
    ManagedByAws,
    Key(KeyRef),
}

impl Encryption {
    fn key(self) -> Option<KeyRef> {
        match self {
            Self::Key(key) => Some(key),
            Self::OwnedByAws | Self::ManagedByAws => None,
        }
    }
}

/// What a table's stream tells about a changed item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Its key.
    Keys,
    /// The whole item as it is now.
    NewImage,
    /// The whole item as it was.
    OldImage,
    /// Both.
    NewAndOldImages,
}

impl View {
    fn word(self) -> &'static str {
        match self {
            Self::Keys => "KEYS_ONLY",
            Self::NewImage => "NEW_IMAGE",
            Self::OldImage => "OLD_IMAGE",
            Self::NewAndOldImages => "NEW_AND_OLD_IMAGES",
        }
    }
}

impl Table {
    /// A table whose items are found by this attribute. A name alone is a text attribute.
    pub fn keyed_by(key: impl Into<Key>) -> Self {
        Self {
            key: key.into(),
            sort: None,
            capacity: Capacity::OnDemand { at_most: None },
            indexes: Vec::new(),
            local_indexes: Vec::new(),
            expiry: None,
            recovery: Recovery::Longest,
            encryption: Encryption::ManagedByAws,
            infrequent: false,
            insights: false,
            stream: None,
            name: None,
            attributes: BTreeMap::new(),
            protected: true,
        }
    }

    /// Keeps many items under one partition key, in the order of this attribute.
    pub fn sorted_by(mut self, key: impl Into<Key>) -> Self {
        self.sort = Some(key.into());
        self
    }

    /// Pays for so many reads (of 4 KB) and writes (of 1 KB) a second, used or not; each at least 1. What
    /// comes beyond is refused. Replaces a limit said with [`Table::at_most`].
    pub fn provisioned(mut self, read: u32, write: u32) -> Self {
        self.capacity = Capacity::Provisioned { read, write };
        self
    }

    /// Pays for what is used, but refuses more than so many reads and writes a second; each at least 1.
    /// Defaults to the account's quota, 40 000 each at first.
    pub fn at_most(mut self, read: u32, write: u32) -> Self {
        self.capacity = Capacity::OnDemand { at_most: Some((read, write)) };
        self
    }

    /// Adds another key over all partitions. AWS allows 20 of them unless the quota is raised.
    pub fn index(mut self, index: GlobalIndex) -> Self {
        self.indexes.push(index);
        self
    }

    /// Adds another sort key; at most 5.
    pub fn local_index(mut self, index: LocalIndex) -> Self {
        self.local_indexes.push(index);
        self
    }

    /// Deletes items within some days after the time in this attribute, a number of seconds since 1970.
    /// Items without it stay. Nothing expires where this is left out.
    pub fn expires_at(mut self, attribute: impl Into<Cow<'static, str>>) -> Self {
        self.expiry = Some(attribute.into());
        self
    }

    /// How far back the table can be restored, 1 to 35 days. Defaults to 35.
    pub fn recoverable_for(mut self, days: Days) -> Self {
        self.recovery = Recovery::Kept(days);
        self
    }

    /// Can't be restored to a point in time, which costs nothing: for what can be computed again.
    pub fn unrecoverable(mut self) -> Self {
        self.recovery = Recovery::Off;
        self
    }

    /// Encrypted with this key. Who reads or writes needs rights on the key; the grants include them.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        if let Some(key) = key.into() {
            self.encryption = Encryption::Key(key);
        }
        self
    }

    /// Encrypted with a key that AWS owns: free of charge, and not seen in the account's CloudTrail.
    pub fn encrypted_by_aws(mut self) -> Self {
        self.encryption = Encryption::OwnedByAws;
        self
    }

    /// Cheaper to keep and dearer to use: for items that are rarely read.
    pub fn infrequently_used(mut self) -> Self {
        self.infrequent = true;
        self
    }

    /// Lets CloudWatch show which keys are used most, for the price of its rules.
    pub fn with_insights(mut self) -> Self {
        self.insights = true;
        self
    }

    /// Another name than the one made from the path: 3 to 255 letters, digits, `_`, `.` and `-`.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Keeps every change for 24 hours, to be read as a stream. Only then has the handle a `stream_arn()`.
    pub fn streaming(self, view: View) -> StreamingTable {
        StreamingTable(Self { stream: Some(view), ..self })
    }

    /// A table that is managed elsewhere, by name, in this region and account.
    pub fn existing(name: impl Into<Text>) -> ExistingTable {
        ExistingTable { name: name.into(), key: None, indexed: false }
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        let indexes = self.indexes.iter().map(|index| &index.index);
        [&self.key]
            .into_iter()
            .chain(&self.sort)
            .chain(indexes.flat_map(|index| [&index.key].into_iter().chain(&index.sort)))
            .chain(self.local_indexes.iter().map(|index| &index.sort))
    }

    fn projections(&self) -> impl Iterator<Item = (&str, &index::Projection)> {
        let global = self.indexes.iter().map(|index| (index.index.name.as_ref(), &index.index.projection));
        global.chain(self.local_indexes.iter().map(|index| (index.name.as_ref(), &index.projection)))
    }
}

/// A [`Table`] whose changes can be read, see [`Table::streaming`].
#[derive(Debug, Clone)]
pub struct StreamingTable(Table);

impl Construct for Table {
    type Handle = TableRef;

    fn build(mut self, stack: &mut Stack) -> TableRef {
        self.attributes = index::attributes(stack, self.keys());
        self.check_indexes(stack);
        self.check_capacity(stack);
        self.check_rest(stack);
        let name = self.name.get_or_insert_with(|| stack.physical_name().into());
        if let Some(name) = name.literal().filter(|name| !index::is_name(name)) {
            stack.problem(format!("the table name `{name}` must be 3 to 255 letters, digits, `_`, `.` or `-`"));
        }
        let (key, insights) = (self.encryption.key(), self.insights);
        let indexed = !(self.indexes.is_empty() && self.local_indexes.is_empty());
        let global: Vec<Cow<'static, str>> = self.indexes.iter().map(|index| index.index.name.clone()).collect();
        let table = TableRef { node: stack.resource(self), key, indexed };
        if insights {
            stack.child("Insights", Insights { table, index: None });
            for (number, index) in (1..).zip(global) {
                stack.child(&format!("Insights{number}"), Insights { table, index: Some(index) });
            }
        }
        table
    }
}

impl Construct for StreamingTable {
    type Handle = StreamingTableRef;

    fn build(self, stack: &mut Stack) -> StreamingTableRef {
        StreamingTableRef(self.0.build(stack))
    }
}

impl Table {
    fn check_indexes(&self, stack: &mut Stack) {
        let mut known = Vec::new();
        let mut included = 0;
        for (name, projection) in self.projections() {
            index::check(stack, name, projection);
            if known.contains(&name) {
                stack.problem(format!("two indexes are named `{name}`"));
            }
            known.push(name);
            included += if let index::Projection::Some(names) = projection { names.len() } else { 0 };
        }
        if included > MOST_INCLUDED {
            stack.problem(format!(
                "the indexes include {included} attributes; a table's include {MOST_INCLUDED} at most"
            ));
        }
        if self.local_indexes.len() > MOST_LOCAL_INDEXES {
            let count = self.local_indexes.len();
            stack.problem(format!("there are {count} local indexes; a table has {MOST_LOCAL_INDEXES} at most"));
        }
        if self.sort.is_none() && !self.local_indexes.is_empty() {
            stack.problem("a local index is another sort key, and the table has none; give it one with sorted_by");
        }
        let global = self.indexes.iter().map(|index| (&index.index.key, &index.index.sort));
        for (key, sort) in [(&self.key, &self.sort)].into_iter().chain(global) {
            if sort.as_ref().is_some_and(|sort| sort.name == key.name) {
                stack.problem(format!("`{}` is both partition key and sort key; they are two attributes", key.name));
            }
        }
    }

    fn check_capacity(&self, stack: &mut Stack) {
        let provisioned = matches!(self.capacity, Capacity::Provisioned { .. });
        check_at_least_one(stack, "the table", self.capacity);
        for index in &self.indexes {
            let Some(capacity) = index.capacity else { continue };
            let name = &index.index.name;
            check_at_least_one(stack, &format!("the index `{name}`"), capacity);
            match (provisioned, matches!(capacity, Capacity::Provisioned { .. })) {
                (true, false) => stack.problem(format!(
                    "the index `{name}` is limited with at_most; the indexes of a provisioned table are provisioned"
                )),
                (false, true) => stack.problem(format!(
                    "the index `{name}` is provisioned; the indexes of an on-demand table take at_most"
                )),
                _ => (),
            }
        }
    }

    fn check_rest(&self, stack: &mut Stack) {
        if let Recovery::Kept(Days(days)) = self.recovery
            && !(1..=35).contains(&days)
        {
            stack.problem(format!("point-in-time recovery reaches back {days} days; DynamoDB keeps 1 to 35 days"));
        }
        let expiry = self.expiry.as_deref().unwrap_or_default();
        if self.attributes.get(expiry).is_some_and(|kind| *kind != "N") {
            stack.problem(format!(
                "items expire at the time in `{expiry}`, which must be a number; a key says otherwise"
            ));
        }
    }
}

fn check_at_least_one(stack: &mut Stack, what: &str, capacity: Capacity) {
    let (read, write) = match capacity {
        Capacity::Provisioned { read, write } | Capacity::OnDemand { at_most: Some((read, write)) } => (read, write),
        Capacity::OnDemand { at_most: None } => return,
    };
    if read == 0 || write == 0 {
        stack.problem(format!("{what} has {read} reads and {write} writes a second; each is at least 1"));
    }
}
