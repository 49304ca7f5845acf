//! The SDK's configuration, the same for every client of a function.

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use std::time::Duration;

/// Region, credentials and addresses from the environment (`AWS_ENDPOINT_URL` and its like included), with time-outs
/// of our own: the SDK's defaults wait for an answer for ever.
///
/// A request is tried once. Who asks knows how long it may take and what else is on its way, so it tries again itself,
/// within its [`Budget`](crate::Budget); two layers of retries would multiply.
///
/// `connect` bounds TCP and TLS, `attempt` a whole request with its answer.
pub async fn configuration(connect: Duration, attempt: Duration) -> SdkConfig {
    configuration_in(None, connect, attempt).await
}

/// The same, in a region; the environment's where there is none.
pub async fn configuration_in(region: Option<String>, connect: Duration, attempt: Duration) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(connect)
        .operation_attempt_timeout(attempt)
        .read_timeout(attempt)
        .build();
    let loader =
        aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).retry_config(RetryConfig::disabled());
    let loader = match region {
        Some(region) => loader.region(Region::new(region)),
        None => loader,
    };
    loader.load().await
}
