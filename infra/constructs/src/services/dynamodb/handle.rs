//! What others refer to a table by.

use std::ops::Deref;

use crate::{
    policy::{Grant, Statement},
    services::{kms::KeyRef, lambda::Changes},
    tree::{Access, Arn, Attribute, Construct, Handle, Lookup, Name, NodeRef, Other, Pseudo, Ref, Stack, Text},
};

/// A [`Table`](super::Table) of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct TableRef {
    pub(super) node: NodeRef,
    pub(super) key: Option<KeyRef>,
    pub(super) indexed: bool,
}

const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));
const NAME: Attribute = Attribute::name("name", Access::Ref);
const STREAM_ARN: Attribute = Attribute::arn("stream_arn", Access::GetAtt("StreamArn"));
const STREAM_LABEL: Attribute = Attribute::other("stream_label", Access::None);

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

    /// May insert items by PartiQL statements, one or up to 25 at once. An insert never replaces: it fails where there
    /// is an item with the same key.
    pub fn insert_items(self) -> Grant {
        self.writing(Statement::allow(["dynamodb:PartiQLInsert"]))
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

/// A [`StreamingTable`](super::StreamingTable) of a stack, or one that exists already. All that a [`TableRef`] offers, and its stream.
#[derive(Debug, Clone, Copy)]
pub struct StreamingTableRef(pub(super) TableRef);

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

impl StreamingTableRef {
    /// Its changes, for `stack.trigger`.
    pub fn changes(self) -> Changes {
        Changes::of(self.stream_arn(), self.read_changes())
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

/// See [`Table::existing`](super::Table::existing).
#[derive(Debug, Clone)]
pub struct ExistingTable {
    pub(super) name: Text,
    pub(super) key: Option<KeyRef>,
    pub(super) indexed: bool,
}

impl ExistingTable {
    /// The key it is encrypted with, if that isn't AWS's.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }

    /// It has indexes, which [`TableRef::read`] then includes.
    pub fn with_indexes(mut self) -> Self {
        self.indexed = true;
        self
    }

    /// It has a stream. Terraform looks up its label, the time it was turned on, and CloudFormation asks for it;
    /// the stream's ARN is the table's and the label.
    pub fn streaming(self) -> ExistingStreamingTable {
        ExistingStreamingTable(self)
    }
}

impl ExistingTable {
    fn lookup(&self) -> Lookup {
        let by_name = Lookup::new("aws_dynamodb_table", "AWS::DynamoDB::Table").by("name", &self.name);
        by_name.known(NAME, &self.name).known(ARN, self.arn())
    }

    fn arn(&self) -> Text {
        let arn = Text::from("arn:") + Pseudo::Partition + ":dynamodb:" + Pseudo::Region + ":" + Pseudo::Account;
        arn + ":table/" + &self.name
    }
}

impl Construct for ExistingTable {
    type Handle = TableRef;

    fn build(self, stack: &mut Stack) -> TableRef {
        TableRef { node: self.lookup().build(stack), key: self.key, indexed: self.indexed }
    }
}

/// See [`ExistingTable::streaming`].
#[derive(Debug, Clone)]
pub struct ExistingStreamingTable(ExistingTable);

impl Construct for ExistingStreamingTable {
    type Handle = StreamingTableRef;

    fn build(self, stack: &mut Stack) -> StreamingTableRef {
        let Self(table) = self;
        let label = Ref::<Other>::new(stack.add("Stream", table.lookup()), STREAM_LABEL);
        let lookup = table.lookup().known(STREAM_ARN, table.arn() + "/stream/" + label);
        StreamingTableRef(TableRef { node: lookup.build(stack), key: table.key, indexed: table.indexed })
    }
}
