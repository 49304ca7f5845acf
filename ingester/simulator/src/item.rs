//! News items as the feed's JSON has them (MRN data model 2.10).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ric {
    /// `MRN_STORY`: alerts and stories.
    Story,
    /// `MRN_TRNA`: scores of stories.
    Scores,
}

impl Ric {
    /// As a request names it: `MRN_STORY`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Story => "MRN_STORY",
            Self::Scores => "MRN_TRNA",
        }
    }

    /// As `MRN_TYPE` names what comes.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Story => "STORY",
            Self::Scores => "TRNA",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Story, Self::Scores].into_iter().find(|ric| ric.name() == name)
    }
}

/// A story, or one version of it, member for member as on the wire.
///
/// ```
/// let story = simulator::Story::article("Example plc opens a second site", "The site is in the north.")
///     .thread("nSIM1234A")
///     .take(2);
/// assert_eq!(story.id.len(), 54);
/// assert_eq!(story.urgency, 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Story {
    /// Names this version, unique within the feed.
    pub id: String,
    /// The same for all versions of a story.
    pub alt_id: String,
    /// The headline.
    pub headline: String,
    /// The text; empty for alerts.
    pub body: String,
    /// ISO 639, in either case: `en`, `EN`.
    pub language: String,
    /// When the story was first published, RFC 3339 with milliseconds.
    pub first_created: String,
    /// When this version was.
    pub version_created: String,
    /// Which one of the story it is, from 1; alerts and articles count apart.
    pub take_sequence: u32,
    /// 1 is an alert, 3 an article.
    pub urgency: u8,
    /// 1 for alerts, 2 for articles, 5 for versions of a running article.
    pub message_type: u8,
    /// `stat:usable`, or `stat:canceled`.
    pub pub_status: String,
    /// `text/plain`.
    pub mime_type: String,
    /// Who wrote it, `NS:RTRS`.
    pub provider: String,
    /// Products it is meant for, `NP:…`.
    pub audiences: Vec<String>,
    /// What it is about.
    pub subjects: Vec<String>,
    /// What kind of story it is one of.
    pub instances_of: Vec<String>,
}

impl Story {
    /// An alert: a headline alone. Its id follows from the headline, its times are fixed.
    pub fn alert(headline: impl Into<String>) -> Self {
        Self { urgency: 1, message_type: 1, ..Self::article(headline, "") }.identified()
    }

    /// An article in English by `NS:SIM`. Its id follows from the headline, its times are fixed.
    pub fn article(headline: impl Into<String>, body: impl Into<String>) -> Self {
        let created = "2026-01-02T03:04:05.678Z";
        Self {
            id: String::new(),
            alt_id: "nSIM00001".into(),
            headline: headline.into(),
            body: body.into(),
            language: "en".into(),
            first_created: created.into(),
            version_created: created.into(),
            take_sequence: 1,
            urgency: 3,
            message_type: 2,
            pub_status: "stat:usable".into(),
            mime_type: "text/plain".into(),
            provider: "NS:SIM".into(),
            audiences: vec!["NP:SIM".into()],
            subjects: vec!["M:1L".into()],
            instances_of: Vec::new(),
        }
        .identified()
    }

    /// Of this thread, an `altId` such as `nSIM1234A`.
    pub fn thread(self, alt_id: impl Into<String>) -> Self {
        Self { alt_id: alt_id.into(), ..self }.identified()
    }

    /// The n-th of its thread.
    pub fn take(self, take_sequence: u32) -> Self {
        Self { take_sequence, ..self }.identified()
    }

    /// In another language.
    pub fn language(self, language: impl Into<String>) -> Self {
        Self { language: language.into(), ..self }
    }

    /// By another provider, `NS:RTRS`.
    pub fn provider(self, provider: impl Into<String>) -> Self {
        Self { provider: provider.into(), ..self }
    }

