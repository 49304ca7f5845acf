//! The folder of a pipeline: its own as long as it runs, and empty of what earlier ones left.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

/// A folder that nobody else starts a pipeline in.
#[derive(Debug)]
pub(super) struct Folder {
    _lock: File,
}

/// What earlier runs leave, and a new one begins without.
const LEFT: [&str; 6] = ["ingester.log", "enrich.log", "publish.log", "triggers.log", "consume.log", "demo.sock"];

impl Folder {
    /// Takes it; `None` when another pipeline runs in it.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        let lock = File::options().create(true).write(true).truncate(false).open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        for name in LEFT {
            gone(std::fs::remove_file(path.join(name)))?;
        }
        // Items that a killed ingester left there are of a stream that is no more.
        gone(std::fs::remove_dir_all(path.join("spool")))?;
        Ok(Some(Self { _lock: lock }))
    }
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_one_pipelines_and_begins_empty() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("enrich.log"), "of yesterday").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let first = Folder::take(folder.path()).unwrap();
        assert!(first.is_some());
        assert!(!folder.path().join("enrich.log").exists() && folder.path().join("notes.txt").exists());
        assert!(Folder::take(folder.path()).unwrap().is_none());
        drop(first);
        assert!(Folder::take(folder.path()).unwrap().is_some());
    }
}
