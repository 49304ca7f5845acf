//! Tables in both backends.

use std::borrow::Cow;

use super::{Encryption, Recovery, Table, View};
use crate::{
    services::dynamodb::{
        Capacity,
        handle::TableRef,
        index::{self, LocalIndex},
    },
    tree::{Properties, Removal, Resource, Types, Value},
};

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
pub(super) struct Insights {
    pub(super) table: TableRef,
    pub(super) index: Option<Cow<'static, str>>,
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
