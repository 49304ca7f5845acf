//! `newsfeed-sim`, the simulator as a program.

mod client;
mod command;
mod report;

use anyhow::Context;
use clap::Parser;
use client::Client;
use command::Command;
use simulator::{Journal, Simulator};
use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, interval},
};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let command = Command::parse();
    log();
    match run(&command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("newsfeed-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// To standard error. On a terminal there is a line with the state of things, which is enough.
fn log() {
    let usual = if std::io::stderr().is_terminal() { "warn" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before anything is printed: who reads it may end it at once.
        let mut signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        let simulator = Simulator::start(command.options()?).await?;
        let ca = simulator.ca_pem().map(|pem| write_ca(command.ca.as_deref(), pem)).transpose()?;
        if !command.client.is_empty() {
            let client = Client::start(&command.client, &simulator, ca.as_deref())?;
            return Ok(beside(client, command, &simulator, &mut signals).await);
        }
        println!("{}", report::started(command, &simulator, ca.as_deref()));
        let began = Instant::now();
        tokio::select! {
            () = any(&mut signals) => {}
            () = sent(&simulator), if command.exit => {}
            () = show(&simulator), if std::io::stderr().is_terminal() && !command.json => {}
        }
        let text = simulator.look(|journal| report::ended(command, journal, began.elapsed()));
        println!("{text}");
        Ok(ExitCode::SUCCESS)
    })
}

/// Until the client ends, or has read everything. It is asked to end before the feed does.
async fn beside(mut client: Client, command: &Command, simulator: &Simulator, signals: &mut [Signal; 2]) -> ExitCode {
    tokio::select! {
        code = client.ended() => return code,
        () = any(signals) => {}
        () = sent(simulator), if command.exit => {}
    }
    client.stop().await
}

fn write_ca(path: Option<&Path>, pem: &str) -> anyhow::Result<PathBuf> {
    let temporary = || std::env::temp_dir().join(format!("newsfeed-sim-{}.pem", std::process::id()));
    let path = path.map_or_else(temporary, Path::to_owned);
    std::fs::write(&path, pem).with_context(|| format!("could not write {}", path.display()))?;
    Ok(path)
}

async fn any([interrupt, terminate]: &mut [Signal; 2]) {
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
}

/// Until everything is sent, and the clients that are there have read it.
async fn sent(simulator: &Simulator) {
    let last = |journal: &Journal| journal.is_finished;
    while simulator.until(last).await.is_err() {}
    // Clients that don't answer are dropped in time; whoever is left has read everything.
    while simulator.settle().await.is_err() {}
}

/// A line that is written over, once a second.
async fn show(simulator: &Simulator) {
    let mut seconds = interval(Duration::from_secs(1));
    let mut before = 0;
    loop {
        seconds.tick().await;
        let (line, sent) = simulator.look(|journal| (report::line(journal, before), journal.counts.sent));
        before = sent;
        eprint!("\r\x1b[K{line}\r");
    }
}
