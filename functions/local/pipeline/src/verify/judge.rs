//! What was seen against what was expected. No I/O, no clock.

use super::{
    models::Model,
    plan::{Plan, Planned, Work},
    report::{Count, Counts, Outcome, Report, RowReport, Stage, Times, Wrong},
    seen::{Delivered, Put, Quarantined, Seen},
    vector::Expect,
};
use news::{EnrichedItem, Judgement, Label, NewsItem, Sentiment, routing};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How far the scores of all labels may be from 1 together: models round.
const ROUNDED: f64 = 0.01;

/// How much of a text is shown, characters.
const SHOWN: usize = 80;

/// How the run went, as far as that is not in what was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Went {
    /// Whether somebody subscribed.
    pub(super) exchange: bool,
    /// How long each stage was waited for.
    pub(super) limit: Duration,
    pub(super) interrupted: bool,
}

/// What came of the run.
pub(super) fn judge(plan: &Plan<'_>, seen: &Seen, went: Went) -> Report {
    let case = Case { plan, seen, went, mistakes: BTreeMap::new() };
    let mut mistakes = case.mistakes();
    let rows = plan.rows.iter().enumerate().map(|(place, planned)| {
        let wrong = mistakes.remove(&place).unwrap_or_default();
        let times = times(plan, place, planned, seen);
        let skipped = if let Work::Skip(why) = &planned.work { Some(why.clone()) } else { None };
        let outcome = match (&skipped, wrong.is_empty()) {
            (Some(_), _) => Outcome::Skipped,
            (None, true) => Outcome::Passed,
            (None, false) => Outcome::Failed,
        };
        let (name, about) = (planned.row.name.clone(), planned.row.about.clone());
        RowReport { name, about, outcome, times, wrong, skipped }
    });
    let rows: Vec<_> = rows.collect();
    let mut wrong = strangers(plan, seen);
    wrong.extend(plan.shows_nothing().map(str::to_owned));
    let failed = rows.iter().any(|row| row.outcome == Outcome::Failed);
    Report {
        run: plan.mark.clone(),
        started: seen.clock.started,
        seconds: seen.now().as_secs_f64(),
        passed: !failed && wrong.is_empty() && !went.interrupted,
        interrupted: went.interrupted,
        rows,
        counts: counts(plan, seen, went),
        wrong,
        notes: seen.notes.clone(),
    }
}

/// What is being judged, and the mistakes found so far, by the row's place.
struct Case<'a> {
    plan: &'a Plan<'a>,
    seen: &'a Seen,
    went: Went,
    mistakes: BTreeMap<usize, Vec<Wrong>>,
}

