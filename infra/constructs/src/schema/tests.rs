//! What the packs say, and what the checker makes of it.

use std::rc::Rc;

use serde_json::json;

use super::{Backend, Finding, Kind, References, Schema, Schemas, TagForm, check, read, shape};
use crate::tree::{Access, Attribute, NodeRef, Properties, Reference, Text, Value};

const BACKENDS: [Backend; 2] = [Backend::Terraform, Backend::CloudFormation];
const KINDS: [Kind; 4] = [Kind::Resource, Kind::Data, Kind::Ephemeral, Kind::Provider];

fn schema(name: &str) -> Rc<Schema> {
    let backend = match name.contains("::") {
        true => Backend::CloudFormation,
        false => Backend::Terraform,
    };
    let schemas = Schemas::new(backend);
    schemas.find(Kind::Resource, name).unwrap()
}

fn properties(document: serde_json::Value) -> Properties {
    match Value::from(document) {
        Value::Map(properties) => properties,
        other => panic!("{} is no set of properties", other.word()),
    }
}

/// The findings as `path: message`.
fn findings(name: &str, document: serde_json::Value) -> Vec<String> {
    shown(check(&schema(name), &properties(document), &()))
}

fn shown(findings: Vec<Finding>) -> Vec<String> {
    let shown = findings.into_iter().map(|finding| format!("{}: {}", finding.path, finding.message));
    shown.collect()
}

#[track_caller]
fn good(name: &str, document: serde_json::Value) {
    assert_eq!(findings(name, document), [""; 0]);
}

#[track_caller]
fn bad<const N: usize>(name: &str, document: serde_json::Value, expected: [&str; N]) {
    assert_eq!(findings(name, document), expected);
}

mod packs {
    use super::*;

    #[test]
    fn every_type_decodes() {
        let mut count = 0;
        for backend in BACKENDS {
            let schemas = Schemas::new(backend);
            for kind in KINDS {
                for name in schemas.names(kind) {
                    let schema = schemas.find(kind, &name).unwrap();
                    assert!(sorted(&schema.root), "{name}");
                    count += 1;
                }
            }
        }
        assert_eq!(count, 2364 + 382);
    }

    fn sorted(object: &shape::Object) -> bool {
        object.properties.is_sorted_by(|a, b| a.name < b.name)
    }

    #[test]
    fn every_pattern_compiles() {
        let mut broken = Vec::new();
        for backend in BACKENDS {
            let schemas = Schemas::new(backend);
            for kind in KINDS {
                for name in schemas.names(kind) {
                    schemas.find(kind, &name).unwrap();
                }
            }
            let patterns: read::Patterns = schemas.patterns.take();
            let failing = patterns.into_values().filter(|pattern| pattern.regex().is_none());
            broken.extend(failing.map(|pattern| pattern.text().to_owned()));
        }
        assert_eq!(broken, [""; 0]);
    }

    #[test]
    fn a_kind_the_backend_does_not_have_is_unknown() {
        let schemas = Schemas::new(Backend::CloudFormation);
        assert!(schemas.find(Kind::Data, "AWS::SQS::Queue").is_err());
    }

    #[test]
    fn a_far_name_has_no_near_one() {
        let schemas = Schemas::new(Backend::Terraform);
        let unknown = schemas.find(Kind::Resource, "google_storage_bucket").unwrap_err();
        assert_eq!(unknown.to_string(), "unknown type `google_storage_bucket`");
    }

    #[test]
    fn facts_beside_the_properties_are_kept() {
        let stream = schema("AWS::Kinesis::Stream");
        let arn = "arn:${Partition}:kinesis:${Region}:${Account}:stream/${StreamName}";
        assert_eq!(stream.arn.as_deref(), Some(arn));
        assert!(stream.replaces("Name") && !stream.replaces("Tags"));
        assert!(stream.attribute("Arn").is_some() && stream.attribute("Name").is_none());
        assert!(schema("aws_kinesis_stream").replaces("name"));
        let group = schema("aws_autoscaling_group");
        assert_eq!(group.tags.as_ref().unwrap().form, TagForm::PairsAtLaunch);
    }
}

