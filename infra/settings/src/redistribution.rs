//! DynamoDB → RabbitMQ: the broker, and the function that publishes.

use crate::{Function, Trigger};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// DynamoDB → RabbitMQ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Redistribution {
    /// The broker.
    pub broker: Broker,
    /// The size of the function.
    pub function: Function,
    /// How articles come to it.
    pub trigger: Trigger,
    /// The durable topic exchange that subscribers bind to.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$"))]
    pub exchange: String,
    /// How many messages that nobody subscribed to are kept, 1 to 1 000 000; the oldest go first.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub unrouted_limit: u32,
    /// Unconfirmed messages at once, 1 to 10 000.
    #[schemars(range(min = 1, max = 10_000))]
    pub messages_in_flight: u16,
    /// When a message that isn't confirmed counts as failed, 100 to 60 000 milliseconds.
    #[schemars(range(min = 100, max = 60_000))]
    pub confirm_timeout_ms: u32,
    /// When connecting is given up, 100 to 60 000 milliseconds.
    #[schemars(range(min = 100, max = 60_000))]
    pub connect_timeout_ms: u32,
}

impl Default for Redistribution {
    fn default() -> Self {
        Self {
            broker: Broker::default(),
            function: Function::default(),
            trigger: Trigger::default(),
            exchange: news::routing::EXCHANGE.into(),
            unrouted_limit: 10_000,
            messages_in_flight: 1000,
            confirm_timeout_ms: 10_000,
            connect_timeout_ms: 5_000,
        }
    }
}

/// The RabbitMQ broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "deployment", rename_all = "snake_case", deny_unknown_fields)]
pub enum Broker {
    /// One node in one zone; away during its weekly maintenance.
    Single(ManagedBroker),
    /// Three nodes over the zones, quorum queues; needs subnets in two zones at least.
    Cluster(ManagedBroker),
    /// A broker that exists already.
    Existing(ExistingBroker),
}

impl Default for Broker {
    fn default() -> Self {
        Self::Single(ManagedBroker::default())
    }
}

impl Broker {
    /// The type that was given, or the smallest sensible one; none where the broker exists.
    pub fn instance_type(&self) -> Option<&str> {
        let (broker, smallest) = match self {
            Self::Single(broker) => (broker, "mq.m7g.medium"),
            Self::Cluster(broker) => (broker, "mq.m7g.large"),
            Self::Existing(_) => return None,
        };
        Some(broker.instance_type.as_deref().unwrap_or(smallest))
    }

    /// The broker that is made here, if one is.
    pub fn managed(&self) -> Option<&ManagedBroker> {
        match self {
            Self::Single(broker) | Self::Cluster(broker) => Some(broker),
            Self::Existing(_) => None,
        }
    }
}

/// A broker made here, by Amazon MQ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ManagedBroker {
    /// Amazon MQ's type. Left out: `mq.m7g.medium` for a single node, which is for trying out, and
    /// `mq.m7g.large` for three.
    #[schemars(regex(pattern = r"^mq\.(t3|m5|m7g)\.(micro|medium|large|[0-9]*xlarge)$"))]
    pub instance_type: Option<String>,
    /// RabbitMQ's version: `4.3`, `4.2` (both on `mq.m7g` only) or `3.13`. Minor versions follow
    /// by themselves. A step back replaces the broker.
    #[schemars(extend("enum" = ["4.3", "4.2", "3.13"]))]
    pub engine_version: String,
    /// Reachable from the internet, for subscribers elsewhere, guarded by TLS and the password
    /// alone. Fixed when the broker is made.
    pub public: bool,
    /// The administrator's name; the password is made and kept in Secrets Manager. A change
    /// replaces the broker.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._~-]{2,100}$"))]
    pub username: String,
    /// When AWS may restart it, two hours each week. Left out: AWS chooses.
    pub maintenance: Option<Maintenance>,
}

impl Default for ManagedBroker {
    fn default() -> Self {
        Self {
            instance_type: None,
            engine_version: "4.2".into(),
            public: false,
            username: "newsloom".into(),
            maintenance: None,
        }
    }
}

/// Two hours each week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// The day they begin.
    pub day: Weekday,
    /// The time they begin, in UTC: `"03:00"`.
    #[schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub time_utc: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "a day has no more to say")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// Amazon MQ's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monday => "MONDAY",
            Self::Tuesday => "TUESDAY",
            Self::Wednesday => "WEDNESDAY",
            Self::Thursday => "THURSDAY",
            Self::Friday => "FRIDAY",
            Self::Saturday => "SATURDAY",
            Self::Sunday => "SUNDAY",
        }
    }
}

/// A broker that exists already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExistingBroker {
    /// Its address, without credentials: `amqps://b-1234.mq.eu-west-1.on.aws:5671`.
    #[schemars(regex(pattern = r"^amqps://[A-Za-z0-9.-]+(:[0-9]{1,5})?$"))]
    pub url: String,
    /// The secret with `username` and `password`, an ARN.
    #[schemars(regex(pattern = r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+$"))]
    pub secret_arn: String,
    /// It is in reach of the private subnets only, so that the function must be in the network.
    /// Otherwise the function stays outside, and connects over the internet.
    #[serde(default = "yes")]
    pub private: bool,
    /// Its security group, which will let the function in. Left out: it does already.
    #[serde(default)]
    #[schemars(regex(pattern = r"^sg-[0-9a-f]{8,17}$"))]
    pub security_group_id: Option<String>,
}

fn yes() -> bool {
    true
}
