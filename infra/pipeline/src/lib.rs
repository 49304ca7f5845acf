//! The news pipeline on AWS.
