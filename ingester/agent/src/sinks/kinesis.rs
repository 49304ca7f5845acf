//! Kinesis.
#![allow(dead_code)]
mod batches;
