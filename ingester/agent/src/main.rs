//! Ingester.
fn main() {}
