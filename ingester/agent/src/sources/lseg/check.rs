//! Trying a feed once, step by step.

use super::{
    connect::{Heard, Socket},
    feed::Feed,
};
use crate::secrets::Secret;
use ::lseg::{Output, Session};
use jiff::Timestamp;
use std::{fmt, time::Duration};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// What is tried, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Getting a token; only in the cloud.
    Token,
    /// Finding the region's endpoints; only in the cloud.
    Endpoints,
    /// Connecting to the first endpoint that can be reached, and logging in.
    Login,
    /// Asking for news.
    News,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "token",
            Self::Endpoints => "endpoints",
            Self::Login => "login",
            Self::News => "news",
        })
    }
}

type Told<'a> = dyn FnMut(Step, Result<String, String>) + 'a;

pub(super) async fn check(feed: &Feed, mut told: impl FnMut(Step, Result<String, String>)) {
    // Every failure has been told of by then.
    let _ = steps(feed, &mut told).await;
}

async fn steps(feed: &Feed, told: &mut Told<'_>) -> Option<()> {
    let pass = match feed.pass(false).await {
        Ok(Some(pass)) => {
            told(Step::Token, Ok(format!("a token for {} s", pass.lasts.as_secs())));
            Some(pass.token)
        }
        Ok(None) => None,
        Err(denied) => return failed(told, Step::Token, denied.why),
    };
    let servers = match feed.servers(pass.as_ref()).await {
        Ok(lists) => lists.into_iter().next().unwrap_or_default(),
        Err(denied) => return failed(told, Step::Endpoints, denied.why),
    };
    if pass.is_some() {
        let hosts: Vec<_> = servers.iter().filter_map(|server| server.host_str()).collect();
        told(Step::Endpoints, Ok(hosts.join(", ")));
    }
    let mut refusals = Vec::new();
    for server in &servers {
        match Socket::open(server, &feed.tls, feed.timings.connect).await {
            Ok(socket) => {
                return Probe::new(feed, socket, pass.as_ref(), server.as_str()).run(told).await;
            }
            Err(error) => refusals.push(error.to_string()),
        }
    }
    failed(told, Step::Login, refusals.join("; "))
}

fn failed(told: &mut Told<'_>, step: Step, why: String) -> Option<()> {
    told(step, Err(why));
    None
}

/// A connection that is only to show whether news could come.
struct Probe<'a> {
    feed: &'a Feed,
    socket: Socket,
    session: Session,
    outputs: Vec<Output>,
    server: &'a str,
}

impl<'a> Probe<'a> {
    fn new(feed: &'a Feed, socket: Socket, token: Option<&Secret>, server: &'a str) -> Self {
        let mut outputs = Vec::new();
        let session = Session::new(feed.options(&socket, token), Instant::now().into_std(), &mut outputs);
        Self { feed, socket, session, outputs, server }
    }

    async fn run(mut self, told: &mut Told<'_>) -> Option<()> {
        let mut step = Step::Login;
        let limit = self.feed.timings.login;
        let tried = timeout(limit, self.converse(&mut step, told)).await;
        let tried =
            tried.unwrap_or_else(|_| Err(format!("{} does not answer within {} s", self.server, limit.as_secs())));
        self.say_goodbye().await;
        match tried {
            Ok(()) => {
                told(Step::News, Ok("news can come".into()));
                Some(())
            }
            Err(why) => failed(told, step, why),
        }
    }

    async fn converse(&mut self, step: &mut Step, told: &mut Told<'_>) -> Result<(), String> {
        loop {
            for output in std::mem::take(&mut self.outputs) {
                match output {
                    Output::Send(text) => {
                        // News is only asked for by who is logged in.
                        if *step == Step::Login && text.contains("NewsTextAnalytics") {
                            told(Step::Login, Ok(self.server.to_owned()));
                            *step = Step::News;
                        }
                        self.socket.send(text);
                    }
                    Output::Up => return Ok(()),
                    Output::Down(why) => return Err(why),
                    Output::End(end) => return Err(end.why),
                    _ => {}
                }
            }
            self.advance().await?;
        }
    }

    async fn advance(&mut self) -> Result<(), String> {
        let far = Instant::now() + Duration::from_hours(1);
        let due = self.session.wakeup().map_or(far, Instant::from_std);
        tokio::select! {
            heard = self.socket.next() => match heard {
                Heard::Text(frame) => {
                    self.session.receive(&frame, Instant::now().into_std(), Timestamp::now(), &mut self.outputs);
                    Ok(())
                }
                Heard::Other => Ok(()),
                Heard::Over(why) => Err(why),
            },
            () = sleep_until(due) => {
                self.session.tick(Instant::now().into_std(), &mut self.outputs);
                Ok(())
            }
        }
    }

    async fn say_goodbye(&mut self) {
        self.outputs.clear();
        self.session.close(&mut self.outputs);
        for output in std::mem::take(&mut self.outputs) {
            if let Output::Send(text) = output {
                self.socket.send(text);
            }
        }
        self.socket.close();
        let deadline = Instant::now() + self.feed.timings.farewell;
        let _ = timeout_at(deadline, async { while !matches!(self.socket.next().await, Heard::Over(_)) {} }).await;
    }
}
