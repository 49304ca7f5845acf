//! Dashboards: rows of widgets, laid out on CloudWatch's 24 columns.

use std::borrow::Cow;

use super::{
    alarm::{AlarmRef, number},
    metric::Series,
};
use crate::tree::{
    Access, Arn, Attribute, Construct, Handle, Name, NodeRef, Properties, Pseudo, Ref, Resource, Stack, Text, Types,
    Value,
};

const COLUMNS: u32 = 24;
const TALLEST: u32 = 1000;
const MOST_WIDGETS: usize = 500;
const LONGEST_NAME: usize = 255;

/// A dashboard.
///
/// ```
/// use constructs::{services::{cloudwatch::{Dashboard, Graph, Metric, Note}, kinesis::Stream}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("monitoring");
/// let news = stack.add("News", Stream::on_demand());
/// let incoming = Metric::new("AWS/Kinesis", "IncomingRecords").dimension("StreamName", news.name());
/// let overview = Dashboard::new().row([Note::new("# News").into(), Graph::of("Incoming", [incoming]).into()]);
/// stack.add("Overview", overview);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Dashboard {
    rows: Vec<Vec<Widget>>,
    name: Option<Text>,
}

impl Dashboard {
    /// A dashboard without rows yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row below the others. Widgets without a width of their own share what is left of the 24
    /// columns; the row is as high as its highest.
    pub fn row(mut self, widgets: impl IntoIterator<Item = Widget>) -> Self {
        self.rows.push(widgets.into_iter().collect());
        self
    }

    /// Another name than the one made from the path; up to 255 letters, digits, `-` and `_`.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    fn report_problems(&self, stack: &mut Stack) {
        for (number, row) in (1..).zip(&self.rows) {
            let number: u32 = number;
            if row.is_empty() {
                stack.problem(format!("row {number} is empty"));
            }
            let taken: u32 = row.iter().filter_map(|widget| widget.width).sum();
            let sharing = u32::try_from(row.iter().filter(|widget| widget.width.is_none()).count()).unwrap_or(COLUMNS);
            if taken + sharing > COLUMNS {
                let widgets = row.len();
                stack.problem(format!("row {number} has {widgets} widgets that don't fit into {COLUMNS} columns"));
            }
            for widget in row {
                widget.report_problems(stack);
            }
        }
        let widgets: usize = self.rows.iter().map(Vec::len).sum();
        if widgets > MOST_WIDGETS {
            stack.problem(format!("{widgets} widgets; a dashboard has up to {MOST_WIDGETS}"));
        }
        if let Some(name) = self.name.as_ref().and_then(Text::literal) {
            let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
            if name.len() > LONGEST_NAME || !name.chars().all(allowed) {
                stack
                    .problem(format!("the name is `{name}`; a dashboard's has up to 255 letters, digits, `-` and `_`"));
            }
        }
    }

    fn body(&self) -> Properties {
        let mut widgets = Vec::new();
        let mut y = 0;
        for row in &self.rows {
            let height = row.iter().map(|widget| widget.height).max().unwrap_or(0);
            let mut x = 0;
            for (widget, width) in row.iter().zip(widths(row)) {
                let placed = Properties::default()
                    .set("type", widget.kind)
                    .set("x", x)
                    .set("y", y)
                    .set("width", width)
                    .set("height", height)
                    .set("properties", widget.properties());
                widgets.push(placed);
                x += width;
            }
            y += height;
        }
        Properties::default().set("widgets", widgets)
    }
}

/// The columns of each widget: its own, or an even share of what the others leave.
fn widths(row: &[Widget]) -> Vec<u32> {
    let taken: u32 = row.iter().filter_map(|widget| widget.width).sum();
    let mut left = COLUMNS.saturating_sub(taken);
    let mut sharing = u32::try_from(row.iter().filter(|widget| widget.width.is_none()).count()).unwrap_or(COLUMNS);
    let mut share = || {
        let width = left / sharing.max(1);
        left -= width;
        sharing = sharing.saturating_sub(1);
        width.max(1)
    };
    row.iter().map(|widget| widget.width.unwrap_or_else(&mut share)).collect()
}

impl Construct for Dashboard {
    type Handle = DashboardRef;

    fn build(mut self, stack: &mut Stack) -> DashboardRef {
        self.report_problems(stack);
        self.name.get_or_insert_with(|| stack.physical_name().into());
        DashboardRef { node: stack.resource(self) }
    }
}

