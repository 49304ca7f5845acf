//! Who may do what: policy documents, grants, and what AWS's service authorization reference says about them.

mod app;
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

pub(crate) use check::{action_problem, service_problem};

use crate::tree::NodeRef;

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

impl Use {
    /// What a policy is used for, by the type and property that hold it, in either backend's words: for
    /// resources that don't say it themselves.
    pub fn of(resource_type: &str, property: &str) -> Self {
        let property = property.to_ascii_lowercase();
        let carried_by_role = resource_type.starts_with("aws_iam_") || resource_type.starts_with("AWS::IAM::");
        match (property.contains("assume"), carried_by_role) {
            (true, _) => Self::Trust,
            (false, true) => Self::Identity,
            (false, false) => Self::Resource,
        }
    }
}
