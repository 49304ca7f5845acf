//! Alarms, and the dashboard.

use constructs::{
    services::{
        cloudwatch::{
            Alarm, AlarmRef, AlarmStatus, CompositeAlarm, Dashboard, Expression, Graph, Metric, Missing, Rule,
            Statistic, Widget,
        },
        sns::{Subscription, Topic, TopicRef},
        units::Seconds,
    },
    tree::{Construct, Stack, Text},
};
use news::metrics;
use settings::{Feed, Settings, Thresholds};

use super::{EnrichmentRef, IngestionRef, RedistributionRef, own_key_for};

const MINUTE: Seconds = Seconds(60);
const FIVE_MINUTES: Seconds = Seconds(300);

/// What is watched, by the names that metrics have: of the stages that are deployed.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) stream: Option<Text>,
    /// Ids and names.
    pub(crate) functions: Vec<(String, Text)>,
    pub(crate) queues: Vec<(String, Text)>,
    /// Ids, names and variants of endpoints.
    pub(crate) endpoints: Vec<(String, Text, &'static str)>,
    pub(crate) broker: Option<Text>,
}

impl Watched {
    pub(crate) fn ingestion(&mut self, ingestion: IngestionRef) {
        self.stream = Some(ingestion.news.name().into());
    }

    pub(crate) fn enrichment(&mut self, enrichment: &EnrichmentRef) {
        self.functions.push(("Enrich".into(), enrichment.enrich.name().into()));
        self.queues.push(("Quarantine".into(), enrichment.quarantine.name().into()));
        self.queues.push(("EnrichFailures".into(), enrichment.failures.name().into()));
        for (route, endpoint) in &enrichment.endpoints {
            self.endpoints.push((super::id(route), endpoint.name().into(), endpoint.variant_name()));
        }
    }

    pub(crate) fn redistribution(&mut self, redistribution: &RedistributionRef) {
        self.functions.push(("Publish".into(), redistribution.publish.name().into()));
        self.queues.push(("PublishFailures".into(), redistribution.failures.name().into()));
        self.broker = redistribution.broker.map(|broker| broker.name().into());
    }
}

/// Alarms, and the dashboard.
pub(crate) struct Monitoring<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) watched: Watched,
}

impl Construct for Monitoring<'_> {
    type Handle = ();

    fn build(self, stack: &mut Stack) {
        let mut watch = Watch { settings: self.settings, topic: self.topic(stack), alarms: Vec::new() };
        watch.ingester(stack);
        if let Some(stream) = &self.watched.stream {
            watch.stream(stack, stream);
        }
        for (id, name) in &self.watched.functions {
            watch.function(stack, id, name);
        }
        for (id, name) in &self.watched.queues {
            watch.queue(stack, id, name);
        }
        for (id, name, variant) in &self.watched.endpoints {
            watch.endpoint(stack, id, name, variant);
        }
        if let Some(name) = &self.watched.broker {
            watch.broker(stack, name);
        }
        watch.age(stack);

        let rules: Vec<Rule> = watch.alarms.iter().map(|alarm| (*alarm).into()).collect();
        let health = CompositeAlarm::any(rules)
            .description("Something in the pipeline wants a person; the dashboard shows what");
        stack.add("Unhealthy", health);
        if self.settings.monitoring.dashboard {
            let dashboard = self.dashboard(&watch.alarms).named(self.settings.name.clone());
            let dashboard = stack.add("Dashboard", dashboard);
            stack.output("Dashboard", dashboard.name()).describe("The dashboard in CloudWatch");
        }
    }
}

