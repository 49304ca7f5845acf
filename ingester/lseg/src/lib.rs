//! LSEG's real-time news on the wire: messages, states, envelopes, stories. No I/O, no clock.
//!
//! A [`Session`] is one connection's side of the protocol: text frames and the time go in, [`Output`]s come out. Whoever
//! has the socket sends what is to be sent, and asks again at [`Session::wakeup`].

pub mod analytics;
pub mod session;

pub use session::{Again, End, Identity, Options, Output, Ric, Session};
