use super::*;
use crate::{
    services::{cloudwatch::Statistic, kinesis::Stream},
    testing::{check, check_stack, problems},
};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:alarms";

fn errors() -> Metric {
    Metric::new("AWS/Lambda", "Errors")
        .dimension("FunctionName", "enrich")
        .statistic(Statistic::Sum)
        .period(Seconds(60))
}

fn calls() -> Metric {
    Metric::new("AWS/Lambda", "Invocations")
        .dimension("FunctionName", "enrich")
        .statistic(Statistic::Sum)
        .period(Seconds(60))
}

fn rate() -> Expression {
    Expression::new("100 * errors / calls").with("errors", errors()).with("calls", calls())
}

#[test]
fn renderings() {
    check_stack("cloudwatch_alarm", |stack| {
        let news = stack.add("News", Stream::on_demand());
        let age = Metric::new("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds")
            .dimension("StreamName", news.name())
            .statistic(Statistic::Maximum)
            .period(Seconds(60));
        let late = Alarm::when(age).above(60_000.0).for_any(3, 5).description("News are read late").notify(TOPIC);
        let late = stack.add("Late", late);
        stack.output("LateArn", late.arn());
    });
    let heartbeat = Metric::new("Newsloom", "Heartbeat").statistic(Statistic::SampleCount).period(Seconds(10));
    let silent = Alarm::when(heartbeat)
        .below(1.0)
        .for_periods(3)
        .missing(Missing::Breaching)
        .description("The ingester is silent: look at its journal")
        .on_alarm(TOPIC)
        .on_insufficient_data(TOPIC)
        .named("ingester-silent");
    check("cloudwatch_alarm_heartbeat", silent);
    let slow = Metric::new("AWS/SageMaker", "ModelLatency")
        .dimension("EndpointName", "finbert")
        .dimension("VariantName", "AllTraffic")
        .statistic(Statistic::Percentile(99.0));
    check("cloudwatch_alarm_percentile", Alarm::when(slow).at_least(2_500_000.5).description("The model is slow"));
    check(
        "cloudwatch_alarm_expression",
        Alarm::when(rate().label("Errors, %")).above(5.0).description("Too many fail"),
    );
    check("cloudwatch_alarm_unusual", Alarm::when(calls()).unusual(2.0).for_periods(3).description("Traffic is odd"));
}

#[test]
fn what_cloudwatch_refuses_is_a_problem() {
    let says = |alarm: Alarm| alarm.description("What to do");
    let cases = [
        (Alarm::when(errors()).above(0.0), "an alarm needs a description: what it means, and what to do"),
        (
            says(Alarm::when(errors()).above(0.0).for_any(3, 2)),
            "3 of 2 periods; it is at least 1, and at most all of them",
        ),
        (
            says(Alarm::when(errors()).above(0.0).for_periods(2000)),
            "2000 periods of 60 seconds are 120000 seconds; CloudWatch looks back 86400 at most",
        ),
        (
            says(Alarm::when(errors().period(Seconds(45))).above(0.0)),
            "the period of AWS/Lambda Errors is 45 seconds; it is 10, 20, 30 or a multiple of 60",
        ),
        (
            says(Alarm::when(errors().period(Seconds(10))).above(0.0)),
            "the period of AWS/Lambda Errors is 10 seconds; AWS measures every 60 or more",
        ),
        (says(Alarm::when(rate()).unusual(2.0)), "a band is learned from a metric, not from an expression"),
        (
            says(Alarm::when(Expression::new("a + b").with("a", errors())).above(0.0)),
            "`b` is used in `a + b` and stands for nothing; say what with `.with(…)`",
        ),
        (
            says(Alarm::when(Expression::new("a").with("a", errors()).with("b", errors())).above(0.0)),
            "`b` is given and not used in `a`",
        ),
        (
            says(Alarm::when(Metric::new("AWS/Kinesis", "IncomingRecord").dimension("StreamName", "news")).above(0.0)),
            "AWS/Kinesis has no metric `IncomingRecord`; did you mean `IncomingRecords`?",
        ),
    ];
    for (alarm, message) in cases {
        let found = problems(|stack| {
            stack.add("It", alarm);
        });
        assert!(found.contains(&format!("It: {message}")), "{found}");
    }
}
