//! An item that the broker handed out, and what became of those before it.

use crate::window::Window;
use futures_util::future::{BoxFuture, FutureExt};
use jiff::Timestamp;
use lapin::{
    Acker,
    options::{BasicAckOptions, BasicRejectOptions},
};
use news::EnrichedItem;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// An item that the broker handed out. Until it is acknowledged the broker keeps it, and hands it out again to whoever
/// subscribes once this subscription has ended.
///
/// The broker hands out only so many ([`Subscribe::prefetch`](crate::Subscribe::prefetch)) before it waits for
/// acknowledgements; one that is dropped counts among them until the subscription ends.
#[derive(Debug)]
pub struct Delivery {
    /// The item.
    pub item: EnrichedItem,
    /// The body of the message: the item as JSON, as it was published, members of later forms included.
    pub body: Vec<u8>,
    /// The message's id: the item's own, or the digest of a long one. The same item always has the same.
    pub message_id: String,
    /// The routing key, `en.negative.rtrs`.
    pub routing_key: String,
    /// When it was sent, if the publisher says so.
    pub sent: Option<Timestamp>,
    /// Whether the broker handed it out before, to this subscription or another one.
    pub redelivered: bool,
    place: u64,
    acker: Acker,
    ledger: Ledger,
}

impl Delivery {
    /// Says that this item is done with: it is not handed out again.
    ///
    /// Sends it, and does not wait; [`Subscription::close`](crate::Subscription::close) does. Where the connection was
    /// lost meanwhile the broker hands the item out again, and this subscription acknowledges it then by itself.
    pub fn ack(self) {
        let own = self.acker.clone();
        self.ledger.tell_copies(self.ledger.done(self.place));
        self.ledger.tell(async move { own.ack(BasicAckOptions::default()).await });
    }

    /// Says that this item and all that were handed out before it are done with: one message to the broker for many.
    /// Otherwise like [`ack`](Self::ack).
    pub fn ack_through(self) {
        let own = self.acker.clone();
        // First the copies: this acknowledgement covers those of them that came on the same connection, and to
        // acknowledge one twice is an error, for which the broker closes the channel.
        self.ledger.tell_copies(self.ledger.done_through(self.place));
        self.ledger.tell(async move { own.ack(BasicAckOptions { multiple: true }).await });
    }

    /// Says that nothing can be done with this item, now or later: the broker drops it, or moves it to the queue's
    /// dead-letter exchange, if a policy names one. Otherwise like [`ack`](Self::ack).
    pub fn reject(self) {
        let own = self.acker.clone();
        self.ledger.tell_copies(self.ledger.done(self.place));
        self.ledger.tell(async move { own.reject(BasicRejectOptions { requeue: false }).await });
    }
}

/// One that nobody acknowledged is taken for new when it comes again.
impl Drop for Delivery {
    fn drop(&mut self) {
        self.ledger.forget(self.place);
    }
}

/// What was handed out and is not yet acknowledged, and the ids of the last that were.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pages: Arc<Mutex<Pages>>,
    last_told: Arc<Mutex<Option<Telling>>>,
}

/// An acknowledgement on its way.
struct Telling(BoxFuture<'static, lapin::Result<bool>>);

impl fmt::Debug for Telling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Telling")
    }
}

#[derive(Debug)]
struct Pages {
    next: u64,
    open: BTreeMap<u64, Entry>,
    places: HashMap<Arc<str>, u64>,
    done: Window,
}

/// An item that was handed out, and messages with the same id that came while it was.
#[derive(Debug)]
pub(crate) struct Entry {
    id: Arc<str>,
    copies: Vec<Acker>,
}

/// What an id is to the ledger.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It is new: hand it out, in this place.
    New(u64),
    /// It was acknowledged: acknowledge this one too.
    Done,
    /// It is handed out: this one is acknowledged with it.
    Open,
}

impl Ledger {
    pub(crate) fn new(window: usize) -> Self {
        let (open, places) = (BTreeMap::new(), HashMap::new());
        let pages = Pages { next: 0, open, places, done: Window::of(window) };
        Self { pages: Arc::new(Mutex::new(pages)), last_told: Arc::default() }
    }

    /// Acknowledges a message that was not handed out.
    pub(crate) fn ack(&self, acker: &Acker) {
        let acker = acker.clone();
        self.tell(async move { acker.ack(BasicAckOptions::default()).await });
    }

    /// Rejects a message that was not handed out.
    pub(crate) fn reject(&self, acker: &Acker) {
        let acker = acker.clone();
        self.tell(async move { acker.reject(BasicRejectOptions { requeue: false }).await });
    }

    /// Tells the broker something. It is in lapin's hands when this comes back; to wait until it was sent is no good,
    /// because where the connection breaks in between, the answer may never come. lapin sends in order, so whoever
    /// must know waits for the last ([`flush`](Self::flush)).
    fn tell(&self, telling: impl Future<Output = lapin::Result<bool>> + Send + 'static) {
        let mut telling = telling.boxed();
        if (&mut telling).now_or_never().is_none() {
            *lock(&self.last_told) = Some(Telling(telling));
        }
    }

