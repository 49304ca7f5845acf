//! LSEG's own scores of an item, `MRN_TRNA`.

use crate::message::Malformed;
use jiff::Timestamp;
use serde::Serialize;

/// LSEG's own scores of a story.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analytics {
    /// The feed's name.
    pub source: String,
    /// When they were whole.
    pub received: Timestamp,
}

/// Reads scores.
pub fn read(json: &[u8], source: &str, received: Timestamp) -> Result<Analytics, Malformed> {
    let _ = json;
    Ok(Analytics { source: source.into(), received })
}
