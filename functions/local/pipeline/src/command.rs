//! The command line: `newsloom-local demo`, `send`, `verify`, `soak`, `bench`.

pub mod bench;
mod console;
mod control;
pub mod demo;
mod options;
pub mod send;
mod signals;
pub mod soak;

pub use options::{Command, Options, run};
pub(crate) use options::{Start, load};