impl Case<'_> {
    fn mistakes(mut self) -> BTreeMap<usize, Vec<Wrong>> {
        let plan = self.plan;
        for (place, planned) in plan.tried() {
            self.put_in(place, planned);
            self.table(place, planned);
            if self.went.exchange {
                self.exchange(place, planned);
            }
            self.quarantine(place, planned);
        }
        if self.went.exchange {
            self.order();
        }
        self.mistakes
    }

    fn wrong(&mut self, place: usize, stage: Stage, what: &str, expected: impl Into<String>, found: impl Into<String>) {
        let wrong = Wrong { stage, what: what.into(), expected: expected.into(), found: found.into() };
        self.mistakes.entry(place).or_default().push(wrong);
    }

    fn nothing(&self) -> String {
        let stopped = if self.went.interrupted { " when it was stopped" } else { "" };
        format!("none after {} s{stopped}", self.went.limit.as_secs_f64())
    }

    fn put_in(&mut self, place: usize, planned: &Planned<'_>) {
        let put = self.seen.put.get(&place).cloned().unwrap_or_default();
        let times = usize::from(planned.row.times);
        if put.times != times || put.refused.is_some() {
            let found = put.refused.map_or_else(|| put.times.to_string(), |refused| shown(&refused));
            self.wrong(place, Stage::Stream, "records", format!("{times} taken"), found);
        }
    }

    fn table(&mut self, place: usize, planned: &Planned<'_>) {
        let Work::Item { item, model } = &planned.work else { return };
        let stored = self.seen.stored.get(&item.id);
        match (planned.is_published(), stored.map(|stored| &stored.item)) {
            (true, None) => self.wrong(place, Stage::Table, "row", "one", self.nothing()),
            (true, Some(Err(error))) => self.wrong(place, Stage::Table, "row", "an enriched item", shown(error)),
            (false, Some(_)) => self.wrong(place, Stage::Table, "row", "none", "one"),
            (false, None) => (),
            (true, Some(Ok(found))) => {
                let mut wrong = items(item, &found.item);
                wrong.extend(sentiments(&planned.row.expect, model.as_ref(), &found.sentiment));
                match found.arrived {
                    None => wrong.push(("arrived", "a time".into(), "none".into())),
                    // Kinesis' clock and that of the function are not the same.
                    Some(arrived) if found.enriched.duration_since(arrived).as_secs() < -5 => {
                        wrong.push(("enriched", format!("after {arrived}"), found.enriched.to_string()));
                    }
                    Some(_) => (),
                }
                for (what, expected, found) in wrong {
                    self.wrong(place, Stage::Table, what, expected, found);
                }
            }
        }
    }

    fn exchange(&mut self, place: usize, planned: &Planned<'_>) {
        let Work::Item { item, .. } = &planned.work else { return };
        let deliveries: Vec<_> = deliveries(self.seen, &item.id).map(|(_, delivered)| delivered).collect();
        let Some(first) = deliveries.first().filter(|_| planned.is_published()) else {
            if planned.is_published() {
                self.wrong(place, Stage::Exchange, "messages", "1", self.nothing());
            } else if !deliveries.is_empty() {
                self.wrong(place, Stage::Exchange, "messages", "none", deliveries.len().to_string());
            }
            return;
        };
        if deliveries.len() > 1 {
            self.wrong(place, Stage::Exchange, "messages", "1", deliveries.len().to_string());
        }
        for (what, expected, found) in message(item, &planned.row.expect, first) {
            self.wrong(place, Stage::Exchange, &what, expected, found);
        }
        let body = serde_json::from_slice::<EnrichedItem>(&first.body).map_err(|error| error.to_string());
        let row = self.seen.stored.get(&item.id).map(|stored| &stored.item);
        match (&body, row) {
            (Err(error), _) => self.wrong(place, Stage::Exchange, "body", "an enriched item", shown(error)),
            (Ok(body), Some(Ok(row))) => {
                for (what, expected, found) in members(row, body) {
                    self.wrong(place, Stage::Exchange, &format!("body, {what}"), expected, found);
                }
            }
            (Ok(_), _) => (),
        }
    }

    fn quarantine(&mut self, place: usize, planned: &Planned<'_>) {
        let plan = self.plan;
        let messages: Vec<_> = set_aside(plan, self.seen, planned).map(|message| message.set_aside.clone()).collect();
        let Expect::Quarantined(code) = &planned.row.expect else {
            for message in messages {
                let found = format!("{}: {}", message.reason.code, message.reason.text);
                self.wrong(place, Stage::Quarantine, "messages", "none", shown(&found));
            }
            return;
        };
        let times = usize::from(planned.row.times);
        if messages.len() != times {
            let found = if messages.is_empty() { self.nothing() } else { messages.len().to_string() };
            self.wrong(place, Stage::Quarantine, "messages", times.to_string(), found);
        }
        for message in messages {
            if message.reason.code != *code {
                let found = format!("{}: {}", message.reason.code, message.reason.text);
                self.wrong(place, Stage::Quarantine, "reason", code.clone(), shown(&found));
            }
            if let Work::Record { data, .. } = &planned.work
                && data.len() != message.bytes
            {
                self.wrong(place, Stage::Quarantine, "bytes", data.len().to_string(), message.bytes.to_string());
            }
        }
    }

    /// Versions of a story come in the order in which they were put in.
    fn order(&mut self) {
        let plan = self.plan;
        let mut stories: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
        for (place, planned) in plan.tried().filter(|(_, planned)| planned.is_published()) {
            if let Work::Item { item, .. } = &planned.work {
                stories.entry(&item.thread).or_default().push((place, &item.id));
            }
        }
        for versions in stories.values() {
            let mut latest: Option<(usize, usize)> = None;
            for (place, id) in versions {
                let Some((came, _)) = deliveries(self.seen, id).next() else { continue };
                if let Some((before, _)) = latest.filter(|(_, latest)| *latest > came) {
                    let name = &plan.rows[before].row.name;
                    self.wrong(*place, Stage::Exchange, "order", format!("after {name}"), format!("before {name}"));
                }
                if latest.is_none_or(|(_, latest)| latest < came) {
                    latest = Some((*place, came));
                }
            }
        }
    }
}

/// What is of the run and of none of its rows, and what was given up.
fn strangers(plan: &Plan<'_>, seen: &Seen) -> Vec<String> {
    let known: BTreeSet<String> = plan.ids().map(routing::message_id).collect();
    let strange = seen.delivered.iter().filter(|delivered| !known.contains(&delivered.message_id));
    let messages = strange.map(|delivered| {
        let Delivered { message_id, exchange, routing_key, .. } = delivered;
        format!("exchange: a message of no row: {} on {exchange:?} with {routing_key:?}", shown(message_id))
    });
    let records = seen.quarantined.iter().filter(|message| {
        !plan.rows.iter().any(|planned| set_aside(plan, seen, planned).any(|known| std::ptr::eq(known, *message)))
    });
    let records = records.map(|message| {
        let why = &message.set_aside.reason;
        format!("quarantine: a record of no row: {}", shown(&format!("{}: {}", why.code, why.text)))
    });
    messages.chain(records).chain(seen.given_up.iter().map(|given_up| given_up.text.clone())).collect()
}

