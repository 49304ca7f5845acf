//! Who may do what: grants, policies written by hand, trust.

use constructs::{
    policy::{Document, Grant, Statement},
    services::{
        dynamodb::Table,
        iam::{Policy, Role, Service},
        kinesis::Stream,
        kms::Key,
        s3::Bucket,
    },
    tree::Raw,
};

use super::{Case, check, map};

const STREAM: &str = "arn:aws:kinesis:eu-west-1:111122223333:stream/news";

const CASES: &[Case] = &[
    (
        "misspelt actions, and an API's operation that is no action",
        |stack| {
            let key = stack.add("Key", Key::new("Encrypts the news"));
            let code = stack.add("Code", Bucket::new());
            let reader = stack.add("Reader", Role::of(Service::LAMBDA));
            stack.grant(reader, Statement::allow(["kms:Decrpyt"]).on(key.arn()));
            stack.grant(reader, Statement::allow(["s3:HeadObject"]).on(code.objects("*")));
            stack.grant(reader, Statement::allow(["kinesys:GetRecords"]).on(STREAM));
        },
        &["did you mean `kms:Decrypt`?", "`s3:GetObject` allows that operation", "did you mean `kinesis:GetRecords`?"],
    ),
    (
        "everything: of a service, on everything",
        |stack| {
            let news = stack.add("News", Stream::on_demand());
            let reader = stack.add("Reader", Role::of(Service::LAMBDA));
            stack.grant(reader, Statement::allow(["kinesis:Get*"]).on(news.arn()));
            stack.grant(reader, Statement::allow(["kinesis:PutRecords"]).on_any("convenient"));
            stack.grant(reader, Statement::allow(["*"]).on(news.arn()));
        },
        &["`kinesis:Get*` allows more than is said", "so `*` is too much", "`*` allows everything; name the actions"],
    ),
    (
        "a name, a table and a bucket's objects where a stream and a bucket belong",
        |stack| {
            let news = stack.add("News", Stream::on_demand());
            let articles = stack.add("Articles", Table::keyed_by("id"));
            let code = stack.add("Code", Bucket::new());
            let reader = stack.add("Reader", Role::of(Service::LAMBDA));
            stack.grant(reader, Statement::allow(["kinesis:PutRecords"]).on(news.name()));
            stack.grant(reader, Statement::allow(["kinesis:GetRecords"]).on(articles.arn()));
            stack.grant(reader, Statement::allow(["s3:ListBucket"]).on(code.objects("*")));
        },
        &[
            "the resource is a name; an ARN belongs there",
            "`kinesis:GetRecords` does not act on",
            "`s3:ListBucket` does not act on",
        ],
    ),
    (
        "a condition that never holds, a misspelt key, an operator that takes no wildcard",
        |stack| {
            let reader = stack.add("Reader", Role::of(Service::LAMBDA));
            let put = || Statement::allow(["kinesis:PutRecords"]).on(STREAM);
            stack.grant(reader, put().when("StringEquals", "s3:prefix", "news"));
            stack.grant(reader, put().when("StringEqual", "aws:SourceAcount", "111122223333"));
            stack.grant(reader, put().when("StringEquals", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/*"));
        },
        &[
            "never looks at `s3:prefix`",
            "did you mean `StringEquals`?",
            "did you mean `aws:SourceAccount`?",
            "wildcards need StringLike",
        ],
    ),
    (
        "a policy of nothing, and a name for a statement that isn't one",
        |stack| {
            stack.add("Nothing", Policy::of(Grant::default()));
            stack.add("Named", Policy::of(Statement::allow(["kinesis:PutRecords"]).on(STREAM).named("may put").into()));
        },
        &["Nothing: the policy allows nothing", "`may put` must be letters and digits"],
    ),
    (
        "one name for two statements",
        |stack| {
            let mine =
                Statement::deny(["s3:DeleteObject"]).named("TlsOnly").to_everyone().on("arn:aws:s3:::newsloom-code/*");
            stack.add("Code", Bucket::new().allowing(mine));
        },
        &["`TlsOnly` is the name of Statement[0] already"],
    ),
    (
        "a policy as text: wrong effect, element, resource, operator and key",
        |stack| {
            let text = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "allow", "Actions": "kms:Decrypt",
                "Resource": "alias/news", "Condition": {"StringEqual": {"aws:SourceAcount": "1"}}}]}"#;
            stack.add("Reader", Raw::resource("aws_iam_policy").terraform("name", "reader").terraform("policy", text));
        },
        &[
            "Reader: aws_iam_policy.policy: Statement[0].Effect: `allow` is no effect; it is `Allow` or `Deny`",
            "a statement has no element `Actions`; did you mean `Action`?",
            "`alias/news` is no ARN",
        ],
    ),
    (
        "a policy as text that is no JSON",
        |stack| {
            let text = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",}]}"#;
            stack.add("Reader", Raw::resource("aws_iam_policy").terraform("name", "reader").terraform("policy", text));
        },
        &[
            "Reader: aws_iam_policy.policy: policy is",
            "a JSON document is needed: key must be a string at line 1 column 60",
        ],
    ),
    (
        "a policy inside a role, in CloudFormation's words",
        |stack| {
            let statement =
                map([("Effect", "Allow".into()), ("Action", "kms:Decrpyt".into()), ("Resource", "*".into())]);
            let document = map([("Version", "2012-10-17".into()), ("Statement", [statement].into())]);
            stack.add(
                "Reader",
                Raw::only_cloudformation("AWS::IAM::Role")
                    .cloudformation("AssumeRolePolicyDocument", Document::trusting("lambda.amazonaws.com"))
                    .cloudformation("Policies", [map([("PolicyName", "reads".into()), ("PolicyDocument", document)])]),
            );
        },
        &["Reader: AWS::IAM::Role.Policies[0].PolicyDocument: Statement[0].Action: kms has no action `Decrpyt`"],
    ),
    (
        "a policy in an override",
        |stack| {
            let reader = stack.add("Reader", Role::of(Service::LAMBDA));
            stack.override_terraform(reader, "assume_role_policy.Statement.Principal.Service", "lamda.amazonaws.com");
        },
        &["did you mean `lambda.amazonaws.com`?"],
    ),
    (
        "roles that nobody, or anybody, can assume",
        |stack| {
            stack.add("Nobody", Role::of(Service::silent("lamda.amazonaws.com")));
            let anyone = Document::of([Statement::allow(["sts:AssumeRole"]).to_everyone()]);
            stack.add("Anybody", Role::trusting(anyone));
            stack.add(
                "Other",
                Role::trusting(Document::of([Statement::allow(["iam:PassRole"]).to_service("ec2.amazonaws.com")])),
            );
        },
        &[
            "did you mean `lambda.amazonaws.com`?",
            "anyone may assume the role",
            "`iam:PassRole` is not for trust policies",
        ],
    ),
    (
        "a managed policy by its name, for a role by its ARN",
        |stack| {
            let role = stack.add("Role", Role::of(Service::EC2));
            stack.add(
                "Session",
                Raw::resource("aws_iam_role_policy_attachment")
                    .terraform("role", role.arn())
                    .terraform("policy_arn", "AmazonSSMManagedInstanceCore"),
            );
        },
        &[
            "role takes a role's name; the reference is an ARN",
            "policy_arn is \"AmazonSSMManagedInstanceCore\"; an ARN is needed",
        ],
    ),
    (
        "an existing role by its ARN",
        |stack| {
            stack.add("Role", Role::existing("arn:aws:iam::111122223333:role/feed"));
        },
        &["Role: `arn:aws:iam::111122223333:role/feed` is an ARN, and a name is needed here"],
    ),
];

#[test]
fn of_policies_are_answered() {
    check("policies", CASES);
}
