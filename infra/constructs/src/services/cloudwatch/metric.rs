//! What is measured: metrics, and expressions of them.

use std::borrow::Cow;

use super::known;
use crate::{
    services::units::Seconds,
    tree::{Properties, Pseudo, Stack, Text, Value},
};

/// How the data points of a period become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// The mean.
    Average,
    /// The largest.
    Maximum,
    /// The smallest.
    Minimum,
    /// All of them added.
    Sum,
    /// How many there are.
    SampleCount,
    /// What so many percent stay below: `Percentile(99.0)` is `p99`.
    Percentile(f64),
    /// The mean without what is above that percentile: `TrimmedMean(99.0)` is `tm99`.
    TrimmedMean(f64),
    /// The mean of the middle half.
    InterquartileMean,
}

impl Statistic {
    pub(super) fn word(self) -> Cow<'static, str> {
        match self {
            Self::Average => "Average".into(),
            Self::Maximum => "Maximum".into(),
            Self::Minimum => "Minimum".into(),
            Self::Sum => "Sum".into(),
            Self::SampleCount => "SampleCount".into(),
            Self::Percentile(percent) => format!("p{percent}").into(),
            Self::TrimmedMean(percent) => format!("tm{percent}").into(),
            Self::InterquartileMean => "IQM".into(),
        }
    }

    /// Whether alarms take it as a plain statistic, not an extended one.
    pub(super) fn is_plain(self) -> bool {
        !matches!(self, Self::Percentile(_) | Self::TrimmedMean(_) | Self::InterquartileMean)
    }
}

/// A metric: what is measured, of whom, and how it is summed up. An average over five minutes unless said
/// otherwise.
///
/// Names and dimensions of AWS's own namespaces are checked: a misspelt metric has no data, so its alarm
/// would never say anything.
///
/// ```
/// use constructs::{services::{cloudwatch::{Metric, Statistic}, kinesis::Stream, units::Seconds}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let news = stack.add("News", Stream::on_demand());
/// let age = Metric::new("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds")
///     .dimension("StreamName", news.name())
///     .statistic(Statistic::Maximum)
///     .period(Seconds(60));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    pub(super) namespace: Cow<'static, str>,
    pub(super) name: Cow<'static, str>,
    pub(super) dimensions: Vec<(Cow<'static, str>, Text)>,
    pub(super) statistic: Statistic,
    pub(super) period: Seconds,
    label: Option<Cow<'static, str>>,
    color: Option<&'static str>,
    checked: bool,
}

impl Metric {
    /// A metric of a namespace: `AWS/Kinesis` and the like, or one of our own.
    pub fn new(namespace: impl Into<Cow<'static, str>>, name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            dimensions: Vec::new(),
            statistic: Statistic::Average,
            period: Seconds(300),
            label: None,
            color: None,
            checked: true,
        }
    }

    /// Of whom: `StreamName`, a name. A metric is found only with exactly its dimensions, up to 30.
    pub fn dimension(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Text>) -> Self {
        self.dimensions.push((name.into(), value.into()));
        self
    }

    /// How a period's data points become one. Defaults to the average.
    pub fn statistic(mut self, statistic: Statistic) -> Self {
        self.statistic = statistic;
        self
    }

    /// How long a period is: 10, 20, 30 or a multiple of 60 seconds. Defaults to 300. Less than 60 is only for
    /// metrics of our own that are sent in high resolution.
    pub fn period(mut self, period: Seconds) -> Self {
        self.period = period;
        self
    }

    /// What a graph calls it. Defaults to its name.
    pub fn label(mut self, label: impl Into<Cow<'static, str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Its colour in a graph, as `#d62728`.
    pub fn color(mut self, color: &'static str) -> Self {
        self.color = Some(color);
        self
    }

    /// Doesn't check name and dimensions: for metrics that AWS added later.
    pub fn unchecked(mut self) -> Self {
        self.checked = false;
        self
    }

    fn report_problems(&self, stack: &mut Stack) {
        let Seconds(period) = self.period;
        let named = format!("{} {}", self.namespace, self.name);
        if !matches!(period, 10 | 20 | 30) && (period == 0 || period % 60 != 0) {
            stack.problem(format!("the period of {named} is {period} seconds; it is 10, 20, 30 or a multiple of 60"));
        }
        let own = !self.namespace.starts_with("AWS/");
        if !own && period < 60 && period != 0 {
            stack.problem(format!("the period of {named} is {period} seconds; AWS measures every 60 or more"));
        }
        if self.dimensions.len() > 30 {
            stack.problem(format!("{named} has {} dimensions; a metric has up to 30", self.dimensions.len()));
        }
        if let Statistic::Percentile(percent) | Statistic::TrimmedMean(percent) = self.statistic
            && !(0.0..=100.0).contains(&percent)
        {
            stack.problem(format!("a percentile of {percent}; it is 0 to 100"));
        }
        if self.checked
            && let Some(message) = known::problem(self)
        {
            stack.problem(message);
        }
    }

    /// One line of a graph: namespace, name, dimensions, then what else there is to say.
    fn graphed(&self, options: Properties) -> Value {
        let mut line: Vec<Value> =
            vec![self.namespace.clone().into_owned().into(), self.name.clone().into_owned().into()];
        for (name, value) in &self.dimensions {
            line.push(name.clone().into_owned().into());
            line.push(value.into());
        }
        let options = options
            .set("stat", self.statistic.word().into_owned())
            .set("period", self.period)
            .set_some("label", self.label.clone().map(Cow::into_owned))
            .set_some("color", self.color);
        line.push(options.into());
        Value::List(line)
    }
}

