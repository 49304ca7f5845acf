//! Who may do what: policy documents, grants, and what AWS's service authorization reference says about them.

mod document;
mod glob;
pub mod reference;
mod statement;

pub use document::{Document, Grant};
pub use statement::{Condition, Effect, Principal, Statement};
