//! DynamoDB → RabbitMQ.

use constructs::{
    services::{
        dynamodb::StreamingTableRef,
        kms::KeyRef,
        lambda::{Code, EventName, Filter, Function, FunctionRef},
        mq::{self, AMQPS, BrokerRef, Day, Instance, User, Version},
        secretsmanager::{PasswordRules, Secret, SecretRef},
        sqs::QueueRef,
        vpc::{NetworkRef, Peer, Port, SecurityGroup, SecurityGroupRef},
    },
    tree::{Construct, Stack, Text},
};
use news::settings::PublishSettings;
use settings::{Broker, ExistingBroker, ManagedBroker, Settings, Weekday};

use super::{SharedRef, own_key, queue_for_people, sized, triggered};
use crate::Asset;

/// DynamoDB → RabbitMQ.
pub(crate) struct Redistribution<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) code: &'a Asset,
    pub(crate) shared: SharedRef,
    pub(crate) articles: StreamingTableRef,
}

/// What others take from [`Redistribution`].
pub(crate) struct RedistributionRef {
    pub(crate) publish: FunctionRef,
    pub(crate) failures: QueueRef,
    /// The broker, where it was made here.
    pub(crate) broker: Option<BrokerRef>,
}

/// How the function reaches the broker.
struct Reach {
    url: Text,
    secret: SecretRef,
    /// The broker's group, where it is known; `None` for a broker that is reached over the internet.
    group: Option<SecurityGroupRef>,
    in_network: bool,
    broker: Option<BrokerRef>,
}

impl Construct for Redistribution<'_> {
    type Handle = RedistributionRef;

    fn build(self, stack: &mut Stack) -> RedistributionRef {
        let settings = self.settings;
        let key = own_key(stack, settings, "Encrypts the broker's password and what waits for a person");
        let failures = queue_for_people(stack, "Failures", 14, key);
        let reach = match &settings.redistribution.broker {
            Broker::Single(broker) => self.managed(stack, broker, false, key),
            Broker::Cluster(broker) => self.managed(stack, broker, true, key),
            Broker::Existing(broker) => existing(stack, broker),
        };
        let code = self.shared.uploaded(stack, "PublishCode", self.code);
        let publish = self.publish(stack, code.code, &reach, key);
        let publish = stack.add("Publish", publish);
        stack.depends(publish, code.object);

        let inserts = Filter::event_name([EventName::Insert]);
        let changes = self.articles.changes().filter(inserts);
        stack.trigger(publish, triggered(changes, &settings.redistribution.trigger, failures));
        stack.grant(publish, reach.secret.read());

        stack.output("BrokerUrl", reach.url).describe("Where subscribers connect");
        stack.output("BrokerSecret", reach.secret.arn()).describe("The secret with username and password");
        stack.output("PublishFunction", publish.name()).describe("Reads the table's stream, publishes to the broker");
        stack.output("PublishFailuresUrl", failures.url()).describe("Where changes were that publish gave up on");
        if let Some(broker) = reach.broker {
            stack.output("BrokerConsole", broker.console_url()).describe("RabbitMQ's management pages");
        }
        RedistributionRef { publish, failures, broker: reach.broker }
    }
}

