//! Who may do what: policy documents, grants, and what AWS's service authorization reference says about them.

mod document;
mod statement;

pub use document::{Document, Grant};
pub use statement::{Condition, Effect, Principal, Statement};

use crate::tree::NodeRef;

/// What kind of policy a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Carried by a role: what its holder may do.
    Identity,
    /// Carried by a resource: what others may do to it.
    Resource,
    /// Carried by a role: who may assume it.
    Trust,
}

/// What a resource that grants rights says, for the permission matrix and for questions.
#[derive(Debug, Clone, Copy)]
pub struct Permissions<'a> {
    /// What kind of policy it is.
    pub role: Use,
    /// Whose policy it is: the role, or the resource it protects. `None` for the node itself.
    pub of: Option<NodeRef>,
    /// The policy.
    pub document: &'a Document,
}
