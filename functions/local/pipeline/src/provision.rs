//! The stack's stream, table, queues and secrets, made at an endpoint that speaks AWS's protocols.

use std::{collections::HashMap, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
    StreamViewType, TimeToLiveSpecification,
};
use aws_sdk_kinesis::types::{StreamMode, StreamModeDetails, StreamStatus};
use aws_sdk_sqs::types::QueueAttributeName;
use serde::Deserialize;
use serde_json::Value;

use crate::stack::{Made, Physical, Stack};

/// A name and its password.
#[derive(Clone)]
pub struct Login {
    /// Who.
    pub username: String,
    /// What they say.
    pub password: String,
}

/// Who may log in where.
#[derive(Debug, Clone)]
pub struct Logins {
    /// The broker's user, for the secret that the stack makes a password for.
    pub broker: Login,
    /// The feed's, for secrets that the stack leaves empty for people to fill: their content.
    pub feed: Value,
}

/// What could not be made.
#[derive(Debug, thiserror::Error)]
#[error("could not make {kind} {name}: {cause}")]
pub struct ProvisionError {
    kind: &'static str,
    name: String,
    cause: String,
}

/// Removes what was made, at the endpoint where it was.
#[derive(Debug)]
pub struct Provisioned {
    /// What exists now.
    pub made: Made,
    config: SdkConfig,
    passing: bool,
    secrets: Vec<String>,
    remains: Vec<Remains>,
}

#[derive(Debug)]
enum Remains {
    Stream(String),
    Table(String),
    Queue(String),
    Secret(String),
}

