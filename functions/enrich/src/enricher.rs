//! Something that finds something out about items.

use crate::Failure;
use news::NewsItem;
use runtime::Budget;
use std::time::Duration;

/// Something that finds something out about items: their sentiment, the entities they name, their topics.
///
/// It gets all items of a batch at once, so that it can put many into one request, and decides by itself which of them
/// concern it.
///
/// ```
/// use enrich::enricher::{Enricher, Findings};
/// use news::{NewsItem, Reason, Sentiment};
/// use runtime::Budget;
///
/// /// Finds that no model is needed.
/// struct Unjudged;
///
/// impl Enricher for Unjudged {
///     type Finding = Sentiment;
///
///     async fn enrich(&self, items: &[&NewsItem], _: Budget) -> Findings<Sentiment> {
///         items.iter().map(|_| Ok(Sentiment::Unjudged { reason: Reason::NoRoute })).collect()
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no enricher",
    label = "pass `Sentiments`, or implement `Enricher`"
)]
pub trait Enricher {
    /// What it finds out about one item.
    type Finding;

    /// What it finds out about each of the items, in their order, within the time that is left.
    fn enrich(&self, items: &[&NewsItem], budget: Budget) -> impl Future<Output = Findings<Self::Finding>>;
}

/// What was found out, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings<T> {
    /// One for each item, in their order.
    pub outcomes: Vec<Result<T, Failure>>,
    /// How long each request to a model took, with the language it was for. A request for several languages counts
    /// for each.
    pub latencies: Vec<(String, Duration)>,
}

impl<T> FromIterator<Result<T, Failure>> for Findings<T> {
    fn from_iter<I: IntoIterator<Item = Result<T, Failure>>>(outcomes: I) -> Self {
        Self { outcomes: outcomes.into_iter().collect(), latencies: Vec::new() }
    }
}
