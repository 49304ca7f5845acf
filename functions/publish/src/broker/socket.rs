//! The connection below AMQP: TCP, and TLS with the roots that were chosen.

use amqp::OwnedSocket;
use lapin::{
    Connection, ConnectionProperties,
    tcp::{AsyncTcpStream, RustlsConnector, RustlsConnectorConfig},
    uri::{AMQPScheme, AMQPUri},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Whom to trust. Read once, and shared by all connections, so that a new one can take up the last one's session.
#[derive(Clone)]
pub struct Tls(RustlsConnector);

/// Nobody to trust.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The system has no certificates that can be read.
    #[error("could not read the system's certificates")]
    System(#[source] io::Error),
    /// The file can't be read.
    #[error("could not read BROKER_CA_FILE {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The file has no certificate in it.
    #[error("BROKER_CA_FILE {} has no certificate in it, -----BEGIN CERTIFICATE-----", .0.display())]
    Empty(PathBuf),
}

impl Tls {
    /// Trusts the certificates of `file` alone; without one, those of the system (`SSL_CERT_FILE` names others).
    ///
    /// # Errors
    ///
    /// There is none that can be read.
    pub fn trusting(file: Option<&Path>) -> Result<Self, TlsError> {
        let roots = match file {
            None => RustlsConnectorConfig::new_with_native_certs().map_err(TlsError::System)?,
            Some(path) => RustlsConnectorConfig::default().with_parsable_certificates(certificates(path)?),
        };
        Ok(Self(roots.connector_with_no_client_auth().map_err(TlsError::System)?))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::File { path: path.into(), source };
    let certificates = CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<Vec<_>, _>>();
    match certificates.map_err(failed)? {
        none if none.is_empty() => Err(TlsError::Empty(path.into())),
        some => Ok(some),
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// Connects, TCP and TLS and AMQP. Whoever gives up waiting drops `socket`, which ends lapin's thread.
pub(super) async fn connect(uri: AMQPUri, tls: &Tls, socket: &OwnedSocket) -> lapin::Result<Connection> {
    let (tls, socket) = (tls.clone(), socket.remember());
    let name = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|_| "newsloom-publish".into());
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    // lapin's own way to connect trusts the system besides a file, and leaves no way to close.
    Connection::connector(
        uri,
        lapin::runtime::default_runtime()?,
        async move |uri: AMQPUri, runtime| {
            let host = uri.authority.host.as_str();
            let addresses: Vec<_> = tokio::net::lookup_host((host, uri.authority.port)).await?.collect();
            let stream = AsyncTcpStream::connect(&runtime, addresses).await?;
            if let AsyncTcpStream::Plain(stream) = &stream {
                socket.connected(stream.get_ref())?;
            }
            match uri.scheme {
                AMQPScheme::AMQP => Ok(stream),
                AMQPScheme::AMQPS => Ok(stream.into_rustls(&tls.0, host).await?),
            }
        },
        properties,
    )
    .await
}
