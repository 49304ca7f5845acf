//! Stories: what is in an envelope of `MRN_STORY`.
//!
//! Members as in LSEG's "MRN Data Models and Elektron Implementation Guide", 4 (version 2.10). What becomes of them:
//!
//! | News item | Story | |
//! |---|---|---|
//! | `id` | `id` | as it is; required, 1 to 2048 bytes |
//! | `thread` | `altId`, `firstCreated` | `nABC@1767323045678`: `altId` alone is used again over time. The id where either is missing; a digest takes the place of what is beyond 256 characters |
//! | `source` | | the feed's name |
//! | `provider` | `provider` | without `NS:` |
//! | `language` | `language` | in lower case; required; the feed has `en` and `EN` |
//! | `kind` | `urgency`, `headline` | 1 is an alert; otherwise a [correction](Prefix) by its headline, or an article |
//! | `status` | `pubStatus` | `stat:canceled` is a request to remove |
//! | `urgency` | `urgency` | |
//! | `take` | `takeSequence` | |
//! | `headline` | `headline` | required, but for a cancellation |
//! | `body` | `body` | plain text, as it is |
//! | `subjects` | `subjects` | as they are, prefixes included; `audiences` are products that it is sold in, not what it is about |
//! | `published` | `versionCreated` | required |
//! | `first_published` | `firstCreated` | |
//! | `received` | | when its last part came |
//!
//! Members that are not required may be missing or of another type; unknown ones are ignored, as the version rises
//! without notice.

use crate::{message::Malformed, scalar};
use jiff::Timestamp;
use news::{FORM, Kind, NewsItem, Status, UNKNOWN_LANGUAGE};
use serde::Deserialize;
use std::borrow::Cow;

/// The longest thread, characters.
const LONGEST_THREAD: usize = 256;

/// The longest id, bytes.
const LONGEST_ID: usize = 2048;

/// Why an item of the feed is no story.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoStory {
    /// Not of this form.
    #[error("is no story: {0}")]
    Malformed(#[from] Malformed),
    /// What every story has is missing, or of another type.
    #[error("is no story: {0} is missing")]
    Missing(&'static str),
    /// An id that none has.
    #[error("is no story: id has {0} bytes, 1 to {LONGEST_ID} are allowed")]
    Id(usize),
}

/// Makes a news item of a story's JSON.
///
/// `source` is the feed's name, `received` the time at which the item was whole.
///
/// # Errors
///
/// It is none: what is required is missing.
///
/// ```
/// let story = br#"{"id": "ABC_1", "altId": "nABC", "headline": "Example plc opens a second plant",
///     "language": "EN", "versionCreated": "2026-01-02T03:04:05.678Z", "provider": "NS:RTRS"}"#;
/// let item = lseg::story::read(story, "wire", jiff::Timestamp::UNIX_EPOCH)?;
/// assert_eq!((&*item.language, &*item.provider, item.kind), ("en", "RTRS", news::Kind::Article));
/// # Ok::<(), lseg::story::NoStory>(())
/// ```
pub fn read(json: &[u8], source: &str, received: Timestamp) -> Result<NewsItem, NoStory> {
    let story: Story<'_> = serde_json::from_slice(json).map_err(|error| Malformed::new(&error))?;
    let canceled = story.pub_status.as_deref() == Some("stat:canceled");
    let headline = match story.headline {
        Some(headline) => headline.into_owned(),
        None if canceled => String::new(),
        None => return Err(NoStory::Missing("headline")),
    };
    let id = story.id.ok_or(NoStory::Missing("id"))?.into_owned();
    if !(1..=LONGEST_ID).contains(&id.len()) {
        return Err(NoStory::Id(id.len()));
    }
    let first_published = time(story.first_created.as_deref());
    Ok(NewsItem {
        version: FORM,
        thread: thread(story.alt_id.as_deref(), first_published, &id),
        id,
        source: source.into(),
        provider: provider(story.provider.as_deref().unwrap_or_default()).into(),
        language: language(&story.language.ok_or(NoStory::Missing("language"))?),
        kind: kind(story.urgency, &headline),
        status: if canceled { Status::Canceled } else { Status::Usable },
        urgency: story.urgency.and_then(|urgency| urgency.try_into().ok()),
        take: story.take_sequence.and_then(|take| take.try_into().ok()),
        headline,
        body: story.body.unwrap_or_default().into_owned(),
        subjects: story.subjects,
        url: None,
        published: time(story.version_created.as_deref()).ok_or(NoStory::Missing("versionCreated"))?,
        first_published,
        received: Some(received),
        trace: None,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Story<'a> {
    #[serde(borrow, default, deserialize_with = "scalar::text")]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "scalar::text")]
    alt_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "scalar::text")]
    headline: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "scalar::text")]
    body: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "scalar::text")]
    language: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "scalar::text")]
    first_created: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "scalar::text")]
    version_created: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "scalar::number")]
    take_sequence: Option<u64>,
    #[serde(default, deserialize_with = "scalar::number")]
    urgency: Option<u64>,
    #[serde(borrow, default, deserialize_with = "scalar::text")]
    pub_status: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "scalar::text")]
    provider: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "scalar::strings")]
    subjects: Vec<String>,
}

