//! Where a broker comes from: one that is named or runs already, the installed one, or a container.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use lapin::{
    Connection, ConnectionProperties,
    tcp::OwnedTLSConfig,
    uri::{AMQPScheme, AMQPUri},
};

use super::{Broker, Error, PASSWORD, USER, container::Container, percent};

/// Which broker to use. From a text: `auto`, `installed`, `container`, `running`, or a URL.
///
/// ```
/// use local::rabbitmq::choice::Choice;
///
/// assert_eq!("auto".parse(), Ok(Choice::Auto));
/// let named: Choice = "amqps://user:password@broker.example:5671/news".parse()?;
/// assert_eq!(named.to_string(), "amqps://broker.example:5671/news");
/// # Ok::<(), local::rabbitmq::choice::NoChoice>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Choice {
    /// A private node of the installed RabbitMQ; a container where none is installed.
    #[default]
    Auto,
    /// One that runs somewhere.
    Named(Named),
    /// The one at 127.0.0.1:5672, as `guest`, virtual host `/`. Whatever is declared there stays there, so it is only
    /// taken when asked for.
    Running,
    /// A private node of the installed RabbitMQ, see [`Broker`].
    Installed,
    /// A container, by Docker or Podman: RabbitMQ 4, on a port of 127.0.0.1, without TLS.
    Container,
}

/// A broker's address with a user and a password, neither of which is ever printed.
#[derive(Clone, PartialEq)]
pub struct Named(AMQPUri);

/// A broker that takes connections. Dropping it removes what was made for it.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use local::rabbitmq::choice::Choice;
///
/// let broker = Choice::Auto.start().await?;
/// println!("{}: {}", broker.how(), broker.url());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Chosen {
    named: Named,
    ca_file: Option<PathBuf>,
    how: &'static str,
    owned: Owned,
}

/// What is ours of it.
#[derive(Debug)]
enum Owned {
    Nothing,
    Node(Broker),
    Container(Container),
}

/// A text that is no choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoChoice {
    /// Not one of the words, nor like a URL.
    #[error("{0:?} is no broker: auto, installed, container, running, or amqp://user:password@host:port/vhost")]
    Unknown(String),
    /// A URL that can't be read. It isn't repeated, as it may have a password in it.
    #[error("the broker's URL can't be read, {0}; like amqp://user:password@host:port/vhost (or amqps://) it must be")]
    Malformed(String),
}

/// No broker.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// It doesn't answer, or not to this user.
    #[error("could not log in to the broker at {url} as {user}")]
    Login {
        /// Where, without credentials.
        url: String,
        /// Who.
        user: String,
        /// Why.
        source: lapin::Error,
    },
    /// It says nothing.
    #[error("the broker at {url} does not answer within {} seconds", PATIENCE.as_secs())]
    Silent {
        /// Where, without credentials.
        url: String,
    },
    /// The installed one doesn't run.
    #[error(transparent)]
    Installed(#[from] Error),
    /// The container doesn't run.
    #[error("could not run RabbitMQ in a container: {0}")]
    Container(String),
    /// There are three ways to have one, and none is open.
    #[error(
        "there is no RabbitMQ to be had. Either name one, amqp://user:password@host:port/vhost; or install one, apt-get \
         install --no-install-recommends rabbitmq-server, dnf install rabbitmq-server, or brew install rabbitmq ({installed}); \
         or start Docker or Podman, for one in a container ({container})"
    )]
    None {
        /// Why the installed one isn't.
        installed: String,
        /// Why there is no container.
        container: String,
    },
    /// It is somebody else's to stop.
    #[error("the broker at {0} isn't ours to stop or restart")]
    NotOurs(String),
    /// Certificates that can't be read.
    #[error("could not read the certificates in SSL_CERT_FILE {}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// How long a broker that runs may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

