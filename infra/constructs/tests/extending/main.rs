//! What `docs/extending.md` walks through, compiled and run with what the library shows to everybody.

#[expect(unreachable_pub, reason = "a room as the library would have it, where it is for everybody")]
mod events;

use constructs::{
    render::Format,
    services::{
        iam::{Role, Service},
        kinesis::Stream,
        s3::Bucket,
    },
    testing::problems,
    tree::{Access, App, Arn, Construct, Id, Module, Raw, Removal, Stack},
};
use events::EventBus;

#[test]
fn any_type_of_the_providers_can_be_had_without_a_room() {
    let mut app = App::new("newsloom").region("eu-west-1");
    let stack = app.stack("events");
    let bus = stack.add("Articles", EventBus::custom());
    let archive = stack.add(
        "Archive",
        Raw::resource("aws_cloudwatch_event_archive")
            .terraform("name", "articles")
            .terraform("event_source_arn", bus.arn())
            .terraform("retention_days", 30)
            .in_cloudformation("AWS::Events::Archive")
            .cloudformation("ArchiveName", "articles")
            .cloudformation("SourceArn", bus.arn())
            .cloudformation("RetentionDays", 30),
    );
    stack.output("BusName", bus.name());
    stack.output("ArchiveArn", archive.get::<Arn>("arn", Access::GetAtt("Arn")));
    let rendered = app.synth(Format::All).unwrap();
    let template = rendered.file("cloudformation/events.template.json").unwrap();
    assert!(template.contains("AWS::Events::Archive"));
}

#[test]
fn raw_is_checked_like_everything_else() {
    let found = problems(|stack| {
        stack.add("Archive", Raw::resource("aws_cloudwatch_event_archive").terraform("retention_day", 30));
    });
    assert!(found.contains("unknown property `retention_day`; did you mean `retention_days`?"), "{found}");
}

#[test]
fn any_property_can_be_overridden() {
    let mut app = App::new("newsloom").region("eu-west-1");
    let stack = app.stack("ingestion");
    let news = stack.add("News", Stream::on_demand());
    stack.override_terraform(news, "shard_level_metrics", ["IncomingBytes"]);
    stack.override_cloudformation(news, "DesiredShardLevelMetrics", ["IncomingBytes"]);

    stack.add("Code", Bucket::new());
    if let Some(versioning) = stack.find("Code/Versioning") {
        stack.override_terraform(versioning, "versioning_configuration.status", "Suspended");
    }
    let rendered = app.synth(Format::Terraform).unwrap();
    assert!(rendered.file("kinesis.tf.json").unwrap().contains("IncomingBytes"));
    assert!(rendered.file("s3.tf.json").unwrap().contains("Suspended"));
}

#[test]
fn an_aspect_visits_every_resource() {
    let mut app = App::new("newsloom").region("eu-west-1");
    app.stack("ingestion").add("News", Stream::on_demand());
    app.stack("ingestion").add("Somebody", Raw::resource("aws_iam_user").terraform("name", "somebody"));
    app.each_resource(|resource| match resource.types().terraform.as_ref() {
        "aws_kinesis_stream" => resource.protect(Removal::Prevent),
        "aws_iam_user" => resource.problem("people sign in through the directory, not as IAM users"),
        _ => (),
    });
    let found = app.synth(Format::Terraform).unwrap_err().to_string();
    assert_eq!(found, "Somebody: people sign in through the directory, not as IAM users\n");
}

#[test]
fn what_exists_already_is_used_by_name() {
    let mut app = App::new("newsloom").region("eu-west-1");
    let stack = app.stack("events");
    let bus = stack.add("Everyone", EventBus::existing("default"));
    let publisher = stack.add("Publisher", Role::existing("news-publisher"));
    stack.grant(publisher, bus.put());
    let rendered = app.synth(Format::All).unwrap();
    assert!(rendered.file("iam.tf.json").unwrap().contains(":event-bus/default"));
}

#[test]
fn a_terraform_module_has_inputs_and_outputs() {
    let mut app = App::new("newsloom").region("eu-west-1");
    let stack = app.stack("network");
    let vpc = Module::new("terraform-aws-modules/vpc/aws").version("~> 6.0").input("cidr", "10.0.0.0/16");
    let vpc = stack.add("Network", vpc);
    stack.output("VpcId", vpc.output::<Id>("vpc_id"));
    let rendered = app.synth(Format::Terraform).unwrap();
    assert!(rendered.file("modules.tf.json").unwrap().contains("terraform-aws-modules/vpc/aws"));
}

#[test]
fn a_rename_is_a_move() {
    let mut app = App::new("newsloom").region("eu-west-1");
    let stack = app.stack("events");
    stack.moved("Feed", "Articles");
    stack.add("Articles", EventBus::custom().named("newsloom-feed"));
    let rendered = app.synth(Format::All).unwrap();
    let moved = rendered.file("moved.tf.json").unwrap();
    assert!(moved.contains("aws_cloudwatch_event_bus.feed") && moved.contains("aws_cloudwatch_event_bus.articles"));
    assert!(rendered.file("cloudformation/events.template.json").unwrap().contains("\"Feed\": {"));
}

/// A construct of constructs: a stream, and the bus for what becomes of its records.
struct Tier {
    shards: u32,
}

impl Construct for Tier {
    type Handle = events::EventBusRef;

    fn build(self, stack: &mut Stack) -> events::EventBusRef {
        if self.shards > 4 {
            stack.problem(format!("{} shards were asked for; this account may have 4", self.shards));
        }
        stack.add("News", Stream::provisioned(self.shards));
        stack.add("Articles", EventBus::custom())
    }
}

#[test]
fn a_tier_is_added_like_a_resource_and_its_problems_have_its_path() {
    let found = problems(|stack| {
        stack.add("Feed", Tier { shards: 8 });
    });
    assert_eq!(found, "Feed: 8 shards were asked for; this account may have 4\n");
}

#[test]
fn policies_are_asked() {
    let mut app = App::new("newsloom").region("eu-west-1");
    let stack = app.stack("events");
    let bus = stack.add("Articles", EventBus::custom());
    let publisher = stack.add("Publisher", Role::of(Service::LAMBDA));
    stack.grant(publisher, bus.put());
    assert!(app.may("Publisher", "events:PutEvents", "Articles").is_allowed());
    assert!(!app.may("Publisher", "events:DeleteEventBus", "Articles").is_allowed());
    assert!(app.permissions().contains("Publisher  allow  events:PutEvents  on  Articles"));
}

#[test]
fn examples_of_the_documents_are_these() {
    let walked = concat!(include_str!("events.rs"), include_str!("main.rs"));
    examples_are_in(include_str!("../../../../docs/extending.md"), walked);
    examples_are_in(include_str!("../../../../README.md"), include_str!("../../examples/quickstart.rs"));
}

/// Every Rust example of a document stands in the code, word for word but for its indentation.
fn examples_are_in(document: &str, code: &str) {
    let code = unindented(code);
    let examples: Vec<&str> =
        document.split("\n```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        assert!(code.contains(&unindented(example)), "this example is not in the code any more:\n{example}");
    }
}

fn unindented(text: &str) -> String {
    text.lines().map(|line| line.trim().to_owned() + "\n").collect()
}