impl Monitoring<'_> {
    /// Where alarms are told, if there is anybody to tell.
    fn topic(&self, stack: &mut Stack) -> Option<TopicRef> {
        let mails = &self.settings.monitoring.alarm_mail;
        if mails.is_empty() {
            return None;
        }
        let key = own_key_for(stack, self.settings, "Encrypts what alarms say", |key| {
            key.for_service("cloudwatch.amazonaws.com")
        });
        let topic = Topic::standard().allow_service("cloudwatch.amazonaws.com").encrypted_by(key);
        let topic = stack.add("Alarms", topic);
        for (number, mail) in (1..).zip(mails) {
            stack.add(&format!("Mail{number}"), Subscription::email(topic, mail));
        }
        stack.output("AlarmTopic", topic.arn()).describe("Alarms are published here");
        Some(topic)
    }

    fn dashboard(&self, alarms: &[AlarmRef]) -> Dashboard {
        let settings = self.settings;
        let own = |metric: metrics::Metric| of_pipeline(settings, metric);
        let ages = self.watched.functions.iter().map(|(id, name)| iterator_age(name).label(id.clone()));
        let errors = self.watched.functions.iter().map(|(id, name)| function("Errors", name).label(id.clone()));
        let queues = self.watched.queues.iter().map(|(id, name)| waiting(name).label(id.clone()));
        let latencies =
            self.watched.endpoints.iter().map(|(id, name, variant)| latency(name, variant).label(id.clone()));
        let mut last_row: Vec<Widget> = vec![Graph::of("Waiting for a person", queues).from_zero().into()];
        if let Some(broker) = &self.watched.broker {
            last_row.push(Graph::of("Broker: messages", [of_broker("MessageCount", broker)]).from_zero().into());
        }
        let endpoints: Option<Widget> = (!self.watched.endpoints.is_empty())
            .then(|| Graph::of("Models: latency of 99 % in microseconds", latencies).from_zero().into());
        let functions: [Widget; 2] = [
            Graph::of("Waiting in streams, milliseconds", ages).from_zero().into(),
            Graph::of("Errors of functions", errors).from_zero().into(),
        ];
        let sent = [metrics::PUBLISHED, metrics::UNCONFIRMED].map(own);
        let aside = [metrics::SKIPPED, metrics::RETRIED, metrics::QUARANTINED].map(own);
        let dashboard = Dashboard::new().row([Widget::from(AlarmStatus::of("Alarms", alarms.iter().copied()))]).row([
            Widget::from(Graph::of("Published, and sent again", sent).from_zero()),
            Graph::of("Age of 99 % at the broker, milliseconds", [percentile(own(metrics::AGE))]).from_zero().into(),
            Graph::of("Repeats, retries and quarantine", aside).from_zero().into(),
        ]);
        let dashboard = dashboard.row(self.ingester());
        let dashboard = if self.watched.functions.is_empty() { dashboard } else { dashboard.row(functions) };
        let dashboard = if self.watched.queues.is_empty() { dashboard } else { dashboard.row(last_row) };
        match endpoints {
            Some(endpoints) => dashboard.row([endpoints]),
            None => dashboard,
        }
    }
}

impl Monitoring<'_> {
    /// What feeds and ingester report.
    fn ingester(&self) -> [Widget; 4] {
        let settings = self.settings;
        let by_feed = |metric: metrics::Metric, statistic: Statistic| {
            let feeds = settings.ingestion.feeds.iter();
            feeds.map(move |feed| of_feed(settings, metric, feed).statistic(statistic).label(feed.name().to_owned()))
        };
        let silence = by_feed(metrics::STALENESS, Statistic::Maximum);
        let lost = by_feed(metrics::GAPS, Statistic::Sum);
        let spooled = of_pipeline(settings, metrics::SPOOLED).statistic(Statistic::Maximum);
        let age = of_pipeline(settings, metrics::ACCEPTED_AGE);
        let ages = [Statistic::Percentile(50.0), Statistic::Percentile(99.0)]
            .map(|statistic| age.clone().statistic(statistic));
        [
            Graph::of("From publication to the stream, ms", ages).from_zero().into(),
            Graph::of("Silence of feeds, seconds", silence).from_zero().into(),
            Graph::of("Announced items that never came", lost).from_zero().into(),
            Graph::of("Waiting on the ingester's disk", [spooled]).from_zero().into(),
        ]
    }
}

/// Adds alarms and remembers them.
struct Watch<'a> {
    settings: &'a Settings,
    topic: Option<TopicRef>,
    alarms: Vec<AlarmRef>,
}

