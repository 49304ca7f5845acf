//! Streams and tables: modes that exclude each other, keys that nobody declared.

use super::{Findings, Subject, listed, literal};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    match subject.name {
        "aws_kinesis_stream" => shards(subject, "stream_mode_details.stream_mode", "shard_count", findings),
        "AWS::Kinesis::Stream" => shards(subject, "StreamModeDetails.StreamMode", "ShardCount", findings),
        "aws_dynamodb_table" => {
            keys(subject, &TERRAFORM, findings);
            capacity(subject, "billing_mode", &["read_capacity", "write_capacity"], findings);
        }
        "AWS::DynamoDB::Table" => {
            keys(subject, &CLOUDFORMATION, findings);
            capacity(subject, "BillingMode", &["ProvisionedThroughput"], findings);
        }
        _ => {}
    }
}

fn shards(subject: &Subject<'_>, mode: &str, count: &str, findings: &mut Findings) {
    let said = subject.word(mode);
    let on_demand = said == Some("ON_DEMAND");
    if on_demand && subject.has(count) {
        findings
            .add(count, format!("{count} is set, and the mode is ON_DEMAND, which scales by itself; leave one out"));
    }
    if said == Some("PROVISIONED") && !subject.has(count) {
        findings.add(count, format!("{count} is missing; a PROVISIONED stream needs it"));
    }
}

fn capacity(subject: &Subject<'_>, mode: &str, capacities: &[&str], findings: &mut Findings) {
    if subject.word(mode) != Some("PAY_PER_REQUEST") {
        return;
    }
    for capacity in capacities.iter().filter(|capacity| subject.has(capacity)) {
        findings.add(*capacity, format!("{capacity} is set, and {mode} is PAY_PER_REQUEST; leave one out"));
    }
}

/// Where a backend says which attributes a table has and which are keys.
struct Places {
    declared: &'static str,
    keys: &'static [&'static str],
}

const TERRAFORM: Places = Places {
    declared: "attribute.name",
    keys: &[
        "hash_key",
        "range_key",
        "global_secondary_index.hash_key",
        "global_secondary_index.range_key",
        "global_secondary_index.key_schema.attribute_name",
        "local_secondary_index.range_key",
    ],
};

const CLOUDFORMATION: Places = Places {
    declared: "AttributeDefinitions.AttributeName",
    keys: &[
        "KeySchema.AttributeName",
        "GlobalSecondaryIndexes.KeySchema.AttributeName",
        "LocalSecondaryIndexes.KeySchema.AttributeName",
    ],
};

fn keys(subject: &Subject<'_>, places: &Places, findings: &mut Findings) {
    let declared = subject.each(places.declared);
    let keys: Vec<_> = places.keys.iter().flat_map(|path| subject.each(path)).collect();
    // A name that only a deployment knows may be any of them.
    let all_known = declared.iter().chain(&keys).all(|(_, value)| literal(value).is_some());
    // What Terraform's `dynamic` makes isn't known either.
    if !all_known || keys.is_empty() || subject.has("dynamic") {
        return;
    }
    let names: Vec<&str> = declared.iter().filter_map(|(_, value)| literal(value)).collect();
    let block = places.declared.split('.').next().unwrap_or_default();
    for (path, key) in keys.iter().filter_map(|(path, value)| Some((path, literal(value)?))) {
        if !names.contains(&key) {
            let declared =
                if names.is_empty() { "nothing is".to_owned() } else { format!("declared: {}", listed(&names)) };
            findings.add(path, format!("the key `{key}` is not declared in {block}; {declared}"));
        }
    }
    for (path, value) in &declared {
        let used = keys.iter().any(|(_, key)| literal(key) == literal(value));
        if let (false, Some(name)) = (used, literal(value)) {
            findings.add(path, format!("`{name}` is declared and is no key; DynamoDB takes only keys here"));
        }
    }
}
