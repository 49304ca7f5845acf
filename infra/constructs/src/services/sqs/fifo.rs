//! Order: how queues and topics keep it.

use crate::tree::{Part, Text};

/// What the name of a queue or topic that keeps order ends in.
pub(in crate::services) const FIFO: &str = ".fifo";

/// How a queue or topic keeps order: within each message group. A repeat within five minutes is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fifo {
    by_content: bool,
    per_group: bool,
}

impl Fifo {
    /// Repeats are known by the id that the sender gives.
    pub fn by_id() -> Self {
        Self { by_content: false, per_group: false }
    }

    /// A message with the same content is a repeat, unless the sender gives ids.
    pub fn by_content() -> Self {
        Self { by_content: true, per_group: false }
    }

    /// Knows repeats within a message group only, and limits the throughput of each group rather than of the
    /// whole: AWS's high throughput. Left out, a queue takes 300 calls a second.
    pub fn per_group(mut self) -> Self {
        self.per_group = true;
        self
    }

    pub(in crate::services) fn is_by_content(self) -> bool {
        self.by_content
    }

    pub(in crate::services) fn is_per_group(self) -> bool {
        self.per_group
    }

    pub(super) fn scope(self) -> &'static str {
        if self.per_group { "messageGroup" } else { "queue" }
    }

    pub(super) fn limit(self) -> &'static str {
        if self.per_group { "perMessageGroupId" } else { "perQueue" }
    }

    /// The name with the ending that AWS asks for.
    pub(in crate::services) fn name(name: Text) -> Text {
        let ends = matches!(name.parts().last(), Some(Part::Literal(text)) if text.ends_with(FIFO));
        if ends { name } else { name + FIFO }
    }
}
