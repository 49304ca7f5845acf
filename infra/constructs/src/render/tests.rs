//! What a whole app renders: several stacks, escapes, renames, overrides, and the mistakes that are found.

use super::Format;
use crate::{
    policy::Statement,
    services::{
        iam::{Role, Service},
        kinesis::Stream,
        kms::Key,
        units::Hours,
    },
    testing::{check_stack, problems, snapshot},
    tree::{
        Access, App, Arn, Lookup, Module, Name, Other, Parameter, Properties, Pseudo, Raw, Removal, State, Text, Value,
    },
};

fn all_files(app: &App) -> String {
    files(app, Format::All)
}

fn files(app: &App, format: Format) -> String {
    let rendered = match app.synth(format) {
        Ok(rendered) => rendered,
        Err(problems) => panic!("{problems}"),
    };
    let mut all = String::new();
    for (path, text) in rendered.files() {
        all.extend(["=== ", path, "\n", text]);
    }
    all
}

#[test]
fn stacks_refer_to_each_other_through_outputs_and_inputs() {
    let mut app = App::new("newsloom").region("eu-west-1");
    let news = app.stack("ingestion").add("News", Stream::on_demand());
    let stack = app.stack("enrichment");
    let reader = stack.add("Reader", Role::of(Service::LAMBDA));
    stack.grant(reader, news.read());
    snapshot("render_two_stacks", &all_files(&app));
}

#[test]
fn a_remote_state_is_found_where_the_app_keeps_it() {
    let state = State::S3 {
        bucket: "acme-state".into(),
        region: "eu-west-1".into(),
        prefix: "newsloom".into(),
        key: Some("arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d".into()),
    };
    let mut app = App::new("newsloom").state(state);
    let news = app.stack("ingestion").add("News", Stream::on_demand());
    app.stack("enrichment").output("NewsArn", news.arn());
    let rendered = app.synth(Format::Terraform).unwrap();
    snapshot("render_remote_state", rendered.file("enrichment/main.tf.json").unwrap());
}

#[test]
fn a_stack_that_refers_to_a_later_one_is_refused() {
    let mut app = App::new("newsloom");
    app.stack("ingestion");
    let news = app.stack("enrichment").add("News", Stream::on_demand());
    app.stack("ingestion").output("NewsArn", news.arn());
    let found = app.synth(Format::Terraform).unwrap_err().to_string();
    assert_eq!(found, "ingestion: the stack `ingestion` refers to `enrichment`, which comes after it\n");
}

#[test]
fn literals_that_look_like_templates_are_escaped() {
    check_stack("render_escapes", |stack| {
        let document = Properties::default().set("pattern", "${not.a.template} %{nor this} \"quoted\"");
        stack.add(
            "Note",
            Raw::resource("aws_ssm_parameter")
                .in_cloudformation("AWS::SSM::Parameter")
                .terraform("name", "${name}")
                .terraform("type", "String")
                .terraform("insecure_value", Value::json(document.clone()))
                .cloudformation("Name", "plain ${name}")
                .cloudformation("Type", "String")
                .cloudformation("Value", Text::from("${literal} in ") + Pseudo::Region),
        );
    });
}

#[test]
fn a_rename_moves_instead_of_replacing() {
    check_stack("render_moved", |stack| {
        stack.moved("Feed", "News");
        stack.add("News", Stream::on_demand().named("newsloom-feed"));
    });
}

#[test]
fn everything_beside_resources_is_written() {
    let mut app = App::new("newsloom")
        .region("eu-west-1")
        .tag("team", "news")
        .removal(Removal::Prevent)
        .provider_setting("allowed_account_ids", ["111122223333"])
        .provider("us", Properties::default().set("region", "us-east-1"));
    let stack = app.stack("all");
    stack.tag("stage", "test");
    let mail = stack.add("Mail", Parameter::new("Where alarms go").default("a@example.com"));
    let news = stack.add("News", Stream::on_demand());
    stack.provider(news, "us");
    stack.override_terraform(news, "shard_level_metrics", ["IncomingBytes"]);
    stack.override_terraform(news, "retention_period", Value::Null);
    stack.override_cloudformation(news, "DesiredShardLevelMetrics", ["IncomingBytes"]);
    let vpc =
        stack.add("Vpc", Lookup::new("aws_vpc", "AWS::EC2::VPC").by("tags", Properties::default().set("Name", "main")));
    let id = crate::tree::Ref::<Other>::new(vpc, crate::tree::Attribute::id("id", Access::Ref));
    let parameter = stack.add(
        "Vpc2",
        Raw::resource("aws_ssm_parameter")
            .in_cloudformation("AWS::SSM::Parameter")
            .terraform("name", "vpc")
            .terraform("type", "String")
            .terraform("insecure_value", id)
            .cloudformation("Type", "String")
            .cloudformation("Value", id),
    );
    stack.depends(parameter, news);
    stack.output("Mail", mail.value::<Other>()).describe("Where alarms go");
    stack.output("Parameter", parameter.get::<Name>("name", Access::Ref)).sensitive();
    snapshot("render_everything", &all_files(&app));
}

