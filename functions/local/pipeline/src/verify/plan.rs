//! What a run puts in, and what has to come out: the vector, marked so that the run's items can be told from others.

use super::{
    models::{Model, Models},
    seen::SetAside,
    vector::{Expect, Put, Row, Story, Trick, Vector},
};
use jiff::{Timestamp, ToSpan};
use news::{FORM, Kind, NewsItem, Status, feeds::Filter};
use std::collections::HashMap;

/// The source of items that no feed brings.
pub(super) const SOURCE: &str = "newsloom-verify";

/// What a run puts in.
#[derive(Debug)]
pub(super) struct Plan<'v> {
    /// What begins all ids and threads of the run, and is their provider: `newsloom-verify-k3x9a7b2`.
    pub(super) mark: String,
    pub(super) rows: Vec<Planned<'v>>,
}

/// A row of a run.
#[derive(Debug)]
pub(super) struct Planned<'v> {
    pub(super) row: &'v Row,
    pub(super) work: Work,
}

/// What is to be done with a row.
#[derive(Debug)]
pub(super) enum Work {
    /// Nothing, for this reason.
    Skip(String),
    /// An item, as it has to be in the table: by the feed, if there is one.
    Item {
        item: Box<NewsItem>,
        /// Whose word its sentiment is, if it is judged.
        model: Option<Model>,
    },
    /// A record, with this partition key, which no other record has.
    Record { key: String, data: Vec<u8> },
}

/// What is known of a pipeline, as far as rows depend on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// The feed's name, if there is one that can be told what to send.
    pub(super) feed: Option<&'a str>,
    pub(super) models: &'a Models,
    /// Whether the models do what the vector asks of them.
    pub(super) tricks: bool,
    /// What it lets in of what the feed sends.
    pub(super) filter: &'a Filter,
}

impl<'v> Plan<'v> {
    /// `run` is a word of lower-case letters and digits that no other run has, `now` the time of all items.
    pub(super) fn new(vector: &'v Vector, run: &str, now: Timestamp, known: Known<'_>) -> Self {
        let mark = format!("{SOURCE}-{run}");
        // As LSEG has it: milliseconds. Each item has its own time, a thread that of its first.
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        let mut threads: HashMap<&str, Timestamp> = HashMap::new();
        let rows = (0_i64..).zip(&vector.rows).map(|(place, row)| {
            let published = now.checked_add(place.milliseconds()).unwrap_or(now);
            let name = row.thread();
            let first = *threads.entry(name).or_insert(published);
            let work = match (why_not(row, known), &row.put) {
                (Some(why), _) => Work::Skip(why),
                (None, Put::Record { data, .. }) => record(row, data, &mark, first),
                (None, Put::Story(story)) => {
                    let times = (published, first);
                    let item = item(row, story, &mark, known.feed.unwrap_or(SOURCE), times);
                    match known.feed.and_then(|_| kept_out(&item, known.filter)) {
                        Some(why) => Work::Skip(why),
                        None => Work::Item { item: Box::new(item), model: known.models.of(&story.language).cloned() },
                    }
                }
            };
            Planned { row, work }
        });
        let rows = rows.collect();
        Self { mark, rows }
    }

    /// The rows that are tried, with their places.
    pub(super) fn tried(&self) -> impl Iterator<Item = (usize, &Planned<'v>)> {
        self.rows.iter().enumerate().filter(|(_, planned)| !matches!(planned.work, Work::Skip(_)))
    }

    /// Whether a message in the quarantine is about a row. A record may not say its id, and is known by its partition key;
    /// what is about a story says the story's id, and stories share the keys of others.
    pub(super) fn is_about(&self, planned: &Planned<'_>, message: &SetAside) -> bool {
        match &planned.work {
            Work::Skip(_) => false,
            Work::Item { item, .. } => message.id.as_ref() == Some(&item.id),
            Work::Record { key, .. } => {
                let is_story = message.id.as_deref().is_some_and(|id| self.ids().any(|story| story == id));
                message.position.partition_key.as_ref() == Some(key) && !is_story
            }
        }
    }