    fn tell_copies(&self, entries: impl IntoIterator<Item = Entry>) {
        for copy in entries.into_iter().flat_map(|entry| entry.copies) {
            self.ack(&copy);
        }
    }

    /// Waits until everything was sent that the broker was told. Bound it: it may never be.
    pub(crate) async fn flush(&self) {
        let last = lock(&self.last_told).take();
        if let Some(Telling(last)) = last {
            // An error here is the end of the connection, of which the subscription hears by itself.
            let _ = last.await;
        }
    }

    /// The connection is lost, and with it what was on its way.
    pub(crate) fn lost(&self) {
        lock(&self.last_told).take();
    }

    /// Whether the item of this id was acknowledged.
    pub(crate) fn is_done(&self, id: &str) -> bool {
        self.pages().done.contains(id)
    }

    /// Asks about an id, and opens an entry if it is new.
    pub(crate) fn see(&self, id: &str, acker: &Acker) -> Seen {
        let mut pages = self.pages();
        if pages.done.contains(id) {
            return Seen::Done;
        }
        if let Some(place) = pages.places.get(id).copied()
            && let Some(entry) = pages.open.get_mut(&place)
        {
            entry.copies.push(acker.clone());
            return Seen::Open;
        }
        let (id, place): (Arc<str>, _) = (id.into(), pages.next);
        pages.next += 1;
        pages.places.insert(id.clone(), place);
        pages.open.insert(place, Entry { id, copies: Vec::new() });
        Seen::New(place)
    }

    fn done(&self, place: u64) -> Option<Entry> {
        self.pages().close(place)
    }

    fn done_through(&self, place: u64) -> Vec<Entry> {
        let mut pages = self.pages();
        let places: Vec<_> = pages.open.range(..=place).map(|(place, _)| *place).collect();
        places.into_iter().filter_map(|place| pages.close(place)).collect()
    }

    fn forget(&self, place: u64) {
        let mut pages = self.pages();
        if let Some(entry) = pages.open.remove(&place) {
            pages.places.remove(&entry.id);
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        lock(&self.pages)
    }

    /// A delivery of a message that is [`Seen::New`].
    pub(crate) fn delivery(
        &self,
        message: lapin::message::Delivery,
        id: String,
        item: EnrichedItem,
        place: u64,
    ) -> Delivery {
        Delivery {
            item,
            sent: sent(&message),
            body: message.data,
            message_id: id,
            routing_key: message.routing_key.to_string(),
            redelivered: message.redelivered,
            place,
            acker: message.acker,
            ledger: self.clone(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pages {
    fn close(&mut self, place: u64) -> Option<Entry> {
        let entry = self.open.remove(&place)?;
        self.places.remove(&entry.id);
        self.done.insert(entry.id.clone());
        Some(entry)
    }
}

fn sent(message: &lapin::message::Delivery) -> Option<Timestamp> {
    let headers = message.properties.headers().as_ref()?;
    let milliseconds = headers.inner().get(news::routing::header::SENT)?.as_long_long_int()?;
    Timestamp::from_millisecond(milliseconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::message::Delivery as Message;

    fn acker(tag: u64) -> Acker {
        Message::mock(tag, "news".into(), "en.negative.rtrs".into(), false, Vec::new()).acker
    }

    #[test]
    fn second_message_of_an_id_waits_for_the_first_and_a_third_is_known() {
        let ledger = Ledger::new(10);
        assert_eq!(ledger.see("a", &acker(1)), Seen::New(0));
        assert_eq!(ledger.see("a", &acker(2)), Seen::Open);
        assert_eq!(ledger.done(0).unwrap().copies, [acker(2)]);
        assert_eq!(ledger.see("a", &acker(3)), Seen::Done);
    }

    #[test]
    fn what_was_dropped_unacknowledged_is_new_when_it_comes_again() {
        let ledger = Ledger::new(10);
        assert_eq!(ledger.see("a", &acker(1)), Seen::New(0));
        ledger.forget(0);
        assert_eq!(ledger.see("a", &acker(2)), Seen::New(1));
    }

    #[test]
    fn acknowledging_through_closes_all_before_and_none_after() {
        let ledger = Ledger::new(10);
        for (place, id) in ["a", "b", "c"].into_iter().enumerate() {
            assert_eq!(ledger.see(id, &acker(1)), Seen::New(place as u64));
        }
        assert_eq!(ledger.done_through(1).len(), 2);
        assert_eq!(ledger.see("b", &acker(4)), Seen::Done);
        assert_eq!(ledger.see("c", &acker(5)), Seen::Open);
    }

    #[test]
    fn without_a_window_only_what_is_handed_out_is_known() {
        let ledger = Ledger::new(0);
        assert_eq!(ledger.see("a", &acker(1)), Seen::New(0));
        assert_eq!(ledger.see("a", &acker(2)), Seen::Open);
        ledger.done(0);
        assert_eq!(ledger.see("a", &acker(3)), Seen::New(1));
    }
}
