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
    assert!(
        written == schema_json(),
        "newsloom.schema.json is not what the types say: run `make schema`"
    );
}
