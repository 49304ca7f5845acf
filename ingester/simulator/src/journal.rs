//! What happened, in order.

use crate::item::{About, Ric};
use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

/// What happened so far, in order.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    /// Every item that was begun to be sent on a connection. Empty if the options say so.
    pub entries: Vec<Entry>,
    /// Every WebSocket connection, by number; the first has number 1.
    pub connections: Vec<Connection>,
    /// Every request for a token or for the list of endpoints.
    pub exchanges: Vec<Exchange>,
    /// How much was sent.
    pub counts: Counts,
    /// Whether every item that was to be invented was released.
    pub is_finished: bool,
    pub(crate) keeps_entries: bool,
}

/// How much was sent, on all connections together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Items released: each once, however many connections there are.
    pub released: u64,
    /// Items released while nobody had asked for them: gone, as with the real feed.
    pub missed: u64,
    /// Items written whole, once per connection.
    pub sent: u64,
    /// Update messages written.
    pub updates: u64,
    /// Characters of them.
    pub bytes: u64,
    /// Troubles made.
    pub troubles: u64,
}

/// An item on one connection.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Which connection.
    pub connection: usize,
    /// Which item of the feed, from 1. A repeated item has another number each time; scores have their story's.
    pub number: u64,
    /// Which item.
    pub item: Arc<About>,
    /// Whether what was sent is the whole item, so that an honest client has it.
    pub whole: bool,
    /// How far it came.
    pub fate: Fate,
    /// Whether it was sent before, under another number.
    pub repeat: bool,
}

/// How far an item came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Not every part of it was written, or the connection broke with it on the way.
    Lost,
    /// Every part was written to a connection that was up.
    Written,
    /// And the client showed that it read on from there: it answered a later ping or the close.
    Confirmed,
}

/// A WebSocket connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its number, from 1.
    pub number: usize,
    /// The endpoint it came to, from 0.
    pub endpoint: usize,
    /// Logins and re-issues, in order.
    pub logins: Vec<Login>,
    /// What the client did otherwise, in order.
    pub heard: Vec<Heard>,
    /// Pings sent.
    pub pings_sent: u64,
    /// Pongs that came.
    pub pings_answered: u64,
    /// Pings that came, each of which was answered.
    pub pings_received: u64,
    /// Whether an item stream is open: the client can get news.
    pub subscribed: bool,
    /// How it ended; still up while there is nothing here.
    pub end: Option<End>,
}

/// A login, or a new token on a connection that was logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name; for a token, whom it was issued to.
    pub name: String,
    /// Which token, counted from 1 as they were issued; nothing for a login without.
    pub token: Option<u64>,
    /// The application's number.
    pub application: String,
    /// Where the client says it runs.
    pub position: String,
    /// Whether it was a re-issue (`"Refresh": false`).
    pub again: bool,
    /// Whether it was accepted.
    pub accepted: bool,
}

/// What a client did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Asked for this.
    Request(String),
    /// Closed the item stream of this ID.
    CloseItem(i64),
    /// Closed its login.
    CloseLogin,
    /// Closed the WebSocket.
    CloseSocket,
    /// Sent what can't be understood, or is too long.
    Nonsense(String),
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The client closed it, as it should.
    ByClient,
    /// The client was gone.
    Vanished,
    /// The simulator closed it, as it should.
    Closed,
    /// The simulator reset it.
    Reset,
    /// The client didn't answer a ping in time.
    Silent,
    /// The client doesn't read as fast as news come.
    Slow,
    /// The login was refused, withdrawn or used up.
    LoggedOut,
    /// The client broke the rules, for example with too long a message.
    Refused,
    /// The simulator stopped.
    Stopped,
}

/// A request to the HTTP side, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What was asked.
    pub asked: Asked,
    /// What was answered, an HTTP status.
    pub status: u16,
}

/// What was asked on the HTTP side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    /// A token for a machine id's password.
    Password,
    /// A token for a refresh token.
    Refresh,
    /// A token for a service account's secret or assertion.
    ClientCredentials,
    /// The endpoints.
    Discovery,
    /// Something else.
    Other,
}

impl Journal {
    /// Items that a client without faults has: whole, and every part written to a connection that was up. Each once, in
    /// the order they were first sent.
    pub fn delivered(&self) -> Vec<&Arc<About>> {
        self.distinct(|entry| entry.fate != Fate::Lost)
    }

    /// Of those, the ones that a client surely read: the connection lived on, and it answered later.
    pub fn confirmed(&self) -> Vec<&Arc<About>> {
        self.distinct(|entry| entry.fate == Fate::Confirmed)
    }

    /// How many distinct items were delivered.
    pub fn delivered_count(&self) -> usize {
        let delivered = self.entries.iter().filter(|entry| entry.is_delivered());
        delivered.map(|entry| (entry.item.ric, entry.item.id.as_str())).collect::<HashSet<_>>().len()
    }

