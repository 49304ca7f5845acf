//! The code that the stack deploys: function zips and the ingester, named by their content.

use crate::{Problem, Problems};
use settings::Architecture;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

/// The name of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AssetName {
    /// `enrich.zip`.
    Enrich,
    /// `publish.zip`.
    Publish,
    /// `ingester`.
    Ingester,
}

impl AssetName {
    /// All of them, in the order in which records flow.
    pub const ALL: [Self; 3] = [Self::Ingester, Self::Enrich, Self::Publish];

    /// Its name, and what its file's name ends with.
    const fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Enrich => ("enrich", ".zip"),
            Self::Publish => ("publish", ".zip"),
            Self::Ingester => ("ingester", ""),
        }
    }
}

/// The code that the stack deploys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assets {
    /// Kinesis → SageMaker → DynamoDB, a `bootstrap` zip.
    pub enrich: Asset,
    /// DynamoDB Streams → RabbitMQ, a `bootstrap` zip.
    pub publish: Asset,
    /// Feeds → Kinesis, a binary.
    pub ingester: Asset,
}

/// A file to upload, under a key that changes with its content, so that a deployment sees a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// The key in the bucket for code: `enrich/<sha256>.zip`.
    pub key: String,
    /// The file on this machine.
    pub path: PathBuf,
    /// SHA-256 of its content, 64 hexadecimal digits, as `sha256sum` says it.
    pub sha256: String,
    /// The same in base64, as Lambda and Terraform's `source_code_hash` want it.
    pub sha256_base64: String,
    /// Nothing is built: the digest is all zeros and the path leads nowhere.
    pub placeholder: bool,
}

impl Assets {
    /// The packages in a directory, `target/package` by default, and stand-ins for those to do without.
    ///
    /// # Errors
    ///
    /// Names every other package that isn't there, and how to build it.
    pub fn locate(directory: &Path, without: &BTreeSet<AssetName>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut find = |name| {
            let placeholder = Asset::placeholder(directory, name);
            if without.contains(&name) {
                return placeholder;
            }
            Asset::read(directory, name).unwrap_or_else(|problem| {
                problems.push(problem);
                placeholder
            })
        };
        let assets = Self {
            enrich: find(AssetName::Enrich),
            publish: find(AssetName::Publish),
            ingester: find(AssetName::Ingester),
        };
        if problems.is_empty() { Ok(assets) } else { Err(Problems::new(problems)) }
    }

    /// Packages that are of another architecture, because they were built for another configuration. Lambda takes
    /// them, and can't start them.
    pub fn built_for_others(&self, architecture: Architecture) -> Problems {
        let built = [&self.ingester, &self.enrich, &self.publish].into_iter().filter(|asset| !asset.placeholder);
        let problems = built.filter_map(|asset| {
            let found = package::architecture(&asset.path).filter(|found| *found != architecture)?;
            let (found, wanted) = (found.name(), architecture.name());
            let message = format!("is built for {found}; the configuration's architecture is {wanted}");
            let help = "`make package CONFIG=…` builds it for the configuration".to_owned();
            Some(Problem { place: None, subject: asset.path.display().to_string(), message, help: Some(help) })
        });
        Problems::new(problems.collect())
    }

    /// Stand-ins for all packages, so that a stack can be seen before anything is built. It is valid
    /// and can be planned; applying it stops at the missing files.
    pub fn placeholders() -> Self {
        let placeholder = |name| Asset::placeholder(Path::new("target/package"), name);
        Self {
            enrich: placeholder(AssetName::Enrich),
            publish: placeholder(AssetName::Publish),
            ingester: placeholder(AssetName::Ingester),
        }
    }

    /// Those that nothing is built for.
    pub fn missing(&self) -> impl Iterator<Item = &Asset> {
        [&self.ingester, &self.enrich, &self.publish].into_iter().filter(|asset| asset.placeholder)
    }
}

impl Assets {
    /// The same, with paths as Terraform has to write them when it runs in that folder. Relative paths stay
    /// relative, so that what is synthesized doesn't depend on where the checkout is.
    pub fn seen_from(self, folder: &Path) -> Self {
        let Self { enrich, publish, ingester } = self;
        Self {
            enrich: enrich.seen_from(folder),
            publish: publish.seen_from(folder),
            ingester: ingester.seen_from(folder),
        }
    }
}

