use super::*;
use crate::{
    services::{
        cloudwatch::{Alarm, Expression, Metric, Statistic},
        kinesis::Stream,
        units::Seconds,
    },
    testing::{check_stack, problems},
};

fn errors() -> Metric {
    Metric::new("AWS/Lambda", "Errors").dimension("FunctionName", "enrich").statistic(Statistic::Sum)
}

#[test]
fn renderings() {
    check_stack("cloudwatch_dashboard", |stack| {
        let news = stack.add("News", Stream::on_demand());
        let late = Metric::new("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds")
            .dimension("StreamName", news.name())
            .statistic(Statistic::Maximum)
            .period(Seconds(60))
            .label("Age");
        let alarm = stack.add("Late", Alarm::when(late.clone()).above(60_000.0).description("News are late"));
        let rate = Expression::new("errors / PERIOD(errors)").with("errors", errors()).label("Errors per second");
        let overview = Dashboard::new()
            .row([Note::new("# News").into(), Widget::from(AlarmStatus::of("Alarms", [alarm])).width(6)])
            .row([
                Graph::of("Delay", [late]).right([rate]).from_zero().line(60_000.0, "alarm").into(),
                Graph::numbers("Errors", [errors()]).into(),
                LogQuery::of("Failures", ["/aws/lambda/enrich"], "fields @timestamp, @message | limit 20").into(),
            ]);
        stack.add("Overview", overview);
    });
}

#[test]
fn widgets_share_what_is_left_of_24_columns() {
    let note = || Widget::from(Note::new("x"));
    assert_eq!(widths(&[note(), note(), note()]), [8, 8, 8]);
    assert_eq!(widths(&[note().width(5), note(), note()]), [5, 9, 10]);
}

#[test]
fn what_cloudwatch_refuses_is_a_problem() {
    let other = || Expression::new("errors").with("errors", errors().period(Seconds(60)));
    let cases = [
        (Dashboard::new().row([]), "row 1 is empty"),
        (
            Dashboard::new().row([Widget::from(Note::new("x")).width(20), Widget::from(Note::new("x")).width(8)]),
            "row 1 has 2 widgets that don't fit into 24 columns",
        ),
        (Dashboard::new().row([Graph::of::<Metric>("None", []).into()]), "the graph `None` shows nothing"),
        (Dashboard::new().named("a b"), "the name is `a b`; a dashboard's has up to 255 letters, digits, `-` and `_`"),
        (
            Dashboard::new()
                .row([Graph::of("Two", [Expression::new("errors").with("errors", errors()), other()]).into()]),
            "`errors` stands for two metrics in the graph `Two`",
        ),
    ];
    for (dashboard, message) in cases {
        let found = problems(|stack| {
            stack.add("It", dashboard);
        });
        assert!(found.contains(&format!("It: {message}")), "{found}");
    }
}