mod terraform {
    use super::*;

    #[test]
    fn a_good_resource_has_no_findings() {
        good(
            "aws_kinesis_stream",
            json!({
                "name": "news", "retention_period": 48, "tags": {"Team": "news"}, "arn": null,
                "stream_mode_details": {"stream_mode": "ON_DEMAND"},
                "lifecycle": {"prevent_destroy": true}, "depends_on": ["aws_iam_role.x"], "//": "why",
                "timeouts": {"create": "5m"}
            }),
        );
    }

    #[test]
    fn all_findings_are_told_in_order() {
        bad(
            "aws_kinesis_stream",
            json!({
                "retention_perid": 24, "shard_count": "2", "id": "x",
                "stream_mode_details": {"stream_mode": "ONDEMAND"}
            }),
            [
                "id: id is read-only; it cannot be set",
                "retention_perid: unknown property `retention_perid`; did you mean `retention_period`?",
                "shard_count: shard_count is the string \"2\"; a number is needed",
                "stream_mode_details.stream_mode: stream_mode is \"ONDEMAND\"; \
                 allowed are ON_DEMAND, PROVISIONED",
                "name: name is missing",
            ],
        );
    }

    #[test]
    fn one_block_is_an_object_or_a_list_of_one() {
        let mode = json!({"stream_mode": "ON_DEMAND"});
        good("aws_kinesis_stream", json!({"name": "n", "stream_mode_details": [mode]}));
        bad(
            "aws_kinesis_stream",
            json!({"name": "n", "stream_mode_details": [mode, mode]}),
            ["stream_mode_details: stream_mode_details has 2 elements; allowed is 1 or less"],
        );
    }

    #[test]
    fn blocks_made_by_dynamic_are_there() {
        good(
            "aws_sagemaker_endpoint_configuration",
            json!({"dynamic": {"production_variants": {"for_each": [], "content": {}}}}),
        );
    }

    #[test]
    fn case_counts_unless_the_provider_ignores_it() {
        let broker = |engine: &str| {
            json!({
                "broker_name": "news", "engine_type": engine, "engine_version": "3.13",
                "host_instance_type": "mq.m5.large"
            })
        };
        good("aws_mq_broker", broker("RabbitMQ"));
        bad(
            "aws_mq_broker",
            broker("Kafka"),
            ["engine_type: engine_type is \"Kafka\"; allowed are RABBITMQ, ACTIVEMQ"],
        );
    }

    #[test]
    fn arguments_that_exclude_or_need_each_other_are_told() {
        bad(
            "aws_lambda_function",
            json!({"function_name": "f", "role": "arn:aws:iam::1:role/r", "filename": "f.zip", "s3_bucket": "b"}),
            ["filename: filename and s3_bucket exclude each other", "s3_bucket: s3_bucket needs s3_key"],
        );
        bad(
            "aws_lambda_function",
            json!({"function_name": "f", "role": "arn:aws:iam::1:role/r"}),
            ["filename: one of filename, image_uri, s3_bucket is needed"],
        );
    }

    #[test]
    fn an_arn_is_told_from_a_name() {
        bad(
            "aws_lambda_function",
            json!({"function_name": "f", "role": "reader", "filename": "f.zip"}),
            ["role: role is \"reader\"; an ARN is needed"],
        );
    }

    #[test]
    fn nested_paths_name_the_element() {
        bad(
            "aws_sagemaker_endpoint_configuration",
            json!({"production_variants": [{"initial_instance_count": true, "instance_type": "ml.m5.large"}]}),
            ["production_variants[0].initial_instance_count: \
                 initial_instance_count is the boolean true; a number is needed"],
        );
    }

