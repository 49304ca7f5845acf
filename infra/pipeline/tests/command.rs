//! The command as people and scripts see it: texts, streams, exit status.

use std::path::Path;
use std::process::{Command, Output};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn newsloom(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_newsloom"));
    command.args(arguments).current_dir(ROOT).output().expect("newsloom starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn snapshot(situation: &str, text: &str) {
    let mut insta = insta::Settings::clone_current();
    insta.set_snapshot_path(Path::new(ROOT).join("snapshots"));
    insta.set_prepend_module_to_snapshot(false);
    insta.set_omit_expression(true);
    insta.bind(|| insta::assert_snapshot!(format!("newsloom_{situation}"), text));
}

#[test]
fn help_teaches() {
    let pages = [&["--help"][..], &["synth", "--help"], &["check", "--help"], &["schema", "--help"]];
    let help = pages.map(|arguments| text(&newsloom(arguments).stdout));
    snapshot("help", &help.join("\n----------------\n\n"));
}

#[test]
fn shipped_files_are_fine() {
    for config in ["newsloom.toml", "examples/production.toml"] {
        let output = newsloom(&["check", "--config", config]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).starts_with(&format!("{config} is fine")));
    }
}

#[test]
fn problems_go_to_standard_error_and_status_is_one() {
    let output = newsloom(&["check", "--config", "no/such.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    snapshot("no_such_file", &text(&output.stderr));
}

#[test]
fn what_is_not_built_is_named() {
    let output = newsloom(&["synth", "--assets", "not/built"]);
    assert_eq!(output.status.code(), Some(1));
    snapshot("not_built", &text(&output.stderr));
}

#[test]
fn programs_get_problems_as_json() {
    let output = newsloom(&["check", "--json", "--config", "Cargo.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "");
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["ok"], false);
    let first = &result["problems"][0];
    assert_eq!(first["place"]["file"], "Cargo.toml");
    assert_eq!(first["place"]["line"], 1);
}

#[test]
fn wrong_command_is_status_two() {
    assert_eq!(newsloom(&["synth", "--format", "pulumi"]).status.code(), Some(2));
    assert_eq!(newsloom(&["sinth"]).status.code(), Some(2));
}

#[test]
fn schema_is_the_file_of_the_repository() {
    let written = std::fs::read_to_string(Path::new(ROOT).join("newsloom.schema.json")).unwrap();
    assert!(text(&newsloom(&["schema"]).stdout) == written, "run `make schema`");
}
