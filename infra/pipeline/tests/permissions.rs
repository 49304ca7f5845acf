//! Who may do what, asked of the policies that the pipeline renders: what has to work, and what must not be possible.

use constructs::tree::App;
use pipeline::{Assets, Format, Options, Settings, Stage};

const PRODUCTION: &str = include_str!("../../../examples/production.toml");
const SMALL: &str = include_str!("../../../newsloom.toml");

const ENRICH: &str = "Enrichment/Enrich";
const PUBLISH: &str = "Redistribution/Publish";
const INGESTER: &str = "Ingestion/Ingester";
const BUILDER: &str = "Ingestion/Image/Builder";
const ENGLISH: &str = "Enrichment/Models/EnglishModel";

const NEWS: &str = "Ingestion/News";
const ARTICLES: &str = "Enrichment/Articles";
const CODE: &str = "Shared/Code";

fn app(file: &str, stages: &[Stage]) -> App {
    let settings = Settings::from_toml("example.toml", file).expect("the examples are right");
    let options =
        Options { stages: stages.iter().copied().collect(), format: Format::All, assets: Assets::placeholders() };
    pipeline::app(&settings, &options)
}

/// Who, the action, on what.
type Question = (&'static str, &'static str, &'static str);

fn all_allowed(app: &App, questions: &[Question]) {
    for (who, action, what) in questions {
        assert!(app.may(who, action, what).is_allowed(), "{who} may not {action} {what}");
    }
}

fn none_allowed(app: &App, questions: &[Question]) {
    for (who, action, what) in questions {
        assert!(!app.may(who, action, what).is_allowed(), "{who} may {action} {what}");
    }
}

#[test]
fn everyone_may_do_their_work() {
    all_allowed(
        &app(PRODUCTION, &[]),
        &[
            (INGESTER, "kinesis:PutRecords", NEWS),
            (INGESTER, "logs:PutLogEvents", "Ingestion/Logs"),
            (INGESTER, "secretsmanager:GetSecretValue", "Ingestion/LsegLogin"),
            (ENRICH, "kinesis:GetRecords", NEWS),
            (ENRICH, "dynamodb:PartiQLInsert", ARTICLES),
            (ENRICH, "dynamodb:BatchGetItem", ARTICLES),
            (ENRICH, "sagemaker:InvokeEndpoint", "Enrichment/Models/English"),
            (ENRICH, "sagemaker:InvokeEndpoint", "Enrichment/Models/German"),
            (ENRICH, "sqs:SendMessage", "Enrichment/Quarantine"),
            (ENRICH, "sqs:SendMessage", "Enrichment/Failures"),
            (ENRICH, "xray:PutTraceSegments", NEWS),
            (PUBLISH, "dynamodb:GetRecords", ARTICLES),
            (PUBLISH, "secretsmanager:GetSecretValue", "Redistribution/BrokerUser"),
            (PUBLISH, "sqs:SendMessage", "Redistribution/Failures"),
            (PUBLISH, "ec2:DescribeNetworkInterfaces", "Shared/Network"),
            (ENGLISH, "logs:PutLogEvents", "Enrichment/Models/English/Logs"),
            (BUILDER, "s3:GetObject", CODE),
        ],
    );
}

#[test]
fn whoever_reads_what_is_encrypted_may_use_the_key() {
    all_allowed(
        &app(PRODUCTION, &[]),
        &[
            (INGESTER, "kms:GenerateDataKey", "Ingestion/Key"),
            (INGESTER, "kms:Decrypt", "Ingestion/Key"),
            (ENRICH, "kms:Decrypt", "Ingestion/Key"),
            (ENRICH, "kms:GenerateDataKey", "Enrichment/Key"),
            (PUBLISH, "kms:Decrypt", "Enrichment/Key"),
            (PUBLISH, "kms:GenerateDataKey", "Redistribution/Key"),
            // The binary, and the component that installs it.
            (BUILDER, "kms:Decrypt", "Shared/Key"),
            (BUILDER, "kms:Decrypt", "Ingestion/Key"),
            (ENGLISH, "kms:CreateGrant", "Enrichment/Key"),
        ],
    );
    let installing = PRODUCTION.replace("kind = \"baked\"\nschedule = \"cron(0 4 ? * sun *)\"", "kind = \"public\"");
    let at_start = [(INGESTER, "s3:GetObject", CODE), (INGESTER, "kms:Decrypt", "Shared/Key")];
    all_allowed(&app(&installing, &[]), &at_start);
    none_allowed(&app(PRODUCTION, &[]), &at_start);
}

#[test]
fn nobody_may_do_more() {
    none_allowed(
        &app(PRODUCTION, &[]),
        &[
            (INGESTER, "kinesis:GetRecords", NEWS),
            (INGESTER, "kinesis:DeleteStream", NEWS),
            (INGESTER, "dynamodb:PutItem", ARTICLES),
            (INGESTER, "secretsmanager:PutSecretValue", "Ingestion/LsegLogin"),
            (INGESTER, "secretsmanager:GetSecretValue", "Redistribution/BrokerUser"),
            (INGESTER, "s3:PutObject", CODE),
            (INGESTER, "kms:Decrypt", "Redistribution/Key"),
            (INGESTER, "kms:ScheduleKeyDeletion", "Ingestion/Key"),
            (ENRICH, "kinesis:PutRecord", NEWS),
            (ENRICH, "dynamodb:DeleteTable", ARTICLES),
            (ENRICH, "dynamodb:PutItem", ARTICLES),
            (ENRICH, "dynamodb:DeleteItem", ARTICLES),
            (ENRICH, "dynamodb:UpdateItem", ARTICLES),
            (ENRICH, "dynamodb:Scan", ARTICLES),
            (ENRICH, "sqs:ReceiveMessage", "Enrichment/Quarantine"),
            (ENRICH, "sqs:PurgeQueue", "Enrichment/Failures"),
            (ENRICH, "sqs:SendMessage", "Redistribution/Failures"),
            (ENRICH, "sagemaker:DeleteEndpoint", "Enrichment/Models/English"),
            (ENRICH, "secretsmanager:GetSecretValue", "Redistribution/BrokerUser"),
            (ENRICH, "secretsmanager:GetSecretValue", "Ingestion/LsegLogin"),
            (ENRICH, "kms:GenerateDataKey", "Ingestion/Key"),
            (ENRICH, "kms:Decrypt", "Redistribution/Key"),
            (ENRICH, "ec2:DescribeNetworkInterfaces", "Shared/Network"),
            (PUBLISH, "dynamodb:GetItem", ARTICLES),
            (PUBLISH, "dynamodb:PutItem", ARTICLES),
            (PUBLISH, "kinesis:GetRecords", NEWS),
            (PUBLISH, "kms:GenerateDataKey", "Enrichment/Key"),
            (PUBLISH, "secretsmanager:GetSecretValue", "Ingestion/LsegLogin"),
            (PUBLISH, "secretsmanager:UpdateSecret", "Redistribution/BrokerUser"),
            (PUBLISH, "mq:RebootBroker", "Redistribution/Broker"),
            (PUBLISH, "logs:DeleteLogGroup", "Redistribution/Publish/Logs"),
            (ENGLISH, "s3:GetObject", CODE),
            (ENGLISH, "dynamodb:GetItem", ARTICLES),
            (BUILDER, "kinesis:PutRecord", NEWS),
            (BUILDER, "secretsmanager:GetSecretValue", "Ingestion/LsegLogin"),
            (BUILDER, "s3:PutObject", CODE),
        ],
    );
}

#[test]
fn without_keys_of_our_own_nobody_is_granted_any() {
    assert!(!app(SMALL, &[]).permissions().contains("kms:"));
}

#[test]
fn a_stage_alone_may_read_what_another_encrypted() {
    all_allowed(&app(PRODUCTION, &[Stage::Enrichment]), &[(ENRICH, "kms:Decrypt", "NewsKey")]);
    all_allowed(&app(PRODUCTION, &[Stage::Redistribution]), &[(PUBLISH, "kms:Decrypt", "ArticlesKey")]);
}

#[test]
fn a_recording_may_be_read_and_nothing_beside_it() {
    let replay =
        "[[ingestion.feeds]]\nkind = \"replay\"\nname = \"replay\"\nlocation = \"s3://recordings/day.jsonl\"\n";
    let app = app(&format!("{SMALL}\n{replay}"), &[]);
    let read = "s3:GetObject  on  arn:<partition>:s3:::recordings/day.jsonl\n";
    assert!(app.permissions().contains(read), "{}", app.permissions());
    assert_eq!(app.permissions().matches("recordings").count(), 1);
}

#[test]
fn the_disk_s_key_lets_in_auto_scaling_s_role_of_this_environment() {
    let permissions = app(PRODUCTION, &[]).permissions();
    for right in ["kms:CreateGrant", "kms:GenerateDataKeyWithoutPlaintext"] {
        let line = format!("Ingestion/Scaling  allow  {right}  on  Ingestion/Key");
        assert!(permissions.contains(&line), "{line} is missing:\n{permissions}");
    }
}
