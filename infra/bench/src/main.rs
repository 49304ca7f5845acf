//! `make bench`: how long a synth takes and how much memory it needs, and what others need.

mod copies;
mod edit;
mod peers;
mod process;
mod report;
mod usage;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::Serialize;

/// Everything that is measured here.
#[derive(Debug, Serialize)]
struct Measurements {
    process: process::Processes,
    copies: Vec<copies::Measured>,
    edit: Result<edit::Edit, String>,
}

/// Synth makes many small values on two threads and drops them soon: with the system's allocator it takes a quarter
/// longer (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = match arguments.as_slice() {
        [] => measure().map(|measured| report::text(&measured)),
        ["--json"] => measure().and_then(|measured| json(&measured)),
        ["copies", copies, folder] => one_size(copies, folder.as_ref()),
        _ => Err("usage: newsloom-bench [--json], in the workspace's folder".to_owned()),
    };
    match said {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<Measurements, String> {
    let command = newsloom()?;
    let scratch = memory().join(format!("newsloom-bench-{}", std::process::id()));
    let measured = Measurements {
        process: process::measure(&command, &scratch)?,
        copies: copies::measure(&scratch)?,
        edit: edit::measure(&scratch),
    };
    let _ = fs::remove_dir_all(scratch);
    Ok(measured)
}

/// A folder in memory where there is one: how busy a disk is says nothing of a synth.
fn memory() -> PathBuf {
    let shared = PathBuf::from("/dev/shm");
    if shared.is_dir() { shared } else { env::temp_dir() }
}

/// The release build of the command, which `make bench` makes before it comes here: a compiler among our child
/// processes would be counted with them.
fn newsloom() -> Result<PathBuf, String> {
    let own = env::current_exe().map_err(|error| format!("can't find myself: {error}"))?;
    let newsloom = own.with_file_name("newsloom");
    if newsloom.exists() {
        return Ok(newsloom);
    }
    Err(format!("{} is missing; cargo build --release --package newsloom-pipeline makes it", newsloom.display()))
}

fn one_size(copies: &str, folder: &Path) -> Result<String, String> {
    let copies = copies.parse().map_err(|_| format!("`{copies}` is no number of copies"))?;
    json(&copies::run(copies, folder)?)
}

fn json(value: &impl Serialize) -> Result<String, String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    Ok(text + "\n")
}