fn counts(plan: &Plan<'_>, seen: &Seen, went: Went) -> Counts {
    let published = plan.rows.iter().filter(|planned| planned.is_published()).count();
    let quarantined = plan.rows.iter().filter(|planned| planned.is_quarantined());
    let expected = quarantined.map(|planned| usize::from(planned.row.times)).sum();
    let mut reasons = BTreeMap::new();
    for message in &seen.quarantined {
        *reasons.entry(message.set_aside.reason.code.clone()).or_default() += 1;
    }
    Counts {
        put: seen.put.values().map(|put| put.times).sum(),
        table: Count { expected: published, found: seen.stored.len() },
        exchange: went.exchange.then_some(Count { expected: published, found: seen.delivered.len() }),
        unrouted: seen.delivered.iter().filter(|delivered| is_unrouted(delivered, &plan.mark)).count(),
        quarantine: Count { expected, found: seen.quarantined.len() },
        reasons,
        given_up: seen.given_up.len(),
    }
}

fn times(plan: &Plan<'_>, place: usize, planned: &Planned<'_>, seen: &Seen) -> Times {
    let Some(Put { at, accepted, .. }) = seen.put.get(&place) else { return Times::default() };
    // A time before it was put in is by a clock that differs, or has whole seconds only: no time is better than that.
    let since = |time: Duration| time.checked_sub(*at).map(|time| time.as_secs_f64() * 1000.0);
    let stored = planned.id().and_then(|id| seen.stored.get(id));
    let row = stored.and_then(|stored| stored.item.as_ref().ok());
    let arrived = row.and_then(|row| row.arrived).map(|arrived| seen.clock.since(arrived));
    let set_aside = set_aside(plan, seen, planned).next().map(|message| message.at);
    let delivered = planned.id().and_then(|id| deliveries(seen, id).next());
    Times {
        stream: accepted.or(arrived).and_then(since),
        enriched: row.map(|row| seen.clock.since(row.enriched)).and_then(since),
        seen: stored.map(|stored| stored.at).or(set_aside).and_then(since),
        exchange: delivered.and_then(|(_, delivered)| since(delivered.at)),
    }
}

/// The messages of an id, with their places among all.
fn deliveries<'a>(seen: &'a Seen, id: &str) -> impl Iterator<Item = (usize, &'a Delivered)> {
    let id = routing::message_id(id);
    seen.delivered.iter().enumerate().filter(move |(_, delivered)| delivered.message_id == id)
}

/// The messages about a row in the quarantine.
fn set_aside<'a>(
    plan: &'a Plan<'_>,
    seen: &'a Seen,
    planned: &'a Planned<'_>,
) -> impl Iterator<Item = &'a Quarantined> {
    seen.quarantined.iter().filter(move |message| plan.is_about(planned, &message.set_aside))
}

/// Whether it came by way of the exchange for what nobody subscribed to. RabbitMQ leaves a message the name of the
/// exchange that it was published to, so that it is known by its key: the run subscribed to all that end with its mark.
fn is_unrouted(delivered: &Delivered, mark: &str) -> bool {
    delivered.exchange.ends_with(routing::UNROUTED_SUFFIX) || delivered.routing_key.rsplit('.').next() != Some(mark)
}

/// What differs, what it should be, what it is.
type Difference<W> = (W, String, String);

/// The item as it was put in; but for when the ingester had it, which only the ingester knows, and the trace, which X-Ray
/// decides about.
fn items(expected: &NewsItem, found: &NewsItem) -> Vec<Difference<&'static str>> {
    const MEMBERS: [&str; 15] = [
        "version",
        "id",
        "thread",
        "source",
        "provider",
        "language",
        "kind",
        "status",
        "urgency",
        "take",
        "headline",
        "body",
        "subjects",
        "published",
        "first_published",
    ];
    let (expected, found) = (object(expected), object(found));
    let differing = MEMBERS.into_iter().filter(|name| expected.get(*name) != found.get(*name));
    differing.map(|name| (name, value(expected.get(name)), value(found.get(name)))).collect()
}

