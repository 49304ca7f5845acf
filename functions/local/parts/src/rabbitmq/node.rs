//! The node's process: how it is set up, started, told and ended.

use std::{
    collections::VecDeque,
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};

use super::{Error, PASSWORD, USER, certificate, install::Install, lock};

/// Where the node is and what it listens on.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) folder: PathBuf,
    pub(super) ports: Ports,
    server: PathBuf,
}

/// All on 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) amqp: u16,
    pub(super) amqps: u16,
    pub(super) epmd: u16,
    distribution: u16,
}

impl Settings {
    /// A new folder with a configuration and a certificate.
    pub(super) fn write(install: &Install) -> Result<Self, Error> {
        // Whoever removes it has to outlive this process, see the keeper.
        let folder = tempfile::Builder::new().prefix("newsloom-rabbitmq-").tempdir()?.keep();
        let settings = Self { folder, ports: Ports::free()?, server: install.server.clone() };
        for name in ["home", "log", "mnesia"] {
            fs::create_dir(settings.folder.join(name))?;
        }
        certificate::write(&settings.folder)?;
        fs::write(settings.folder.join("enabled_plugins"), "[].\n")?;
        fs::write(settings.folder.join("rabbitmq.conf"), settings.configuration())?;
        Ok(settings)
    }

    fn configuration(&self) -> String {
        let Ports { amqp, amqps, .. } = self.ports;
        let file = |name| self.folder.join(name).display().to_string();
        let (authority, server, key) =
            (file(certificate::AUTHORITY), file(certificate::SERVER), file(certificate::KEY));
        format!(
            "listeners.tcp.1 = 127.0.0.1:{amqp}
listeners.ssl.1 = 127.0.0.1:{amqps}
ssl_options.cacertfile = {authority}
ssl_options.certfile = {server}
ssl_options.keyfile = {key}
ssl_options.verify = verify_none
ssl_options.fail_if_no_peer_cert = false
ssl_options.versions.1 = tlsv1.3
ssl_options.versions.2 = tlsv1.2
default_user = {USER}
default_pass = {PASSWORD}
vm_memory_high_watermark.relative = 0.8
disk_free_limit.absolute = 10MB
log.console = false
"
        )
    }

