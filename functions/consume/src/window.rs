//! The last ids that were seen.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

/// The last ids that were put in, at most so many.
#[derive(Debug)]
pub(crate) struct Window {
    limit: usize,
    order: VecDeque<Arc<str>>,
    known: HashSet<Arc<str>>,
}

impl Window {
    /// For `limit` ids; 0 remembers nothing.
    pub(crate) fn of(limit: usize) -> Self {
        Self { limit, order: VecDeque::new(), known: HashSet::new() }
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.known.contains(id)
    }

    /// Remembers an id; the one that came first goes when there are too many.
    pub(crate) fn insert(&mut self, id: Arc<str>) {
        if self.limit == 0 || !self.known.insert(id.clone()) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The slowest right answer: the last different ids, looked through one by one.
        #[test]
        fn knows_exactly_the_last_ids(limit in 0_usize..6, ids in proptest::collection::vec("[a-h]", 0..60)) {
            let mut window = Window::of(limit);
            let mut last: Vec<String> = Vec::new();
            for id in ids {
                prop_assert_eq!(window.contains(&id), last.contains(&id));
                window.insert(id.as_str().into());
                if !last.contains(&id) {
                    last.push(id);
                }
                if last.len() > limit {
                    last.remove(0);
                }
                prop_assert!(window.order.len() <= limit && window.known.len() == window.order.len());
            }
        }
    }
}
