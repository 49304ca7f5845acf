//! A subscriber to the enriched feed.
