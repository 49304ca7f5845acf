//! RabbitMQ, through lapin: one connection and one channel that are kept from invocation to invocation.
//!
//! Lambda freezes a function between invocations, and a frozen connection sends no heartbeats: the broker closes it after
//! about twice the heartbeat, a network in between forgets it, and nobody here notices. So a connection is never
//! believed blindly, see [`RabbitMq::ready`](Broker::ready).

mod address;
mod link;
mod socket;
mod topology;

pub use address::{Address, AddressError, HEARTBEAT};
pub use socket::{Tls, TlsError};
pub use topology::Topology;

use crate::{Broker, Failure, NotReady, Returned, credentials::Credentials, message::Message};
use amqp::{Login, SecretError};
use link::Link;
use runtime::{Backoff, Budget, with_causes};
use std::time::Duration;

/// A RabbitMQ that is connected to when it is needed.
#[derive(Debug)]
pub struct RabbitMq<C> {
    told: Told,
    credentials: C,
    login: Option<Login>,
    link: Option<Link>,
}

/// What a [`RabbitMq`] is told.
#[derive(Debug, Clone)]
pub struct Told {
    /// Where it is.
    pub address: Address,
    /// Whom to trust.
    pub tls: Tls,
    /// What it must have.
    pub topology: Topology,
    /// After how long connecting is given up, all attempts together.
    pub connect: Duration,
    /// How long to wait for the end of an alarm.
    pub blocked: Duration,
}

/// There is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No credentials for it.
    #[error("could not read the broker's credentials")]
    Credentials(#[from] SecretError),
    /// The user, the password or the virtual host is wrong.
    #[error("the broker refuses user {user:?}")]
    Refused {
        /// The user; never the password.
        user: String,
        /// In the broker's words.
        source: lapin::Error,
    },
    /// It can't be reached, or doesn't speak.
    #[error("could not connect to {address}")]
    Unreachable {
        /// Where.
        address: Address,
        /// Why.
        source: lapin::Error,
    },
    /// It took too long.
    #[error("could not connect to {address} within {} ms", .after.as_millis())]
    TimedOut {
        /// Where.
        address: Address,
        /// How long was waited.
        after: Duration,
    },
    /// What it must have is not there, and can't be made.
    #[error("could not declare {what}")]
    Topology {
        /// An exchange or a queue.
        what: String,
        /// In the broker's words.
        source: lapin::Error,
    },
}

impl<C: Credentials> RabbitMq<C> {
    /// One that is not connected yet.
    pub fn new(told: Told, credentials: C) -> Self {
        Self { told, credentials, login: None, link: None }
    }

    /// Connects, if there is no connection that works. Attempts are repeated until time is up: a broker that restarts is
    /// back in seconds, and each invocation that fails is one attempt less before Lambda gives the batch up.
    ///
    /// # Errors
    ///
    /// What the last attempt failed with.
    pub async fn connect(&mut self, budget: Budget) -> Result<(), ConnectError> {
        if self.works(budget).await {
            return Ok(());
        }
        // Before a new one, so that nothing is published on both.
        self.link = None;
        let budget = Budget::of(self.told.connect.min(budget.left()));
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let mut login_is_new = false;
        let mut cause = None;
        loop {
            let error = match self.attempt(budget, &mut login_is_new).await {
                Ok(()) => return Ok(()),
                // Time was up in mid-attempt; what the one before failed with says more.
                Err(error @ ConnectError::TimedOut { .. }) => return Err(cause.unwrap_or(error)),
                Err(error) => error,
            };
            match error {
                // The password was changed since it was read. A new one that is refused too is somebody's mistake.
                ConnectError::Refused { .. } if !login_is_new => self.login = None,
                ConnectError::Refused { .. } => return Err(error),
                error if backoff.pause(budget).await.is_err() => return Err(error),
                error => cause = Some(error),
            }
        }
    }

    async fn attempt(&mut self, budget: Budget, login_is_new: &mut bool) -> Result<(), ConnectError> {
        let timed_out = |_| ConnectError::TimedOut { address: self.told.address.clone(), after: self.told.connect };
        let login = if let Some(login) = &self.login {
            login
        } else {
            *login_is_new = true;
            let login = budget.run(self.credentials.login()).await.map_err(timed_out)??;
            self.login.insert(login)
        };
        let link = budget.run(Link::open(&self.told, login)).await.map_err(timed_out)??;
        tracing::info!(address = %self.told.address, heartbeat_seconds = link.heartbeat(), "Connected to the broker.");
        self.link = Some(link);
        Ok(())
    }

    /// Whether there is a connection that can be believed. One that was silent for long is asked first.
    async fn works(&self, budget: Budget) -> bool {
        match &self.link {
            Some(link) if link.is_open() => !link.is_doubtful() || link.answers(&self.told.topology, budget).await,
            _ => false,
        }
    }
}

impl<C: Credentials> Broker for RabbitMq<C> {
    async fn ready(&mut self, budget: Budget) -> Result<(), NotReady> {
        self.connect(budget).await.map_err(|error| NotReady(with_causes(&error)))?;
        let Some(link) = &self.link else { return Err(NotReady("there is no connection".into())) };
        link.unblocked(Budget::of(self.told.blocked.min(budget.left()))).await
    }

    async fn publish(&self, message: &Message) -> Result<Option<Returned>, Failure> {
        let Some(link) = &self.link else { return Err(Failure::Lost("there is no connection".into())) };
        link.publish(&self.told.topology, message).await
    }
}
