use serde_json::{Value as Json, json};

use super::*;
use crate::tree::{Access, Attribute, Kind, NodeRef, Ref};

const STREAM: &str = "arn:aws:kinesis:eu-west-1:111122223333:stream/news";
const TABLE: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/articles";

fn found(role: Use, statement: &Json) -> Vec<String> {
    let document = json!({"Version": "2012-10-17", "Statement": [statement]});
    check(&document.into(), role, &|_| None).iter().map(ToString::to_string).collect()
}

pub(super) fn allow(action: impl Into<Json>, resource: impl Into<Json>) -> Json {
    json!({"Effect": "Allow", "Action": action.into(), "Resource": resource.into()})
}

pub(super) fn with(mut statement: Json, element: &str, value: Json) -> Json {
    statement[element] = value;
    statement
}

/// Asserts that the only finding begins with what is expected; an empty expectation is no finding.
pub(super) fn expect(role: Use, statement: impl Into<Json>, expected: &str) {
    let statement = statement.into();
    let findings = found(role, &statement);
    let fits = match findings.as_slice() {
        [] => expected.is_empty(),
        [only] => !expected.is_empty() && only.starts_with(expected),
        _ => false,
    };
    assert!(fits, "{statement}\nexpected: {expected}\nfound: {findings:#?}");
}

#[test]
fn actions_exist_and_are_named_one_by_one() {
    let cases = [
        (json!("kinesis:PutRecords"), ""),
        (json!("Kinesis:putrecords"), ""),
        (json!(["kinesis:PutRecord", "kinesis:PutRecords"]), ""),
        (
            json!("kinesis:PutRecordz"),
            "Statement[0].Action: kinesis has no action `PutRecordz`; did you mean `kinesis:PutRecord",
        ),
        (
            json!(["kinesis:PutRecords", "kinesis:Frobnicate"]),
            "Statement[0].Action[1]: kinesis has no action `Frobnicate`",
        ),
        (
            json!("PutRecords"),
            "Statement[0].Action: `PutRecords` names no service; an action is `service:Action`; did you mean `kinesis:PutRecords`?",
        ),
        (
            json!("kenesis:PutRecords"),
            "Statement[0].Action: there is no service `kenesis`; did you mean `kinesis:PutRecords`?",
        ),
        (json!("ecs:RunTask"), "Statement[0].Action: the action reference does not know the service `ecs`"),
        (json!("*"), "Statement[0].Action: `*` allows everything; name the actions"),
        (
            json!("kinesis:*"),
            "Statement[0].Action: `kinesis:*` allows more than is said; name the actions: kinesis:AddTagsToStream, ",
        ),
        (
            json!("kinesis:GetR*"),
            "Statement[0].Action: `kinesis:GetR*` allows more than is said; name the actions: kinesis:GetRecords, kinesis:GetResourcePolicy",
        ),
        (json!("kinesis:Fetch*"), "Statement[0].Action: `kinesis:Fetch*` matches no action"),
        (
            json!("s3:HeadObject"),
            "Statement[0].Action: `s3:HeadObject` is no action; `s3:GetObject` allows that operation",
        ),
        (json!([]), "Statement[0]: `Action` is missing"),
    ];
    for (action, expected) in cases {
        expect(Use::Identity, allow(action, STREAM), expected);
    }
}

#[test]
fn operations_are_no_actions_but_what_allows_them_is() {
    for (operation, allows) in actions::OPERATIONS {
        let has = |full: &str| {
            let (prefix, action) = full.split_once(':').unwrap();
            crate::policy::reference::service(prefix).unwrap().action(action).is_some()
        };
        assert!(!has(operation) && has(allows), "{operation} and {allows}");
    }
}

#[test]
fn not_action_is_for_denials() {
    let all_but = json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"});
    expect(Use::Identity, all_but.clone(), "Statement[0].NotAction: `NotAction` allows everything else");
    expect(Use::Identity, with(all_but, "Effect", json!("Deny")), "");
}

