//! The VPC: a new one, or one that exists.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The VPC for ingester, broker and publish function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Network {
    /// A VPC of the pipeline's own; the default.
    New(NewNetwork),
    /// A VPC that exists already.
    Existing(ExistingNetwork),
}

impl Default for Network {
    fn default() -> Self {
        Self::New(NewNetwork::default())
    }
}

/// A VPC of the pipeline's own: a public and a private subnet in each zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewNetwork {
    /// Its private addresses, /16 to /24. A change replaces the VPC.
    #[schemars(regex(pattern = r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/(1[6-9]|2[0-4])$"))]
    pub cidr: String,
    /// How many zones, or which. A broker of three nodes needs two at least, and is replaced where it had two
    /// and gets a third.
    pub zones: Zones,
    /// One range for each zone's private subnet, inside `cidr`, /28 at the smallest. Empty: `cidr`
    /// is divided evenly.
    #[schemars(inner(regex(pattern = r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/(1[6-9]|2[0-8])$")))]
    pub private_cidrs: Vec<String>,
    /// The same for the public subnets.
    #[schemars(inner(regex(pattern = r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/(1[6-9]|2[0-8])$")))]
    pub public_cidrs: Vec<String>,
    /// Put the ingester in a private subnet and let it out through a NAT gateway (about 35 US
    /// dollars a month, and for traffic). Otherwise it has a public address that nobody can
    /// connect to.
    pub nat: bool,
}

impl Default for NewNetwork {
    fn default() -> Self {
        Self {
            cidr: "10.42.0.0/16".into(),
            zones: Zones::Count(2),
            private_cidrs: Vec::new(),
            public_cidrs: Vec::new(),
            nat: false,
        }
    }
}

/// How many zones, or which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Zones {
    /// That many of the region's zones, in the order of their names: 1 to 4.
    Count(#[schemars(range(min = 1, max = 4))] u8),
    /// These zones: `["eu-west-1a", "eu-west-1b"]`.
    Names(
        #[schemars(length(min = 1, max = 4), inner(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$")))] Vec<String>,
    ),
}

impl Zones {
    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            Self::Count(count) => usize::from(*count),
            Self::Names(names) => names.len(),
        }
    }
}

/// A VPC that exists already, and the subnets to use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExistingNetwork {
    /// The VPC: `vpc-0a1b2c3d`.
    #[schemars(regex(pattern = r"^vpc-[0-9a-f]{8,17}$"))]
    pub vpc_id: String,
    /// Subnets for the broker and the publish function, each in another zone. From them Secrets
    /// Manager must be in reach, see `create_endpoints`.
    #[schemars(length(min = 1, max = 6), inner(regex(pattern = r"^subnet-[0-9a-f]{8,17}$")))]
    pub private_subnet_ids: Vec<String>,
    /// Subnets for the ingester, with a way to the internet; it gets a public address there.
    /// Empty: it is put in the private ones, which must have a NAT.
    #[serde(default)]
    #[schemars(length(max = 6), inner(regex(pattern = r"^subnet-[0-9a-f]{8,17}$")))]
    pub public_subnet_ids: Vec<String>,
    /// Add an interface endpoint for Secrets Manager. Leave it false where the VPC has one, or a
    /// NAT.
    #[serde(default)]
    pub create_endpoints: bool,
}
