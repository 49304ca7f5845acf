//! The test vector: known items, and what is expected of each.

mod read;

use news::{Kind, Label, Reason};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The vector that is taken where no other is named: `vector.toml`, whose head describes the form.
pub const DEFAULT: &str = include_str!("../../vector.toml");

/// Known items, and what is expected of each.
///
/// ```
/// use local_pipeline::verify::Vector;
///
/// let vector = Vector::read("mine.toml", r#"
///     [[rows]]
///     name = "good-news"
///     story.headline = "Example plc profit beats estimates"
///     expect.sentiment = "positive"
///
///     [[rows]]
///     name = "nonsense"
///     record.text = "Profit warning"
///     expect.quarantine = "malformed"
/// "#)?;
/// assert_eq!(vector.rows.len(), 2);
/// # Ok::<(), settings::Problems>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector {
    /// In the order in which they are put in.
    pub rows: Vec<Row>,
}

/// A known item, and what is expected of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Names it: 1 to 40 lower-case letters, digits and hyphens.
    pub name: String,
    /// What it shows; may be empty.
    pub about: String,
    /// How often it is put in, 1 to 10.
    pub times: u8,
    /// What is put in.
    pub put: Put,
    /// What a model must do for it that no real one can be made to.
    pub model: Option<Trick>,
    /// What is expected.
    pub expect: Expect,
}

/// What is put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// A story of a feed.
    Story(Story),
    /// A record on the stream.
    Record {
        /// What it holds, with `{id}`, `{thread}` and `{provider}` for those of the run.
        data: Vec<u8>,
        /// The stories that it shares its partition key with, so that they wait for it. Left out: a key of its own.
        thread: Option<String>,
    },
}

/// A story of a feed, without what differs from run to run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Story {
    /// The headline; may be empty.
    pub headline: String,
    /// Repeats the headline to so many bytes.
    pub headline_bytes: Option<usize>,
    /// The text.
    pub body: String,
    /// Fills up the text to so many bytes, with what doesn't pack well.
    pub body_bytes: Option<usize>,
    /// In lower case, ISO 639; `en` by default.
    pub language: String,
    /// An article by default.
    pub kind: Kind,
    /// Whether it takes back its thread.
    pub canceled: bool,
    /// Rows that name the same are versions of one story. Left out: a story of its own.
    pub thread: Option<String>,
    /// Which take of the story it is, from 1.
    pub take: u32,
    /// Fills up the id to so many bytes.
    pub id_bytes: Option<usize>,
    /// Whether there is nothing to see without the feed.
    pub feed_only: bool,
}

impl Default for Story {
    fn default() -> Self {
        Self {
            headline: String::new(),
            headline_bytes: None,
            body: String::new(),
            body_bytes: None,
            language: "en".into(),
            kind: Kind::Article,
            canceled: false,
            thread: None,
            take: 1,
            id_bytes: None,
            feed_only: false,
        }
    }
}

/// What a model must do that no real one can be made to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trick {
    /// It refuses every headline that holds this text.
    Refuses(String),
    /// The model of the row's language answers with labels that are no sentiments, `LABEL_0`.
    UnknownLabels,
}

/// What is expected of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// It is stored and published, once: judged like this.
    Judged(Label),
    /// It is stored and published, once: not judged, for this reason.
    Unjudged(Reason),
    /// It is set aside with this code, and nothing else comes of it.
    Quarantined(String),
}

impl Vector {
    /// Reads the text of a file; `path` is how problems name it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its line.
    pub fn read(path: &str, text: &str) -> Result<Self, settings::Problems> {
        read::read(path, text)
    }

    /// Texts that the models must refuse for all rows to be tried: for whoever runs the models.
    pub fn refused_texts(&self) -> BTreeSet<&str> {
        let tricks = self.rows.iter().filter_map(|row| row.model.as_ref());
        tricks.filter_map(|trick| if let Trick::Refuses(text) = trick { Some(text.as_str()) } else { None }).collect()
    }

    /// Languages whose model must answer with labels that are no sentiments: for whoever runs the models.
    pub fn languages_without_sentiments(&self) -> BTreeSet<&str> {
        let tricked = self.rows.iter().filter(|row| row.model == Some(Trick::UnknownLabels));
        tricked.filter_map(|row| row.put.story().map(|story| story.language.as_str())).collect()
    }
}

impl Default for Vector {
    fn default() -> Self {
        Self::read("vector.toml", DEFAULT).expect("a test reads it too")
    }
}

impl Put {
    /// The story, if it is one.
    pub fn story(&self) -> Option<&Story> {
        if let Self::Story(story) = self { Some(story) } else { None }
    }
}

impl Expect {
    /// Whether it is stored and published.
    pub const fn is_published(&self) -> bool {
        !matches!(self, Self::Quarantined(_))
    }

    /// The middle word of the routing key, where there is one: `negative`, `unjudged`.
    pub fn sentiment(&self) -> Option<&'static str> {
        match self {
            Self::Judged(label) => Some(label.name()),
            Self::Unjudged(_) => Some("unjudged"),
            Self::Quarantined(_) => None,
        }
    }
}
