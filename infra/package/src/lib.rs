//! Packages: programs built, checked, and zipped for Lambda.
//!
//! A function's package is a zip with one executable, `bootstrap`, for Lambda's `provided.al2023`; the ingester's is its
//! executable, for a machine with Amazon Linux 2023. The same sources give the same bytes on every checkout, so that a
//! deployment changes a program only where its code changed: `cargo` says what that takes, `archive` keeps to it, and
//! [`binary`] refuses what Amazon Linux could not start.

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

/// A program that is packaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// Feeds → Kinesis.
    Ingester,
    /// Kinesis → SageMaker → DynamoDB.
    Enrich,
    /// DynamoDB Streams → RabbitMQ.
    Publish,
}

impl Program {
    /// All of them, in the order in which records flow.
    pub const ALL: [Self; 3] = [Self::Ingester, Self::Enrich, Self::Publish];

    /// Its executable's name, and that of its package without `.zip`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingester => "ingester",
            Self::Enrich => "enrich",
            Self::Publish => "publish",
        }
    }

    /// Whether Lambda runs it, which wants a zip.
    const fn is_function(self) -> bool {
        !matches!(self, Self::Ingester)
    }
}

/// What to package.
#[derive(Debug, Clone)]
pub struct Request {
    /// These programs.
    pub programs: Vec<Program>,
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
    pub program: Program,
    /// The zip, or the executable.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// What was found in the executable.
    pub binary: Binary,
    /// Whether it had to be written: it stays untouched where it holds the same executable already.
    pub written: bool,
}

/// Builds, checks and packs programs. Cargo's words go to standard error, unless it has nothing to do.
///
/// # Errors
///
/// What is missing on this machine, what cargo could not build (it has said why by then), and everything that is
/// wrong with an executable. No package is written of a program that has a problem.
pub fn package(request: &Request) -> Result<Vec<Package>, Problems> {
    let executables = match &request.from {
        Some(folder) => request.programs.iter().map(|program| built_elsewhere(folder, *program)).collect(),
        None => cargo::build(&request.programs, request.architecture)?,
    };
    let mut packages = Vec::new();
    let mut problems = Problems::default();
    for (program, executable) in request.programs.iter().zip(executables) {
        match packed(*program, &executable, request) {
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

fn packed(program: Program, executable: &Path, request: &Request) -> Result<Package, Problems> {
    let content = fs::read(executable).map_err(|error| unread(executable, &error))?;
    let binary = binary::check(executable, &content, request.architecture)?;
    let path = request.out.join(program.name());
    let path = if program.is_function() { path.with_extension("zip") } else { path };
    let unwritten =
        |error: std::io::Error| Problems::of(path.display().to_string(), format!("can't be written: {error}"));
    let write = if program.is_function() { archive::write } else { archive::write_plain };
    let written = write(&path, &content).map_err(unwritten)?;
    let bytes = fs::metadata(&path).map_err(unwritten)?.len();
    Ok(Package { program, path, bytes, binary, written })
}

/// Where `cargo lambda` leaves an executable, or where everyone else does.
fn built_elsewhere(folder: &Path, program: Program) -> PathBuf {
    let executable = folder.join(program.name());
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
