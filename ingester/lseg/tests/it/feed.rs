//! A server's side: what it would send.

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::Write;

/// A story with what is required.
pub(crate) fn story(id: &str) -> Value {
    json!({
        "id": id, "altId": "nABC", "headline": format!("Example plc opens plant {id}"), "language": "en",
        "versionCreated": "2026-01-02T03:04:05.678Z", "firstCreated": "2026-01-02T03:04:05.000Z",
        "provider": "NS:RTRS", "urgency": 3, "takeSequence": 1, "pubStatus": "stat:usable",
        "subjects": ["R:EXA.L", "N2:GB"], "audiences": ["NP:E"], "body": "The plant is in Exampletown.",
    })
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// The updates of an item, cut into parts of at most `size` bytes.
pub(crate) fn updates(id: i64, guid: &str, item: &Value, size: usize) -> Vec<Value> {
    let gzip = gzip(item.to_string().as_bytes());
    let parts = gzip.chunks(size).enumerate();
    parts.map(|(index, part)| update(id, guid, index as u64 + 1, gzip.len(), part)).collect()
}

pub(crate) fn update(id: i64, guid: &str, number: u64, total: usize, part: &[u8]) -> Value {
    let mut fields = json!({
        "GUID": guid, "MRN_SRC": "HDC_PRD_A", "FRAG_NUM": number, "FRAGMENT": BASE64_STANDARD.encode(part),
    });
    if number == 1 {
        fields["TOT_SIZE"] = total.into();
        fields["TIMACT_MS"] = 29_420_702.into();
        fields["MRN_TYPE"] = "STORY".into();
    }
    json!({
        "ID": id, "Type": "Update", "Domain": "NewsTextAnalytics", "UpdateType": "Unspecified",
        "Key": {"Service": "ELEKTRON_DD", "Name": "MRN_STORY"}, "SeqNumber": 35950, "Fields": fields,
    })
}

pub(crate) fn login(state: &Value) -> Value {
    json!({
        "ID": 1, "Type": "Refresh", "Domain": "Login", "State": state,
        "Key": {"Name": "user", "Elements": {"SupportBatchRequests": 7, "SupportStandby": 1}},
        "Elements": {"PingTimeout": 30, "MaxMsgSize": 61430},
    })
}

pub(crate) fn refresh(id: i64, state: &Value) -> Value {
    json!({
        "ID": id, "Type": "Refresh", "Domain": "NewsTextAnalytics", "Key": {"Service": "ELEKTRON_DD", "Name": "MRN_STORY"},
        "State": state, "Fields": {"GUID": null, "FRAG_NUM": 1, "TOT_SIZE": 0, "FRAGMENT": null, "MRN_SRC": "HDC_PRD_A"},
    })
}

pub(crate) fn status(id: i64, state: &Value) -> Value {
    json!({"ID": id, "Type": "Status", "Domain": "NewsTextAnalytics", "State": state})
}

pub(crate) fn good() -> Value {
    json!({"Stream": "Open", "Data": "Ok"})
}

pub(crate) fn state(stream: &str, data: &str, code: &str) -> Value {
    json!({"Stream": stream, "Data": data, "Code": code, "Text": "as it is"})
}
