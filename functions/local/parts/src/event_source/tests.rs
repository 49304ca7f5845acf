//! The poller's core in paused time, with a stream in memory and a function that does as it is told.

mod batching;
mod failures;
mod promises;
mod reading;
mod world;
