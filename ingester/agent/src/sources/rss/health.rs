//! How the pages of a feed are, all together.

use super::fetch::bare;
use crate::status::FeedStatus;
use std::sync::{Mutex, PoisonError};
use url::Url;

/// How the pages are.
#[derive(Debug)]
pub(super) struct Health(Mutex<Vec<State>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// It wasn't asked yet.
    New,
    Good,
    Bad(String),
}

impl Health {
    /// That many, none of which was asked yet.
    pub(super) fn new(pages: usize) -> Self {
        Self(Mutex::new(vec![State::New; pages]))
    }

    /// A page is well, or isn't. The log has it when that changes.
    pub(super) fn say(&self, status: &FeedStatus, number: usize, page: &Url, trouble: Option<&str>) {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = trouble.map_or(State::Good, |why| State::Bad(format!("{} {why}", bare(page))));
        let last = std::mem::replace(&mut pages[number], state);
        match &pages[number] {
            now if *now == last => (),
            State::Bad(why) => tracing::warn!(feed = status.name, why, "A page gives no news."),
            _ => tracing::info!(feed = status.name, page = bare(page), "A page is read."),
        }
        let mut bad = pages.iter().filter_map(|state| if let State::Bad(why) = state { Some(why) } else { None });
        let first = bad.next().cloned();
        let others = bad.count();
        status.trouble(
            first.map(|why| if others == 0 { why } else { format!("{why}; and {others} more pages give none") }),
        );
        status.connected.set(pages.contains(&State::Good).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_names_the_first_page_and_counts_the_others() {
        let status = crate::status::Status::new().feed("pages");
        let health = Health::new(3);
        let page = |number| Url::parse(&format!("https://news.example/{number}?token=hunter2")).unwrap();
        let say = |number, trouble| health.say(&status, number, &page(number), trouble);
        say(1, Some("answers 500"));
        say(0, Some("answers 404"));
        let expected = "https://news.example/0 answers 404; and 1 more pages give none";
        assert_eq!((status.current_trouble().as_deref(), status.connected.get()), (Some(expected), 0));
        say(0, None);
        let expected = "https://news.example/1 answers 500";
        assert_eq!((status.current_trouble().as_deref(), status.connected.get()), (Some(expected), 1));
        say(1, None);
        assert_eq!(status.current_trouble(), None);
    }
}
