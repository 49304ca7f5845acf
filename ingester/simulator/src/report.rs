//! What the program prints.

use crate::command::Command;
use serde_json::json;
use simulator::{Journal, Simulator};
use std::{fmt::Write, path::Path, time::Duration};

/// Where everything is, and what to write into a configuration.
pub(crate) fn started(command: &Command, simulator: &Simulator, ca: Option<&Path>) -> String {
    let (api, websockets) = (simulator.api_url(), simulator.websocket_urls());
    let options = simulator.options();
    if command.json {
        return json!({
            "event": "started", "api": api, "websockets": websockets, "ca": ca, "region": command.region,
            "seed": options.seed, "service": options.service,
        })
        .to_string();
    }
    let mut text = format!("newsfeed-sim serves invented news.\n\n  tokens and endpoints  {api}\n");
    for url in &websockets {
        let _ = writeln!(text, "  WebSocket             {url}");
    }
    if let Some(ca) = ca {
        let _ = writeln!(text, "  trust                 SSL_CERT_FILE={}", ca.display());
    }
    text + &snippets(command, &api, &websockets, options.endpoints.min(2))
}

fn snippets(command: &Command, api: &str, websockets: &[String], connections: usize) -> String {
    let servers: Vec<_> = websockets.iter().map(|url| format!("{url:?}")).collect();
    let (region, servers) = (&command.region, servers.join(", "));
    let user = command.user.first().map_or("user", String::as_str);
    let (client_id, username) = (&command.client_id, &command.username);
    format!(
        r#"
Newsloom, as if it were the cloud (client id {client_id}; or {username} with authentication = "v1", one connection):

  [[ingestion.feeds]]
  kind = "lseg"
  name = "lseg"
  region = "{region}"
  connections = {connections}
  api = "{api}"

Newsloom, as if it were an own installation:

  [[ingestion.feeds]]
  kind = "lseg_deployed"
  name = "deployed"
  servers = [{servers}]
  user = "{user}"
  connections = {connections}

Ctrl-C ends it."#
    )
}

/// How it is, in a line.
pub(crate) fn line(journal: &Journal, before: u64) -> String {
    let counts = journal.counts;
    format!(
        "{} connections, {} with news   {}/s   {} sent, {} released, {} missed, {} troubles",
        journal.up(),
        journal.subscribed(),
        counts.sent.saturating_sub(before),
        counts.sent,
        counts.released,
        counts.missed,
        counts.troubles,
    )
}

/// What was.
pub(crate) fn ended(command: &Command, journal: &Journal, elapsed: Duration) -> String {
    let counts = journal.counts;
    if command.json {
        return json!({
            "event": "ended", "released": counts.released, "missed": counts.missed, "sent": counts.sent,
            "updates": counts.updates, "bytes": counts.bytes, "troubles": counts.troubles,
            "connections": journal.connections.len(), "requests": journal.exchanges.len(),
            "seconds": elapsed.as_secs_f64(),
        })
        .to_string();
    }
    format!(
        "\n{} items released, {} of them to nobody. {} sent on {} connections, in {} updates, {} characters. \
         {} troubles. {} HTTP requests. {} seconds.",
        counts.released,
        counts.missed,
        counts.sent,
        journal.connections.len(),
        counts.updates,
        counts.bytes,
        counts.troubles,
        journal.exchanges.len(),
        elapsed.as_secs(),
    )
}