#[test]
fn resources_are_what_the_actions_act_on() {
    let misfit = "Statement[0].Action: `kinesis:GetRecords` does not act on";
    let cases = [
        ("kinesis:GetRecords", STREAM, ""),
        ("kinesis:GetRecords", TABLE, misfit),
        (
            "kinesis:GetRecords",
            "*",
            "Statement[0].Action: `kinesis:GetRecords` takes a resource, so `*` is too much; it takes stream: arn:",
        ),
        ("kinesis:ListStreams", "*", ""),
        (
            "kinesis:ListStreams",
            STREAM,
            "Statement[0].Action: `kinesis:ListStreams` takes no resource; allow it on `*`",
        ),
        ("kinesis:GetRecords", "news", "Statement[0].Resource: `news` is no ARN"),
        (
            "s3:GetObject",
            "arn:aws:s3:::code",
            "Statement[0].Action: `s3:GetObject` does not act on `arn:aws:s3:::code`; it takes",
        ),
        ("s3:GetObject", "arn:aws:s3:::code/*", ""),
        ("s3:GetObject", "*", "Statement[0].Action: `s3:GetObject` takes a resource"),
        ("s3:ListBucket", "arn:aws:s3:::code/*", "Statement[0].Action: `s3:ListBucket` does not act on"),
        ("dynamodb:GetRecords", TABLE, "Statement[0].Action: `dynamodb:GetRecords` does not act on"),
        (
            "logs:PutLogEvents",
            "arn:aws:logs:*:*:log-group:/aws/lambda/x",
            "Statement[0].Action: `logs:PutLogEvents` does not act on",
        ),
        ("logs:PutLogEvents", "arn:aws:logs:*:*:log-group:/aws/lambda/x:*", ""),
        ("ec2:DescribeNetworkInterfaces", "*", ""),
        ("xray:PutTraceSegments", "*", ""),
    ];
    for (action, resource, expected) in cases {
        expect(Use::Identity, allow(action, resource), expected);
    }
}

#[test]
fn each_resource_is_taken_by_an_action() {
    let both = json!([STREAM, TABLE]);
    expect(Use::Identity, allow(json!(["kinesis:GetRecords", "dynamodb:GetItem"]), both.clone()), "");
    let expected = format!("Statement[0].Resource[1]: none of the actions acts on `{TABLE}`");
    expect(Use::Identity, allow("kinesis:GetRecords", both), &expected);
}

#[test]
fn a_condition_on_the_resource_narrows_a_star() {
    let everywhere = || allow("ec2:TerminateInstances", "*");
    let tagged = |operator: &str| json!({operator: {"aws:ResourceTag/app": "newsloom"}});
    expect(Use::Identity, with(everywhere(), "Condition", tagged("StringEquals")), "");
    let expected = "Statement[0].Action: `ec2:TerminateInstances` takes a resource";
    expect(Use::Identity, with(everywhere(), "Condition", tagged("StringNotEquals")), expected);
    expect(Use::Identity, with(everywhere(), "Condition", tagged("StringEqualsIfExists")), expected);
    let in_subnet = json!({"ArnEquals": {"ec2:Subnet": "arn:aws:ec2:eu-west-1:111122223333:subnet/subnet-1"}});
    let create = allow("ec2:CreateNetworkInterface", "*");
    expect(Use::Identity, create.clone(), "Statement[0].Action: `ec2:CreateNetworkInterface` takes a resource");
    let delete = with(allow("ec2:DeleteNetworkInterface", "*"), "Condition", in_subnet);
    expect(Use::Identity, delete, "");
}