    /// Why the run shows nothing, where so many rows were skipped that it doesn't.
    pub(super) fn shows_nothing(&self) -> Option<&'static str> {
        let has_stories = self.rows.iter().any(|planned| planned.row.put.story().is_some());
        if self.tried().next().is_none() {
            Some("nothing was tried: every row was skipped")
        } else if has_stories && self.ids().next().is_none() {
            Some("no story was tried: every one was skipped")
        } else {
            None
        }
    }

    /// The ids of all items.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter_map(Planned::id)
    }
}

impl Planned<'_> {
    /// The id of its item, if it is one.
    pub(super) fn id(&self) -> Option<&str> {
        if let Work::Item { item, .. } = &self.work { Some(&item.id) } else { None }
    }

    pub(super) fn is_published(&self) -> bool {
        self.id().is_some() && self.row.expect.is_published()
    }

    pub(super) fn is_quarantined(&self) -> bool {
        !matches!(self.work, Work::Skip(_)) && !self.row.expect.is_published()
    }
}

impl Row {
    /// The story it is a version of: its own, unless it says otherwise.
    pub(super) fn thread(&self) -> &str {
        let thread = match &self.put {
            Put::Story(story) => &story.thread,
            Put::Record { thread, .. } => thread,
        };
        thread.as_deref().unwrap_or(&self.name)
    }
}

/// Why a row can't be tried here.
fn why_not(row: &Row, known: Known<'_>) -> Option<String> {
    let story = row.put.story()?;
    let language = &story.language;
    let judged = known.models.of(language).is_some();
    let asks = row.model.is_some() || matches!(row.expect, Expect::Judged(_));
    if story.feed_only && known.feed.is_none() {
        return Some("needs a feed that can be told what to send".into());
    }
    if asks && !judged {
        return Some(format!("no model judges {language} here"));
    }
    if row.expect == Expect::Unjudged(news::Reason::NoRoute) && judged {
        return Some(format!("a model judges {language} here"));
    }
    match &row.model {
        Some(Trick::Refuses(_)) if !known.tricks => Some("needs a model that refuses a text on request".into()),
        // Its answers would be those to other languages too.
        Some(Trick::UnknownLabels) if !known.models.is_alone(language) => {
            Some(format!("no model judges {language} alone here"))
        }
        Some(Trick::UnknownLabels) if !known.tricks => Some("needs a model with labels that are no sentiments".into()),
        _ => None,
    }
}

/// Why a pipeline doesn't take an item from its feed.
fn kept_out(item: &NewsItem, filter: &Filter) -> Option<String> {
    if filter.takes(item) {
        return None;
    }
    let Filter { languages, providers, subjects, urgencies } = filter.clone();
    let urgency = item.urgency.map_or_else(|| "item without an urgency".into(), |urgency| format!("urgency {urgency}"));
    let alone = [
        (Filter { languages, ..Filter::default() }, item.language.clone()),
        (Filter { providers, ..Filter::default() }, "provider but its own".into()),
        (Filter { subjects, ..Filter::default() }, format!("subject {}", item.subjects.join(", "))),
        (Filter { urgencies, ..Filter::default() }, urgency),
    ];
    let refused: Vec<_> = alone.into_iter().filter(|(part, _)| !part.takes(item)).map(|(_, what)| what).collect();
    Some(format!("the feed's filter lets no {} in", refused.join(" and no ")))
}

/// By the key of its thread's stories.
fn record(row: &Row, data: &[u8], mark: &str, first: Timestamp) -> Work {
    let (id, key) = (format!("{mark}:{}", row.name), thread(row, mark, first));
    let filled = |text: &str| text.replace("{id}", &id).replace("{thread}", &key).replace("{provider}", mark);
    let data = std::str::from_utf8(data).map_or_else(|_| data.to_vec(), |text| filled(text).into_bytes());
    Work::Record { key, data }
}

/// A thread as the ingester names it: with the time of its first item.
fn thread(row: &Row, mark: &str, first: Timestamp) -> String {
    format!("{mark}:{}@{}", row.thread(), first.as_millisecond())
}

