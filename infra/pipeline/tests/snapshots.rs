//! What each example renders, one snapshot per file, and who may do what in it. This is what a reviewer reads.

use std::{collections::BTreeSet, fs, path::Path};

use pipeline::{Assets, Format, Options, Settings, Stage, app, synth};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const SNAPSHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../snapshots");

/// Every example, and what its snapshots are called.
const EXAMPLES: [(&str, &str); 3] =
    [("small", "newsloom.toml"), ("production", "examples/production.toml"), ("separate", "examples/separate.toml")];

fn settings(config: &str) -> Settings {
    let text = fs::read_to_string(Path::new(ROOT).join(config)).unwrap();
    match Settings::from_toml(config, &text) {
        Ok(settings) => settings,
        Err(problems) => panic!("{problems}"),
    }
}

fn options(folder: &str, stages: &[Stage]) -> Options {
    let assets = Assets::placeholders().seen_from(Path::new(folder));
    Options { stages: stages.iter().copied().collect(), format: Format::All, assets }
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(SNAPSHOTS);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// `cloudformation/newsloom.template.json` → `pipeline_small.cloudformation.newsloom`.
fn name_of(example: &str, path: &str) -> String {
    let path = path.trim_end_matches(".json").trim_end_matches(".template").trim_end_matches(".tf");
    format!("pipeline_{example}.{}", path.replace('/', "."))
}

#[test]
fn every_file_of_every_example() {
    for (example, config) in EXAMPLES {
        let folder = if example == "separate" { "synth-out/stack" } else { "synth-out" };
        let synthesized = match synth(&settings(config), &options(folder, &[])) {
            Ok(synthesized) => synthesized,
            Err(problems) => panic!("{config}:\n{problems}"),
        };
        for (path, text) in synthesized.rendered.files() {
            snapshot(&name_of(example, path), text);
        }
    }
}

#[test]
fn no_snapshot_is_left_of_a_file_that_is_gone() {
    let mut wanted = BTreeSet::new();
    for (example, config) in EXAMPLES {
        let synthesized = synth(&settings(config), &options("synth-out", &[])).unwrap();
        wanted.extend(synthesized.rendered.files().map(|(path, _)| name_of(example, path) + ".snap"));
    }
    let found = fs::read_dir(SNAPSHOTS).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let ours = found.filter(|name| name.starts_with("pipeline_"));
    let gone: Vec<String> = ours.filter(|name| !wanted.contains(name)).collect();
    assert!(gone.is_empty(), "remove these from snapshots/: {gone:?}");
}

#[test]
fn who_may_do_what() {
    for (example, config) in EXAMPLES.into_iter().filter(|(example, _)| *example != "separate") {
        let app = app(&settings(config), &options("synth-out", &[]));
        snapshot(&format!("permissions_{example}"), &app.permissions());
    }
}

#[test]
fn quiet_functions_still_report_their_metrics() {
    let mut quiet = settings("newsloom.toml");
    quiet.enrichment.function.log_level = settings::LogLevel::Error;
    let synthesized = synth(&quiet, &options("synth-out", &[])).unwrap();
    let (_, lambda) = synthesized.rendered.files().find(|(path, _)| *path == "lambda.tf.json").unwrap();
    assert!(!lambda.contains(r#""application_log_level": "ERROR""#), "Lambda would drop metrics, which have no level");
    assert!(lambda.contains(r#""RUST_LOG": "error""#), "the function has to keep quiet itself");
}

#[test]
fn stacks_of_their_own_give_the_same_rights() {
    let mut separate = settings("newsloom.toml");
    separate.stages = settings::Layout::Separate;
    let together = app(&settings("newsloom.toml"), &options("synth-out", &[])).permissions();
    assert_eq!(app(&separate, &options("synth-out/stack", &[])).permissions(), together);
}

#[test]
fn each_stage_alone_is_whole() {
    for (_, config) in EXAMPLES.into_iter().filter(|(example, _)| *example != "separate") {
        for stage in Stage::ALL {
            if let Err(problems) = synth(&settings(config), &options("synth-out", &[stage])) {
                panic!("{config}, {} alone:\n{problems}", stage.name());
            }
        }
    }
}

#[test]
fn two_synths_are_the_same_to_the_byte() {
    for (_, config) in EXAMPLES {
        let render = || synth(&settings(config), &options("synth-out", &[])).unwrap().rendered;
        assert_eq!(render(), render(), "{config}");
    }
}
