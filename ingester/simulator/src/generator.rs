//! Inventing a feed: what comes, after how long, and of what size.

mod scores;
mod sized;

pub(crate) use scores::scores;

use crate::{
    item::{Story, story_id},
    profile::{LENGTH, Slot, slots},
    text::hash_of,
    words::Writer,
};
use fastrand::Rng;
use jiff::Timestamp;
use sized::{Texture, fit};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// An endless invented feed. The same seed invents the same feed; only times follow the clock that it is asked at.
///
/// It repeats the recorded half minute's shape for ever, with new content each time. What the recording lacks is added:
/// articles after alerts, corrections, cancellations, long texts.
///
/// ```
/// use simulator::Generator;
/// let time = "2026-01-02T03:04:05Z".parse()?;
/// let first = Generator::new(7).next(time).story;
/// assert_eq!(first, Generator::new(7).next(time).story);
/// assert_ne!(first, Generator::new(8).next(time).story);
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug)]
pub struct Generator {
    seed: u64,
    cycle: u64,
    planned: VecDeque<Planned>,
    /// Stories of this cycle, by their slot: for those that refer to them.
    told: HashMap<Reference, Story>,
    /// The running story's number and beginning, and the takes it had.
    running: Option<(String, String)>,
}

/// An invented item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invented {
    /// The item.
    pub story: Story,
    /// Whether it came before, as it is.
    pub repeat: bool,
    /// When it comes, since the feed began, at the recorded pace.
    pub after: Duration,
}

/// What comes at a point of a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Planned {
    after: Duration,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// As recorded.
    Recorded(usize),
    /// The article after an alert.
    Article { alert: usize, size: usize },
    /// Of the article after an alert.
    Correction { alert: usize },
    /// Of the article after an alert.
    Cancellation { alert: usize },
    /// A text of many fragments.
    Long,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reference {
    Recorded(usize),
    ArticleOf(usize),
}

/// What an item takes over from the thread that it belongs to.
struct Thread {
    alt_id: String,
    first_created: String,
    company: Option<String>,
}

impl Generator {
    /// A feed from its beginning.
    pub fn new(seed: u64) -> Self {
        Self { seed, cycle: 0, planned: plan(0), told: HashMap::new(), running: None }
    }

    /// When the next item comes, since the feed began, at the recorded pace.
    pub fn next_after(&mut self) -> Duration {
        self.refill();
        let within = self.planned.front().map_or(LENGTH, |planned| planned.after);
        LENGTH * u32::try_from(self.cycle).unwrap_or(u32::MAX) + within
    }

    /// The next item, on the network at this time.
    pub fn next(&mut self, published: Timestamp) -> Invented {
        let after = self.next_after();
        let Planned { what, .. } = self.planned.pop_front().unwrap_or(Planned { after, what: What::Long });
        let (story, repeat) = self.invent(what, published);
        Invented { story, repeat, after }
    }

    fn refill(&mut self) {
        if self.planned.is_empty() {
            self.cycle += 1;
            self.planned = plan(self.cycle);
            self.told.clear();
        }
    }

    fn invent(&mut self, what: What, published: Timestamp) -> (Story, bool) {
        let random = self.random(what);
        match what {
            What::Recorded(index) => self.recorded(index, random, published),
            What::Article { alert, size } => {
                let story = self.after_alert(alert, size, random, published);
                self.told.insert(Reference::ArticleOf(alert), story.clone());
                (story, false)
            }
            What::Correction { alert } => (self.correction(alert, random, published), false),
            What::Cancellation { alert } => (self.cancellation(alert, random, published), false),
            What::Long => {
                let slot = Slot {
                    size: 6_000 + 500 * (hash_of(&[self.seed, self.cycle]) % 50) as usize,
                    ..article("NS:RTRS")
                };
                (write(&slot, random, published, None), false)
            }
        }
    }

    /// Each item has random numbers of its own, so that a change to one kind changes no other.
    fn random(&self, what: What) -> Rng {
        let number = match what {
            What::Recorded(index) => index as u64,
            What::Article { alert, .. } => 1000 + alert as u64,
            What::Correction { alert } => 2000 + alert as u64,
            What::Cancellation { alert } => 3000 + alert as u64,
            What::Long => 4000,
        };
        Rng::with_seed(hash_of(&[self.seed, self.cycle, number]))
    }

    fn recorded(&mut self, index: usize, random: Rng, published: Timestamp) -> (Story, bool) {
        let slot = &slots()[index];
        let before = slot.repeats.and_then(|before| self.told.get(&Reference::Recorded(before)));
        if let Some(story) = before {
            return (story.clone(), true);
        }
        let story = if slot.message_type == 5 {
            self.run_on(slot, random, published)
        } else {
            write(slot, random, published, None)
        };
        self.told.insert(Reference::Recorded(index), story.clone());
        (story, false)
    }

    /// The next take of the one story that goes on for ever: three takes a cycle, from 146 as recorded.
    fn run_on(&mut self, slot: &Slot, random: Rng, published: Timestamp) -> Story {
        let take = slot.take + 3 * u32::try_from(self.cycle).unwrap_or(0);
        let thread =
            self.running.clone().map(|(alt_id, first_created)| Thread { alt_id, first_created, company: None });
        let story = write(&Slot { take, ..slot.clone() }, random, published, thread);
        self.running.get_or_insert_with(|| (story.alt_id.clone(), story.first_created.clone()));
        story
    }

