//! Terraform's resources against their schemas.

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
    bad("aws_mq_broker", broker("Kafka"), ["engine_type: engine_type is \"Kafka\"; allowed are RABBITMQ, ACTIVEMQ"]);
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

#[test]
fn limits_of_the_api_hold_where_terraform_has_none() {
    bad(
        "aws_lambda_event_source_mapping",
        json!({
            "function_name": "enrich", "event_source_arn": "arn:aws:kinesis:x", "batch_size": 20_000,
            "maximum_batching_window_in_seconds": 301
        }),
        [
            "batch_size: batch_size is 20000; allowed is 1 to 10000",
            "maximum_batching_window_in_seconds: \
             maximum_batching_window_in_seconds is 301; allowed is 300 or less",
        ],
    );
}

#[test]
fn a_policy_is_a_json_document() {
    let queue = |policy: &str| json!({"name": "news", "policy": policy});
    good("aws_sqs_queue", queue("{\"Statement\": []}"));
    bad(
        "aws_sqs_queue",
        queue("allow all"),
        ["policy: policy is \"allow all\"; a JSON document is needed: expected value at line 1 column 1"],
    );
}