    /// Published at this time; the whole thread began then unless told otherwise.
    pub fn at(self, time: Timestamp) -> Self {
        let time = format!("{time:.3}");
        Self { first_created: time.clone(), version_created: time, ..self }.identified()
    }

    /// It takes back its thread.
    pub fn canceled(self) -> Self {
        Self { pub_status: "stat:canceled".into(), ..self }.identified()
    }

    /// With another id; any text.
    pub fn id(self, id: impl Into<String>) -> Self {
        Self { id: id.into(), ..self }
    }

    /// An id that follows from the content, in the feed's grammar.
    fn identified(self) -> Self {
        let text = format!("{}\n{}\n{}\n{}", self.headline, self.take_sequence, self.pub_status, self.body);
        let mut random = fastrand::Rng::with_seed(crate::text::hash(text.as_bytes()));
        let id = story_id(&self.alt_id, &self.version_created, self.message_type, &mut random);
        Self { id, ..self }
    }
}

/// The 54 characters of an id: the story's number padded with `_`, the day, the type, 37 characters of base64.
pub(crate) fn story_id(alt_id: &str, created: &str, message_type: u8, random: &mut fastrand::Rng) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let number = alt_id.strip_prefix('n').unwrap_or(alt_id);
    let day = created.get(2..10).unwrap_or("00-01-01").replace('-', "");
    let mut id = format!("{number:_<9.9}_{day}{}", message_type % 10);
    id.extend((0..37).map(|_| char::from(ALPHABET[random.usize(..64)])));
    id
}

/// An item as it is put on the wire: any content, under a name.
#[derive(Debug, Clone)]
pub struct Item {
    /// What the journal says of it.
    pub about: Arc<About>,
    /// JSON, normally.
    pub content: Vec<u8>,
}

/// What the journal says of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What has to be asked for to get it.
    pub ric: Ric,
    /// Its id, the `GUID` on the wire.
    pub id: String,
    /// Its story, the `altId`; empty where there is none.
    pub thread: String,
    /// Which one of the story it is; 0 where there is none.
    pub take: u32,
    /// Its headline; empty where there is none.
    pub headline: String,
}

impl Item {
    /// Whatever you like, as a story: for content that no feed should send.
    pub fn raw(id: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        let about = About { ric: Ric::Story, id: id.into(), thread: String::new(), take: 0, headline: String::new() };
        Self { about: Arc::new(about), content: content.into() }
    }

    /// Bytes of it on the wire before base64, `TOT_SIZE`.
    pub fn packed_len(&self) -> usize {
        crate::envelope::gzip(&self.content, self.about.ric).len()
    }
}

impl From<&Story> for Item {
    fn from(story: &Story) -> Self {
        let about = About {
            ric: Ric::Story,
            id: story.id.clone(),
            thread: story.alt_id.clone(),
            take: story.take_sequence,
            headline: story.headline.clone(),
        };
        Self { about: Arc::new(about), content: json(story) }
    }
}

impl From<Story> for Item {
    fn from(story: Story) -> Self {
        Self::from(&story)
    }
}

pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts, numbers and lists always become JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_grammar_and_the_content() {
        let story = Story::article("Example plc opens a site", "").thread("nAB12");
        assert!(story.id.starts_with("AB12______2601022"), "{}", story.id);
        assert_eq!(story.id.len(), 54);
        assert_eq!(story.id, Story::article("Example plc opens a site", "").thread("nAB12").id);
        assert_ne!(story.id, story.clone().take(2).id);
        assert_ne!(story.id, story.clone().canceled().id);
    }

    #[test]
    fn members_are_named_as_on_the_wire() {
        let story = serde_json::to_value(Story::alert("Example plc halts trading")).unwrap();
        for member in ["altId", "firstCreated", "takeSequence", "pubStatus", "instancesOf"] {
            assert!(story.get(member).is_some(), "{member}");
        }
        assert_eq!(story["body"], "");
        assert_eq!(story["urgency"], 1);
    }
}
