//! A real-time news feed that isn't one: the server's side of LSEG's Machine Readable News, with invented news and
//! trouble on request.
//!
//! A [`Simulator`] has an HTTP side, which gives tokens and lists endpoints, and WebSocket endpoints, which speak the
//! JSON protocol of LSEG's real-time service. Everything it sends is in its [`Journal`], so that a test can compare what
//! was sent with what arrived. It knows nothing of Newsloom: a mistake in the one is none in the other.
//!
//! The news are invented: companies, people, places and numbers don't exist. Sizes and times follow a recorded half
//! minute of the real feed, see [`profile`].

mod endpoint;
mod envelope;
mod generator;
mod http;
mod item;
mod journal;
mod messages;
mod newsroom;
mod options;
pub mod profile;
mod session;
mod simulator;
mod text;
mod tls;
mod tokens;
mod trouble;
mod wire;
mod words;
mod world;

pub use envelope::FRAGMENT_BYTES;
pub use generator::{Generator, Invented};
pub use item::{About, Item, Ric, Story};
pub use journal::{Asked, Connection, Counts, End, Entry, Exchange, Fate, Heard, Journal, Login};
pub use messages::State;
pub use options::{Accounts, Options, Pace};
pub use simulator::{Simulator, StartError, TimedOut};
pub use tls::TlsError;
pub use tokens::AUDIENCE;
pub use trouble::{Answer, HttpRule, Rule, Script, ScriptError, Target, Trouble, When};
pub use world::Cut;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
