//! Streams, tables, queues, topics, buckets, keys, secrets, parameters.

use constructs::{
    services::{
        dynamodb::{GlobalIndex, Key, LocalIndex, Table},
        kinesis::Stream,
        kms,
        s3::{Bucket, Rule},
        secretsmanager::Secret,
        sns::{Subscription, Topic},
        sqs::{Fifo, Queue},
        ssm::Parameter,
        units::{Days, Hours, Seconds},
    },
    tree::{Access, Name, Raw},
};

use super::{Case, check, map};

const CASES: &[Case] = &[
    (
        "a retention that Kinesis doesn't have",
        |stack| {
            stack.add("News", Stream::on_demand().retention(Hours(12)));
        },
        &["News: retention is 12 hours; Kinesis keeps records 24 to 8760 hours"],
    ),
    (
        "shards of a stream that scales by itself, in an override",
        |stack| {
            let news = stack.add("News", Stream::on_demand());
            stack.override_terraform(news, "shard_count", 2);
            stack.override_cloudformation(news, "ShardCount", 2);
        },
        &["News: aws_kinesis_stream.shard_count: ", "the mode is ON_DEMAND", "News: AWS::Kinesis::Stream.ShardCount: "],
    ),
    (
        "a misspelt argument and a misspelt mode, in an override",
        |stack| {
            let news = stack.add("News", Stream::on_demand());
            stack.override_terraform(news, "retention_perid", 48);
            stack.override_terraform(news, "stream_mode_details.stream_mode", "ONDEMAND");
        },
        &["did you mean `retention_period`?", "stream_mode is \"ONDEMAND\"; allowed are ON_DEMAND, PROVISIONED"],
    ),
    (
        "an override of something that exists already",
        |stack| {
            let news = stack.add("News", Stream::existing("prod-news"));
            stack.override_terraform(news, "retention_period", 48);
        },
        &["`News` is not created here, so `retention_period` can't be overridden"],
    ),
    (
        "an ARN of an existing stream where its name belongs",
        |stack| {
            stack.add("News", Stream::existing("arn:aws:kinesis:eu-west-1:111122223333:stream/news"));
        },
        &["News: `arn:aws:kinesis:eu-west-1:111122223333:stream/news` is an ARN, and a name is needed here"],
    ),
    (
        "a key that is in no list of attributes, in Raw",
        |stack| {
            let id = map([("name", "id".into()), ("type", "S".into())]);
            let index =
                map([("name", "by_author".into()), ("hash_key", "author".into()), ("projection_type", "ALL".into())]);
            stack.add(
                "Articles",
                Raw::resource("aws_dynamodb_table")
                    .terraform("name", "articles")
                    .terraform("billing_mode", "PAY_PER_REQUEST")
                    .terraform("hash_key", "id")
                    .terraform("attribute", [id])
                    .terraform("global_secondary_index", index),
            );
        },
        &["global_secondary_index.hash_key: the key `author` is not declared in attribute; declared: id"],
    ),
    (
        "the same in CloudFormation, with the letter that was doubled",
        |stack| {
            let key = map([("AttributeName", "id".into()), ("KeyType", "HASH".into())]);
            let attribute = map([("AttributeName", "idd".into()), ("AttributeType", "S".into())]);
            stack.add(
                "Articles",
                Raw::only_cloudformation("AWS::DynamoDB::Table")
                    .cloudformation("BillingMode", "PAY_PER_REQUEST")
                    .cloudformation("KeySchema", [key])
                    .cloudformation("AttributeDefinitions", [attribute]),
            );
        },
        &["the key `id` is not declared in AttributeDefinitions; declared: idd", "`idd` is declared and is no key"],
    ),
    (
        "an index renamed in one place, in an override",
        |stack| {
            let articles = stack.add("Articles", Table::keyed_by("id").index(GlobalIndex::new("by_author", "author")));
            stack.override_terraform(articles, "global_secondary_index.hash_key", "autor");
        },
        &["the key `autor` is not declared in attribute; declared: author, id"],
    ),
    (
        "a key of two types",
        |stack| {
            stack.add("Articles", Table::keyed_by("id").index(GlobalIndex::new("by_id", Key::number("id"))));
        },
        &["Articles: the key attribute `id` is"],
    ),
    (
        "a local index of a table without sort key",
        |stack| {
            stack.add("Articles", Table::keyed_by("id").local_index(LocalIndex::new("by_time", "time")));
        },
        &["Articles: a local index is another sort key, and the table has none"],
    ),
    (
        "capacity of a table that pays by request, in an override",
        |stack| {
            let articles = stack.add("Articles", Table::keyed_by("id"));
            stack.override_terraform(articles, "read_capacity", 5);
        },
        &["read_capacity is set, and billing_mode is PAY_PER_REQUEST"],
    ),
    (
        "a queue that hides its messages for a day",
        |stack| {
            stack.add("Failures", Queue::standard().visibility(Seconds(86_400)));
        },
        &["Failures: ", "86400 seconds; SQS takes 0 to 43200 seconds"],
    ),
    (
        "dead letters of an ordered queue in one without order",
        |stack| {
            let dead = stack.add("Dead", Queue::standard());
            stack.add("Failures", Queue::fifo(Fifo::by_id()).dead_letters_to(dead, 3));
        },
        &["Failures: ", "both must be of one kind"],
    ),
    (
        "one name for two queues",
        |stack| {
            stack.add("Failures", Queue::standard().named("news"));
            stack.add("Retries", Queue::standard().named("news"));
        },
        &["the name `news` is taken by `Failures`; an account has it once in a region"],
    ),
    (
        "alarms mailed to a word, about a topic by name",
        |stack| {
            let alarms = stack.add("Alarms", Topic::existing("alarms"));
            stack.add("Mail", Subscription::email(alarms, "oncall"));
        },
        &["Alarms: `alarms` is no ARN", "Mail: messages are sent to `oncall`, which must be a mail address"],
    ),
    (
        "a bucket's name in capitals",
        |stack| {
            stack.add("Code", Bucket::new().named("My_Bucket"));
        },
        &["Code: the bucket name `My_Bucket` must be 3 to 63 small letters"],
    ),
    (
        "a lifecycle rule of nothing, after no time, under one name",
        |stack| {
            let rules = Bucket::new().rule(Rule::new("old")).rule(Rule::new("old").expire_after(Days(0)));
            stack.add("Code", rules);
        },
        &["the rule `old` does nothing", "the rule `old` acts after 0 days", "two rules are named `old`"],
    ),
    (
        "a key by its alias",
        |stack| {
            let key = stack.add("Key", kms::Key::existing("alias/news"));
            stack.add("News", Stream::on_demand().encrypted_by(key));
        },
        &["Key: `alias/news` is no ARN, and one is needed here"],
    ),
    (
        "a secret by its name where its ARN belongs",
        |stack| {
            stack.add("Login", Secret::existing_arn("broker"));
        },
        &["Login: `broker` is no ARN"],
    ),
    (
        "a secret in the code",
        |stack| {
            stack.add("Token", Parameter::secure("sesame"));
        },
        &["Token: a secret is written in the code; pass a sensitive parameter"],
    ),
    (
        "a parameter in AWS's own folder",
        |stack| {
            stack.add("Image", Parameter::string("ami-0a1b2c3d").named("/aws/news"));
        },
        &["Image: the name `/aws/news` starts with `aws`, which AWS keeps for itself"],
    ),
    (
        "a type that nobody has, a property that can't be set, two that exclude each other, in Raw",
        |stack| {
            stack.add("Topic", Raw::resource("aws_sns_topc").terraform("name", "alarms"));
            stack.add(
                "Queue",
                Raw::resource("aws_sqs_queue")
                    .terraform("visibility_timeout_seconds", 90_000)
                    .terraform("kms_master_key_id", "alias/aws/sqs")
                    .terraform("sqs_managed_sse_enabled", true)
                    .terraform("id", "mine"),
            );
        },
        &["did you mean `aws_sns_topic`?", "id is read-only", "exclude each other", "is 90000; allowed is 0 to 43200"],
    ),
    (
        "a name where an ARN belongs, and an attribute that the stream doesn't have, in Raw",
        |stack| {
            let news = stack.add("News", Stream::on_demand());
            let consumer = || Raw::resource("aws_kinesis_stream_consumer").terraform("name", "reader");
            stack.add("Reader", consumer().terraform("stream_arn", news.name()));
            let raw = stack
                .add("Other", Raw::resource("aws_kinesis_stream").terraform("name", "o").terraform("shard_count", 1));
            stack.add("Second", consumer().terraform("stream_arn", raw.get::<Name>("arnn", Access::None)));
        },
        &[
            "stream_arn takes an ARN; the reference is a name",
            "`arnn`, which aws_kinesis_stream does not have; did you mean `arn`?",
        ],
    ),
];

#[test]
fn of_data_are_answered() {
    check("data", CASES);
}
