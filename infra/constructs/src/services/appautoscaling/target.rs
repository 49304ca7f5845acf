//! What can be scaled.

use crate::{
    services::sagemaker::{EndpointRef, Serves, VariantRef},
    tree::Text,
};

/// Something whose capacity can follow the demand: a variant of an endpoint, a table's throughput, a function's
/// provisioned concurrency.
#[derive(Debug, Clone)]
pub struct Target {
    pub(super) kind: Kind,
    pub(super) resource_id: Text,
    pub(super) variant: Option<VariantRef>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Instances of an endpoint's variant, and whether they work from S3 to S3.
    Instances {
        asynchronous: bool,
    },
    /// What a serverless endpoint keeps warm.
    WarmVariant,
    /// A serverless endpoint that keeps nothing warm.
    ColdVariant,
    TableReads,
    TableWrites,
    Function,
}

impl Target {
    /// What a table reads in a second, if its capacity is provisioned; by the table's name.
    pub fn table_reads(table: impl Into<Text>) -> Self {
        Self { kind: Kind::TableReads, resource_id: Text::from("table/") + table, variant: None }
    }

    /// What a table writes in a second, if its capacity is provisioned; by the table's name.
    pub fn table_writes(table: impl Into<Text>) -> Self {
        Self { kind: Kind::TableWrites, resource_id: Text::from("table/") + table, variant: None }
    }

    /// How many environments of a function are kept warm, by the function's name and an alias or version of it.
    pub fn provisioned_concurrency(function: impl Into<Text>, alias: impl Into<Text>) -> Self {
        let resource_id = Text::from("function:") + function + ":" + alias;
        Self { kind: Kind::Function, resource_id, variant: None }
    }
}

impl From<VariantRef> for Target {
    fn from(variant: VariantRef) -> Self {
        let kind = match variant.endpoint.serves {
            Serves::OnInstances | Serves::Unknown => Kind::Instances { asynchronous: false },
            Serves::Asynchronously => Kind::Instances { asynchronous: true },
            Serves::Warm => Kind::WarmVariant,
            Serves::OnDemand => Kind::ColdVariant,
        };
        let resource_id = Text::from("endpoint/") + variant.endpoint.name() + "/variant/" + variant.name;
        Self { kind, resource_id, variant: Some(variant) }
    }
}

impl From<EndpointRef> for Target {
    fn from(endpoint: EndpointRef) -> Self {
        VariantRef::from(endpoint).into()
    }
}

impl Kind {
    pub(super) fn namespace(self) -> &'static str {
        match self {
            Self::Instances { .. } | Self::WarmVariant | Self::ColdVariant => "sagemaker",
            Self::TableReads | Self::TableWrites => "dynamodb",
            Self::Function => "lambda",
        }
    }

    pub(super) fn dimension(self) -> &'static str {
        match self {
            Self::Instances { .. } => "sagemaker:variant:DesiredInstanceCount",
            Self::WarmVariant | Self::ColdVariant => "sagemaker:variant:DesiredProvisionedConcurrency",
            Self::TableReads => "dynamodb:table:ReadCapacityUnits",
            Self::TableWrites => "dynamodb:table:WriteCapacityUnits",
            Self::Function => "lambda:function:ProvisionedConcurrency",
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Instances { .. } => "a variant on instances",
            Self::WarmVariant | Self::ColdVariant => "a serverless variant",
            Self::TableReads | Self::TableWrites => "a table",
            Self::Function => "a function",
        }
    }
}
