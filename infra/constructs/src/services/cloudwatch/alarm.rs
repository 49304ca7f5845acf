//! Alarms: when a metric crosses a threshold for long enough, somebody is told.

use std::borrow::Cow;

use super::actions::{Actions, action_setters, check_name_and_description};
use super::metric::{Expression, Metric, Series};
use crate::{
    services::units::Seconds,
    tree::{
        Access, Arn, Attribute, Construct, Handle, Lookup, Name, NodeRef, Properties, Pseudo, Ref, Resource, Stack,
        Text, Types, Value,
    },
};

const DAY: u64 = 86_400;
const MOST_METRICS: usize = 10;

/// What a period without data means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missing {
    /// That all is well: for what is counted only when it happens, as errors are. The default, because an
    /// alarm that nothing feeds would otherwise hang in "insufficient data" and be ignored.
    #[default]
    NotBreaching,
    /// That something is wrong: for heartbeats, which report as long as all is well.
    Breaching,
    /// Nothing: the alarm stays as it is.
    Ignore,
    /// That the state isn't known.
    InsufficientData,
}

impl Missing {
    fn word(self) -> &'static str {
        match self {
            Self::NotBreaching => "notBreaching",
            Self::Breaching => "breaching",
            Self::Ignore => "ignore",
            Self::InsufficientData => "missing",
        }
    }
}

/// A metric that waits for its threshold, see [`Alarm::when`].
#[derive(Debug, Clone)]
pub struct When(Series);

impl When {
    /// Alarms above the threshold.
    pub fn above(self, threshold: f64) -> Alarm {
        self.compared("GreaterThanThreshold", Against::Threshold(threshold))
    }

    /// Alarms at the threshold and above.
    pub fn at_least(self, threshold: f64) -> Alarm {
        self.compared("GreaterThanOrEqualToThreshold", Against::Threshold(threshold))
    }

    /// Alarms below the threshold.
    pub fn below(self, threshold: f64) -> Alarm {
        self.compared("LessThanThreshold", Against::Threshold(threshold))
    }

    /// Alarms at the threshold and below.
    pub fn at_most(self, threshold: f64) -> Alarm {
        self.compared("LessThanOrEqualToThreshold", Against::Threshold(threshold))
    }

    /// Alarms outside the band that CloudWatch learned from two weeks of data, so many standard deviations
    /// wide on each side; 2 is usual. Metrics only.
    pub fn unusual(self, deviations: f64) -> Alarm {
        self.compared("LessThanLowerOrGreaterThanUpperThreshold", Against::Band(deviations))
    }

    /// Alarms above the band that CloudWatch learned. See [`When::unusual`].
    pub fn unusually_high(self, deviations: f64) -> Alarm {
        self.compared("GreaterThanUpperThreshold", Against::Band(deviations))
    }

    /// Alarms below the band that CloudWatch learned. See [`When::unusual`].
    pub fn unusually_low(self, deviations: f64) -> Alarm {
        self.compared("LessThanLowerThreshold", Against::Band(deviations))
    }

