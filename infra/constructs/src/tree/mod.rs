//! What was said: apps, stacks, paths, values and references. Knows no AWS service.

mod app;
mod aspect;
mod construct;
mod input;
mod names;
mod problem;
mod raw;
mod stack;
mod text;
mod value;
mod whole;

pub use app::{App, State};
pub use aspect::Visit;
pub use construct::{Block, Construct, Handle, Removal, Resource, Types};
pub use input::{Lookup, Module, ModuleRef, Output, Parameter, ParameterRef};
pub use problem::{Problem, Problems};
pub use raw::{Raw, RawRef};
pub use stack::{Backend, NodeRef, Stack};
pub use text::{Access, Arn, Attribute, Id, Kind, Name, Other, Part, Pseudo, Ref, Reference, Text, Url};
pub use value::{Properties, Value};

pub(crate) use names::{nearest, pascal, snake};
pub(crate) use stack::{Body, Node};