#[test]
fn references_are_resolved() {
    fn reference<K: Kind>(attribute: Attribute) -> Ref<K> {
        Ref::new(NodeRef { stack: 0, index: 0 }, attribute)
    }
    const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));
    let bucket = |reference: Reference| {
        (reference.attribute.kind == "arn").then(|| "arn:${Partition}:s3:::${BucketName}".to_owned())
    };
    let arn = reference::<crate::tree::Arn>(ARN);
    let name = reference::<crate::tree::Name>(Attribute::name("id", Access::Ref));
    let cases: [(Text, &str); 5] = [
        (arn + "/*", ""),
        (Text::from("arn:aws:s3:::") + name + "/*", ""),
        (arn.into(), "`s3:GetObject` does not act on `arn:${Partition}:s3:::${BucketName}`; it takes"),
        (name.into(), "the resource is a name; an ARN belongs there"),
        (Text::from("arn:aws:s3:::") + name, "`s3:GetObject` does not act on `arn:aws:s3:::${name}`; it takes"),
    ];
    for (resource, expected) in cases {
        let document = crate::policy::Document::of([crate::policy::Statement::allow(["s3:GetObject"]).on(&resource)]);
        let findings = check(&document.to_value(), Use::Identity, &bucket);
        let message = findings.first().map_or("", |finding| &finding.message);
        assert!(message.starts_with(expected) && message.is_empty() == expected.is_empty(), "{resource:?}: {message}");
        if expected.starts_with("`s3") {
            let unknown = check(&Value::json(&document), Use::Identity, &|_| None);
            let is_alone = resource.reference().is_some();
            assert_eq!(unknown.is_empty(), is_alone, "an ARN that is not known is taken to be right");
        }
    }
}

#[test]
fn conditions_compare_keys_that_exist() {
    let cases = [
        ("kms:Decrypt", json!({"StringEquals": {"kms:ViaService": "dynamodb.eu-west-1.amazonaws.com"}}), ""),
        ("kms:Decrypt", json!({"StringEquals": {"KMS:viaservice": "x"}}), ""),
        ("kms:Decrypt", json!({"StringEquals": {"kms:EncryptionContext:aws:s3:arn": "x"}}), ""),
        ("kms:Decrypt", json!({"StringEquals": {"aws:ResourceTag/app": "x"}}), ""),
        ("kms:Decrypt", json!({"ForAnyValue:StringLikeIfExists": {"aws:PrincipalOrgPaths": "o-1/*"}}), ""),
        ("kms:Decrypt", json!({"Null": {"aws:SourceVpce": "false"}}), ""),
        ("kms:Decrypt", json!({"ArnLike": {"lambda:SourceFunctionArn": "arn:aws:lambda:*:*:function:x"}}), ""),
        (
            "kms:Decrypt",
            json!({"StringEquals": {"kms:ViaServices": "x"}}),
            "Statement[0].Condition.StringEquals.kms:ViaServices: there is no condition key `kms:ViaServices`; did you mean `kms:ViaService`?",
        ),
        (
            "kms:Decrypt",
            json!({"StringEquals": {"aws:SourceAcount": "x"}}),
            "Statement[0].Condition.StringEquals.aws:SourceAcount: there is no condition key `aws:SourceAcount`; did you mean `aws:SourceAccount`?",
        ),
        (
            "kms:Decrypt",
            json!({"StringEquals": {"aws:ViaService": "x"}}),
            "Statement[0].Condition.StringEquals.aws:ViaService: there is no condition key `aws:ViaService`; did you mean `kms:ViaService`?",
        ),
        (
            "kms:Decrypt",
            json!({"StringEquals": {"s3:prefix": "x"}}),
            "Statement[0].Condition.StringEquals.s3:prefix: `kms:Decrypt` never looks at `s3:prefix`",
        ),
        (
            "kms:Decrypt",
            json!({"StringEquals": {"ViaService": "x"}}),
            "Statement[0].Condition.StringEquals.ViaService: `ViaService` is no condition key",
        ),
        (
            "kms:Decrypt",
            json!({"StringEqual": {"kms:ViaService": "x"}}),
            "Statement[0].Condition.StringEqual: there is no condition operator `StringEqual`; did you mean `StringEquals`?",
        ),
        (
            "kms:Decrypt",
            json!({"StringEquals": {"kms:ViaService": ["a", "s3.*.amazonaws.com"]}}),
            "Statement[0].Condition.StringEquals.kms:ViaService[1]: StringEquals takes `s3.*.amazonaws.com` letter by letter; wildcards need StringLike",
        ),
    ];
    for (action, condition, expected) in cases {
        let statement = allow(action, "arn:aws:kms:eu-west-1:111122223333:key/k");
        expect(Use::Identity, with(statement, "Condition", condition), expected);
    }
}

