//! What clients say, and what is answered.

use super::{LoggedIn, Session, Stream, array};
use crate::{
    item::Ric,
    journal::{End, Heard, Login},
    messages::{self, Asked, DOMAIN, Named, State},
    tokens::Access,
    world::locked,
};
use serde_json::Value;
use tokio::time::Instant;

impl Session {
    /// A text frame came: one message, or several in an array.
    pub(super) async fn hear(&mut self, text: &str) -> Result<(), End> {
        if text.len() > self.world.options.max_message {
            return self.reject("the message is longer than MaxMsgSize", text).await;
        }
        match serde_json::from_str(text) {
            Ok(Value::Array(messages)) => {
                for message in &messages {
                    self.understand(message).await?;
                }
                Ok(())
            }
            Ok(message @ Value::Object(_)) => self.understand(&message).await,
            Ok(_) | Err(_) => self.complain(0, "JSON Parse Error: no message", text).await,
        }
    }

    /// Says what is wrong, and drops the client.
    pub(super) async fn reject(&mut self, why: &str, sent: &str) -> Result<(), End> {
        self.complain(0, why, &sent.chars().take(1000).collect::<String>()).await?;
        Err(End::Refused)
    }

    async fn complain(&mut self, id: i64, why: &str, sent: &str) -> Result<(), End> {
        self.note(|connection| connection.heard.push(Heard::Nonsense(why.into())));
        self.send(array(&messages::error(id, why, sent))).await
    }

    async fn understand(&mut self, message: &Value) -> Result<(), End> {
        match message["Type"].as_str() {
            None if message["Type"].is_null() => self.request(message).await,
            Some("Request") => self.request(message).await,
            Some("Ping") => {
                self.note(|connection| connection.pings_received += 1);
                self.send(array(messages::PONG)).await
            }
            Some("Pong") => {
                self.pong();
                Ok(())
            }
            Some("Close") => self.close_stream(message).await,
            Some("Generic" | "Post" | "Ack") => Ok(()),
            _ => {
                let why = format!("JSON Unexpected Value. Received {} for key 'Type'", message["Type"]);
                self.complain(message["ID"].as_i64().unwrap_or(0), &why, &message.to_string()).await
            }
        }
    }

    async fn request(&mut self, message: &Value) -> Result<(), End> {
        let Some(id) = message["ID"].as_i64() else {
            return self.complain(0, "JSON Missing Key 'ID'", &message.to_string()).await;
        };
        if !message["Key"].is_object() {
            return self.complain(id, "JSON Missing Key 'Key'", &message.to_string()).await;
        }
        match message["Domain"].as_str().unwrap_or("MarketPrice") {
            "Login" => self.log_in(id, message).await,
            domain => self.ask(id, domain, message).await,
        }
    }

    async fn log_in(&mut self, id: i64, message: &Value) -> Result<(), End> {
        let key = &message["Key"];
        let element = |name: &str| key["Elements"][name].as_str().unwrap_or_default().to_owned();
        self.said_at_login = message.to_string();
        let again = self.login.is_some();
        let Verdict { name, access, refusal } = self.judge(key, &element("AuthenticationToken"));
        let named = Named { id, name, application: element("ApplicationId"), position: element("Position") };
        let login = Login {
            name: named.name.clone(),
            token: access.as_ref().map(|access| access.number),
            application: named.application.clone(),
            position: named.position.clone(),
            again,
            accepted: refusal.is_none(),
        };
        self.note(|connection| connection.logins.push(login));
        let Some(state) = refusal else { return self.accept(named, access, message["Refresh"] != false).await };
        tracing::info!(connection = self.link.number, ?state, "A login is refused.");
        self.send(array(&messages::login_status(id, None, &state))).await?;
        Err(End::LoggedOut)
    }

    async fn accept(&mut self, named: Named, access: Option<Access>, answered: bool) -> Result<(), End> {
        *locked(&self.link.account) = access.as_ref().map(|access| access.owner.clone());
        let options = &self.world.options;
        let seconds = options.ping_timeout.as_millis().div_ceil(1000).max(1);
        let endpoint = format!("newsfeed-sim-{}", self.link.endpoint + 1);
        let refresh =
            messages::login_refresh(&named, &endpoint, options.max_message, u64::try_from(seconds).unwrap_or(u64::MAX));
        self.login = Some(LoggedIn { named, access });
        // A re-issue says that it wants no answer.
        if answered { self.send(array(&refresh)).await } else { Ok(()) }
    }

    fn judge(&self, key: &Value, token: &str) -> Verdict {
        if key["NameType"] == "AuthnToken" { self.judge_token(token) } else { self.judge_user(key) }
    }

    fn judge_user(&self, key: &Value) -> Verdict {
        let users = &self.world.options.accounts.users;
        let name = key["Name"].as_str().unwrap_or_default().to_owned();
        let is_known = !name.is_empty() && (users.is_empty() || users.contains(&name));
        let refused = || State::closed("UserUnknownToPermSys").text("Access Denied: the user is unknown.");
        Verdict { name, access: None, refusal: (!is_known).then(refused) }
    }

