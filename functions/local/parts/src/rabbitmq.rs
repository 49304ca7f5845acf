//! A RabbitMQ node of one's own: folder, ports, users, certificate, and a switch to pull.
//!
//! It is the installed RabbitMQ, started by its own script in a temporary folder, with an `epmd` of its own, on
//! loopback only. Commands reach it through its standard input, as Erlang: `rabbitmqctl` starts an Erlang of its own
//! each time and costs a second or more. Nothing stays behind, however the process that started it ends: the node
//! ends when its standard input does, and a shell script that reads from us removes the rest.

mod certificate;
mod container;
mod install;
mod keeper;
mod node;

pub mod choice;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicGetOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::sync::OnceCell;

use self::{
    install::Install,
    keeper::Keeper,
    node::{Node, Settings, binary},
};
use crate::{lock, proxy::Proxy};

/// The node's first user, an administrator who may do everything on every virtual host.
pub const USER: &str = "newsloom";

/// That user's password.
pub const PASSWORD: &str = "a-password-for-this-machine";

/// A node that runs. Dropping it kills it and removes its folder.
///
/// ```no_run
/// # async fn example() -> Result<(), local::rabbitmq::Error> {
/// use local::rabbitmq::Broker;
///
/// let broker = Broker::shared().await?;
/// let vhost = broker.vhost().await?;
/// println!("subscribe to {}", broker.url(&vhost));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Broker {
    home: Arc<Home>,
    vhosts: AtomicUsize,
}

/// A message taken from a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The exchange it was published to; empty for the default one.
    pub exchange: String,
    /// What it was published with.
    pub routing_key: String,
    /// Its content.
    pub body: Vec<u8>,
    /// Its properties, the headers among them.
    pub properties: BasicProperties,
    /// Whether it was delivered before.
    pub redelivered: bool,
}

