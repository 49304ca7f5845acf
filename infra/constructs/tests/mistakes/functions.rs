//! Functions, what calls them, models, endpoints, brokers.

use constructs::{
    services::{
        appautoscaling::Scaling,
        iam::{Role, Service},
        kinesis::Stream,
        lambda::{Code, Filter, Function, LayerVersion, Permission},
        mq::{Broker, Instance, User, Version},
        sagemaker::{Endpoint, HubModel, Instances, Model, ModelRef, Serverless},
        secretsmanager::{PasswordRules, Secret},
        sqs::Queue,
        units::{Mib, Seconds},
    },
    tree::{Other, Parameter, Raw, Stack},
};

use super::{Case, check, map};

fn enrich() -> Function {
    Function::rust(Code::object("newsloom-code", "enrich.zip"))
}

fn finbert(stack: &mut Stack) -> ModelRef {
    stack.add("Finbert", Model::hugging_face(HubModel::new("ProsusAI/finbert")))
}

fn user(stack: &mut Stack) -> User {
    User::new("newsloom", stack.add("Login", Secret::generated("newsloom", PasswordRules::default())))
}

const FUNCTIONS: &[Case] = &[
    (
        "too little memory, too much time",
        |stack| {
            stack.add("Enrich", enrich().memory(Mib(64)).timeout(Seconds(1000)));
        },
        &["Enrich: memory is 64 MiB; Lambda gives 128 to 10240 MiB", "timeout is 1000 seconds; Lambda gives 1 to 900"],
    ),
    (
        "a reserved name in the environment",
        |stack| {
            stack.add("Enrich", enrich().environment([("AWS_REGION", "eu-west-1")]));
        },
        &["Enrich: the environment variable `AWS_REGION` is set by Lambda itself; choose another name"],
    ),
    (
        "the same in an override of CloudFormation",
        |stack| {
            let enrich = stack.add("Enrich", enrich());
            stack.override_cloudformation(
                enrich,
                "Environment",
                map([("Variables", map([("AWS_REGION", "x".into())]))]),
            );
        },
        &["AWS::Lambda::Function.Environment.Variables.AWS_REGION: the environment variable `AWS_REGION` is set by"],
    ),
    (
        "secrets in the environment: a parameter, a password, an access key",
        |stack| {
            let token = stack.add("Token", Parameter::new("The feed's").sensitive()).value::<Other>();
            let function = enrich().environment([("FEED", token)]);
            let literals = [("DB_PASSWORD", "hunter2hunter2"), ("CALLER", "AKIAIOSFODNN7EXAMPLE")];
            stack.add("Enrich", function.environment(literals));
        },
        &["`FEED` holds a secret", "`DB_PASSWORD` holds a secret", "`CALLER` holds a secret", "give the secret's ARN"],
    ),
    (
        "another tool's references in strings",
        |stack| {
            let variables = [("STREAM", "${aws_kinesis_stream.news.name}"), ("WHERE", "${AWS::Region}")];
            stack.add("Enrich", enrich().environment(variables));
        },
        &["`${aws_kinesis_stream.news.name}` is written as it stands", "`${AWS::Region}` is written as it stands"],
    ),
    (
        "a role that Lambda can't assume, in a function and in Raw",
        |stack| {
            let role = stack.add("Role", Role::of(Service::EC2));
            stack.add("Enrich", enrich().running_as(role));
            stack.add(
                "Publish",
                Raw::resource("aws_lambda_function")
                    .terraform("function_name", "publish")
                    .terraform("role", role.arn())
                    .terraform("handler", "bootstrap")
                    .terraform("runtime", "provided.al2024")
                    .terraform("s3_bucket", "newsloom-code")
                    .terraform("s3_key", "publish.zip"),
            );
        },
        &[
            "Enrich: lambda.amazonaws.com can't assume the role `Role`",
            "Publish: aws_lambda_function.role: lambda.amazonaws.com can't assume the role `Role`",
            "runtime is \"provided.al2024\"; allowed are provided.al2023",
        ],
    ),
    (
        "a role by its name where Lambda takes its ARN",
        |stack| {
            let role = stack.add("Role", Role::of(Service::LAMBDA));
            let enrich = stack.add("Enrich", enrich());
            stack.override_terraform(enrich, "role", role.name());
        },
        &["Enrich: aws_lambda_function.role: role takes an ARN; the reference is a name"],
    ),
    (
        "six layers, one of them a name; layers of an image",
        |stack| {
            let layer = |number| format!("arn:aws:lambda:eu-west-1:111122223333:layer:tls:{number}");
            let many = (1..6).fold(enrich().layer("my-layer"), |function, number| function.layer(layer(number)));
            stack.add("Enrich", many);
            stack.add("Publish", Function::image("111122223333.dkr.ecr.eu-west-1.amazonaws.com/p:1").layer(layer(1)));
            stack.add("Tls", LayerVersion::of(Code::object("newsloom-code", "tls.zip")));
        },
        &["6 layers; Lambda takes up to 5", "is \"my-layer\"; an ARN is needed", "an image takes no layers"],
    ),
    (
        "in a VPC without subnets",
        |stack| {
            stack.add("Enrich", enrich().in_vpc([], []));
        },
        &["Enrich: 0 subnets; a function in a VPC has 1 to 16"],
    ),
    (
        "batches, windows and retries out of range, a filter of nothing",
        |stack| {
            let news = stack.add("News", Stream::on_demand());
            let enrich = stack.add("Enrich", enrich());
            let records = news.records().batch(20_000).window(Seconds(400)).parallelization(11).max_age(Seconds(30));
            stack.trigger(enrich, records.filter(Filter::data()));
        },
        &[
            "Enrich/Records: a batch of 20000 records; Lambda takes 1 to 10000",
            "a window of 400 seconds; Lambda takes 0 to 300",
            "a parallelization of 11 batches; Lambda takes 1 to 10",
            "a greatest age of 30 seconds; Lambda takes 60 to 604800",
            "a filter says nothing",
        ],
    ),
    (
        "one stream twice",
        |stack| {
            let news = stack.add("News", Stream::on_demand());
            let enrich = stack.add("Enrich", enrich());
            stack.trigger(enrich, news.records());
            stack.trigger(enrich, news.records());
        },
        &["`Enrich` has two sources called `Records`"],
    ),
    (
        "a queue that gives messages again while they are worked on",
        |stack| {
            let queue = stack.add("Retries", Queue::standard().visibility(Seconds(30)));
            let retry = stack.add("Retry", enrich().timeout(Seconds(60)));
            stack.trigger(retry, queue.messages());
        },
        &["the queue hides messages for 30 seconds, and the function may take 60"],
    ),
    (
        "nowhere to start reading, and a place that isn't one, in Raw",
        |stack| {
            let enrich = stack.add("Enrich", enrich());
            let news = stack.add("News", Stream::on_demand());
            let mapping = || Raw::resource("aws_lambda_event_source_mapping").terraform("function_name", enrich.name());
            stack.add("First", mapping().terraform("event_source_arn", news.arn()));
            let second = mapping().terraform("event_source_arn", news.arn()).terraform("starting_position", "NEWEST");
            stack.add("Second", second);
        },
        &[
            "First: aws_lambda_event_source_mapping.starting_position: starting_position is missing",
            "allowed are LATEST",
        ],
    ),
    (
        "a caller that isn't a service, and a source that is no ARN",
        |stack| {
            let enrich = stack.add("Enrich", enrich());
            stack.add("Nightly", Permission::of(enrich).to_service("event.amazonaws.com").from("nightly"));
        },
        &["did you mean `events.amazonaws.com`?", "source_arn is \"nightly\"; an ARN is needed"],
    ),
    (
        "a permission for anyone, and a misspelt action in Raw",
        |stack| {
            let enrich = stack.add("Enrich", enrich());
            stack.add("Anyone", Permission::of(enrich).to_service("events.amazonaws.com"));
            stack.add(
                "Uploads",
                Raw::resource("aws_lambda_permission")
                    .terraform("function_name", enrich.name())
                    .terraform("action", "lambda:InvokeFuntion")
                    .terraform("principal", "s3.amazonaws.com"),
            );
        },
        &["Anyone: the service could call the function for anyone", "did you mean `lambda:InvokeFunction`?"],
    ),
    (
        "a function that may call itself",
        |stack| {
            let enrich = stack.add("Enrich", enrich());
            stack.grant(enrich, enrich.invoke());
        },
        &["refers to itself in a circle: "],
    ),
];

