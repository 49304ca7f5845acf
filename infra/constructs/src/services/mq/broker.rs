//! A RabbitMQ broker: where it runs, who may log in, and how it is kept.

use std::borrow::Cow;

use super::{
    configuration::ConfigurationRef,
    words::{Day, Instance, Version},
};
use crate::{
    policy::{Grant, Statement},
    services::{
        cloudwatch::Metric,
        kms::KeyRef,
        secretsmanager::{SecretField, SecretRef},
    },
    tree::{
        Access, Arn, Attribute, Construct, Handle, Id, Lookup, Name, NodeRef, Properties, Pseudo, Ref, Resource, Stack,
        Text, Types, Url, Value,
    },
};

const LONGEST_NAME: usize = 50;

/// The administrator that a broker is created with; all other users are made with RabbitMQ's management API.
#[derive(Debug, Clone)]
pub struct User {
    name: Text,
    password: SecretRef,
    field: &'static str,
}

impl User {
    /// A user whose password is the field `password` of a secret. The secret should hold the same name.
    pub fn new(name: impl Into<Text>, password: SecretRef) -> Self {
        Self { name: name.into(), password, field: "password" }
    }

    /// The secret's field with the password. Defaults to `password`.
    pub fn password_in(mut self, field: &'static str) -> Self {
        self.field = field;
        self
    }
}

/// A RabbitMQ broker that doesn't know yet where it runs: see [`Broker::rabbitmq`].
#[derive(Debug, Clone)]
pub struct RabbitMq {
    version: Version,
    user: User,
}

impl RabbitMq {
    /// One node in one subnet, away for some minutes while it is maintained: [`Instance::M7G_MEDIUM`].
    pub fn single(self, subnet: impl Into<Text>) -> Broker {
        Broker::new(self, Some(vec![subnet.into()]), false)
    }

    /// Three nodes in three zones, one maintained after the other: [`Instance::M7G_LARGE`]. The subnets are
    /// where clients reach it, one per zone: at least one, better as many as there are zones with clients.
    pub fn cluster<T: Into<Text>>(self, subnets: impl IntoIterator<Item = T>) -> Broker {
        Broker::new(self, Some(subnets.into_iter().map(Into::into).collect()), true)
    }

    /// One node that the internet reaches, over TLS and with a password. It has no subnet, and security
    /// groups don't apply to it.
    pub fn public(self) -> Broker {
        Broker::new(self, None, false)
    }

    /// Three nodes that the internet reaches, over TLS and with a password. They have no subnets, and
    /// security groups don't apply to them.
    pub fn public_cluster(self) -> Broker {
        Broker::new(self, None, true)
    }
}

#[derive(Debug, Clone, Copy)]
enum Encryption {
    /// A key that AWS owns and nobody sees: nothing is said, it is the default.
    Owned,
    /// The account's key that AWS manages for Amazon MQ.
    Managed,
    Own(KeyRef),
}

/// A RabbitMQ broker. It speaks TLS only, is encrypted at rest, logs to CloudWatch Logs, and takes patches by
/// itself in its maintenance window.
///
/// Its first password is the one secret that Terraform leaves in its state: the provider has no write-only
/// argument for it. Keep the state encrypted, or change the password through the management API after the
/// first apply: neither backend looks at the user again. The rendering says so where it happens.
///
/// Nearly every change replaces the broker and loses its queues; instance type, version, configuration,
/// security groups and the maintenance window are changed in place.
///
/// ```
/// use constructs::{services::{mq::{Broker, User, Version}, secretsmanager::{PasswordRules, Secret}}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("redistribution");
/// let login = stack.add("Login", Secret::generated("newsloom", PasswordRules::default()));
/// let user = User::new("newsloom", login);
/// let broker = stack.add("Broker", Broker::rabbitmq(Version::V4_2, user).single("subnet-0a1b2c3d"));
/// stack.output("Endpoint", broker.amqps_endpoint());
/// ```
#[derive(Debug, Clone)]
pub struct Broker {
    version: Version,
    user: User,
    password: Option<SecretField>,
    /// `None` where the internet reaches it.
    subnets: Option<Vec<Text>>,
    groups: Vec<Text>,
    cluster: bool,
    instance: Instance,
    encryption: Encryption,
    configuration: Option<ConfigurationRef>,
    maintenance: Option<(Day, Cow<'static, str>, &'static str)>,
    logs: bool,
    at_once: bool,
    name: Option<Text>,
}

