//! The parts of AWS, and the broker, on this machine.
//!
//! Real binaries and real protocols, no account, no container, loopback only. Each part starts on a free port, needs
//! no other, and is gone when it is dropped:
//!
//! - [`runtime_api`]: the Lambda Runtime API, [`function`], a `bootstrap` that runs under it, and [`lambda`], as many of
//!   them as there are invocations at once
//! - [`aws`]: SageMaker, DynamoDB, Kinesis, SQS and Secrets Manager behind one `AWS_ENDPOINT_URL`, which fail when told
//!   to
//! - [`event_source`]: what Lambda's event source mappings do: a stream's records to a function, in batches
//! - [`rabbitmq`]: a private RabbitMQ node, and [`rabbitmq::choice`], which broker to use
//! - [`proxy`]: a connection that can be cut

pub mod aws;
mod background;
pub mod event_source;
pub mod function;
pub mod guardian;
pub mod lambda;
pub mod proxy;
pub mod rabbitmq;
pub mod runtime_api;
mod server;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The region everything here is in, unless [`aws::Builder::region`] says otherwise.
pub const REGION: &str = "eu-west-1";

/// The account everything here belongs to; AWS's documentation uses it for examples.
/// [`aws::Builder::account`] names another one.
pub const ACCOUNT: &str = "123456789012";

/// The region and account that something is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) region: String,
    pub(crate) account: String,
}

impl Place {
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }
}

impl Default for Place {
    fn default() -> Self {
        Self { region: REGION.to_owned(), account: ACCOUNT.to_owned() }
    }
}

/// What a thread that panicked left is still worth reading: in a test, that is another test's assertion.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Variables that keep an AWS SDK away from the developer's account: credentials that are worth nothing, no profile
/// files, no metadata service.
fn no_account() -> [(&'static str, &'static str); 6] {
    [
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ]
}
