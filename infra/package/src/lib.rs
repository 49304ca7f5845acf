//! Function packages: built, checked, zipped.
//!
//! A package is a zip with one executable, `bootstrap`, for Lambda's `provided.al2023`. The same sources give the
//! same bytes on every checkout, so that a deployment changes a function only where its code changed: `cargo` says
//! what that takes, `archive` keeps to it, and [`binary`] refuses what Lambda could not start.

mod archive;
pub mod binary;
mod cargo;
mod toolchain;

use std::{
    fs,
    path::{Path, PathBuf},
};

use settings::{Architecture, Problem, Problems};

pub use binary::{Binary, Version};

/// A function that is packaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Function {
    /// Kinesis → SageMaker → DynamoDB.
    Enrich,
    /// DynamoDB Streams → RabbitMQ.
    Publish,
}

impl Function {
    /// All of them, in the order in which records flow.
    pub const ALL: [Self; 2] = [Self::Enrich, Self::Publish];

    /// Its executable's name, and that of its package without `.zip`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enrich => "enrich",
            Self::Publish => "publish",
        }
    }
}

/// What to package.
#[derive(Debug, Clone)]
pub struct Request {
    /// These functions.
    pub functions: Vec<Function>,
    /// For this processor.
    pub architecture: Architecture,
    /// Where executables are that were built elsewhere, `<name>` or `<name>/bootstrap`. Left out: cargo builds them.
    pub from: Option<PathBuf>,
    /// Where packages go; made if it isn't there.
    pub out: PathBuf,
}

/// A package, ready to be deployed.
#[derive(Debug, Clone)]
pub struct Package {
    /// Whose it is.
    pub function: Function,
    /// The zip.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// What was found in the executable.
    pub binary: Binary,
    /// Whether it had to be written: it stays untouched where it holds the same executable already.
    pub written: bool,
}

/// Builds, checks and zips functions. Cargo's words go to standard error, unless it has nothing to do.
///
/// # Errors
///
/// What is missing on this machine, what cargo could not build (it has said why by then), and everything that is
/// wrong with an executable. No package is written of a function that has a problem.
pub fn package(request: &Request) -> Result<Vec<Package>, Problems> {
    let executables = match &request.from {
        Some(folder) => request.functions.iter().map(|function| built_elsewhere(folder, *function)).collect(),
        None => cargo::build(&request.functions, request.architecture)?,
    };
    let mut packages = Vec::new();
    let mut problems = Problems::default();
    for (function, executable) in request.functions.iter().zip(executables) {
        match zipped(*function, &executable, request) {
            Ok(package) => packages.push(package),
            Err(found) => problems = problems.and(found),
        }
    }
    if problems.is_empty() { Ok(packages) } else { Err(problems) }
}

/// The processor that a package is for; `None` where that can't be told.
pub fn architecture(package: &Path) -> Option<Architecture> {
    archive::beginning(package).ok().and_then(|beginning| binary::architecture(&beginning))
}

fn zipped(function: Function, executable: &Path, request: &Request) -> Result<Package, Problems> {
    let content = fs::read(executable).map_err(|error| unread(executable, &error))?;
    let binary = binary::check(executable, &content, request.architecture)?;
    let path = request.out.join(function.name()).with_extension("zip");
    let unwritten =
        |error: std::io::Error| Problems::of(path.display().to_string(), format!("can't be written: {error}"));
    let written = archive::write(&path, &content).map_err(unwritten)?;
    let bytes = fs::metadata(&path).map_err(unwritten)?.len();
    Ok(Package { function, path, bytes, binary, written })
}

/// Where `cargo lambda` leaves an executable, or where everyone else does.
fn built_elsewhere(folder: &Path, function: Function) -> PathBuf {
    let executable = folder.join(function.name());
    let bootstrap = executable.join("bootstrap");
    if bootstrap.is_file() { bootstrap } else { executable }
}

fn unread(path: &Path, error: &std::io::Error) -> Problems {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => format!("can't be read: {error}"),
    };
    Problems::of(path.display().to_string(), message)
}

/// A problem with what to do about it.
fn problem(subject: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Problem {
    Problem { place: None, subject: subject.into(), message: message.into(), help: Some(help.into()) }
}
