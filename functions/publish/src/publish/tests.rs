use super::*;
use crate::message::Destination;
use proptest::{collection::vec, prelude::*, sample::select};
use std::cell::{Cell, RefCell};
use tokio::time::{Instant, sleep};

/// What the broker does with a message it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Ack,
    Nack,
    /// Comes back, attached to whatever is confirmed next.
    Return,
    Silence,
    /// Takes the connection with it.
    Disconnect,
}

/// A broker that does as it is told, one answer after the other; later ones are acks.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) answers: RefCell<Vec<Answer>>,
    /// How often it can't be reached.
    pub(crate) away: usize,
    pub(crate) takes: Duration,
    pub(crate) connected: Cell<bool>,
    pub(crate) connections: usize,
    pub(crate) sent: RefCell<Vec<usize>>,
    pub(crate) confirmed: RefCell<Vec<usize>>,
    pub(crate) in_flight: Cell<usize>,
    pub(crate) most_in_flight: Cell<usize>,
    pub(crate) returned: RefCell<Vec<Returned>>,
}

impl Fake {
    pub(crate) fn answering(answers: &[Answer]) -> Self {
        let answers: Vec<_> = answers.iter().rev().copied().collect();
        Self { answers: answers.into(), takes: Duration::from_millis(1), ..Self::default() }
    }

    async fn answer(&self, message: &Message, answer: Answer) -> Result<Option<Returned>, Failure> {
        sleep(self.takes).await;
        let connection = self.connections;
        match answer {
            _ if !self.connected.get() || connection != self.connections => Err(Failure::Lost("reset".into())),
            Answer::Disconnect => {
                self.connected.set(false);
                Err(Failure::Lost("reset".into()))
            }
            Answer::Nack => Err(Failure::Nacked),
            Answer::Silence => std::future::pending().await,
            Answer::Return => {
                let returned = Returned { id: message.id.clone(), reason: "NO_ROUTE".into() };
                self.returned.borrow_mut().push(returned);
                // Another's confirm may come first, and take it along.
                sleep(Duration::from_millis(1)).await;
                Ok(self.returned.borrow_mut().pop())
            }
            Answer::Ack => {
                self.confirmed.borrow_mut().push(message.position);
                Ok(self.returned.borrow_mut().pop())
            }
        }
    }
}

impl Broker for Fake {
    async fn ready(&mut self, _: Budget) -> Result<(), NotReady> {
        if self.away > 0 {
            self.away -= 1;
            return Err(NotReady("away".into()));
        }
        if !self.connected.replace(true) {
            self.connections += 1;
        }
        Ok(())
    }

    async fn publish(&self, message: &Message) -> Result<Option<Returned>, Failure> {
        self.sent.borrow_mut().push(message.position);
        let _on_its_way = OnItsWay::new(self);
        let answer = self.answers.borrow_mut().pop().unwrap_or(Answer::Ack);
        self.answer(message, answer).await
    }
}

/// Counts a message until it is answered, or nobody waits for that any more.
struct OnItsWay<'a>(&'a Cell<usize>);

