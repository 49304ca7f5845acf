//! A certificate authority for one simulator, and its servers' certificate.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use std::sync::Arc;

/// What servers show, and what clients are to trust.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) ca_pem: String,
}

/// No certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// By the certificates' library.
    #[error("could not make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// By the TLS library.
    #[error("could not serve TLS")]
    Server(#[from] rustls::Error),
}

/// A new authority, and a server for `localhost` and 127.0.0.1 that speaks TLS 1.2 and 1.3.
pub(crate) fn new() -> Result<Tls, TlsError> {
    let authority_key = KeyPair::generate()?;
    let authority = authority()?;
    let ca_pem = authority.self_signed(&authority_key)?.pem();
    let key = KeyPair::generate()?;
    let certificate = server()?.signed_by(&key, &Issuer::new(authority, authority_key))?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok(Tls { server: Arc::new(server), ca_pem })
}

fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut authority = named("newsfeed-sim authority", Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(authority)
}

fn server() -> Result<CertificateParams, rcgen::Error> {
    let mut server = named("localhost", vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    server.use_authority_key_identifier_extension = true;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(server)
}

fn named(name: &str, addresses: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(addresses)?;
    parameters.distinguished_name.push(DnType::CommonName, name);
    (parameters.not_before, parameters.not_after) = (date_time_ymd(2025, 1, 1), date_time_ymd(2049, 1, 1));
    Ok(parameters)
}
