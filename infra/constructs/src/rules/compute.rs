//! Functions, endpoints and brokers.

use super::{Findings, Subject, environment::variable_problem, literal, reference, text};
use crate::{
    policy,
    tree::{Properties, Value},
};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    match subject.name {
        "aws_lambda_function" => environment(subject, "environment.variables", findings),
        "AWS::Lambda::Function" => environment(subject, "Environment.Variables", findings),
        "aws_lambda_permission" => permission(subject, ["action", "principal"], findings),
        "AWS::Lambda::Permission" => permission(subject, ["Action", "Principal"], findings),
        "aws_lambda_event_source_mapping" => start(subject, ["event_source_arn", "starting_position"], findings),
        "AWS::Lambda::EventSourceMapping" => start(subject, ["EventSourceArn", "StartingPosition"], findings),
        "aws_sagemaker_endpoint_configuration" => {
            variants(subject, "production_variants", ["instance_type", "serverless_config"], findings);
        }
        "AWS::SageMaker::EndpointConfig" => {
            variants(subject, "ProductionVariants", ["InstanceType", "ServerlessConfig"], findings);
        }
        "aws_mq_broker" => broker(subject, &TERRAFORM, findings),
        "AWS::AmazonMQ::Broker" => broker(subject, &CLOUDFORMATION, findings),
        _ => {}
    }
}

fn environment(subject: &Subject<'_>, path: &str, findings: &mut Findings) {
    for (path, value) in subject.each(path) {
        let Value::Map(variables) = value else { continue };
        for (name, value) in variables.iter() {
            if let Some(problem) = text(value).and_then(|value| variable_problem(name, value)) {
                findings.add(format!("{path}.{name}"), problem);
            }
        }
    }
}

fn permission(subject: &Subject<'_>, [action, principal]: [&str; 2], findings: &mut Findings) {
    let given = subject.word(action).unwrap_or_default();
    if let Some(problem) = given.split_once(':').and_then(|_| policy::action_problem(given)) {
        findings.add(action, problem);
    }
    let named = subject.word(principal).filter(|name| name.contains(".amazonaws"));
    if let Some(problem) = named.and_then(policy::service_problem) {
        findings.add(principal, problem);
    }
}

/// Streams are read from somewhere; queues have no such place.
fn start(subject: &Subject<'_>, [source, position]: [&str; 2], findings: &mut Findings) {
    let Some(value) = subject.first(source) else { return };
    let service = literal(value).map(|arn| arn.split(':').nth(2).unwrap_or_default().to_owned());
    let kind = service.or_else(|| subject.known.type_of(reference(value)?)).unwrap_or_default().to_ascii_lowercase();
    let is_stream = [
        "kinesis",
        "aws_kinesis_stream",
        "aws::kinesis::stream",
        "dynamodb",
        "aws_dynamodb_table",
        "aws::dynamodb::table",
    ]
    .contains(&kind.as_str());
    let is_queue = ["sqs", "aws_sqs_queue", "aws::sqs::queue"].contains(&kind.as_str());
    if is_stream && !subject.has(position) {
        findings.add(
            position,
            format!("{position} is missing; a stream is read from LATEST, TRIM_HORIZON or AT_TIMESTAMP on"),
        );
    }
    if is_queue && subject.has(position) {
        findings.add(position, format!("{position} is for streams; a queue has none"));
    }
}

fn variants(subject: &Subject<'_>, path: &str, [instances, serverless]: [&str; 2], findings: &mut Findings) {
    for (path, variant) in subject.each(path) {
        let Value::Map(variant) = variant else { continue };
        let has = |name: &str| variant.get(name).is_some_and(|value| !matches!(value, Value::Null));
        match (has(instances), has(serverless)) {
            (true, true) => {
                findings.add(path, format!("{instances} and {serverless} exclude each other; a variant has one"));
            }
            (false, false) if !names_something_else(variant) => {
                findings.add(path, format!("{instances} or {serverless} is missing; a variant has one"));
            }
            _ => {}
        }
    }
}

/// Inference components and fleets of several instance types bring capacity in other ways.
fn names_something_else(variant: &Properties) -> bool {
    variant.iter().any(|(name, _)| name.to_ascii_lowercase().contains("pool"))
}

struct Broker {
    engine: &'static str,
    mode: &'static str,
    subnets: &'static str,
    groups: &'static str,
    public: &'static str,
    storage: &'static str,
}

const TERRAFORM: Broker = Broker {
    engine: "engine_type",
    mode: "deployment_mode",
    subnets: "subnet_ids",
    groups: "security_groups",
    public: "publicly_accessible",
    storage: "storage_type",
};

const CLOUDFORMATION: Broker = Broker {
    engine: "EngineType",
    mode: "DeploymentMode",
    subnets: "SubnetIds",
    groups: "SecurityGroups",
    public: "PubliclyAccessible",
    storage: "StorageType",
};

fn broker(subject: &Subject<'_>, broker: &Broker, findings: &mut Findings) {
    let rabbit = subject.word(broker.engine).is_some_and(|engine| engine.eq_ignore_ascii_case("rabbitmq"));
    let mode = subject.word(broker.mode).unwrap_or("SINGLE_INSTANCE");
    let subnets = subject.each(broker.subnets).len();
    if rabbit && mode == "ACTIVE_STANDBY_MULTI_AZ" {
        findings.add(
            broker.mode,
            format!(
                "{} is {mode}, which is ActiveMQ's; RabbitMQ has SINGLE_INSTANCE and CLUSTER_MULTI_AZ",
                broker.mode
            ),
        );
    }
    if mode == "SINGLE_INSTANCE" && subnets > 1 {
        findings.add(broker.subnets, format!("{subnets} subnets are given; a SINGLE_INSTANCE broker is in 1"));
    }
    if rabbit && subject.word(broker.storage).is_some_and(|storage| storage.eq_ignore_ascii_case("efs")) {
        findings.add(broker.storage, format!("{} is efs, which is ActiveMQ's; RabbitMQ has ebs", broker.storage));
    }
    let public = subject.first(broker.public) == Some(&Value::Bool(true));
    if rabbit && public && subject.has(broker.groups) {
        findings.add(broker.groups, "security groups don't apply to a public broker; put it into subnets".to_owned());
    }
}
