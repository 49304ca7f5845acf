//! A stack: nodes at paths, and the verbs that add them.

/// A node of a stack, as handles hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeRef {
    pub(crate) stack: u16,
    pub(crate) index: u32,
}
