//! What the packs hold.

use super::*;

#[test]
fn every_type_decodes() {
    let mut count = 0;
    for backend in BACKENDS {
        let schemas = Schemas::new(backend);
        for kind in KINDS {
            for name in schemas.names(kind) {
                let schema = schemas.find(kind, &name).unwrap();
                assert!(sorted(&schema.root), "{name}");
                count += 1;
            }
        }
    }
    assert_eq!(count, 2364 + 382);
}

fn sorted(object: &shape::Object) -> bool {
    object.properties.is_sorted_by(|a, b| a.name < b.name)
}

#[test]
fn every_pattern_compiles() {
    let mut broken = Vec::new();
    for backend in BACKENDS {
        let schemas = Schemas::new(backend);
        for kind in KINDS {
            for name in schemas.names(kind) {
                schemas.find(kind, &name).unwrap();
            }
        }
        let patterns = std::mem::take(&mut schemas.store().patterns);
        let failing = patterns.into_values().filter(|pattern| pattern.regex().is_none());
        broken.extend(failing.map(|pattern| pattern.text().to_owned()));
    }
    assert_eq!(broken, [""; 0]);
}

#[test]
fn a_kind_the_backend_does_not_have_is_unknown() {
    let schemas = Schemas::new(Backend::CloudFormation);
    assert!(schemas.find(Kind::Data, "AWS::SQS::Queue").is_err());
}

#[test]
fn a_far_name_has_no_near_one() {
    let schemas = Schemas::new(Backend::Terraform);
    let unknown = schemas.find(Kind::Resource, "google_storage_bucket").unwrap_err();
    assert_eq!(unknown.to_string(), "unknown type `google_storage_bucket`");
}

#[test]
fn facts_beside_the_properties_are_kept() {
    let stream = schema("AWS::Kinesis::Stream");
    let arn = "arn:${Partition}:kinesis:${Region}:${Account}:stream/${StreamName}";
    assert_eq!(stream.arn.as_deref(), Some(arn));
    assert!(stream.replaces("Name") && !stream.replaces("Tags"));
    assert!(stream.attribute("Arn").is_some() && stream.attribute("Name").is_none());
    assert!(schema("aws_kinesis_stream").replaces("name"));
    let group = schema("aws_autoscaling_group");
    assert_eq!(group.tags.as_ref().unwrap().form, TagForm::PairsAtLaunch);
}
