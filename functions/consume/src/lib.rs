//! A subscriber to the enriched feed, as a command and as a library.
//!
//! The command is `consume 'en.negative.*'`. A program of one's own is a loop over a [`Subscription`]: it declares its
//! queue, binds it to patterns of routing keys, comes back after the broker was away, and hands out each item once,
//! however often the broker sends it.
//!
//! ```no_run
//! use consume::{Broker, Queue, Subscribe};
//! use futures_util::StreamExt;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = Broker::parse("amqp://reader:secret@localhost")?;
//! let mut subscription = Subscribe::to(broker, Queue::durable("desk")).patterns(["en.negative.*"]).start();
//! while let Some(delivery) = subscription.next().await {
//!     let delivery = delivery?;
//!     println!("{}", delivery.item.item.headline);
//!     // Only now: what is not acknowledged when the program dies comes again.
//!     delivery.ack();
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Delivery is at least once. Within a process an item that was acknowledged is not handed out again; the next process
//! gets what the last one had received and not acknowledged.

mod broker;
pub mod command;
mod credentials;
mod delivery;
mod message;
mod queue;
mod session;
mod subscription;
mod window;

pub use amqp::Login;
pub use broker::{Broker, BrokerError};
pub use credentials::{Credentials, CredentialsError};
pub use delivery::Delivery;
pub use queue::Queue;
pub use subscription::{Counts, Subscribe, SubscribeError, Subscription};
