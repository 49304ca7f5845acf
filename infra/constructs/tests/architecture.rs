//! Who may import whom: what ARCHITECTURE.md says, read from the sources.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Every part of the library, and the parts whose words it may use.
const MAY_IMPORT: [(&str, &[&str]); 6] = [
    // The resource that a role's policy is about is asked for its permissions.
    ("tree", &["tree", "policy"]),
    ("policy", &["policy", "tree"]),
    ("schema", &["schema", "tree"]),
    ("rules", &["rules", "tree", "schema", "policy"]),
    ("render", &["render", "tree", "schema", "policy", "rules"]),
    ("services", &["services", "tree", "policy", "rules"]),
];

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn parts_import_only_what_they_may() {
    let mut wrong = Vec::new();
    for (part, allowed) in MAY_IMPORT {
        for file in sources(&source_of(part)) {
            let code = code_of(&file);
            let taken = imports(&code).into_iter().filter(|taken| !allowed.contains(&taken.as_str()));
            wrong.extend(taken.map(|taken| format!("{} imports `{taken}`", file.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_part_has_a_rule() {
    let ruled: BTreeSet<&str> = MAY_IMPORT.iter().map(|(part, _)| *part).collect();
    let library = code_of(&source_of("lib.rs"));
    let parts: Vec<&str> = library.lines().filter_map(|line| line.split_once("mod ")?.1.strip_suffix(';')).collect();
    for part in parts.iter().filter(|part| **part != "testing") {
        assert!(ruled.contains(part), "`{part}` is new: say in MAY_IMPORT whose words it may use");
    }
}

#[test]
fn tree_names_no_type_of_aws() {
    for file in sources(&source_of("tree")) {
        let code = code_of(&file);
        assert!(!code.contains("\"aws_") && !code.contains("\"AWS::"), "{} names a type of AWS", file.display());
    }
}

#[test]
fn library_and_functions_know_nothing_of_the_pipeline() {
    let mut manifests = vec![Path::new(ROOT).join("infra/constructs/Cargo.toml")];
    // But for functions/local/pipeline, which runs what the pipeline describes.
    manifests.push(Path::new(ROOT).join("functions/local/parts/Cargo.toml"));
    for folder in ["functions", "ingester"] {
        for part in fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
            manifests.push(part.unwrap().path().join("Cargo.toml"));
        }
    }
    for manifest in manifests.iter().filter(|manifest| manifest.exists()) {
        let text = fs::read_to_string(manifest).unwrap();
        for crate_of_the_pipeline in
            ["settings.workspace", "package.workspace", "newsloom-settings =", "newsloom-pipeline ="]
        {
            assert!(!text.contains(crate_of_the_pipeline), "{}: {crate_of_the_pipeline}", manifest.display());
        }
        let is_library = manifest.ends_with("infra/constructs/Cargo.toml");
        assert!(is_library || !text.contains("constructs.workspace"), "{} imports constructs", manifest.display());
    }
}

fn source_of(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(part)
}

/// The Rust files of a folder and the folders in it, without tests, which may use everything.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let is_test = name == "tests" || name.ends_with("_tests");
        if path.is_dir() && !is_test {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            files.push(path);
        }
    }
    files
}

#[test]
fn simulator_shares_nothing_with_its_clients() {
    let manifest = fs::read_to_string(Path::new(ROOT).join("ingester/simulator/Cargo.toml")).unwrap();
    for ours in ["lseg.workspace", "ingester.workspace", "news.workspace", "runtime.workspace"] {
        assert!(!manifest.contains(ours), "{ours}");
    }
}

/// A file's code, without comments and without the tests at its end.
fn code_of(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The parts of the library that code names: in `crate::tree::Stack`, in `use crate::{policy, tree::Stack}`,
/// and in `super::super::…`, which is another way out of a folder and is not used.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => found.extend(first_words(group)),
            None => found.extend(word(rest)),
        }
    }
    if code.contains("super::super::") {
        found.insert("super::super".to_owned());
    }
    found
}

/// The first word of every member of a group, up to the bracket that closes it.
fn first_words(group: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut depth = 0_u32;
    let mut starts = true;
    for (place, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => starts = true,
            letter if starts && letter.is_ascii_alphabetic() => {
                words.extend(word(&group[place..]));
                starts = false;
            }
            _ => (),
        }
    }
    words
}

fn word(text: &str) -> Option<String> {
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

#[test]
fn imports_are_read_as_the_compiler_reads_them() {
    let code = "use crate::{policy::{Grant, Use}, tree::Stack};\nlet _ = crate::render::Format::All;";
    let expected = ["policy", "render", "tree"].map(str::to_owned);
    assert_eq!(imports(code), BTreeSet::from(expected));
}
