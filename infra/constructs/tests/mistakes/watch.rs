//! Logs, metrics, alarms, dashboards.

use constructs::{
    services::{
        cloudwatch::{Alarm, Dashboard, Graph, Metric},
        logs::{LogGroup, MetricFilter},
        sns::Topic,
        units::{Days, Seconds},
    },
    tree::Raw,
};

use super::{Case, check};

fn errors() -> Metric {
    Metric::new("AWS/Lambda", "Errors").dimension("FunctionName", "enrich")
}

const CASES: &[Case] = &[
    (
        "eight days of logs",
        |stack| {
            stack.add("Logs", LogGroup::new().retention(Days(8)));
        },
        &["Logs: logs are kept 8 days; CloudWatch Logs knows 1, 3, 5, 7, 14, 30"],
    ),
    (
        "eight days of logs, in Raw",
        |stack| {
            let group = Raw::resource("aws_cloudwatch_log_group").terraform("name", "enrich");
            stack.add("Logs", group.terraform("retention_in_days", 8));
        },
        &["Logs: aws_cloudwatch_log_group.retention_in_days: retention_in_days is 8; allowed are 0, 1, 3, 5, 7"],
    ),
    (
        "a pattern that isn't closed",
        |stack| {
            let logs = stack.add("Logs", LogGroup::new());
            stack.add("Gaps", MetricFilter::counting(logs, "{ $.message = \"Gap.\"", "Newsloom", "FeedGaps"));
        },
        &["Gaps: the pattern `{ $.message = \"Gap.\"` starts with `{` and doesn't end with `}`"],
    ),
    (
        "a misspelt metric, and a dimension that it hasn't, on a dashboard and in an alarm",
        |stack| {
            let records = Metric::new("AWS/Kinesis", "IncomingRecord").dimension("StreamName", "news");
            stack.add("Board", Dashboard::new().row([Graph::of("Records", [records]).into()]));
            let bytes = Metric::new("AWS/Kinesis", "IncomingBytes").dimension("Stream", "news");
            stack.add("Silent", Alarm::when(bytes).below(1.0).description("Nothing comes in"));
        },
        &[
            "Board: AWS/Kinesis has no metric `IncomingRecord`; did you mean `IncomingRecords`?",
            "Silent: AWS/Kinesis reports",
        ],
    ),
    (
        "a period of 45 seconds, and of none to look after",
        |stack| {
            stack.add("Failing", Alarm::when(errors().period(Seconds(45))).above(0.0).description("Look at the logs"));
            stack.add("Late", Alarm::when(errors()).above(0.0).for_any(3, 2).description(""));
        },
        &["Failing: the period of AWS/Lambda Errors is 45 seconds", "3 of 2 periods", "an alarm needs a description"],
    ),
    (
        "a period of 45 seconds and a comparison that doesn't exist, in Raw",
        |stack| {
            stack.add(
                "Failing",
                Raw::resource("aws_cloudwatch_metric_alarm")
                    .terraform("alarm_name", "failing")
                    .terraform("comparison_operator", "GreaterThan")
                    .terraform("evaluation_periods", 1)
                    .terraform("period", 45)
                    .terraform("metric_name", "Errors")
                    .terraform("namespace", "AWS/Lambda")
                    .terraform("statistic", "Sum")
                    .terraform("threshold", 1),
            );
        },
        &[
            "period is 45; allowed are 10, 20, 30 and multiples of 60",
            "comparison_operator is \"GreaterThan\"; allowed are",
        ],
    ),
    (
        "telling a topic by its name",
        |stack| {
            let alarms = stack.add("Alarms", Topic::standard());
            let failing = Alarm::when(errors()).above(0.0).description("Look at the logs");
            stack.add("Failing", failing.on_alarm(alarms.name()));
        },
        &["Failing: aws_cloudwatch_metric_alarm.alarm_actions[0]: alarm_actions take ARNs; the reference is a name"],
    ),
    (
        "every minutes",
        |stack| {
            let rule = |rate: &'static str| {
                Raw::resource("aws_cloudwatch_event_rule")
                    .terraform("name", rate.len().to_string())
                    .terraform("schedule_expression", rate)
            };
            stack.add("First", rule("rate(1 minutes)"));
            stack.add("Second", rule("every 5 minutes"));
            stack.add("Third", rule("cron(0 4 * * sun *)"));
        },
        &["is written `rate(1 minute)`", "is no schedule; one is `cron(…)`, `rate(…)` or `at(…)`", "needs a `?`"],
    ),
];

#[test]
fn of_watching_are_answered() {
    check("watch", CASES);
}