impl Watch<'_> {
    fn thresholds(&self) -> &Thresholds {
        &self.settings.monitoring.thresholds
    }

    fn add(&mut self, stack: &mut Stack, id: &str, alarm: Alarm, what_to_do: impl Into<String>) {
        let alarm = alarm.description(what_to_do.into());
        let alarm = match self.topic {
            Some(topic) => alarm.notify(topic.arn()),
            None => alarm,
        };
        self.alarms.push(stack.add(id, alarm));
    }

    fn ingester(&mut self, stack: &mut Stack) {
        let minutes = self.thresholds().heartbeat_minutes.into();
        let beats = of_pipeline(self.settings, metrics::HEARTBEAT);
        let alarm = Alarm::when(beats).below(1.0).for_periods(minutes).missing(Missing::Breaching);
        self.add(
            stack,
            "IngesterSilent",
            alarm,
            "No ingester runs: look at the Auto Scaling group and the ingester's log",
        );
        let spooled = of_pipeline(self.settings, metrics::SPOOLED).statistic(Statistic::Maximum);
        let alarm = Alarm::when(spooled).above(0.0).for_periods(5);
        self.add(stack, "IngesterSpools", alarm, "Kinesis doesn't take items; they wait on the ingester's disk");
        let lost = of_pipeline(self.settings, metrics::LOST).statistic(Statistic::Sum).period(FIVE_MINUTES);
        let alarm = Alarm::when(lost).above(0.0).for_periods(1);
        self.add(stack, "IngesterLost", alarm, "Items are lost: the ingester's memory and disk are full");
        for feed in &self.settings.ingestion.feeds {
            self.feed_down(stack, feed);
            let lost = of_feed(self.settings, metrics::GAPS, feed).statistic(Statistic::Sum).period(FIVE_MINUTES);
            let alarm = Alarm::when(lost).above(0.0).for_periods(1);
            let id = format!("{}Lost", super::id(feed.name()));
            self.add(stack, &id, alarm, format!("The feed {} announced items that never came", feed.name()));
        }
    }

    /// The heartbeat tells that the ingester lives, not that a feed delivers. A recording that came to its end doesn't.
    fn feed_down(&mut self, stack: &mut Stack, feed: &Feed) {
        if matches!(feed, Feed::Replay(_)) {
            return;
        }
        let connected = of_feed(self.settings, metrics::CONNECTED, feed).statistic(Statistic::Maximum);
        let alarm = Alarm::when(connected).below(1.0).for_periods(5);
        let id = format!("{}Down", super::id(feed.name()));
        let what = "delivers nothing: its login, or the way to it; `ingester check` tries every step";
        self.add(stack, &id, alarm, format!("The feed {} {what}", feed.name()));
    }

    fn stream(&mut self, stack: &mut Stack, stream: &Text) {
        let refused = Metric::new("AWS/Kinesis", "WriteProvisionedThroughputExceeded")
            .dimension("StreamName", stream)
            .statistic(Statistic::Sum)
            .period(MINUTE);
        let alarm = Alarm::when(refused).above(0.0).for_periods(5);
        self.add(stack, "StreamFull", alarm, "The stream refuses records: more shards, or on demand");
    }

    fn function(&mut self, stack: &mut Stack, id: &str, name: &Text) {
        let seconds = self.thresholds().iterator_age_seconds;
        let late = Alarm::when(iterator_age(name)).above(f64::from(seconds) * 1000.0).for_periods(3);
        let what = format!("{id} doesn't keep up: records wait longer than {seconds} seconds");
        self.add(stack, &format!("{id}Late"), late, what);
        let errors =
            Alarm::when(function("Errors", name)).at_least(self.thresholds().function_errors.into()).for_periods(1);
        self.add(stack, &format!("{id}Fails"), errors, format!("{id} ends with errors: look at its log"));
        let throttles = Alarm::when(function("Throttles", name)).above(0.0).for_periods(3);
        self.add(
            stack,
            &format!("{id}Throttled"),
            throttles,
            format!("{id} gets no concurrency: raise its reservation or the account's"),
        );
    }

    fn queue(&mut self, stack: &mut Stack, id: &str, name: &Text) {
        let alarm = Alarm::when(waiting(name)).above(0.0).for_periods(1);
        self.add(stack, &format!("{id}Filled"), alarm, format!("{id} holds something that wants a look"));
    }

    fn endpoint(&mut self, stack: &mut Stack, id: &str, name: &Text, variant: &str) {
        let milliseconds = self.thresholds().model_latency_ms;
        // SageMaker counts in microseconds.
        let slow = Alarm::when(latency(name, variant)).above(f64::from(milliseconds) * 1000.0).for_periods(3);
        self.add(
            stack,
            &format!("{id}Slow"),
            slow,
            format!("The model {id} answers in more than {milliseconds} milliseconds"),
        );
        let errors = of_endpoint("Invocation5XXErrors", name, variant).statistic(Statistic::Sum).period(FIVE_MINUTES);
        let failing = Alarm::when(errors).above(0.0).for_periods(2);
        self.add(stack, &format!("{id}Fails"), failing, format!("The model {id} fails: look at its log"));
    }

    fn broker(&mut self, stack: &mut Stack, name: &Text) {
        let percent = self.thresholds().broker_memory_percent;
        let used = Expression::new("100 * used / limit")
            .with("used", of_broker("RabbitMQMemUsed", name))
            .with("limit", of_broker("RabbitMQMemLimit", name))
            .label("Memory used, percent");
        let memory = Alarm::when(used).above(percent.into()).for_periods(3);
        self.add(
            stack,
            "BrokerMemory",
            memory,
            format!("The broker uses more than {percent} % of its memory and will block publishers"),
        );
        let gib = self.thresholds().broker_disk_free_gib;
        // The limit is AWS's, and another for each type: below it the broker blocks publishers.
        let free = Expression::new("(free - limit) / 1073741824")
            .with("free", of_broker("RabbitMQDiskFree", name).statistic(Statistic::Minimum))
            .with("limit", of_broker("RabbitMQDiskFreeLimit", name))
            .label("Free above the limit, GiB");
        let disk = Alarm::when(free).below(gib.into()).for_periods(3);
        self.add(
            stack,
            "BrokerDisk",
            disk,
            format!("Less than {gib} GiB are left on the broker's disk until it blocks publishers"),
        );
    }

    fn age(&mut self, stack: &mut Stack) {
        let seconds = self.thresholds().item_age_seconds;
        let age = percentile(of_pipeline(self.settings, metrics::AGE));
        let alarm = Alarm::when(age).above(f64::from(seconds) * 1000.0).for_periods(3);
        self.add(
            stack,
            "NewsIsOld",
            alarm,
            format!("News reaches the broker more than {seconds} seconds after its publication"),
        );
    }
}