    fn after_alert(&self, alert: usize, size: usize, random: Rng, published: Timestamp) -> Story {
        let thread = self.told.get(&Reference::Recorded(alert)).map(Thread::of);
        write(&Slot { size, ..article("NS:RTRS") }, random, published, thread)
    }

    fn correction(&self, alert: usize, random: Rng, published: Timestamp) -> Story {
        let told = self.told.get(&Reference::ArticleOf(alert));
        let slot = Slot { size: 1400, take: told.map_or(2, |told| told.take_sequence + 1), ..article("NS:RTRS") };
        let story = write(&slot, random, published, told.map(Thread::of));
        let headline = told.map_or(story.headline.clone(), |told| told.headline.clone());
        Story { headline: format!("CORRECTED-{headline}"), ..story }
    }

    fn cancellation(&self, alert: usize, mut random: Rng, published: Timestamp) -> Story {
        let Some(told) = self.told.get(&Reference::ArticleOf(alert)) else {
            return write(&article("NS:RTRS"), random, published, None).canceled();
        };
        let version_created = created(published, Duration::from_millis(40));
        let id = story_id(&told.alt_id, &version_created, told.message_type, &mut random);
        Story {
            id,
            version_created,
            pub_status: "stat:canceled".into(),
            body: String::new(),
            take_sequence: told.take_sequence + 1,
            ..told.clone()
        }
    }
}

impl Thread {
    fn of(story: &Story) -> Self {
        Self {
            alt_id: story.alt_id.clone(),
            first_created: story.first_created.clone(),
            company: story.headline.split(' ').take(2).collect::<Vec<_>>().join(" ").into(),
        }
    }
}

/// What comes in a cycle, in order.
fn plan(cycle: u64) -> VecDeque<Planned> {
    let mut planned: Vec<_> = slots()
        .iter()
        .enumerate()
        .map(|(index, slot)| Planned { after: slot.after, what: What::Recorded(index) })
        .collect();
    let alerts = slots().iter().enumerate().filter(|(_, slot)| slot.urgency == 1).map(|(index, _)| index);
    for (alert, size) in alerts.zip([1300, 2300]) {
        let mut add = |seconds: u64, what| {
            let after = slots()[alert].after + Duration::from_millis(seconds * 1000 + 137);
            planned.push(Planned { after, what });
        };
        add(2, What::Article { alert, size });
        if cycle % 2 == 1 {
            add(9, What::Correction { alert });
        } else if cycle % 4 == 2 {
            add(11, What::Cancellation { alert });
        }
    }
    if cycle % 2 == 1 {
        planned.push(Planned { after: Duration::from_millis(6_543), what: What::Long });
    }
    planned.sort_by_key(|planned| planned.after);
    planned.into()
}

/// An agency's article that the recording doesn't have.
fn article(provider: &str) -> Slot {
    Slot {
        after: Duration::ZERO,
        size: 900,
        language: "en".into(),
        provider: provider.into(),
        urgency: 3,
        message_type: 2,
        take: 1,
        delay: Duration::from_millis(60),
        repeats: None,
    }
}

/// The longest delay of an invented item: recorded ones of an hour were a batch that was sent again.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

fn created(published: Timestamp, delay: Duration) -> String {
    let created = published.checked_sub(delay.min(LONGEST_DELAY)).unwrap_or(published);
    format!("{created:.3}")
}

fn write(slot: &Slot, mut random: Rng, published: Timestamp, thread: Option<Thread>) -> Story {
    let version_created = created(published, slot.delay);
    let alt_id = thread.as_ref().map_or_else(|| number(&slot.provider, &mut random), |thread| thread.alt_id.clone());
    let id = story_id(&alt_id, &version_created, slot.message_type, &mut random);
    let mut writer = Writer::new(&slot.language, random);
    if let Some(company) = thread.as_ref().and_then(|thread| thread.company.as_deref()) {
        writer = writer.about(company);
    }
    let mut headline = writer.headline();
    if slot.urgency == 1 {
        headline = headline.to_uppercase();
    }
    let story = Story {
        id,
        alt_id,
        headline,
        body: String::new(),
        language: slot.language.clone(),
        first_created: thread.map_or_else(|| version_created.clone(), |thread| thread.first_created),
        version_created,
        take_sequence: slot.take,
        urgency: slot.urgency,
        message_type: slot.message_type,
        pub_status: "stat:usable".into(),
        mime_type: if slot.provider == "NS:LSE" { "text/x-plain-fixed" } else { "text/plain" }.into(),
        provider: slot.provider.clone(),
        audiences: vec![slot.provider.replace("NS:", "NP:")],
        subjects: vec!["M:1L".into(), ric(&mut writer.random)],
        instances_of: Vec::new(),
    };
    let texture = match (slot.urgency, slot.provider.as_str()) {
        (1, _) => Texture::Subjects,
        (_, "NS:LSE") => Texture::Table,
        _ => Texture::Prose,
    };
    fit(story, slot.size, texture, &mut writer)
}

/// A story's number, `n` and 7 to 9 characters.
fn number(provider: &str, random: &mut Rng) -> String {
    const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let initial = provider.strip_prefix("NS:").and_then(|name| name.chars().next()).unwrap_or('S');
    let length = random.usize(6..=8);
    let rest = (0..length).map(|_| char::from(ALPHABET[random.usize(..36)]));
    ['n', initial].into_iter().chain(rest).collect()
}

/// A code that looks like a share's.
fn ric(random: &mut Rng) -> String {
    let letters: String = (0..4).map(|_| char::from(random.u8(b'A'..=b'Z'))).collect();
    format!("R:{letters}.SIM")
}
