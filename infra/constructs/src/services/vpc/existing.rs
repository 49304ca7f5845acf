//! Networks that are managed elsewhere.

use super::{
    NetworkRef, digest,
    network::{ID, MOST_TABLES, MOST_ZONES, few},
};
use crate::tree::{Construct, Lookup, NodeRef, Stack, Text};

/// See [`Network::existing`](super::Network::existing).
#[derive(Debug, Clone)]
pub struct ExistingNetwork {
    vpc_id: Text,
    private: Vec<Text>,
    public: Vec<Text>,
    tables: Vec<Text>,
}

impl ExistingNetwork {
    pub(super) fn of(vpc_id: Text) -> Self {
        Self { vpc_id, private: Vec::new(), public: Vec::new(), tables: Vec::new() }
    }

    /// The ids of its private subnets that are to be used, up to 6.
    pub fn private_subnets<T: Into<Text>>(mut self, ids: impl IntoIterator<Item = T>) -> Self {
        self.private = ids.into_iter().map(Into::into).collect();
        self
    }

    /// The ids of its public subnets that are to be used, up to 6.
    pub fn public_subnets<T: Into<Text>>(mut self, ids: impl IntoIterator<Item = T>) -> Self {
        self.public = ids.into_iter().map(Into::into).collect();
        self
    }

    /// The ids of its route tables, up to 7: only gateway endpoints need them.
    pub fn route_tables<T: Into<Text>>(mut self, ids: impl IntoIterator<Item = T>) -> Self {
        self.tables = ids.into_iter().map(Into::into).collect();
        self
    }
}

/// Ids start with what they are ids of; a name or a block of addresses doesn't.
pub(super) fn check_id(stack: &mut Stack, what: &str, start: &str, id: &Text) {
    if let Some(id) = id.literal().filter(|id| !id.starts_with(start)) {
        stack.problem(format!("the {what} `{id}` is no id; one is written like `{start}0a1b2c3d`"));
    }
}

impl Construct for ExistingNetwork {
    type Handle = NetworkRef;

    fn build(self, stack: &mut Stack) -> NetworkRef {
        let lists = [
            ("private subnets", self.private.len(), MOST_ZONES),
            ("public subnets", self.public.len(), MOST_ZONES),
            ("route tables", self.tables.len(), MOST_TABLES),
        ];
        for (what, count, most) in lists.into_iter().filter(|(_, count, most)| count > most) {
            stack.problem(format!("{count} {what} are given; a network takes up to {most}"));
        }
        check_id(stack, "network", "vpc-", &self.vpc_id);
        for (what, start, ids) in [
            ("subnet", "subnet-", &self.private),
            ("subnet", "subnet-", &self.public),
            ("route table", "rtb-", &self.tables),
        ] {
            for id in ids {
                check_id(stack, what, start, id);
            }
        }
        let vpc = Lookup::new("aws_vpc", "AWS::EC2::VPC").by("id", &self.vpc_id).known(ID, &self.vpc_id);
        let node = vpc.build(stack);
        let subnet = |id: &Text| Lookup::new("aws_subnet", "AWS::EC2::Subnet").by("id", id).known(ID, id);
        let table =
            |id: &Text| Lookup::new("aws_route_table", "AWS::EC2::RouteTable").by("route_table_id", id).known(ID, id);
        let mut each = |word: &str, ids: &[Text], lookup: &dyn Fn(&Text) -> Lookup| -> Vec<NodeRef> {
            let numbered = (1..).zip(ids);
            numbered.map(|(number, id)| stack.add(&format!("{word}{number}"), lookup(id))).collect()
        };
        let private = few(each("Private", &self.private, &subnet));
        let public = few(each("Public", &self.public, &subnet));
        let tables = few(each("Routes", &self.tables, &table));
        let digest = digest(&stack.name, stack.path());
        NetworkRef { node, digest, private, public, tables, private_ways: few([]), public_ways: few([]) }
    }
}