impl Choice {
    /// Waits for the broker: a moment for one that runs, 5 to 10 seconds for a private node, up to minutes for a
    /// container, whose image may have to be fetched.
    ///
    /// # Errors
    ///
    /// When there is none, or it doesn't let the user in.
    pub async fn start(&self) -> Result<Chosen, Unavailable> {
        match self {
            Self::Auto => auto().await,
            Self::Named(named) => there(named.clone(), "named").await,
            Self::Running => there(Named::guest(), "running").await,
            Self::Installed => installed().await,
            Self::Container => container().await,
        }
    }
}

async fn auto() -> Result<Chosen, Unavailable> {
    let missing = match installed().await {
        Err(Unavailable::Installed(Error::NotInstalled(missing))) => missing,
        result => return result,
    };
    match Container::engine().await {
        Ok(_) => container().await,
        Err(container) => Err(Unavailable::None { installed: missing, container }),
    }
}

async fn installed() -> Result<Chosen, Unavailable> {
    let broker = Broker::start().await?;
    let named = Named::local(AMQPScheme::AMQPS, "localhost", broker.home.settings.ports.amqps);
    let ca_file = Some(broker.ca_file());
    Ok(Chosen { named, ca_file, how: "installed", owned: Owned::Node(broker) })
}

async fn container() -> Result<Chosen, Unavailable> {
    let container = Container::start().await.map_err(Unavailable::Container)?;
    let named = Named::local(AMQPScheme::AMQP, "127.0.0.1", container.port());
    let chosen = Chosen { named, ca_file: None, how: "container", owned: Owned::Container(container) };
    chosen.wait().await?;
    Ok(chosen)
}

async fn there(named: Named, how: &'static str) -> Result<Chosen, Unavailable> {
    // What this process trusts, a function that it starts shall trust, too.
    let trusted = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let ca_file = trusted.filter(|_| named.0.scheme == AMQPScheme::AMQPS);
    let chosen = Chosen { named, ca_file, how, owned: Owned::Nothing };
    chosen.log_in().await?;
    Ok(chosen)
}

impl Chosen {
    /// `amqps://host:port/vhost`, without user and password; the virtual host `/` is left out.
    pub fn url(&self) -> String {
        self.named.to_string()
    }

    /// The URL with user and password, for clients of this process. Not to be printed.
    pub fn login_url(&self) -> String {
        let Named(AMQPUri { scheme, authority, vhost, .. }) = &self.named;
        let address = format!("{}:{}", authority.host, authority.port);
        super::url(&scheme.to_string(), self.username(), self.password(), &address, vhost)
    }

    /// Who logs in.
    pub fn username(&self) -> &str {
        &self.named.0.authority.userinfo.username
    }

    /// With what.
    pub fn password(&self) -> &str {
        &self.named.0.authority.userinfo.password
    }

    /// The virtual host.
    pub fn vhost(&self) -> &str {
        &self.named.0.vhost
    }

