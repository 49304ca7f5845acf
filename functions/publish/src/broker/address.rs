//! Where the broker is.

use lapin::uri::{AMQPScheme, AMQPUri};
use std::{fmt, str::FromStr};

/// Where the broker is, without credentials: `amqps://host:5671/vhost`.
///
/// The port defaults to 5671 (`amqp`: 5672), the virtual host to `/`. AMQP's query parameters are understood;
/// `?heartbeat=10` asks for other heartbeats than [`HEARTBEAT`].
///
/// ```
/// use publish::broker::Address;
/// let address: Address = "amqps://b-1.mq.eu-west-1.on.aws:5671".parse()?;
/// assert_eq!(address.to_string(), "amqps://b-1.mq.eu-west-1.on.aws:5671/");
/// # Ok::<(), publish::broker::AddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Address(AMQPUri);

/// How often both sides say that they are there, at most, in seconds. The broker takes the smaller of this and its own, which is
/// 60 unless its configuration says otherwise, and closes a connection that was silent for twice as long.
///
/// A frozen function is silent. A longer heartbeat lets its connection live longer, which saves a handshake; but load balancers and
/// VPC endpoints, which lie before every private Amazon MQ broker, forget a connection after 350 seconds of silence, so
/// that more than half of that promises what they don't keep.
pub const HEARTBEAT: u16 = 175;

/// The largest frame, bytes. Most messages fit; lapin's two buffers hold 32 of them, 1 MiB each instead of 4.
const FRAME: u32 = 32 * 1024;

/// What is wrong with an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Who reads it in a console or a log must not learn a password from it.
    #[error(
        "BROKER_URL has a user or a password in it (its part before the @): take that out, it belongs into the secret that \
         BROKER_SECRET names"
    )]
    Credentials,
    /// No address of a broker.
    #[error("BROKER_URL is {given:?}, {why}; like amqps://host:5671 or amqps://host:5671/vhost it must be")]
    Malformed {
        /// What was given.
        given: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Address {
    /// Whether what is sent is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme == AMQPScheme::AMQPS
    }

    /// For lapin, with a user's name and password. Never printed.
    pub(super) fn with_login(&self, username: &str, password: &str) -> AMQPUri {
        let mut uri = self.0.clone();
        uri.authority.userinfo.username = username.into();
        uri.authority.userinfo.password = password.into();
        uri
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let malformed = |why: &str| AddressError::Malformed { given: text.into(), why: why.into() };
        let (_, rest) = text.split_once("://").ok_or_else(|| malformed("which has no scheme"))?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // An odd one may have its @ after a slash that belongs to the password.
        if authority.contains('@') || text.contains('@') {
            return Err(AddressError::Credentials);
        }
        let host = authority.split(':').next().unwrap_or_default();
        if host.is_empty() || host.starts_with('[') {
            return Err(malformed("which has no host name and no IPv4 address"));
        }
        let mut uri: AMQPUri = text.parse().map_err(|error: String| malformed(&format!("which is no URL: {error}")))?;
        // A slash at the end names a virtual host without a name, which nobody has.
        if uri.vhost.is_empty() {
            uri.vhost = "/".into();
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        uri.query.frame_max.get_or_insert(FRAME);
        Ok(Self(uri))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri { scheme, authority, vhost, .. } = &self.0;
        write!(f, "{scheme}://{}:{}/{}", authority.host, authority.port, vhost.trim_start_matches('/'))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_ports_and_vhosts_by_default() {
        for (given, meant) in [
            ("amqps://b-1.mq.eu-west-1.on.aws:5671", "amqps://b-1.mq.eu-west-1.on.aws:5671/"),
            ("amqps://broker", "amqps://broker:5671/"),
            ("amqps://broker/", "amqps://broker:5671/"),
            ("amqp://127.0.0.1/news", "amqp://127.0.0.1:5672/news"),
            ("amqps://broker/%2f?heartbeat=10", "amqps://broker:5671/"),
        ] {
            assert_eq!(given.parse::<Address>().unwrap().to_string(), meant, "{given}");
        }
    }

    #[test]
    fn heartbeat_is_chosen_unless_the_address_has_its_own() {
        let heartbeat = |text: &str| text.parse::<Address>().unwrap().0.query.heartbeat;
        assert_eq!(heartbeat("amqps://broker"), Some(HEARTBEAT));
        assert_eq!(heartbeat("amqps://broker?heartbeat=10"), Some(10));
    }

    #[test]
    fn credentials_are_refused_and_not_repeated() {
        for given in ["amqps://user:secret@broker", "amqps://user@broker", "amqps://user:se/cret@broker:5671"] {
            let error = given.parse::<Address>().unwrap_err();
            assert_eq!(error, AddressError::Credentials);
            assert!(!error.to_string().contains("cret@"), "{error}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (given, why) in [
            ("broker:5671", "which has no scheme"),
            ("amqps://", "which has no host"),
            ("amqps://:5671", "which has no host"),
            ("amqps://[::1]:5671", "which has no host"),
            ("https://broker", "which is no URL: Invalid AMQP scheme: https"),
            ("amqps://broker:port", "which is no URL: invalid port number"),
        ] {
            let error = given.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(why), "{given}: {error}");
        }
    }

    #[test]
    fn password_is_in_no_text() {
        let address: Address = "amqps://broker".parse().unwrap();
        let with = Address(address.with_login("user", "secret"));
        assert!(!format!("{with} {with:?}").contains("secret"));
    }
}
