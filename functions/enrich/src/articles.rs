//! Where enriched items are kept.

use crate::Failure;
use news::EnrichedItem;
use runtime::Budget;

/// Where enriched items are kept, each id once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` keeps no articles",
    label = "pass `DynamoDb`, or implement `Articles`"
)]
pub trait Articles {
    /// Whether each of the ids is there, in their order. Ids are distinct.
    fn known(&self, ids: &[&str], budget: Budget) -> impl Future<Output = Vec<Result<bool, Failure>>>;

    /// Stores each of the items unless its id is there, and says so in their order. No two are of one story, so their
    /// order doesn't matter.
    fn store(&self, items: &[&EnrichedItem], budget: Budget) -> impl Future<Output = Vec<Result<Stored, Failure>>>;
}

/// An item is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It was stored.
    Now,
    /// It was there before: another invocation, or an attempt whose answer was lost, stored it.
    Before,
}
