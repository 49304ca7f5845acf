//! Tokens and the list of endpoints.

mod support;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use simulator::{AUDIENCE, Accounts, Answer, Asked, End, Options, Script, Simulator, Story, Target, Trouble};
use std::{sync::Arc, time::Duration};
use support::{Anything, Client, Io, connect, upgrade, with_token};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use url::form_urlencoded::Serializer;

type Form<'a> = &'a [(&'a str, &'a str)];

struct Response {
    status: u16,
    headers: String,
    body: Value,
}

const V1: &str = "/auth/oauth2/v1/token";
const V2: &str = "/auth/oauth2/v2/token";
const DISCOVERY: &str = "/streaming/pricing/v1/?transport=websocket";

/// A client so plain that it does one request, and no mistake of a library is shared.
async fn request(mut socket: impl Io, head: &str, body: &str) -> Response {
    let request = format!("{head}Host: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (headers, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
    Response { status, headers: headers.to_lowercase(), body: serde_json::from_str(body).unwrap() }
}

async fn socket(simulator: &Simulator) -> TcpStream {
    let address = simulator.api_url().rsplit_once("//").unwrap().1.to_owned();
    TcpStream::connect(address).await.unwrap()
}

async fn post(simulator: &Simulator, path: &str, form: Form<'_>) -> Response {
    let body = Serializer::new(String::new()).extend_pairs(form).finish();
    let head = format!("POST {path} HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    request(socket(simulator).await, &head, &body).await
}

async fn discover(simulator: &Simulator, token: &str) -> Response {
    let head = format!("GET {DISCOVERY} HTTP/1.1\r\nAuthorization: Bearer {token}\r\n");
    request(socket(simulator).await, &head, "").await
}

async fn password(simulator: &Simulator, exclusive: &str) -> Response {
    let form = [
        ("grant_type", "password"),
        ("username", "GE-A-00000000-0-0000"),
        ("password", "simulated-password"),
        ("client_id", "simulated-app-key"),
        ("scope", "trapi.streaming.pricing.read"),
        ("takeExclusiveSignOnControl", exclusive),
    ];
    post(simulator, V1, &form).await
}

async fn client_credentials(simulator: &Simulator) -> Response {
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "trapi.streaming.pricing.read"),
        ("client_id", "GE-000000000000"),
        ("client_secret", "simulated-secret"),
    ];
    post(simulator, V2, &form).await
}

fn access(response: &Response) -> String {
    assert_eq!(response.status, 200, "{}", response.body);
    response.body["access_token"].as_str().unwrap().to_owned()
}

async fn log_in(simulator: &Simulator, token: &str) -> (Client, Value) {
    let mut client = Client::new(simulator).await;
    client.say(with_token(token)).await;
    let answer = client.message().await.unwrap();
    (client, answer)
}

#[tokio::test]
async fn version_1_has_a_password_and_then_refreshes() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let first = password(&simulator, "True").await;
    assert_eq!(first.body["expires_in"], "600", "a text, as in live answers");
    assert_eq!(first.body["token_type"], "Bearer");
    assert_eq!(first.body["scope"], "trapi.streaming.pricing.read");
    assert_eq!(access(&first).split('.').count(), 3);
    let refresh = first.body["refresh_token"].as_str().unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("username", "GE-A-00000000-0-0000"),
        ("client_id", "simulated-app-key"),
        ("refresh_token", refresh),
    ];
    let second = post(&simulator, V1, &form).await;
    assert_ne!(access(&first), access(&second));
    simulator.expire_refresh_tokens();
    let third = post(&simulator, V1, &form).await;
    assert_eq!((third.status, &third.body["error"]), (400, &json!("invalid_grant")));
    let asked: Vec<_> = simulator.look(|journal| journal.exchanges.iter().map(|exchange| exchange.asked).collect());
    assert_eq!(asked, [Asked::Password, Asked::Refresh, Asked::Refresh]);
    Ok(())
}

#[tokio::test]
async fn version_2_takes_a_secret_or_an_assertion() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let with_secret = client_credentials(&simulator).await;
    assert_eq!(with_secret.body["expires_in"], "7199");
    assert_eq!(with_secret.body.get("refresh_token"), None);
    access(&with_secret);

    let until = jiff::Timestamp::now().as_second() + 60;
    let claims = json!({"iss": "GE-000000000000", "sub": "GE-000000000000", "aud": AUDIENCE, "exp": until});
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let assertion = format!("{}.{}.c2lnbmVk", encode(&json!({"alg": "RS256"})), encode(&claims));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "GE-000000000000"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
    ];
    access(&post(&simulator, V2, &form).await);
    let form =
        [("grant_type", "client_credentials"), ("client_id", "GE-000000000000"), ("client_assertion", &assertion)];
    assert_eq!(post(&simulator, V2, &form).await.status, 401, "its type is missing");
    Ok(())
}