fn item(row: &Row, story: &Story, mark: &str, source: &str, times: (Timestamp, Timestamp)) -> NewsItem {
    let (published, first) = times;
    let id = format!("{mark}:{}", row.name);
    NewsItem {
        version: FORM,
        id: story.id_bytes.map_or(id.clone(), |bytes| filled(&id, bytes, &row.name)),
        thread: thread(row, mark, first),
        source: source.into(),
        provider: mark.into(),
        language: story.language.clone(),
        kind: story.kind,
        status: if story.canceled { Status::Canceled } else { Status::Usable },
        urgency: Some(if story.kind == Kind::Alert { 1 } else { 3 }),
        take: Some(story.take),
        headline: story.headline_bytes.map_or(story.headline.clone(), |bytes| repeated(&story.headline, bytes)),
        body: story.body_bytes.map_or(story.body.clone(), |bytes| filled(&story.body, bytes, &row.name)),
        subjects: vec!["M:1L".into()],
        url: None,
        published,
        first_published: Some(first),
        received: Some(published),
        trace: None,
    }
}

/// A text again and again, to so many bytes.
fn repeated(text: &str, bytes: usize) -> String {
    let mut all = format!("{text} ").repeat(bytes / text.len().max(1) + 1);
    all.truncate(all.floor_char_boundary(bytes));
    // A feed may well take a blank at the end away.
    if all.ends_with(' ') {
        all.pop();
        all.push('.');
    }
    all
}

/// The same number for the same text; too large ones begin again at 0.
fn hash(text: &str) -> u64 {
    text.bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(byte.into()))
}

