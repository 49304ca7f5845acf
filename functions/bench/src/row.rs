//! What is measured of whom, and what came out.

use serde::Serialize;

use crate::{measure::Measured, stub::Counts};

/// Who wrote a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Who {
    /// Python as one writes it first.
    #[serde(rename = "Python, one by one")]
    OneByOne,
    /// Python as a careful programmer writes it.
    #[serde(rename = "Python, with care")]
    WithCare,
    /// This project.
    #[serde(rename = "Newsloom")]
    Newsloom,
}

/// One function in one scenario.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) function: &'static str,
    pub(crate) scenario: &'static str,
    pub(crate) who: Who,
    /// The zip that would be uploaded.
    pub(crate) package_kb: f64,
    #[serde(flatten)]
    pub(crate) measured: Measured,
    /// What a batch takes at least, the way this function goes; left out where nothing makes it wait.
    pub(crate) least: Option<Least>,
    /// What the stand-in of AWS was asked for; left out for `publish`.
    pub(crate) counts: Option<Counts>,
}

/// The time for which a batch waits for others, however fast the function is. Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Least {
    /// For the steps that this function takes.
    pub(crate) own_ms: f64,
    /// For who asks for as much as is allowed at once, and does not look first what is in the table.
    pub(crate) without_look_ms: f64,
}

impl Who {
    pub(crate) const ALL: [Self; 3] = [Self::OneByOne, Self::WithCare, Self::Newsloom];

    /// As tables name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OneByOne => "Python, one by one",
            Self::WithCare => "Python, with care",
            Self::Newsloom => "Newsloom",
        }
    }
}
