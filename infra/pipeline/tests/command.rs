//! The command as people and scripts see it: texts, streams, exit status.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn newsloom(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_newsloom"));
    command.args(arguments).current_dir(ROOT).output().expect("newsloom starts")
}

/// A folder of one test, empty at first.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
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
    let pages =
        [&["--help"][..], &["synth", "--help"], &["check", "--help"], &["schema", "--help"], &["package", "--help"]];
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
fn synth_goes_on_without_what_is_named_and_says_so() {
    let folder = Folder::new("without");
    std::fs::write(folder.path("enrich.zip"), "enrich").unwrap();
    std::fs::write(folder.path("publish.zip"), "publish").unwrap();
    let (assets, out) = (folder.text(""), folder.text("out"));
    let output = newsloom(&["synth", "--assets", &assets, "--out", &out, "--without-assets=ingester", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["placeholders"], serde_json::json!([folder.text("ingester")]));
    let people = text(&newsloom(&["synth", "--out", &out, "--without-assets"]).stdout);
    assert!(people.contains("3 placeholders for target/package/ingester, target/package/enrich.zip,"), "{people}");
}

#[test]
fn unknown_names_are_answered_with_those_that_there_are() {
    let output = newsloom(&["synth", "--without-assets=consume"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("[possible values: enrich, publish, ingester]"), "{}", text(&output.stderr));
    let output = newsloom(&["package", "consume"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("[possible values: enrich, publish, ingester]"), "{}", text(&output.stderr));
}

/// A small executable of this machine, and a configuration that asks for its architecture.
fn compile(executable: &Path, config: &Path) {
    let source = executable.with_extension("c");
    std::fs::write(&source, "int main(void) { return 0; }").unwrap();
    let compiled = Command::new("cc").arg(&source).arg("-o").arg(executable).status().expect("cc starts");
    assert!(compiled.success());
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let shipped = std::fs::read_to_string(Path::new(ROOT).join("newsloom.toml")).unwrap();
    std::fs::write(config, format!("architecture = \"{architecture}\"\n{shipped}")).unwrap();
}

#[test]
fn executables_that_were_built_elsewhere_are_checked_and_zipped() {
    let folder = Folder::new("packages");
    std::fs::create_dir_all(folder.path("enrich")).unwrap();
    compile(&folder.path("enrich/bootstrap"), &folder.path("newsloom.toml"));
    let (from, config, out) = (folder.text(""), folder.text("newsloom.toml"), folder.text("out"));
    let run = || newsloom(&["package", "enrich", "--from", &from, "--config", &config, "--out", &out, "--json"]);
    let result = |output: &Output| serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
    let first = run();
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stdout));
    let package = &result(&first)["packages"][0];
    assert_eq!((&package["name"], &package["written"]), (&"enrich".into(), &true.into()));
    let bytes = std::fs::read(folder.path("out/enrich.zip")).unwrap();
    assert_eq!(package["bytes"], bytes.len());
    assert_eq!(result(&run())["packages"][0]["written"], false);
    std::fs::remove_dir_all(folder.path("out")).unwrap();
    run();
    assert!(std::fs::read(folder.path("out/enrich.zip")).unwrap() == bytes, "two runs differ");
}

#[test]
fn package_of_another_architecture_is_not_deployed() {
    let folder = Folder::new("architectures");
    compile(&folder.path("enrich"), &folder.path("newsloom.toml"));
    std::fs::copy(folder.path("enrich"), folder.path("publish")).unwrap();
    std::fs::copy(folder.path("enrich"), folder.path("ingester")).unwrap();
    let (from, config, out) = (folder.text(""), folder.text("newsloom.toml"), folder.text("out"));
    let packaged = newsloom(&["package", "--from", &from, "--config", &config, "--out", &from]);
    assert_eq!(packaged.status.code(), Some(0), "{}", text(&packaged.stderr));
    let synth = || newsloom(&["synth", "--config", &config, "--assets", &from, "--out", &out]);
    assert_eq!(synth().status.code(), Some(0), "{}", text(&synth().stderr));
    let settings = std::fs::read_to_string(folder.path("newsloom.toml")).unwrap();
    let other = if cfg!(target_arch = "aarch64") { ("arm64", "x86_64") } else { ("x86_64", "arm64") };
    std::fs::write(folder.path("newsloom.toml"), settings.replacen(other.0, other.1, 1)).unwrap();
    let refused = synth();
    assert_eq!(refused.status.code(), Some(1));
    let problem = format!("enrich.zip: is built for {}; the configuration's architecture is {}", other.0, other.1);
    assert!(text(&refused.stderr).contains(&problem), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains(&problem.replace("enrich.zip", "ingester")), "{}", text(&refused.stderr));
}

#[test]
fn what_lambda_could_not_start_is_not_packaged() {
    let output = newsloom(&["package", "--from", "infra/pipeline/tests/executables", "--out", "not/written"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    assert!(!Path::new(ROOT).join("not/written").exists());
    snapshot("not_for_lambda", &text(&output.stderr));
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
