//! Ids, names, outputs, stacks, providers, modules, circles.

use constructs::{
    policy::Statement,
    render::Format,
    services::{
        iam::{Role, Service},
        kinesis::Stream,
        kms::Key,
        s3::Bucket,
    },
    testing::snapshot,
    tree::{App, Module, Other, Parameter, Properties, Raw, Text},
};

use super::{Case, add, check, map};

const CASES: &[Case] = &[
    (
        "one id twice, and one with a hyphen",
        |stack| {
            stack.add("News", Stream::on_demand().named("one"));
            stack.add("News", Stream::on_demand().named("two"));
            stack.add("my-stream", Stream::on_demand());
        },
        &["News: the path `News` is taken", "the id `my-stream` must be a letter, then letters and digits"],
    ),
    (
        "two ids that are one name",
        |stack| {
            stack.add("NewsFeed", Key::new("one"));
            stack.add("newsFeed", Key::new("two"));
        },
        &["`NewsFeed` and `newsFeed` are both called `news_feed` in Terraform; rename one"],
    ),
    (
        "one name for two streams",
        |stack| {
            stack.add("News", Stream::on_demand().named("news"));
            stack.add("Archive", Stream::on_demand().named("news"));
        },
        &["the name `news` is taken by `News`; an account has it once in a region"],
    ),
    (
        "one output twice, two of one name, one with a hyphen",
        |stack| {
            stack.output("News", "a");
            stack.output("News", "b");
            stack.output("NewsArn", "c");
            stack.output("newsArn", "d");
            stack.output("news-arn", "e");
        },
        &[
            "the output `News` is given twice",
            "`NewsArn` and `newsArn` are both called `news_arn`",
            "the output `news-arn` must be",
        ],
    ),
    (
        "a circle",
        |stack| {
            let key = stack.add("Key", Key::new("Encrypts the news"));
            let news = stack.add("News", Stream::on_demand().encrypted_by(key));
            stack.override_terraform(key, "description", news.name());
            stack.override_cloudformation(key, "Description", news.name());
        },
        &["Key: refers to itself in a circle: Key → News → Key"],
    ),
    (
        "a rename to nowhere",
        |stack| {
            stack.moved("Feed", "Nwes");
            stack.add("News", Stream::on_demand());
        },
        &["`Feed` was moved to `Nwes`, and nothing is there; did you mean `News`?"],
    ),
    (
        "a tag of AWS's own",
        |stack| {
            stack.tag("aws:team", "news");
            stack.add("News", Stream::on_demand());
        },
        &["the tag `aws:team` starts with `aws:`, which AWS keeps for itself"],
    ),
    (
        "a provider that nobody configured",
        |stack| {
            let news = stack.add("News", Stream::on_demand());
            stack.provider(news, "us");
        },
        &["News: there is no provider `us`; `App::provider` adds one"],
    ),
    (
        "a secret that everyone reads in the code",
        |stack| {
            let token = stack.add("Token", Parameter::new("The feed's token").sensitive().default("sesame"));
            stack.output("Token", token.value::<Other>());
        },
        &["Token: a sensitive parameter has a default"],
    ),
    (
        "an override in a backend that has no such resource, and one of an element that isn't there",
        |stack| {
            stack.add("Code", Bucket::new());
            let versioning = stack.find("Code/Versioning").expect("a bucket has it");
            stack.override_cloudformation(versioning, "Status", "Enabled");
            let news = stack.add("News", Stream::on_demand());
            stack.override_terraform(news, "shard_level_metrics", ["IncomingBytes"]);
            stack.override_terraform(news, "shard_level_metrics.3", "OutgoingBytes");
        },
        &["`Code/Versioning` is only in Terraform", "there is no element 3; the list has 1"],
    ),
    (
        "Terraform's code in CloudFormation",
        |stack| {
            stack.output("Name", Text::expression(["upper(\"news\")"]));
        },
        &["a Terraform expression is used in a CloudFormation property"],
    ),
    (
        "CloudFormation's functions of nothing",
        |stack| {
            stack.add("News", Stream::on_demand());
            let consumer = |id: &'static str| {
                Raw::only_cloudformation("AWS::Kinesis::StreamConsumer").cloudformation("ConsumerName", id)
            };
            let arn = map([("Fn::GetAtt", ["Nwes", "Arn"].into())]);
            stack.add("First", consumer("first").cloudformation("StreamARN", arn));
            let joined = map([("Fn::Joins", ["", "news"].into())]);
            stack.add("Second", consumer("second").cloudformation("StreamARN", joined));
        },
        &["`Fn::GetAtt` of `Nwes`, which isn't in the template; did you mean `News`?", "did you mean `Fn::Join`?"],
    ),
];

