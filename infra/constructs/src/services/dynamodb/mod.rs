//! DynamoDB: tables of items, found by key, whose changes can be read as a stream.

mod index;
mod table;

pub use index::{GlobalIndex, Key, LocalIndex};
pub use table::{ExistingStreamingTable, ExistingTable, StreamingTable, StreamingTableRef, Table, TableRef, View};

/// How many reads and writes a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Capacity {
    /// As many as come, or up to so many reads and writes.
    OnDemand { at_most: Option<(u32, u32)> },
    /// So many, paid for whether used or not.
    Provisioned { read: u32, write: u32 },
}

#[cfg(test)]
mod tests;
