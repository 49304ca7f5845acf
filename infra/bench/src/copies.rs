//! The whole pipeline many times in one app, a stack each: a process per size, so that memory is of that size.

use std::{env, fs, path::Path, process::Command};

use pipeline::{Assets, Format, Settings};
use serde::{Deserialize, Serialize};

use crate::usage::{Watch, Whose, peak_mb};

/// How many copies, and how often each is measured.
const SIZES: [(usize, usize); 4] = [(1, 15), (10, 15), (100, 9), (1000, 3)];

const CONFIG: &str = "newsloom.toml";

/// One size.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) copies: usize,
    pub(crate) resources: usize,
    /// Building, rendering and checking in both formats, and writing.
    pub(crate) wall_ms: f64,
    pub(crate) processor_ms: f64,
    pub(crate) peak_mb: f64,
    /// Milliseconds by the clock.
    pub(crate) parts: Parts,
}

/// Where the time goes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Parts {
    pub(crate) tree: f64,
    /// Rendering and checks.
    pub(crate) terraform: f64,
    /// Rendering and checks. Alone; after Terraform it doesn't check the same policies once more.
    pub(crate) cloudformation: f64,
    pub(crate) write: f64,
}

/// Measures every size; `folder` is written to.
pub(crate) fn measure(folder: &Path) -> Result<Vec<Measured>, String> {
    SIZES.into_iter().map(|(copies, runs)| size(folder, copies, runs)).collect()
}

/// The middle run by processor time.
fn size(folder: &Path, copies: usize, runs: usize) -> Result<Measured, String> {
    let mut all = Vec::new();
    for run in 0..runs {
        // Each has a folder of its own: right after a removal, file systems are slow to make files again.
        all.push(child(&folder.join(format!("{copies}-{run}")), copies)?);
    }
    all.sort_by(|a: &Measured, b| a.processor_ms.total_cmp(&b.processor_ms));
    Ok(all.swap_remove(runs / 2))
}

fn child(folder: &Path, copies: usize) -> Result<Measured, String> {
    let own = env::current_exe().map_err(|error| format!("can't find myself: {error}"))?;
    let output = Command::new(own).arg("copies").arg(copies.to_string()).arg(folder).output();
    let output = output.map_err(|error| format!("can't run myself: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).map_err(|_| format!("{copies} copies failed: {}", said.trim()))
}

/// What the process of one size does.
pub(crate) fn run(copies: usize, folder: &Path) -> Result<Measured, String> {
    let text = fs::read_to_string(CONFIG).map_err(|error| format!("can't read {CONFIG}: {error}"))?;
    let settings = Settings::from_toml(CONFIG, &text).map_err(|problems| problems.to_string())?;
    let assets = Assets::placeholders();

    let watch = Watch::start(Whose::Own);
    let mut app = pipeline::empty_app(&settings);
    for copy in 1..=copies {
        let name = format!("copy-{copy:04}");
        let settings = Settings { name: name.clone(), ..settings.clone() };
        pipeline::add(&mut app, &name, &settings, &assets);
    }
    let tree = watch.wall_ms();
    let rendered = app.synth(Format::All).map_err(|problems| problems.to_string())?;
    let rendered_ms = watch.wall_ms();
    rendered.write(folder).map_err(|problems| problems.to_string())?;
    let (wall_ms, processor_ms, peak_mb) = (watch.wall_ms(), watch.processor_ms(), peak_mb(Whose::Own));
    drop(rendered);

    let parts = Parts {
        tree,
        terraform: synth_ms(&app, Format::Terraform)?,
        cloudformation: synth_ms(&app, Format::CloudFormation)?,
        write: wall_ms - rendered_ms,
    };
    Ok(Measured { copies, resources: app.resources(), wall_ms, processor_ms, peak_mb, parts })
}

fn synth_ms(app: &pipeline::App, format: Format) -> Result<f64, String> {
    let watch = Watch::start(Whose::Own);
    app.synth(format).map_err(|problems| problems.to_string())?;
    Ok(watch.wall_ms())
}
