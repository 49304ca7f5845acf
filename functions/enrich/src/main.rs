//! Kinesis to SageMaker to DynamoDB: in Lambda the function, elsewhere a command for files.

use clap::Parser;
use enrich::{file, lambda};
use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::logs::init();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a system with timers and sockets");
    let in_lambda = std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some();
    let ended = if in_lambda {
        runtime.block_on(lambda::run()).map(|()| ExitCode::SUCCESS)
    } else {
        runtime.block_on(file::run(file::Options::parse()))
    };
    // A read of standard input can't be taken back; it must not keep the process.
    runtime.shutdown_background();
    ended.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        ExitCode::FAILURE
    })
}