/// Metric math: an expression of metrics, each under a name that starts with a small letter.
///
/// ```
/// use constructs::services::cloudwatch::{Expression, Metric, Statistic};
/// let errors = Metric::new("AWS/Lambda", "Errors").dimension("FunctionName", "enrich").statistic(Statistic::Sum);
/// let calls = Metric::new("AWS/Lambda", "Invocations").dimension("FunctionName", "enrich").statistic(Statistic::Sum);
/// let rate = Expression::new("100 * errors / calls").with("errors", errors).with("calls", calls).label("Errors, %");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    pub(super) text: Cow<'static, str>,
    pub(super) metrics: Vec<(&'static str, Metric)>,
    pub(super) label: Option<Cow<'static, str>>,
    color: Option<&'static str>,
}

impl Expression {
    /// An expression in CloudWatch's words: `100 * errors / calls`, `FILL(age, 0)`.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), metrics: Vec::new(), label: None, color: None }
    }

    /// What a name in the expression stands for.
    pub fn with(mut self, name: &'static str, metric: Metric) -> Self {
        self.metrics.push((name, metric));
        self
    }

    /// What a graph calls it. Defaults to the expression.
    pub fn label(mut self, label: impl Into<Cow<'static, str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Its colour in a graph, as `#d62728`.
    pub fn color(mut self, color: &'static str) -> Self {
        self.color = Some(color);
        self
    }

    fn report_problems(&self, stack: &mut Stack) {
        for (name, metric) in &self.metrics {
            metric.report_problems(stack);
            let word = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
            if !word || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
                stack.problem(format!(
                    "`{name}` can't be used in an expression; a name is a small letter, then letters, digits and `_`"
                ));
            }
            if self.metrics.iter().filter(|(other, _)| other == name).count() > 1 {
                stack.problem(format!("`{name}` stands for two metrics in `{}`", self.text));
            }
        }
        let used = names_in(&self.text);
        for name in used.iter().filter(|name| !self.metrics.iter().any(|(known, _)| known == *name)) {
            stack.problem(format!(
                "`{name}` is used in `{}` and stands for nothing; say what with `.with(…)`",
                self.text
            ));
        }
        for (name, _) in self.metrics.iter().filter(|(name, _)| !used.contains(name)) {
            stack.problem(format!("`{name}` is given and not used in `{}`", self.text));
        }
    }
}

/// The names in an expression: words that start with a small letter, outside of quotes. Functions are
/// written in capitals.
fn names_in(expression: &str) -> Vec<&str> {
    let outside = expression.split(['"', '\'']).step_by(2);
    let words = outside.flat_map(|text| text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_'));
    words.filter(|word| word.starts_with(|first: char| first.is_ascii_lowercase())).collect()
}

/// A metric, or an expression of metrics.
#[derive(Debug, Clone, PartialEq)]
pub enum Series {
    /// A metric.
    Metric(Metric),
    /// An expression of metrics.
    Expression(Expression),
}

impl From<Metric> for Series {
    fn from(metric: Metric) -> Self {
        Self::Metric(metric)
    }
}

impl From<Expression> for Series {
    fn from(expression: Expression) -> Self {
        Self::Expression(expression)
    }
}

impl Series {
    pub(super) fn report_problems(&self, stack: &mut Stack) {
        match self {
            Self::Metric(metric) => metric.report_problems(stack),
            Self::Expression(expression) => expression.report_problems(stack),
        }
    }

    /// The longest period in it.
    pub(super) fn period(&self) -> Seconds {
        match self {
            Self::Metric(metric) => metric.period,
            Self::Expression(expression) => {
                expression.metrics.iter().map(|(_, metric)| metric.period).max().unwrap_or(Seconds(300))
            }
        }
    }

    /// The lines that a graph needs for it. `number` keeps the names of expressions apart.
    pub(super) fn graphed(&self, number: usize, right: bool) -> Vec<Value> {
        let axis = right.then_some("right");
        let expression = match self {
            Self::Metric(metric) => return vec![metric.graphed(Properties::default().set_some("yAxis", axis))],
            Self::Expression(expression) => expression,
        };
        let own = Properties::default()
            .set("expression", expression.text.to_string())
            .set("id", format!("e{number}"))
            .set("label", expression.label.as_ref().unwrap_or(&expression.text).to_string())
            .set("region", Pseudo::Region)
            .set_some("color", expression.color)
            .set_some("yAxis", axis);
        let hidden = expression
            .metrics
            .iter()
            .map(|(name, metric)| metric.graphed(Properties::default().set("id", *name).set("visible", false)));
        std::iter::once(Value::list([own])).chain(hidden).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_an_expression() {
        assert_eq!(names_in("IF(errors > 0, 100 * errors / calls, 0)"), ["errors", "errors", "calls"]);
        assert_eq!(names_in("SEARCH('{AWS/Lambda} name', 'Sum') + m1"), ["m1"]);
    }

    #[test]
    fn statistics_in_cloudwatchs_words() {
        assert_eq!(Statistic::Percentile(99.0).word(), "p99");
        assert_eq!(Statistic::TrimmedMean(99.9).word(), "tm99.9");
    }
}
