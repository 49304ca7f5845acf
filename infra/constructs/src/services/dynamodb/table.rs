//! Tables, their handles and their renderings.

use std::{borrow::Cow, collections::BTreeMap, ops::Deref};

use super::{
    Capacity,
    index::{self, GlobalIndex, Key, LocalIndex},
};
use crate::{
    policy::{Grant, Statement},
    services::{kms::KeyRef, units::Days},
    tree::{
        Access, Arn, Attribute, Construct, Handle, Lookup, Name, NodeRef, Properties, Pseudo, Ref, Removal, Resource,
        Stack, Text, Types, Value,
    },
};

const MOST_LOCAL_INDEXES: usize = 5;
const MOST_INCLUDED: usize = 100;

/// A table.
///
/// Pays for what is read and written, can be restored to any second of the last 35 days, and is encrypted
/// with the key that AWS manages for DynamoDB. It can't be deleted unless the stack's removal is
/// [`Removal::Destroy`]. Named after its path.
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
    pub fn encrypted_by(mut self, key: KeyRef) -> Self {
        self.encryption = Encryption::Key(key);
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

/// See [`Table::existing`].
#[derive(Debug, Clone)]
pub struct ExistingTable {
    name: Text,
    key: Option<KeyRef>,
    indexed: bool,
}

impl ExistingTable {
    /// The key it is encrypted with, if that isn't AWS's.
    pub fn encrypted_by(mut self, key: KeyRef) -> Self {
        self.key = Some(key);
        self
    }

    /// It has indexes, which [`TableRef::read`] then includes.
    pub fn with_indexes(mut self) -> Self {
        self.indexed = true;
        self
    }

    /// It has a stream, which Terraform looks up and CloudFormation asks for.
    pub fn streaming(self) -> ExistingStreamingTable {
        ExistingStreamingTable(self)
    }
}

impl Construct for ExistingTable {
    type Handle = TableRef;

    fn build(self, stack: &mut Stack) -> TableRef {
        let arn = Text::from("arn:") + Pseudo::Partition + ":dynamodb:" + Pseudo::Region + ":" + Pseudo::Account;
        let lookup = Lookup::new("aws_dynamodb_table", "AWS::DynamoDB::Table")
            .by("name", &self.name)
            .known(NAME, &self.name)
            .known(ARN, arn + ":table/" + &self.name);
        TableRef { node: lookup.build(stack), key: self.key, indexed: self.indexed }
    }
}

/// See [`ExistingTable::streaming`].
#[derive(Debug, Clone)]
pub struct ExistingStreamingTable(ExistingTable);

impl Construct for ExistingStreamingTable {
    type Handle = StreamingTableRef;

    fn build(self, stack: &mut Stack) -> StreamingTableRef {
        StreamingTableRef(self.0.build(stack))
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Table`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct TableRef {
    node: NodeRef,
    key: Option<KeyRef>,
    indexed: bool,
}

const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));
const NAME: Attribute = Attribute::name("name", Access::Ref);
const STREAM_ARN: Attribute = Attribute::arn("stream_arn", Access::GetAtt("StreamArn"));

impl TableRef {
    /// The table's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The table's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, NAME)
    }

    /// The ARN of one of its indexes; `*` for all.
    pub fn index_arn(self, name: impl Into<Text>) -> Text {
        self.arn() + "/index/" + name.into()
    }

    /// May get items by their keys, alone or up to 100 at once.
    pub fn get_items(self) -> Grant {
        self.reading(Statement::allow(["dynamodb:BatchGetItem", "dynamodb:GetItem"]))
    }

    /// May query the table by partition key; not its indexes.
    pub fn query(self) -> Grant {
        self.reading(Statement::allow(["dynamodb:Query"]))
    }

    /// May query one index; `*` for all.
    pub fn query_index(self, name: impl Into<Text>) -> Grant {
        let statement = Statement::allow(["dynamodb:Query"]).on(self.index_arn(name));
        self.with_key(statement, KeyRef::decrypt)
    }

    /// May read the whole table, item by item.
    pub fn scan(self) -> Grant {
        self.reading(Statement::allow(["dynamodb:Scan"]))
    }

    /// May read in every way: get, query and scan, the indexes too where it has some, check conditions in
    /// a transaction, and ask how the table is made.
    pub fn read(self) -> Grant {
        let actions = ["BatchGetItem", "ConditionCheckItem", "DescribeTable", "GetItem", "Query", "Scan"];
        let table = self.reading(Statement::allow(actions.map(|action| format!("dynamodb:{action}"))));
        if !self.indexed {
            return table;
        }
        table.and(Statement::allow(["dynamodb:Query", "dynamodb:Scan"]).on(self.index_arn("*")).into())
    }

    /// May put items one at a time, which replaces the one with the same key unless a condition forbids.
    pub fn put_items(self) -> Grant {
        self.writing(Statement::allow(["dynamodb:PutItem"]))
    }

    /// May change attributes of items, or make an item of them.
    pub fn update_items(self) -> Grant {
        self.writing(Statement::allow(["dynamodb:UpdateItem"]))
    }

    /// May delete items one at a time.
    pub fn delete_items(self) -> Grant {
        self.writing(Statement::allow(["dynamodb:DeleteItem"]))
    }

    /// May put, update and delete items, alone or up to 25 at once.
    pub fn write(self) -> Grant {
        let actions = ["BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem"];
        self.writing(Statement::allow(actions.map(|action| format!("dynamodb:{action}"))))
    }

    fn reading(self, statement: Statement) -> Grant {
        self.with_key(statement.on(self.arn()), KeyRef::decrypt)
    }

    fn writing(self, statement: Statement) -> Grant {
        self.with_key(statement.on(self.arn()), KeyRef::encrypt)
    }

    fn with_key(self, statement: Statement, on_key: fn(KeyRef) -> Grant) -> Grant {
        let grant = Grant::from(statement);
        match self.key {
            Some(key) => grant.and(on_key(key)),
            None => grant,
        }
    }
}

impl Handle for TableRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

/// A [`StreamingTable`] of a stack, or one that exists already. All that a [`TableRef`] offers, and its stream.
#[derive(Debug, Clone, Copy)]
pub struct StreamingTableRef(TableRef);

impl StreamingTableRef {
    /// The stream's ARN, which changes when the table is replaced or the view changes.
    pub fn stream_arn(self) -> Ref<Arn> {
        Ref::new(self.node, STREAM_ARN)
    }

    /// May read the stream of changes, shard by shard.
    pub fn read_changes(self) -> Grant {
        let read = Statement::allow(["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]);
        let list = Statement::allow(["dynamodb:ListStreams"]).on_any("takes no resource; Lambda asks for it");
        self.with_key(read.on(self.stream_arn()), KeyRef::decrypt).and(list.into())
    }
}

impl Deref for StreamingTableRef {
    type Target = TableRef;

    fn deref(&self) -> &TableRef {
        &self.0
    }
}

impl Handle for StreamingTableRef {
    fn node(self) -> NodeRef {
        self.0.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Table {
    fn types(&self) -> Types {
        Types::new("dynamodb", "aws_dynamodb_table", "AWS::DynamoDB::Table")
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn protect(&mut self, removal: Removal) {
        self.protected = removal != Removal::Destroy;
    }

    fn cloudformation(&self) -> Properties {
        let declared = |(name, kind): (&String, &&'static str)| {
            Properties::default().set("AttributeName", name).set("AttributeType", *kind)
        };
        let view = |view: View| Properties::default().set("StreamViewType", view.word());
        let expiry = |name: &Cow<'static, str>| {
            Properties::default().set("AttributeName", name.to_string()).set("Enabled", true)
        };
        let indexes = self.indexes.iter().map(|index| {
            capacity_cloudformation(index.index.cloudformation(), index.capacity.unwrap_or(self.capacity))
                .set_some("ContributorInsightsSpecification", self.insights.then(enabled))
        });
        let properties = Properties::default()
            .set_some("TableName", self.name.as_ref())
            .set("KeySchema", index::key_schema(["AttributeName", "KeyType"], &self.key, self.sort.as_ref()))
            .set("AttributeDefinitions", Value::list(self.attributes.iter().map(declared)))
            .set("BillingMode", self.billing());
        capacity_cloudformation(properties, self.capacity)
            .set_filled("GlobalSecondaryIndexes", Value::list(indexes))
            .set_filled(
                "LocalSecondaryIndexes",
                Value::list(self.local_indexes.iter().map(|index| index.cloudformation(&self.key))),
            )
            .set_some("StreamSpecification", self.stream.map(view))
            .set_some("TimeToLiveSpecification", self.expiry.as_ref().map(expiry))
            .set(
                "PointInTimeRecoverySpecification",
                self.recovery.properties("PointInTimeRecoveryEnabled", "RecoveryPeriodInDays"),
            )
            .set_some("SSESpecification", self.encryption_cloudformation())
            .set("TableClass", self.class())
            .set("DeletionProtectionEnabled", self.protected)
            .set_some("ContributorInsightsSpecification", self.insights.then(enabled))
    }

    fn terraform(&self) -> Properties {
        let declared =
            |(name, kind): (&String, &&'static str)| Properties::default().set("name", name).set("type", *kind);
        let expiry = |name: &Cow<'static, str>| {
            Properties::default().set("attribute_name", name.to_string()).set("enabled", true)
        };
        let indexes = self
            .indexes
            .iter()
            .map(|index| capacity_terraform(index.index.terraform(), index.capacity.unwrap_or(self.capacity)));
        let properties = Properties::default()
            .set_some("name", self.name.as_ref())
            .set("hash_key", self.key.name.to_string())
            .set_some("range_key", self.sort.as_ref().map(|sort| sort.name.to_string()))
            .set("attribute", Value::list(self.attributes.iter().map(declared)))
            .set("billing_mode", self.billing());
        capacity_terraform(properties, self.capacity)
            .set_filled("global_secondary_index", Value::list(indexes))
            .set_filled("local_secondary_index", Value::list(self.local_indexes.iter().map(LocalIndex::terraform)))
            .set_some("stream_enabled", self.stream.map(|_| true))
            .set_some("stream_view_type", self.stream.map(View::word))
            .set_some("ttl", self.expiry.as_ref().map(expiry))
            .set("point_in_time_recovery", self.recovery.properties("enabled", "recovery_period_in_days"))
            .set_some("server_side_encryption", self.encryption_terraform())
            .set("table_class", self.class())
            .set("deletion_protection_enabled", self.protected)
    }
}

impl Table {
    fn billing(&self) -> &'static str {
        match self.capacity {
            Capacity::OnDemand { .. } => "PAY_PER_REQUEST",
            Capacity::Provisioned { .. } => "PROVISIONED",
        }
    }

    fn class(&self) -> &'static str {
        if self.infrequent { "STANDARD_INFREQUENT_ACCESS" } else { "STANDARD" }
    }

    fn encryption_cloudformation(&self) -> Option<Properties> {
        let managed = Properties::default().set("SSEEnabled", true).set("SSEType", "KMS");
        match self.encryption {
            Encryption::OwnedByAws => None,
            Encryption::ManagedByAws => Some(managed),
            Encryption::Key(key) => Some(managed.set("KMSMasterKeyId", key.arn())),
        }
    }

    fn encryption_terraform(&self) -> Option<Properties> {
        let managed = Properties::default().set("enabled", true);
        match self.encryption {
            Encryption::OwnedByAws => None,
            Encryption::ManagedByAws => Some(managed),
            Encryption::Key(key) => Some(managed.set("kms_key_arn", key.arn())),
        }
    }
}

impl Recovery {
    fn properties(self, enabled: &'static str, days: &'static str) -> Properties {
        match self {
            Self::Off => Properties::default().set(enabled, false),
            Self::Longest => Properties::default().set(enabled, true),
            Self::Kept(kept) => Properties::default().set(enabled, true).set(days, kept),
        }
    }
}

fn capacity_cloudformation(properties: Properties, capacity: Capacity) -> Properties {
    let pair = |names: [&'static str; 2], read, write| Properties::default().set(names[0], read).set(names[1], write);
    match capacity {
        Capacity::OnDemand { at_most: None } => properties,
        Capacity::OnDemand { at_most: Some((read, write)) } => {
            properties.set("OnDemandThroughput", pair(["MaxReadRequestUnits", "MaxWriteRequestUnits"], read, write))
        }
        Capacity::Provisioned { read, write } => {
            properties.set("ProvisionedThroughput", pair(["ReadCapacityUnits", "WriteCapacityUnits"], read, write))
        }
    }
}

fn capacity_terraform(properties: Properties, capacity: Capacity) -> Properties {
    match capacity {
        Capacity::OnDemand { at_most: None } => properties,
        Capacity::OnDemand { at_most: Some((read, write)) } => {
            let most = Properties::default().set("max_read_request_units", read).set("max_write_request_units", write);
            properties.set("on_demand_throughput", most)
        }
        Capacity::Provisioned { read, write } => properties.set("read_capacity", read).set("write_capacity", write),
    }
}

fn enabled() -> Properties {
    Properties::default().set("Enabled", true)
}

/// CloudFormation says it in the table; Terraform has a resource for the table and one for each index.
#[derive(Debug)]
struct Insights {
    table: TableRef,
    index: Option<Cow<'static, str>>,
}

impl Resource for Insights {
    fn types(&self) -> Types {
        Types::terraform("dynamodb", "aws_dynamodb_contributor_insights")
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("table_name", self.table.name())
            .set_some("index_name", self.index.as_ref().map(ToString::to_string))
    }
}
