//! The envelope of Machine Readable News: an item is compressed, cut, and comes as the fields of several updates.
//!
//! From LSEG's "MRN Data Models and Elektron Implementation Guide", 3.2: parts belong together by (RIC, `MRN_SRC`,
//! `GUID`) and are numbered from 1; the item is whole when their bytes are `TOT_SIZE`, without holes; base64 is decoded
//! part by part, as each may end in padding; parts of one item need not be neighbours; after 60 seconds one gives up.
//! The rest is so that no sender can take more than its share of memory.

mod assemblies;
mod gzip;
mod parts;

pub use gzip::Corrupt;

use crate::Ric;
use assemblies::{Added, Assemblies};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use gzip::Gunzip;
use std::time::{Duration, Instant};

/// The largest item, compressed.
pub const MAX_TOTAL: usize = 1024 * 1024;

/// The largest item, inflated.
pub const MAX_INFLATED: usize = 8 * 1024 * 1024;

/// How many items may be incomplete at a time; the oldest makes room.
pub const MAX_OPEN: usize = 10_000;

/// How many bytes incomplete items may hold together; the oldest make room.
pub const MAX_HELD: usize = 64 * 1024 * 1024;

/// How long an incomplete item is waited for.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The longest names that are believed: the feed's are at most 255 and 40 characters.
const LONGEST_NAME: usize = 2048;

/// Not strict about the padding: it carries nothing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Puts items together.
///
/// ```
/// use lseg::{Ric, envelope::{Assembler, Outcome, Part}};
///
/// // `{}`, compressed.
/// let fragment = "H4sIAAAAAAACA6uuBQBDv6ajAgAAAA==";
/// let part = Part { ric: Ric::Story, source: "HDC_PRD_A", guid: "a", number: Some(1), total: Some(22), fragment };
/// let mut assembler = Assembler::default();
/// assert_eq!(assembler.add(&part, std::time::Instant::now()), Outcome::Whole(b"{}"));
/// ```
#[derive(Default)]
pub struct Assembler {
    open: Assemblies,
    /// Buffers that are kept: nearly all items come in one part, and need nothing else.
    decoded: Vec<u8>,
    gunzip: Gunzip,
}

/// What one update has of an item.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// What it is of.
    pub ric: Ric,
    /// Who cut the item, `MRN_SRC`.
    pub source: &'a str,
    /// Names the item, `GUID`.
    pub guid: &'a str,
    /// Which part it is, from 1, `FRAG_NUM`.
    pub number: Option<u64>,
    /// The bytes of all parts, `TOT_SIZE`; only the first has it.
    pub total: Option<u64>,
    /// Base64, `FRAGMENT`.
    pub fragment: &'a str,
}

/// What came of a part.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The item is whole; this is its JSON.
    Whole(&'a [u8]),
    /// Others are missing.
    Waiting,
    /// It had come before, the same byte by byte.
    Repeated,
    /// Its item was given up, or is a second copy that will never be whole: nothing is lost with it.
    Late,
    /// Its item will never be whole.
    Lost(Lost),
    /// The item is whole, but not what it should be.
    Corrupt(Corrupt),
    /// It is no part of any item.
    Refused(Refused),
}

/// An item that will never be whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} item {guid:?} is incomplete: {why}", .ric.name())]
pub struct Lost {
    /// What it is of.
    pub ric: Ric,
    /// Its name.
    pub guid: String,
    /// Why.
    pub why: Loss,
}

/// Why an item will never be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// A part came twice, with other bytes.
    #[error("part {0} came again with other content")]
    Conflict(u32),
    /// The parts are more than the item.
    #[error("its parts have {held} bytes, {total} were announced")]
    TooLong {
        /// The bytes of its parts.
        held: usize,
        /// What the first part says.
        total: usize,
    },
    /// All bytes are there, but numbers are missing.
    #[error("part {0} is missing, although all bytes came")]
    Hole(u32),
    /// Time is up.
    #[error("{held} of {total} bytes came in {} seconds", PATIENCE.as_secs())]
    Expired {
        /// The bytes of its parts.
        held: usize,
        /// What the first part says.
        total: usize,
    },
    /// Time is up, and the first part never came.
    #[error("its first part didn't come in {} seconds", PATIENCE.as_secs())]
    Orphan,
    /// Nothing more comes.
    #[error("the connection ended before the rest came")]
    Abandoned,
    /// Others needed the room.
    #[error("too many others are incomplete")]
    Evicted,
}