const MODELS: &[Case] = &[
    (
        "memory in odd steps, too many requests, more kept warm than allowed",
        |stack| {
            let model = finbert(stack);
            let serverless = Serverless::of(Mib(3000), 300).provisioned(400);
            stack.add("Sentiment", Endpoint::serving(model).serverless(serverless));
        },
        &[
            "3000 MiB; SageMaker takes 1024 to 6144 in steps of 1024",
            "maximum concurrency is 300; SageMaker takes 1 to 200",
        ],
    ),
    (
        "an instance type of EC2, and none of them",
        |stack| {
            let model = finbert(stack);
            stack.add("Sentiment", Endpoint::serving(model).on_instances(Instances::of("m5.large").count(0)));
        },
        &["the instance type `m5.large` must be like `ml.m5.xlarge`", "a variant starts with at least 1 instance"],
    ),
    (
        "scaling what scales by itself, and by what it has not",
        |stack| {
            let model = finbert(stack);
            let sentiment = stack.add("Sentiment", Endpoint::serving(model).serverless(Serverless::of(Mib(4096), 10)));
            stack.add("Scaling", Scaling::of(sentiment).between(1, 4).invocations_per_instance(60.0));
        },
        &["Scaling: a serverless endpoint scales by itself"],
    ),
    (
        "scaling from four to one",
        |stack| {
            let model = finbert(stack);
            let sentiment = stack.add("Sentiment", Endpoint::serving(model).on_instances(Instances::of("ml.m5.large")));
            stack.add("Scaling", Scaling::of(sentiment).between(4, 1).invocations_per_instance(0.0));
        },
        &["scaling between 4 and 1; the least must not exceed the most", "it must be more than 0"],
    ),
    (
        "instances and serverless in one variant, in Raw",
        |stack| {
            let variant = map([
                ("model_name", "finbert".into()),
                ("instance_type", "ml.m5.large".into()),
                ("initial_instance_count", 1.into()),
                ("serverless_config", map([("memory_size_in_mb", 2048.into()), ("max_concurrency", 5.into())])),
            ]);
            let raw = Raw::resource("aws_sagemaker_endpoint_configuration").terraform("name", "sentiment");
            stack.add("Configuration", raw.terraform("production_variants", variant));
        },
        &["instance_type and serverless_config exclude each other"],
    ),
    (
        "a model of the hub in a container without network, with a token in clear",
        |stack| {
            let model =
                Model::hugging_face(HubModel::new("ProsusAI finbert")).isolated().environment("HF_TOKEN", "hf_abc");
            stack.add("Finbert", model);
        },
        &[
            "must be `owner/name`",
            "an isolated container can't fetch a model from the hub",
            "would show a token in clear",
        ],
    ),
    (
        "a version that doesn't run on the instance, a group for a public broker, a time of day",
        |stack| {
            let user = user(stack);
            let broker = Broker::rabbitmq(Version::V4_2, user).public().instance(Instance::M5_LARGE);
            let day = constructs::services::mq::Day::Sunday;
            stack.add("Broker", broker.guarded_by_existing("sg-0a1b2c3d").maintenance(day, "3 am", "UTC"));
        },
        &[
            "Broker: RabbitMQ 4.2 on mq.m5.large; it runs on mq.m7g only",
            "security groups don't apply to a public broker",
            "the maintenance time is `3 am`; it is written hh:mm",
        ],
    ),
    (
        "ActiveMQ's mode for RabbitMQ, and two subnets for one node, in Raw",
        |stack| {
            let broker = |mode: &'static str| {
                Raw::resource("aws_mq_broker")
                    .terraform("broker_name", mode)
                    .terraform("engine_type", "RabbitMQ")
                    .terraform("engine_version", "3.13")
                    .terraform("host_instance_type", "mq.m5.large")
                    .terraform("deployment_mode", mode)
                    .terraform("subnet_ids", ["subnet-0a1b2c3d", "subnet-1a1b2c3d"])
                    .terraform("user", map([("username", "news".into()), ("password", "twelve-letters".into())]))
            };
            stack.add("Pair", broker("ACTIVE_STANDBY_MULTI_AZ"));
            stack.add("One", broker("SINGLE_INSTANCE"));
        },
        &["RabbitMQ has SINGLE_INSTANCE and CLUSTER_MULTI_AZ", "2 subnets are given; a SINGLE_INSTANCE broker is in 1"],
    ),
    (
        "a broker's deployment mode and user that don't exist, in an override",
        |stack| {
            let user = user(stack);
            let broker = stack.add("Broker", Broker::rabbitmq(Version::V4_2, user).single("subnet-0a1b2c3d"));
            stack.override_terraform(broker, "deployment_mode", "CLUSTER");
            stack.override_cloudformation(broker, "Users", [map([("Username", "a".into()), ("Password", "x".into())])]);
        },
        &["deployment_mode is \"CLUSTER\"; allowed are CLUSTER_MULTI_AZ", "Users[0].Username"],
    ),
];

#[test]
fn of_functions_are_answered() {
    check("functions", FUNCTIONS);
}

#[test]
fn of_models_and_brokers_are_answered() {
    check("models", MODELS);
}
