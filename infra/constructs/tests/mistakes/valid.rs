//! What is right and looks wrong: no answer at all.

use constructs::{
    policy::{Document, Statement},
    render::Format,
    services::{
        cloudwatch::{Alarm, Metric},
        dynamodb::{GlobalIndex, Key, LocalIndex, Table, View},
        iam::{Role, Service},
        kinesis::Stream,
        kms,
        lambda::{Code, Function, Permission},
        logs::{LogGroup, MetricFilter},
        s3::Bucket,
        secretsmanager::Secret,
        sqs::Queue,
        units::{Days, Hours, Seconds},
        vpc::{Network, Peer, Port, SecurityGroup},
    },
    testing::problems,
    tree::{
        Access, App, Arn, Attribute, Id, Lookup, Module, Name, Other, Parameter, Properties, Pseudo, Raw, Ref, Stack,
        Text, Value,
    },
};

use super::map;

type Case = (&'static str, fn(&mut Stack));

const CASES: &[Case] = &[
    ("every retention at its ends", |stack| {
        stack.add("Short", Stream::on_demand().retention(Hours(24)));
        stack.add("Long", Stream::provisioned(1).retention(Hours(8760)));
        for days in
            [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]
        {
            stack.add(&format!("Logs{days}"), LogGroup::new().retention(Days(days)));
        }
    }),
    ("shards of a stream that was changed to have them", |stack| {
        let news = stack.add("News", Stream::on_demand());
        stack.override_terraform(news, "stream_mode_details.stream_mode", "PROVISIONED");
        stack.override_terraform(news, "shard_count", 2);
    }),
    ("a table with every kind of index and view", |stack| {
        let table = Table::keyed_by("id").sorted_by(Key::number("time"));
        let table = table.index(GlobalIndex::new("by_author", "author").sorted_by(Key::number("time")));
        let table = table.local_index(LocalIndex::new("by_score", Key::number("score")));
        stack.add("Articles", table.expires_at("expires").streaming(View::NewAndOldImages));
    }),
    ("a key whose name only the deployment knows, in Raw", |stack| {
        let key = stack.add("KeyName", Parameter::new("The key's name")).value::<Other>();
        let attribute = map([("name", key.into()), ("type", "S".into())]);
        stack.add(
            "Articles",
            Raw::resource("aws_dynamodb_table")
                .terraform("name", "articles")
                .terraform("billing_mode", "PAY_PER_REQUEST")
                .terraform("hash_key", "id")
                .terraform("attribute", attribute),
        );
    }),
    ("literal ARNs of other accounts and regions, and wildcards where they belong", |stack| {
        let reader = stack.add("Reader", Role::of(Service::LAMBDA));
        stack.grant(
            reader,
            Statement::allow(["kinesis:PutRecords"]).on("arn:aws:kinesis:us-east-1:999988887777:stream/news"),
        );
        stack.grant(reader, Statement::allow(["s3:GetObject"]).on("arn:aws:s3:::partner-bucket/news/*"));
        stack.grant(reader, Statement::allow(["s3:GetObject"]).on("arn:aws:s3:::partner-bucket/${aws:username}/*"));
        stack.grant(
            reader,
            Statement::allow(["logs:PutLogEvents"]).on("arn:aws:logs:*:999988887777:log-group:/news/*:log-stream:*"),
        );
        stack.grant(reader, Statement::allow(["kinesis:ListStreams"]).on_any("takes no resource"));
    }),
    ("references inside of texts", |stack| {
        let news = stack.add("News", Stream::on_demand());
        let reader = stack.add("Reader", Role::of(Service::LAMBDA));
        let consumers = news.arn() + "/consumer/*";
        stack.grant(reader, Statement::allow(["kinesis:SubscribeToShard"]).on(consumers));
        let arn =
            Text::from("arn:") + Pseudo::Partition + ":kinesis:" + Pseudo::Region + ":" + Pseudo::Account + ":stream/";
        stack.grant(reader, Statement::allow(["kinesis:GetRecords"]).on(arn + news.name()));
        let function = Function::rust(Code::object("code", "enrich.zip"));
        stack.add("Enrich", function.environment([("STREAM", Text::from("stream ") + news.name())]));
    }),
    ("values of a shell, a template engine and a price in the environment", |stack| {
        let variables = [
            ("GREETING", "Hello ${USER}, %{literal}, $5 and ${shell:-default}"),
            ("PASSWORD_SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:broker"),
            ("PASSWORD", ""),
            ("TOKEN_LIMIT", "512"),
            ("MY_AWS_REGION", "eu-west-1"),
        ];
        stack.add("Enrich", Function::rust(Code::object("code", "enrich.zip")).environment(variables));
    }),
    ("CloudFormation's own functions", |stack| {
        let news = stack.add("News", Stream::on_demand());
        let mail = stack.add("Mail", Parameter::new("Where alarms go").default("a@example.com"));
        stack.output("Mail", mail.value::<Other>());
        let functions = [
            ("GetAtt", map([("Fn::GetAtt", ["News", "Arn"].into())])),
            ("Dotted", map([("Fn::GetAtt", "News.Arn".into())])),
            (
                "Sub",
                map([(
                    "Fn::Sub",
                    "arn:${AWS::Partition}:kinesis:${AWS::Region}:${AWS::AccountId}:stream/${News}".into(),
                )]),
            ),
            ("Parameter", map([("Ref", "Mail".into())])),
            ("Pseudo", map([("Ref", "AWS::StackName".into())])),
            ("Import", map([("Fn::ImportValue", "other-stack-news-arn".into())])),
            ("Join", map([("Fn::Join", Value::list([Value::from(""), Value::list(["arn:", "aws"])]))])),
        ];
        for (id, value) in functions {
            stack.add(
                id,
                Raw::only_cloudformation("AWS::SSM::Parameter")
                    .cloudformation("Name", format!("/news/{id}"))
                    .cloudformation("Type", "String")
                    .cloudformation("Value", value),
            );
        }
        let consumer =
            Raw::only_cloudformation("AWS::Kinesis::StreamConsumer").cloudformation("ConsumerName", "reader");
        stack.add("Reader", consumer.cloudformation("StreamARN", news.arn()));
    }),
    ("Terraform's code where it is said to be code, and dynamic blocks", |stack| {
        let news = stack.add("News", Stream::on_demand());
        let code = Text::expression([Text::from("lower("), news.name().into(), Text::from(")")]);
        let note = Raw::resource("aws_ssm_parameter").terraform("name", "/news/note").terraform("type", "String");
        stack.add("Note", note.terraform("insecure_value", code));
        let content =
            map([("content", map([("name", "id".into()), ("type", "S".into())])), ("for_each", ["id"].into())]);
        stack.add(
            "Articles",
            Raw::resource("aws_dynamodb_table")
                .terraform("name", "articles")
                .terraform("billing_mode", "PAY_PER_REQUEST")
                .terraform("hash_key", "id")
                .terraform("dynamic", map([("attribute", content)])),
        );
    }),
    ("existing things, by what is known of them", |stack| {
        let key = stack.add("Key", kms::Key::existing("arn:aws:kms:eu-west-1:111122223333:key/0a1b"));
        stack.add("News", Stream::on_demand().encrypted_by(key));
        stack.add("Login", Secret::existing("newsloom/broker"));
        stack.add("Partner", Secret::existing_arn("arn:aws:secretsmanager:eu-west-1:111122223333:secret:feed-a1b2c3"));
        stack.add(
            "Network",
            Network::existing("vpc-0a1b2c3d").private_subnets(["subnet-0a1b2c3d"]).route_tables(["rtb-0a1b2c3d"]),
        );
        stack.add("Group", SecurityGroup::existing("sg-0a1b2c3d"));
        let id = Attribute::id("id", Access::Ref);
        let vpc = stack.add("Vpc", Lookup::new("aws_vpc", "AWS::EC2::VPC").by("default", true));
        stack.output("Vpc", Ref::<Id>::new(vpc, id));
    }),
    ("roles that are trusted by several, or by one of another account", |stack| {
        let both = Document::of([Statement::assume("lambda.amazonaws.com").to_service("edgelambda.amazonaws.com")]);
        let role = stack.add("Both", Role::trusting(both));
        stack.add("Enrich", Function::rust(Code::object("code", "enrich.zip")).running_as(role));
        let other = Statement::allow(["sts:AssumeRole"]).to_aws("arn:aws:iam::999988887777:root");
        stack.add("Other", Role::trusting(Document::of([other.when("StringEquals", "sts:ExternalId", "news")])));
        let existing = stack.add("Existing", Role::existing("feed"));
        stack.add("Publish", Function::rust(Code::object("code", "publish.zip")).running_as(existing));
        stack.add("Custom", Role::of(Service::silent("vpc-lattice.amazonaws.com")));
    }),
    ("services, accounts and organizations that call", |stack| {
        let enrich = stack.add("Enrich", Function::rust(Code::object("code", "enrich.zip")));
        stack.add("Bucket", Permission::of(enrich).to_service("s3.amazonaws.com").from("arn:aws:s3:::news"));
        stack.add("Account", Permission::of(enrich).to_account("999988887777"));
        stack.add("Company", Permission::of(enrich).to_organization("o-0a1b2c3d4e"));
    }),
    ("subnets of a network whose block isn't known, rules of every kind", |stack| {
        let vpc = stack.add(
            "Vpc",
            Raw::resource("aws_vpc").terraform("ipv4_ipam_pool_id", "ipam-pool-1").terraform("ipv4_netmask_length", 20),
        );
        let subnet = Raw::resource("aws_subnet").terraform("vpc_id", vpc.get::<Id>("id", Access::None));
        stack.add("Subnet", subnet.terraform("cidr_block", "10.1.0.0/24"));
        let rule = |protocol: &'static str, from: i32, to: i32| {
            Raw::resource("aws_vpc_security_group_ingress_rule")
                .terraform("security_group_id", "sg-0a1b2c3d")
                .terraform("ip_protocol", protocol)
                .terraform("from_port", from)
                .terraform("to_port", to)
                .terraform("cidr_ipv4", "0.0.0.0/0")
        };
        stack.add("Https", rule("tcp", 443, 443));
        stack.add("Ping", rule("icmp", 8, -1));
        stack.add("Gre", rule("47", -1, -1));
        let network = stack.add("Network", Network::new("10.0.0.0/16"));
        let group = stack.add("Web", SecurityGroup::in_vpc(network, "Serves"));
        stack.allow(Peer::anywhere(), group, Port::HTTPS, "Everyone reads");
    }),
    ("schedules of every kind", |stack| {
        for (id, schedule) in [
            ("Nightly", "cron(0 4 ? * SUN *)"),
            ("Monthly", "cron(0 4 1 * ? *)"),
            ("Often", "rate(5 minutes)"),
            ("Hourly", "rate(1 hour)"),
        ] {
            let rule = Raw::resource("aws_cloudwatch_event_rule").terraform("name", id);
            stack.add(id, rule.terraform("schedule_expression", schedule));
        }
        let group = Raw::resource("aws_autoscaling_schedule")
            .terraform("autoscaling_group_name", "g")
            .terraform("scheduled_action_name", "s");
        stack.add("Crontab", group.terraform("recurrence", "0 4 * * *").terraform("min_size", 0));
    }),
    ("a queue read without a place to start, from Raw", |stack| {
        let queue = stack.add("Retries", Queue::standard());
        let retry = stack.add("Retry", Function::rust(Code::object("code", "retry.zip")));
        let mapping = Raw::resource("aws_lambda_event_source_mapping").terraform("function_name", retry.arn());
        stack.add("Mapping", mapping.terraform("event_source_arn", queue.arn()));
    }),
    ("alarms by action of EC2, of metrics of one's own, of every period", |stack| {
        for seconds in [10, 20, 30, 60, 300, 3600] {
            let metric = Metric::new("Newsloom", "Heartbeat").period(Seconds(seconds));
            stack.add(
                &format!("After{seconds}"),
                Alarm::when(metric).below(1.0).description("Silent").on_alarm("arn:aws:automate:eu-west-1:ec2:recover"),
            );
        }
    }),
    ("patterns of words, of fields, of JSON", |stack| {
        let logs = stack.add("Logs", LogGroup::new());
        for (id, pattern) in [
            ("Words", "ERROR -EXIT"),
            ("Fields", "[host, user, size > 100]"),
            ("Json", "{ $.level = \"warn\" }"),
            ("All", ""),
        ] {
            stack.add(id, MetricFilter::counting(logs, pattern, "Newsloom", id));
        }
    }),
    ("names that are the same of different things", |stack| {
        stack.add("Stream", Stream::on_demand().named("news"));
        stack.add("Table", Table::keyed_by("id").named("news"));
        stack.add("Queue", Queue::standard().named("news"));
        stack.add("Key", kms::Key::new("news"));
    }),
    ("statements without names, and buckets' with spaces", |stack| {
        let mine = Statement::deny(["s3:DeleteObject"])
            .named("Nobody deletes")
            .to_everyone()
            .on("arn:aws:s3:::newsloom-code/*");
        stack.add("Code", Bucket::new().allowing(mine));
    }),
    ("tags like AWS's", |stack| {
        stack.tag("awsome", "yes");
        stack.tag("team:aws", "news");
        stack.add("News", Stream::on_demand());
    }),
    ("a rename of a whole part", |stack| {
        stack.moved("Old", "Part");
        stack.add("Part", Part);
    }),
    ("arguments in the words of every block, and null", |stack| {
        let news = Raw::resource("aws_kinesis_stream").terraform("name", "news").terraform("shard_count", 2);
        let news = news
            .terraform("lifecycle", map([("ignore_changes", ["shard_count"].into())]))
            .terraform("retention_period", Value::Null);
        let news = stack.add("News", news.terraform("count", 1));
        stack.add(
            "Consumer",
            Raw::resource("aws_kinesis_stream_consumer")
                .terraform("name", "c")
                .terraform("stream_arn", news.get::<Arn>("arn", Access::None)),
        );
        stack.output("Name", news.get::<Name>("name", Access::None)).sensitive();
    }),
];

