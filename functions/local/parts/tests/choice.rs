//! Which broker is used, in a process of its own: what is on the `PATH` decides.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use local::rabbitmq::{
    Broker,
    choice::{Choice, Unavailable},
};
use tempfile::TempDir;

/// A process that chose a broker and takes commands.
struct Chooser {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Chooser {
    /// With this alone on its `PATH`, and no RabbitMQ installed.
    fn start(choice: &str, path: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "--nocapture", "chooses"]);
        command.env("CHOICE", choice).env("PATH", path).env("NEWSLOOM_RABBITMQ", "/nowhere/rabbitmq-server");
        command.envs(environment.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, input, output: BufReader::new(output) }
    }

    /// The next thing it says.
    fn says(&mut self) -> String {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some(said) = line.trim_end().strip_prefix("> ") {
                return said.to_owned();
            }
            line.clear();
        }
        "nothing more".to_owned()
    }

    /// The one thing it says.
    fn said(mut self) -> String {
        let said = self.says();
        assert_eq!(self.says(), "nothing more");
        assert!(self.process.wait().unwrap().success());
        said
    }

    fn tell(&mut self, command: &str) -> String {
        writeln!(self.input, "{command}").unwrap();
        self.says()
    }
}

#[test]
#[ignore = "the process that the other tests start"]
fn chooses() {
    // Asked for by somebody who runs ignored tests too.
    let Ok(choice) = std::env::var("CHOICE") else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let broker = match choice.parse::<Choice>().unwrap().start().await {
            Err(error) => return println!("\n> {error}"),
            Ok(broker) => broker,
        };
        println!("\n> {} {} {} {}", broker.how(), broker.url(), broker.username(), broker.is_ours());
        for command in std::io::stdin().lines().map_while(Result::ok) {
            let done = match command.as_str() {
                "kill" => broker.kill().await,
                "stop" => broker.stop().await,
                "restart" => broker.restart().await,
                _ => return,
            };
            println!("> {command}: {}", done.map_or_else(|error| error.to_string(), |()| "done".to_owned()));
        }
    });
}

/// Docker, as far as it is needed: its one container is a process that passes on to a broker.
const DOCKER: &str = r#"#!/bin/sh
PATH=/usr/bin:/bin
cd "$FOLDER"
echo "$@" >> calls
begin() {
    PORT=$(cat port) "$PROGRAM" --ignored --exact is_a_container </dev/null >/dev/null 2>&1 &
    echo $! > pid
}
end() { kill -9 "$(cat pid)" 2>/dev/null; }
case $1 in
    version) [ ! -e down ] || { echo "Cannot connect to the Docker daemon" >&2; exit 1; } ;;
    run)
        # As long as the image is fetched.
        [ ! -e slow ] || { echo $$ > fetching; exec sleep 1000; }
        for argument in "$@"; do
            case $argument in 127.0.0.1:*:5672) port=${argument#127.0.0.1:}; echo "${port%:5672}" > port ;; esac
        done
        begin; echo c0ffee ;;
    restart) end; begin ;;
    kill | stop) end ;;
    rm) end; rm -f made; touch removed ;;
esac
"#;

fn docker() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("docker");
    fs::write(&file, DOCKER).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[test]
#[ignore = "the container of the Docker above"]
fn is_a_container() {
    let (Ok(port), Ok(broker)) = (std::env::var("PORT"), std::env::var("BROKER")) else { return };
    // The one before may take a moment to end.
    let listening = std::iter::repeat_with(|| {
        let listener = TcpListener::bind(format!("127.0.0.1:{port}"));
        listener.map_err(|_| std::thread::sleep(Duration::from_millis(5))).ok()
    });
    let listener = listening.take(6_000).flatten().next().expect("a free port within 30 seconds");
    for client in listener.incoming().map_while(Result::ok) {
        let server = TcpStream::connect(&broker).unwrap();
        let carry = |mut from: TcpStream, mut to: TcpStream| {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = from.read(&mut buffer) {
                    if to.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
        };
        carry(client.try_clone().unwrap(), server.try_clone().unwrap());
        carry(server, client);
    }
}

async fn container(choice: &str) -> (Chooser, TempDir) {
    let broker = Broker::shared().await.unwrap();
    let folder = docker();
    let path = folder.path().to_str().unwrap().to_owned();
    let program = std::env::current_exe().unwrap();
    let environment =
        [("FOLDER", path.as_str()), ("PROGRAM", program.to_str().unwrap()), ("BROKER", &broker.address())];
    (Chooser::start(choice, &path, &environment), folder)
}

fn calls(folder: &Path) -> Vec<String> {
    fs::read_to_string(folder.join("calls")).unwrap().lines().map(str::to_owned).collect()
}

fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{what} is still not so");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn without_an_installed_one_a_container_is_used_and_removed() {
    let (mut chooser, folder) = container("auto").await;
    let port = chooser.says();
    let port = port.strip_prefix("container amqp://127.0.0.1:").and_then(|rest| rest.strip_suffix(" newsloom true"));
    let port: u16 = port.unwrap().parse().unwrap();
    let connects = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(connects());
    for (command, runs) in [("stop", false), ("restart", true), ("kill", false), ("restart", true)] {
        assert_eq!(chooser.tell(command), format!("{command}: done"));
        // The process may take a moment to end.
        soon(command, || connects() == runs);
    }
    drop(chooser.input);
    assert!(chooser.process.wait().unwrap().success());
    assert!(folder.path().join("removed").exists());
    let calls = calls(folder.path());
    let name = calls.iter().find(|call| call.starts_with("run -d --name newsloom-rabbitmq-")).unwrap();
    let name = name.split(' ').nth(3).unwrap();
    assert!(calls.iter().any(|call| call.starts_with("run ") && call.ends_with(" docker.io/library/rabbitmq:4")));
    assert_eq!(calls.last().unwrap(), &format!("rm -f -v {name}"));
}

