//! Tokens and the list of endpoints.

use crate::{
    journal::{Asked, Exchange},
    tokens::{Denied, Issued, assertion_fits},
    trouble::{Answer, Target},
    wire::Wire,
    world::{Command, World},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, service::service_fn};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{collections::HashMap, convert::Infallible, sync::Arc};
use tokio::time::Instant;

const V1_TOKEN: &str = "/auth/oauth2/v1/token";
const V2_TOKEN: &str = "/auth/oauth2/v2/token";
const DISCOVERY: &str = "/streaming/pricing/v1/";

/// The longest form that is read.
const MAX_FORM: usize = 64 * 1024;

type Form = HashMap<String, String>;

/// Answers requests until the client has no more.
pub(crate) async fn serve(world: Arc<World>, wire: Wire) {
    let answer = service_fn(|request| {
        let world = Arc::clone(&world);
        async move { Ok::<_, Infallible>(respond(&world, request).await) }
    });
    if let Err(error) = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(wire), answer).await {
        tracing::debug!(%error, "An HTTP client was gone early.");
    }
}

async fn respond(world: &World, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let target = match request.uri().path() {
        V1_TOKEN | V2_TOKEN => Some(Target::Token),
        path if path.trim_end_matches('/') == DISCOVERY.trim_end_matches('/') => Some(Target::Discovery),
        _ => None,
    };
    let scripted = target.and_then(|target| world.scripted_answer(target));
    let (asked, response) = match (scripted, target) {
        (Some(answer), Some(target)) => (unusual(target, &request), refused(&answer)),
        (_, Some(Target::Token)) => token(world, request).await,
        (_, Some(Target::Discovery)) => (Asked::Discovery, discovery(world, &request)),
        (_, None) => (Asked::Other, failure(404, "not_found", "there are tokens and endpoints here only")),
    };
    let status = response.status().as_u16();
    tracing::debug!(?asked, status, "Answered.");
    world.log.write(|journal| journal.exchanges.push(Exchange { asked, status }));
    response
}

/// What an unusual answer was to, as far as it is known without reading on.
fn unusual(target: Target, request: &Request<Incoming>) -> Asked {
    match target {
        Target::Discovery => Asked::Discovery,
        Target::Token if request.uri().path() == V2_TOKEN => Asked::ClientCredentials,
        Target::Token => Asked::Password,
    }
}

fn refused(answer: &Answer) -> Response<Full<Bytes>> {
    let mut response = failure(answer.status, "simulated", "as the script says");
    let headers = [
        (header::RETRY_AFTER, answer.retry_after.map(|seconds| seconds.to_string())),
        (header::LOCATION, answer.location.clone()),
    ];
    for (name, value) in headers {
        if let Some(value) = value.and_then(|value| value.parse().ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn token(world: &World, request: Request<Incoming>) -> (Asked, Response<Full<Bytes>>) {
    let is_v1 = request.uri().path() == V1_TOKEN;
    if request.method() != Method::POST {
        return (Asked::Other, failure(405, "invalid_request", "tokens are asked for with POST"));
    }
    let Ok(body) = Limited::new(request.into_body(), MAX_FORM).collect().await else {
        return (Asked::Other, failure(400, "invalid_request", "the form is too long, or ended early"));
    };
    let form: Form = url::form_urlencoded::parse(&body.to_bytes()).into_owned().collect();
    match (is_v1, text(&form, "grant_type")) {
        (true, "password") => (Asked::Password, answer(world, password(world, &form), &form)),
        (true, "refresh_token") => (Asked::Refresh, answer(world, refresh(world, &form), &form)),
        (false, "client_credentials") => (Asked::ClientCredentials, answer(world, credentials(world, &form), &form)),
        _ => (Asked::Other, failure(400, "unsupported_grant_type", "this version doesn't know the grant type")),
    }
}

fn text<'a>(form: &'a Form, member: &str) -> &'a str {
    form.get(member).map_or("", String::as_str)
}

fn password(world: &World, form: &Form) -> Result<Issued, Denied> {
    let given = (text(form, "username"), text(form, "password"), text(form, "client_id"));
    let exclusive = text(form, "takeExclusiveSignOnControl").eq_ignore_ascii_case("true");
    world.tokens().password(&world.options.accounts, given, exclusive, Instant::now())
}

fn refresh(world: &World, form: &Form) -> Result<Issued, Denied> {
    let given = (text(form, "username"), text(form, "client_id"), text(form, "refresh_token"));
    world.tokens().refresh(&world.options.accounts, given, Instant::now())
}

fn credentials(world: &World, form: &Form) -> Result<Issued, Denied> {
    let accounts = &world.options.accounts;
    let client_id = text(form, "client_id");
    let is_known = match form.get("client_assertion") {
        Some(assertion) => {
            text(form, "client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
                && assertion_fits(assertion, client_id, Timestamp::now().as_second())
        }
        None => text(form, "client_secret") == accounts.client_secret,
    };
    world.tokens().client(accounts, client_id, is_known, Instant::now())
}

/// `expires_in` is a text, as it is in live answers.
fn answer(world: &World, issued: Result<Issued, Denied>, form: &Form) -> Response<Full<Bytes>> {
    let issued = match issued {
        Ok(issued) => issued,
        Err(Denied::Grant) => return failure(400, "invalid_grant", "Invalid username or password."),
        Err(Denied::Client) => return failure(401, "invalid_client", "Invalid client or client credentials."),
        Err(Denied::Quota) => return failure(400, "access_denied", "Session quota is reached."),
    };
    if !issued.thrown_out.is_empty() {
        world.tell(|_| true, &Command::ThrowOut(issued.thrown_out));
    }
    let mut token = json!({
        "access_token": issued.access,
        "expires_in": issued.life.as_secs().to_string(),
        "token_type": "Bearer",
    });
    if let Some(refresh) = issued.refresh {
        token["refresh_token"] = refresh.into();
        token["scope"] = text(form, "scope").into();
    }
    reply(200, &token)
}

fn discovery(world: &World, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let holds = world.options.accounts.any_token || world.tokens().check(token, Instant::now()).is_some();
    if !holds {
        return failure(401, "invalid_token", "The token is unknown or has expired.");
    }
    reply(200, &json!({ "services": world.services() }))
}

fn failure(status: u16, error: &str, description: &str) -> Response<Full<Bytes>> {
    reply(status, &json!({ "error": error, "error_description": description }))
}

fn reply(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
