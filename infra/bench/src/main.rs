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
    process::{Command, ExitCode},
};

use serde::Serialize;

/// Everything that is measured here.
#[derive(Debug, Serialize)]
struct Measurements {
    process: process::Processes,
    copies: Vec<copies::Measured>,
    edit: Result<edit::Edit, String>,
}

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
    let newsloom = newsloom()?;
    let folder = memory().join(format!("newsloom-bench-{}", std::process::id()));
    let measured = Measurements {
        process: process::measure(&newsloom, &folder)?,
        copies: copies::measure(&folder)?,
        edit: edit::measure(&folder),
    };
    let _ = fs::remove_dir_all(folder);
    Ok(measured)
}

/// A folder in memory where there is one: how busy a disk is says nothing of a synth.
fn memory() -> PathBuf {
    let shared = PathBuf::from("/dev/shm");
    if shared.is_dir() { shared } else { env::temp_dir() }
}

/// The release build of the command, brought up to date where there is cargo.
fn newsloom() -> Result<PathBuf, String> {
    let build = ["build", "--quiet", "--release", "--package", "newsloom-pipeline"];
    let built = Command::new(env::var_os("CARGO").unwrap_or("cargo".into())).args(build).status();
    let own = env::current_exe().map_err(|error| format!("can't find myself: {error}"))?;
    let newsloom = own.with_file_name("newsloom");
    match built {
        Ok(status) if !status.success() => Err("the release build of newsloom failed".to_owned()),
        _ if newsloom.exists() => Ok(newsloom),
        _ => Err(format!("{} is missing; cargo build --release makes it", newsloom.display())),
    }
}

fn one_size(copies: &str, folder: &Path) -> Result<String, String> {
    let copies = copies.parse().map_err(|_| format!("`{copies}` is no number of copies"))?;
    json(&copies::run(copies, folder)?)
}

fn json(value: &impl Serialize) -> Result<String, String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    Ok(text + "\n")
}