impl Broker {
    /// A RabbitMQ broker of this version with its administrator. Say where it runs next: `single(subnet)`,
    /// `cluster(subnets)`, `public()`.
    pub fn rabbitmq(version: Version, user: User) -> RabbitMq {
        RabbitMq { version, user }
    }

    /// A broker that is managed elsewhere, by name and id (`b-…`), in this region and account.
    pub fn existing(name: impl Into<Text>, id: impl Into<Text>) -> ExistingBroker {
        ExistingBroker { name: name.into(), id: id.into(), endpoint: None }
    }

    fn new(RabbitMq { version, user }: RabbitMq, subnets: Option<Vec<Text>>, cluster: bool) -> Self {
        Self {
            version,
            user,
            password: None,
            subnets,
            groups: Vec::new(),
            cluster,
            instance: if cluster { Instance::M7G_LARGE } else { Instance::M7G_MEDIUM },
            encryption: Encryption::Owned,
            configuration: None,
            maintenance: None,
            logs: true,
            at_once: false,
            name: None,
        }
    }

    /// What it runs on. RabbitMQ 4 runs on `mq.m7g` only, and a cluster not on [`Instance::T3_MICRO`].
    pub fn instance(mut self, instance: Instance) -> Self {
        self.instance = instance;
        self
    }

    /// A security group that guards the way to a private broker, up to 5; clients need [`super::AMQPS`].
    /// Without one AWS takes the default group of the VPC.
    pub fn guarded_by(mut self, group: Ref<Id>) -> Self {
        self.groups.push(group.into());
        self
    }

    /// A security group that is managed elsewhere, by id. See [`Broker::guarded_by`].
    pub fn guarded_by_existing(mut self, group: impl Into<Text>) -> Self {
        self.groups.push(group.into());
        self
    }

    /// Encrypted with this key. Without one AWS uses a key of its own. Changing it replaces the broker.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        if let Some(key) = key.into() {
            self.encryption = Encryption::Own(key);
        }
        self
    }

    /// Encrypted with the account's key that AWS manages for Amazon MQ, whose use CloudTrail records.
    pub fn encrypted_by_managed_key(mut self) -> Self {
        self.encryption = Encryption::Managed;
        self
    }

    /// Beyond RabbitMQ's defaults. A new revision comes into force when the broker restarts.
    pub fn configuration(mut self, configuration: ConfigurationRef) -> Self {
        self.configuration = Some(configuration);
        self
    }

    /// When it may be maintained every week: a day, `hh:mm`, and a time zone such as `UTC` or
    /// `Europe/Berlin`. AWS picks a window where nothing is said.
    pub fn maintenance(mut self, day: Day, time: impl Into<Cow<'static, str>>, zone: &'static str) -> Self {
        self.maintenance = Some((day, time.into(), zone));
        self
    }

    /// Writes no logs. By default connections, channels, queues and upgrades are logged to
    /// `/aws/amazonmq/broker/<id>/…`, groups that Amazon MQ makes and that keep their logs for ever.
    pub fn without_logs(mut self) -> Self {
        self.logs = false;
        self
    }

    /// Applies changes at once, with a restart, rather than in the next maintenance window. Terraform only:
    /// CloudFormation always restarts.
    pub fn apply_immediately(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// Another name than the one made from the path; up to 50 letters, digits, `-` and `_`. Metrics carry it.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    fn report_problems(&self, name: &Text, stack: &mut Stack) {
        let instance = self.instance.0.as_ref();
        let old = self.instance.is_of("t3") || self.instance.is_of("m5");
        if !instance.starts_with("mq.") {
            stack.problem(format!("the instance is `{instance}`; Amazon MQ's start with `mq.`, as `mq.m7g.large`"));
        }
        if self.version.major() >= 4 && old {
            stack.problem(format!("RabbitMQ {} on {instance}; it runs on mq.m7g only", self.version));
        }
        if self.version.major() < 3 || self.version.0.starts_with("3.") && self.version != Version::V3_13 {
            stack.problem(format!("RabbitMQ {} can't be created any more; 3.13, 4.2 and 4.3 can", self.version));
        }
        if self.cluster && self.instance == Instance::T3_MICRO {
            stack.problem("a cluster on mq.t3.micro; that instance is for single brokers only");
        }
        if self.subnets.is_none() && !self.groups.is_empty() {
            stack.problem("security groups don't apply to a public broker; put it into subnets");
        }
        if self.subnets.as_ref().is_some_and(Vec::is_empty) {
            stack.problem("a private cluster needs at least one subnet");
        }
        if self.groups.len() > 5 {
            stack.problem(format!("{} security groups; a broker takes up to 5", self.groups.len()));
        }
        if let Some(configuration) = self.configuration
            && configuration.version != self.version
        {
            let (its, ours) = (configuration.version, self.version);
            stack.problem(format!("the configuration is for RabbitMQ {its}, the broker runs {ours}"));
        }
        if let Some((_, time, _)) = &self.maintenance
            && !is_time(time)
        {
            stack.problem(format!("the maintenance time is `{time}`; it is written hh:mm, 00:00 to 23:59"));
        }
        if self.user.name.literal() == Some("guest") {
            stack.problem("the user is `guest`, which Amazon MQ doesn't allow");
        }
        check_name(name, stack);
    }
}