    #[test]
    fn members_of_an_object_attribute_are_all_named() {
        let rule = json!([{"from_port": 443, "to_port": 443, "protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"],
            "description": null, "ipv6_cidr_blocks": null, "prefix_list_ids": null, "security_groups": null}]);
        bad("aws_security_group", json!({"name": "n", "ingress": rule}), ["ingress[0].self: self is missing"]);
    }

    #[test]
    fn the_provider_has_a_schema_too() {
        let schemas = Schemas::new(Backend::Terraform);
        let aws = schemas.find(Kind::Provider, "aws").unwrap();
        let written = properties(json!({"alias": "west", "region": "us-west-2", "regoin": "x"}));
        assert_eq!(shown(check(&aws, &written, &())), ["regoin: unknown property `regoin`; did you mean `region`?"]);
    }
}

mod cloudformation {
    use super::*;

    #[test]
    fn ranges_patterns_and_requirements_are_held() {
        bad(
            "AWS::Kinesis::Stream",
            json!({"RetentionPeriodHours": 12, "Name": "a b", "Arn": "arn:aws:x"}),
            [
                "Arn: Arn is read-only; it cannot be set",
                "Name: Name is \"a b\"; it must match ^[a-zA-Z0-9_.-]+$",
                "RetentionPeriodHours: RetentionPeriodHours is 12; allowed is 24 to 8760",
            ],
        );
        bad(
            "AWS::Lambda::Function",
            json!({"Code": {"S3Bucket": "code", "S3Key": "f.zip"}, "Timeout": 1.5}),
            ["Timeout: Timeout is 1.5; a whole number is needed", "Role: Role is missing"],
        );
    }

    #[test]
    fn functions_and_dynamic_references_stand_for_values() {
        good(
            "AWS::Kinesis::Stream",
            json!({
                "ShardCount": {"Fn::If": ["Large", 4, 1]},
                "Name": {"Ref": "Name"}, "RetentionPeriodHours": 24
            }),
        );
        good("AWS::Kinesis::Stream", json!({"Name": "{{resolve:ssm:/news/stream}}"}));
    }

