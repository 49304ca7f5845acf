//! The command `consume`: items as lines on standard output.

mod console;
mod line;
mod logs;
mod options;
mod run;
mod task;

pub use options::Options;
pub use run::run;
