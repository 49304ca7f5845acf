//! Who may do what: policy documents, grants, and what AWS's service authorization reference says about them.

mod check;
mod document;
mod glob;
pub mod matrix;
mod question;
mod read;
pub mod reference;
mod statement;

pub use check::{Finding, Resolve, Use, check, document_of};
pub use document::{Document, Grant};
pub use question::{Verdict, covers, may, touches};
pub use statement::{Condition, Effect, Principal, Statement};
