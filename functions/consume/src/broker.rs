//! Where the broker is, and a connection to it.

use crate::Login;
use amqp::{OwnedSocket, Remember};
use lapin::{
    AsyncTcpStream, Connection, ConnectionProperties, ErrorKind,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
    tcp::{AMQPUriTcpExt, OwnedTLSConfig},
    uri::{AMQPScheme, AMQPUri},
};
use std::{error::Error, fmt, io, time::Duration};
use url::{Host, Url};

/// How often broker and subscriber tell each other that they are there, in seconds; after twice that a silent
/// connection counts as lost.
const HEARTBEAT_SECONDS: u16 = 20;

/// A broker's address, and whom to trust there.
#[derive(Clone)]
pub struct Broker {
    uri: AMQPUri,
    login: Option<Login>,
    username: Option<String>,
    ca: Option<String>,
}

/// Why a text is no address of a broker. It never quotes the text, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no address of a broker, amqps://user@host:5671/vhost: {0}")]
pub struct BrokerError(String);

impl Broker {
    /// Reads `amqps://user:password@host:5671/vhost`; all but the scheme and the host can be left out. Ports default to
    /// 5671 and, for `amqp`, 5672; the virtual host to `/`, also where the address ends in a slash. `?heartbeat=` is in
    /// seconds, 20 by default.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, BrokerError> {
        let url = Url::parse(text.trim()).map_err(|error| BrokerError(error.to_string()))?;
        if !matches!(url.scheme(), "amqp" | "amqps") {
            return Err(BrokerError(format!("its scheme is {}", url.scheme())));
        }
        if url.cannot_be_a_base() || !url.has_host() {
            return Err(BrokerError("it has no host".into()));
        }
        let mut uri: AMQPUri = text.trim().parse().map_err(BrokerError)?;
        // lapin takes these for its default, localhost.
        if let Some(Host::Ipv6(address)) = url.host() {
            uri.authority.host = address.to_string();
        }
        // By the letter a closing slash names the virtual host "", which nobody has.
        if uri.vhost.is_empty() {
            uri.vhost = "/".into();
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let username = (!url.username().is_empty()).then(|| uri.authority.userinfo.username.clone());
        let password = url.password().map(|_| uri.authority.userinfo.password.clone());
        let login = username.clone().zip(password).map(|(username, password)| Login { username, password });
        Ok(Self { uri, login, username, ca: None })
    }

    /// Trusts the certificates in this PEM text too, beside those that the system trusts.
    #[must_use]
    pub fn ca(self, pem: String) -> Self {
        Self { ca: Some(pem), ..self }
    }

    /// The name and the password, if the address has both.
    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// The name, if the address has one.
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The virtual host.
    pub fn vhost(&self) -> &str {
        &self.uri.vhost
    }

    /// Whether whoever is on the way can read the password: no TLS, and not on this machine.
    pub fn is_in_the_clear(&self) -> bool {
        let here = ["localhost", "::1"].contains(&self.uri.authority.host.as_str());
        self.uri.scheme == AMQPScheme::AMQP && !here && !self.uri.authority.host.starts_with("127.")
    }

    /// Connects, within `patience`.
    pub(crate) async fn connect(&self, login: &Login, patience: Duration) -> Result<Connection, ConnectError> {
        let mut uri = self.uri.clone();
        uri.authority.userinfo.username.clone_from(&login.username);
        uri.authority.userinfo.password.clone_from(&login.password);
        let tls = OwnedTLSConfig { identity: None, cert_chain: self.ca.clone() };
        // lapin waits for the broker's first words as long as they take, in a thread that only the socket's end ends.
        let socket = OwnedSocket::default();
        let opened = tokio::time::timeout(patience, open(uri, tls, socket.remember())).await;
        let late = || ConnectError::Unreachable(format!("no answer within {} seconds", patience.as_secs()));
        let connection = opened.map_err(|_| late())??;
        socket.release();
        Ok(connection)
    }
}

