use super::*;
use crate::{
    services::{
        iam::{InstanceProfile, Role, Service},
        kms::Key,
        units::{Gib, Seconds},
    },
    testing::{check, check_stack, problems},
    tree::{Access, Arn, Attribute, Id, Lookup, Name, Properties, Ref, Value},
};

fn chrony() -> Document {
    Document::new("Keeps the clock right")
        .build(Step::bash("Install", ["dnf install --assumeyes chrony"]).timeout(Seconds(600)).attempts(3))
        .validate(Step::bash("Check", ["rpm --query chrony"]))
        .test(Step::bash("Sources", ["chronyc sources"]).on_failure(OnFailure::Continue))
}

fn workshop(stack: &mut Stack) -> InfrastructureConfigurationRef {
    let role = stack.add("Builder", Role::of(Service::EC2));
    let profile = stack.add("Profile", InstanceProfile::of(role));
    stack.add("Workshop", InfrastructureConfiguration::on(profile))
}

fn recipe(stack: &mut Stack) -> ImageRecipeRef {
    let clock = stack.add("Clock", Component::new(Platform::Linux, "1.0.0", chrony()));
    stack.add("Recipe", ImageRecipe::based_on(ParentImage::amazon_linux_2023_arm64(), "1.0.0").with(clock))
}

/// An attribute of something that exists already.
fn known<K: crate::tree::Kind>(stack: &mut Stack, id: &str, value: &'static str) -> Ref<K> {
    const ATTRIBUTE: Attribute = Attribute::other("id", Access::Ref);
    Ref::new(stack.add(id, Lookup::new("aws_subnet", "AWS::EC2::Subnet").known(ATTRIBUTE, value)), ATTRIBUTE)
}

#[test]
fn renderings() {
    check("imagebuilder_component", Component::new(Platform::Linux, "1.0.0", chrony()));
    check_stack("imagebuilder_image", |stack| {
        let (recipe, workshop) = (recipe(stack), workshop(stack));
        let image = stack.add("Image", Image::of(recipe, workshop));
        stack.output("ImageId", image.ami());
    });
}

#[test]
fn a_pipeline_with_everything() {
    check_stack("imagebuilder_pipeline", |stack| {
        let key = stack.add("Key", Key::new("Encrypts images"));
        let agent = stack.add("Agent", Component::of_aws("amazon-cloudwatch-agent-linux"));
        let ingester = Document::new("The ingester")
            .build(Step::download("Fetch", "s3://newsloom-code/ingester", "/usr/local/bin/ingester"))
            .build(Step::action("Restart", "Reboot", Value::Map(Properties::default().set("delaySeconds", 5))));
        let ingester = Component::new(Platform::Linux, "1.2.0", ingester)
            .description("Installs the ingester")
            .change("A newer ingester")
            .system("Amazon Linux 2023")
            .encrypted_by(key);
        let ingester = stack.add("Binary", ingester);
        let recipe = ImageRecipe::based_on(ParentImage::amazon_linux_2023_x86_64(), "1.2.0")
            .with(agent)
            .with_parameters(ingester, [("Channel", "stable")])
            .root_volume(Gib(16))
            .encrypted_by(key)
            .without_agent()
            .description("What the ingester runs on");
        let recipe = stack.add("Recipe", recipe);
        let (subnet, group) = (known::<Id>(stack, "Subnet", "subnet-0a1b"), known::<Id>(stack, "Group", "sg-0a1b"));
        let bucket: Ref<Name> = known(stack, "Bucket", "newsloom-logs");
        let topic: Ref<Arn> = known(stack, "Topic", "arn:aws:sns:eu-west-1:111122223333:builds");
        let template: Ref<Id> = known(stack, "Template", "lt-0a1b2c3d4e5f60718");
        let role = stack.add("Builder", Role::of(Service::EC2));
        let profile = stack.add("Profile", InstanceProfile::of(role));
        let workshop = InfrastructureConfiguration::on(profile)
            .instance_type("t3.medium")
            .instance_type("t3a.medium")
            .in_subnet(subnet, [group])
            .logging_to(bucket, "builds")
            .telling(topic);
        let workshop = stack.add("Workshop", workshop);
        let here = Distribution::here()
            .named("newsloom-ingester")
            .description("Runs the ingester")
            .tag("team", "news")
            .shared_with("444455556666")
            .encrypted_by(key)
            .parameter("/imagebuilder/newsloom/ingester")
            .launch_template(template);
        let shelf = stack.add(
            "Shelf",
            DistributionConfiguration::of(here).and(Distribution::to("eu-central-1").named("newsloom-ingester")),
        );
        let schedule = Schedule::cron("0 6 ? * mon *").in_timezone("Europe/Berlin");
        let pipeline = ImagePipeline::of(recipe, workshop)
            .distributed(shelf)
            .scheduled(schedule)
            .tested_within(Minutes(90))
            .scanned()
            .description("Bakes what the ingester runs on");
        let pipeline = stack.add("Bakery", pipeline);
        let starter = stack.add("Starter", Role::of(Service::LAMBDA));
        stack.grant(starter, pipeline.start());
    });
}