/// Something on a dashboard: a [`Graph`], an [`AlarmStatus`], a [`LogQuery`] or a [`Note`], by `.into()`.
#[derive(Debug, Clone)]
pub struct Widget {
    kind: &'static str,
    width: Option<u32>,
    height: u32,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Graph(Graph),
    Alarms(AlarmStatus),
    Log(LogQuery),
    Note(Note),
}

impl Widget {
    fn new(kind: &'static str, height: u32, content: Content) -> Self {
        Self { kind, width: None, height, content }
    }

    /// How many of the 24 columns it takes, rather than an even share.
    pub fn width(mut self, columns: u32) -> Self {
        self.width = Some(columns);
        self
    }

    /// How high it is, 1 to 1000. Defaults to 6, and to 2 for notes and alarms.
    pub fn height(mut self, rows: u32) -> Self {
        self.height = rows;
        self
    }

    fn report_problems(&self, stack: &mut Stack) {
        if let Some(width) = self.width
            && !(1..=COLUMNS).contains(&width)
        {
            stack.problem(format!("a widget {width} columns wide; it is 1 to {COLUMNS}"));
        }
        let height = self.height;
        if !(1..=TALLEST).contains(&height) {
            stack.problem(format!("a widget {height} rows high; it is 1 to {TALLEST}"));
        }
        match &self.content {
            Content::Graph(graph) => graph.report_problems(stack),
            Content::Alarms(AlarmStatus { alarms, .. }) if alarms.is_empty() || alarms.len() > 100 => {
                stack.problem(format!("a widget with {} alarms; it shows 1 to 100", alarms.len()));
            }
            Content::Log(LogQuery { groups, .. }) if groups.is_empty() => {
                stack.problem("a log query needs at least one log group");
            }
            _ => {}
        }
    }

    fn properties(&self) -> Properties {
        match &self.content {
            Content::Graph(graph) => graph.properties(),
            Content::Alarms(AlarmStatus { title, alarms }) => Properties::default()
                .set("title", title.to_string())
                .set("alarms", Value::list(alarms.iter().map(|alarm| alarm.arn()))),
            Content::Log(query) => query.properties(),
            Content::Note(Note(markdown)) => Properties::default().set("markdown", markdown.to_string()),
        }
    }
}

/// Metrics over time, or their newest values.
#[derive(Debug, Clone)]
pub struct Graph {
    title: Cow<'static, str>,
    left: Vec<Series>,
    right: Vec<Series>,
    view: &'static str,
    stacked: bool,
    from_zero: bool,
    lines: Vec<(f64, &'static str)>,
}

impl Graph {
    /// Lines over time.
    pub fn of<S: Into<Series>>(title: impl Into<Cow<'static, str>>, series: impl IntoIterator<Item = S>) -> Self {
        Self {
            title: title.into(),
            left: series.into_iter().map(Into::into).collect(),
            right: Vec::new(),
            view: "timeSeries",
            stacked: false,
            from_zero: false,
            lines: Vec::new(),
        }
    }

    /// The newest values as large numbers.
    pub fn numbers<S: Into<Series>>(title: impl Into<Cow<'static, str>>, series: impl IntoIterator<Item = S>) -> Self {
        Self { view: "singleValue", ..Self::of(title, series) }
    }

    /// More series, with an axis of their own on the right.
    pub fn right<S: Into<Series>>(mut self, series: impl IntoIterator<Item = S>) -> Self {
        self.right.extend(series.into_iter().map(Into::into));
        self
    }

    /// Areas on top of each other rather than lines.
    pub fn stacked(mut self) -> Self {
        self.stacked = true;
        self
    }

    /// The left axis starts at zero, so that small changes look small.
    pub fn from_zero(mut self) -> Self {
        self.from_zero = true;
        self
    }

    /// A horizontal line, such as an alarm's threshold.
    pub fn line(mut self, at: f64, label: &'static str) -> Self {
        self.lines.push((at, label));
        self
    }

    fn report_problems(&self, stack: &mut Stack) {
        if self.left.is_empty() && self.right.is_empty() {
            stack.problem(format!("the graph `{}` shows nothing", self.title));
        }
        let mut names: Vec<(&str, &super::Metric)> = Vec::new();
        for series in self.left.iter().chain(&self.right) {
            series.report_problems(stack);
            let Series::Expression(expression) = series else { continue };
            for (name, metric) in &expression.metrics {
                match names.iter().find(|(known, _)| known == name) {
                    Some((_, known)) if *known != metric => {
                        stack.problem(format!("`{name}` stands for two metrics in the graph `{}`", self.title));
                    }
                    Some(_) => {}
                    None => names.push((name, metric)),
                }
            }
        }
    }

