//! The programs that the stack's functions and machine run, as cargo builds them.

use std::{io, path::PathBuf};

/// Where they are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The folder that has `enrich`, `publish`, `ingester` and `consume`.
    pub folder: PathBuf,
}

/// Programs that aren't there.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} {} not in {}: `make demo` builds them, or `cargo build --workspace --bins`; --programs names another folder",
    .missing.join(", "),
    if .missing.len() == 1 { "is" } else { "are" },
    .folder.display()
)]
pub struct NotBuilt {
    missing: Vec<&'static str>,
    folder: PathBuf,
}

impl Programs {
    /// All that the pipeline needs, and the demo's subscriber.
    pub const ALL: [&'static str; 4] = ["ingester", "enrich", "publish", "consume"];

    /// Beside the program that runs, or beside the folder of tests that it is in: where cargo puts them.
    ///
    /// # Errors
    ///
    /// When the system doesn't say where that is.
    pub fn beside_this_one() -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let folder = program.parent().map(ToOwned::to_owned).unwrap_or_default();
        let of_tests = folder.file_name().is_some_and(|name| name == "deps");
        Ok(Self { folder: if of_tests { folder.parent().map(ToOwned::to_owned).unwrap_or_default() } else { folder } })
    }

    /// Where one is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Looks whether all are there.
    ///
    /// # Errors
    ///
    /// Names those that aren't.
    pub fn check(&self) -> Result<(), NotBuilt> {
        let missing: Vec<_> = Self::ALL.into_iter().filter(|name| !self.path(name).is_file()).collect();
        if missing.is_empty() { Ok(()) } else { Err(NotBuilt { missing, folder: self.folder.clone() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_programs_are_all_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("enrich"), "").unwrap();
        let error = Programs { folder: folder.path().to_owned() }.check().unwrap_err().to_string();
        assert!(error.starts_with("ingester, publish, consume are not in "), "{error}");
    }
}
