//! The broker, where it lies, and the time that publishing may take.

use super::{Budget, Rules};
use crate::{Broker, ManagedBroker, Network};

/// DynamoDB Streams keeps changes for a day, always.
const STREAM_SECONDS: u32 = 86_400;

pub(super) fn check(rules: &mut Rules<'_>) {
    let broker = &rules.settings.redistribution.broker;
    if let Some(managed) = broker.managed() {
        rules.engine(broker, managed);
    }
    match broker {
        Broker::Cluster(_) => rules.cluster_zones(),
        Broker::Existing(broker) if !broker.private && broker.security_group_id.is_some() => {
            let message = "used only with private = true: outside of the network no security group applies";
            rules.problem("redistribution.broker.security_group_id", message.into());
        }
        _ => (),
    }
    rules.publish_time();
}

impl Rules<'_> {
    fn engine(&mut self, broker: &Broker, managed: &ManagedBroker) {
        let instance_type = broker.instance_type().unwrap_or_default();
        let version = &managed.engine_version;
        let key = "redistribution.broker.instance_type";
        if version != "3.13" && !instance_type.starts_with("mq.m7g.") {
            let message = format!(
                "{instance_type:?} given, but RabbitMQ {version} runs on mq.m7g only; mq.t3 and mq.m5 run 3.13"
            );
            self.problem(key, message);
        }
        if instance_type == "mq.t3.micro" && matches!(broker, Broker::Cluster(_)) {
            let message = format!("{instance_type:?} given, which is too small for a cluster");
            self.problem(key, message);
        }
    }

    fn cluster_zones(&mut self) {
        let (key, count, what) = match &self.settings.network {
            Network::New(network) => ("network.zones", network.zones.count(), "zones"),
            Network::Existing(network) => {
                let subnets = network.private_subnet_ids.len();
                ("network.private_subnet_ids", subnets, "subnets, each in another zone,")
            }
        };
        if count < 2 {
            let message =
                format!("{count} given, but a cluster (redistribution.broker.deployment) needs two {what} at least");
            self.problem(key, message);
        }
    }

    fn publish_time(&mut self) {
        let publish = &self.settings.redistribution;
        let rounds = publish.trigger.batch_size.div_ceil(publish.messages_in_flight.max(1));
        let (connect_ms, confirm_ms) = (publish.connect_timeout_ms, publish.confirm_timeout_ms);
        let worst_ms = u64::from(connect_ms) + u64::from(rounds) * u64::from(confirm_ms);
        let budget = Budget {
            worst_ms,
            sum: format!("{connect_ms} ms to connect, {rounds} times {confirm_ms} ms to confirm"),
            stream: "the table's stream",
            kept_seconds: STREAM_SECONDS,
        };
        self.budget("redistribution", &publish.function, &publish.trigger, &budget);
    }
}
