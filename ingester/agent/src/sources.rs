//! Feeds: where news comes from.

pub mod alpaca;
mod fingerprint;
pub mod lseg;
mod pause;
pub mod replay;
pub mod rss;
mod text;

use crate::outbox::Outbox;
use std::future::Future;
use tokio_util::sync::CancellationToken;

/// A feed. One runs for each entry of the configuration, all on one thread.
pub trait Source {
    /// Hands items to `outbox` until `stop` is cancelled, then says goodbye to its server and returns, within three
    /// seconds; or until there is nothing more, as at the end of a replay.
    ///
    /// What a server or a network does is no error: a source comes back by itself, with pauses, for ever, and says how
    /// it is in [`Outbox::status`].
    ///
    /// # Errors
    ///
    /// Nothing will ever come of it: a file that isn't there, an address that is none.
    fn run(self, outbox: Outbox, stop: CancellationToken) -> impl Future<Output = anyhow::Result<()>>;
}
