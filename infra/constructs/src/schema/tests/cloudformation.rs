//! CloudFormation's resources against their schemas.

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

#[test]
fn a_document_without_a_type_may_be_an_object() {
    good("AWS::IAM::ManagedPolicy", json!({"PolicyDocument": {"Statement": []}}));
}
