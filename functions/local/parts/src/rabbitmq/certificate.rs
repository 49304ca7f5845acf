//! A certificate authority for one node, and the node's certificate.

use std::{fs, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use super::Error;

/// The authority's certificate.
pub(super) const AUTHORITY: &str = "ca.pem";
/// The node's certificate.
pub(super) const SERVER: &str = "server.pem";
/// The node's key.
pub(super) const KEY: &str = "server.key";

/// Writes the three into a folder.
pub(super) fn write(folder: &Path) -> Result<(), Error> {
    let authority_key = KeyPair::generate()?;
    let authority = authority()?;
    fs::write(folder.join(AUTHORITY), authority.self_signed(&authority_key)?.pem())?;
    let key = KeyPair::generate()?;
    let certificate = server()?.signed_by(&key, &Issuer::new(authority, authority_key))?;
    fs::write(folder.join(SERVER), certificate.pem())?;
    fs::write(folder.join(KEY), key.serialize_pem())?;
    Ok(())
}

fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut authority = named("Newsloom local authority", Vec::new())?;
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
