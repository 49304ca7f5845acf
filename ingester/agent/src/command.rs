//! The command `ingester`.

mod check;
mod logs;
mod options;
mod parts;
mod plan;
mod run;
mod stop;

pub use options::Options;

use clap::{CommandFactory, error::ErrorKind};
use options::Command;
use std::process::ExitCode;

/// Does what the command line asks for. Exit codes: 0 done, or stopped by Ctrl-C or SIGTERM; 1 it failed; 2 the command
/// line or the configuration is wrong.
pub fn run(options: &Options) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("ingester: error: could not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let tasks = tokio::task::LocalSet::new();
    let code = match &options.command {
        Some(Command::Check(check)) => tasks.block_on(&runtime, check::run(check)),
        None => tasks.block_on(&runtime, run::run(&options.told)),
    };
    drop(tasks);
    // Not by the runtime's end, which waits for a name that is being looked up.
    runtime.shutdown_background();
    code
}

/// Command line or configuration are wrong.
fn usage(error: &anyhow::Error) -> ExitCode {
    let error = Options::command().error(ErrorKind::ValueValidation, format!("{error:#}"));
    let _ = error.print();
    ExitCode::from(2)
}
