//! Writes what was rendered, touches only what changed, and takes away what it wrote before and
//! isn't rendered any more.

use crate::{Problem, Problems, Rendered};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

/// Lists what was written, so that the next run knows what is ours to take away.
const MANIFEST: &str = ".newsloom";

/// What writing did, each by path below the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Files that are new or have changed.
    pub written: Vec<String>,
    /// Files that were so already.
    pub unchanged: Vec<String>,
    /// Files of an earlier run that aren't rendered any more.
    pub removed: Vec<String>,
}

/// Makes a directory hold what was rendered. Files that others put there stay.
///
/// # Errors
///
/// Names every file that can't be written.
pub fn write(directory: &Path, rendered: &Rendered) -> Result<Written, Problems> {
    let mut result = Written::default();
    let mut problems = Vec::new();
    for (name, text) in &rendered.files {
        match write_changed(&directory.join(name), text) {
            Ok(true) => result.written.push(name.clone()),
            Ok(false) => result.unchanged.push(name.clone()),
            Err(error) => problems.push(failed(directory, name, &error)),
        }
    }
    for name in stale(directory, rendered) {
        match std::fs::remove_file(directory.join(&name)) {
            Ok(()) => result.removed.push(name),
            Err(error) if error.kind() == ErrorKind::NotFound => (),
            Err(error) => problems.push(failed(directory, &name, &error)),
        }
    }
    let names: Vec<_> = rendered.files.keys().map(String::as_str).collect();
    let manifest = names.join("\n") + "\n";
    if let Err(error) = write_changed(&directory.join(MANIFEST), &manifest) {
        problems.push(failed(directory, MANIFEST, &error));
    }
    if problems.is_empty() { Ok(result) } else { Err(Problems::new(problems)) }
}

/// Writes a file unless it is so already, so that tools which look at times rest. A reader sees the
/// old text or the new one, never a half.
fn write_changed(path: &Path, text: &str) -> std::io::Result<bool> {
    if std::fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(false);
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    std::fs::write(&unfinished, text)?;
    std::fs::rename(&unfinished, path)?;
    Ok(true)
}

fn stale(directory: &Path, rendered: &Rendered) -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(directory.join(MANIFEST)).unwrap_or_default();
    let ours = manifest.lines().filter(|name| is_below(name));
    ours.filter(|name| !rendered.files.contains_key(*name)).map(Into::into).collect()
}

/// A manifest that somebody edited must not reach out of its directory.
fn is_below(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    !name.is_empty() && parts.all(|part| matches!(part, std::path::Component::Normal(_)))
}

fn failed(directory: &Path, name: &str, error: &std::io::Error) -> Problem {
    Problem {
        place: None,
        subject: directory.join(name).display().to_string(),
        message: format!("can't be written: {error}"),
        help: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(files: &[(&str, &str)]) -> Rendered {
        let files = files.iter().map(|(name, text)| ((*name).into(), (*text).into()));
        Rendered { files: files.collect(), resources: 0 }
    }

    #[test]
    fn only_changes_are_written_and_only_own_files_are_removed() {
        let directory = std::env::temp_dir().join(format!("newsloom-output-{}", std::process::id()));
        let first = write(&directory, &rendered(&[("a", "1"), ("sub/b", "1"), ("c", "1")])).unwrap();
        assert_eq!(first.written, ["a", "c", "sub/b"]);

        std::fs::write(directory.join("theirs"), "").unwrap();
        let second = write(&directory, &rendered(&[("a", "1"), ("c", "2")])).unwrap();
        let expected =
            Written { written: vec!["c".into()], unchanged: vec!["a".into()], removed: vec!["sub/b".into()] };
        assert_eq!(second, expected);
        assert!(directory.join("theirs").exists());
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn manifest_does_not_reach_out_of_its_directory() {
        assert!(is_below("cloudformation/a.json"));
        assert!(!is_below("../a") && !is_below("/etc/a") && !is_below(""));
    }
}
