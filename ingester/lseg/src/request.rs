//! Messages of the protocol `tr_json2`, as a client sends them.

use crate::{Identity, Options};
use serde::Serialize;

/// The login's stream.
pub const LOGIN: i64 = 1;

/// Asks for a word.
pub const PING: &str = r#"{"Type":"Ping"}"#;

/// The word.
pub const PONG: &str = r#"{"Type":"Pong"}"#;

/// Says goodbye to all: ends the login.
pub const LOGOUT: &str = r#"{"ID":1,"Domain":"Login","Type":"Close"}"#;

/// Logs in; or, when `again`, gives a new token to a login that stands, to which there is no answer.
pub fn login(options: &Options, again: bool) -> String {
    let (name, name_type, token) = match &options.identity {
        Identity::User(user) => (Some(user.as_str()), None, None),
        Identity::Token(token) => (None, Some("AuthnToken"), Some(token.as_str())),
    };
    let elements =
        Elements { application_id: &options.application_id, position: &options.position, authentication_token: token };
    text(&Request {
        id: LOGIN,
        domain: "Login",
        refresh: again.then_some(false),
        key: Key { name: name.map(Name::One), name_type, service: None, elements: Some(elements) },
    })
}

/// Asks for news on stream `id`: one RIC, or several, whose streams are then `id` + 1, `id` + 2, ….
pub fn news(id: i64, names: &[&str], service: Option<&str>) -> String {
    let name = if let [one] = names { Name::One(one) } else { Name::Several(names) };
    text(&Request {
        id,
        domain: "NewsTextAnalytics",
        refresh: None,
        key: Key { name: Some(name), name_type: None, service, elements: None },
    })
}

/// Ends a stream.
pub fn close(id: i64) -> String {
    format!(r#"{{"ID":{id},"Type":"Close"}}"#)
}

fn text(request: &Request<'_>) -> String {
    serde_json::to_string(request).expect("texts and numbers always become JSON")
}

#[derive(Serialize)]
struct Request<'a> {
    #[serde(rename = "ID")]
    id: i64,
    #[serde(rename = "Domain")]
    domain: &'static str,
    #[serde(rename = "Refresh", skip_serializing_if = "Option::is_none")]
    refresh: Option<bool>,
    #[serde(rename = "Key")]
    key: Key<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Key<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Name<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elements: Option<Elements<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Name<'a> {
    One(&'a str),
    Several(&'a [&'a str]),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Elements<'a> {
    application_id: &'a str,
    position: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication_token: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(identity: Identity) -> Options {
        Options {
            identity,
            application_id: "256".into(),
            position: "10.0.0.5".into(),
            service: None,
            rics: vec![],
            source: "wire".into(),
        }
    }

    #[test]
    fn requests_are_as_the_specification_has_them() {
        let user = options(Identity::User("user".into()));
        let token = options(Identity::Token("T".into()));
        let cases = [
            (
                login(&user, false),
                r#"{"ID":1,"Domain":"Login","Key":{"Name":"user","Elements":{"ApplicationId":"256","Position":"10.0.0.5"}}}"#,
            ),
            (
                login(&token, false),
                r#"{"ID":1,"Domain":"Login","Key":{"NameType":"AuthnToken","Elements":{"ApplicationId":"256","Position":"10.0.0.5","AuthenticationToken":"T"}}}"#,
            ),
            (
                login(&token, true),
                r#"{"ID":1,"Domain":"Login","Refresh":false,"Key":{"NameType":"AuthnToken","Elements":{"ApplicationId":"256","Position":"10.0.0.5","AuthenticationToken":"T"}}}"#,
            ),
            (news(2, &["MRN_STORY"], None), r#"{"ID":2,"Domain":"NewsTextAnalytics","Key":{"Name":"MRN_STORY"}}"#),
            (
                news(2, &["MRN_STORY", "MRN_TRNA"], Some("ELEKTRON_DD")),
                r#"{"ID":2,"Domain":"NewsTextAnalytics","Key":{"Name":["MRN_STORY","MRN_TRNA"],"Service":"ELEKTRON_DD"}}"#,
            ),
            (close(2), r#"{"ID":2,"Type":"Close"}"#),
        ];
        for (request, expected) in cases {
            assert_eq!(request, expected);
        }
    }
}
