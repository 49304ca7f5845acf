//! The same sources give the same package: a small function, built in two checkouts as two people would.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const WORKSPACE: &str = r#"
[workspace]
resolver = "3"
members = ["functions/enrich"]
[profile.function]
inherits = "release"
opt-level = "s"
lto = "fat"
codegen-units = 1
strip = true
"#;

const MANIFEST: &str = r#"
[package]
name = "newsloom-enrich"
version = "0.1.0"
edition = "2024"
[[bin]]
name = "enrich"
path = "src/main.rs"
"#;

const LOCK: &str = r#"
version = 4
[[package]]
name = "newsloom-enrich"
version = "0.1.0"
"#;

/// Says where it is: in panics, in what a build script wrote, and in generic code of the standard library.
const MAIN: &str = r#"
include!(concat!(env!("OUT_DIR"), "/written.rs"));
fn main() {
    let words: Vec<String> = std::env::args().collect();
    let steps = words.iter().step_by(words.len() - 1).count();
    println!("{} {} {}", file!(), written(), words[steps]);
}
"#;

const BUILD: &str = r#"
fn main() {
    let code = "fn written() -> &'static str { std::env::args().next().map(|_| file!()).unwrap() }";
    std::fs::write(std::env::var("OUT_DIR").unwrap() + "/written.rs", code).unwrap();
}
"#;

fn checkout(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    let function = folder.join("functions/enrich");
    fs::create_dir_all(function.join("src")).unwrap();
    fs::write(folder.join("Cargo.toml"), WORKSPACE).unwrap();
    fs::write(folder.join("Cargo.lock"), LOCK).unwrap();
    fs::write(function.join("Cargo.toml"), MANIFEST).unwrap();
    fs::write(function.join("build.rs"), BUILD).unwrap();
    fs::write(function.join("src/main.rs"), MAIN).unwrap();
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../newsloom.toml");
    let settings = format!("architecture = \"{architecture}\"\n{}", fs::read_to_string(shipped).unwrap());
    fs::write(folder.join("newsloom.toml"), settings).unwrap();
    folder
}

/// The package that is built there, and what was said about it.
fn package(checkout: &Path, variables: &[(&str, &str)]) -> (Vec<u8>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_newsloom"));
    command.args(["package", "enrich"]).current_dir(checkout).envs(variables.iter().copied());
    command.env_remove("CARGO_TARGET_DIR").env_remove("CARGO_BUILD_TARGET");
    let output = command.output().expect("newsloom starts");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    (fs::read(checkout.join("target/package/enrich.zip")).unwrap(), errors)
}

#[test]
fn package_is_the_same_in_every_checkout_whatever_its_owner_has_set() {
    let (here, there) = (checkout("here"), checkout("somewhere/else/there"));
    let (first, _) = package(&here, &[]);
    let (second, _) = package(&there, &[("RUSTFLAGS", "-C target-cpu=native"), ("CARGO_INCREMENTAL", "1")]);
    assert!(first == second, "the packages differ");
    let executable = fs::read(here.join("target/function/enrich")).unwrap();
    let machine = env!("CARGO_TARGET_TMPDIR").as_bytes();
    assert!(!executable.windows(machine.len()).any(|window| window == machine), "a path of this machine is in it");
}

#[test]
fn package_that_is_there_is_neither_built_nor_written_again() {
    let checkout = checkout("again");
    let written =
        |checkout: &Path| fs::metadata(checkout.join("target/package/enrich.zip")).unwrap().modified().unwrap();
    let (_, said) = package(&checkout, &[]);
    assert!(said.contains("Compiling newsloom-enrich"), "{said}");
    let first = written(&checkout);
    let (_, said) = package(&checkout, &[]);
    // Cargo may say that it waits for another one on this machine, but for nothing else.
    assert!(said.is_empty() || said.trim_start().starts_with("Blocking"), "{said}");
    assert!(!said.contains("Compiling"), "{said}");
    assert_eq!(written(&checkout), first);
}
