//! The files of a synth, and writing them to a folder.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::terraform::MARK;

/// One file: its path inside the folder, with `/` between the parts, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

/// What a synth rendered, in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    files: Vec<File>,
}

/// What [`Rendered::write`] did, by the files' paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// New or changed files.
    pub written: Vec<String>,
    /// Files that already held what they should.
    pub unchanged: Vec<String>,
    /// Files of an earlier synth that are no longer part of it.
    pub removed: Vec<String>,
}

impl Rendered {
    pub(super) fn new(mut files: Vec<File>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }

    /// Paths and texts, sorted by path.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.files.iter().map(|file| (file.path.as_str(), file.text.as_str()))
    }

    /// One file's text.
    pub fn file(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// Adds a file that isn't infrastructure, such as the code a function runs.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.files.push(File { path: path.into(), text: text.into() });
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
    }

    /// Writes the files into a folder. What already holds the right text is left alone, each file is replaced
    /// as a whole, and files of an earlier synth that are no longer rendered are removed. Anything else in
    /// the folder (state, lock file, your own `.tf` files) is not touched.
    ///
    /// # Errors
    /// The first file that can't be read, written or removed; the error names it.
    pub fn write(&self, folder: &Path) -> io::Result<Written> {
        let mut result = Written::default();
        for file in &self.files {
            let path = folder.join(&file.path);
            if fs::read(&path).is_ok_and(|known| known == file.text.as_bytes()) {
                result.unchanged.push(file.path.clone());
                continue;
            }
            replace(&path, &file.text).map_err(|error| naming(&path, &error))?;
            result.written.push(file.path.clone());
        }
        let current: BTreeSet<PathBuf> = self.files.iter().map(|file| folder.join(&file.path)).collect();
        for path in earlier_files(folder)? {
            if !current.contains(&path) {
                fs::remove_file(&path).map_err(|error| naming(&path, &error))?;
                result.removed.push(path.strip_prefix(folder).unwrap_or(&path).display().to_string());
            }
        }
        Ok(result)
    }
}

/// Writes beside the file and renames, so that nobody ever reads half of it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = folder.join(name);
    fs::write(&beside, text)?;
    fs::rename(&beside, path)
}

/// The files in a folder, and one level below it, that a synth wrote.
fn earlier_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).map_err(|error| naming(folder, &error))? {
        let entry = entry.map_err(|error| naming(folder, &error))?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && entry.path().is_dir() {
            folders.push(entry.path());
        }
    }
    for folder in folders {
        for entry in fs::read_dir(&folder).map_err(|error| naming(&folder, &error))? {
            let path = entry.map_err(|error| naming(&folder, &error))?.path();
            if is_ours(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let could_be = name.ends_with(".tf.json") || name.ends_with(".template.json");
    // The mark is in the first lines of both kinds.
    could_be && fs::read_to_string(path).is_ok_and(|text| text.lines().take(4).any(|line| line.contains(MARK)))
}

fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