    fn command(&self) -> Command {
        let file = |name| self.folder.join(name);
        let mut command = Command::new(&self.server);
        // The distribution's own files would otherwise be read, and written.
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
        command
            .env("LANG", "C.UTF-8")
            .env("HOME", file("home"))
            .env("ERL_EPMD_PORT", self.ports.epmd.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("newsloom{}@localhost", self.ports.amqp))
            .env("RABBITMQ_DIST_PORT", self.ports.distribution.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins"))
            .env("RABBITMQ_MNESIA_BASE", file("mnesia"))
            .env("RABBITMQ_LOG_BASE", file("log"))
            .env("RABBITMQ_PID_FILE", file("rabbitmq.pid"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none")
            // The script becomes Erlang then, in place of waiting for one whose input it has closed.
            .env("RABBITMQ_ALLOW_INPUT", "1");
        command.args(["-noinput", "-eval", LISTEN]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        command
    }
}

impl Ports {
    /// Four that are free now. Below those the kernel gives to clients, so that nobody takes them by chance, also
    /// while the node is down.
    fn free() -> io::Result<Self> {
        let mut held = Vec::new();
        for _ in 0..1_000 {
            let port = fastrand::u16(20_000..32_000);
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                held.push((port, listener));
            }
            if let [(amqp, _), (amqps, _), (epmd, _), (distribution, _)] = held.as_slice() {
                return Ok(Self { amqp: *amqp, amqps: *amqps, epmd: *epmd, distribution: *distribution });
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no four free ports between 20000 and 32000"))
    }
}

/// Runs in the node once it has started: reads a number and an expression from each line of standard input, writes
/// the number and the value, and ends the node at the end of the input.
const LISTEN: &str = r#"spawn(fun() ->
    Input = open_port({fd, 0, 1}, [in, binary, {line, 1048576}, eof]),
    Evaluate = fun(Text) ->
        {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Text)),
        {ok, Expressions} = erl_parse:parse_exprs(Tokens),
        {value, Value, _} = erl_eval:exprs(Expressions, []),
        Value
    end,
    (fun Loop() ->
        receive
            {Input, {data, {eol, Line}}} ->
                [Number, Text] = binary:split(Line, <<" ">>),
                Answer = try {ok, Evaluate(Text)} catch Class:Reason -> {Class, Reason} end,
                io:format(user, "~n@~ts ~0tp~n", [Number, Answer]),
                Loop();
            {Input, eof} ->
                erlang:halt(0, [{flush, false}])
        end
    end)()
end)."#;

/// A node that was started.
#[derive(Debug)]
pub(super) struct Node {
    process: Child,
    input: Option<ChildStdin>,
    answers: Receiver<String>,
    said: Said,
    asked: usize,
}

impl Node {
    pub(super) fn start(settings: &Settings) -> Result<Self, Error> {
        let mut process = settings.command().spawn()?;
        let (sender, answers) = channel();
        let said = Said::default();
        let input = process.stdin.take();
        let output = process.stdout.take().ok_or(Error::Stopped)?;
        let errors = process.stderr.take().ok_or(Error::Stopped)?;
        listen("rabbitmq-output", output, said.clone(), Some(sender))?;
        listen("rabbitmq-errors", errors, said.clone(), None)?;
        Ok(Self { process, input, answers, said, asked: 0 })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The value of an Erlang expression.
    pub(super) fn eval(&mut self, expression: &str, patience: Duration) -> Result<String, Error> {
        self.asked += 1;
        let number = self.asked.to_string();
        let input = self.input.as_mut().ok_or(Error::Stopped)?;
        let expression = expression.replace('\n', " ");
        if writeln!(input, "{number} {expression}.").is_err() {
            return Err(self.gone());
        }
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(answer) = self.answers.recv_timeout(left) else { return Err(self.gone()) };
            // An answer to another is one that came too late.
            if let Some((answered, value)) = answer.split_once(' ')
                && answered == number
            {
                return value_of(expression, value);
            }
        }
    }

    /// Has the node shut down in order.
    pub(super) fn stop(&mut self, patience: Duration) -> Result<(), Error> {
        self.eval("init:stop()", patience)?;
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if self.process.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(self.gone())
    }

    pub(super) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn gone(&self) -> Error {
        Error::Gone(lock(&self.said.0).iter().cloned().collect::<Vec<_>>().join("\n"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Text as Erlang reads it.
pub(super) fn binary(text: &str) -> String {
    format!(r#"<<"{}"/utf8>>"#, text.replace('\\', r"\\").replace('"', r#"\""#))
}

fn value_of(command: String, answer: &str) -> Result<String, Error> {
    match answer.strip_prefix("{ok,").and_then(|value| value.strip_suffix('}')) {
        Some(value) => Ok(value.to_owned()),
        None => Err(Error::Refused { command, answer: answer.to_owned() }),
    }
}

/// The node's last lines.
#[derive(Debug, Clone, Default)]
struct Said(Arc<Mutex<VecDeque<String>>>);

/// Reads a pipe to its end: answers go to who waits for them, other lines are remembered for a while.
fn listen(name: &str, pipe: impl Read + Send + 'static, said: Said, answers: Option<Sender<String>>) -> io::Result<()> {
    let read = move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            match (line.strip_prefix('@'), &answers) {
                (Some(answer), Some(answers)) => drop(answers.send(answer.to_owned())),
                _ => remember(&said, line),
            }
        }
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(read)?;
    Ok(())
}

fn remember(said: &Said, line: String) {
    let mut said = lock(&said.0);
    if said.len() == 40 {
        said.pop_front();
    }
    if !line.trim().is_empty() {
        said.push_back(line);
    }
}