#[test]
fn data_sources_ephemeral_resources_and_modules_are_for_terraform() {
    let mut app = App::new("newsloom").region("eu-west-1");
    let stack = app.stack("all");
    let password =
        stack.add("Password", Raw::ephemeral("aws_secretsmanager_random_password").terraform("password_length", 24));
    let secret = stack.add("Secret", Raw::resource("aws_secretsmanager_secret").terraform("name", "broker"));
    stack.add(
        "Version",
        Raw::resource("aws_secretsmanager_secret_version")
            .terraform("secret_id", secret.get::<Arn>("arn", Access::None))
            .terraform("secret_string_wo", password.get::<Other>("random_password", Access::None))
            .terraform("secret_string_wo_version", 1),
    );
    let zones = stack.add("Zones", Raw::data("aws_availability_zones").terraform("state", "available"));
    let network = stack
        .add("Network", Module::new("./modules/network").input("zone", zones.get::<Other>("names[0]", Access::None)));
    stack.output("VpcId", network.output::<Other>("vpc_id"));
    snapshot("render_terraform_only", &files(&app, Format::Terraform));
}

#[test]
fn mistakes_are_found_before_anything_is_written() {
    let found = problems(|stack| {
        let news = stack.add("News", Stream::on_demand());
        stack.add("News", Stream::on_demand());
        stack.add("my-stream", Stream::on_demand());
        stack.override_terraform(news, "retention_perid", 48);
        stack.override_terraform(news, "stream_mode_details.stream_mode", "ONDEMAND");
        stack.override_cloudformation(news, "RetentionPeriodHours", 9999);
        stack.override_cloudformation(news, "Arn", "arn:aws:kinesis:eu-west-1:1:stream/x");
        let reader = stack.add("Reader", Role::of(Service::LAMBDA));
        stack.grant(reader, Statement::allow(["kinesis:GetRecord"]).on(news.arn()));
        stack.grant(reader, Statement::allow(["kinesis:PutRecords"]).on_any("convenient"));
        stack.grant(reader, Statement::allow(["dynamodb:GetItem"]).on(news.arn()));
        stack.grant(reader, Statement::allow(["kinesis:Get*"]).on(news.arn()));
        stack.grant(reader, Statement::allow(["kinesis:GetRecords"]).on(news.name()));
        stack.add(
            "Queue",
            Raw::resource("aws_sqs_queue")
                .terraform("visibility_timeout_seconds", 90_000)
                .terraform("kms_master_key_id", "alias/aws/sqs")
                .terraform("sqs_managed_sse_enabled", true)
                .terraform("id", "mine"),
        );
        stack.add("Topic", Raw::resource("aws_sns_topc").terraform("name", "alarms"));
        let consumer =
            Raw::resource("aws_kinesis_stream_consumer").terraform("name", "x").terraform("stream_arn", news.name());
        stack.add("Consumer", consumer);
    });
    snapshot("problems_of_a_stack", &found);
}

#[test]
fn two_paths_with_one_name_are_refused() {
    let found = problems(|stack| {
        stack.add("AB/C", Key::new("one"));
        stack.add("A", Nest);
    });
    snapshot("problems_of_names", &found);
}

struct Nest;

impl crate::tree::Construct for Nest {
    type Handle = ();

    fn build(self, stack: &mut crate::tree::Stack) {
        stack.add("BC", Stream::on_demand().retention(Hours(24)));
    }
}

#[test]
fn a_parameter_may_not_take_a_resources_name() {
    let found = problems(|stack| {
        let vpc = stack.add("Vpc", Lookup::new("aws_vpc", "AWS::EC2::VPC").by("default", true));
        let id = crate::tree::Ref::<Other>::new(vpc, crate::tree::Attribute::id("id", Access::Ref));
        stack.output("Vpc", id);
        stack.add("VpcId", Stream::on_demand());
    });
    assert_eq!(found, "test: a resource and a parameter are both called `VpcId` in CloudFormation; rename one\n");
}

#[test]
fn a_circle_names_its_members() {
    let found = problems(|stack| {
        let first = stack.add("First", Key::new("one"));
        let second = stack.add("Second", Stream::on_demand().encrypted_by(first));
        stack.override_terraform(first, "description", second.name());
        stack.override_cloudformation(first, "Description", second.name());
    });
    assert_eq!(found, "First: refers to itself in a circle: First → Second → First\n");
}

#[test]
fn two_synths_are_the_same_to_the_byte() {
    let build = || {
        let mut app = App::new("newsloom").tag("b", "2").tag("a", "1");
        let stack = app.stack("one");
        let news = stack.add("News", Stream::on_demand());
        let writer = stack.add("Writer", Role::of(Service::EC2));
        stack.grant(writer, news.write());
        all_files(&app)
    };
    assert_eq!(build(), build());
}
