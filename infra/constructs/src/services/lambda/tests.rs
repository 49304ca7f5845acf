use super::*;
use crate::{
    policy::{Grant, Statement},
    services::{
        iam::{Role, Service},
        kinesis::Stream,
        kms::Key,
        logs::LogGroup,
        units::{Days, Mib, Seconds},
    },
    testing::{check, check_stack, problems},
    tree::{Access, Arn, Id, Ref, Stack},
};

fn code() -> Code {
    Code::object("newsloom-code", "enrich.zip")
}

/// A queue, until a room gives it: as what failed goes to, or as what is received from.
fn failures(stack: &mut Stack) -> Destination {
    let queue = queue(stack, "Failures");
    Destination::of(queue, Statement::allow(["sqs:SendMessage"]).on(queue).into())
}

fn queue(stack: &mut Stack, id: &str) -> Ref<Arn> {
    let queue = crate::tree::Raw::resource("aws_sqs_queue").in_cloudformation("AWS::SQS::Queue");
    stack.add(id, queue.terraform("name", format!("newsloom-{id}"))).get("arn", Access::GetAtt("Arn"))
}

fn receive(queue: Ref<Arn>) -> Grant {
    let actions = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"];
    Statement::allow(actions).on(queue).into()
}

fn changes(stack: &mut Stack) -> Changes {
    let table = crate::tree::Raw::resource("aws_dynamodb_table")
        .in_cloudformation("AWS::DynamoDB::Table")
        .terraform("name", "newsloom-articles")
        .terraform("billing_mode", "PAY_PER_REQUEST")
        .terraform("hash_key", "id")
        .terraform("attribute", crate::tree::Properties::default().set("name", "id").set("type", "S"))
        .terraform("stream_enabled", true)
        .terraform("stream_view_type", "NEW_IMAGE")
        .cloudformation("BillingMode", "PAY_PER_REQUEST")
        .cloudformation(
            "AttributeDefinitions",
            [crate::tree::Properties::default().set("AttributeName", "id").set("AttributeType", "S")],
        )
        .cloudformation(
            "KeySchema",
            [crate::tree::Properties::default().set("AttributeName", "id").set("KeyType", "HASH")],
        )
        .cloudformation("StreamSpecification", crate::tree::Properties::default().set("StreamViewType", "NEW_IMAGE"));
    let stream: Ref<Arn> = stack.add("Articles", table).get("stream_arn", Access::GetAtt("StreamArn"));
    let actions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"];
    Changes::of(stream, Statement::allow(actions).on(stream).into())
}

fn ids(stack: &mut Stack) -> ([Ref<Id>; 2], [Ref<Id>; 1]) {
    let mut parameter = |id| stack.add(id, crate::tree::Parameter::new("An id")).value();
    ([parameter("Subnet1"), parameter("Subnet2")], [parameter("Guard")])
}

#[test]
fn functions() {
    check("lambda_minimal", Function::rust(code()));
    check_stack("lambda_full", |stack| {
        let key = stack.add("Key", Key::new("Encrypts settings"));
        let failures = failures(stack);
        let layer = LayerVersion::of(Code::object("newsloom-code", "certificates.zip"))
            .runtimes([Runtime::PROVIDED_AL2023])
            .architectures([Architecture::Arm64])
            .description("Certificates of the broker")
            .licence("MIT");
        let layer = stack.add("Certificates", layer);
        let enrich = Function::rust(
            Code::object_version("newsloom-code", "enrich.zip", "3")
                .sha256("jwvFQRhJd8gvFcTzUJ2Jv5d0wXv2xvC3mJUCpPzPpZw="),
        )
        .description("Adds sentiment to stories")
        .memory(Mib(1769))
        .timeout(Seconds(60))
        .ephemeral_storage(Mib(1024))
        .reserved_concurrency(10)
        .environment([("RUST_LOG", "info"), ("TABLE_NAME", "articles")])
        .encrypted_by(key)
        .layer(layer.arn())
        .log_level(LogLevel::Info)
        .system_log_level(SystemLogLevel::Warn)
        .log_retention(Days(90))
        .traced()
        .dead_letters(failures.clone())
        .event_invoke(EventInvoke::new().max_age(Seconds(300)).retries(0).on_failure(failures));
        let enrich = stack.add("Enrich", enrich);
        stack.output("Function", enrich.arn());
    });
    check_stack("lambda_in_vpc", |stack| {
        let (subnets, guards) = ids(stack);
        stack.add("Publish", Function::rust(code()).in_vpc(subnets, guards).dual_stack());
    });
    check_stack("lambda_image_with_given_role_and_group", |stack| {
        let role = stack.add("Role", Role::of(Service::LAMBDA));
        let logs = stack.add("Logs", LogGroup::new());
        let image = Image::of("111122223333.dkr.ecr.eu-west-1.amazonaws.com/enrich:1").command(["enrich"]);
        let enrich = Function::image(image).architecture(Architecture::X86).running_as(role).logs_to(logs).text_logs();
        stack.add("Enrich", enrich);
    });
    check_stack("lambda_existing", |stack| {
        let role = stack.add("Role", Role::existing("archive"));
        let archive = stack.add("Archive", Function::existing("archive", role));
        let news = stack.add("News", Stream::on_demand());
        stack.trigger(archive, news.records());
        let caller = stack.add("Caller", Role::of(Service::EC2));
        stack.grant(caller, archive.invoke());
    });
}