/// A node that doesn't run, or doesn't obey.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no RabbitMQ on this machine.
    #[error(
        "RabbitMQ is not installed: apt-get install --no-install-recommends rabbitmq-server, dnf install \
         rabbitmq-server, or brew install rabbitmq; or name its rabbitmq-server script in NEWSLOOM_RABBITMQ ({0})"
    )]
    NotInstalled(String),
    /// Its files could not be written, or its processes not started.
    #[error("could not start RabbitMQ")]
    Io(#[from] io::Error),
    /// Its certificate could not be made.
    #[error("could not make the broker's certificate")]
    Certificate(#[from] rcgen::Error),
    /// It ended, or does not answer.
    #[error("RabbitMQ has ended, or does not answer; its last lines: {0}")]
    Gone(String),
    /// It was stopped or killed, and not restarted.
    #[error("RabbitMQ is not running: it was stopped")]
    Stopped,
    /// It did not do what it was told.
    #[error("RabbitMQ answered {answer} to {command}")]
    Refused {
        /// What it was told, in Erlang.
        command: String,
        /// What it said.
        answer: String,
    },
    /// A queue could not be asked.
    #[error("could not ask the broker")]
    Amqp(#[from] lapin::Error),
}

impl Broker {
    /// Starts a node and waits until it takes connections: 5 to 10 seconds.
    ///
    /// # Errors
    ///
    /// When RabbitMQ is not installed, or did not start; with its last lines.
    pub async fn start() -> Result<Self, Error> {
        let home = blocking(|| Home::start().map(Arc::new)).await?;
        Ok(Self { home, vhosts: AtomicUsize::new(0) })
    }

    /// The node that all tests of this process share, started by the first that asks. Use a [`vhost`](Self::vhost)
    /// each, and a node of your own for [`block`](Self::block), [`kill`](Self::kill) and the like.
    ///
    /// # Errors
    ///
    /// When RabbitMQ is not installed, or did not start.
    pub async fn shared() -> Result<&'static Self, Error> {
        // Never dropped: the node notices the end of the process by itself.
        static SHARED: OnceCell<Broker> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// Where it takes AMQP, on 127.0.0.1.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.home.settings.ports.amqp)
    }

    /// Where it takes AMQPS.
    pub fn tls_address(&self) -> String {
        format!("localhost:{}", self.home.settings.ports.amqps)
    }

    /// `amqp://user:password@127.0.0.1:port/vhost`, for [`USER`].
    pub fn url(&self, vhost: &str) -> String {
        url("amqp", USER, PASSWORD, &self.address(), vhost)
    }

    /// `amqps://user:password@localhost:port/vhost`, for [`USER`].
    pub fn tls_url(&self, vhost: &str) -> String {
        url("amqps", USER, PASSWORD, &self.tls_address(), vhost)
    }

    /// [`url`](Self::url) for another user.
    pub fn url_as(&self, user: &str, password: &str, vhost: &str) -> String {
        url("amqp", user, password, &self.address(), vhost)
    }

    /// [`tls_url`](Self::tls_url) for another user.
    pub fn tls_url_as(&self, user: &str, password: &str, vhost: &str) -> String {
        url("amqps", user, password, &self.tls_address(), vhost)
    }

    /// [`url`](Self::url) through a proxy to [`address`](Self::address).
    pub fn url_via(&self, proxy: &Proxy, vhost: &str) -> String {
        url("amqp", USER, PASSWORD, &proxy.address().to_string(), vhost)
    }

    /// [`tls_url`](Self::tls_url) through a proxy to [`tls_address`](Self::tls_address).
    pub fn tls_url_via(&self, proxy: &Proxy, vhost: &str) -> String {
        let at: SocketAddr = proxy.address();
        url("amqps", USER, PASSWORD, &format!("localhost:{}", at.port()), vhost)
    }

    /// The certificate, PEM, of the authority that the node's own is signed by: for `SSL_CERT_FILE`.
    pub fn ca_file(&self) -> PathBuf {
        self.home.settings.folder.join(certificate::AUTHORITY)
    }

    /// Its folder: `log/`, `mnesia/`, `rabbitmq.conf`.
    pub fn folder(&self) -> &Path {
        &self.home.settings.folder
    }

    /// A new virtual host, open to [`USER`], and its name: tests that share a node don't meet.
    ///
    /// # Errors
    ///
    /// When the node doesn't run.
    pub async fn vhost(&self) -> Result<String, Error> {
        let name = format!("test-{}", self.vhosts.fetch_add(1, Ordering::Relaxed));
        self.tell(format!("rabbit_vhost:add({}, {ACTING})", binary(&name))).await?;
        self.permit(USER, &name).await?;
        Ok(name)
    }

    /// Adds a user, who may do nothing yet.
    ///
    /// # Errors
    ///
    /// When there is one of that name, or the node doesn't run.
    pub async fn add_user(&self, name: &str, password: &str) -> Result<(), Error> {
        let (name, password) = (binary(name), binary(password));
        self.tell(format!("rabbit_auth_backend_internal:add_user({name}, {password}, {ACTING})")).await
    }

    /// Lets a user do everything on a virtual host.
    ///
    /// # Errors
    ///
    /// When there is no such user or virtual host, or the node doesn't run.
    pub async fn permit(&self, user: &str, vhost: &str) -> Result<(), Error> {
        let (user, vhost) = (binary(user), binary(vhost));
        let all = [binary(".*"), binary(".*"), binary(".*")].join(", ");
        self.tell(format!("rabbit_auth_backend_internal:set_permissions({user}, {vhost}, {all}, {ACTING})")).await
    }

    /// Gives a user another password. Connections there are go on.
    ///
    /// # Errors
    ///
    /// When there is no such user, or the node doesn't run.
    pub async fn change_password(&self, name: &str, password: &str) -> Result<(), Error> {
        let (name, password) = (binary(name), binary(password));
        self.tell(format!("rabbit_auth_backend_internal:change_password({name}, {password}, {ACTING})")).await
    }

    /// Removes a user; the node closes their connections.
    ///
    /// # Errors
    ///
    /// When there is no such user, or the node doesn't run.
    pub async fn delete_user(&self, name: &str) -> Result<(), Error> {
        self.tell(format!("rabbit_auth_backend_internal:delete_user({}, {ACTING})", binary(name))).await
    }

    /// Raises the memory alarm: connections that publish are blocked, and told so, until [`unblock`](Self::unblock).
    ///
    /// # Errors
    ///
    /// When the node doesn't run.
    pub async fn block(&self) -> Result<(), Error> {
        self.set_alarm("0.0", "true").await
    }

    /// Ends the memory alarm.
    ///
    /// # Errors
    ///
    /// When the node doesn't run.
    pub async fn unblock(&self) -> Result<(), Error> {
        self.set_alarm("0.8", "false").await
    }

    /// Closes every connection from the broker's side, with `CONNECTION_FORCED` (320), as in a maintenance window.
    ///
    /// # Errors
    ///
    /// When the node doesn't run.
    pub async fn close_connections(&self) -> Result<(), Error> {
        let close = r#"[rabbit_networking:close_connection(Pid, "told to") || Pid <- rabbit_networking:connections()]"#;
        self.tell(format!("begin {close}, ok end")).await
    }

    /// How many connections it has.
    ///
    /// # Errors
    ///
    /// When the node doesn't run.
    pub async fn connections(&self) -> Result<usize, Error> {
        let answer = self.eval("length(rabbit_networking:connections())".to_owned()).await?;
        Ok(answer.parse().unwrap_or_default())
    }

    /// Has the node evaluate an Erlang expression, without its final dot, and gives the value as Erlang prints it.
    ///
    /// # Errors
    ///
    /// When it raises an exception, or the node doesn't run.
    pub async fn eval(&self, expression: String) -> Result<String, Error> {
        let home = Arc::clone(&self.home);
        blocking(move || home.eval(&expression)).await
    }

    /// Kills the node (SIGKILL). Its folder stays, for [`restart`](Self::restart), and what it had confirmed is in it.
    ///
    /// # Errors
    ///
    /// When the runtime ends meanwhile.
    pub async fn kill(&self) -> Result<(), Error> {
        let home = Arc::clone(&self.home);
        blocking(move || {
            home.keep_queues();
            home.kill();
            Ok(())
        })
        .await
    }

    /// Stops the node in order, as an operator does. Its folder stays, for [`restart`](Self::restart).
    ///
    /// # Errors
    ///
    /// When it does not end; it is killed then.
    pub async fn stop(&self) -> Result<(), Error> {
        let home = Arc::clone(&self.home);
        blocking(move || home.stop()).await
    }

    /// Starts the node again on the same ports, with what it kept; stops it first when it runs.
    ///
    /// # Errors
    ///
    /// When it did not start; with its last lines.
    pub async fn restart(&self) -> Result<(), Error> {
        let home = Arc::clone(&self.home);
        blocking(move || home.stop().and_then(|()| home.boot())).await
    }

    /// How many messages of a queue are ready for delivery: by a passive declare, as the node's statistics lag. A
    /// quorum queue has no leader for a moment after a restart, and 0 messages then.
    ///
    /// # Errors
    ///
    /// When there is no such queue, or the node doesn't run.
    pub async fn queue_depth(&self, vhost: &str, queue: &str) -> Result<u32, Error> {
        let (connection, channel) = self.connect(vhost).await?;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
        let depth = declared.message_count();
        connection.close(200, "".into()).await?;
        if depth == 0 { self.patient_depth(vhost, queue).await } else { Ok(depth) }
    }

    /// Takes all messages of a queue that are ready.
    ///
    /// # Errors
    ///
    /// When there is no such queue, or the node doesn't run.
    pub async fn drain(&self, vhost: &str, queue: &str) -> Result<Vec<Message>, Error> {
        let (connection, channel) = self.connect(vhost).await?;
        let mut messages = Vec::new();
        while let Some(message) = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await? {
            let message = message.delivery;
            messages.push(Message {
                exchange: message.exchange.to_string(),
                routing_key: message.routing_key.to_string(),
                body: message.data,
                properties: message.properties,
                redelivered: message.redelivered,
            });
        }
        connection.close(200, "".into()).await?;
        Ok(messages)
    }

    /// A node that is busy for a quarter of a second says that a quorum queue is empty (and takes 0 for an answer).
    async fn patient_depth(&self, vhost: &str, queue: &str) -> Result<u32, Error> {
        let (vhost, queue) = (binary(vhost), binary(queue));
        let depth = format!(
            "begin {{ok, Queue}} = rabbit_amqqueue:lookup(rabbit_misc:r({vhost}, queue, {queue})), \
             Stat = case amqqueue:get_type(Queue) of \
                 rabbit_quorum_queue -> rabbit_fifo_client:stat(amqqueue:get_pid(Queue), 20000); \
                 _ -> rabbit_amqqueue:stat(Queue) \
             end, case Stat of {{ok, Ready, _}} -> Ready; _ -> 0 end end"
        );
        let depth = self.eval(depth).await?;
        depth.parse().map_err(|_| Error::Refused { command: "the queue's depth".to_owned(), answer: depth })
    }

    async fn connect(&self, vhost: &str) -> Result<(Connection, Channel), Error> {
        let connection = Connection::connect(&self.url(vhost), ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        Ok((connection, channel))
    }

    /// Sets how much of the memory may be used, and waits until connections were told of what follows.
    async fn set_alarm(&self, watermark: &str, raised: &str) -> Result<(), Error> {
        let command = format!(
            "begin ok = vm_memory_monitor:set_vm_memory_high_watermark({watermark}), \
             (fun Wait() -> \
                 case [memory || {{{{resource_limit, memory, _}}, _}} <- rabbit_alarm:get_alarms()] =/= [] of \
                     {raised} -> ok; \
                     _ -> timer:sleep(5), Wait() \
                 end \
             end)() end"
        );
        self.tell(command).await
    }

    async fn tell(&self, command: String) -> Result<(), Error> {
        match self.eval(command.clone()).await? {
            answer if answer == "ok" => Ok(()),
            answer => Err(Error::Refused { command, answer }),
        }
    }
}

/// Who RabbitMQ's log says it was.
const ACTING: &str = r#"<<"newsloom">>"#;

/// How long a command may take, on a busy machine.
const COMMAND: Duration = Duration::from_secs(30);

/// How long a start may take, on a very busy one.
const BOOT: Duration = Duration::from_mins(2);

/// The node's folder and processes.
#[derive(Debug)]
struct Home {
    settings: Settings,
    node: Mutex<Option<Node>>,
    keeper: Mutex<Keeper>,
}

impl Home {
    fn start() -> Result<Self, Error> {
        let install = Install::find().map_err(Error::NotInstalled)?;
        // Somebody else may take a port between our looking and the node's using it.
        for _ in 0..2 {
            match Self::start_on_free_ports(&install) {
                Err(Error::Gone(lines)) if lines.contains("in use") || lines.contains("eaddrinuse") => (),
                result => return result,
            }
        }
        Self::start_on_free_ports(&install)
    }

    fn start_on_free_ports(install: &Install) -> Result<Self, Error> {
        let settings = Settings::write(install)?;
        let keeper = Keeper::start(install, &settings)?;
        let home = Self { settings, node: Mutex::new(None), keeper: Mutex::new(keeper) };
        home.boot()?;
        Ok(home)
    }

    fn boot(&self) -> Result<(), Error> {
        let mut running = lock(&self.node);
        let mut node = Node::start(&self.settings)?;
        lock(&self.keeper).mind(Some(node.pid()));
        // It reads its first command when it takes connections.
        node.eval("ok", BOOT)?;
        *running = Some(node);
        Ok(())
    }

    fn eval(&self, expression: &str) -> Result<String, Error> {
        lock(&self.node).as_mut().ok_or(Error::Stopped)?.eval(expression, COMMAND)
    }

    /// RabbitMQ writes down which quorum queues there are every half second only: one that is younger when the node
    /// is killed comes back empty. Tests are that fast, operators aren't.
    fn keep_queues(&self) {
        if let Some(node) = lock(&self.node).as_mut() {
            let _ = node.eval("[dets:sync(Table) || Table <- dets:all()]", Duration::from_secs(2));
        }
    }

    fn kill(&self) {
        if let Some(mut node) = lock(&self.node).take() {
            node.kill();
        }
        lock(&self.keeper).mind(None);
    }

    fn stop(&self) -> Result<(), Error> {
        let stopped = lock(&self.node).as_mut().map_or(Ok(()), |node| node.stop(COMMAND));
        self.kill();
        stopped
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.kill();
        lock(&self.keeper).dismiss();
    }
}

/// Waits for work that blocks, on a thread where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(Error::Io(io::Error::other(panic))))
}

fn url(scheme: &str, user: &str, password: &str, address: &str, vhost: &str) -> String {
    let [user, password, vhost] = [user, password, vhost].map(percent);
    format!("{scheme}://{user}:{password}@{address}/{vhost}")
}

/// Everything but what a URL never gives a meaning to.
fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_any_vhost_and_user() {
        assert_eq!(url("amqp", "a", "p@ss/ä", "127.0.0.1:1", "/"), "amqp://a:p%40ss%2f%c3%a4@127.0.0.1:1/%2f");
    }

    #[test]
    fn text_is_an_erlang_binary() {
        assert_eq!(binary(r#"a"b\"#), r#"<<"a\"b\\"/utf8>>"#);
    }
}
