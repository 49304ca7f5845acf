//! Where items go.

pub mod kinesis;
pub mod lines;

use crate::outbox::Records;
use std::future::Future;

/// Takes records until there are no more, which is when every source has ended.
pub trait Sink {
    /// Settles every record: it is where it should be, or on disk, or counted as lost. A record's share of the memory is
    /// free again when it is dropped.
    ///
    /// Records of one thread keep their order. When `records` ends, what is left is sent within five seconds, or kept on
    /// disk for the next start.
    ///
    /// # Errors
    ///
    /// It can't go on: nobody reads standard output any more, say.
    fn run(self, records: Records) -> impl Future<Output = anyhow::Result<()>>;
}