impl<'a> OnItsWay<'a> {
    fn new(broker: &'a Fake) -> Self {
        broker.in_flight.set(broker.in_flight.get() + 1);
        broker.most_in_flight.set(broker.most_in_flight.get().max(broker.in_flight.get()));
        Self(&broker.in_flight)
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn message(position: usize, story: impl Into<String>) -> Message {
    Message {
        position,
        story: story.into(),
        destination: Destination::Subscribers,
        routing_key: "en.neutral.x".into(),
        id: position.to_string(),
        kind: "news.item.v1",
        timestamp: None,
        headers: Vec::new(),
        body: Vec::new(),
        published: None,
        language: "en".into(),
    }
}

fn messages(stories: &[&str]) -> Vec<Message> {
    stories.iter().enumerate().map(|(position, story)| message(position, *story)).collect()
}

/// More time than any batch of these tests takes.
const A_LOT: Duration = Duration::from_secs(500);

const LIMITS: Limits = Limits { in_flight: 100, confirm: Duration::from_secs(5) };

async fn run(stories: &[&str], broker: &mut Fake) -> Report {
    publish(messages(stories), broker, LIMITS, Budget::of(A_LOT)).await
}

fn confirmed(report: &Report) -> Vec<usize> {
    let mut positions: Vec<_> = report.confirmed.iter().map(|(message, _)| message.position).collect();
    positions.sort_unstable();
    positions
}

fn failed(report: &Report) -> Vec<(usize, Failure)> {
    report.failed.iter().map(|(message, failure)| (message.position, failure.clone())).collect()
}

fn left(report: &Report) -> Vec<usize> {
    report.left.iter().map(|message| message.position).collect()
}

#[tokio::test(start_paused = true)]
async fn all_are_confirmed_and_nothing_comes_again() {
    let mut broker = Fake::default();
    let report = run(&["a", "b", "a", "c", "a"], &mut broker).await;
    assert_eq!((confirmed(&report), report.first_failure()), (vec![0, 1, 2, 3, 4], None));
    assert_eq!(*broker.sent.borrow(), [0, 1, 3, 2, 4]);
    assert_eq!(broker.connections, 1);
}

#[tokio::test(start_paused = true)]
async fn later_item_of_a_story_waits_until_the_earlier_is_confirmed() {
    let mut broker = Fake { takes: Duration::from_secs(1), ..Fake::default() };
    let started = Instant::now();
    run(&["a", "b", "a"], &mut broker).await;
    assert_eq!(started.elapsed(), Duration::from_secs(2), "two waves of one second each");
}

#[tokio::test(start_paused = true)]
async fn what_lies_after_a_failure_and_is_not_on_its_way_is_left() {
    let mut broker = Fake::answering(&[Answer::Ack, Answer::Nack, Answer::Ack]);
    let report = run(&["a", "b", "c", "a", "b"], &mut broker).await;
    assert_eq!(confirmed(&report), [0, 2]);
    assert_eq!(failed(&report), [(1, Failure::Nacked)]);
    assert_eq!(left(&report), [3, 4]);
    assert_eq!(*broker.sent.borrow(), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_lies_before_a_failure_is_sent_though_it_waited() {
    let mut broker = Fake::answering(&[Answer::Ack, Answer::Nack]);
    let report = run(&["a", "a", "b"], &mut broker).await;
    assert_eq!((confirmed(&report), report.first_failure()), (vec![0, 1], Some(2)));
}

#[tokio::test(start_paused = true)]
async fn returned_message_fails_and_not_the_one_it_was_given_to() {
    let mut broker = Fake::answering(&[Answer::Return, Answer::Ack, Answer::Ack]);
    let report = run(&["a", "b", "c"], &mut broker).await;
    assert_eq!(confirmed(&report), [1, 2]);
    assert_eq!(failed(&report), [(0, Failure::Returned("NO_ROUTE".into()))]);
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_failure_after_the_confirm_timeout() {
    let mut broker = Fake::answering(&[Answer::Ack, Answer::Silence]);
    let started = Instant::now();
    let report = run(&["a", "b"], &mut broker).await;
    assert_eq!(failed(&report), [(1, Failure::Unconfirmed(LIMITS.confirm))]);
    assert_eq!(started.elapsed(), LIMITS.confirm);
}

#[tokio::test(start_paused = true)]
async fn broker_that_is_silent_is_not_sent_more_than_is_on_its_way() {
    let mut broker = Fake::answering(&[Answer::Silence, Answer::Silence]);
    let limits = Limits { in_flight: 2, ..LIMITS };
    let report = publish(messages(&["a", "b", "c", "d"]), &mut broker, limits, Budget::of(A_LOT)).await;
    assert_eq!((report.failed.len(), left(&report)), (2, vec![2, 3]));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_beyond_the_budget() {
    let mut broker = Fake::answering(&[Answer::Silence]);
    let budget = Budget::of(Duration::from_secs(2));
    let report = publish(messages(&["a"]), &mut broker, LIMITS, budget).await;
    assert_eq!(failed(&report), [(0, Failure::Unconfirmed(Duration::from_secs(2)))]);
    assert!(budget.is_over());
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_is_published_again_before_later_items_of_its_story() {
    let mut broker = Fake::answering(&[Answer::Disconnect, Answer::Ack]);
    let report = run(&["a", "b", "a"], &mut broker).await;
    assert_eq!((confirmed(&report), report.first_failure()), (vec![0, 1, 2], None));
    assert_eq!(*broker.sent.borrow(), [0, 1, 0, 1, 2]);
    assert_eq!(broker.connections, 2);
}

#[tokio::test(start_paused = true)]
async fn connection_that_breaks_twice_in_a_batch_is_enough() {
    let mut broker = Fake::answering(&[Answer::Disconnect, Answer::Disconnect]);
    let report = run(&["a", "a"], &mut broker).await;
    assert_eq!(failed(&report), [(0, Failure::Lost("reset".into()))]);
    assert_eq!(left(&report), [1]);
}

#[tokio::test(start_paused = true)]
async fn broker_that_is_away_is_one_failure() {
    let mut broker = Fake { away: 1, ..Fake::default() };
    let report = run(&["a", "b", "a"], &mut broker).await;
    assert_eq!(failed(&report), [(0, Failure::NotReady(NotReady("away".into())))]);
    assert_eq!((left(&report), report.unconfirmed()), (vec![1, 2], 3));
    assert!(broker.sent.borrow().is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_more_are_on_their_way_than_allowed() {
    let mut broker = Fake { takes: Duration::from_millis(10), ..Fake::default() };
    let stories: Vec<_> = (0..50).map(|story| message(story, story.to_string())).collect();
    let limits = Limits { in_flight: 7, ..LIMITS };
    let report = publish(stories, &mut broker, limits, Budget::of(A_LOT)).await;
    assert_eq!((report.confirmed.len(), broker.most_in_flight.get()), (50, 7));
}

proptest! {
    #[test]
    fn whatever_happens_nothing_is_lost_and_stories_keep_their_order(
        stories in vec(0_u8..5, 0..24),
        answers in vec(select(vec![
            Answer::Ack, Answer::Ack, Answer::Ack, Answer::Nack, Answer::Return, Answer::Silence, Answer::Disconnect,
        ]), 0..40),
        away in 0_usize..2,
        in_flight in 1_usize..6,
        takes in 0_u64..3,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let mut broker = Fake { away, takes: Duration::from_millis(takes), ..Fake::answering(&answers) };
        let batch = stories.iter().zip(0..).map(|(story, position)| message(position, story.to_string())).collect();
        let limits = Limits { in_flight, ..LIMITS };
        let report = runtime.block_on(publish(batch, &mut broker, limits, Budget::of(A_LOT)));

        let failed: Vec<_> = report.failed.iter().map(|(message, _)| message.position).collect();
        let mut all = [confirmed(&report), failed.clone(), left(&report)].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..stories.len()).collect::<Vec<_>>(), "each is in exactly one place");
        prop_assert_eq!(report.first_failure(), failed.iter().min().copied());
        for position in left(&report) {
            prop_assert!(report.first_failure().is_some_and(|first| first < position), "comes again anyway");
        }
        for position in confirmed(&report) {
            prop_assert!(broker.confirmed.borrow().contains(&position), "the broker has it");
        }
        let sent = broker.sent.borrow();
        for (index, position) in sent.iter().enumerate() {
            let earlier = (0..*position).filter(|earlier| stories[*earlier] == stories[*position]);
            for earlier in earlier {
                prop_assert!(!sent[index..].contains(&earlier), "{} was sent before {} was safe", position, earlier);
                prop_assert!(confirmed(&report).contains(&earlier), "{earlier} was confirmed");
            }
        }
        for position in 0..stories.len() {
            prop_assert!(sent.iter().filter(|sent| **sent == position).count() <= 2, "published again once");
        }
        prop_assert!(broker.most_in_flight.get() <= in_flight);
    }
}
