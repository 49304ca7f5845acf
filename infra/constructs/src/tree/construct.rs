//! The traits of everything that is added to a stack.

use std::{any::Any, borrow::Cow};

use super::{
    stack::{Backend, NodeRef, Stack},
    value::Properties,
};

/// Something that can be added to a stack: a resource, a tier, or a whole pipeline.
///
/// ```
/// use constructs::{services::kinesis, tree::{Construct, Stack}};
///
/// struct Feed { shards: u32 }
///
/// impl Construct for Feed {
///     type Handle = kinesis::StreamRef;
///
///     fn build(self, stack: &mut Stack) -> kinesis::StreamRef {
///         stack.add("News", kinesis::Stream::provisioned(self.shards))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a construct",
    note = "pass a definition such as `kinesis::Stream::on_demand()`, not the handle that `stack.add` gave back"
)]
pub trait Construct {
    /// What others refer to it by; small and `Copy`. `()` where nobody does.
    type Handle;

    /// Adds what it is made of. The stack's path already ends in the id it was given.
    fn build(self, stack: &mut Stack) -> Self::Handle;
}

/// Names of a resource type in both backends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Types {
    /// The room, which names the file that the resource is written to: `kinesis`.
    pub service: Cow<'static, str>,
    /// What Terraform makes of it.
    pub block: Block,
    /// Terraform's type, `aws_kinesis_stream`; empty where Terraform needs no such resource.
    pub terraform: Cow<'static, str>,
    /// CloudFormation's type, `AWS::Kinesis::Stream`; empty where it needs none.
    pub cloudformation: Cow<'static, str>,
}

/// Terraform's kinds of blocks with a type and a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Block {
    /// Created and kept in the state.
    Resource,
    /// Looked up.
    Data,
    /// Opened for one run, never in the state. Terraform 1.10 or newer.
    Ephemeral,
}

impl Types {
    /// A resource of both backends.
    pub const fn new(service: &'static str, terraform: &'static str, cloudformation: &'static str) -> Self {
        Self {
            service: Cow::Borrowed(service),
            block: Block::Resource,
            terraform: Cow::Borrowed(terraform),
            cloudformation: Cow::Borrowed(cloudformation),
        }
    }

    /// A resource that only Terraform has; CloudFormation says the same inside another one.
    pub const fn terraform(service: &'static str, terraform: &'static str) -> Self {
        Self::new(service, terraform, "")
    }

    /// A resource that only CloudFormation has.
    pub const fn cloudformation(service: &'static str, cloudformation: &'static str) -> Self {
        Self::new(service, "", cloudformation)
    }
}

/// A resource: its type and its properties in both backends, which are rendered at the same time.
pub trait Resource: Any + Send + Sync {
    /// Its types.
    fn types(&self) -> Types;

    /// Its arguments for Terraform.
    fn terraform(&self) -> Properties {
        Properties::default()
    }

    /// Its properties for CloudFormation.
    fn cloudformation(&self) -> Properties {
        Properties::default()
    }

    /// What CloudFormation wants beside the properties: `UpdatePolicy`, `CreationPolicy`.
    fn cloudformation_attributes(&self) -> Properties {
        Properties::default()
    }

    /// Tag specifications among its properties, by dotted path: lists of objects with the tags of what it
    /// launches. Tags that the app, the stack and the constructs above ask for are added to each.
    fn tag_specifications(&self, backend: Backend) -> &'static [&'static str] {
        let _ = backend;
        &[]
    }

    /// Whether losing it loses data: then [`Removal`] applies to it.
    fn is_stateful(&self) -> bool {
        false
    }

    /// Told what becomes of its data: the app's default when it is recorded, and what [`Stack::protect`]
    /// says later. For what the service itself offers: deletion protection, emptying before a deletion.
    fn protect(&mut self, _removal: Removal) {}

    /// Why a backend can't have it, if it can't: code in a local file, which only Terraform uploads.
    fn refuses(&self, _backend: Backend) -> Option<String> {
        None
    }

    /// What it allows whom, if that is what it is for.
    fn permissions(&self) -> Option<crate::policy::Permissions<'_>> {
        None
    }
}

/// What `stack.add` gives back for a construct that others refer to.
pub trait Handle: Copy {
    /// The construct's main node.
    fn node(self) -> NodeRef;
}

impl Handle for NodeRef {
    fn node(self) -> NodeRef {
        self
    }
}

/// What becomes of data when its resource is removed from the stack, or the stack is destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Removal {
    /// It is deleted, without asking: for trials.
    Destroy,
    /// It is kept wherever the service can refuse a deletion, and CloudFormation leaves it behind. The default.
    #[default]
    Retain,
    /// As `Retain`, and Terraform refuses every plan that would destroy it (`prevent_destroy`).
    Prevent,
}