#[test]
fn key_policies_may_let_the_account_administer_the_key() {
    let administer = |principal: Json| with(allow("kms:*", "*"), "Principal", principal);
    expect(Use::Resource, administer(json!({"AWS": "arn:aws:iam::111122223333:root"})), "");
    expect(Use::Resource, administer(json!({"AWS": ["111122223333"]})), "");
    let role = json!({"AWS": "arn:aws:iam::111122223333:role/admin"});
    expect(Use::Resource, administer(role), "Statement[0].Action: `kms:*` allows more than is said");
    expect(Use::Resource, administer(json!("*")), "Statement[0].Action: `kms:*` allows more than is said");
}

#[test]
fn denials_may_be_broad() {
    let plain_text = json!({
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::code", "arn:aws:s3:::code/*"],
        "Condition": {"Bool": {"aws:SecureTransport": false}},
    });
    expect(Use::Resource, plain_text.clone(), "");
    expect(
        Use::Resource,
        with(plain_text, "Action", json!("s3:Zap*")),
        "Statement[0].Action: `s3:Zap*` matches no action",
    );
}

#[test]
fn trust_policies_say_who_becomes_the_role() {
    let trust = |principal: Json| json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal});
    let cases = [
        (trust(json!({"Service": "lambda.amazonaws.com"})), ""),
        (trust(json!({"Service": "ec2.amazonaws.com.cn"})), ""),
        (trust(json!({"Service": "braket.amazonaws.com"})), ""),
        (
            trust(json!({"Service": "lambda"})),
            "Statement[0].Principal.Service: `lambda` is no service; one is called `name.amazonaws.com`; did you mean `lambda.amazonaws.com`?",
        ),
        (
            trust(json!({"Service": ["lamda.amazonaws.com"]})),
            "Statement[0].Principal.Service[0]: the service `lamda.amazonaws.com` is not known; did you mean `lambda.amazonaws.com`?",
        ),
        (trust(json!("*")), "Statement[0].Principal: anyone may assume the role"),
        (trust(Json::Null), "Statement[0]: `Principal` is missing"),
        (
            with(trust(json!({"Service": "lambda.amazonaws.com"})), "Resource", json!("*")),
            "Statement[0]: a trust policy names no resource",
        ),
        (
            with(trust(json!({"Service": "lambda.amazonaws.com"})), "Action", json!("sts:AssumeRoles")),
            "Statement[0].Action: `sts:AssumeRoles` is not for trust policies; did you mean `sts:AssumeRole`?",
        ),
    ];
    for (statement, expected) in cases {
        expect(Use::Trust, statement, expected);
    }
}

#[test]
fn elements_are_where_they_belong() {
    let fine = || allow("kinesis:PutRecords", STREAM);
    let cases = [
        (
            with(fine(), "Resources", json!("*")),
            "Statement[0]: a statement has no element `Resources`; did you mean `Resource`?",
        ),
        (with(fine(), "Effect", json!("allow")), "Statement[0].Effect: `allow` is no effect"),
        (with(fine(), "Resource", json!([])), "Statement[0]: `Resource` is missing"),
        (with(fine(), "Principal", json!("*")), "Statement[0]: an identity policy names no principal"),
        (json!("text"), "Statement[0]: a statement is an object, not a string"),
    ];
    for (statement, expected) in cases {
        expect(Use::Identity, statement, expected);
    }
}

#[test]
fn documents_are_found_in_strings_too() {
    let text = r#"{"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
    let findings = check(&text.into(), Use::Identity, &|_| None);
    let places: Vec<_> = findings.iter().map(|finding| finding.place.as_str()).collect();
    assert_eq!(places, ["Version", "Statement.Action"]);
    assert!(document_of(&"{not json".into()).is_none());
    assert!(document_of(&json!({"Bucket": "code"}).into()).is_none());
}
