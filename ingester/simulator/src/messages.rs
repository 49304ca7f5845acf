//! What the server says.

use crate::{envelope::Part, item::Ric};
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt::Write;

/// A stream's state, in the feed's words.
///
/// ```
/// use simulator::State;
/// let stale = State::open("Suspect").code("GapDetected").text("lines are down");
/// assert_eq!((stale.stream.as_str(), stale.data.as_str()), ("Open", "Suspect"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// `Open`, `Closed`, `ClosedRecover`, `NonStreaming` or `Redirected`.
    pub stream: String,
    /// `Ok`, `Suspect` or `NoChange`.
    pub data: String,
    /// `NotEntitled`, `Timeout`, …; left out on the wire where there is none.
    #[serde(default)]
    pub code: Option<String>,
    /// For people.
    #[serde(default)]
    pub text: Option<String>,
}

impl State {
    /// The stream stays open; `data` is `Ok`, `Suspect` or `NoChange`.
    pub fn open(data: &str) -> Self {
        Self { stream: "Open".into(), data: data.into(), code: None, text: None }
    }

    /// The stream is over, with a code such as `NotEntitled`.
    pub fn closed(code: &str) -> Self {
        Self { stream: "Closed".into(), ..Self::open("Suspect") }.code(code)
    }

    /// The stream is over, and may be asked for again.
    pub fn closed_recover() -> Self {
        Self { stream: "ClosedRecover".into(), ..Self::open("Suspect") }
    }

    /// With this code.
    pub fn code(self, code: &str) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    /// With this text.
    pub fn text(self, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..self }
    }

    /// Whether the stream goes on.
    pub fn is_open(&self) -> bool {
        self.stream == "Open"
    }

    fn json(&self) -> Value {
        let mut state = json!({ "Stream": self.stream, "Data": self.data });
        for (member, value) in [("Code", &self.code), ("Text", &self.text)] {
            if let Some(value) = value {
                state[member] = value.clone().into();
            }
        }
        state
    }
}

pub(crate) const PING: &str = r#"{"Type":"Ping"}"#;
pub(crate) const PONG: &str = r#"{"Type":"Pong"}"#;

/// Who logged in, as the login's answers name it.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) application: String,
    pub(crate) position: String,
}

pub(crate) fn login_refresh(who: &Named, endpoint: &str, max_message: usize, ping_timeout: u64) -> String {
    json!({
        "ID": who.id,
        "Type": "Refresh",
        "Domain": "Login",
        "Key": { "Name": who.name, "Elements": {
            "AllowSuspectData": 1, "ApplicationId": who.application, "ApplicationName": "newsfeed-sim",
            "Position": who.position, "ProvidePermissionExpressions": 1, "ProvidePermissionProfile": 0,
            "SingleOpen": 1, "SupportBatchRequests": 7, "SupportEnhancedSymbolList": 1, "SupportOMMPost": 0,
            "SupportOptimizedPauseResume": 0, "SupportPauseResume": 0, "SupportStandby": 0, "SupportViewRequests": 1,
        } },
        "State": State::open("Ok").text(format!("Login accepted by host {endpoint}.")).json(),
        "Elements": { "MaxMsgSize": max_message, "PingTimeout": ping_timeout },
    })
    .to_string()
}

pub(crate) fn login_status(id: i64, name: Option<&str>, state: &State) -> String {
    let mut message = json!({ "ID": id, "Type": "Status", "Domain": "Login", "State": state.json() });
    if let Some(name) = name {
        message["Key"] = json!({ "Name": name });
    }
    message.to_string()
}

pub(crate) fn status(stream: &Asked<'_>, state: &State) -> String {
    let mut message = json!({ "ID": stream.id, "Type": "Status", "Domain": stream.domain, "State": state.json() });
    if let Some(name) = stream.name {
        message["Key"] = json!({ "Name": name, "Service": stream.service });
    }
    message.to_string()
}

/// What a message about an item stream says of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) id: i64,
    pub(crate) domain: &'a str,
    pub(crate) name: Option<&'a str>,
    pub(crate) service: &'a str,
}

pub(crate) const DOMAIN: &str = "NewsTextAnalytics";

