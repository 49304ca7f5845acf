//! One connection, from its login to its end.

use super::{
    Timings,
    board::Board,
    connect::{Heard, Socket},
};
use crate::{outbox::Outbox, secrets::Secret};
use ::lseg::{Again, Identity, Options, Output, Session, analytics::Analytics, mask::plain};
use jiff::Timestamp;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Where scores go. Nobody waits for who compares them: what it doesn't take is dropped.
#[derive(Debug)]
pub(super) struct Scores {
    to: mpsc::Sender<Analytics>,
    dropped: AtomicU64,
}

impl Scores {
    pub(super) fn to(to: mpsc::Sender<Analytics>) -> Self {
        Self { to, dropped: AtomicU64::new(0) }
    }

    fn offer(&self, scores: Analytics) {
        if self.to.try_send(scores).is_err() {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                tracing::warn!(dropped, "Scores are dropped: nobody takes them in time.");
            }
        }
    }
}

/// What a connection works with.
pub(super) struct Surroundings<'a> {
    pub(super) board: &'a Board,
    /// Which of the feed's connections it is.
    pub(super) slot: usize,
    pub(super) timings: &'a Timings,
    pub(super) scores: Option<&'a Scores>,
    pub(super) stop: &'a CancellationToken,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) struct Over {
    /// Without secrets.
    pub(super) why: String,
    pub(super) again: Again,
    /// How long it delivered.
    pub(super) healthy: Duration,
    /// Whether news ever could come.
    pub(super) worked: bool,
    /// The server said so in the protocol: it may be about the token.
    pub(super) said: bool,
}

/// One connection.
pub(super) struct Connection<'a> {
    around: Surroundings<'a>,
    socket: Socket,
    session: Session,
    outputs: Vec<Output>,
    /// What no text may show: the token, and the one before it.
    tokens: [Option<Secret>; 2],
    /// Since when news can come.
    up: Option<Instant>,
    /// Whether news ever could.
    worked: bool,
    over: Option<Over>,
    refused: u64,
}

impl<'a> Connection<'a> {
    /// One that logs in as soon as it [runs](Self::run).
    pub(super) fn new(socket: Socket, options: Options, around: Surroundings<'a>) -> Self {
        let token = match &options.identity {
            Identity::Token(token) => Some(Secret::new(token.clone())),
            Identity::User(_) => None,
        };
        let mut outputs = Vec::new();
        let session = Session::new(options, Instant::now().into_std(), &mut outputs);
        Self {
            around,
            socket,
            session,
            outputs,
            tokens: [token, None],
            up: None,
            worked: false,
            over: None,
            refused: 0,
        }
    }

    /// Delivers until the connection ends, or until it is told to stop: then it says goodbye first. Tokens that come
    /// over `renewals` are passed on to the server. `works` is called when news can come.
    pub(super) async fn run(mut self, mut renewals: Option<watch::Receiver<Option<Secret>>>, works: impl Fn()) -> Over {
        let stop = self.around.stop;
        self.settle();
        while self.over.is_none() {
            let was_up = self.up.is_some();
            let deadline = self.deadline();
            tokio::select! {
                () = stop.cancelled() => return self.farewell().await,
                heard = next_with_room(self.around.board.outbox(), &mut self.socket) => self.hear(heard),
                token = renewed(&mut renewals) => self.renew(token),
                () = sleep_until(deadline) => {}
            }
            self.tick();
            self.settle();
            if self.up.is_some() && !was_up {
                works();
            }
        }
        self.socket.close();
        self.socket.flush_now();
        self.ended()
    }

    /// When something is due at the latest: the session's own matters, or the end of a server that doesn't read.
    fn deadline(&self) -> Instant {
        let due = self.session.wakeup().map(Instant::from_std);
        let far = Instant::now() + Duration::from_hours(1);
        due.into_iter().chain(self.stuck_until()).fold(far, Instant::min)
    }

    fn stuck_until(&self) -> Option<Instant> {
        self.socket.stuck_since().map(|since| since + self.around.timings.write)
    }

    fn hear(&mut self, heard: Heard) {
        let status = self.around.board.outbox().status();
        match heard {
            Heard::Text(frame) => {
                status.heard();
                self.session.receive(&frame, Instant::now().into_std(), Timestamp::now(), &mut self.outputs);
            }
            Heard::Other => status.heard(),
            Heard::Over(why) => self.end(&why, Again::Soon, false),
        }
    }