    /// The certificates (PEM) to trust; the system's when there is none, or no TLS.
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// How it was come by: `named`, `running`, `installed` or `container`.
    pub fn how(&self) -> &'static str {
        self.how
    }

    /// Whether it was started for this, so that it may be stopped.
    pub fn is_ours(&self) -> bool {
        !matches!(self.owned, Owned::Nothing)
    }

    /// The private node, when it is one: for more faults than these.
    pub fn node(&self) -> Option<&Broker> {
        match &self.owned {
            Owned::Node(broker) => Some(broker),
            Owned::Nothing | Owned::Container(_) => None,
        }
    }

    /// Kills it (SIGKILL). What it had confirmed is there after a [`restart`](Self::restart).
    ///
    /// # Errors
    ///
    /// When it isn't ours, or doesn't end.
    pub async fn kill(&self) -> Result<(), Unavailable> {
        match &self.owned {
            Owned::Nothing => Err(Unavailable::NotOurs(self.url())),
            Owned::Node(broker) => Ok(broker.kill().await?),
            Owned::Container(container) => container.run("kill").await.map_err(Unavailable::Container),
        }
    }

    /// Stops it in order, as an operator does.
    ///
    /// # Errors
    ///
    /// When it isn't ours, or doesn't end.
    pub async fn stop(&self) -> Result<(), Unavailable> {
        match &self.owned {
            Owned::Nothing => Err(Unavailable::NotOurs(self.url())),
            Owned::Node(broker) => Ok(broker.stop().await?),
            Owned::Container(container) => container.run("stop").await.map_err(Unavailable::Container),
        }
    }

    /// Starts it again at the same address with what it kept, stops it first when it runs, and waits until it takes
    /// connections.
    ///
    /// # Errors
    ///
    /// When it isn't ours, or doesn't start.
    pub async fn restart(&self) -> Result<(), Unavailable> {
        match &self.owned {
            Owned::Nothing => return Err(Unavailable::NotOurs(self.url())),
            Owned::Node(broker) => return Ok(broker.restart().await?),
            Owned::Container(container) => container.run("restart").await.map_err(Unavailable::Container)?,
        }
        self.wait().await
    }

    /// Waits until a container takes connections.
    async fn wait(&self) -> Result<(), Unavailable> {
        let deadline = tokio::time::Instant::now() + super::BOOT;
        loop {
            match self.log_in().await {
                Err(_) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                result => return result,
            }
        }
    }

    async fn log_in(&self) -> Result<(), Unavailable> {
        let trusted = match &self.ca_file {
            None => None,
            Some(path) => {
                let failed = |source| Unavailable::Certificates { path: path.clone(), source };
                Some(tokio::fs::read_to_string(path).await.map_err(failed)?)
            }
        };
        let url = self.url();
        let failed = |source| Unavailable::Login { url: url.clone(), user: self.username().to_owned(), source };
        let tls = OwnedTLSConfig { identity: None, cert_chain: trusted };
        let runtime = lapin::runtime::default_runtime().map_err(failed)?;
        let login = self.login_url();
        let connecting = Connection::connect_with_config(&login, ConnectionProperties::default(), tls, runtime);
        let Ok(connection) = tokio::time::timeout(PATIENCE, connecting).await else {
            return Err(Unavailable::Silent { url });
        };
        // Whether it says goodbye in time is no matter.
        let _ = tokio::time::timeout(PATIENCE, connection.map_err(failed)?.close(200, "".into())).await;
        Ok(())
    }
}

impl Named {
    /// What RabbitMQ has when nobody changed it.
    fn guest() -> Self {
        let mut uri = AMQPUri::default();
        "127.0.0.1".clone_into(&mut uri.authority.host);
        Self(uri)
    }

    fn local(scheme: AMQPScheme, host: &str, port: u16) -> Self {
        let mut uri = AMQPUri { scheme, ..AMQPUri::default() };
        (uri.authority.host, uri.authority.port) = (host.to_owned(), port);
        (uri.authority.userinfo.username, uri.authority.userinfo.password) = (USER.to_owned(), PASSWORD.to_owned());
        Self(uri)
    }
}

impl Eq for Named {}

impl FromStr for Named {
    type Err = NoChoice;

    fn from_str(text: &str) -> Result<Self, NoChoice> {
        let Some(("amqp" | "amqps", rest)) = text.split_once("://") else {
            return Err(NoChoice::Malformed("it begins with neither amqp:// nor amqps://".to_owned()));
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if path.contains('@') {
            // What follows would be printed as the virtual host.
            let escape = "it has an @ after its host: in a user or password / is %2f, ? is %3f and # is %23";
            return Err(NoChoice::Malformed(escape.to_owned()));
        }
        if path.contains(['?', '#']) {
            return Err(NoChoice::Malformed("it has a query or a fragment, which would have no effect".to_owned()));
        }
        let host = authority.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
        // lapin would take localhost in place of none, and of IPv6.
        if host.is_empty() || host.starts_with('[') {
            return Err(NoChoice::Malformed("it has no host name and no IPv4 address".to_owned()));
        }
        let mut uri: AMQPUri = text.parse().map_err(|why: String| {
            // lapin's words repeat the text.
            NoChoice::Malformed(if why.contains(text) { "it is no URL".to_owned() } else { why })
        })?;
        // A slash at the end names a virtual host without a name, which nobody has.
        if uri.vhost.is_empty() {
            "/".clone_into(&mut uri.vhost);
        }
        Ok(Self(uri))
    }
}

impl FromStr for Choice {
    type Err = NoChoice;

