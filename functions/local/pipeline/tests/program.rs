//! The program's other commands, as CI runs them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

fn newsloom_local(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_newsloom-local"));
    command.args(arguments).args(["--broker", "installed", "--folder"]).arg(folder);
    command.env_remove("NO_COLOR").env_remove("NEWSLOOM_LOCAL_BROKER").stdin(Stdio::null());
    command.current_dir(root());
    command
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// The small environment with a model for each language that the vector has an expectation for.
fn with_routes(folder: &Path) -> PathBuf {
    let mut text = std::fs::read_to_string(root().join("newsloom.toml")).unwrap();
    for language in ["en", "de", "sv"] {
        let route = format!("name = \"finbert-{language}\"\nlanguages = [\"{language}\"]");
        text.extend([
            "\n[[enrichment.routes]]\n",
            &route,
            "\nendpoint = { kind = \"serverless\", max_concurrency = 8 }\n",
        ]);
    }
    let path = folder.join("newsloom.toml");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn test_vector_passes_row_by_row_through_the_whole_pipeline() {
    let folder = tempfile::tempdir().unwrap();
    let (config, junit) = (with_routes(folder.path()), folder.path().join("junit.xml"));
    let mut command = newsloom_local(&["verify", "--json"], folder.path());
    let output = command.arg("--config").arg(config).arg("--junit").arg(&junit).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{errors}");
    let report: Value = serde_json::from_str(&text).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let not_passed: Vec<_> = rows.iter().filter(|row| row["outcome"] != "passed").collect();
    assert!(rows.len() >= 20 && not_passed.is_empty(), "{not_passed:#?}");
    assert!(std::fs::read_to_string(junit).unwrap().contains("<testsuite"));
}

#[test]
fn quiet_soak_balances_its_books() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["soak", "--seconds", "3", "--no-faults", "--pace", "50/s"];
    let output = newsloom_local(&arguments, folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("balance 0"), "{text}");
}

#[test]
fn large_environment_runs_as_well_and_a_setting_of_its_trigger_is_what_runs() {
    let folder = tempfile::tempdir().unwrap();
    let production = std::fs::read_to_string(root().join("examples/production.toml")).unwrap();
    let config = folder.path().join("production.toml");
    let trigger = "[enrichment.trigger]\n";
    assert!(production.contains(trigger), "the example has no trigger of its own any more");
    let without: Vec<_> = production.lines().filter(|line| !line.starts_with("batch_size")).collect();
    std::fs::write(&config, without.join("\n").replace("[enrichment.trigger]", "[enrichment.trigger]\nbatch_size = 7"))
        .unwrap();
    let arguments = ["soak", "--seconds", "3", "--no-faults", "--pace", "30/s", "--config", config.to_str().unwrap()];
    let output = newsloom_local(&arguments, folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("enrich gets up to 7 at once"), "{text}");
}

#[test]
fn mistakes_on_the_command_line_are_told_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["demo", "--config", "nowhere.toml"][..], "nowhere.toml: there is no such file"),
        (&["demo", "--pace", "fast"], "recorded, x10, 500/s or max"),
        (&["demo", "--programs", "/nowhere"], "ingester, enrich, publish, consume are not in /nowhere"),
        (&["verify", "--vector", "nowhere.toml"], "nowhere.toml"),
    ] {
        let output = newsloom_local(arguments, folder.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(expected), "{arguments:?}: {text}");
    }
}