/// A text with words after it, to so many bytes: words of chance, which don't pack well, and the same in every run.
fn filled(text: &str, bytes: usize, seed: &str) -> String {
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut chance = fastrand::Rng::with_seed(hash(seed));
    let mut all = String::from(text);
    while all.len() < bytes {
        let is_blank = all.len() + 1 < bytes && chance.usize(..8) == 0;
        all.push(if is_blank { ' ' } else { char::from(LETTERS[chance.usize(..62)]) });
    }
    all.truncate(all.floor_char_boundary(bytes));
    all
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::verify::seen::{Position, Why};

    pub(in super::super) fn models() -> Models {
        let model = Model { name: "ProsusAI/finbert".into(), version: "1".into() };
        ["en", "de", "sv"]
            .into_iter()
            .fold(Models::default(), |models, language| models.with([language], model.clone()))
    }

    fn plan<'v>(vector: &'v Vector, feed: Option<&str>, models: &Models, tricks: bool) -> Plan<'v> {
        let filter = &Filter::default();
        Plan::new(vector, "run", Timestamp::UNIX_EPOCH, Known { feed, models, tricks, filter })
    }

    fn skipped<'a>(plan: &'a Plan<'_>) -> Vec<(&'a str, &'a str)> {
        let skipped = |planned: &'a Planned<'_>| match &planned.work {
            Work::Skip(why) => Some((planned.row.name.as_str(), why.as_str())),
            _ => None,
        };
        plan.rows.iter().filter_map(skipped).collect()
    }

    #[test]
    fn rows_are_skipped_where_they_cannot_be_tried() {
        let vector = Vector::default();
        assert_eq!(skipped(&plan(&vector, Some("lseg"), &models(), true)), []);
        let english = Models::default().with(["en"], Model { name: "m".into(), version: "1".into() });
        let expected = [
            ("german", "no model judges de here"),
            ("fragments", "needs a feed that can be told what to send"),
            ("model-refuses", "needs a model that refuses a text on request"),
            ("unknown-label", "no model judges sv here"),
        ];
        assert_eq!(skipped(&plan(&vector, None, &english, false)), expected);
        let any = Models::default().with(["*"], Model { name: "m".into(), version: "1".into() });
        assert!(skipped(&plan(&vector, None, &any, true)).contains(&("no-route", "a model judges mi here")));
    }

    #[test]
    fn what_the_feeds_filter_keeps_out_is_skipped() {
        let (vector, models) = (Vector::default(), models());
        let with = |feed, filter: &Filter| {
            let plan =
                Plan::new(&vector, "run", Timestamp::UNIX_EPOCH, Known { feed, models: &models, tricks: true, filter });
            let skipped: Vec<_> = skipped(&plan).iter().map(|(name, why)| format!("{name}: {why}")).collect();
            (skipped, plan.shows_nothing())
        };
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let filter = Filter { languages: texts(&["en", "de", "sv"]), ..Filter::default() };
        let expected = texts(&["no-route: the feed's filter lets no mi in"]);
        assert_eq!(with(Some("lseg"), &filter), (expected, None));
        assert_eq!(with(None, &filter).0, ["fragments: needs a feed that can be told what to send"]);
        let filter = Filter { providers: texts(&["NS:RTRS"]), urgencies: vec![3], ..Filter::default() };
        let (skipped, nothing) = with(Some("lseg"), &filter);
        assert!(skipped.contains(&"positive: the feed's filter lets no provider but its own in".into()), "{skipped:?}");
        let alert = "alert: the feed's filter lets no provider but its own and no urgency 1 in";
        assert!(skipped.contains(&alert.into()), "{skipped:?}");
        assert_eq!(nothing, Some("no story was tried: every one was skipped"));
    }

    #[test]
    fn vector_that_is_skipped_altogether_shows_nothing() {
        let text = "[[rows]]\nname = \"a\"\nstory.language = \"xx\"\nexpect.sentiment = \"positive\"\n";
        let vector = Vector::read("v.toml", text).unwrap();
        let nothing = plan(&vector, None, &models(), true).shows_nothing();
        assert_eq!(nothing, Some("nothing was tried: every row was skipped"));
    }

    #[test]
    fn record_shares_the_key_of_its_threads_stories_and_is_told_from_them() {
        let (vector, models) = (Vector::default(), models());
        let plan = plan(&vector, None, &models, true);
        let row = |name: &str| plan.rows.iter().find(|planned| planned.row.name == name).unwrap();
        let (poison, behind) = (row("no-json"), row("last"));
        let Work::Record { key, .. } = &poison.work else { panic!("{poison:?}") };
        let Work::Item { item, .. } = &behind.work else { panic!("{behind:?}") };
        assert_eq!(*key, item.thread);
        let message = |id: Option<&String>| SetAside {
            reason: Why { code: "malformed".into(), text: String::new() },
            position: Position { partition_key: Some(key.clone()) },
            id: id.cloned(),
            bytes: 1,
        };
        for (id, expected) in [(None, [true, false]), (Some(&item.id), [false, true])] {
            assert_eq!([poison, behind].map(|planned| plan.is_about(planned, &message(id))), expected, "{id:?}");
        }
    }

    #[test]
    fn versions_of_a_story_share_a_thread_and_nothing_else() {
        let vector = Vector::default();
        let models = models();
        let plan = plan(&vector, None, &models, true);
        let items: Vec<_> = plan
            .rows
            .iter()
            .filter_map(|planned| match &planned.work {
                Work::Item { item, .. } => Some(item),
                _ => None,
            })
            .collect();
        let of_story = items.iter().filter(|item| item.thread.starts_with("newsloom-verify-run:story@"));
        assert_eq!(of_story.clone().count(), 4);
        assert_eq!(of_story.map(|item| &item.thread).collect::<std::collections::HashSet<_>>().len(), 1);
        let ids: std::collections::HashSet<_> = plan.ids().collect();
        assert_eq!(ids.len(), items.len());
        assert!(ids.iter().all(|id| id.starts_with("newsloom-verify-run:")));
    }

    #[test]
    fn sizes_are_exact_and_the_same_in_every_run() {
        assert_eq!(filled("a text", 300, "seed").len(), 300);
        let name = "a-name-as-long-as-a-row-may-have-it-at-all";
        assert_eq!(filled("a text", 300, name), filled("a text", 300, name));
        let long = repeated("Shares fall", 100);
        assert_eq!((long.len(), long.matches("Shares fall").count()), (100, 8), "{long}");
        for bytes in 20..60 {
            let long = repeated("Shares fall", bytes);
            assert_eq!((long.len(), long.trim().len()), (bytes, bytes), "{long}");
        }
    }
}
