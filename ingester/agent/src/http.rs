//! The HTTP client of every source.

use rustls::ClientConfig;
use std::time::Duration;

/// What servers see: it lets them tell who polls them.
pub const USER_AGENT: &str = concat!("newsloom-ingester/", env!("CARGO_PKG_VERSION"));

/// A client that trusts what `tls` says and honours `HTTPS_PROXY` and `NO_PROXY`. `timeout` bounds a whole request with
/// its answer. It follows no redirect: where credentials or politeness are involved, who asks must decide.
///
/// # Errors
///
/// The system can't.
pub fn client(tls: &ClientConfig, timeout: Duration) -> reqwest::Result<reqwest::Client> {
    builder(tls, timeout).build()
}

/// The same, to be refined.
pub fn builder(tls: &ClientConfig, timeout: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .user_agent(USER_AGENT)
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
}
