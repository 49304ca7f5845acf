//! What a RabbitMQ broker is told beyond its defaults.

use super::words::Version;
use crate::{
    services::units::Seconds,
    tree::{
        Access, Arn, Attribute, Construct, Handle, Id, NodeRef, Other, Properties, Ref, Resource, Stack, Text, Types,
        Value,
    },
};

/// Keys that Amazon MQ accepts from RabbitMQ 4 on only: limits that protect the broker.
const LIMITS: [&str; 8] = [
    "channel_max_per_node",
    "cluster_exchange_limit",
    "cluster_queue_limit",
    "connection_max",
    "consumer_max_per_channel",
    "max_message_size",
    "runtime_parameters.limits.shovel",
    "vhost_max",
];

/// A configuration of RabbitMQ brokers. A change makes a new revision; a broker takes it on when it restarts.
///
/// ```
/// use constructs::{services::{mq::{Configuration, Version}, units::Seconds}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("redistribution");
/// let settings = stack.add("Settings", Configuration::rabbitmq(Version::V4_2).heartbeat(Seconds(120)));
/// stack.output("SettingsArn", settings.arn());
/// ```
#[derive(Debug, Clone)]
pub struct Configuration {
    version: Version,
    lines: Vec<(String, String)>,
    description: Option<&'static str>,
    name: Option<Text>,
}

impl Configuration {
    /// A configuration for brokers of this version; another version replaces it.
    pub fn rabbitmq(version: Version) -> Self {
        Self { version, lines: Vec::new(), description: None, name: None }
    }

    /// How long a silent connection is kept, 60 to 3600 seconds. Amazon MQ's default is 60: a client that
    /// sleeps longer, such as a frozen function, is disconnected.
    pub fn heartbeat(self, after: Seconds) -> Self {
        self.line("heartbeat", after.0.to_string())
    }

    /// How long a consumer may take to acknowledge, 0 for any time. The default is 30 minutes; then its
    /// channel is closed and the message delivered again.
    pub fn consumer_timeout(self, after: Seconds) -> Self {
        self.line("consumer_timeout", (u64::from(after.0) * 1000).to_string())
    }

    /// The most connections to a node. RabbitMQ 4; the instance type sets the default and the bound.
    pub fn most_connections(self, connections: u32) -> Self {
        self.line("connection_max", connections.to_string())
    }

    /// The most channels of a node. RabbitMQ 4; the instance type sets the default and the bound.
    pub fn most_channels(self, channels: u32) -> Self {
        self.line("channel_max_per_node", channels.to_string())
    }

    /// The most queues of the broker. RabbitMQ 4; the instance type sets the default and the bound.
    pub fn most_queues(self, queues: u32) -> Self {
        self.line("cluster_queue_limit", queues.to_string())
    }

    /// The largest message, in bytes, up to 134 217 728. RabbitMQ 4.
    pub fn largest_message(self, bytes: u32) -> Self {
        self.line("max_message_size", bytes.to_string())
    }

    /// Any line of `rabbitmq.conf` that Amazon MQ accepts: `key = value`. The same key again replaces it.
    pub fn line(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let (key, value) = (key.into(), value.into());
        match self.lines.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => self.lines.push((key, value)),
        }
        self
    }

    /// What it is for. Changing it changes nothing on the broker.
    pub fn description(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    /// Another name than the one made from the path; up to 150 letters, digits and `-._~`.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    fn report_problems(&self, stack: &mut Stack) {
        if self.lines.is_empty() {
            stack.problem("the configuration says nothing; leave it out, or set something");
        }
        for (key, value) in &self.lines {
            if key.trim().is_empty() || key.contains(['=', '\n', '#']) || value.contains('\n') {
                stack.problem(format!("`{key} = {value}` is not one line of rabbitmq.conf"));
            }
            let (Ok(number), limit) = (value.parse::<u64>(), LIMITS.contains(&key.as_str())) else { continue };
            if limit && self.version.major() < 4 {
                stack.problem(format!(
                    "`{key}` is set; RabbitMQ {} has fixed limits, 4 and later can change them",
                    self.version
                ));
            }
            let allowed = match key.as_str() {
                "heartbeat" => 60..=3600,
                "consumer_timeout" => 0..=2_147_483_647,
                "max_message_size" => 0..=134_217_728,
                _ => continue,
            };
            if !allowed.contains(&number) {
                stack.problem(format!(
                    "`{key}` is {number}; Amazon MQ allows {} to {}",
                    allowed.start(),
                    allowed.end()
                ));
            }
        }
    }

    fn text(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        lines.join("\n") + "\n"
    }
}

impl Construct for Configuration {
    type Handle = ConfigurationRef;

    fn build(mut self, stack: &mut Stack) -> ConfigurationRef {
        self.report_problems(stack);
        self.name.get_or_insert_with(|| stack.physical_name().into());
        let version = self.version;
        ConfigurationRef { node: stack.resource(self), version }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Configuration`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct ConfigurationRef {
    node: NodeRef,
    pub(super) version: Version,
}

impl ConfigurationRef {
    /// The configuration's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::GetAtt("Arn")))
    }

    /// The configuration's id, `c-…`.
    pub fn id(self) -> Ref<Id> {
        Ref::new(self.node, Attribute::id("id", Access::GetAtt("Id")))
    }

    /// The newest revision, which a broker takes on when it restarts.
    pub fn revision(self) -> Ref<Other> {
        Ref::new(self.node, Attribute::other("latest_revision", Access::GetAtt("Revision")))
    }
}

impl Handle for ConfigurationRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Configuration {
    fn types(&self) -> Types {
        Types::new("mq", "aws_mq_configuration", "AWS::AmazonMQ::Configuration")
    }

    fn cloudformation(&self) -> Properties {
        // The provider encodes the text itself, CloudFormation wants it encoded.
        let encoded = Properties::default().set("Fn::Base64", self.text());
        Properties::default()
            .set_some("Name", self.name.as_ref())
            .set_some("Description", self.description)
            .set("EngineType", "RABBITMQ")
            .set("EngineVersion", self.version.to_string())
            .set("Data", Value::Map(encoded))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set_some("description", self.description)
            .set("engine_type", "RabbitMQ")
            .set("engine_version", self.version.to_string())
            .set("data", self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, problems};

    #[test]
    fn renderings() {
        let configuration = Configuration::rabbitmq(Version::V4_2)
            .heartbeat(Seconds(120))
            .consumer_timeout(Seconds(3600))
            .most_queues(500)
            .line("secure.management.http.headers.enabled", "true")
            .description("Patient with frozen functions");
        check("mq_configuration", configuration);
    }

    #[test]
    fn what_amazon_mq_refuses_is_a_problem() {
        let with = |version| Configuration::rabbitmq(version);
        let cases = [
            (with(Version::V4_2), "the configuration says nothing; leave it out, or set something"),
            (with(Version::V4_2).heartbeat(Seconds(30)), "`heartbeat` is 30; Amazon MQ allows 60 to 3600"),
            (with(Version::V4_2).line("a=b", "c"), "`a=b = c` is not one line of rabbitmq.conf"),
            (
                with(Version::V3_13).most_queues(9),
                "`cluster_queue_limit` is set; RabbitMQ 3.13 has fixed limits, 4 and later can change them",
            ),
        ];
        for (configuration, message) in cases {
            let found = problems(|stack| {
                stack.add("It", configuration);
            });
            assert!(found.contains(&format!("It: {message}")), "{found}");
        }
    }
}