impl Asset {
    fn seen_from(self, folder: &Path) -> Self {
        let plain = folder.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let steps = folder.components().filter(|part| matches!(part, Component::Normal(_))).count();
        let path = if self.path.is_absolute() {
            self.path
        } else if plain {
            let up: PathBuf = std::iter::repeat_n("..", steps).collect();
            up.join(self.path)
        } else {
            std::path::absolute(&self.path).unwrap_or(self.path)
        };
        Self { path, ..self }
    }

    fn read(directory: &Path, name: AssetName) -> Result<Self, Problem> {
        let asset = Self::placeholder(directory, name);
        let content = std::fs::read(&asset.path).map_err(|error| unread(name, &asset.path, &error))?;
        Ok(Self { placeholder: false, ..Self::new(directory, name, &Sha256::digest(content)) })
    }

    fn placeholder(directory: &Path, name: AssetName) -> Self {
        Self { placeholder: true, ..Self::new(directory, name, &[0; 32]) }
    }

    fn new(directory: &Path, name: AssetName, digest: &[u8]) -> Self {
        let (name, extension) = name.file();
        let sha256 = hexadecimal(digest);
        Self {
            key: format!("{name}/{sha256}{extension}"),
            path: directory.join(format!("{name}{extension}")),
            sha256,
            sha256_base64: base64(digest),
            placeholder: false,
        }
    }
}

fn unread(name: AssetName, path: &Path, error: &std::io::Error) -> Problem {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => "is not built yet".into(),
        _ => format!("can't be read: {error}"),
    };
    let help = format!("`make package` builds it; --without-assets={} goes on without, for a look", name.file().0);
    Problem { place: None, subject: path.display().to_string(), message, help: Some(help) }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| chunk.get(index).copied().map_or(0, u32::from);
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            let shown = digit <= chunk.len();
            text.push(if shown { char::from(ALPHABET[value as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_what_sha256sum_and_openssl_say() {
        let directory = std::env::temp_dir().join(format!("newsloom-assets-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("enrich.zip"), "abc").unwrap();
        let asset = Asset::read(&directory, AssetName::Enrich).unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(asset.key, format!("enrich/{digest}.zip"));
        assert_eq!(asset.sha256_base64, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    }

    #[test]
    fn base64_pads_as_everyone_does() {
        assert_eq!(base64(b"f"), "Zg==");
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(base64(b"foo"), "Zm9v");
    }

    #[test]
    fn every_missing_package_is_named_with_the_command_that_builds_it() {
        let problems = Assets::locate(Path::new("nowhere"), &BTreeSet::new()).unwrap_err();
        assert_eq!(problems.len(), 3);
        let first = problems.iter().next().unwrap();
        assert_eq!(first.subject, "nowhere/enrich.zip");
        assert!(first.help.as_deref().unwrap().contains("make package"));
    }

    #[test]
    fn what_is_done_without_is_not_looked_for() {
        let without = BTreeSet::from([AssetName::Publish, AssetName::Ingester]);
        let problems = Assets::locate(Path::new("nowhere"), &without).unwrap_err();
        assert_eq!(problems.iter().map(|problem| problem.subject.as_str()).collect::<Vec<_>>(), ["nowhere/enrich.zip"]);
        let assets = Assets::locate(Path::new("nowhere"), &BTreeSet::from(AssetName::ALL)).unwrap();
        assert_eq!(assets.missing().count(), 3);
    }

    #[test]
    fn paths_lead_from_the_folder_that_terraform_runs_in() {
        let seen = |folder: &str| Assets::placeholders().seen_from(Path::new(folder)).enrich.path;
        assert_eq!(seen("synth-out"), Path::new("../target/package/enrich.zip"));
        assert_eq!(seen("./out/enrichment"), Path::new("../../target/package/enrich.zip"));
        assert!(seen("/tmp/out").is_absolute());
    }

    #[test]
    fn placeholders_say_that_they_are() {
        let enrich = Assets::placeholders().enrich;
        assert!(enrich.placeholder);
        assert_eq!(enrich.key, format!("enrich/{}.zip", "0".repeat(64)));
    }
}
