//! The test vector: known items in, the exact expectations out.

mod judge;
mod models;
mod plan;
mod report;
mod seen;
mod vector;

pub use models::{Model, Models};
pub use report::{Count, Counts, Look, Outcome, Report, RowReport, Stage, Times, Wrong};
pub use vector::{DEFAULT, Expect, Put, Row, Story, Trick, Vector};