    fn properties(&self) -> Properties {
        let sides =
            self.left.iter().map(|series| (series, false)).chain(self.right.iter().map(|series| (series, true)));
        let mut metrics: Vec<Value> = Vec::new();
        for (number, (series, right)) in (1..).zip(sides) {
            for line in series.graphed(number, right) {
                // Two expressions of one metric need it once.
                if !metrics.contains(&line) {
                    metrics.push(line);
                }
            }
        }
        let axis = self.from_zero.then(|| Properties::default().set("left", Properties::default().set("min", 0)));
        let lines =
            self.lines.iter().map(|(at, label)| Properties::default().set("label", *label).set("value", number(*at)));
        let lines = (!self.lines.is_empty()).then(|| Properties::default().set("horizontal", Value::list(lines)));
        Properties::default()
            .set("title", self.title.to_string())
            .set("region", Pseudo::Region)
            .set("view", self.view)
            .set("stacked", self.stacked)
            .set("metrics", metrics)
            .set_some("yAxis", axis)
            .set_some("annotations", lines)
    }
}

impl From<Graph> for Widget {
    fn from(graph: Graph) -> Self {
        Self::new("metric", 6, Content::Graph(graph))
    }
}

/// Alarms and their states.
#[derive(Debug, Clone)]
pub struct AlarmStatus {
    title: Cow<'static, str>,
    alarms: Vec<AlarmRef>,
}

impl AlarmStatus {
    /// 1 to 100 alarms.
    pub fn of(title: impl Into<Cow<'static, str>>, alarms: impl IntoIterator<Item = AlarmRef>) -> Self {
        Self { title: title.into(), alarms: alarms.into_iter().collect() }
    }
}

impl From<AlarmStatus> for Widget {
    fn from(status: AlarmStatus) -> Self {
        Self::new("alarm", 2, Content::Alarms(status))
    }
}

/// What a CloudWatch Logs Insights query finds.
#[derive(Debug, Clone)]
pub struct LogQuery {
    title: Cow<'static, str>,
    groups: Vec<Text>,
    query: Cow<'static, str>,
}

impl LogQuery {
    /// A query over one or more log groups, by name: `fields @timestamp, @message | limit 20`.
    pub fn of<T: Into<Text>>(
        title: impl Into<Cow<'static, str>>,
        groups: impl IntoIterator<Item = T>,
        query: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { title: title.into(), groups: groups.into_iter().map(Into::into).collect(), query: query.into() }
    }

    fn properties(&self) -> Properties {
        let sources = self.groups.iter().map(|group| Text::from("SOURCE '") + group + "' | ");
        Properties::default()
            .set("title", self.title.to_string())
            .set("region", Pseudo::Region)
            .set("view", "table")
            .set("query", Text::join(sources) + self.query.to_string())
    }
}

impl From<LogQuery> for Widget {
    fn from(query: LogQuery) -> Self {
        Self::new("log", 6, Content::Log(query))
    }
}

/// Words in Markdown: a heading, a link to the runbook.
#[derive(Debug, Clone)]
pub struct Note(Cow<'static, str>);

impl Note {
    /// A note.
    pub fn new(markdown: impl Into<Cow<'static, str>>) -> Self {
        Self(markdown.into())
    }
}

impl From<Note> for Widget {
    fn from(note: Note) -> Self {
        Self::new("text", 2, Content::Note(note))
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Dashboard`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct DashboardRef {
    node: NodeRef,
}

impl DashboardRef {
    /// The dashboard's ARN. CloudFormation doesn't have it.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("dashboard_arn", Access::None))
    }

    /// The dashboard's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, Attribute::name("dashboard_name", Access::Ref))
    }
}

impl Handle for DashboardRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Dashboard {
    fn types(&self) -> Types {
        Types::new("cloudwatch", "aws_cloudwatch_dashboard", "AWS::CloudWatch::Dashboard")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set_some("DashboardName", self.name.as_ref())
            .set("DashboardBody", Value::json(self.body()))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set_some("dashboard_name", self.name.as_ref())
            .set("dashboard_body", Value::json(self.body()))
    }
}

#[cfg(test)]
mod tests;