    fn judge_token(&self, token: &str) -> Verdict {
        let accounts = &self.world.options.accounts;
        let Some(access) = self.world.tokens().find(token).cloned() else {
            let any_will_do = accounts.any_token && !token.is_empty();
            let refused = || State::closed("UserUnknownToPermSys").text("Access Denied: the token is unknown.");
            return Verdict { name: "unknown".into(), access: None, refusal: (!any_will_do).then(refused) };
        };
        let allowed = if access.ends_sessions { accounts.v1_sessions } else { accounts.v2_sessions };
        let refusal = if access.until <= Instant::now() {
            Some(State::closed("Timeout").text("Access Denied: the token has expired."))
        } else if self.others_of(&access.owner) >= allowed {
            Some(State::closed("MaxLoginsReached").text(format!("{allowed} sessions are allowed.")))
        } else {
            None
        };
        Verdict { name: access.owner.clone(), access: Some(access), refusal }
    }

    fn others_of(&self, owner: &str) -> usize {
        let links = self.world.links();
        let others = links.iter().filter(|link| link.number != self.link.number);
        others.filter(|link| locked(&link.account).as_deref() == Some(owner)).count()
    }

    /// An item is asked for, or several in one request.
    async fn ask(&mut self, id: i64, domain: &str, message: &Value) -> Result<(), End> {
        let streaming = message["Streaming"] != false;
        let answered = message["Refresh"] != false;
        let service = message["Key"]["Service"].as_str().map(str::to_owned);
        let wanted = Wanted { domain: domain.into(), service, streaming, answered };
        match &message["Key"]["Name"] {
            Value::String(name) => self.open(id, name, &wanted).await,
            Value::Array(names) => {
                let text = format!("Processed {} total items from Batch Request. {0} Ok.", names.len());
                let asked = Asked { id, domain, name: None, service: "" };
                let state = State { data: "Ok".into(), code: None, ..State::closed("") }.text(text);
                self.send(array(&messages::status(&asked, &state))).await?;
                for (id, name) in (id + 1..).zip(names) {
                    self.open(id, name.as_str().unwrap_or_default(), &wanted).await?;
                }
                Ok(())
            }
            _ => self.complain(id, "JSON Missing Key 'Name'", &message.to_string()).await,
        }
    }

    async fn open(&mut self, id: i64, name: &str, wanted: &Wanted) -> Result<(), End> {
        self.note(|connection| connection.heard.push(Heard::Request(name.into())));
        let own = self.world.options.service.clone();
        let ric = match self.find(name, wanted, &own) {
            Ok(ric) => ric,
            Err(state) => {
                let service = wanted.service.as_deref().unwrap_or(&own);
                let asked = Asked { id, domain: &wanted.domain, name: Some(name), service };
                return self.send(array(&messages::status(&asked, &state))).await;
            }
        };
        // Before the answer: what is released once the client has it must not be missed. It is sent after it all the same.
        if wanted.streaming {
            self.streams.insert(id, Stream { ric });
            self.update_wants();
        }
        if wanted.answered {
            self.sequence += 16;
            let source = &self.world.options.source;
            let refresh = messages::item_refresh(id, ric, &own, self.sequence, wanted.streaming, source);
            self.send(array(&refresh)).await?;
        }
        Ok(())
    }

    fn find(&self, name: &str, wanted: &Wanted, own: &str) -> Result<Ric, State> {
        if self.login.is_none() {
            return Err(State::closed("UsageError").text("Nobody is logged in."));
        }
        if wanted.service.as_deref().is_some_and(|service| service != own) {
            return Err(State::closed_recover().code("SourceUnknown").text("The service is unknown."));
        }
        match Ric::named(name) {
            Some(ric) if wanted.domain == DOMAIN => match ric {
                Ric::Scores if !self.world.options.scores => {
                    Err(State::closed("NotEntitled").text("Access Denied: User req to PE(10002)"))
                }
                ric => Ok(ric),
            },
            _ => Err(State::closed("NotFound").text("The record could not be found")),
        }
    }

    async fn close_stream(&mut self, message: &Value) -> Result<(), End> {
        let ids: Vec<i64> = match &message["ID"] {
            Value::Array(ids) => ids.iter().filter_map(Value::as_i64).collect(),
            id => id.as_i64().into_iter().collect(),
        };
        for id in ids {
            let is_login = self.login.as_ref().is_some_and(|login| login.named.id == id);
            if is_login {
                self.note(|connection| connection.heard.push(Heard::CloseLogin));
                self.streams.clear();
                self.login = None;
                *locked(&self.link.account) = None;
            } else {
                self.note(|connection| connection.heard.push(Heard::CloseItem(id)));
                if self.streams.remove(&id).is_none() {
                    self.complain(id, "no such stream is open", &message.to_string()).await?;
                }
            }
        }
        self.update_wants();
        Ok(())
    }
}

struct Wanted {
    domain: String,
    service: Option<String>,
    streaming: bool,
    answered: bool,
}

/// Who wants to log in, and why not, if not.
struct Verdict {
    name: String,
    access: Option<Access>,
    refusal: Option<State>,
}
