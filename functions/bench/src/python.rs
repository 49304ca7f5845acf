//! A Python with what it is compared with needs, in a virtual environment of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// An interpreter that has what was required.
#[derive(Debug)]
pub struct Python {
    environment: PathBuf,
    version: String,
}

impl Python {
    /// Makes the environment of a `requirements.txt`, or takes the one that an earlier run made of the same.
    ///
    /// # Errors
    ///
    /// There is no Python, or it can't install something.
    pub fn ready(environment: &Path, requirements: &str) -> Result<Self> {
        let wanted = fs::read(requirements).with_context(|| format!("can't read {requirements}"))?;
        let made_of = environment.join("requirements.txt");
        if fs::read(&made_of).ok().as_deref() != Some(&wanted) {
            eprintln!("Making {} from {requirements}.", environment.display());
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment))?;
            let pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--requirement", requirements];
            run(Command::new(environment.join("bin/python")).args(pip))?;
            fs::write(&made_of, wanted)?;
        }
        let environment = environment.canonicalize()?;
        let version = run(Command::new(environment.join("bin/python")).arg("--version"))?.trim().to_owned();
        Ok(Self { environment, version })
    }

    /// `Python 3.11.7`
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its executable.
    pub fn interpreter(&self) -> PathBuf {
        self.environment.join("bin/python")
    }

    /// The folder of an installed module.
    ///
    /// # Errors
    ///
    /// It isn't installed.
    pub fn module(&self, name: &str) -> Result<PathBuf> {
        let code = format!("import {name}, os; print(os.path.dirname({name}.__file__))");
        let folder = run(Command::new(self.interpreter()).arg("-c").arg(code))?;
        Ok(folder.trim().into())
    }
}

/// What a command printed.
fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("can't run {name}"))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
