//! Looking into queues that are for people, and leaving them as they were, but for the run's own messages.

use super::stopping::Stopping;
use aws_sdk_sqs::{
    Client,
    types::{ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry},
};
use runtime::with_causes;
use std::collections::BTreeMap;

/// A queue.
pub(super) trait Queue {
    /// Some messages that nobody has in hand, and hides them; none when there are none within so long.
    async fn receive(&self, patience: Patience) -> Result<Vec<Message>, Failed>;

    /// Removes messages for good.
    async fn delete(&self, messages: &[&Message]) -> Result<(), String>;

    /// Shows messages again at once.
    async fn release(&self, messages: &[&Message]) -> Result<(), String>;
}

/// No messages, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) why: String,
    /// Whether SQS may have hidden some all the same: it didn't say that it refuses.
    pub(super) may_hide: bool,
}

/// How long to wait for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Not at all: SQS asks some of its servers, and may find nothing where there is something.
    None,
    /// A second: it asks all of them.
    Second,
}

/// A message that is hidden from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) handle: String,
    pub(super) body: String,
}

/// How long a message is hidden, seconds: longer than a run. They are shown again as soon as it ends, and at the latest
/// then, whatever becomes of this process.
const HIDDEN: i32 = 600;

/// ReceiveMessage's limit, and that of batches.
const MESSAGES: usize = 10;

/// How many messages of others are held at most. In a queue that has more, a message of the run may stay unseen.
const MOST_HELD: usize = 2000;

/// A queue that is looked into. Messages stay in hand until the end, as they would come again otherwise.
#[derive(Debug)]
pub(super) struct Watch<Q> {
    queue: Q,
    name: &'static str,
    stopping: Stopping,
    held: BTreeMap<String, Held>,
    /// Whether messages may be hidden that never came.
    may_hide: bool,
}

#[derive(Debug)]
struct Held {
    message: Message,
    is_ours: bool,
}

impl<Q: Queue> Watch<Q> {
    pub(super) fn new(queue: Q, name: &'static str, stopping: Stopping) -> Self {
        Self { queue, name, stopping, held: BTreeMap::new(), may_hide: false }
    }

    /// Adds to `found` what `read` makes of the messages that are new since it was last asked, as far as it takes them
    /// for the run's. What was found before an error is found.
    pub(super) async fn look<T>(
        &mut self,
        patience: Patience,
        read: impl Fn(&str) -> Option<T>,
        found: &mut Vec<T>,
    ) -> Result<(), String> {
        while self.held.len() < MOST_HELD {
            let messages = self.queue.receive(patience).await.map_err(|Failed { why, may_hide }| {
                self.may_hide |= may_hide;
                self.failed("read", &why)
            })?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let ours = read(&message.body);
                let is_ours = ours.is_some();
                // One that comes again, because it was hidden for too short, has a new handle and is the same message.
                let before = self.held.insert(message.id.clone(), Held { message, is_ours });
                found.extend(ours.filter(|_| before.is_none()));
            }
            if self.stopping.is_so() {
                break;
            }
        }
        Ok(())
    }

    /// Removes the run's messages, but for those that `keep` says are to stay, and shows the others again. Gives what
    /// there is to say about it.
    pub(super) async fn leave(&mut self, keep: impl Fn(&str) -> bool) -> Vec<String> {
        let held = std::mem::take(&mut self.held);
        let (ours, others): (Vec<_>, Vec<_>) =
            held.values().partition(|held| held.is_ours && !keep(&held.message.body));
        let mut notes = Vec::new();
        for ours in ours.chunks(MESSAGES) {
            let messages: Vec<_> = ours.iter().map(|held| &held.message).collect();
            notes.extend(self.queue.delete(&messages).await.err().map(|why| self.failed("remove messages of", &why)));
        }
        let kept = others.iter().filter(|held| held.is_ours).count();
        for others in others.chunks(MESSAGES) {
            let messages: Vec<_> = others.iter().map(|held| &held.message).collect();
            notes.extend(
                self.queue.release(&messages).await.err().map(|why| self.failed("show again what is in", &why)),
            );
        }
        if kept > 0 {
            notes
                .push(format!("{kept} of the messages in {} are left: others' records may be among theirs", self.name));
        }
        if others.len() > kept {
            notes.push(format!("{} messages of others are in {}", others.len() - kept, self.name));
        }
        if self.may_hide {
            let minutes = HIDDEN / 60;
            notes.push(format!(
                "SQS didn't answer: messages of others in {} may stay hidden for {minutes} minutes",
                self.name
            ));
        }
        if held.len() >= MOST_HELD {
            notes.push(format!("{} has more messages than the {MOST_HELD} that were looked at", self.name));
        }
        notes
    }

    fn failed(&self, what: &str, why: &str) -> String {
        format!("could not {what} {}: {why}", self.name)
    }
}

/// A queue of SQS.
#[derive(Debug)]
pub(super) struct Sqs {
    client: Client,
    url: String,
}

impl Sqs {
    pub(super) fn new(config: &aws_config::SdkConfig, url: &str) -> Self {
        Self { client: Client::new(config), url: url.into() }
    }
}