/// Without name and password.
impl fmt::Display for Broker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = (&self.uri.scheme, &self.uri.authority.host, self.uri.authority.port);
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let vhost = if self.uri.vhost == "/" { String::new() } else { format!("/{}", self.uri.vhost) };
        write!(formatter, "{scheme}://{host}:{port}{vhost}")
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Broker({self})")
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("the broker refuses the name or the password")]
    Login,
    #[error("the broker has no such virtual host for this user")]
    Vhost,
    #[error("{0}")]
    Certificate(String),
    #[error("{0}")]
    Unreachable(String),
}

impl From<lapin::Error> for ConnectError {
    fn from(error: lapin::Error) -> Self {
        match error.kind() {
            ErrorKind::ProtocolError(amqp) => match amqp.kind() {
                AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Self::Login,
                AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => Self::Vhost,
                _ => Self::Unreachable(said(&error)),
            },
            ErrorKind::IOError(io) if io.kind() == io::ErrorKind::InvalidData => Self::Certificate(io.to_string()),
            _ => Self::Unreachable(said(&error)),
        }
    }
}

/// What the broker or the system says, without the library's own words around it.
pub(crate) fn said(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(amqp) => amqp.get_message().to_string(),
        _ => error.source().map_or_else(|| error.to_string(), ToString::to_string),
    }
}

async fn open(uri: AMQPUri, tls: OwnedTLSConfig, socket: Remember) -> lapin::Result<Connection> {
    let name = format!("consume {}", env!("CARGO_PKG_VERSION"));
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let runtime = lapin::runtime::default_runtime()?;
    Connection::connector(
        uri,
        runtime,
        async move |mut uri, runtime| {
            let scheme = std::mem::replace(&mut uri.scheme, AMQPScheme::AMQP);
            let stream = uri.connect_with_config_async(tls.as_ref(), &runtime).await?;
            if let AsyncTcpStream::Plain(plain) = &stream {
                plain.get_ref().set_nodelay(true)?;
                socket.connected(plain.get_ref())?;
            }
            match scheme {
                AMQPScheme::AMQP => Ok(stream),
                AMQPScheme::AMQPS => Ok(stream.into_tls(&uri.authority.host, tls.as_ref()).await?),
            }
        },
        properties,
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_name_and_password() {
        for (text, shown) in [
            ("amqps://b-1.mq.eu-west-1.on.aws:5671", "amqps://b-1.mq.eu-west-1.on.aws:5671"),
            ("amqps://reader:hunter2@broker", "amqps://broker:5671"),
            ("amqp://reader@broker/", "amqp://broker:5672"),
            ("amqp://broker/%2f", "amqp://broker:5672"),
            ("amqp://broker/desk", "amqp://broker:5672/desk"),
            ("amqp://[::1]:5673/desk", "amqp://[::1]:5673/desk"),
            (" amqp://127.0.0.1\n", "amqp://127.0.0.1:5672"),
        ] {
            let broker = Broker::parse(text).unwrap();
            assert_eq!(broker.to_string(), shown);
            assert!(!format!("{broker:?}").contains("hunter2"));
        }
    }

    #[test]
    fn names_and_passwords_are_decoded() {
        let broker = Broker::parse("amqp://a%40b:p%2Fq@broker").unwrap();
        assert_eq!(broker.login(), Some(&Login { username: "a@b".into(), password: "p/q".into() }));
        let broker = Broker::parse("amqp://reader@broker").unwrap();
        assert_eq!((broker.username(), broker.login()), (Some("reader"), None));
        assert_eq!(Broker::parse("amqp://broker").unwrap().username(), None);
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_quoted() {
        for text in
            ["reader:hunter2@broker", "https://reader:hunter2@broker", "amqp:reader:hunter2@broker", "amqp://", ""]
        {
            let error = Broker::parse(text).unwrap_err().to_string();
            assert!(error.starts_with("is no address of a broker") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn passwords_go_in_the_clear_only_where_there_is_no_tls_and_another_machine() {
        let clear = |text| Broker::parse(text).unwrap().is_in_the_clear();
        assert!(clear("amqp://broker") && clear("amqp://10.0.0.1"));
        assert!(!clear("amqps://broker") && !clear("amqp://127.0.0.1") && !clear("amqp://localhost:1"));
    }
}