#[test]
fn of_trees_are_answered() {
    check("tree", CASES);
}

/// What isn't about one stack: what was done, how, for which backends, and what the answer has to say.
type AppCase = (&'static str, fn() -> App, Format, &'static [&'static str]);

const APPS: &[AppCase] = &[
    (
        "an app's name that no resource can have, and a region that doesn't exist",
        || {
            let mut app = App::new("News Loom").region("eu-wst-1").tag("aws:team", "news");
            app.stack("Ingestion").add("Key", Key::new("Encrypts the news"));
            app
        },
        Format::All,
        &["the app's name `News Loom`", "did you mean `eu-west-1`?", "`Ingestion` must be small letters", "`aws:team`"],
    ),
    (
        "misspelt settings of the provider and of its second configuration",
        || {
            let settings = Properties::default().set("regoin", "us-east-1");
            let mut app =
                App::new("newsloom").provider_setting("allowed_acount_ids", ["111122223333"]).provider("us", settings);
            let stack = app.stack("ingestion");
            let news = stack.add("News", Stream::on_demand());
            stack.provider(news, "usa");
            app
        },
        Format::All,
        &[
            "did you mean `allowed_account_ids`?",
            "did you mean `region`?",
            "there is no provider `usa`; did you mean `us`?",
        ],
    ),
    (
        "a stack that takes from a later one",
        || {
            let mut app = App::new("newsloom");
            app.stack("ingestion");
            let news = app.stack("enrichment").add("News", Stream::on_demand());
            app.stack("ingestion").output("NewsArn", news.arn());
            app
        },
        Format::All,
        &["the stack `ingestion` refers to `enrichment`, which comes after it"],
    ),
    (
        "waiting for a later stack, and changing it",
        || {
            let mut app = App::new("newsloom");
            app.stack("ingestion");
            let news = app.stack("enrichment").add("News", Stream::on_demand());
            let stack = app.stack("ingestion");
            let archive = stack.add("Archive", Stream::on_demand());
            stack.depends(archive, news);
            stack.override_terraform(news, "retention_period", 48);
            app
        },
        Format::All,
        &[
            "`Archive` can't wait for what is in a stack that comes after it",
            "a construct of another stack can't be overridden here",
        ],
    ),
    (
        "another partition's ARN in China",
        || {
            let mut app = App::new("newsloom").region("cn-north-1");
            let stack = app.stack("ingestion");
            let writer = stack.add("Writer", Role::of(Service::EC2));
            let news = "arn:aws:kinesis:cn-north-1:111122223333:stream/news";
            stack.grant(writer, Statement::allow(["kinesis:PutRecords"]).on(news));
            app
        },
        Format::All,
        &["`arn:aws:…` is another partition's, and cn-north-1 reaches none of it; use `Pseudo::Partition`"],
    ),
    (
        "modules: a version of a folder, a version that is none, Terraform's own words as inputs",
        || {
            let mut app = App::new("newsloom");
            let stack = app.stack("network");
            stack.add("Folder", Module::new("./modules/network").version("1.0"));
            let registry = Module::new("terraform-aws-modules/vpc/aws").version("latest");
            stack.add("Registry", registry.input("source", "elsewhere"));
            app
        },
        Format::Terraform,
        &[
            "Folder: the module `./modules/network` has a version",
            "the module's version `latest` must be like",
            "`source` is no variable",
        ],
    ),
    (
        "a module in CloudFormation",
        || {
            let mut app = App::new("newsloom");
            app.stack("network").add("Network", Module::new("./modules/network"));
            app
        },
        Format::All,
        &["CloudFormation has no Terraform modules"],
    ),
];

#[test]
fn of_apps_are_answered() {
    let mut page = String::new();
    for (mistake, app, format, words) in APPS {
        let answer = app().synth(*format).map(|_| ()).expect_err(mistake).to_string();
        add(&mut page, mistake, &answer, words);
    }
    snapshot("mistakes_app", &page);
}
