//! Tokens: asked for when they are needed, one request at a time, for all connections of a feed.

use super::{
    Timings,
    api::{Answer, Api, ApiError, Ask},
    denied::Denied,
    grant::{Class, Granted, Life, classify},
    login::{Grant, Login, LoginError},
};
use crate::secrets::{Place, Secret};
use news::feeds::Authentication;
use runtime::Backoff;
use std::time::Duration;
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, sleep_until},
};

/// A feed's tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    feed: String,
    api: Api,
    place: Place,
    version: Authentication,
    /// Locked while a request is on its way.
    state: Mutex<State>,
    /// The newest token, for connections that stand.
    newest: watch::Sender<Option<Secret>>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Token>,
    /// Until when not to ask again, and why.
    denied: Option<Denied>,
    backoff: Option<Backoff>,
}

#[derive(Debug)]
struct Token {
    access: Secret,
    refresh: Option<Secret>,
    life: Life,
    /// A server refused it: it is no good for a login any more.
    doubted: bool,
}

/// What one logs in with.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) token: Secret,
    /// Newer ones, which the server must get while the connection stands: version 1 only.
    pub(super) renewals: Option<watch::Receiver<Option<Secret>>>,
    /// How long it lives.
    pub(super) lasts: Duration,
}

/// Why no token was given.
enum Refused {
    Login(LoginError),
    Api(ApiError),
    Answered(Answer, Grant),
    /// It was given, and can't be read.
    Unreadable(String),
}

impl<E: Into<LoginError>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Login(error.into())
    }
}

impl Tokens {
    /// None yet.
    pub(super) fn new(feed: String, api: Api, place: Place, version: Authentication) -> Self {
        let (newest, _) = watch::channel(None);
        Self { feed, api, place, version, state: Mutex::default(), newest }
    }

    /// A token that is good for a login now: the last one, unless it is near its end. `exclusively` throws another
    /// session of a version 1 login out.
    pub(super) async fn pass(&self, timings: &Timings, exclusively: bool) -> Result<Pass, Denied> {
        let mut state = self.state.lock().await;
        if !state.token.as_ref().is_some_and(|token| token.is_good_for_a_login(self.version)) {
            self.fetch(&mut state, timings, exclusively).await?;
        }
        let Some(token) = &state.token else { return Err(Denied::late("there is no token", timings)) };
        // Under the same lock as the token: no renewal in between is missed.
        let renewals = (self.version == Authentication::V1).then(|| self.newest.subscribe());
        Ok(Pass { token: token.access.clone(), renewals, lasts: token.life.lasts })
    }

    /// A server refused this token, perhaps for its own sake: the next login takes another. One that was given just now
    /// isn't doubted, since the next would be refused like it, and nobody asks for tokens in a hot loop.
    pub(super) async fn doubt(&self, token: &Secret, timings: &Timings) {
        let mut state = self.state.lock().await;
        if let Some(known) = state.token.as_mut().filter(|known| known.access == *token) {
            known.doubted |= known.life.age(Instant::now()) >= timings.doubt;
        }
    }

    /// Renews tokens before they end, where connections that stand need it, for ever.
    pub(super) async fn keep_new(&self, timings: &Timings) {
        if self.version == Authentication::V2 {
            return std::future::pending().await;
        }
        let mut newest = self.newest.subscribe();
        loop {
            let due = self.state.lock().await.token.as_ref().map(|token| token.life.renewal());
            let pause = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = newest.changed() => {}
                () = pause => self.renew(timings).await,
            }
        }
    }

    async fn renew(&self, timings: &Timings) {
        let mut state = self.state.lock().await;
        // A connection that was being made may have done it meanwhile.
        if state.token.as_ref().is_some_and(|token| token.life.renewal() > Instant::now()) {
            return;
        }
        if let Err(denied) = self.fetch(&mut state, timings, true).await {
            drop(state);
            tracing::warn!(feed = self.feed, why = denied.why, "The token isn't renewed yet.");
            sleep_until(denied.until).await;
        }
    }

    async fn fetch(&self, state: &mut State, timings: &Timings, exclusively: bool) -> Result<(), Denied> {
        if let Some(denied) = state.denied.as_ref().filter(|denied| denied.until > Instant::now()) {
            return Err(denied.clone());
        }
        match self.granted(state.token.as_ref(), exclusively).await {
            Ok(token) => {
                tracing::info!(feed = self.feed, seconds = token.life.lasts.as_secs(), "There is a new token.");
                self.newest.send_replace(Some(token.access.clone()));
                *state = State { token: Some(token), ..State::default() };
                Ok(())
            }
            Err(refused) => {
                let denied = refused.denied(state.backoff.get_or_insert_with(|| timings.backoff()), timings);
                if denied.lasts {
                    tracing::error!(feed = self.feed, why = denied.why, "Somebody must act: there is no token.");
                }
                state.denied = Some(denied.clone());
                Err(denied)
            }
        }
    }

    async fn granted(&self, old: Option<&Token>, exclusively: bool) -> Result<Token, Refused> {
        let login = Login::read(&self.place, self.version).await?;
        let refresh = old.and_then(|old| Some((old, login.refresh(old.refresh.as_ref()?)?)));
        let Some((old, refresh)) = refresh else { return self.ask(login.grant(exclusively)?).await };
        match self.ask(refresh).await {
            Ok(token) if token.life.lasts >= old.life.lasts => Ok(token),
            // It lives shorter: the refresh token is near its own end. It is still better than none.
            Ok(token) => Ok(self.ask(login.grant(exclusively)?).await.unwrap_or(token)),
            Err(Refused::Answered(answer, _)) if classify(answer.status) == Class::Credentials => {
                self.ask(login.grant(exclusively)?).await
            }
            Err(refused) => Err(refused),
        }
    }

    async fn ask(&self, grant: Grant) -> Result<Token, Refused> {
        let path = match self.version {
            Authentication::V1 => "/auth/oauth2/v1/token",
            Authentication::V2 => "/auth/oauth2/v2/token",
        };
        let issued = Instant::now();
        let form: Vec<_> = grant.form.iter().map(|(name, value)| (*name, value.reveal())).collect();
        let basic = grant.basic.as_ref().map(Secret::reveal);
        let answer = self.api.ask(path, &Ask::Grant { form, basic }).await.map_err(Refused::Api)?;
        if answer.status != 200 {
            return Err(Refused::Answered(answer, grant));
        }
        // A parser's own words may quote the token.
        let granted: Granted = serde_json::from_slice(&answer.body)
            .map_err(|error| Refused::Unreadable(format!("no token at line {}", error.line())))?;
        let life = Life::new(issued, granted.expires_in);
        Ok(Token { access: granted.access_token, refresh: granted.refresh_token, life, doubted: false })
    }
}

impl Token {
    fn is_good_for_a_login(&self, version: Authentication) -> bool {
        let now = Instant::now();
        let over = match version {
            // Renewed while it is in use.
            Authentication::V1 => self.life.renewal() <= now,
            Authentication::V2 => self.life.is_near_its_end(now),
        };
        !over && !self.doubted
    }
}

impl Refused {
    fn denied(self, backoff: &mut Backoff, timings: &Timings) -> Denied {
        match self {
            // Nobody was asked: there is no harm in looking again soon whether somebody has filled it in.
            Self::Login(error) => Denied::soon(error.to_string(), backoff),
            Self::Api(error) => Denied::unanswered("no token", &error, backoff, timings),
            Self::Answered(answer, grant) => Denied::answered("no token", &answer, grant.secrets(), backoff, timings),
            Self::Unreadable(why) => Denied::soon(why, backoff),
        }
    }
}
