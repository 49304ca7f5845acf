//! Tokens: asked for when they are needed, one request at a time, for all connections of a feed.

use super::{
    Timings,
    api::{Answer, Api, ApiError, Ask},
    denied::Denied,
    login::{Form, Login, LoginError},
};
use crate::secrets::{Place, Secret};
use ::lseg::token::{self, Grant, TokenError, Verdict, verdict};
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
    given: token::Token,
    issued: Instant,
    /// How often a password had been used by then.
    sign_on: u64,
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
    /// How often a password had been used by then.
    sign_on: u64,
}

/// Why no token was given.
enum Refused {
    Login(LoginError),
    Api(ApiError),
    Answered(Answer, Form),
    Unreadable(TokenError),
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
        Ok(Pass { token: token.access(), renewals, lasts: token.given.lifetime, sign_on: token.sign_on })
    }

    /// Whether a password was used since: exclusive control throws out what was on before, be it our own.
    pub(super) async fn has_signed_on_since(&self, pass: &Pass) -> bool {
        let state = self.state.lock().await;
        self.version == Authentication::V1 && state.token.as_ref().is_some_and(|token| token.sign_on > pass.sign_on)
    }

    /// A server refused this token, perhaps for its own sake: the next login takes another. One that was given just now
    /// isn't doubted, since the next would be refused like it, and nobody asks for tokens in a hot loop. Says whether the
    /// next is another.
    pub(super) async fn doubt(&self, token: &Secret, timings: &Timings) -> bool {
        let mut state = self.state.lock().await;
        let Some(known) = state.token.as_mut().filter(|known| known.access() == *token) else { return true };
        known.doubted |= known.issued.elapsed() >= timings.doubt;
        known.doubted
    }

    /// Renews tokens before they end, where connections that stand need it, for ever.
    pub(super) async fn keep_new(&self, timings: &Timings) {
        if self.version == Authentication::V2 {
            return std::future::pending().await;
        }
        let mut newest = self.newest.subscribe();
        loop {
            let due = self.state.lock().await.token.as_ref().map(Token::renewal);
            let pause = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = newest.changed() => {}
                () = pause => {
                    if !self.renew(timings).await {
                        // The next login fetches one.
                        let _ = newest.changed().await;
                    }
                }
            }
        }
    }

    /// False if nobody needs it: who was thrown out must not sign on again by itself, and throw the other out.
    async fn renew(&self, timings: &Timings) -> bool {
        let mut state = self.state.lock().await;
        // A connection that was being made may have done it meanwhile.
        if state.token.as_ref().is_some_and(|token| token.renewal() > Instant::now()) {
            return true;
        }
        // Passes are given under the same lock. One receiver is that of who renews.
        if self.newest.receiver_count() <= 1 {
            return false;
        }
        if let Err(denied) = self.fetch(&mut state, timings, true).await {
            drop(state);
            if denied.lasts {
                tracing::error!(feed = self.feed, why = denied.why, "Somebody must act: the token isn't renewed.");
            } else {
                tracing::warn!(feed = self.feed, why = denied.why, "The token isn't renewed yet.");
            }
            sleep_until(denied.until).await;
        }
        true
    }

    async fn fetch(&self, state: &mut State, timings: &Timings, exclusively: bool) -> Result<(), Denied> {
        if let Some(denied) = state.denied.as_ref().filter(|denied| denied.until > Instant::now()) {
            return Err(denied.clone());
        }
        match self.granted(state.token.as_ref(), exclusively).await {
            Ok(token) => {
                tracing::info!(feed = self.feed, seconds = token.given.lifetime.as_secs(), "There is a new token.");
                self.newest.send_replace(Some(token.access()));
                *state = State { token: Some(token), ..State::default() };
                Ok(())
            }
            Err(refused) => {
                let denied = refused.denied(state.backoff.get_or_insert_with(|| timings.backoff()), timings);
                state.denied = Some(denied.clone());
                Err(denied)
            }
        }
    }

    async fn granted(&self, old: Option<&Token>, exclusively: bool) -> Result<Token, Refused> {
        let login = Login::read(&self.place, self.version).await?;
        let sign_on = 1 + old.map_or(0, |old| old.sign_on);
        let refresh = old.and_then(|old| Some((old, login.refresh(old.given.refresh.as_deref()?)?)));
        let Some((old, refresh)) = refresh else { return self.ask(login.first(exclusively)?, sign_on).await };
        match self.ask(refresh, old.sign_on).await {
            Ok(token) if token.given.needs_password_after(&old.given) => {
                let anew = self.ask(login.first(exclusively)?, sign_on).await;
                // It is still better than none; when it is used up there is a reason to be shown.
                Ok(anew.unwrap_or(token))
            }
            Err(Refused::Answered(answer, _)) if verdict(answer.status, Grant::Refresh) == Verdict::Password => {
                self.ask(login.first(exclusively)?, sign_on).await
            }
            refreshed => refreshed,
        }
    }

    async fn ask(&self, form: Form, sign_on: u64) -> Result<Token, Refused> {
        let path = match self.version {
            Authentication::V1 => token::PATH_V1,
            Authentication::V2 => token::PATH_V2,
        };
        let issued = Instant::now();
        let answer = self.api.ask(path, &Ask::Grant { form: &form }).await.map_err(Refused::Api)?;
        if answer.status != 200 {
            return Err(Refused::Answered(answer, form));
        }
        let given = token::read(&answer.body).map_err(Refused::Unreadable)?;
        Ok(Token { given, issued, sign_on, doubted: false })
    }
}

impl Token {
    fn access(&self) -> Secret {
        Secret::new(self.given.access.as_str())
    }

    /// When connections that stand get another.
    fn renewal(&self) -> Instant {
        self.issued + self.given.renew_after()
    }

    fn is_good_for_a_login(&self, version: Authentication) -> bool {
        let last = match version {
            // Renewed while it is in use.
            Authentication::V1 => self.renewal(),
            Authentication::V2 => self.issued + self.given.usable_for(),
        };
        Instant::now() < last && !self.doubted
    }
}

impl Refused {
    fn denied(self, backoff: &mut Backoff, timings: &Timings) -> Denied {
        match self {
            // Nobody was asked: there is no harm in looking again soon whether somebody has filled it in.
            Self::Login(error) => Denied::soon(error.to_string(), backoff),
            Self::Api(error) => Denied::unanswered("no token", &error, backoff, timings),
            Self::Answered(answer, form) => Denied::answered("no token", &answer, &form.secrets(), backoff, timings),
            Self::Unreadable(error) => Denied::soon(error.to_string(), backoff),
        }
    }
}
