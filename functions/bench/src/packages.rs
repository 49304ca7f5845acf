//! What would be uploaded: our packages as they are, and Python's as one would make them.

use std::{
    fs,
    io::{Cursor, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use local::function::{Builder, Function};
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

use bench::python::Python;

use crate::count;

/// A function as it is started, and how large it is.
pub(crate) struct Program {
    pub(crate) builder: Builder,
    /// The zip, KB.
    pub(crate) package_kb: f64,
}

/// Where Python's functions are.
const SOURCES: &str = "functions/bench/python";

/// Ours: the package that `make package` leaves, unpacked into a folder as Lambda does.
pub(crate) fn ours(package: &Path, folder: &Path) -> Result<Program> {
    let missing = || format!("can't read {}; `make package` builds it", package.display());
    let content = fs::read(package).with_context(missing)?;
    let package_kb = kilobytes(content.len());
    let unpacked = || format!("can't unpack {}", package.display());
    let bootstrap = unpack(content, folder).with_context(unpacked)?;
    Ok(Program { builder: Function::builder(bootstrap), package_kb })
}

fn unpack(package: Vec<u8>, folder: &Path) -> Result<PathBuf> {
    let mut archive = ZipArchive::new(Cursor::new(package))?;
    let mut content = Vec::new();
    std::io::copy(&mut archive.by_name("bootstrap")?, &mut content)?;
    fs::create_dir_all(folder)?;
    let bootstrap = folder.join("bootstrap");
    fs::write(&bootstrap, content)?;
    fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755))?;
    Ok(bootstrap)
}

/// Python's: `lambda_function.py` under the interface client that AWS's runtime has. The package brings these modules
/// along, without their byte code; boto3 is in AWS's runtime.
pub(crate) fn pythons(python: &Python, name: &str, modules: &[&str]) -> Result<Program> {
    let folder =
        Path::new(SOURCES).join(name).canonicalize().with_context(|| format!("{SOURCES}/{name} is missing"))?;
    let mut package = ZipWriter::new(Cursor::new(Vec::new()));
    add(&mut package, &folder, "")?;
    for module in modules {
        add(&mut package, &python.module(module)?, &format!("{module}/"))?;
    }
    let package = package.finish()?.into_inner();
    let builder = Function::builder(python.interpreter())
        .arg("-m")
        .arg("awslambdaric")
        .arg("lambda_function.handler")
        .env("LAMBDA_TASK_ROOT", &folder)
        .env("PYTHONPATH", &folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("_HANDLER", "lambda_function.handler");
    Ok(Program { builder, package_kb: kilobytes(package.len()) })
}

/// Adds a folder's Python files, and its folders'.
fn add(package: &mut ZipWriter<Cursor<Vec<u8>>>, folder: &Path, prefix: &str) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, name) = (entry.path(), format!("{prefix}{}", entry.file_name().to_string_lossy()));
        if path.is_dir() {
            add(package, &path, &format!("{name}/"))?;
        } else if path.extension().is_some_and(|extension| extension == "py") {
            package.start_file(name, SimpleFileOptions::default())?;
            package.write_all(&fs::read(path)?)?;
        }
    }
    Ok(())
}

fn kilobytes(bytes: usize) -> f64 {
    count(bytes) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_is_unpacked_into_an_executable() {
        let folder = tempfile::tempdir().unwrap();
        let mut package = ZipWriter::new(Cursor::new(Vec::new()));
        package.start_file("bootstrap", SimpleFileOptions::default()).unwrap();
        package.write_all(b"code").unwrap();
        let bootstrap = unpack(package.finish().unwrap().into_inner(), &folder.path().join("new")).unwrap();
        assert_eq!(fs::read(&bootstrap).unwrap(), b"code");
        assert_eq!(fs::metadata(bootstrap).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn package_that_is_missing_says_how_to_build_it() {
        let error = ours(Path::new("nowhere/enrich.zip"), Path::new("nowhere")).err().unwrap();
        assert_eq!(error.to_string(), "can't read nowhere/enrich.zip; `make package` builds it");
    }
}
