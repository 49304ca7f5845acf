//! The words that the infrastructure and the runtimes share.