pub(crate) fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.trim().parse().ok()
}

pub(crate) fn provider(code: &str) -> &str {
    code.strip_prefix("NS:").unwrap_or(code)
}

pub(crate) fn language(code: &str) -> String {
    let code = code.trim();
    if code.is_empty() { UNKNOWN_LANGUAGE.into() } else { code.to_lowercase() }
}

fn thread(alt_id: Option<&str>, first: Option<Timestamp>, id: &str) -> String {
    let name = match (alt_id, first) {
        (Some(alt_id), Some(first)) if !alt_id.is_empty() => Cow::Owned(format!("{alt_id}@{}", first.as_millisecond())),
        _ => Cow::Borrowed(id),
    };
    if name.len() <= LONGEST_THREAD || name.chars().count() <= LONGEST_THREAD {
        return name.into_owned();
    }
    // Cut off, two stories could become one, and the end of one take back the other.
    let begin: String = name.chars().take(LONGEST_THREAD - 17).collect();
    format!("{begin}~{:016x}", digest(name.as_bytes()))
}

/// FNV-1a: the same in every process, at every time.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |digest, byte| (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn kind(urgency: Option<u64>, headline: &str) -> Kind {
    if urgency == Some(1) {
        Kind::Alert
    } else if Prefix::all(headline).any(|prefix| prefix == Prefix::Correction) {
        Kind::Correction
    } else {
        Kind::Article
    }
}

/// What stands before a headline, in capitals and with a hyphen after it: `UPDATE 1-`, `CORRECTED-`.
///
/// Corrections are recognisable by nothing else. Several may follow one another, `CORRECTED-UPDATE 2-`. The words are
/// those that Reuters uses, whose corrections are items of the same thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// It puts something right: `CORRECTED-`, `CORRECTED (OFFICIAL)-`, `CORRECTION-`, `OFFICIAL CORRECTION-`, `REFILE-`.
    Correction,
    /// A new take, `UPDATE 1-`, `WRAPUP 2-`, or the same once more, `RPT-`.
    Other,
}

impl Prefix {
    /// Those of a headline, in order.
    ///
    /// ```
    /// use lseg::story::Prefix;
    /// let prefixes: Vec<_> = Prefix::all("UPDATE 1-CORRECTED-Example plc opens a plant").collect();
    /// assert_eq!(prefixes, [Prefix::Other, Prefix::Correction]);
    /// ```
    pub fn all(headline: &str) -> impl Iterator<Item = Self> {
        let pieces = headline.split('-');
        let count = headline.matches('-').count();
        // What follows the last hyphen stands before nothing.
        pieces.take(count).map_while(|piece| Self::named(piece.trim()))
    }