    fn from_str(text: &str) -> Result<Self, NoChoice> {
        match text {
            "auto" => Ok(Self::Auto),
            "running" => Ok(Self::Running),
            "installed" => Ok(Self::Installed),
            "container" => Ok(Self::Container),
            // The words of somebody who forgot the scheme may be a user and a password.
            other if other.contains(['@', ':', '/']) => other.parse().map(Self::Named),
            other => Err(NoChoice::Unknown(other.to_owned())),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Running => f.write_str("running"),
            Self::Installed => f.write_str("installed"),
            Self::Container => f.write_str("container"),
            Self::Named(named) => named.fmt(f),
        }
    }
}

/// Without user and password.
impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri { scheme, authority, vhost, .. } = &self.0;
        write!(f, "{scheme}://{}:{}", authority.host, authority.port)?;
        if vhost == "/" { Ok(()) } else { write!(f, "/{}", percent(vhost)) }
    }
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Named({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_word_or_a_url_that_is_printed_without_its_password() {
        for word in ["auto", "running", "installed", "container"] {
            assert_eq!(word.parse::<Choice>().unwrap().to_string(), word);
        }
        for (url, printed) in [
            ("amqp://user:secret@host:1/a%2fb", "amqp://host:1/a%2fb"),
            ("amqp://user:secret@host", "amqp://host:5672"),
            ("amqps://user:secret@host/", "amqps://host:5671"),
            ("amqps://host/%2f", "amqps://host:5671"),
        ] {
            let choice: Choice = url.parse().unwrap();
            assert_eq!(choice.to_string(), printed);
            assert!(!format!("{choice:?}").contains("secret"), "{choice:?}");
        }
    }

    #[test]
    fn what_is_no_choice_says_what_is_one_and_repeats_no_password() {
        let unknown = "docker".parse::<Choice>().unwrap_err();
        assert_eq!(
            unknown.to_string(),
            r#""docker" is no broker: auto, installed, container, running, or amqp://user:password@host:port/vhost"#
        );
        for url in [
            "http://u:secret@h",
            "amqp://u:secret@h:port",
            "amqp://u:secret@",
            "amqp://",
            "amqp://u:secret@[::1]:1",
            "amqp://u:se cret@h:1:2",
            "u:secret@h",
            "u:secret",
            "secret@h",
            "secret://h",
            "amqp://u:1/secret@h",
            "amqp://u:1?secret@h",
            "amqp://u:1#secret@h",
            "amqp://u:secret@h?heartbeat=1",
        ] {
            let error = url.parse::<Choice>().unwrap_err();
            assert!(matches!(error, NoChoice::Malformed(_)), "{url}: {error:?}");
            assert!(!error.to_string().contains("secret") && !error.to_string().contains("se cret"), "{error}");
        }
    }

    #[test]
    fn nobody_stops_what_is_not_theirs() {
        let chosen = Chosen { named: Named::guest(), ca_file: None, how: "running", owned: Owned::Nothing };
        assert!(!chosen.is_ours() && chosen.node().is_none());
        assert_eq!(chosen.url(), "amqp://127.0.0.1:5672");
        assert_eq!((chosen.username(), chosen.password(), chosen.vhost()), ("guest", "guest", "/"));
        assert_eq!(chosen.login_url(), "amqp://guest:guest@127.0.0.1:5672/%2f");
    }
}