#[tokio::test]
async fn wrong_credentials_are_refused_in_the_feeds_words() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let cases: [(&str, Form<'_>, u16, &str); 4] = [
        (
            V1,
            &[("grant_type", "password"), ("username", "GE-A-00000000-0-0000"), ("password", "no")],
            400,
            "invalid_grant",
        ),
        (
            V2,
            &[("grant_type", "client_credentials"), ("client_id", "GE-1"), ("client_secret", "no")],
            401,
            "invalid_client",
        ),
        (V2, &[("grant_type", "password")], 400, "unsupported_grant_type"),
        (V1, &[], 400, "unsupported_grant_type"),
    ];
    for (path, form, status, error) in cases {
        let response = post(&simulator, path, form).await;
        assert_eq!((response.status, &response.body["error"]), (status, &json!(error)));
    }
    assert_eq!(discover(&simulator, "unknown").await.status, 401);
    Ok(())
}

#[tokio::test]
async fn endpoints_are_listed_by_zone_among_others_that_are_none_of_ours() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let token = access(&client_credentials(&simulator).await);
    let response = discover(&simulator, &token).await;
    assert_eq!(response.status, 200);
    let services = response.body["services"].as_array().unwrap();
    let ours: Vec<_> = services.iter().filter(|service| service["endpoint"] == "localhost").collect();
    let locations: Vec<_> = ours.iter().map(|service| service["location"].clone()).collect();
    assert_eq!(locations, [json!(["us-east-1a"]), json!(["us-east-1b"]), json!(["us-east-1a", "us-east-1b"])]);
    for service in ours {
        assert_eq!((&service["transport"], &service["dataFormat"]), (&json!("websocket"), &json!(["tr_json2"])));
        let url = format!("ws://localhost:{}/WebSocket", service["port"]);
        connect(&url, Some("tr_json2")).await?;
    }
    assert!(services.iter().any(|service| service["transport"] == "tcp"));
    assert!(services.iter().any(|service| service["location"][0] == "eu-west-1a"));
    Ok(())
}

#[tokio::test]
async fn token_that_was_issued_logs_in_and_another_does_not() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let token = access(&client_credentials(&simulator).await);
    let (_client, answer) = log_in(&simulator, &token).await;
    assert_eq!(answer["State"]["Stream"], "Open");
    let (_client, answer) = log_in(&simulator, "a.b.c").await;
    assert_eq!(
        (&answer["State"]["Stream"], &answer["State"]["Code"]),
        (&json!("Closed"), &json!("UserUnknownToPermSys"))
    );
    simulator.expire_tokens();
    let (_client, answer) = log_in(&simulator, &token).await;
    assert_eq!((&answer["State"]["Stream"], &answer["State"]["Code"]), (&json!("Closed"), &json!("Timeout")));
    let connections = simulator.connections();
    assert!(connections[0].is_up(), "sessions of version 2 live on without their token");
    assert_eq!(connections[0].logins[0].token, Some(1));
    assert_eq!(connections[1].logins[0].token, None);
    assert_eq!((connections[2].logins[0].token, connections[2].logins[0].accepted), (Some(1), false));
    Ok(())
}

#[tokio::test]
async fn session_of_version_1_ends_unless_its_token_is_renewed_in_time() -> Anything {
    let accounts = Accounts { v1_token_life: Duration::from_secs(2), v1_sessions: 2, ..Accounts::default() };
    let simulator = Simulator::start(Options { accounts, ..Options::manual() }).await?;
    let first = password(&simulator, "True").await;
    let (mut renewing, _) = log_in(&simulator, &access(&first)).await;
    let (mut forgetful, _) = log_in(&simulator, &access(&first)).await;
    // A token that doesn't end with time, so that no clock decides what is seen.
    let mut again = with_token(&access(&client_credentials(&simulator).await));
    again["Refresh"] = false.into();
    renewing.say(again).await;
    let messages = forgetful.until_the_end().await;
    assert_eq!(messages[0]["State"]["Stream"], "Closed");
    let connections = simulator.connections();
    assert!(connections[0].is_up());
    assert!(connections[0].logins[1].again && connections[0].logins[1].accepted);
    assert!(renewing.frames.len() == 1, "a re-issue is not answered");
    Ok(())
}

