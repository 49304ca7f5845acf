//! Simple Notification Service: one message, many who hear of it.

mod subscription;
mod topic;

#[cfg(test)]
mod tests;

pub use subscription::{Subscription, SubscriptionRef};
pub use topic::{ExistingTopic, Topic, TopicRef};
