//! That everything is measured; how fast it is is no matter of tests.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

#[test]
fn every_part_of_the_pipeline_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("bench.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_newsloom-local"));
    command
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.."));
    command.args(["bench", "--broker", "installed", "--rate", "20", "--seconds", "1", "--items", "100"]);
    let output = command.arg("--folder").arg(folder.path()).arg("--json").arg(&json).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");

    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let pace = &report["paces"][0];
    let of = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("no number: {value} in {report:#}"));
    assert!(of(&pace["items"]) >= 20.0, "{pace}");
    // A model that takes 20 ms is asked on the way.
    assert!(of(&pace["p50_ms"]) > 20.0 && of(&pace["p99_ms"]) >= of(&pace["p50_ms"]), "{pace}");
    assert_eq!(report["flood"]["items"], 100);
    for part in ["ingester", "enrich", "publish", "RabbitMQ", "AWS's emulators", "pollers"] {
        assert!(of(&report["flood"]["processor_us"][part]) > 0.0, "{part}");
    }
    let steps = report["floor"].as_array().unwrap();
    assert!(steps.iter().all(|step| of(&step["ms"]) > 0.0), "{steps:?}");
    assert!(steps.iter().map(|step| of(&step["ms"])).sum::<f64>() > 40.0, "a model and two pauses: {steps:?}");
    let rates = report["rates"].as_array().unwrap();
    assert!(rates.len() == 4 && rates.iter().all(|rate| of(&rate["per_second"]) > 0.0), "{rates:?}");
    assert!(text.contains("the floor, their sum") && text.contains("the slowest is"), "{text}");
}

#[test]
fn mistakes_on_the_command_line_are_told_before_anything_starts() {
    for (arguments, expected) in [
        (["--rate", "0"], "a number above 0 is needed"),
        (["--items", "0"], "a number from 1 on is needed"),
        (["--programs", "/nowhere"], "ingester, enrich, publish, consume are not in /nowhere"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_newsloom-local"));
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.."));
        let output = command.arg("bench").args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(expected), "{arguments:?}: {text}");
    }
}
