//! The files of a synth, and writing them to a folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, ErrorKind},
    panic::resume_unwind,
    path::{Component, Path},
    thread,
};

use crate::tree::{Problem, Problems};

/// Lists what was written, so that the next synth knows what is its own to take away.
const MANIFEST: &str = ".newsloom";

/// From how many files on two threads write them.
const MANY: usize = 100;

/// One file: its path inside the folder, with `/` between the parts, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

/// What a synth rendered, in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    files: BTreeMap<String, String>,
    /// Some stacks were left out on purpose, see [`Rendered::only`].
    partial: bool,
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
    pub(super) fn new(files: Vec<File>) -> Self {
        Self { files: files.into_iter().map(|file| (file.path, file.text)).collect(), partial: false }
    }

    /// Paths and texts, sorted by path.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// One file's text.
    pub fn file(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Only the files of these stacks, of an app that has several. What an earlier synth wrote for the others
    /// stays.
    pub fn only(mut self, stacks: &[&str]) -> Self {
        let wanted = |path: &str| {
            let template = path.strip_prefix("cloudformation/").and_then(|name| name.strip_suffix(".template.json"));
            let stack = template.or_else(|| path.split('/').next());
            stack.is_some_and(|stack| stacks.contains(&stack))
        };
        self.files.retain(|path, _| wanted(path));
        self.partial = true;
        self
    }

    /// Makes a folder hold the files. What already holds the right text is left alone, each file is replaced
    /// as a whole, and files of an earlier synth that are no longer rendered are removed. Anything else in
    /// the folder (state, lock file, your own `.tf` files) is not touched.
    ///
    /// # Errors
    /// Every file that can't be written or removed.
    pub fn write(&self, folder: &Path) -> Result<Written, Problems> {
        let mut result = Written::default();
        let mut problems = Vec::new();
        for (path, outcome) in self.write_files(folder) {
            match outcome {
                Ok(true) => result.written.push(path.clone()),
                Ok(false) => result.unchanged.push(path.clone()),
                Err(error) => problems.push(failed(folder, path, &error)),
            }
        }
        let earlier = manifest(folder);
        for path in earlier.iter().filter(|path| !self.files.contains_key(*path) && !self.partial) {
            match fs::remove_file(folder.join(path)) {
                Ok(()) => result.removed.push(path.clone()),
                Err(error) if error.kind() == ErrorKind::NotFound => (),
                Err(error) => problems.push(failed(folder, path, &error)),
            }
        }
        let kept = earlier.into_iter().filter(|_| self.partial);
        let names: BTreeSet<String> = self.files.keys().cloned().chain(kept).collect();
        let names: Vec<String> = names.into_iter().collect();
        if let Err(error) = write_changed(&folder.join(MANIFEST), &(names.join("\n") + "\n")) {
            problems.push(failed(folder, MANIFEST, &error));
        }
        if problems.is_empty() { Ok(result) } else { Err(Problems::new(problems)) }
    }

    /// Whether each file was changed, in order. The time goes to the file system, which two threads share well.
    fn write_files(&self, folder: &Path) -> Vec<(&String, io::Result<bool>)> {
        let write = |(path, text): (_, &String)| (path, write_changed(&folder.join(path), text));
        if self.files.len() < MANY {
            return self.files.iter().map(write).collect();
        }
        let half = self.files.len() / 2;
        thread::scope(|scope| {
            let second = scope.spawn(|| self.files.iter().skip(half).map(write).collect::<Vec<_>>());
            let mut all: Vec<_> = self.files.iter().take(half).map(write).collect();
            all.extend(second.join().unwrap_or_else(|panic| resume_unwind(panic)));
            all
        })
    }
}

/// Writes a file unless it is so already, so that tools which look at times rest. A reader sees the old text or
/// the new one, never a half.
fn write_changed(path: &Path, text: &str) -> io::Result<bool> {
    if fs::read(path).is_ok_and(|known| known == text.as_bytes()) {
        return Ok(false);
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    match fs::write(&unfinished, text) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&unfinished, text)?;
        }
        written => written?,
    }
    fs::rename(&unfinished, path)?;
    Ok(true)
}

/// What an earlier synth wrote into the folder.
fn manifest(folder: &Path) -> Vec<String> {
    let manifest = fs::read_to_string(folder.join(MANIFEST)).unwrap_or_default();
    manifest.lines().filter(|name| is_below(name)).map(str::to_owned).collect()
}

/// A manifest that somebody edited must not reach out of its folder.
fn is_below(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    !name.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
}

fn failed(folder: &Path, name: &str, error: &io::Error) -> Problem {
    Problem {
        path: folder.join(name).display().to_string(),
        property: String::new(),
        message: format!("can't be written: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(files: &[(&str, &str)]) -> Rendered {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        Rendered::new(files.iter().map(file).collect())
    }

    fn folder(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("newsloom-{name}-{}", std::process::id()))
    }

    #[test]
    fn only_changes_are_written_and_only_own_files_are_removed() {
        let folder = folder("output");
        let first = rendered(&[("a", "1"), ("sub/b", "1"), ("c", "1")]).write(&folder).unwrap();
        assert_eq!(first.written, ["a", "c", "sub/b"]);

        fs::write(folder.join("theirs"), "").unwrap();
        let second = rendered(&[("a", "1"), ("c", "2")]).write(&folder).unwrap();
        let expected =
            Written { written: vec!["c".into()], unchanged: vec!["a".into()], removed: vec!["sub/b".into()] };
        assert_eq!(second, expected);
        assert!(folder.join("theirs").exists());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn one_stack_alone_leaves_the_others_files() {
        let folder = folder("partial");
        let files = [("one/main.tf.json", "1"), ("two/main.tf.json", "1"), ("cloudformation/two.template.json", "1")];
        rendered(&files).write(&folder).unwrap();
        let only = rendered(&files).only(&["two"]);
        assert_eq!(only.files().len(), 2);
        only.write(&folder).unwrap();
        assert!(folder.join("one/main.tf.json").exists());
        let gone = rendered(&[("one/main.tf.json", "1")]).write(&folder).unwrap();
        assert_eq!(gone.removed, ["cloudformation/two.template.json", "two/main.tf.json"]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn every_file_that_cannot_be_written_is_named() {
        let folder = folder("denied");
        fs::create_dir_all(folder.join("a")).unwrap();
        fs::create_dir_all(folder.join("b")).unwrap();
        let problems = rendered(&[("a", "1"), ("b", "1")]).write(&folder).unwrap_err();
        assert_eq!(problems.len(), 2);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn manifest_does_not_reach_out_of_its_folder() {
        assert!(is_below("cloudformation/a.json"));
        assert!(!is_below("../a") && !is_below("/etc/a") && !is_below(""));
    }
}