#[test]
fn code_in_a_file_is_for_terraform() {
    let mut app = crate::tree::App::new("newsloom").region("eu-west-1");
    app.stack("test").add("Enrich", Function::rust("target/lambda/enrich.zip"));
    let rendered = app.synth(crate::render::Format::Terraform).expect("Terraform uploads files");
    let (_, function) = rendered.files().find(|(path, _)| path.contains("lambda")).expect("a file of functions");
    assert!(function.contains(r#""filename": "target/lambda/enrich.zip""#), "{function}");
    assert!(
        function.contains(r#""source_code_hash": "${filebase64sha256(\"target/lambda/enrich.zip\")}""#),
        "{function}"
    );
    let found = app.synth(crate::render::Format::CloudFormation).expect_err("CloudFormation doesn't").to_string();
    assert!(
        found.contains("Enrich: CloudFormation can't upload `target/lambda/enrich.zip`; put the code into a bucket"),
        "{found}"
    );

    app.stack("test")
        .add("Answer", Function::new(Runtime::PYTHON_3_14, "index.handler", Code::inline("handler = print")));
    let found = app.synth(crate::render::Format::Terraform).expect_err("no inline code").to_string();
    assert!(found.contains("Answer: Terraform takes no inline code; use `Code::file` or `Code::object`"), "{found}");
}

#[test]
fn permissions() {
    check_stack("lambda_permissions", |stack| {
        let enrich = stack.add("Enrich", Function::rust(code()));
        stack.allow_invoke(enrich, "events.amazonaws.com", "arn:aws:events:eu-west-1:111122223333:rule/nightly");
        let uploads = Permission::of(enrich).to_service("s3.amazonaws.com").from("arn:aws:s3:::newsloom-stories");
        stack.add("Uploads", uploads);
        stack.add("Partner", Permission::of(enrich).to_account("444455556666"));
        stack.add("Everyone", Permission::of(enrich).to_organization("o-a1b2c3d4e5"));
    });
    let found = problems(|stack| {
        let enrich = stack.add("Enrich", Function::rust(code()));
        stack.add("Anyone", Permission::of(enrich).to_service("sns.amazonaws.com"));
        stack.add("Nobody", Permission::of(enrich));
        for rule in ["rule/a", "rule/b"] {
            stack.allow_invoke(enrich, "events.amazonaws.com", format!("arn:aws:events:eu-west-1:111122223333:{rule}"));
        }
    });
    for message in [
        "Anyone: the service could call the function for anyone; say for which source with `from`",
        "Nobody: the permission is for nobody; say to whom, such as with `to_service`",
        "`Enrich` is already called by events.amazonaws.com; for a second source add a `Permission` under an id",
    ] {
        assert!(found.contains(message), "{found}");
    }
}

#[test]
fn sources() {
    check_stack("lambda_records", |stack| {
        let news = stack.add("News", Stream::on_demand());
        let failures = failures(stack);
        let enrich = stack.add("Enrich", Function::rust(code()));
        let records = news
            .records()
            .batch(100)
            .window(Seconds(1))
            .parallelization(2)
            .retries(3)
            .max_age(Seconds(3600))
            .bisect()
            .report_failures()
            .counted()
            .on_failure(failures)
            .filter(Filter::data().field("language", one_of(["en"])))
            .filter(Filter::data().field("urgency", within(..=3.0)));
        stack.trigger(enrich, records);
        let backfill = news.records().named("Backfill").starting_at(1_767_225_600).tumbling_window(Seconds(60));
        stack.trigger(enrich, backfill.disabled());
    });
    check_stack("lambda_changes", |stack| {
        let changes = changes(stack);
        let key = stack.add("Key", Key::new("Encrypts filters").for_service("lambda.amazonaws.com"));
        let publish = stack.add("Publish", Function::rust(code()));
        let stories = Filter::event_name([EventName::Insert]).new_image("kind", text(["story"]));
        stack.trigger(publish, changes.latest().filter(stories).filters_encrypted_by(key));
    });
    check_stack("lambda_messages", |stack| {
        let (slow, steady) = (queue(stack, "Slow"), queue(stack, "Steady"));
        let retry = stack.add("Retry", Function::rust(code()));
        let messages = Messages::of(slow, receive(slow)).batch(100).window(Seconds(5)).max_concurrency(2);
        stack.trigger(retry, messages.report_failures().filter(Filter::body().field("kind", ["retry"])));
        stack.trigger(
            retry,
            Messages::of(steady, receive(steady)).named("Steady").pollers(2..=20).hidden_for(Seconds(18)),
        );
    });
}

#[test]
fn what_lambda_refuses_of_a_function_is_refused() {
    let cases: [(Function, &str); 11] = [
        (Function::rust(code()).memory(Mib(64)), "memory is 64 MiB; Lambda gives 128 to 10240 MiB"),
        (Function::rust(code()).timeout(Seconds(901)), "timeout is 901 seconds; Lambda gives 1 to 900 seconds"),
        (
            Function::rust(code()).ephemeral_storage(Mib(256)),
            "ephemeral storage is 256 MiB; Lambda gives 512 to 10240 MiB",
        ),
        (
            Function::rust(code()).environment([("AWS_REGION", "eu-west-1")]),
            "the environment variable `AWS_REGION` is set by Lambda itself; choose another name",
        ),
        (
            Function::rust(code()).environment([("2ND", "x")]),
            "the environment variable `2ND` must be a letter, then at least one letter, digit or `_`",
        ),
        (
            Function::rust(code()).environment([("LONG", "x".repeat(5000))]),
            "the environment variables have 5004 bytes; Lambda takes 4096 together",
        ),
        (
            Function::image("111122223333.dkr.ecr.eu-west-1.amazonaws.com/enrich:1").layer("arn"),
            "an image takes no layers; put their files into the image",
        ),
        (
            (1..=6).fold(Function::rust(code()), |function, version| {
                function.layer(format!("arn:aws:lambda:eu-west-1:111122223333:layer:l:{version}"))
            }),
            "6 layers; Lambda takes up to 5",
        ),
        (Function::rust(code()).in_vpc([], []), "0 subnets; a function in a VPC has 1 to 16"),
        (Function::rust(code()).dual_stack(), "only a function in a VPC chooses to send IPv6; say which with `in_vpc`"),
        (Function::rust(code()).named("n".repeat(65)), "has 65 characters; a function's has up to 64: use `named`"),
    ];
    for (function, message) in cases {
        let found = problems(|stack| {
            stack.add("Enrich", function);
        });
        assert!(found.contains(message), "{message}\nis not in\n{found}");
    }
}

#[test]
fn secrets_in_the_environment_and_foreign_roles_are_refused() {
    let found = problems(|stack| {
        let password = stack
            .add("Password", crate::tree::Parameter::new("The broker's").sensitive())
            .value::<crate::tree::Other>();
        let role = stack.add("Role", Role::of(Service::EC2));
        stack.add("Enrich", Function::rust(code()).running_as(role).environment([("PASSWORD", password)]));
    });
    assert!(found.contains("Enrich: the environment variable `PASSWORD` holds a secret"), "{found}");
    assert!(found.contains("Enrich: lambda.amazonaws.com can't assume the role `Role`"), "{found}");
}

#[test]
fn a_function_may_do_what_its_settings_ask_for_and_nothing_else() {
    let mut app = crate::tree::App::new("newsloom").region("eu-west-1");
    let stack = app.stack("test");
    let news = stack.add("News", Stream::on_demand());
    let enrich = stack.add("Enrich", Function::rust(code()));
    stack.trigger(enrich, news.records());
    assert_eq!(
        app.permissions(),
        "Enrich/Role  allow  kinesis:DescribeStream  on  News
"
    );
}

#[test]
fn a_function_that_calls_itself_is_a_circle() {
    let found = problems(|stack| {
        let enrich = stack.add("Enrich", Function::rust(code()));
        stack.grant(enrich, enrich.invoke());
    });
    assert!(found.contains("refers to itself in a circle"), "{found}");
}

#[test]
fn asynchronous_calls_have_bounds() {
    let found = problems(|stack| {
        let settings = EventInvoke::new().max_age(Seconds(30)).retries(3);
        stack.add("Enrich", Function::rust(code()).event_invoke(settings));
    });
    for message in [
        "Enrich/EventInvoke: calls may become 30 seconds old; Lambda keeps them 60 to 21600 seconds",
        "Enrich/EventInvoke: 3 retries; Lambda repeats an asynchronous call up to 2 times",
    ] {
        assert!(found.contains(message), "{found}");
    }
}

#[test]
fn what_lambda_refuses_of_a_stream_is_refused() {
    let cases: [(fn(Records) -> Records, &str); 9] = [
        (|records| records.batch(0), "a batch of 0 records; Lambda takes 1 to 10000"),
        (|records| records.window(Seconds(301)), "a window of 301 seconds; Lambda takes 0 to 300"),
        (|records| records.parallelization(11), "a parallelization of 11 batches; Lambda takes 1 to 10"),
        (|records| records.retries(10_001), "retrying 10001 times; Lambda takes 0 to 10000"),
        (|records| records.max_age(Seconds(59)), "a greatest age of 59 seconds; Lambda takes 60 to 604800"),
        (|records| records.tumbling_window(Seconds(901)), "a tumbling window of 901 seconds; Lambda takes 0 to 900"),
        (
            |records| (0..6).fold(records, |records, _| records.filter(Filter::data().field("a", ["b"]))),
            "6 filters; Lambda takes up to 5 of a source",
        ),
        (|records| records.filter(Filter::data()), "a filter says nothing; name a field, or leave the filter out"),
        (|records| records.named("not an id"), "the id `not an id` must be a letter, then letters and digits"),
    ];
    for (change, message) in cases {
        let found = problems(|stack| {
            let news = stack.add("News", Stream::on_demand());
            let enrich = stack.add("Enrich", Function::rust(code()));
            stack.trigger(enrich, change(news.records()));
        });
        assert!(found.contains(message), "{message}\nis not in\n{found}");
    }
    let found = problems(|stack| {
        let news = stack.add("News", Stream::on_demand());
        let enrich = stack.add("Enrich", Function::rust(code()));
        stack.trigger(enrich, news.records());
        stack.trigger(enrich, news.records());
    });
    assert!(found.contains("`Enrich` has two sources called `Records`; give one another id with `named`"), "{found}");
}

#[test]
fn what_lambda_refuses_of_a_queue_is_refused() {
    let cases: [(fn(Messages) -> Messages, &str); 6] = [
        (
            |messages| messages.batch(11),
            "a batch of 11 messages needs a window of at least 1 second; up to 10 need none",
        ),
        (
            |messages| messages.in_order().window(Seconds(1)),
            "a queue in order gives up to 10 messages at once; leave out the window and larger batches",
        ),
        (|messages| messages.max_concurrency(1), "a greatest concurrency of 1 calls; Lambda takes 2 to 1000"),
        (
            |messages| messages.max_concurrency(2).pollers(2..=4),
            "a greatest concurrency and pollers exclude each other; leave out one of them",
        ),
        (|messages| messages.pollers(9..=4), "at least 9 and at most 4 pollers; the least is more than the most"),
        (
            |messages| messages.hidden_for(Seconds(2)),
            "the queue hides messages for 2 seconds, and the function may take 3: they would be processed twice; \
             hide them for at least 3, better 18 seconds",
        ),
    ];
    for (change, message) in cases {
        let found = problems(|stack| {
            let queue = queue(stack, "Queue");
            let retry = stack.add("Retry", Function::rust(code()));
            stack.trigger(retry, change(Messages::of(queue, receive(queue))));
        });
        assert!(found.contains(message), "{message}\nis not in\n{found}");
    }
}
