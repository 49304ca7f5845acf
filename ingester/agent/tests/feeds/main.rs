//! Feeds against small servers on loopback sockets that do as they are told.

mod alpaca;
mod replay;
mod rss;
mod server;
mod stage;