    #[test]
    fn alternatives_are_told_together() {
        bad(
            "AWS::EC2::Subnet",
            json!({"VpcId": "vpc-1"}),
            ["CidrBlock: at least one of CidrBlock, Ipv4IpamPoolId, Ipv6CidrBlock, Ipv6IpamPoolId is needed"],
        );
        bad(
            "AWS::CloudWatch::Alarm",
            json!({"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1}),
            ["EvaluationCriteria: one of EvaluationCriteria, MetricName, Metrics is needed"],
        );
    }

    #[test]
    fn a_list_without_repetition_is_held_to_it() {
        let policy = "arn:aws:iam::aws:policy/ReadOnlyAccess";
        bad(
            "AWS::IAM::Role",
            json!({"AssumeRolePolicyDocument": {}, "ManagedPolicyArns": [policy, policy]}),
            ["ManagedPolicyArns[1]: ManagedPolicyArns[1] is the same as ManagedPolicyArns[0]; \
              each may be there once"],
        );
    }

    #[test]
    fn a_policy_is_an_object_or_a_string() {
        let policy = json!({"Version": "2012-10-17", "Statement": []});
        good("AWS::IAM::Role", json!({"AssumeRolePolicyDocument": policy}));
        good("AWS::IAM::Role", json!({"AssumeRolePolicyDocument": "{}"}));
        bad(
            "AWS::IAM::Role",
            json!({"AssumeRolePolicyDocument": 1}),
            ["AssumeRolePolicyDocument: AssumeRolePolicyDocument is the number 1; an object is needed"],
        );
    }
}

mod references {
    use super::*;

    const NODE: NodeRef = NodeRef { stack: 0, index: 0 };

    /// Every reference is to one type.
    struct AllTo(&'static str);

    impl References for AllTo {
        fn schema_of(&self, _: Reference) -> Option<Rc<Schema>> {
            Some(schema(self.0))
        }
    }

    fn found(target: &'static str, name: &str, property: &'static str, value: Value) -> Vec<String> {
        let properties = Properties::default().set(property, value);
        let findings = check(&schema(name), &properties, &AllTo(target));
        let about = findings.into_iter().filter(|finding| finding.path == property);
        about.map(|finding| finding.message).collect()
    }

    fn value(attribute: Attribute) -> Value {
        Reference { node: NODE, attribute }.into()
    }

    #[test]
    fn an_attribute_that_does_not_exist_is_a_finding() {
        let arn = value(Attribute::arn("arnn", Access::GetAtt("ARN")));
        assert_eq!(
            found("aws_iam_role", "aws_lambda_function", "role", arn.clone()),
            ["role is a reference to `arnn`, which aws_iam_role does not have; did you mean `arn`?"]
        );
        assert_eq!(
            found("AWS::IAM::Role", "AWS::Lambda::Function", "Role", arn),
            ["Role is a reference to `ARN`, which AWS::IAM::Role does not have; did you mean `Arn`?"]
        );
    }

    #[test]
    fn a_list_does_not_fit_where_a_string_belongs() {
        let list = value(Attribute::other("instances[0].endpoints", Access::GetAtt("AmqpEndpoints")));
        assert_eq!(
            found("aws_mq_broker", "aws_ssm_parameter", "value", list.clone()),
            ["value is a reference to `instances[0].endpoints`, a list; a string is needed"]
        );
        assert_eq!(
            found("AWS::AmazonMQ::Broker", "AWS::SSM::Parameter", "Value", list),
            ["Value is a reference to `AmqpEndpoints`, a list; a string is needed"]
        );
        let one = value(Attribute::other("instances[0].endpoints[0]", Access::Select(0, "AmqpEndpoints")));
        assert_eq!(found("aws_mq_broker", "aws_ssm_parameter", "value", one.clone()), [""; 0]);
        assert_eq!(found("AWS::AmazonMQ::Broker", "AWS::SSM::Parameter", "Value", one), [""; 0]);
    }

    #[test]
    fn a_list_does_not_fit_inside_a_string() {
        let list = Attribute::other("subnet_ids", Access::None);
        let text = Text::from("ids: ") + Reference { node: NODE, attribute: list };
        let expected = "value is a reference to `subnet_ids`, a list; a string is needed";
        assert_eq!(found("aws_mq_broker", "aws_ssm_parameter", "value", text.into()), [expected]);
    }

    #[test]
    fn a_name_where_an_arn_belongs_is_a_finding() {
        let name = value(Attribute::name("name", Access::Ref));
        let expected = "takes an ARN; the reference is a name";
        assert_eq!(found("aws_iam_role", "aws_lambda_function", "role", name.clone()), [format!("role {expected}")]);
        assert_eq!(found("AWS::IAM::Role", "AWS::Lambda::Function", "Role", name), [format!("Role {expected}")]);
    }

    #[test]
    fn an_arn_where_a_name_belongs_is_a_finding_unless_it_is_taken_too() {
        let arn = value(Attribute::arn("arn", Access::GetAtt("Arn")));
        assert_eq!(
            found("aws_kinesis_stream", "aws_kinesis_stream", "name", arn.clone()),
            ["name takes no ARN; the reference is one"]
        );
        let mapping = "aws_lambda_event_source_mapping";
        assert_eq!(found("aws_lambda_function", mapping, "function_name", arn.clone()), [""; 0]);
        let permission = "AWS::Lambda::Permission";
        assert_eq!(found("AWS::Lambda::Function", permission, "FunctionName", arn), [""; 0]);
    }

    #[test]
    fn a_joined_text_is_a_string() {
        let text = Text::from("1") + Reference { node: NODE, attribute: Attribute::id("id", Access::Ref) };
        assert_eq!(
            found("aws_vpc", "aws_mq_broker", "subnet_ids", text.into()),
            ["subnet_ids is a string; a list is needed"]
        );
    }
}