    // After everything that happens, since a stream of frames must not keep what is due from being done.
    fn tick(&mut self) {
        let now = Instant::now();
        if self.session.wakeup().is_some_and(|due| due <= now.into_std()) {
            self.session.tick(now.into_std(), &mut self.outputs);
        }
        if self.stuck_until().is_some_and(|until| until <= now) {
            self.end("the server takes nothing any more", Again::Soon, false);
        }
    }

    fn renew(&mut self, token: Secret) {
        tracing::debug!(feed = self.feed(), connection = self.around.slot, "The server gets a new token.");
        self.session.renew(token.reveal().to_owned(), &mut self.outputs);
        self.tokens = [Some(token), self.tokens[0].take()];
    }

    /// Does what the session wants.
    fn settle(&mut self) {
        for output in std::mem::take(&mut self.outputs) {
            match output {
                Output::Send(text) => self.socket.send(text),
                Output::Item(item) => {
                    self.around.board.outbox().offer(*item);
                }
                Output::Scores(scores) => {
                    if let Some(to) = self.around.scores {
                        to.offer(*scores);
                    }
                }
                Output::Up => self.delivers(),
                Output::Down(why) => self.pauses(&why),
                Output::Suspect(suspect) => self.suspect(suspect),
                Output::End(end) => self.end(&end.why, end.again, true),
                Output::Fragment
                | Output::Gap(_)
                | Output::Incomplete(_)
                | Output::Unreadable(_)
                | Output::Refused(_) => self.count(&output),
            }
        }
    }

    fn delivers(&mut self) {
        self.up.get_or_insert_with(Instant::now);
        self.worked = true;
        self.around.board.up(self.around.slot);
        tracing::info!(feed = self.feed(), connection = self.around.slot, "News can come.");
    }

    fn pauses(&mut self, why: &str) {
        let why = self.masked(why);
        self.up = None;
        tracing::warn!(feed = self.feed(), connection = self.around.slot, why, "No news can come for now.");
        self.around.board.down(self.around.slot, why);
    }

    fn suspect(&mut self, suspect: bool) {
        if suspect {
            tracing::warn!(feed = self.feed(), connection = self.around.slot, "What the server sends may be stale.");
        }
        self.around.board.suspect(self.around.slot, suspect);
    }

    fn count(&mut self, output: &Output) {
        let feed = self.around.board.outbox().status();
        let slot = self.around.slot;
        match output {
            Output::Gap(why) => {
                feed.gaps.inc();
                tracing::warn!(feed = feed.name, connection = slot, why = self.masked(why), "Something was lost.");
            }
            Output::Incomplete(why) => {
                feed.incomplete.inc();
                feed.gaps.inc();
                tracing::debug!(feed = feed.name, connection = slot, why, "An item stays incomplete.");
            }
            Output::Unreadable(why) | Output::Refused(why) => {
                if let Output::Unreadable(_) = output {
                    feed.gaps.inc();
                }
                feed.refused.inc();
                self.refused += 1;
                // A server that has gone mad sends thousands; a few say as much.
                if self.refused.is_power_of_two() {
                    let (why, refused) = (self.masked(why), self.refused);
                    tracing::warn!(feed = feed.name, connection = slot, why, refused, "A message is no item.");
                }
            }
            _ => {
                feed.fragments.inc();
            }
        }
    }

    /// The first reason is the one.
    fn end(&mut self, why: &str, again: Again, said: bool) {
        let healthy = self.up.map_or(Duration::ZERO, |since| since.elapsed());
        let why = self.masked(why);
        self.over.get_or_insert(Over { why, again, healthy, worked: self.worked, said });
    }

    fn ended(mut self) -> Over {
        self.session.abandon(&mut self.outputs);
        self.settle();
        self.end("the connection ended", Again::Soon, false);
        let over = self.over.expect("it was set a line above");
        let stopped = self.around.stop.is_cancelled();
        if self.worked && !stopped {
            self.around.board.outbox().status().disconnects.inc();
        }
        self.around.board.lost(self.around.slot, (!stopped).then(|| over.why.clone()));
        over
    }