    /// The ids of stories that were delivered.
    pub fn delivered_ids(&self) -> BTreeSet<String> {
        let stories = self.entries.iter().filter(|entry| entry.is_delivered() && entry.item.ric == Ric::Story);
        stories.map(|entry| entry.item.id.clone()).collect()
    }

    /// Connections that are up and have asked for news.
    pub fn subscribed(&self) -> usize {
        self.connections.iter().filter(|connection| connection.is_up() && connection.subscribed).count()
    }

    /// Connections that are up.
    pub fn up(&self) -> usize {
        self.connections.iter().filter(|connection| connection.is_up()).count()
    }

    /// The connection with this number.
    pub fn connection(&self, number: usize) -> Option<&Connection> {
        self.connections.get(number.checked_sub(1)?)
    }

    fn distinct(&self, is_wanted: impl Fn(&Entry) -> bool) -> Vec<&Arc<About>> {
        let mut seen = HashSet::new();
        let wanted = self.entries.iter().filter(|entry| entry.whole && is_wanted(entry)).map(|entry| &entry.item);
        wanted.filter(|item| seen.insert((item.ric, item.id.as_str()))).collect()
    }

    pub(crate) fn connection_mut(&mut self, number: usize) -> &mut Connection {
        &mut self.connections[number - 1]
    }

    pub(crate) fn open(&mut self, endpoint: usize) -> usize {
        let number = self.connections.len() + 1;
        self.connections.push(Connection {
            number,
            endpoint,
            logins: Vec::new(),
            heard: Vec::new(),
            pings_sent: 0,
            pings_answered: 0,
            pings_received: 0,
            subscribed: false,
            end: None,
        });
        number
    }

    /// Changes what was written on a connection and neither confirmed nor lost.
    pub(crate) fn settle(&mut self, connection: usize, range: std::ops::Range<usize>, fate: Fate) {
        let range = range.start..range.end.min(self.entries.len());
        let entries = self.entries.get_mut(range).into_iter().flatten();
        for entry in entries.filter(|entry| entry.connection == connection && entry.fate == Fate::Written) {
            entry.fate = fate;
        }
    }
}

impl Entry {
    /// Whether a client without faults has it: whole, and every part written to a connection that was up.
    pub fn is_delivered(&self) -> bool {
        self.whole && self.fate != Fate::Lost
    }
}

impl Connection {
    /// Whether it is.
    pub fn is_up(&self) -> bool {
        self.end.is_none()
    }
}

/// A journal that several write and others wait for.
#[derive(Debug)]
pub(crate) struct Log {
    journal: Mutex<Journal>,
    changed: watch::Sender<()>,
}

impl Log {
    pub(crate) fn new(keeps_entries: bool) -> Self {
        let journal = Mutex::new(Journal { keeps_entries, ..Journal::default() });
        Self { journal, changed: watch::Sender::new(()) }
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&Journal) -> T) -> T {
        look(&self.journal.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut Journal) -> T) -> T {
        let result = change(&mut self.journal.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_replace(());
        result
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, mut is_so: impl FnMut(&Journal) -> bool) {
        let mut changes = self.changed.subscribe();
        while !self.read(&mut is_so) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Item;

    fn entry(id: &str, whole: bool, fate: Fate) -> Entry {
        let item = Item::raw(id, []).about;
        Entry { connection: 1, number: 1, item, whole, fate, repeat: false }
    }

    #[test]
    fn only_whole_items_that_were_written_count_as_delivered_and_once() {
        let entries = vec![
            entry("a", true, Fate::Written),
            entry("b", false, Fate::Written),
            entry("c", true, Fate::Lost),
            entry("d", true, Fate::Confirmed),
            entry("a", true, Fate::Confirmed),
        ];
        let journal = Journal { entries, ..Journal::default() };
        let ids = |items: Vec<&Arc<About>>| items.iter().map(|item| item.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(journal.delivered()), ["a", "d"]);
        assert_eq!(ids(journal.confirmed()), ["d", "a"]);
        assert_eq!(journal.delivered_count(), 2);
        assert_eq!(journal.delivered_ids(), ["a".to_owned(), "d".to_owned()].into());
    }

    #[test]
    fn what_a_broken_connection_had_on_the_way_is_lost_and_nothing_else() {
        let entries = vec![entry("a", true, Fate::Confirmed), entry("b", true, Fate::Written)];
        let mut journal = Journal { entries, ..Journal::default() };
        journal.settle(2, 0..9, Fate::Lost);
        assert_eq!(journal.delivered_count(), 2);
        journal.settle(1, 0..9, Fate::Lost);
        assert_eq!(journal.delivered_ids(), ["a".to_owned()].into());
    }
}
