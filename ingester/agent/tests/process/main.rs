//! The real program: LSEG's protocol over TLS on one side, Kinesis on the other, signals and crashes in between.

mod check;
mod losses;
mod operation;
mod support;