    /// Closes the items, the login and the WebSocket, in this order, and waits for the server's own farewell, but not for
    /// long. What comes in between is still taken.
    async fn farewell(mut self) -> Over {
        let deadline = Instant::now() + self.around.timings.farewell;
        self.session.close(&mut self.outputs);
        self.settle();
        self.socket.close();
        let answered = timeout_at(deadline, async {
            while self.over.is_none() {
                let heard = self.socket.next().await;
                self.hear(heard);
                self.settle();
            }
        });
        if answered.await.is_err() {
            tracing::debug!(
                feed = self.feed(),
                connection = self.around.slot,
                "The server did not answer the farewell."
            );
        }
        self.ended()
    }

    fn masked(&self, text: &str) -> String {
        plain(text, self.tokens.iter().flatten().map(Secret::reveal))
    }

    fn feed(&self) -> &'a str {
        &self.around.board.outbox().status().name
    }
}

/// The next token of the feed. Never, where there are none.
async fn renewed(renewals: &mut Option<watch::Receiver<Option<Secret>>>) -> Secret {
    if let Some(tokens) = renewals {
        while tokens.changed().await.is_ok() {
            if let Some(token) = tokens.borrow_and_update().clone() {
                return token;
            }
        }
    }
    std::future::pending().await
}

/// What comes next, not read before there is room for it: meanwhile it waits in the buffers of both ends.
async fn next_with_room(outbox: &Outbox, socket: &mut Socket) -> Heard {
    outbox.room().await;
    socket.next().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        outbox::Outboxes,
        sources::lseg::{
            connect::tests::{accepted, listener},
            tests::no_tls,
        },
        status::Status,
    };
    use ::lseg::Ric;
    use news::feeds::Filter;
    use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

    fn board() -> Board {
        let (outboxes, _records) = Outboxes::new(Filter::default(), 1 << 20);
        Board::new(outboxes.of(Status::new().feed("wire")), 1)
    }

    fn options(token: &str) -> Options {
        Options {
            identity: Identity::Token(token.into()),
            application_id: "256".into(),
            position: "127.0.0.1/test".into(),
            service: None,
            rics: vec![Ric::Story],
            source: "wire".into(),
        }
    }

    #[tokio::test]
    async fn part_of_a_token_in_the_servers_farewell_is_not_shown() {
        let (listener, url) = listener().await;
        let tls = no_tls();
        let (socket, mut server) = tokio::join!(Socket::open(&url, &tls, Duration::from_secs(5)), accepted(&listener));
        let (board, timings, stop) = (board(), Timings::default(), CancellationToken::new());
        let around = Surroundings { board: &board, slot: 0, timings: &timings, scores: None, stop: &stop };
        let token = "eyJ0eXAi".repeat(100);
        let reason = format!("bad\ntoken {}", &token[..100]);
        let bye = CloseFrame { code: CloseCode::Policy, reason: reason.into() };
        server.close(Some(bye)).await.unwrap();
        let over = Connection::new(socket.unwrap(), options(&token), around).run(None, || {}).await;
        assert!(over.why.contains("bad token ***") && !over.why.contains("eyJ0"), "{}", over.why);
    }

    #[tokio::test]
    async fn server_that_takes_nothing_is_left() {
        let (listener, url) = listener().await;
        let tls = no_tls();
        let (socket, _server) = tokio::join!(Socket::open(&url, &tls, Duration::from_secs(5)), accepted(&listener));
        let (board, stop) = (board(), CancellationToken::new());
        let timings = Timings { write: Duration::from_millis(50), ..Timings::default() };
        let around = Surroundings { board: &board, slot: 0, timings: &timings, scores: None, stop: &stop };
        let (renewed, renewals) = watch::channel(None);
        let connection = Connection::new(socket.unwrap(), options("token"), around).run(Some(renewals), || {});
        // Each token is sent; more of them than all buffers on the way hold.
        let renewing = async {
            loop {
                renewed.send_replace(Some(Secret::new("x".repeat(100_000))));
                tokio::task::yield_now().await;
            }
        };
        let over = tokio::select! {
            over = connection => over,
            () = renewing => unreachable!("it goes on for ever"),
        };
        assert_eq!(over.why, "the server takes nothing any more");
        assert_eq!(over.again, Again::Soon);
    }
}
