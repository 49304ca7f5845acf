//! The pipeline on this machine: `newsloom-local --help`.

use std::process::ExitCode;

use clap::Parser;
use local_pipeline::command::{Options, run};

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(options)),
        Err(error) => {
            eprintln!("newsloom-local: could not start: {error}");
            ExitCode::FAILURE
        }
    }
}
