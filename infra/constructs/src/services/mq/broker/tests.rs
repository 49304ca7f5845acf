use super::*;
use crate::{
    services::{
        iam::{Role, Service},
        kms::Key,
        mq::Configuration,
        secretsmanager::{PasswordRules, Secret},
        units::Seconds,
    },
    testing::{check_stack, problems},
};

type Change = fn(RabbitMq) -> Broker;

fn user(stack: &mut Stack) -> User {
    User::new("newsloom", stack.add("Login", Secret::generated("newsloom", PasswordRules::default())))
}

#[test]
fn renderings() {
    check_stack("mq_single", |stack| {
        let user = user(stack);
        let broker = stack.add("Broker", Broker::rabbitmq(Version::V4_2, user).single("subnet-0a1b2c3d"));
        stack.output("Endpoint", broker.amqps_endpoint());
        stack.output("Console", broker.console_url());
        stack.output("LogGroup", broker.log_group());
    });
    check_stack("mq_cluster", |stack| {
        let user = user(stack);
        let key = stack.add("Key", Key::new("Encrypts the broker"));
        let settings = stack.add("Settings", Configuration::rabbitmq(Version::V4_2).heartbeat(Seconds(120)));
        let broker = Broker::rabbitmq(Version::V4_2, user)
            .cluster(["subnet-0a1b2c3d", "subnet-1a1b2c3d", "subnet-2a1b2c3d"])
            .guarded_by_existing("sg-0a1b2c3d")
            .encrypted_by(key)
            .configuration(settings)
            .maintenance(Day::Sunday, "03:00", "UTC")
            .apply_immediately()
            .named("news");
        let broker = stack.add("Broker", broker);
        let operator = stack.add("Operator", Role::of(Service::LAMBDA));
        stack.grant(operator, broker.reboot());
        stack.output("Name", broker.name());
    });
    check_stack("mq_public", |stack| {
        let user = user(stack);
        let broker = Broker::rabbitmq(Version::V3_13, user).public().instance(Instance::T3_MICRO);
        stack.add("Broker", broker.encrypted_by_managed_key().without_logs());
    });
    check_stack("mq_existing", |stack| {
        let broker = stack.add("Broker", Broker::existing("news", "b-1234a5b6-78cd-901e-2fgh-3i45j6k178l9"));
        let operator = stack.add("Operator", Role::of(Service::LAMBDA));
        stack.grant(operator, broker.describe());
        stack.output("Endpoint", broker.amqps_endpoint());
    });
}

#[test]
fn what_amazon_mq_refuses_is_a_problem() {
    let subnet = "subnet-0a1b2c3d";
    let cases: [(Version, Change, &str); 9] = [
        (
            Version::V4_2,
            |new| new.public().instance(Instance::M5_LARGE),
            "RabbitMQ 4.2 on mq.m5.large; it runs on mq.m7g only",
        ),
        (Version::new("3.12"), RabbitMq::public, "RabbitMQ 3.12 can't be created any more; 3.13, 4.2 and 4.3 can"),
        (
            Version::V3_13,
            |new| new.public_cluster().instance(Instance::T3_MICRO),
            "a cluster on mq.t3.micro; that instance is for single brokers only",
        ),
        (
            Version::V4_2,
            |new| new.public().guarded_by_existing("sg-0a1b2c3d"),
            "security groups don't apply to a public broker; put it into subnets",
        ),
        (Version::V4_2, |new| new.cluster::<&'static str>([]), "a private cluster needs at least one subnet"),
        (
            Version::V4_2,
            |new| new.public().maintenance(Day::Sunday, "3 am", "UTC"),
            "the maintenance time is `3 am`; it is written hh:mm, 00:00 to 23:59",
        ),
        (
            Version::V4_2,
            |new| new.public().named("a b"),
            "the name is `a b`; a broker's has letters, digits, `-` and `_`",
        ),
        (
            Version::V4_2,
            |new| new.public().instance(Instance::new("m7g.large")),
            "the instance is `m7g.large`; Amazon MQ's start with `mq.`, as `mq.m7g.large`",
        ),
        (Version::V4_2, |new| new.public().named("n".repeat(51)), "has 51 characters; a broker's has 1 to 50"),
    ];
    for (version, change, message) in cases {
        let found = problems(|stack| {
            let user = user(stack);
            stack.add("Broker", change(Broker::rabbitmq(version, user)));
        });
        assert!(found.contains("Broker: ") && found.contains(message), "{found}");
    }
    let found = problems(|stack| {
        let User { password, .. } = user(stack);
        let settings = stack.add("Settings", Configuration::rabbitmq(Version::V3_13).heartbeat(Seconds(120)));
        let broker = Broker::rabbitmq(Version::V4_3, User::new("guest", password)).single(subnet);
        stack.add("Broker", broker.configuration(settings));
    });
    assert!(found.contains("Broker: the configuration is for RabbitMQ 3.13, the broker runs 4.3"), "{found}");
    assert!(found.contains("Broker: the user is `guest`, which Amazon MQ doesn't allow"), "{found}");
}
