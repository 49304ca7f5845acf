//! `newsloom synth` as people run it: a process from start to end, both formats, all checks, files written.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde::Serialize;

use crate::usage::{Spread, Watch, Whose, peak_mb};

/// How often each is run.
const RUNS: usize = 25;

const CONFIGS: [&str; 2] = ["newsloom.toml", "examples/production.toml"];

/// One configuration, synthesized into an empty folder or over what is there.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) config: &'static str,
    pub(crate) first: bool,
    pub(crate) wall_ms: Spread,
    pub(crate) processor_ms: Spread,
}

/// All of them, and the most memory that one took.
#[derive(Debug, Serialize)]
pub(crate) struct Processes {
    pub(crate) measured: Vec<Measured>,
    pub(crate) peak_mb: f64,
    /// A process that does nothing: `newsloom version`.
    pub(crate) nothing_ms: Spread,
}

/// Measures the command in `newsloom`; `folder` is written to.
pub(crate) fn measure(newsloom: &Path, folder: &Path) -> Result<Processes, String> {
    let mut measured = Vec::new();
    for config in CONFIGS {
        for first in [true, false] {
            measured.push(config_once(newsloom, folder, config, first)?);
        }
    }
    let peak_mb = peak_mb(Whose::Children);
    let mut nothing = Vec::new();
    for _ in 0..RUNS {
        let watch = Watch::start(Whose::Children);
        run(Command::new(newsloom).arg("version"))?;
        nothing.push(watch.wall_ms());
    }
    Ok(Processes { measured, peak_mb, nothing_ms: Spread::of(nothing) })
}

fn config_once(newsloom: &Path, folder: &Path, config: &'static str, first: bool) -> Result<Measured, String> {
    let (mut wall, mut processor) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let folder = folder.join(config).join(if first { run } else { 0 }.to_string());
        let mut command = Command::new(newsloom);
        command.args(["synth", "--without-assets", "--config", config, "--out"]).arg(&folder);
        let watch = Watch::start(Whose::Children);
        self::run(&mut command)?;
        wall.push(watch.wall_ms());
        processor.push(watch.processor_ms());
    }
    Ok(Measured { config, first, wall_ms: Spread::of(wall), processor_ms: Spread::of(processor) })
}

/// Runs a command and says nothing of what it says.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("can't run {name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