#[tokio::test]
async fn exclusive_sign_on_throws_the_other_session_out() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let first = access(&password(&simulator, "True").await);
    let (mut client, _) = log_in(&simulator, &first).await;
    let polite = password(&simulator, "False").await;
    assert_eq!((polite.status, &polite.body["error"]), (400, &json!("access_denied")));
    let second = access(&password(&simulator, "True").await);
    let messages = client.until_the_end().await;
    assert_eq!((&messages[0]["Domain"], &messages[0]["State"]["Stream"]), (&json!("Login"), &json!("Closed")));
    simulator.until(|journal| journal.connections[0].end == Some(End::LoggedOut)).await?;
    let (_client, answer) = log_in(&simulator, &second).await;
    assert_eq!(answer["State"]["Stream"], "Open");
    let (_client, answer) = log_in(&simulator, &second).await;
    assert_eq!(answer["State"]["Code"], "MaxLoginsReached", "a machine id has one session");
    Ok(())
}

#[tokio::test]
async fn script_ends_sessions_of_version_1_by_their_token_or_by_another_sign_on() -> Anything {
    for (trouble, code) in [(Trouble::ExpireTokens, "Timeout"), (Trouble::ThrowOut, "NotEntitled")] {
        let script = Script::default().at(1, trouble.clone());
        let simulator = Simulator::start(Options { script, ..Options::manual() }).await?;
        let (mut client, _) = log_in(&simulator, &access(&password(&simulator, "True").await)).await;
        client.say(json!({"ID": 2, "Domain": "NewsTextAnalytics", "Key": {"Name": "MRN_STORY"}})).await;
        client.message().await.unwrap();
        simulator.send([Story::alert("The last one")]).await;
        let messages = client.until_the_end().await;
        let closed = messages.iter().find(|message| message["Domain"] == "Login").unwrap();
        assert_eq!(
            (&closed["State"]["Stream"], &closed["State"]["Code"]),
            (&json!("Closed"), &json!(code)),
            "{trouble:?}"
        );
        assert_eq!(password(&simulator, "False").await.status, if code == "Timeout" { 400 } else { 200 });
    }
    Ok(())
}

#[tokio::test]
async fn http_side_has_trouble_on_request() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    simulator.answer_next(Target::Token, Answer::status(429).retry_after(3));
    simulator.answer_next(Target::Token, Answer::redirect(307, "/auth/oauth2/v2/token"));
    simulator.answer_next(Target::Discovery, Answer::status(503));
    let limited = client_credentials(&simulator).await;
    assert_eq!(limited.status, 429);
    assert!(limited.headers.contains("retry-after: 3"));
    let moved = client_credentials(&simulator).await;
    assert_eq!(moved.status, 307);
    assert!(moved.headers.contains("location: /auth/oauth2/v2/token"));
    let token = access(&client_credentials(&simulator).await);
    assert_eq!(discover(&simulator, &token).await.status, 503);
    assert_eq!(discover(&simulator, &token).await.status, 200);
    Ok(())
}

#[tokio::test]
async fn everything_is_behind_tls_for_who_trusts_the_authority() -> Anything {
    let simulator = Simulator::start(Options { tls: true, ..Options::manual() }).await?;
    assert!(simulator.api_url().starts_with("https://"));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(simulator.ca_pem().unwrap().as_bytes())?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("localhost")?;

    let tls = connector.connect(name.clone(), socket(&simulator).await).await?;
    assert_eq!(request(tls, "GET /nowhere HTTP/1.1\r\n", "").await.status, 404);

    let mut upgrading = simulator.websocket_urls()[0].as_str().into_client_request()?;
    upgrading.headers_mut().insert("Sec-WebSocket-Protocol", "tr_json2".parse()?);
    let port = upgrading.uri().port_u16().unwrap();
    let tls = connector.connect(name, TcpStream::connect(("127.0.0.1", port)).await?).await?;
    let mut client = upgrade(upgrading, Box::new(tls)).await?;
    client.say(support::user()).await;
    assert_eq!(client.message().await.unwrap()["State"]["Stream"], "Open");
    Ok(())
}