fn sentiments(expect: &Expect, model: Option<&Model>, found: &Sentiment) -> Vec<Difference<&'static str>> {
    match (expect, found) {
        (Expect::Judged(label), Sentiment::Judged(judgement)) => judgements(*label, model, judgement),
        (Expect::Unjudged(expected), Sentiment::Unjudged { reason }) if expected == reason => Vec::new(),
        (Expect::Unjudged(expected), Sentiment::Unjudged { reason }) => {
            vec![("sentiment.reason", quoted(expected.name()), quoted(reason.name()))]
        }
        (expect, found) => {
            vec![("sentiment", quoted(expect.sentiment().unwrap_or_default()), quoted(found.name()))]
        }
    }
}

fn judgements(label: Label, model: Option<&Model>, found: &Judgement) -> Vec<Difference<&'static str>> {
    let mut wrong = Vec::new();
    let mut differs = |what, is_right: bool, expected: String, found: String| {
        if !is_right {
            wrong.push((what, expected, found));
        }
    };
    let Judgement { scores, score, .. } = found;
    differs("sentiment.label", found.label == label, quoted(label.name()), quoted(found.label.name()));
    let within = scores.values().all(|score| (0.0..=1.0).contains(score));
    differs("sentiment.scores", within, "0 to 1 each".into(), format!("{scores:?}"));
    let sum: f64 = scores.values().sum();
    differs("sentiment.scores", (sum - 1.0).abs() <= ROUNDED, "a sum of 1".into(), format!("a sum of {sum}"));
    let highest = scores.iter().max_by(|one, other| one.1.total_cmp(other.1)).map(|(label, _)| *label);
    let named = |label: Option<Label>| label.map_or_else(|| "none".to_owned(), |label| quoted(label.name()));
    differs("sentiment.label", highest == Some(found.label), named(highest), quoted(found.label.name()));
    let own = scores.get(&found.label).copied();
    differs("sentiment.score", own == Some(*score), format!("{own:?}"), format!("{score:?}"));
    if let Some(model) = model {
        differs("sentiment.model", found.model == model.name, quoted(&model.name), quoted(&found.model));
        let (expected, version) = (&model.version, &found.model_version);
        differs("sentiment.model_version", expected == version, quoted(expected), quoted(version));
    }
    wrong
}

/// A message's address and properties, as the contract has them. What it is about is said here in the contract's words and
/// not by the publisher's code.
fn message(item: &NewsItem, expect: &Expect, found: &Delivered) -> Vec<Difference<String>> {
    let sentiment = expect.sentiment().unwrap_or_default();
    let mut wrong = Vec::new();
    let mut differs = |what: &str, expected: &str, found: &str| {
        if expected != found {
            wrong.push((what.to_owned(), quoted(expected), quoted(found)));
        }
    };
    let key = format!("{}.{sentiment}.{}", item.language, item.provider);
    differs("routing key", &key, &found.routing_key);
    differs("type", "news.item.v1", &found.kind);
    differs("content type", "application/json", &found.content_type);
    if let Some(exchange) = found.exchange.strip_suffix(routing::UNROUTED_SUFFIX) {
        differs("exchange", exchange, &found.exchange);
    }
    for (name, expected) in [
        ("language", item.language.as_str()),
        ("sentiment", sentiment),
        ("provider", &item.provider),
        ("source", &item.source),
        ("kind", item.kind.name()),
        ("status", item.status.name()),
        ("thread", &item.thread),
    ] {
        let found = found.headers.get(name).map_or("", String::as_str);
        differs(&format!("header {name}"), expected, found);
    }
    if !found.persistent {
        wrong.push(("delivery mode".into(), "persistent".into(), "transient".into()));
    }
    if !found.headers.contains_key("sent_ms") {
        wrong.push(("header sent_ms".into(), "a time".into(), "none".into()));
    }
    wrong
}

/// What a body has otherwise than the row.
fn members(row: &EnrichedItem, body: &EnrichedItem) -> Vec<Difference<String>> {
    let (row, body) = (object(row), object(body));
    let names: BTreeSet<&String> = row.keys().chain(body.keys()).collect();
    let differing = names.into_iter().filter(|name| row.get(*name) != body.get(*name));
    differing.map(|name| (name.clone(), value(row.get(name)), value(body.get(name)))).collect()
}

fn object(item: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(item) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

fn value(value: Option<&Value>) -> String {
    match value {
        None => "none".into(),
        Some(Value::String(text)) => quoted(text),
        Some(other) => shown(&other.to_string()),
    }
}

/// In quotes, so that nothing in it moves a terminal's cursor; a long one by its beginning and its length.
fn quoted(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return format!("{text:?}");
    }
    let begin: String = text.chars().take(SHOWN / 2).collect();
    format!("{begin:?}… ({} bytes)", text.len())
}

/// The same, without quotes.
fn shown(text: &str) -> String {
    quoted(text).replacen('"', "", 2)
}
