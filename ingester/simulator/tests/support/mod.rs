//! A plain client, written against the protocol's description alone.
#![allow(dead_code, reason = "no test needs all of it")]
#![allow(missing_docs, reason = "it is a test's")]
#![allow(unreachable_pub, reason = "each test has its own copy")]

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use simulator::Simulator;
use std::{collections::VecDeque, io::Read, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, handshake::client::Request, http::Response},
};

pub type Anything = Result<(), Box<dyn std::error::Error>>;

pub struct Client {
    pub socket: WebSocketStream<Box<dyn Io>>,
    pub upgraded: Response<Option<Vec<u8>>>,
    messages: VecDeque<Value>,
    pub frames: Vec<String>,
    pub answers_pings: bool,
}

pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub async fn connect(url: &str, subprotocol: Option<&str>) -> Result<Client, Box<Error>> {
    let mut request = url.into_client_request().map_err(Box::new)?;
    if let Some(subprotocol) = subprotocol {
        request.headers_mut().insert("Sec-WebSocket-Protocol", subprotocol.parse().unwrap());
    }
    let uri = request.uri();
    let address = (uri.host().unwrap_or_default().to_owned(), uri.port_u16().unwrap_or(80));
    let socket = TcpStream::connect((&*address.0, address.1)).await.map_err(|error| Box::new(Error::Io(error)))?;
    upgrade(request, Box::new(socket)).await
}

pub async fn upgrade(request: Request, socket: Box<dyn Io>) -> Result<Client, Box<Error>> {
    let (socket, upgraded) = client_async(request, socket).await.map_err(Box::new)?;
    Ok(Client { socket, upgraded, messages: VecDeque::new(), frames: Vec::new(), answers_pings: true })
}

impl Client {
    /// To the first endpoint, logged in as a user, with stories asked for.
    pub async fn ready(simulator: &Simulator) -> Self {
        let mut client = Self::logged_in(simulator).await;
        client.say(json!({"ID": 2, "Domain": "NewsTextAnalytics", "Key": {"Name": "MRN_STORY"}})).await;
        assert_eq!(client.message().await.unwrap()["Type"], "Refresh");
        client
    }

    pub async fn logged_in(simulator: &Simulator) -> Self {
        let mut client = Self::new(simulator).await;
        client.say(user()).await;
        assert_eq!(client.message().await.unwrap()["State"]["Stream"], "Open");
        client
    }

    pub async fn new(simulator: &Simulator) -> Self {
        connect(&simulator.websocket_urls()[0], Some("tr_json2")).await.unwrap()
    }

    pub async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message but pings; nothing at the end.
    pub async fn message(&mut self) -> Option<Value> {
        loop {
            if let Some(message) = self.messages.pop_front() {
                if message["Type"] != "Ping" {
                    return Some(message);
                }
                if self.answers_pings {
                    self.socket.send(Message::text(r#"{"Type":"Pong"}"#)).await.ok()?;
                }
                continue;
            }
            let frame = self.frame().await?;
            match serde_json::from_str(&frame) {
                Ok(Value::Array(messages)) => self.messages.extend(messages),
                Ok(message) => self.messages.push_back(message),
                Err(_) => self.messages.push_back(json!({"Type": "Unreadable", "Text": frame})),
            }
        }
    }

    pub async fn frame(&mut self) -> Option<String> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => {
                    self.frames.push(text.to_string());
                    return Some(text.to_string());
                }
                Ok(Message::Binary(_)) => return Some("binary".into()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// This many messages of a type.
    pub async fn updates(&mut self, count: usize) -> Vec<Value> {
        let mut updates = Vec::new();
        while updates.len() < count {
            let message = self.message().await.expect("there are more updates");
            if message["Type"] == "Update" {
                updates.push(message);
            }
        }
        updates
    }

    /// The next whole item.
    pub async fn item(&mut self) -> Value {
        let first = self.updates(1).await.remove(0);
        let total = usize::try_from(first["Fields"]["TOT_SIZE"].as_u64().unwrap()).unwrap();
        let mut bytes = fragment(&first);
        while bytes.len() < total {
            bytes.extend(fragment(&self.updates(1).await[0]));
        }
        assert_eq!(bytes.len(), total);
        serde_json::from_slice(&unpacked(&bytes).unwrap()).unwrap()
    }

    /// Until the other side closes.
    pub async fn until_the_end(&mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        while let Some(message) = self.message().await {
            messages.push(message);
        }
        messages
    }
}

pub fn user() -> Value {
    json!({"ID": 1, "Domain": "Login", "Key": {
        "Name": "user", "Elements": {"ApplicationId": "256", "Position": "10.0.0.5"}}})
}

pub fn with_token(token: &str) -> Value {
    json!({"ID": 1, "Domain": "Login", "Key": {
        "NameType": "AuthnToken",
        "Elements": {"ApplicationId": "256", "Position": "127.0.0.1/net", "AuthenticationToken": token}}})
}

pub fn fragment(update: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(update["Fields"]["FRAGMENT"].as_str().unwrap()).unwrap()
}

pub fn unpacked(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut content)?;
    Ok(content)
}

pub fn short(seconds_times_ten: u64) -> Duration {
    Duration::from_millis(seconds_times_ten * 100)
}
