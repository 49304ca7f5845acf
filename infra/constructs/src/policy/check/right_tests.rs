//! Statements as AWS's guides write them: none of them is found fault with.

use serde_json::json;

use super::{
    Use,
    tests::{allow, expect, with},
};

/// An ARN of our region and account.
fn arn(service: &str, rest: &str) -> String {
    format!("arn:aws:{service}:eu-west-1:111122223333:{rest}")
}

#[test]
fn what_a_pipeline_is_allowed_has_no_findings() {
    let cases = [
        ("kinesis:GetRecords kinesis:GetShardIterator kinesis:DescribeStream", arn("kinesis", "stream/news")),
        ("kinesis:DescribeStreamSummary kinesis:ListShards kinesis:PutRecords", arn("kinesis", "stream/news")),
        ("kinesis:SubscribeToShard", arn("kinesis", "stream/news/consumer/enrich:1")),
        ("dynamodb:DescribeStream dynamodb:GetRecords", arn("dynamodb", "table/articles/stream/*")),
        ("dynamodb:GetShardIterator", arn("dynamodb", "table/articles/stream/2026-01-01T00:00:00.000")),
        ("dynamodb:ListStreams kinesis:ListStreams", "*".to_owned()),
        ("dynamodb:BatchWriteItem dynamodb:PutItem dynamodb:ConditionCheckItem", arn("dynamodb", "table/articles")),
        ("dynamodb:Query dynamodb:Scan", arn("dynamodb", "table/articles/index/*")),
        ("logs:CreateLogStream logs:PutLogEvents", arn("logs", "log-group:/aws/lambda/enrich:*")),
        ("logs:CreateLogGroup", arn("logs", "*")),
        ("sagemaker:InvokeEndpoint", arn("sagemaker", "endpoint/finbert")),
        ("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:news/feed-??????")),
        ("ssm:GetParameter ssm:GetParametersByPath", arn("ssm", "parameter/newsloom/ingester")),
        ("sqs:SendMessage sqs:ReceiveMessage sqs:DeleteMessage", arn("sqs", "failures")),
        ("sns:Publish", arn("sns", "alarms")),
        ("ecr:BatchGetImage ecr:GetDownloadUrlForLayer", arn("ecr", "repository/huggingface/finbert")),
        ("ecr:GetAuthorizationToken", "*".to_owned()),
        ("ec2:DescribeNetworkInterfaces ec2:DescribeSubnets", "*".to_owned()),
        ("ec2:CreateNetworkInterface", arn("ec2", "subnet/subnet-1")),
        ("cloudwatch:PutMetricData xray:PutTraceSegments", "*".to_owned()),
        ("s3:PutObject s3:GetObject s3:AbortMultipartUpload", "arn:aws:s3:::code/*".to_owned()),
        ("kms:Decrypt kms:GenerateDataKey kms:DescribeKey", arn("kms", "key/1234")),
        ("mq:DescribeBroker", arn("mq", "broker:news:b-1")),
        ("lambda:InvokeFunction", arn("lambda", "function:enrich:live")),
        ("ssmmessages:CreateControlChannel ssmmessages:OpenDataChannel", "*".to_owned()),
        ("events:PutEvents", arn("events", "event-bus/default")),
        ("imagebuilder:GetComponent", arn("imagebuilder", "component/ingester/*")),
        ("autoscaling:CompleteLifecycleAction", arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/ingester")),
    ];
    for (actions, resource) in cases {
        let actions: Vec<_> = actions.split(' ').collect();
        expect(Use::Identity, allow(actions, resource), "");
    }
}

#[test]
fn what_conditions_narrow_has_no_findings() {
    let cases = [
        ("cloudwatch:PutMetricData", "*", json!({"StringEquals": {"cloudwatch:namespace": "Newsloom"}})),
        ("s3:ListBucket", "arn:aws:s3:::code", json!({"StringLike": {"s3:prefix": ["news/*"]}})),
        (
            "iam:PassRole",
            "arn:aws:iam::111122223333:role/newsloom/enrich",
            json!({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}),
        ),
    ];
    for (action, resource, condition) in cases {
        expect(Use::Identity, with(allow(action, resource), "Condition", condition), "");
    }
}

#[test]
fn what_resources_let_services_do_has_no_findings() {
    let alarms = json!({
        "Effect": "Allow",
        "Principal": {"Service": ["cloudwatch.amazonaws.com"]},
        "Action": "sns:Publish",
        "Resource": arn("sns", "alarms"),
        "Condition": {
            "StringEquals": {"aws:SourceAccount": "111122223333"},
            "ArnLike": {"aws:SourceArn": arn("cloudwatch", "alarm:*")},
        },
    });
    let logs = json!({
        "Effect": "Allow",
        "Principal": {"Service": "logs.eu-west-1.amazonaws.com"},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey"],
        "Resource": "*",
        "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn("logs", "log-group:*")}},
    });
    let grants = json!({
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["kms:CreateGrant"],
        "Resource": "*",
        "Condition": {
            "Bool": {"kms:GrantIsForAWSResource": "true"},
            "StringEquals": {"kms:CallerAccount": "111122223333", "kms:ViaService": "mq.eu-west-1.amazonaws.com"},
        },
    });
    let images = json!({
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:role/enrich"},
        "Action": "ecr:BatchGetImage",
    });
    for statement in [alarms, logs, grants, images] {
        expect(Use::Resource, statement, "");
    }
}