struct Part;

impl constructs::tree::Construct for Part {
    type Handle = ();

    fn build(self, stack: &mut Stack) {
        stack.add("News", Stream::on_demand());
    }
}

#[test]
fn what_is_right_is_not_answered() {
    let answers = CASES.iter().map(|(what, build)| (*what, problems(build)));
    let answered: Vec<(&str, String)> = answers.filter(|(_, answer)| !answer.is_empty()).collect();
    assert!(answered.is_empty(), "{answered:#?}");
}

#[test]
fn regions_partitions_and_modules_that_are_right_are_not_answered() {
    for region in ["eu-west-1", "ap-southeast-7", "us-gov-west-1", "cn-northwest-1", "mx-central-1", "eusc-de-east-1"] {
        let mut app =
            App::new("newsloom").region(region).provider("other", Properties::default().set("region", "eu-north-1"));
        let stack = app.stack("ingestion");
        let news = stack.add("News", Stream::on_demand());
        stack.provider(news, "other");
        let writer = stack.add("Writer", Role::of(Service::EC2));
        stack.grant(writer, news.write());
        assert!(app.synth(Format::All).is_ok(), "{region}");
    }
    let mut app = App::new("newsloom");
    let stack = app.stack("network");
    for (number, source, version) in [
        (1, "terraform-aws-modules/vpc/aws", Some("~> 6.0, != 6.0.2")),
        (2, "registry.example.com/news/vpc/aws//modules/endpoints", Some(">= 1.2")),
        (3, "git::https://example.com/vpc.git?ref=v1", None),
        (4, "../modules/vpc", None),
    ] {
        let module = Module::new(source).input("cidr", "10.0.0.0/16");
        let module = version.into_iter().fold(module, Module::version);
        stack.add(&format!("Module{number}"), module);
    }
    let problems = app.synth(Format::Terraform).map(|_| ());
    assert_eq!(problems, Ok(()));
}
