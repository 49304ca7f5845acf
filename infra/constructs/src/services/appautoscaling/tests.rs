use super::*;
use crate::{
    services::{
        sagemaker::{Asynchronous, Endpoint, EndpointConfiguration, Image, Instances, Model, ModelRef, Serverless},
        units::Mib,
    },
    testing::{check_stack, problems},
};

fn model(stack: &mut Stack) -> ModelRef {
    let image = Image::uri("111122223333.dkr.ecr.eu-west-1.amazonaws.com/sentiment:7");
    stack.add("Finbert", Model::container(image))
}

fn on_instances(stack: &mut Stack) -> EndpointRef {
    let model = model(stack);
    stack.add("Sentiment", Endpoint::serving(model).on_instances(Instances::of("ml.m5.large")))
}

fn serverless(stack: &mut Stack, provisioned: Option<u32>) -> EndpointRef {
    let model = model(stack);
    let serverless = Serverless::of(Mib(4096), 20);
    let serverless = provisioned.into_iter().fold(serverless, Serverless::provisioned);
    stack.add("Sentiment", Endpoint::serving(model).serverless(serverless))
}

fn asynchronous(stack: &mut Stack) -> EndpointRef {
    let model = model(stack);
    let configuration = EndpointConfiguration::on_instances(model, Instances::of("ml.m5.large"))
        .asynchronous(Asynchronous::between("s3://news/in", "s3://news/out"));
    stack.add("Archive", Endpoint::configured(configuration))
}

#[test]
fn renderings() {
    check_stack("appautoscaling_instances", |stack| {
        let endpoint = on_instances(stack);
        stack.add("Scaling", Scaling::of(endpoint).between(1, 4).invocations_per_instance(750.0));
    });
    check_stack("appautoscaling_concurrent_requests", |stack| {
        let endpoint = stack.add("Sentiment", Endpoint::existing("sentiment"));
        let scaling = Scaling::of(endpoint.variant("AllTraffic"))
            .between(2, 8)
            .concurrent_requests_per_model(4.0)
            .scale_in_cooldown(Seconds(600))
            .scale_out_cooldown(Seconds(30));
        stack.add("Scaling", scaling);
    });
    check_stack("appautoscaling_serverless", |stack| {
        let endpoint = serverless(stack, Some(2));
        stack.add("Scaling", Scaling::of(endpoint).between(2, 10).utilization(70));
    });
    check_stack("appautoscaling_asynchronous", |stack| {
        let endpoint = asynchronous(stack);
        stack.add("Scaling", Scaling::of(endpoint).between(0, 3).backlog_per_instance(5.0));
    });
    check_stack("appautoscaling_table_and_function", |stack| {
        stack.add("Reads", Scaling::of(Target::table_reads("articles")).between(5, 100).utilization(70));
        stack.add("Writes", Scaling::of(Target::table_writes("articles")).between(5, 50).utilization(70).only_out());
        stack.add(
            "Enrich",
            Scaling::of(Target::provisioned_concurrency("enrich", "live")).between(1, 9).utilization(80),
        );
    });
}

type Make = fn(&mut Stack) -> Scaling;

#[test]
fn scaling_that_cannot_be() {
    let cases: [(Make, &str); 10] = [
        (
            |stack| Scaling::of(on_instances(stack)).between(4, 1).invocations_per_instance(1.0),
            "scaling between 4 and 1",
        ),
        (
            |stack| Scaling::of(on_instances(stack)).between(0, 1).invocations_per_instance(1.0),
            "keeps a capacity of at least 1",
        ),
        (|stack| Scaling::of(on_instances(stack)).between(1, 4), "nothing is tracked"),
        (
            |stack| Scaling::of(on_instances(stack)).invocations_per_instance(0.0),
            "requests per instance is 0; it must be more",
        ),
        (
            |stack| Scaling::of(on_instances(stack)).utilization(50),
            "a variant on instances can't be scaled by utilization",
        ),
        (
            |stack| Scaling::of(on_instances(stack).variant("b")).invocations_per_instance(1.0),
            "no variant `b`; it has primary",
        ),
        (|stack| Scaling::of(serverless(stack, None)).utilization(50), "a serverless endpoint scales by itself"),
        (
            |stack| Scaling::of(serverless(stack, Some(1))).invocations_per_instance(9.0),
            "a serverless variant can't be scaled by requests",
        ),
        (
            |stack| Scaling::of(asynchronous(stack)).invocations_per_instance(9.0),
            "of an asynchronous endpoint can't be scaled",
        ),
        (
            |_| Scaling::of(Target::table_reads("news")).utilization(10),
            "10 % of a table are to be used; the target is 20 to 90",
        ),
    ];
    for (make, expected) in cases {
        let found = problems(|stack| {
            let scaling = make(stack);
            stack.add("Scaling", scaling);
        });
        assert!(found.contains(expected), "{expected}: {found}");
    }
}