/// One of our own metrics, of this pipeline as a whole.
fn of_pipeline(settings: &Settings, metric: metrics::Metric) -> Metric {
    Metric::new(metrics::NAMESPACE, metric.name)
        .dimension(metrics::PIPELINE, settings.name.clone())
        .statistic(Statistic::Sum)
        .period(MINUTE)
}

fn of_feed(settings: &Settings, metric: metrics::Metric, feed: &Feed) -> Metric {
    of_pipeline(settings, metric).dimension(metrics::FEED, feed.name().to_owned())
}

fn percentile(metric: Metric) -> Metric {
    metric.statistic(Statistic::Percentile(99.0))
}

fn function(metric: &'static str, name: &Text) -> Metric {
    Metric::new("AWS/Lambda", metric).dimension("FunctionName", name).statistic(Statistic::Sum).period(FIVE_MINUTES)
}

fn iterator_age(name: &Text) -> Metric {
    Metric::new("AWS/Lambda", "IteratorAge")
        .dimension("FunctionName", name)
        .statistic(Statistic::Maximum)
        .period(MINUTE)
}

fn waiting(name: &Text) -> Metric {
    Metric::new("AWS/SQS", "ApproximateNumberOfMessagesVisible")
        .dimension("QueueName", name)
        .statistic(Statistic::Maximum)
        .period(FIVE_MINUTES)
}

fn of_endpoint(metric: &'static str, name: &Text, variant: &str) -> Metric {
    Metric::new("AWS/SageMaker", metric)
        .dimension("EndpointName", name)
        .dimension("VariantName", variant.to_owned())
        .period(MINUTE)
}

fn latency(name: &Text, variant: &str) -> Metric {
    percentile(of_endpoint("ModelLatency", name, variant))
}

fn of_broker(metric: &'static str, name: &Text) -> Metric {
    Metric::new("AWS/AmazonMQ", metric).dimension("Broker", name).statistic(Statistic::Maximum).period(MINUTE)
}