type Build = fn(&mut Stack);

#[test]
fn images_that_cannot_be() {
    let cases: [(Build, &str); 15] = [
        (
            |stack| add(stack, Component::new(Platform::Linux, "1.0", chrony())),
            "the component's version `1.0` must be three",
        ),
        (
            |stack| add(stack, Component::new(Platform::Linux, "1.0.x", chrony())),
            "the component's version `1.0.x` must be",
        ),
        (|stack| add(stack, Component::new(Platform::Linux, "1.0.0", Document::new("Nothing"))), "at least one step"),
        (
            |stack| {
                add(stack, Component::new(Platform::Linux, "1.0.0", chrony().build(Step::bash("Install", ["true"]))))
            },
            "two steps of the phase build are called `Install`",
        ),
        (|stack| add(stack, Component::yaml(Platform::Linux, "1.0.0", "x".repeat(16_001))), "has 16001 letters"),
        (
            |stack| add(stack, Component::new(Platform::Linux, "1.0.0", chrony()).named("a.b.c")),
            "must be letters, digits",
        ),
        (
            |stack| add(stack, Component::new(Platform::Linux, "1.0.0", chrony()).named("a".repeat(127))),
            "has 127 letters",
        ),
        (
            |stack| add(stack, ImageRecipe::based_on(ParentImage::amazon_linux_2023_arm64(), "1.0.0")),
            "at least one component",
        ),
        (|stack| pipeline(stack, "0 6 * * mon"), "the schedule `0 6 * * mon` must have six fields"),
        (|stack| pipeline(stack, "0 6 * * mon *"), "the schedule `0 6 * * mon *` needs a `?`"),
        (|stack| pipeline(stack, "0 6 ? * ? *"), "and not as both"),
        (
            |stack| {
                let (recipe, workshop) = (recipe(stack), workshop(stack));
                add(stack, ImagePipeline::of(recipe, workshop).tested_within(Minutes(30)));
            },
            "tests may take 30 minutes; Image Builder takes 60 to 1440",
        ),
        (
            |stack| add(stack, DistributionConfiguration::of(Distribution::here().parameter("/news/ami"))),
            "can't write the parameter `/news/ami`",
        ),
        (
            |stack| add(stack, DistributionConfiguration::of(Distribution::here()).and(Distribution::here())),
            "two distributions go to the region of the build",
        ),
        (
            |stack| {
                let both = DistributionConfiguration::of(Distribution::here()).and(Distribution::to("eu-central-1"));
                let (recipe, workshop, both) = (recipe(stack), workshop(stack), stack.add("Shelf", both));
                add(stack, Image::of(recipe, workshop).distributed(both));
            },
            "goes to one region, not 2",
        ),
    ];
    for (build, expected) in cases {
        let found = problems(build);
        assert!(found.contains(expected), "{expected}: {found}");
    }
}

fn add(stack: &mut Stack, construct: impl crate::tree::Construct) {
    stack.add("It", construct);
}

fn pipeline(stack: &mut Stack, fields: &'static str) {
    let (recipe, workshop) = (recipe(stack), workshop(stack));
    add(stack, ImagePipeline::of(recipe, workshop).scheduled(Schedule::cron(fields)));
}
