//! The pipeline on this machine: `newsloom-local --help`.

fn main() {}
