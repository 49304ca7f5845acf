//! LSEG's real-time news on the wire: messages, states, envelopes, stories. No I/O, no clock.
//!
//! A [`Session`] is one connection's side of the protocol: text frames and the time go in, [`Output`]s come out. Whoever
//! has the socket sends what is to be sent, and asks again at [`Session::wakeup`].
//!
//! A frame becomes [messages](message); their [states](state) say how streams are; the fields of an update are a part of
//! an [envelope]; what is in it is a [story], or [scores](analytics). Before all that come a
//! [token] and the [endpoints](discovery).

pub mod analytics;
pub mod discovery;
pub mod envelope;
pub mod mask;
pub mod message;
pub mod request;
mod scalar;
pub mod session;
pub mod state;
pub mod story;
pub mod token;

pub use session::{Again, End, Identity, Options, Output, Ric, Session};
