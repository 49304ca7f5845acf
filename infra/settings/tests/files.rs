//! The files that the repository ships, and the schema beside them.

use settings::{Settings, schema_json};
use std::fs::read_to_string;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn load(file: &str) -> Settings {
    let text = read_to_string(format!("{ROOT}/{file}")).unwrap();
    Settings::from_toml(file, &text).unwrap_or_else(|problems| panic!("\n{problems}\n"))
}

#[test]
fn newsloom_toml_is_right_and_small() {
    let settings = load("newsloom.toml");
    assert_eq!(settings.enrichment, settings::Enrichment::default());
    assert_eq!(settings.redistribution, settings::Redistribution::default());
}

#[test]
fn production_example_is_right() {
    let settings = load("examples/production.toml");
    assert!(settings.encryption.customer_managed);
    assert_eq!(
        settings.network,
        settings::Network::New(settings::NewNetwork {
            cidr: "10.60.0.0/20".into(),
            zones: settings::Zones::Count(3),
            nat: true,
            ..settings::NewNetwork::default()
        })
    );
}

#[test]
fn schema_file_is_fresh() {
    let written = read_to_string(format!("{ROOT}/newsloom.schema.json")).unwrap_or_default();
    assert!(written == schema_json(), "newsloom.schema.json is not what the types say: run `make schema`");
}

/// Every value of the largest file, replaced by what no setting takes, is found on its line.
#[test]
fn every_wrong_value_is_found_where_it_is() {
    let text = read_to_string(format!("{ROOT}/examples/production.toml")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        // A tag may be empty.
        let setting = line.split_once(" = ").filter(|(key, _)| *key == key.to_lowercase());
        let Some((key, _)) = setting else {
            continue;
        };
        for wrong in ["1979-05-27", "-1", "\"\"", "[\"\"]", "{}", "99999999999999999999"] {
            let line = format!("{key} = {wrong}");
            let broken = [&lines[..index], &[&line], &lines[index + 1..]].concat().join("\n");
            let result = Settings::from_toml("production.toml", &broken);
            let problems = result.expect_err(&line);
            let mut here = problems.iter().filter_map(|problem| problem.place.as_ref());
            assert!(here.any(|place| place.line == index + 1), "{line}: {problems}");
        }
    }
}

/// What is left when any line is missing is read, or refused with a place, and never a panic.
#[test]
fn every_missing_line_is_taken_or_refused_with_a_place() {
    let text = read_to_string(format!("{ROOT}/examples/production.toml")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    for index in 0..lines.len() {
        let left = [&lines[..index], &lines[index + 1..]].concat().join("\n");
        if let Err(problems) = Settings::from_toml("production.toml", &left) {
            assert!(problems.iter().all(|problem| problem.place.is_some()), "{problems}");
        }
    }
}
