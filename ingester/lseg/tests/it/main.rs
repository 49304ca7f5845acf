//! The protocol from outside: frames and time in, outputs out.

mod envelope;
mod feed;
mod hostile;
mod session;
