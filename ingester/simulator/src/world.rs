//! What all parts of a simulator share.

use crate::{
    envelope::Packed,
    item::Ric,
    journal::Log,
    messages::State,
    options::Options,
    tls::Tls,
    tokens::Tokens,
    trouble::{Answer, Target},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// What all parts share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) log: Log,
    pub(crate) tls: Option<Tls>,
    /// Ports, one for each endpoint; the last is in all zones if there are several.
    pub(crate) ports: Vec<u16>,
    pub(crate) paused: watch::Sender<bool>,
    pub(crate) stop: CancellationToken,
    tokens: Mutex<Tokens>,
    links: Mutex<Vec<Arc<Link>>>,
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    asked: HashMap<Target, u64>,
    next: HashMap<Target, VecDeque<Answer>>,
}

/// A connection, as the rest sees it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) number: usize,
    pub(crate) endpoint: usize,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) news: mpsc::Sender<Arc<Release>>,
    pub(crate) wants: Wants,
    /// Who is logged in with a token.
    pub(crate) account: Mutex<Option<String>>,
}

/// What a connection has asked for.
#[derive(Debug, Default)]
pub(crate) struct Wants(AtomicU8);

impl Wants {
    pub(crate) fn set(&self, rics: impl IntoIterator<Item = Ric>) {
        self.0.store(rics.into_iter().fold(0, |all, ric| all | bit(ric)), Ordering::Release);
    }

    pub(crate) fn any(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    pub(crate) fn has(&self, ric: Ric) -> bool {
        self.0.load(Ordering::Acquire) & bit(ric) != 0
    }
}

const fn bit(ric: Ric) -> u8 {
    match ric {
        Ric::Story => 1,
        Ric::Scores => 2,
    }
}

/// An item on its way to everybody.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) number: u64,
    pub(crate) item: Arc<Packed>,
    /// Scores of it, for who asked for those.
    pub(crate) scores: Option<Arc<Packed>>,
    pub(crate) published: Timestamp,
    pub(crate) repeat: bool,
}

/// How a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// With WebSocket's close, and FIN.
    Close,
    /// With RST. A ping is sent before, so that the journal knows what was read until then; what may have been on the
    /// way counts as lost.
    Reset,
}

/// What a connection is told.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    Cut(Cut),
    Say(State),
    SayLogin(State),
    Frame(String),
    Ping,
    Silence(Duration),
    Slow(u32, Duration),
    /// Tokens have ended.
    Expired,
    /// These sign-ons are replaced.
    ThrowOut(Vec<u64>),
    /// It is too far behind.
    Behind,
}

impl World {
    pub(crate) fn new(options: Options, tls: Option<Tls>, ports: Vec<u16>) -> Self {
        Self {
            log: Log::new(options.keep_entries),
            tokens: Mutex::new(Tokens::new(options.seed)),
            options,
            tls,
            ports,
            paused: watch::Sender::new(false),
            stop: CancellationToken::new(),
            links: Mutex::default(),
            answers: Mutex::default(),
        }
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        locked(&self.tokens)
    }

    pub(crate) fn links(&self) -> MutexGuard<'_, Vec<Arc<Link>>> {
        locked(&self.links)
    }

    /// Tells every connection of these.
    pub(crate) fn tell(&self, to: impl Fn(&Link) -> bool, command: &Command) {
        for link in self.links().iter().filter(|link| to(link)) {
            // One that is ending doesn't listen any more.
            let _ = link.commands.send(command.clone());
        }
    }

    pub(crate) fn expire_tokens(&self) {
        self.tokens().expire(tokio::time::Instant::now());
        self.tell(|_| true, &Command::Expired);
    }

    pub(crate) fn throw_out(&self) {
        let sign_ons = self.tokens().throw_out(tokio::time::Instant::now());
        self.tell(|_| true, &Command::ThrowOut(sign_ons));
    }

    /// Answers the next request so.
    pub(crate) fn answer_next(&self, target: Target, answer: Answer) {
        locked(&self.answers).next.entry(target).or_default().push_back(answer);
    }

    /// The answer to this request, if it is not the usual one.
    pub(crate) fn scripted_answer(&self, target: Target) -> Option<Answer> {
        let mut answers = locked(&self.answers);
        let asked = answers.asked.entry(target).or_default();
        *asked += 1;
        let number = *asked;
        let next = answers.next.get_mut(&target).and_then(VecDeque::pop_front);
        next.or_else(|| self.options.script.answer(target, number))
    }

    /// The list of endpoints: ours, and some that nobody should connect to.
    pub(crate) fn services(&self) -> Vec<Value> {
        let region = &self.options.region;
        let zones = self.options.endpoints;
        let ours = self.ports.iter().enumerate().map(|(index, port)| {
            let locations: Vec<_> = if index < zones {
                vec![zone(region, index)]
            } else {
                (0..zones).map(|index| zone(region, index)).collect()
            };
            service("tr_json2", "websocket", "localhost", &locations, *port)
        });
        let other = if region == "eu-west-1" { "us-east-1" } else { "eu-west-1" };
        let others = [
            service("tr_json2", "websocket", "other-region.simulator.invalid", &[zone(other, 0)], 443),
            service("rwf", "tcp", "binary.simulator.invalid", &[zone(region, 0)], 14002),
            service("rwf", "tcp", "binary.simulator.invalid", &[zone(region, 0), zone(region, 1)], 14002),
        ];
        let [other, binary, binary_both] = others;
        [other, binary].into_iter().chain(ours).chain([binary_both]).collect()
    }
}

fn zone(region: &str, index: usize) -> String {
    format!("{region}{}", ["a", "b", "c"][index.min(2)])
}

fn service(format: &str, transport: &str, endpoint: &str, locations: &[String], port: u16) -> Value {
    json!({
        "dataFormat": [format], "endpoint": endpoint, "location": locations, "port": port, "provider": "aws",
        "transport": transport,
    })
}

/// What a mutex holds; who panicked while holding it left nothing half done.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
