//! Whom to trust.

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use std::sync::Arc;

/// No TLS at all: nothing on this machine is trusted.
#[derive(Debug, thiserror::Error)]
#[error("found no certificates to trust; SSL_CERT_FILE can name a file of them{0}")]
pub struct NoRoots(String);

/// TLS 1.2 and 1.3, trusting what this machine trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` replace that, for a private
/// authority.
///
/// # Errors
///
/// There is no certificate at all.
pub fn client() -> Result<Arc<ClientConfig>, NoRoots> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map(|error| format!(": {error}"));
        return Err(NoRoots(why.unwrap_or_default()));
    }
    Ok(trusting(roots))
}

/// The same, trusting these.
#[expect(clippy::missing_panics_doc, reason = "the provider knows TLS 1.2 and 1.3")]
pub fn trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