    fn compared(self, operator: &'static str, against: Against) -> Alarm {
        Alarm {
            series: self.0,
            operator,
            against,
            breaching: 1,
            periods: 1,
            missing: Missing::default(),
            description: Cow::Borrowed(""),
            actions: Actions::default(),
            name: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Against {
    Threshold(f64),
    Band(f64),
}

/// An alarm on a metric or an expression.
///
/// It has to say what it means and what to do: whoever is woken up by it reads nothing else.
///
/// ```
/// use constructs::{services::{cloudwatch::{Alarm, Metric, Statistic}, kinesis::Stream, units::Seconds}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let news = stack.add("News", Stream::on_demand());
/// let age = Metric::new("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds")
///     .dimension("StreamName", news.name())
///     .statistic(Statistic::Maximum)
///     .period(Seconds(60));
/// let late = Alarm::when(age).above(60_000.0).for_periods(5).description("News are read a minute late: see the enrich log");
/// let late = stack.add("Late", late);
/// stack.output("LateArn", late.arn());
/// ```
#[derive(Debug, Clone)]
pub struct Alarm {
    series: Series,
    operator: &'static str,
    against: Against,
    breaching: u32,
    periods: u32,
    missing: Missing,
    description: Cow<'static, str>,
    actions: Actions,
    name: Option<Text>,
}

impl Alarm {
    /// An alarm on a [`Metric`] or an [`Expression`]; the threshold comes next: `.above(60_000.0)`.
    pub fn when(series: impl Into<Series>) -> When {
        When(series.into())
    }

    /// Alarms when so many periods in a row breach the threshold. Defaults to 1. All of them together last at
    /// most a day, or a week where a period is an hour or longer.
    pub fn for_periods(self, periods: u32) -> Self {
        self.for_any(periods, periods)
    }

    /// Alarms when any `breaching` of the last `periods` breach the threshold: `for_any(2, 3)`.
    pub fn for_any(mut self, breaching: u32, periods: u32) -> Self {
        self.breaching = breaching;
        self.periods = periods;
        self
    }

    /// What a period without data means. Defaults to [`Missing::NotBreaching`]; a heartbeat wants
    /// [`Missing::Breaching`].
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    /// What the alarm means and what to do about it, up to 1024 characters. Required.
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = description.into();
        self
    }

    /// Another name than the one made from the path; up to 255 characters.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// An alarm that is managed elsewhere, by name, in this region and account.
    pub fn existing(name: impl Into<Text>) -> ExistingAlarm {
        ExistingAlarm(name.into())
    }

    fn report_problems(&self, stack: &mut Stack) {
        self.series.report_problems(stack);
        self.actions.report_problems(stack);
        check_name_and_description(self.name.as_ref(), &self.description, stack);
        let (breaching, periods) = (self.breaching, self.periods);
        if breaching == 0 || breaching > periods {
            stack.problem(format!("{breaching} of {periods} periods; it is at least 1, and at most all of them"));
        }
        let Seconds(period) = self.series.period();
        let window = u64::from(period) * u64::from(periods);
        let longest = if period < 3600 { DAY } else { 7 * DAY };
        if window > longest {
            stack.problem(format!(
                "{periods} periods of {period} seconds are {window} seconds; CloudWatch looks back {longest} at most"
            ));
        }
        match (&self.series, self.against) {
            (Series::Expression(_), Against::Band(_)) => {
                stack.problem("a band is learned from a metric, not from an expression");
            }
            (Series::Expression(expression), _) if expression.metrics.len() > MOST_METRICS => {
                let metrics = expression.metrics.len();
                stack.problem(format!("the expression has {metrics} metrics; an alarm takes up to {MOST_METRICS}"));
            }
            (Series::Metric(_), Against::Band(deviations)) if deviations <= 0.0 => {
                stack.problem(format!("a band {deviations} standard deviations wide; it has to be more than 0"));
            }
            _ => {}
        }
    }
}

action_setters!(Alarm);

impl Construct for Alarm {
    type Handle = AlarmRef;

    fn build(mut self, stack: &mut Stack) -> AlarmRef {
        self.report_problems(stack);
        self.name.get_or_insert_with(|| stack.physical_name().into());
        AlarmRef { node: stack.resource(self) }
    }
}

/// See [`Alarm::existing`].
#[derive(Debug, Clone)]
pub struct ExistingAlarm(Text);

impl Construct for ExistingAlarm {
    type Handle = AlarmRef;

    fn build(self, stack: &mut Stack) -> AlarmRef {
        let arn = Text::from("arn:") + Pseudo::Partition + ":cloudwatch:" + Pseudo::Region + ":" + Pseudo::Account;
        // There is no data source for alarms, and none is needed: both attributes are known.
        let lookup = Lookup::new("aws_cloudwatch_metric_alarm", "AWS::CloudWatch::Alarm")
            .known(NAME, &self.0)
            .known(ARN, arn + ":alarm:" + &self.0);
        AlarmRef { node: lookup.build(stack) }
    }
}

// ---------------------------------------------------------------------------------------------------

/// An [`Alarm`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct AlarmRef {
    node: NodeRef,
}

const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));
const NAME: Attribute = Attribute::name("alarm_name", Access::Ref);

impl AlarmRef {
    /// The alarm's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The alarm's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, NAME)
    }
}

impl Handle for AlarmRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Alarm {
    fn types(&self) -> Types {
        Types::new("cloudwatch", "aws_cloudwatch_metric_alarm", "AWS::CloudWatch::Alarm")
    }

    fn cloudformation(&self) -> Properties {
        let properties = Properties::default()
            .set_some("AlarmName", self.name.as_ref())
            .set("AlarmDescription", self.description.to_string());
        let properties = match (&self.series, self.against) {
            (Series::Metric(metric), Against::Threshold(_)) => {
                let plain = metric.statistic.is_plain();
                let word = metric.statistic.word().into_owned();
                properties
                    .set("Namespace", metric.namespace.to_string())
                    .set("MetricName", metric.name.to_string())
                    .set_filled("Dimensions", dimension_list(metric))
                    .set(if plain { "Statistic" } else { "ExtendedStatistic" }, word)
                    .set("Period", metric.period)
            }
            (series, against) => {
                properties.set("Metrics", queries(series, against, cloudformation_metric, CLOUDFORMATION))
            }
        };
        let properties = match self.against {
            Against::Threshold(threshold) => properties.set("Threshold", number(threshold)),
            Against::Band(_) => properties.set("ThresholdMetricId", "band"),
        };
        let properties = properties
            .set("ComparisonOperator", self.operator)
            .set("EvaluationPeriods", self.periods)
            .set("DatapointsToAlarm", self.breaching)
            .set("TreatMissingData", self.missing.word());
        self.actions.cloudformation(properties)
    }