/// How long a stream or a table may take to become active.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamProperties {
    name: String,
    shard_count: Option<i32>,
    stream_mode_details: Option<ModeProperties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ModeProperties {
    stream_mode: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableProperties {
    table_name: String,
    key_schema: Vec<KeyProperties>,
    attribute_definitions: Vec<AttributeProperties>,
    stream_specification: Option<ViewProperties>,
    time_to_live_specification: Option<LifeProperties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyProperties {
    attribute_name: String,
    key_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttributeProperties {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ViewProperties {
    stream_view_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LifeProperties {
    attribute_name: String,
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueProperties {
    queue_name: String,
    visibility_timeout: Option<u32>,
    message_retention_period: Option<u32>,
    receive_message_wait_time_seconds: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretProperties {
    name: String,
    generate_secret_string: Option<Value>,
}

impl Provisioned {
    /// Makes them, one after the other. `passing` is for an endpoint in this process: what is there goes with it.
    ///
    /// # Errors
    ///
    /// The first that can't be made; what was made before it is removed again.
    pub async fn make(
        stack: &Stack,
        config: &SdkConfig,
        logins: &Logins,
        passing: bool,
    ) -> Result<Self, ProvisionError> {
        let mut provisioned =
            Self { made: Made::default(), config: config.clone(), passing, secrets: Vec::new(), remains: Vec::new() };
        provisioned.make_all(stack, logins).await?;
        Ok(provisioned)
    }

    async fn make_all(&mut self, stack: &Stack, logins: &Logins) -> Result<(), ProvisionError> {
        for (id, properties) in stack.of_type("AWS::Kinesis::Stream") {
            self.stream(id, read("stream", id, properties)?).await?;
        }
        for (id, properties) in stack.of_type("AWS::DynamoDB::Table") {
            self.table(id, read("table", id, properties)?).await?;
        }
        for (id, properties) in stack.of_type("AWS::SQS::Queue") {
            self.queue(id, read("queue", id, properties)?).await?;
        }
        for (id, properties) in stack.of_type("AWS::SecretsManager::Secret") {
            self.secret(id, read("secret", id, properties)?, logins).await?;
        }
        Ok(())
    }

    async fn stream(&mut self, id: &str, properties: StreamProperties) -> Result<(), ProvisionError> {
        let StreamProperties { name, shard_count, stream_mode_details } = properties;
        let failed = |cause: String| ProvisionError { kind: "stream", name: name.clone(), cause };
        let client = aws_sdk_kinesis::Client::new(&self.config);
        let mode = stream_mode_details.map(|details| StreamMode::from(details.stream_mode.as_str()));
        let mode = mode.map(|mode| StreamModeDetails::builder().stream_mode(mode).build()).transpose();
        let mode = mode.map_err(|error| failed(error.to_string()))?;
        let request = client.create_stream().stream_name(&name).set_shard_count(shard_count);
        let answer = request.set_stream_mode_details(mode).send().await;
        answer.map_err(|error| failed(runtime::with_causes(&error)))?;
        self.remains.push(Remains::Stream(name.clone()));
        let arn = active(|| async {
            let described = client.describe_stream_summary().stream_name(&name).send().await;
            let described = described.map_err(|error| runtime::with_causes(&error))?;
            let summary = described.stream_description_summary;
            Ok(summary
                .filter(|summary| summary.stream_status == StreamStatus::Active)
                .map(|summary| summary.stream_arn))
        });
        let arn = arn.await.map_err(failed)?;
        self.made.add(id, Physical::named(&name).with("Arn", arn));
        Ok(())
    }

    async fn table(&mut self, id: &str, properties: TableProperties) -> Result<(), ProvisionError> {
        let name = properties.table_name.clone();
        let failed = |cause: String| ProvisionError { kind: "table", name: name.clone(), cause };
        let client = aws_sdk_dynamodb::Client::new(&self.config);
        let request = table_request(&client, &properties).map_err(failed)?;
        request.send().await.map_err(|error| failed(runtime::with_causes(&error)))?;
        self.remains.push(Remains::Table(name.clone()));
        let arns = active(|| async {
            let described = client.describe_table().table_name(&name).send().await;
            let table = described.map_err(|error| runtime::with_causes(&error))?.table;
            let is_active = |status: &aws_sdk_dynamodb::types::TableStatus| status.as_str() == "ACTIVE";
            let table = table.filter(|table| table.table_status.as_ref().is_some_and(is_active));
            Ok(table.map(|table| (table.table_arn.unwrap_or_default(), table.latest_stream_arn.unwrap_or_default())))
        });
        let (arn, stream) = arns.await.map_err(failed)?;
        if let Some(life) = properties.time_to_live_specification {
            let life = TimeToLiveSpecification::builder().attribute_name(life.attribute_name).enabled(life.enabled);
            let life = life.build().map_err(|error| failed(error.to_string()))?;
            let told = client.update_time_to_live().table_name(&name).time_to_live_specification(life).send().await;
            told.map_err(|error| failed(runtime::with_causes(&error)))?;
        }
        self.made.add(id, Physical::named(&name).with("Arn", arn).with("StreamArn", stream));
        Ok(())
    }

    async fn queue(&mut self, id: &str, properties: QueueProperties) -> Result<(), ProvisionError> {
        let name = properties.queue_name;
        let failed = |cause: String| ProvisionError { kind: "queue", name: name.clone(), cause };
        let client = aws_sdk_sqs::Client::new(&self.config);
        let attributes = [
            (QueueAttributeName::VisibilityTimeout, properties.visibility_timeout),
            (QueueAttributeName::MessageRetentionPeriod, properties.message_retention_period),
            (QueueAttributeName::ReceiveMessageWaitTimeSeconds, properties.receive_message_wait_time_seconds),
        ];
        let attributes = attributes.into_iter().filter_map(|(name, value)| Some((name, value?.to_string())));
        let attributes: HashMap<_, _> = attributes.collect();
        // Making one that exists is no error, and it would be removed in the end, with somebody's messages.
        if client.get_queue_url().queue_name(&name).send().await.is_ok() {
            return Err(failed("there is one of that name already".to_owned()));
        }
        let made = client.create_queue().queue_name(&name).set_attributes(Some(attributes)).send().await;
        let url = made.map_err(|error| failed(runtime::with_causes(&error)))?.queue_url.unwrap_or_default();
        self.remains.push(Remains::Queue(url.clone()));
        let arn = QueueAttributeName::QueueArn;
        let told = client.get_queue_attributes().queue_url(&url).attribute_names(arn.clone()).send().await;
        let attributes = told.map_err(|error| failed(runtime::with_causes(&error)))?.attributes.unwrap_or_default();
        let arn = attributes.get(&arn).ok_or_else(|| failed("it says no ARN".to_owned()))?;
        self.made.add(id, Physical::named(url).with("Arn", arn.as_str()).with("QueueName", name.as_str()));
        Ok(())
    }

    async fn secret(&mut self, id: &str, properties: SecretProperties, logins: &Logins) -> Result<(), ProvisionError> {
        let SecretProperties { name, generate_secret_string } = properties;
        let failed = |cause: String| ProvisionError { kind: "secret", name: name.clone(), cause };
        let content = match generate_secret_string {
            Some(_) => logins.broker.to_json(),
            None => logins.feed.clone(),
        };
        let client = aws_sdk_secretsmanager::Client::new(&self.config);
        let made = client.create_secret().name(&name).secret_string(content.to_string()).send().await;
        let arn = made.map_err(|error| failed(runtime::with_causes(&error)))?.arn.unwrap_or_default();
        self.remains.push(Remains::Secret(arn.clone()));
        self.made.add(id, Physical::named(arn));
        self.secrets.push(name);
        Ok(())
    }

    /// Adds a secret with the feed's login, unless the stack has made one of that name.
    ///
    /// # Errors
    ///
    /// When the endpoint refuses.
    pub async fn feed_secret(&mut self, name: &str, logins: &Logins) -> Result<(), ProvisionError> {
        if self.secrets.iter().any(|made| made == name) {
            return Ok(());
        }
        let properties = SecretProperties { name: name.to_owned(), generate_secret_string: None };
        self.secret(name, properties, logins).await
    }

    /// What there is, in a few words.
    pub fn describe(&self) -> String {
        let is_named = |remains: &&Remains| matches!(remains, Remains::Stream(_) | Remains::Table(_));
        let count = |is: fn(&Remains) -> bool| self.remains.iter().filter(|remains| is(remains)).count();
        let queues = count(|remains| matches!(remains, Remains::Queue(_)));
        let secrets = count(|remains| matches!(remains, Remains::Secret(_)));
        let named = self.remains.iter().filter(is_named).map(Remains::describe);
        named.chain([format!("{queues} queues"), format!("{secrets} secrets")]).collect::<Vec<_>>().join(", ")
    }

    /// Removes it all, unless it goes with this process, and says what can't be removed.
    pub async fn remove(mut self) -> Vec<String> {
        remove(&self.config.clone(), self.remaining()).await
    }

    fn remaining(&mut self) -> Vec<Remains> {
        let remains = std::mem::take(&mut self.remains);
        if self.passing { Vec::new() } else { remains }
    }
}

/// What is dropped instead of removed, as when something failed or somebody said stop, is removed all the same.
impl Drop for Provisioned {
    fn drop(&mut self) {
        let remains = self.remaining();
        if remains.is_empty() {
            return;
        }
        let config = self.config.clone();
        // On a thread of its own, as a runtime can't wait for another one.
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(remove(&config, remains)))
        });
        let _ = removing.join();
    }
}

async fn remove(config: &SdkConfig, all: Vec<Remains>) -> Vec<String> {
    let mut left = Vec::new();
    for remains in all {
        let what = remains.describe();
        let removed = remains.remove(config).await;
        left.extend(removed.err().map(|cause| format!("{what}: {cause}")));
    }
    left
}

impl Remains {
    async fn remove(self, config: &SdkConfig) -> Result<(), String> {
        match self {
            Self::Stream(name) => {
                let request = aws_sdk_kinesis::Client::new(config).delete_stream().stream_name(name);
                told(request.enforce_consumer_deletion(true).send().await)
            }
            Self::Table(name) => {
                told(aws_sdk_dynamodb::Client::new(config).delete_table().table_name(name).send().await)
            }
            Self::Queue(url) => told(aws_sdk_sqs::Client::new(config).delete_queue().queue_url(url).send().await),
            Self::Secret(arn) => {
                let request = aws_sdk_secretsmanager::Client::new(config).delete_secret().secret_id(arn);
                told(request.force_delete_without_recovery(true).send().await)
            }
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Stream(name) => format!("stream {name}"),
            Self::Table(name) => format!("table {name}"),
            Self::Queue(url) => format!("queue {url}"),
            Self::Secret(arn) => format!("secret {arn}"),
        }
    }
}

fn told<T, E: std::error::Error + 'static>(answer: Result<T, E>) -> Result<(), String> {
    answer.map(drop).map_err(|error| runtime::with_causes(&error))
}

impl Login {
    fn to_json(&self) -> Value {
        serde_json::json!({ "username": self.username, "password": self.password })
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

fn read<T: for<'a> Deserialize<'a>>(kind: &'static str, id: &str, properties: &Value) -> Result<T, ProvisionError> {
    // Encryption keys and the like refer to what has no counterpart here.
    let known = Made::default().resolve_known(properties);
    serde_json::from_value(known).map_err(|error| ProvisionError {
        kind,
        name: id.to_owned(),
        cause: error.to_string(),
    })
}

fn table_request(
    client: &aws_sdk_dynamodb::Client,
    properties: &TableProperties,
) -> Result<aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder, String> {
    let mut request = client.create_table().table_name(&properties.table_name).billing_mode(BillingMode::PayPerRequest);
    for key in &properties.key_schema {
        let kind = KeyType::from(key.key_type.as_str());
        let key = KeySchemaElement::builder().attribute_name(&key.attribute_name).key_type(kind).build();
        request = request.key_schema(key.map_err(|error| error.to_string())?);
    }
    for attribute in &properties.attribute_definitions {
        let kind = ScalarAttributeType::from(attribute.attribute_type.as_str());
        let definition = AttributeDefinition::builder().attribute_name(&attribute.attribute_name).attribute_type(kind);
        request = request.attribute_definitions(definition.build().map_err(|error| error.to_string())?);
    }
    if let Some(view) = &properties.stream_specification {
        let view = StreamViewType::from(view.stream_view_type.as_str());
        let stream = StreamSpecification::builder().stream_enabled(true).stream_view_type(view).build();
        request = request.stream_specification(stream.map_err(|error| error.to_string())?);
    }
    Ok(request)
}

/// Asks until there is something, up to a minute.
async fn active<T, F: Future<Output = Result<Option<T>, String>>>(ask: impl Fn() -> F) -> Result<T, String> {
    let waiting = async {
        loop {
            if let Some(found) = ask().await? {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let late = |_| Err(format!("it is not active after {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(late)
}