/// The 16 fields of an item stream's first message; no news is in it.
pub(crate) fn item_refresh(id: i64, ric: Ric, service: &str, sequence: u64, streaming: bool, source: &str) -> String {
    let (permission, context) = if ric == Ric::Story { (10001, 3752) } else { (10002, 3929) };
    let state =
        if streaming { State::open("Ok") } else { State { stream: "NonStreaming".into(), ..State::open("Ok") } };
    json!({
        "ID": id,
        "Type": "Refresh",
        "Domain": DOMAIN,
        "Key": { "Service": service, "Name": ric.name() },
        "State": state.text("All is well").json(),
        "Qos": { "Timeliness": "Realtime", "Rate": "TickByTick" },
        "PermData": PERMISSION,
        "SeqNumber": sequence,
        "Fields": {
            "PROD_PERM": permission, "ACTIV_DATE": "2025-12-31", "RECORDTYPE": 30, "RDN_EXCHD2": "MRN",
            "TIMACT_MS": 0, "GUID": null, "CONTEXT_ID": context, "DDS_DSO_ID": 4232, "SPS_SP_RIC": ".[SPSML2L1",
            "MRN_V_MAJ": "2", "MRN_TYPE": ric.kind(), "MRN_V_MIN": "10", "MRN_SRC": source, "FRAG_NUM": 1,
            "TOT_SIZE": 0, "FRAGMENT": null,
        },
    })
    .to_string()
}

const PERMISSION: &str = "AwhCEAw=";

/// Where an update goes, and when it was published.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Updated<'a> {
    pub(crate) id: i64,
    pub(crate) ric: Ric,
    pub(crate) service: &'a str,
    pub(crate) source: &'a str,
    pub(crate) published: Timestamp,
}

/// An update with a fragment: 10 fields with the first, 4 with the others. Written by hand: it is what all the time goes
/// into.
pub(crate) fn update(to: &Updated<'_>, sequence: u64, part: &Part) -> String {
    update_with(to, sequence, part.number, &part.id, part.total, &part.fragment)
}

pub(crate) fn update_with(
    to: &Updated<'_>,
    sequence: u64,
    number: u32,
    id: &str,
    total: usize,
    fragment: &str,
) -> String {
    let mut message = String::with_capacity(fragment.len() + 640);
    let guid = serde_json::to_string(id).unwrap_or_default();
    // Writing to a String can't fail.
    let _ = write!(
        message,
        r#"{{"ID":{},"Type":"Update","Domain":"{DOMAIN}","UpdateType":"Unspecified","DoNotConflate":true,"DoNotRipple":true,"DoNotCache":true,"Key":{{"Service":"{}","Name":"{}"}},"PermData":"{PERMISSION}","SeqNumber":{sequence},"Fields":{{"#,
        to.id,
        to.service,
        to.ric.name(),
    );
    if number == 1 {
        let (day, milliseconds) = day_and_milliseconds(to.published);
        let kind = to.ric.kind();
        let _ = write!(
            message,
            r#""TIMACT_MS":{milliseconds},"ACTIV_DATE":"{day}","MRN_TYPE":"{kind}","MRN_V_MAJ":"2","MRN_V_MIN":"10","TOT_SIZE":{total},"#
        );
    }
    let _ = write!(message, r#""FRAG_NUM":{number},"GUID":{guid},"MRN_SRC":"{}","FRAGMENT":""#, to.source);
    message.push_str(fragment);
    message.push_str("\"}}");
    message
}

fn day_and_milliseconds(time: Timestamp) -> (jiff::civil::Date, i64) {
    let time = time.to_zoned(TimeZone::UTC).datetime();
    let of_day = (i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60 + i64::from(time.second());
    (time.date(), of_day * 1000 + i64::from(time.millisecond()))
}

/// An error, which quotes what the client sent as the real one does, tokens and all.
pub(crate) fn error(id: i64, text: &str, sent: &str) -> String {
    json!({
        "ID": id,
        "Type": "Error",
        "Text": text,
        "Debug": { "File": "newsfeed-sim", "Line": 1, "Offset": 0, "Message": sent },
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(message: &str) -> usize {
        let message: Value = serde_json::from_str(message).unwrap();
        message["Fields"].as_object().unwrap().len()
    }

    #[test]
    fn messages_have_16_10_and_4_fields() {
        let published = "2021-12-09T08:10:20.702Z".parse().unwrap();
        let to = Updated { id: 2, ric: Ric::Story, service: "ELEKTRON_DD", source: "HDC_PRD_A", published };
        let part = Part { id: "a\"b".into(), number: 1, total: 3, fragment: "YWJj".into() };
        let first = update(&to, 16, &part);
        assert_eq!(fields(&item_refresh(2, Ric::Story, "ELEKTRON_DD", 0, true, "HDC_PRD_A")), 16);
        assert_eq!(fields(&first), 10);
        assert_eq!(fields(&update(&to, 32, &Part { number: 2, ..part })), 4);
        let first: Value = serde_json::from_str(&first).unwrap();
        assert_eq!(first["Fields"]["TIMACT_MS"], 29_420_702);
        assert_eq!(first["Fields"]["ACTIV_DATE"], "2021-12-09");
        assert_eq!(first["Fields"]["GUID"], "a\"b");
    }

    #[test]
    fn states_leave_out_what_they_do_not_say() {
        assert_eq!(State::open("Ok").json().to_string(), r#"{"Data":"Ok","Stream":"Open"}"#);
        assert_eq!(State::closed("NotFound").text("no").json()["Code"], "NotFound");
    }
}