    fn terraform(&self) -> Properties {
        let properties = Properties::default()
            .set_some("alarm_name", self.name.as_ref())
            .set("alarm_description", self.description.to_string());
        let properties = match (&self.series, self.against) {
            (Series::Metric(metric), Against::Threshold(_)) => {
                let plain = metric.statistic.is_plain();
                let word = metric.statistic.word().into_owned();
                properties
                    .set("namespace", metric.namespace.to_string())
                    .set("metric_name", metric.name.to_string())
                    .set_filled("dimensions", dimension_map(metric))
                    .set(if plain { "statistic" } else { "extended_statistic" }, word)
                    .set("period", metric.period)
            }
            (series, against) => properties.set("metric_query", queries(series, against, terraform_metric, TERRAFORM)),
        };
        let properties = match self.against {
            Against::Threshold(threshold) => properties.set("threshold", number(threshold)),
            Against::Band(_) => properties.set("threshold_metric_id", "band"),
        };
        let properties = properties
            .set("comparison_operator", self.operator)
            .set("evaluation_periods", self.periods)
            .set("datapoints_to_alarm", self.breaching)
            .set("treat_missing_data", self.missing.word());
        self.actions.terraform(properties)
    }
}

/// The words of a query: id, expression, label, whether the alarm looks at it.
type Words = [&'static str; 4];
const CLOUDFORMATION: Words = ["Id", "Expression", "Label", "ReturnData"];
const TERRAFORM: Words = ["id", "expression", "label", "return_data"];

fn queries(series: &Series, against: Against, of: fn(&Metric, Properties) -> Properties, words: Words) -> Value {
    let [id, expression, label, looked_at] = words;
    let metric = |name: &'static str, metric: &Metric, seen: bool| {
        of(metric, Properties::default().set(id, name)).set(looked_at, seen)
    };
    match (series, against) {
        (Series::Expression(Expression { text, metrics, label: named, .. }), _) => {
            let own = Properties::default()
                .set(id, "result")
                .set(expression, text.to_string())
                .set(label, named.as_ref().unwrap_or(text).to_string())
                .set(looked_at, true);
            let metrics = metrics.iter().map(|(name, of)| metric(name, of, false));
            Value::list(std::iter::once(own).chain(metrics))
        }
        (Series::Metric(of), Against::Band(deviations)) => {
            let band = Properties::default()
                .set(id, "band")
                .set(expression, format!("ANOMALY_DETECTION_BAND(metric, {deviations})"))
                .set(label, "What is usual")
                .set(looked_at, true);
            Value::list([band, metric("metric", of, true)])
        }
        (Series::Metric(of), Against::Threshold(_)) => Value::list([metric("metric", of, true)]),
    }
}

fn cloudformation_metric(metric: &Metric, query: Properties) -> Properties {
    let named = Properties::default()
        .set("Namespace", metric.namespace.to_string())
        .set("MetricName", metric.name.to_string())
        .set_filled("Dimensions", dimension_list(metric));
    let measured = Properties::default()
        .set("Metric", named)
        .set("Stat", metric.statistic.word().into_owned())
        .set("Period", metric.period);
    query.set("MetricStat", measured)
}

fn terraform_metric(metric: &Metric, query: Properties) -> Properties {
    let measured = Properties::default()
        .set("namespace", metric.namespace.to_string())
        .set("metric_name", metric.name.to_string())
        .set_filled("dimensions", dimension_map(metric))
        .set("stat", metric.statistic.word().into_owned())
        .set("period", metric.period);
    query.set("metric", measured)
}

fn dimension_list(metric: &Metric) -> Value {
    let each = metric.dimensions.iter();
    Value::list(each.map(|(name, value)| Properties::default().set("Name", name.to_string()).set("Value", value)))
}

fn dimension_map(metric: &Metric) -> Properties {
    metric.dimensions.iter().map(|(name, value)| (name.clone(), value)).collect()
}

/// A whole number is written without a fraction.
pub(super) fn number(value: f64) -> Value {
    let whole = value.fract() == 0.0 && value.abs() < 9e15;
    #[allow(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
    if whole { Value::Integer(value as i64) } else { Value::Number(value) }
}

#[cfg(test)]
mod tests;
