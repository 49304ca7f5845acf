//! What was said: stacks, paths, values and references. Knows no AWS service.

mod stack;
mod text;
mod value;

pub use stack::NodeRef;
pub use text::{Access, Arn, Attribute, Id, Kind, Name, Other, Part, Pseudo, Ref, Reference, Text, Url};
pub use value::{Properties, Value};
