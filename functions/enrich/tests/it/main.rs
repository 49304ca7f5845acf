//! Everything that needs more than one file of the crate, in one binary: linking the SDK is most of a test's time.

mod adapters;
mod command;
mod core;
mod function;
mod items;
mod sentiments;