fn check_name(name: &Text, stack: &mut Stack) {
    let Some(name) = name.literal() else { return };
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if name.is_empty() || name.len() > LONGEST_NAME {
        let length = name.len();
        stack.problem(format!("the name `{name}` has {length} characters; a broker's has 1 to {LONGEST_NAME}"));
    }
    if !name.chars().all(allowed) {
        stack.problem(format!("the name is `{name}`; a broker's has letters, digits, `-` and `_`"));
    }
}

fn is_time(time: &str) -> bool {
    let number = |text: &str, below: u32| text.len() == 2 && text.parse().is_ok_and(|number: u32| number < below);
    time.split_once(':').is_some_and(|(hour, minute)| number(hour, 24) && number(minute, 60))
}

impl Construct for Broker {
    type Handle = BrokerRef;

    fn build(mut self, stack: &mut Stack) -> BrokerRef {
        let name = self.name.get_or_insert_with(|| stack.physical_name().into()).clone();
        self.report_problems(&name, stack);
        self.password = Some(self.user.password.field(stack, self.user.field));
        let node = stack.resource(self);
        let name = stack.add("Name", Lookup::new("aws_mq_broker", "AWS::AmazonMQ::Broker").known(NAME, name));
        BrokerRef { node, name }
    }
}

/// See [`Broker::existing`].
#[derive(Debug, Clone)]
pub struct ExistingBroker {
    name: Text,
    id: Text,
    endpoint: Option<Text>,
}

impl ExistingBroker {
    /// Its AMQPS endpoint, `amqps://….mq.<region>…:5671`. Where it isn't given, Terraform looks it up, and
    /// CloudFormation makes a parameter of it.
    pub fn endpoint(mut self, url: impl Into<Text>) -> Self {
        self.endpoint = Some(url.into());
        self
    }
}

impl Construct for ExistingBroker {
    type Handle = BrokerRef;

