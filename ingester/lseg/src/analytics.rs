//! LSEG's own scores of an item, `MRN_TRNA`.

/// LSEG's own scores of a story.
#[derive(Debug, Clone, PartialEq)]
pub struct Analytics {}
