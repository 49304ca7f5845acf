//! The command line: `newsloom-local demo`, `send`, `verify`, `soak`.

mod console;
pub mod demo;
mod options;

pub use options::{Command, Options, run};
