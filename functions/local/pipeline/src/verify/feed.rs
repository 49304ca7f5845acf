//! A feed that can be told what to send.

use futures_util::future::BoxFuture;
use news::{Kind, NewsItem, Status};
use simulator::{Simulator, Story};

/// A feed that can be told what to send, and that an ingester listens to.
///
/// ```
/// use local_pipeline::verify::{Feed, Simulated};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let simulator = simulator::Simulator::start(simulator::Options::manual()).await?;
/// let feed = Simulated::new(&simulator, "lseg");
/// assert_eq!(feed.name(), "lseg");
/// # Ok::<(), simulator::StartError>(())
/// # }).unwrap();
/// ```
pub trait Feed: Sync {
    /// Its name in `newsloom.toml`: the source of its items.
    fn name(&self) -> &str;

    /// Sends a story, after those that were sent before. Errors are for a person.
    fn send(&self, story: Story) -> BoxFuture<'_, Result<(), String>>;
}

/// A simulator as a feed.
#[derive(Debug, Clone)]
pub struct Simulated<'a> {
    simulator: &'a Simulator,
    name: String,
}

impl<'a> Simulated<'a> {
    /// This one, by the name that it has in `newsloom.toml`.
    pub fn new(simulator: &'a Simulator, name: impl Into<String>) -> Self {
        Self { simulator, name: name.into() }
    }
}

impl Feed for Simulated<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn send(&self, story: Story) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            if self.simulator.look(simulator::Journal::subscribed) == 0 {
                return Err("nobody listens to the feed".into());
            }
            self.simulator.send([story]).await;
            Ok(())
        })
    }
}

/// The story that an ingester makes this item of.
pub(super) fn story(item: &NewsItem) -> Story {
    let story = if item.kind == Kind::Alert {
        Story::alert(&item.headline)
    } else {
        Story::article(&item.headline, &item.body)
    };
    let story = story.at(item.published);
    let story = if item.status == Status::Canceled { story.canceled() } else { story };
    Story {
        id: item.id.clone(),
        alt_id: item.thread.rsplit_once('@').map_or(&*item.thread, |(name, _)| name).into(),
        first_created: item.first_published.map_or_else(|| story.first_created.clone(), |first| format!("{first:.3}")),
        language: item.language.clone(),
        provider: format!("NS:{}", item.provider),
        take_sequence: item.take.unwrap_or(1),
        ..story
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{
        Vector,
        plan::{Known, Plan, Work, tests::models},
    };
    use jiff::Timestamp;
    use news::feeds::Filter;

    #[test]
    fn ingester_makes_of_each_story_the_item_that_is_expected() {
        let vector = Vector::default();
        let models = models();
        let known = Known { feed: Some("lseg"), models: &models, tricks: true, filter: &Filter::default() };
        let now: Timestamp = "2026-01-02T03:04:05.678912Z".parse().unwrap();
        for planned in Plan::new(&vector, "run", now, known).rows {
            let Work::Item { item, .. } = planned.work else { continue };
            let json = serde_json::to_vec(&story(&item)).unwrap();
            let read = lseg::story::read(&json, "lseg", item.received.unwrap()).unwrap();
            assert_eq!(read, *item, "{}", planned.row.name);
        }
    }

    #[test]
    fn story_of_many_fragments_has_many() {
        let vector = Vector::default();
        let models = models();
        let known = Known { feed: Some("lseg"), models: &models, tricks: true, filter: &Filter::default() };
        let plan = Plan::new(&vector, "run", Timestamp::UNIX_EPOCH, known);
        let planned = plan.rows.iter().find(|planned| planned.row.name == "fragments").unwrap();
        let Work::Item { item, .. } = &planned.work else { panic!("{planned:?}") };
        assert!(simulator::Item::from(story(item)).packed_len() > 10 * simulator::FRAGMENT_BYTES);
    }
}