    fn build(self, stack: &mut Stack) -> BrokerRef {
        let brokers = Text::from("arn:") + Pseudo::Partition + ":mq:" + Pseudo::Region + ":" + Pseudo::Account;
        let mut lookup = Lookup::new("aws_mq_broker", "AWS::AmazonMQ::Broker")
            .by("broker_id", &self.id)
            .known(ID, &self.id)
            .known(NAME, &self.name)
            .known(ARN, brokers + ":broker:" + &self.name + ":" + &self.id);
        if let Some(endpoint) = self.endpoint {
            lookup = lookup.known(ENDPOINT, endpoint);
        }
        let node = lookup.build(stack);
        BrokerRef { node, name: node }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Broker`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct BrokerRef {
    node: NodeRef,
    /// What knows the name: CloudFormation gives only the id.
    name: NodeRef,
}

const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));
const ID: Attribute = Attribute::id("id", Access::Ref);
const NAME: Attribute = Attribute::name("broker_name", Access::None);
const ENDPOINT: Attribute = Attribute::url("instances[0].endpoints[0]", Access::Select(0, "AmqpEndpoints"));
const CONSOLE: Attribute = Attribute::url("instances[0].console_url", Access::Select(0, "ConsoleURLs"));

impl BrokerRef {
    /// The broker's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The broker's id, `b-…`.
    pub fn id(self) -> Ref<Id> {
        Ref::new(self.node, ID)
    }

    /// The broker's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.name, NAME)
    }

    /// Where clients connect: `amqps://<host>:5671`, one address for all nodes of a cluster.
    pub fn amqps_endpoint(self) -> Ref<Url> {
        Ref::new(self.node, ENDPOINT)
    }

    /// The web console and the management API.
    pub fn console_url(self) -> Ref<Url> {
        Ref::new(self.node, CONSOLE)
    }

    /// The log group of its general log, which Amazon MQ makes.
    pub fn log_group(self) -> Text {
        Text::from("/aws/amazonmq/broker/") + self.id() + "/general"
    }

    /// One of the broker's metrics: `RabbitMQMemUsed`, `MessageCount`.
    pub fn metric(self, name: &'static str) -> Metric {
        Metric::new("AWS/AmazonMQ", name).dimension("Broker", self.name())
    }

    /// May ask Amazon MQ about the broker: its state, endpoints and settings. Connecting needs no rights but
    /// a password.
    pub fn describe(self) -> Grant {
        Statement::allow(["mq:DescribeBroker"]).on(self.arn()).into()
    }

    /// May restart the broker.
    pub fn reboot(self) -> Grant {
        Statement::allow(["mq:DescribeBroker", "mq:RebootBroker"]).on(self.arn()).into()
    }
}

impl Handle for BrokerRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Broker {
    fn types(&self) -> Types {
        Types::new("mq", "aws_mq_broker", "AWS::AmazonMQ::Broker")
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn cloudformation(&self) -> Properties {
        let encryption = self
            .encryption()
            .map(|(owned, key)| Properties::default().set("UseAwsOwnedKey", owned).set_some("KmsKeyId", key));
        let configuration = self.configuration.map(|configuration| {
            Properties::default().set("Id", configuration.id()).set("Revision", configuration.revision())
        });
        let maintenance = self.maintenance.as_ref().map(|(day, time, zone)| {
            Properties::default()
                .set("DayOfWeek", day.word())
                .set("TimeOfDay", time.clone().into_owned())
                .set("TimeZone", *zone)
        });
        let user = Properties::default()
            .set("Username", &self.user.name)
            .set_some("Password", self.password.as_ref().map(|field| &field.cloudformation));
        Properties::default()
            .set_some("BrokerName", self.name.as_ref())
            .set("EngineType", "RABBITMQ")
            .set("EngineVersion", self.version.to_string())
            .set("DeploymentMode", self.deployment_mode())
            .set("HostInstanceType", self.instance.0.clone().into_owned())
            .set("PubliclyAccessible", self.subnets.is_none())
            .set_filled("SubnetIds", Value::list(self.subnets.iter().flatten()))
            .set_filled("SecurityGroups", Value::list(&self.groups))
            .set_some("EncryptionOptions", encryption)
            .set_some("Configuration", configuration)
            .set("AutoMinorVersionUpgrade", true)
            .set_some("MaintenanceWindowStartTime", maintenance)
            .set("Logs", Properties::default().set("General", self.logs))
            .set("Users", [user])
    }

    fn terraform(&self) -> Properties {
        let encryption = self
            .encryption()
            .map(|(owned, key)| Properties::default().set("use_aws_owned_key", owned).set_some("kms_key_id", key));
        let configuration = self.configuration.map(|configuration| {
            Properties::default().set("id", configuration.id()).set("revision", configuration.revision())
        });
        let maintenance = self.maintenance.as_ref().map(|(day, time, zone)| {
            Properties::default()
                .set("day_of_week", day.word())
                .set("time_of_day", time.clone().into_owned())
                .set("time_zone", *zone)
        });
        let user = Properties::default()
            .set("//", "the provider keeps this password in the state; keep the state encrypted")
            .set("username", &self.user.name)
            .set_some("password", self.password.as_ref().map(|field| &field.terraform));
        Properties::default()
            .set_some("broker_name", self.name.as_ref())
            .set("engine_type", "RabbitMQ")
            .set("engine_version", self.version.to_string())
            .set("deployment_mode", self.deployment_mode())
            .set("host_instance_type", self.instance.0.clone().into_owned())
            .set("publicly_accessible", self.subnets.is_none())
            .set_filled("subnet_ids", Value::list(self.subnets.iter().flatten()))
            .set_filled("security_groups", Value::list(&self.groups))
            .set_some("encryption_options", encryption)
            .set_some("configuration", configuration)
            .set("auto_minor_version_upgrade", true)
            .set_some("apply_immediately", self.at_once.then_some(true))
            .set_some("maintenance_window_start_time", maintenance)
            .set("logs", Properties::default().set("general", self.logs))
            .set("user", user)
    }
}

impl Broker {
    fn deployment_mode(&self) -> &'static str {
        if self.cluster { "CLUSTER_MULTI_AZ" } else { "SINGLE_INSTANCE" }
    }

    fn encryption(&self) -> Option<(bool, Option<Ref<Arn>>)> {
        match self.encryption {
            Encryption::Owned => None,
            Encryption::Managed => Some((false, None)),
            Encryption::Own(key) => Some((false, Some(key.arn()))),
        }
    }
}

#[cfg(test)]
mod tests;
