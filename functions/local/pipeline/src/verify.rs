//! The test vector: known items in, the exact expectations out.

mod vector;

pub use vector::{DEFAULT, Expect, Put, Row, Story, Trick, Vector};
