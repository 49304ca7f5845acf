//! Simple Storage Service: buckets of objects, private, encrypted and versioned.

mod bucket;
mod lifecycle;
mod notification;
mod object;
mod satellites;

#[cfg(test)]
mod tests;

pub use bucket::{Bucket, BucketRef, ExistingBucket, Tls};
pub use lifecycle::{Rule, StorageClass};
pub use notification::Event;
pub use object::{Object, ObjectRef};
