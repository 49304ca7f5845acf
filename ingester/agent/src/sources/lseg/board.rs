//! How the connections of a feed are, all together.

use crate::outbox::Outbox;
use std::sync::{Mutex, PoisonError};

/// What the connections of one feed write on, and what [`FeedStatus`](crate::status::FeedStatus) shows of it.
#[derive(Debug)]
pub(super) struct Board {
    outbox: Outbox,
    slots: Mutex<Vec<Slot>>,
}

#[derive(Debug, Default, Clone)]
struct Slot {
    up: bool,
    suspect: bool,
    trouble: Option<String>,
}

impl Board {
    pub(super) fn new(outbox: Outbox, connections: usize) -> Self {
        Self { outbox, slots: Mutex::new(vec![Slot::default(); connections]) }
    }

    pub(super) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// News can come on this connection.
    pub(super) fn up(&self, slot: usize) {
        self.change(slot, |slot| (slot.up, slot.trouble) = (true, None));
    }

    /// No news can come on this connection, and why.
    pub(super) fn down(&self, slot: usize, why: String) {
        self.change(slot, |slot| (slot.up, slot.trouble) = (false, Some(why)));
    }

    /// What comes on this connection may be stale, or no longer is.
    pub(super) fn suspect(&self, slot: usize, suspect: bool) {
        self.change(slot, |slot| slot.suspect = suspect);
    }

    /// The connection is no more, and why. What it was suspected of is gone with it.
    pub(super) fn lost(&self, slot: usize, why: Option<String>) {
        self.change(slot, |slot| *slot = Slot { trouble: why, ..Slot::default() });
    }

    fn change(&self, slot: usize, change: impl FnOnce(&mut Slot)) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let before = slots[slot].up;
        change(&mut slots[slot]);
        let feed = self.outbox.status();
        match (before, slots[slot].up) {
            (false, true) => feed.connected.inc(),
            (true, false) => feed.connected.dec(),
            _ => 0,
        };
        feed.suspect.set(slots.iter().any(|slot| slot.suspect).into());
        // Where one delivers, the feed does; that its standby doesn't shows in the number of connections.
        let delivers = slots.iter().any(|slot| slot.up);
        let trouble = slots.iter().find_map(|slot| slot.trouble.clone()).filter(|_| !delivers);
        feed.trouble(trouble);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{outbox::Outboxes, status::Status};
    use news::feeds::Filter;

    #[test]
    fn feed_is_in_trouble_only_when_no_connection_delivers() {
        let mut status = Status::new();
        let feed = status.feed("lseg");
        let (outboxes, _records) = Outboxes::new(Filter::default(), 1 << 20);
        let board = Board::new(outboxes.of(feed.clone()), 2);
        let shown = || (feed.connected.get(), feed.suspect.get(), feed.current_trouble());
        board.up(0);
        board.up(0);
        board.up(1);
        assert_eq!(shown(), (2, 0, None));
        board.suspect(1, true);
        board.lost(0, Some("cut".into()));
        board.lost(0, Some("cut".into()));
        assert_eq!(shown(), (1, 1, None));
        board.down(1, "closed".into());
        assert_eq!(shown(), (0, 1, Some("cut".into())));
        board.lost(1, None);
        board.up(0);
        assert_eq!(shown(), (1, 0, None));
    }
}