    fn named(word: &str) -> Option<Self> {
        let bare = word.trim_end_matches(|letter: char| letter.is_ascii_digit()).trim_end();
        let bare =
            bare.strip_suffix(')').and_then(|rest| rest.split_once('(')).map_or(bare, |(word, _)| word.trim_end());
        match bare {
            "CORRECTED" | "CORRECTION" | "OFFICIAL CORRECTION" | "CORRECTED OFFICIAL" | "REFILE" | "REFILED" => {
                Some(Self::Correction)
            }
            "UPDATE" | "WRAPUP" | "RPT" | "REPEAT" | "EXCLUSIVE" | "ADVISORY" => Some(Self::Other),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// What is made of a story with the required members and these.
    fn item(members: &Value) -> NewsItem {
        let mut story = required();
        story.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        made(&story).unwrap()
    }

    fn required() -> Value {
        json!({"id": "ABC_1", "headline": "h", "language": "en", "versionCreated": "2026-01-02T03:04:05.678Z"})
    }

    fn made(story: &Value) -> Result<NewsItem, NoStory> {
        read(story.to_string().as_bytes(), "wire", Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn only_four_members_are_required() {
        let least = item(&json!({}));
        assert_eq!((&*least.thread, &*least.provider, least.kind), ("ABC_1", "", Kind::Article));
        assert_eq!((least.status, least.urgency, least.take), (Status::Usable, None, None));
        for member in ["id", "headline", "language", "versionCreated"] {
            for value in [None, Some(json!(7)), Some(json!(null)), Some(json!([]))] {
                let mut story = required();
                story.as_object_mut().unwrap().remove(member);
                story.as_object_mut().unwrap().extend(value.map(|value| (member.to_owned(), value)));
                let missing = made(&story).unwrap_err().to_string();
                assert_eq!(missing, format!("is no story: {member} is missing"), "{story}");
            }
        }
    }

    #[test]
    fn members_that_are_not_required_lose_nothing_whatever_they_hold() {
        let names = [
            "altId",
            "firstCreated",
            "takeSequence",
            "urgency",
            "messageType",
            "pubStatus",
            "mimeType",
            "provider",
            "audiences",
            "subjects",
            "instancesOf",
            "body",
            "somethingNew",
        ];
        let values =
            [json!(null), json!(-1), json!(1e300), json!(true), json!({"a": [1]}), json!([[1], {}]), json!("\u{0}x")];
        for name in names {
            for value in &values {
                let item = item(&json!({name: value}));
                assert_eq!((&*item.id, item.status), ("ABC_1", Status::Usable), "{name}: {value}");
            }
        }
        assert_eq!(item(&json!({"subjects": ["R:EXA.L", 7, null, "N2:GB"]})).subjects, ["R:EXA.L", "N2:GB"]);
        assert_eq!(item(&json!({"urgency": 300, "takeSequence": 5_000_000_000_u64})).urgency, None);
    }

    #[test]
    fn thread_is_the_alternative_id_with_its_time_or_the_id() {
        let time = "2026-01-02T03:04:05.678Z";
        let thread = |members: &Value| item(members).thread;
        assert_eq!(thread(&json!({"altId": "nABC", "firstCreated": time})), "nABC@1767323045678");
        assert_eq!(thread(&json!({"altId": "nABC"})), "ABC_1", "without a time it may be of another story");
        assert_eq!(thread(&json!({"altId": "nABC", "firstCreated": "soon"})), "ABC_1");
        assert_eq!(thread(&json!({"altId": "", "firstCreated": time})), "ABC_1");
        assert_eq!(thread(&json!({"id": "é".repeat(256)})), "é".repeat(256));
    }

    #[test]
    fn long_threads_stay_different_and_within_their_limit() {
        let thread = |end: &str| item(&json!({"id": format!("{}{end}", "é".repeat(300))})).thread;
        assert_eq!(thread("a").chars().count(), 256);
        assert_ne!(thread("a"), thread("b"));
        assert!(thread("a").ends_with("~df651970a727251c"), "the same for ever: {}", thread("a"));
    }

    #[test]
    fn ids_are_opaque_within_their_limit() {
        for (length, allowed) in [(0, false), (1, true), (2048, true), (2049, false)] {
            let mut story = required();
            story["id"] = "/".repeat(length).into();
            assert_eq!(made(&story).is_ok(), allowed, "{length}");
        }
    }

    #[test]
    fn languages_and_providers_are_in_the_form_of_the_stream() {
        for (given, expected) in [("EN", "en"), (" ja ", "ja"), ("", "und"), ("und", "und")] {
            assert_eq!(item(&json!({"language": given})).language, expected);
        }
        for (given, expected) in [("NS:RTRS", "RTRS"), ("RTRS", "RTRS"), ("NS:", "")] {
            assert_eq!(item(&json!({"provider": given})).provider, expected);
        }
    }

    #[test]
    fn kind_is_told_by_urgency_and_headline() {
        let cases = [
            (1, "EXAMPLE PLC OPENS A PLANT", Kind::Alert),
            (1, "CORRECTED-EXAMPLE PLC OPENS A PLANT", Kind::Alert),
            (3, "Example plc opens a plant", Kind::Article),
            (3, "UPDATE 1-Example plc opens a plant", Kind::Article),
            (3, "RPT-UPDATE 12-Example plc opens a plant", Kind::Article),
            (3, "CORRECTED-Example plc opens a plant", Kind::Correction),
            (3, "CORRECTED - Example plc opens a plant", Kind::Correction),
            (3, "CORRECTED (OFFICIAL)-Example plc opens a plant", Kind::Correction),
            (3, "OFFICIAL CORRECTION-Example plc opens a plant", Kind::Correction),
            (3, "CORRECTION-Example plc opens a plant", Kind::Correction),
            (3, "UPDATE 2-CORRECTED-Example plc opens a plant", Kind::Correction),
            (3, "CORRECTED-UPDATE 2-Example plc opens a plant", Kind::Correction),
            (3, "REFILE-UPDATE 1-Example plc opens a plant", Kind::Correction),
            (3, "Market CORRECTED-Example plc opens a plant", Kind::Article),
            (3, "CORRECTED figures please nobody", Kind::Article),
            (3, "Correction-minded investors wait", Kind::Article),
            (3, "CORRECTED", Kind::Article),
            (3, "", Kind::Article),
        ];
        for (urgency, headline, kind) in cases {
            assert_eq!(item(&json!({"urgency": urgency, "headline": headline})).kind, kind, "{headline}");
        }
    }

    #[test]
    fn cancellation_needs_no_headline() {
        let mut story = required();
        story["pubStatus"] = "stat:canceled".into();
        story.as_object_mut().unwrap().remove("headline");
        let item = made(&story).unwrap();
        assert_eq!((item.status, &*item.headline), (Status::Canceled, ""));
    }

    #[test]
    fn times_are_kept_to_the_millisecond() {
        let item = item(&json!({"firstCreated": "2026-01-02T03:04:05.001Z", "urgency": 1, "takeSequence": 2}));
        assert_eq!(item.published.as_millisecond(), 1_767_323_045_678);
        assert_eq!(item.first_published.unwrap().as_millisecond(), 1_767_323_045_001);
        assert_eq!((item.received, item.urgency, item.take), (Some(Timestamp::UNIX_EPOCH), Some(1), Some(2)));
    }

    #[test]
    fn every_item_is_a_record_that_readers_take() {
        for story in [json!({}), json!({"language": ""}), json!({"id": "é".repeat(1024), "language": "ZH-Hans"})] {
            let item = item(&story);
            assert_eq!(NewsItem::from_record(&item.to_record()), Ok(item));
        }
    }
}