/// Why a message is no part of any item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No number, or one that no item has.
    #[error("FRAG_NUM is {0:?}; 1 to {MAX_TOTAL} are allowed")]
    Number(Option<u64>),
    /// A first part without the size, or with one that no item has.
    #[error("TOT_SIZE is {0:?}; 1 to {MAX_TOTAL} are allowed")]
    Total(Option<u64>),
    /// There is nothing in it.
    #[error("FRAGMENT is empty")]
    Empty,
    /// More than any item.
    #[error("FRAGMENT has {0} letters; an item has at most {MAX_TOTAL} bytes")]
    Long(usize),
    /// Not base64.
    #[error("FRAGMENT is no base64")]
    Base64,
    /// One of several parts, without the name that they share.
    #[error("GUID is missing")]
    Unnamed,
    /// A name that no item has.
    #[error("GUID or MRN_SRC has {0} bytes; {LONGEST_NAME} are allowed")]
    Name(usize),
}

impl Assembler {
    /// Takes a part.
    ///
    /// Others may be given up because of it: see [`lost`](Self::lost).
    pub fn add(&mut self, part: &Part<'_>, now: Instant) -> Outcome<'_> {
        let (number, total) = match self.decode(part) {
            Ok(read) => read,
            Err(Refused::Base64) if is_single(part) => return Outcome::Corrupt(Corrupt::Base64),
            Err(refused) => return Outcome::Refused(refused),
        };
        if number == 1 && total == Some(self.decoded.len()) {
            return self.single(part, now);
        }
        if part.guid.is_empty() {
            return Outcome::Refused(Refused::Unnamed);
        }
        self.one_of_several(part, number, total, now)
    }

    /// Gives up items that are waited for in vain, which [`lost`](Self::lost) then tells.
    pub fn expire(&mut self, now: Instant) {
        self.open.expire(now);
    }

    /// Gives up all items that are waited for, which [`lost`](Self::lost) then tells: nothing more comes.
    pub fn abandon(&mut self) {
        self.open.abandon();
    }

    /// The next item that was given up, by [`expire`](Self::expire), by [`abandon`](Self::abandon) or for want of room.
    pub fn lost(&mut self) -> Option<Lost> {
        self.open.lost()
    }

    /// When [`expire`](Self::expire) will have something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.open.deadline()
    }

    /// How many items are kept in mind: incomplete ones, and those that are done with but may have parts under way.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// How many bytes they take, with what keeping them costs.
    pub fn held(&self) -> usize {
        self.open.held()
    }

    fn decode(&mut self, part: &Part<'_>) -> Result<(u32, Option<usize>), Refused> {
        let number = within(part.number).ok_or(Refused::Number(part.number))?;
        let total =
            if number == 1 { Some(within(part.total).ok_or(Refused::Total(part.total))? as usize) } else { None };
        let name = part.guid.len().max(part.source.len());
        if name > LONGEST_NAME {
            return Err(Refused::Name(name));
        }
        if part.fragment.len() > MAX_TOTAL / 3 * 4 + 4 {
            return Err(Refused::Long(part.fragment.len()));
        }
        self.decoded.clear();
        BASE64.decode_vec(part.fragment, &mut self.decoded).map_err(|_| Refused::Base64)?;
        if self.decoded.is_empty() { Err(Refused::Empty) } else { Ok((number, total)) }
    }

    /// The usual item: its first part is the only one.
    fn single(&mut self, part: &Part<'_>, now: Instant) -> Outcome<'_> {
        // Parts of it that wait are of another cut: nothing is lost with them.
        self.open.finish(part, now);
        match self.gunzip.inflate(&self.decoded) {
            Ok(json) => Outcome::Whole(json),
            Err(corrupt) => Outcome::Corrupt(corrupt),
        }
    }

    fn one_of_several(&mut self, part: &Part<'_>, number: u32, total: Option<usize>, now: Instant) -> Outcome<'_> {
        match self.open.add(part, number, total, &self.decoded, now) {
            Added::Whole(bytes) => {
                self.decoded = bytes;
                self.assembled(part, now)
            }
            Added::Waiting => Outcome::Waiting,
            Added::Repeated => Outcome::Repeated,
            Added::Late => Outcome::Late,
            Added::Lost(why) => Outcome::Lost(Lost { ric: part.ric, guid: part.guid.into(), why }),
        }
    }

    fn assembled(&mut self, part: &Part<'_>, now: Instant) -> Outcome<'_> {
        match self.gunzip.inflate(&self.decoded) {
            Ok(json) => Outcome::Whole(json),
            // Another copy was whole.
            Err(_) if self.open.give_up(part, now) => Outcome::Late,
            Err(corrupt) => Outcome::Corrupt(corrupt),
        }
    }
}

/// Whether a first part that can't be decoded is as long as its whole item.
fn is_single(part: &Part<'_>) -> bool {
    let longest = part.fragment.len() / 4 * 3 + 3;
    part.number == Some(1) && within(part.total).is_some_and(|total| longest >= total as usize)
}

fn within(number: Option<u64>) -> Option<u32> {
    u32::try_from(number?).ok().filter(|number| (1..=MAX_TOTAL).contains(&(*number as usize)))
}
