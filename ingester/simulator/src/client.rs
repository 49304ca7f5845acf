//! A client that is run beside the simulator.

use anyhow::Context;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use simulator::Simulator;
use std::{path::Path, process::ExitCode};
use tokio::process::{Child, Command};

/// A client, running. It is killed when this is dropped.
pub(crate) struct Client(Child);

impl Client {
    /// Starts it; it trusts what the simulator shows.
    pub(crate) fn start(words: &[String], simulator: &Simulator, ca: Option<&Path>) -> anyhow::Result<Self> {
        let words: Vec<String> = words.iter().map(|word| with_addresses(word, simulator)).collect();
        let (program, arguments) = words.split_first().context("no client is named")?;
        let mut command = Command::new(program);
        command.args(arguments).kill_on_drop(true);
        if let Some(ca) = ca {
            command.env("SSL_CERT_FILE", ca);
        }
        Ok(Self(command.spawn().with_context(|| format!("could not run {program}"))?))
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitCode {
        let status = self.0.wait().await.ok();
        let code = status.and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
        code.map_or(ExitCode::FAILURE, ExitCode::from)
    }

    /// Asks it to end, and waits until it has. After Ctrl-C it was asked by the terminal already.
    pub(crate) async fn stop(&mut self) -> ExitCode {
        if let Some(pid) = self.0.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        self.ended().await
    }
}

fn with_addresses(word: &str, simulator: &Simulator) -> String {
    let servers = simulator.websocket_urls();
    let server = |index: usize| servers.get(index).or(servers.last()).map_or("", String::as_str);
    word.replace("{server}", server(0)).replace("{server2}", server(1)).replace("{api}", &simulator.api_url())
}
