//! RabbitMQ in a container, by Docker or Podman.

use std::{
    io::{self, Write},
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use super::{PASSWORD, USER, install};

/// With its registry's name, without which Podman asks which one is meant.
const IMAGE: &str = "docker.io/library/rabbitmq:4";

/// How long the daemon may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a command may take: the image may have to be fetched.
const COMMAND: Duration = Duration::from_mins(10);

/// How long dropping a container waits for its removal, which goes on after that.
const REMOVAL: Duration = Duration::from_secs(20);

/// Removes the container when its input ends, which it does at the end of this process, however that ends. A line read
/// is the id of the command that makes the container; an empty one says that it is made. Before that the command is
/// killed, and as the daemon may go on with it for a moment, one removal is not enough.
const SCRIPT: &str = r#"
making= made=
while read -r line; do
    making=$line
    [ -n "$line" ] || made=1
done
[ -z "$making" ] || kill -9 "$making"
for try in 1 2 3 4 5 6 7 8 9 10; do
    "$1" rm -f -v "$2" && [ -n "$made" ] && break
    sleep 0.3
done
"#;

/// A container that runs, or was stopped. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Container {
    engine: PathBuf,
    name: String,
    port: u16,
    keeper: Child,
    input: Option<ChildStdin>,
}

impl Container {
    /// The command that can run one, or why there is none.
    pub(super) async fn engine() -> Result<PathBuf, String> {
        let mut reasons = Vec::new();
        // Podman has no daemon to ask, and says more of itself only when all is well.
        for (command, question) in [("docker", "version"), ("podman", "info")] {
            let found = install::path().into_iter().map(|folder| folder.join(command)).find(|file| file.is_file());
            match found {
                None => reasons.push(format!("found no {command}")),
                Some(engine) => match run(&engine, &[question], ANSWER).await {
                    Ok(_) => return Ok(engine),
                    Err(why) => reasons.push(why),
                },
            }
        }
        Err(reasons.join("; "))
    }

    /// Has one made, which takes connections in a while.
    pub(super) async fn start() -> Result<Self, String> {
        let engine = Self::engine().await?;
        let name = format!("newsloom-rabbitmq-{:08x}", fastrand::u32(..));
        let port = free_port().map_err(|error| format!("no free port: {error}"))?;
        // Before there is anything to remove, so that nothing is left whenever we end.
        let (keeper, input) = keep(&engine, &name).map_err(|error| format!("/bin/sh: {error}"))?;
        let mut container = Self { engine, name, port, keeper, input };
        let Self { engine, name, input, .. } = &mut container;
        let (published, user, password) = (
            format!("127.0.0.1:{port}:5672"),
            format!("RABBITMQ_DEFAULT_USER={USER}"),
            format!("RABBITMQ_DEFAULT_PASS={PASSWORD}"),
        );
        // Without --rm, which would remove it when it is stopped; and with a host name, by which it finds what it kept.
        let arguments = [
            "run",
            "-d",
            "--name",
            name.as_str(),
            "--hostname",
            "newsloom",
            "-p",
            &published,
            "-e",
            &user,
            "-e",
            &password,
            IMAGE,
        ];
        let mut tell = |line: &str| input.as_mut().is_some_and(|input| writeln!(input, "{line}").is_ok());
        run_told(engine, &arguments, COMMAND, |id| _ = tell(&id.to_string())).await?;
        tell("");
        Ok(container)
    }

    /// Where it takes AMQP, on 127.0.0.1: the same one always.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// `kill`, `stop` or `restart`.
    pub(super) async fn run(&self, command: &str) -> Result<(), String> {
        run(&self.engine, &[command, &self.name], COMMAND).await.map(drop)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        drop(self.input.take());
        let begin = Instant::now();
        while matches!(self.keeper.try_wait(), Ok(None)) && begin.elapsed() < REMOVAL {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What the command wrote, or what it said on failing.
async fn run(engine: &Path, arguments: &[&str], patience: Duration) -> Result<String, String> {
    run_told(engine, arguments, patience, drop).await
}

/// The same, and tells the id of the command's process.
async fn run_told(
    engine: &Path,
    arguments: &[&str],
    patience: Duration,
    started: impl FnOnce(u32),
) -> Result<String, String> {
    let what = format!("{} {}", engine.display(), arguments.first().unwrap_or(&""));
    let mut command = tokio::process::Command::new(engine);
    command.args(arguments).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let command = command.spawn().map_err(|error| format!("{what}: {error}"))?;
    if let Some(id) = command.id() {
        started(id);
    }
    let output = match tokio::time::timeout(patience, command.wait_with_output()).await {
        Err(_) => return Err(format!("{what} took more than {} seconds", patience.as_secs())),
        Ok(output) => output.map_err(|error| format!("{what}: {error}"))?,
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().lines().last().unwrap_or_default().to_owned();
    Err(format!("{what}: {}: {said}", output.status))
}

fn keep(engine: &Path, name: &str) -> io::Result<(Child, Option<ChildStdin>)> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", SCRIPT, "newsloom-keeper"]).arg(engine).arg(name);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C ends us; this has to go on for a moment.
    command.process_group(0);
    let mut script = command.spawn()?;
    let input = script.stdin.take();
    Ok((script, input))
}

/// One that stays ours while the container is stopped: below those that the kernel gives to clients.
fn free_port() -> io::Result<u16> {
    let taken = || io::Error::new(io::ErrorKind::AddrInUse, "all between 20000 and 32000 that were tried are taken");
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(20_000..32_000)).take(1_000).find(is_free).ok_or_else(taken)
}
