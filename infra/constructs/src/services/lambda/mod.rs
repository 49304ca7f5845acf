//! Lambda: functions, what they run, what calls them and what becomes of what they can't do.
//!
//! A function makes its own role and log group, and its role may do exactly what the function's settings ask
//! for: write its own logs, send to the destinations it was given, decrypt with the keys it was given. What
//! it does beyond that is granted with `stack.grant`; what calls it is said with `stack.trigger` or
//! `stack.allow_invoke`.

mod code;
mod destination;
mod environment;
mod filter;
mod function;
mod handle;
mod layer;
mod logging;
mod mapping;
mod network;
mod permission;
mod source;
#[cfg(test)]
mod tests;

pub use super::processor::Architecture;
pub use code::{Code, Image, Runtime};
pub use destination::{Destination, EventInvoke};
pub use filter::{
    Attribute, EventName, Filter, Pattern, absent, anything_but, boolean, equals_ignore_case, exists, number, one_of,
    prefix, suffix, text, within,
};
pub use function::Function;
pub use handle::{ExistingFunction, FunctionRef};
pub use layer::{LayerVersion, LayerVersionRef};
pub use logging::{LogLevel, SystemLogLevel};
pub use mapping::MappingRef;
pub use permission::Permission;
pub use source::{Changes, DynamoDb, Kinesis, Messages, Origin, Records, Source, Sqs, Streaming, Trigger};