impl Redistribution<'_> {
    fn managed(&self, stack: &mut Stack, managed: &ManagedBroker, cluster: bool, key: Option<KeyRef>) -> Reach {
        let secret = Secret::generated(managed.username.clone(), PasswordRules::default())
            .description("The broker's administrator: username and password")
            .encrypted_by(key);
        let secret = stack.add("BrokerUser", secret);
        let network = self.shared.network.filter(|_| !managed.public);
        let group = network.map(|network| broker_group(stack, network));
        let broker = self.broker(managed, cluster, secret, network);
        let broker = match group {
            Some(group) => broker.guarded_by(group.id()),
            None => broker,
        };
        let broker = broker.encrypted_by(key);
        let broker = stack.add("Broker", broker);
        let url = broker.amqps_endpoint().into();
        Reach { url, secret, group, in_network: !managed.public, broker: Some(broker) }
    }

    fn broker(
        &self,
        managed: &ManagedBroker,
        cluster: bool,
        secret: SecretRef,
        network: Option<NetworkRef>,
    ) -> mq::Broker {
        let user = User::new(managed.username.clone(), secret);
        let made = mq::Broker::rabbitmq(version(&managed.engine_version), user);
        // One for each node: with one more zone, the broker stays what it is.
        let mut subnets = network.into_iter().flat_map(NetworkRef::private_subnets).take(3);
        let broker = match (network.is_some(), cluster) {
            (false, false) => made.public(),
            (false, true) => made.public_cluster(),
            (true, true) => made.cluster(subnets),
            (true, false) => match subnets.next() {
                Some(subnet) => made.single(subnet),
                None => made.public(),
            },
        };
        let broker = match self.settings.redistribution.broker.instance_type() {
            Some(name) => broker.instance(Instance::new(name.to_owned())),
            None => broker,
        };
        match &managed.maintenance {
            Some(window) => broker.maintenance(day(window.day), window.time_utc.clone(), "UTC"),
            None => broker,
        }
    }

    fn publish(&self, stack: &mut Stack, code: Code, reach: &Reach, key: Option<KeyRef>) -> Function {
        let redistribution = &self.settings.redistribution;
        let told = PublishSettings::<Text> {
            pipeline: self.settings.name.clone().into(),
            broker_url: reach.url.clone(),
            broker_secret: reach.secret.arn().into(),
            broker_ca_file: None,
            exchange: redistribution.exchange.clone(),
            unrouted_limit: redistribution.unrouted_limit,
            messages_in_flight: redistribution.messages_in_flight,
            confirm_timeout_ms: redistribution.confirm_timeout_ms,
            connect_timeout_ms: redistribution.connect_timeout_ms,
        };
        let function = Function::rust(code)
            .description("Publishes new articles to RabbitMQ and waits until the broker has them")
            .environment(told.into_variables());
        let function = sized(function, &redistribution.function, self.settings, key);
        match self.shared.network.filter(|_| reach.in_network) {
            Some(network) => {
                let group = self.function_group(stack, network, reach.group);
                function.in_vpc(network.private_subnets(), [group.id()])
            }
            None => function,
        }
    }

    /// The function talks to the broker and to Secrets Manager, and to nothing else.
    fn function_group(
        &self,
        stack: &mut Stack,
        network: NetworkRef,
        broker: Option<SecurityGroupRef>,
    ) -> SecurityGroupRef {
        let group = stack.add("PublishGroup", SecurityGroup::in_vpc(network, "The publish function"));
        match broker {
            Some(broker) => stack.allow(group, broker, Port::tcp(AMQPS), "Publishes articles"),
            None => stack.allow(group, Peer::anywhere(), Port::tcp(AMQPS), "Publishes articles"),
        }
        match self.shared.secrets {
            Some(endpoint) => {
                stack.allow(group, endpoint.security_group(), Port::HTTPS, "Reads the credentials of the broker");
            }
            None => stack.allow(group, Peer::anywhere(), Port::HTTPS, "Reads the credentials of the broker"),
        }
        group
    }
}

fn broker_group(stack: &mut Stack, network: NetworkRef) -> SecurityGroupRef {
    let group = stack.add("BrokerGroup", SecurityGroup::in_vpc(network, "The broker"));
    stack.allow(network, group, Port::tcp(AMQPS), "Subscribers in the network");
    // Users for subscribers are made there, and nowhere else.
    stack.allow(network, group, Port::HTTPS, "Management pages of RabbitMQ, in the network");
    group
}

fn existing(stack: &mut Stack, existing: &ExistingBroker) -> Reach {
    let secret = stack.add("BrokerUser", Secret::existing_arn(existing.secret_arn.clone()));
    let group = existing.security_group_id.as_ref();
    let group = group.map(|id| stack.add("BrokerGroup", SecurityGroup::existing(id)));
    Reach { url: existing.url.clone().into(), secret, group, in_network: existing.private, broker: None }
}

fn version(number: &str) -> Version {
    match number {
        "4.3" => Version::V4_3,
        "3.13" => Version::V3_13,
        _ => Version::V4_2,
    }
}

fn day(day: Weekday) -> Day {
    match day {
        Weekday::Monday => Day::Monday,
        Weekday::Tuesday => Day::Tuesday,
        Weekday::Wednesday => Day::Wednesday,
        Weekday::Thursday => Day::Thursday,
        Weekday::Friday => Day::Friday,
        Weekday::Saturday => Day::Saturday,
        Weekday::Sunday => Day::Sunday,
    }
}
