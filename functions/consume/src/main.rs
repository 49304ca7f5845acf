//! A subscriber to the enriched feed.

fn main() {}