impl Queue for Sqs {
    async fn receive(&self, patience: Patience) -> Result<Vec<Message>, Failed> {
        let seconds = i32::from(patience == Patience::Second);
        let request = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let answer = request.visibility_timeout(HIDDEN).wait_time_seconds(seconds).send().await;
        let answer = answer
            .map_err(|error| Failed { why: with_causes(&error), may_hide: error.as_service_error().is_none() })?;
        let message = |message: aws_sdk_sqs::types::Message| {
            Some(Message { id: message.message_id?, handle: message.receipt_handle?, body: message.body? })
        };
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    async fn delete(&self, messages: &[&Message]) -> Result<(), String> {
        let entry = |(at, message): (usize, &&Message)| {
            DeleteMessageBatchRequestEntry::builder().id(at.to_string()).receipt_handle(&message.handle).build()
        };
        let entries: Result<Vec<_>, _> = messages.iter().enumerate().map(entry).collect();
        let entries = entries.map_err(|error| error.to_string())?;
        let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = request.send().await.map_err(|error| with_causes(&error))?;
        all_done(&answer.failed)
    }

    async fn release(&self, messages: &[&Message]) -> Result<(), String> {
        let entry = |(at, message): (usize, &&Message)| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(at.to_string());
            entry.receipt_handle(&message.handle).visibility_timeout(0).build()
        };
        let entries: Result<Vec<_>, _> = messages.iter().enumerate().map(entry).collect();
        let entries = entries.map_err(|error| error.to_string())?;
        let request = self.client.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = request.send().await.map_err(|error| with_causes(&error))?;
        all_done(&answer.failed)
    }
}

fn all_done(failed: &[aws_sdk_sqs::types::BatchResultErrorEntry]) -> Result<(), String> {
    let said =
        failed.first().map(|one| format!("{}: {}", one.code, one.message.as_deref().unwrap_or("no reason given")));
    said.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    /// A queue of a test.
    #[derive(Default)]
    struct Shelf {
        visible: RefCell<Vec<String>>,
        hidden: RefCell<Vec<String>>,
        /// How many requests are answered; the next one is not.
        answers: Cell<Option<usize>>,
    }

    fn watch(shelf: &Shelf) -> Watch<&Shelf> {
        Watch::new(shelf, "the quarantine", Stopping::never())
    }

    async fn look<T>(watch: &mut Watch<&Shelf>, read: impl Fn(&str) -> Option<T>) -> (Vec<T>, Result<(), String>) {
        let mut found = Vec::new();
        let looked = watch.look(Patience::None, read, &mut found).await;
        (found, looked)
    }

    fn ours(body: &str) -> Option<String> {
        body.starts_with("our").then(|| body.to_owned())
    }

    impl Queue for &Shelf {
        async fn receive(&self, _: Patience) -> Result<Vec<Message>, Failed> {
            if self.answers.get() == Some(0) {
                return Err(Failed { why: "timed out".into(), may_hide: true });
            }
            self.answers.set(self.answers.get().map(|left| left - 1));
            let mut visible = self.visible.borrow_mut();
            let count = visible.len().min(3);
            let taken: Vec<_> = visible.drain(..count).collect();
            self.hidden.borrow_mut().extend(taken.clone());
            Ok(taken.into_iter().map(|body| Message { id: body.clone(), handle: body.clone(), body }).collect())
        }

        async fn delete(&self, messages: &[&Message]) -> Result<(), String> {
            self.hidden.borrow_mut().retain(|body| !messages.iter().any(|message| message.handle == *body));
            Ok(())
        }

        async fn release(&self, messages: &[&Message]) -> Result<(), String> {
            self.delete(messages).await?;
            self.visible.borrow_mut().extend(messages.iter().map(|message| message.body.clone()));
            Ok(())
        }
    }

    #[tokio::test]
    async fn own_messages_are_removed_and_others_shown_again() {
        let shelf = Shelf::default();
        shelf.visible.borrow_mut().extend(["a", "our 1", "b", "c", "our 2", "our 3", "d"].map(str::to_owned));
        let mut watch = watch(&shelf);
        assert_eq!(look(&mut watch, ours).await.0, ["our 1", "our 2", "our 3"]);
        shelf.visible.borrow_mut().push("our 4".into());
        assert_eq!(look(&mut watch, ours).await.0, ["our 4"]);
        let notes = watch.leave(|body| body == "our 2").await;
        let mut left = shelf.visible.take();
        left.sort();
        assert_eq!((left, shelf.hidden.take().len()), (["a", "b", "c", "d", "our 2"].map(str::to_owned).into(), 0));
        assert_eq!(
            notes,
            [
                "1 of the messages in the quarantine are left: others' records may be among theirs",
                "4 messages of others are in the quarantine",
            ]
        );
    }

    #[tokio::test]
    async fn message_that_comes_again_counts_once() {
        let shelf = Shelf::default();
        let mut watch = watch(&shelf);
        for expected in [1, 0] {
            shelf.visible.borrow_mut().push("ours".into());
            assert_eq!(look(&mut watch, ours).await, (vec!["ours".to_owned(); expected], Ok(())));
        }
    }

    #[tokio::test]
    async fn what_was_found_before_an_error_is_found_and_what_may_be_hidden_is_told() {
        let shelf = Shelf { answers: Cell::new(Some(1)), ..Shelf::default() };
        shelf.visible.borrow_mut().extend(["our 1", "a", "our 2", "our 3"].map(str::to_owned));
        let mut watch = watch(&shelf);
        let (found, looked) = look(&mut watch, ours).await;
        assert_eq!(found, ["our 1", "our 2"]);
        assert_eq!(looked.unwrap_err(), "could not read the quarantine: timed out");
        let notes = watch.leave(|_| false).await;
        assert!(
            notes.iter().any(|note| note.contains("in the quarantine may stay hidden for 10 minutes")),
            "{notes:?}"
        );
        assert_eq!(shelf.hidden.take(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn stopped_look_asks_for_no_more() {
        let shelf = Shelf::default();
        shelf.visible.borrow_mut().extend(["our 1", "our 2", "our 3", "our 4"].map(str::to_owned));
        let mut watch = Watch::new(&shelf, "the quarantine", Stopping::now());
        assert_eq!(look(&mut watch, ours).await.0, ["our 1", "our 2", "our 3"]);
    }
}