#[tokio::test]
async fn a_container_is_removed_even_when_whoever_uses_it_is_killed() {
    let (mut chooser, folder) = container("container").await;
    assert!(chooser.says().starts_with("container "));
    chooser.process.kill().unwrap();
    chooser.process.wait().unwrap();
    soon("its removal", || folder.path().join("removed").exists());
}

#[tokio::test]
async fn a_container_that_was_being_made_is_removed_though_it_comes_late() {
    let folder = docker();
    let path = folder.path().to_str().unwrap();
    fs::write(folder.path().join("slow"), "").unwrap();
    let mut chooser = Chooser::start("container", path, &[("FOLDER", path)]);
    let read = |file: &str| fs::read_to_string(folder.path().join(file)).unwrap_or_default();
    soon("the command", || read("fetching").ends_with('\n'));
    chooser.process.kill().unwrap();
    chooser.process.wait().unwrap();
    soon("its first removal", || folder.path().join("removed").exists());
    fs::write(folder.path().join("made"), "by the daemon").unwrap();
    soon("its removal", || !folder.path().join("made").exists());
    let stat = format!("/proc/{}/stat", read("fetching").trim());
    let runs = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    soon("the command's end", || !runs());
}

#[test]
fn without_any_the_three_ways_to_have_one_are_named() {
    let empty = tempfile::tempdir().unwrap();
    let said = Chooser::start("auto", empty.path().to_str().unwrap(), &[]).said();
    let mut expected =
        "there is no RabbitMQ to be had. Either name one, amqp://user:password@host:port/vhost; ".to_owned();
    let _ = write!(expected, "or install one, apt-get install --no-install-recommends rabbitmq-server, ");
    let _ = write!(expected, "dnf install rabbitmq-server, or brew install rabbitmq ");
    let _ = write!(expected, "(NEWSLOOM_RABBITMQ is /nowhere/rabbitmq-server, which is no file); ");
    let _ = write!(expected, "or start Docker or Podman, for one in a container (found no docker; found no podman)");
    assert_eq!(said, expected);

    let folder = docker();
    fs::write(folder.path().join("down"), "").unwrap();
    let path = folder.path().to_str().unwrap();
    let said = Chooser::start("container", path, &[("FOLDER", path)]).said();
    let expected =
        format!("{path}/docker version: exit status: 1: Cannot connect to the Docker daemon; found no podman");
    assert_eq!(said, format!("could not run RabbitMQ in a container: {expected}"));
}

#[tokio::test]
async fn one_that_is_named_is_used_and_left_alone() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let choice: Choice = broker.url(&vhost).parse().unwrap();
    let chosen = choice.start().await.unwrap();
    assert_eq!((chosen.how(), chosen.vhost(), chosen.is_ours()), ("named", vhost.as_str(), false));
    assert_eq!(chosen.url(), format!("amqp://{}/{vhost}", broker.address()));
    assert_eq!(chosen.login_url(), broker.url(&vhost));
    assert!(matches!(chosen.restart().await, Err(Unavailable::NotOurs(_))));
    drop(chosen);
    assert!(broker.queue_depth(&vhost, "none").await.is_err() && broker.connections().await.is_ok());

    let stranger: Choice = broker.url_as("stranger", "a-secret", &vhost).parse().unwrap();
    let refused = stranger.start().await.unwrap_err();
    assert_eq!(refused.to_string(), format!("could not log in to the broker at {stranger} as stranger"));
    assert!(!format!("{refused:?}").contains("a-secret"));
}

#[tokio::test]
async fn an_installed_one_is_a_private_node_with_tls() {
    let chosen = Choice::Installed.start().await.unwrap();
    assert_eq!((chosen.how(), chosen.is_ours()), ("installed", true));
    assert!(chosen.url().starts_with("amqps://localhost:"));
    assert!(chosen.ca_file().unwrap().is_file());
    chosen.kill().await.unwrap();
    chosen.restart().await.unwrap();
    assert_eq!(chosen.node().unwrap().connections().await.unwrap(), 0);
    let folder = chosen.node().unwrap().folder().to_owned();
    drop(chosen);
    assert!(!folder.exists());
}
