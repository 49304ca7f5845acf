//! News feeds to Kinesis: `ingester --help`.

use clap::Parser;
use ingester::command::{Options, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    run(&Options::parse())
}
