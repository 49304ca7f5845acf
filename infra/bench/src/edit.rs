//! The loop that people feel: a source file of the pipeline is saved, then `make synth`.

use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
    time::SystemTime,
};

use serde::Serialize;

use crate::{
    process::run,
    usage::{Spread, Watch, Whose},
};

const RUNS: usize = 3;

/// What is saved. Its text stays, so cargo builds what a small change would build.
const SAVED: &str = "infra/pipeline/src/stages/enrichment.rs";

/// How long it takes until the files are written.
#[derive(Debug, Serialize)]
pub(crate) struct Edit {
    pub(crate) wall_ms: Spread,
    pub(crate) processor_ms: Spread,
}

/// Measures the loop, or says why that can't be done here.
pub(crate) fn measure(folder: &Path) -> Result<Edit, String> {
    for tool in ["cargo", "make"] {
        let found = Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_ok();
        if !found {
            return Err(format!("skipped: it needs {tool}"));
        }
    }
    // The first build may have everything to do.
    synth(folder)?;
    let (mut wall, mut processor) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        save()?;
        let watch = Watch::start(Whose::Children);
        synth(folder)?;
        wall.push(watch.wall_ms());
        processor.push(watch.processor_ms());
    }
    Ok(Edit { wall_ms: Spread::of(wall), processor_ms: Spread::of(processor) })
}

fn synth(folder: &Path) -> Result<(), String> {
    run(Command::new("make").arg("synth").arg(format!("OUT={}", folder.display())))
}

fn save() -> Result<(), String> {
    let file = File::options().write(true).open(SAVED);
    let saved = file.and_then(|file| file.set_modified(SystemTime::now()));
    saved.map_err(|error| format!("can't touch {SAVED}: {error}"))
}
