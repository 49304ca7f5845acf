//! AWS's services behind one address: a function needs only `AWS_ENDPOINT_URL`.
//!
//! What a request asks for is read from its path (SageMaker) or `X-Amz-Target` (the others); signatures are not
//! checked. Each service is a room of its own, answers like the real one as far as Newsloom uses it, fails when told
//! to, and keeps a journal.

mod dynamodb;
mod journal;
mod kinesis;
mod lexicon;
mod logs;
mod secrets;
mod sqs;

pub mod sagemaker;

use std::{
    io,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, StatusCode};

pub use self::{
    dynamodb::{Call as DynamoDbCall, DynamoDb},
    kinesis::{Call as KinesisCall, Kinesis, Shard, StreamRecord},
    logs::Logs,
    sagemaker::SageMaker,
    secrets::Secrets,
    sqs::{Message, Sqs},
};
use crate::{
    Place, lock,
    server::{Reply, Server, respond},
};

/// SageMaker's runtime, DynamoDB, Kinesis, SQS, Secrets Manager and CloudWatch Logs on one port of 127.0.0.1.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use local::aws::{Aws, sagemaker::Answer};
///
/// let aws = Aws::start().await?;
/// aws.dynamodb().create_table("articles");
/// aws.sagemaker().answer("finbert", Answer::Throttled);
/// for (name, value) in aws.environment() {
///     println!("export {name}={value}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Aws {
    server: Server,
    services: Services,
    place: Place,
}

/// What an [`Aws`] is started with.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use local::aws::Aws;
///
/// let aws = Aws::builder().region("us-east-1").account("111122223333").start().await?;
/// assert_eq!(aws.sqs().arn("quarantine"), "arn:aws:sqs:us-east-1:111122223333:quarantine");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Builder {
    place: Place,
}

#[derive(Debug, Clone)]
struct Services {
    sagemaker: SageMaker,
    dynamodb: DynamoDb,
    kinesis: Kinesis,
    sqs: Sqs,
    secrets: Secrets,
    logs: Logs,
    not_understood: Arc<Mutex<Vec<String>>>,
}

impl Aws {
    /// Starts the server, with no table, stream or message.
    ///
    /// # Errors
    ///
    /// When no port can be had, or no thread.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// In [`REGION`](crate::REGION) and [`ACCOUNT`](crate::ACCOUNT), unless told otherwise.
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn start_in(place: Place) -> io::Result<Self> {
        let services = Services {
            sagemaker: SageMaker::new(place.clone()),
            dynamodb: DynamoDb::start(place.clone())?,
            kinesis: Kinesis::start(place.clone())?,
            sqs: Sqs::new(place.clone()),
            secrets: Secrets::new(place.clone()),
            logs: Logs::default(),
            not_understood: Arc::default(),
        };
        let answering = services.clone();
        let server = Server::start("aws", move |request| {
            let services = answering.clone();
            async move { services.answer(request).await }
        })?;
        server.runtime().spawn(services.dynamodb.clone().serve());
        Ok(Self { server, services, place })
    }

    /// `http://127.0.0.1:port`, the value of `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// The variables that lead an AWS SDK here, and keep it from the developer's account.
    pub fn environment(&self) -> Vec<(String, String)> {
        let here = [("AWS_ENDPOINT_URL".to_owned(), self.url())];
        let apart = crate::no_account().map(|(name, value)| match name {
            "AWS_REGION" => (name.to_owned(), self.place.region.clone()),
            _ => (name.to_owned(), value.to_owned()),
        });
        here.into_iter().chain(apart).collect()
    }

    /// SageMaker's runtime: endpoints that judge headlines.
    pub fn sagemaker(&self) -> &SageMaker {
        &self.services.sagemaker
    }

    /// DynamoDB, and DynamoDB Streams.
    pub fn dynamodb(&self) -> &DynamoDb {
        &self.services.dynamodb
    }

    /// Kinesis: streams to write and to read.
    pub fn kinesis(&self) -> &Kinesis {
        &self.services.kinesis
    }

    /// SQS: queues to send to.
    pub fn sqs(&self) -> &Sqs {
        &self.services.sqs
    }

    /// Secrets Manager.
    pub fn secrets(&self) -> &Secrets {
        &self.services.secrets
    }

    /// CloudWatch Logs: groups to write to.
    pub fn logs(&self) -> &Logs {
        &self.services.logs
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.place.region
    }

    /// The account's number.
    pub fn account(&self) -> &str {
        &self.place.account
    }

    /// `http://127.0.0.1:port/account/name`: the URL that `CreateQueue` and `GetQueueUrl` give for a queue.
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.url(), self.place.account)
    }

    /// Whether each request is kept for `calls`. Defaults to true; a long run would fill the memory with them. What was
    /// kept is forgotten when it ends. Counts, such as [`SageMaker::judged`], go on.
    pub fn journal(&self, on: bool) {
        let Services { sagemaker, dynamodb, kinesis, secrets, .. } = &self.services;
        sagemaker.journal(on);
        dynamodb.journal(on);
        kinesis.journal(on);
        secrets.journal(on);
    }

    /// The requests that no room knew, as `POST /path X-Amz-Target`. They were answered 501.
    pub fn not_understood(&self) -> Vec<String> {
        lock(&self.services.not_understood).clone()
    }
}

impl Builder {
    /// The region, in ARNs and in `AWS_REGION`. Defaults to [`REGION`](crate::REGION).
    pub fn region(mut self, name: impl Into<String>) -> Self {
        self.place.region = name.into();
        self
    }

    /// The account's number, in ARNs. Defaults to [`ACCOUNT`](crate::ACCOUNT).
    pub fn account(mut self, number: impl Into<String>) -> Self {
        self.place.account = number.into();
        self
    }

    /// Starts the server, with no table, stream or queue.
    ///
    /// # Errors
    ///
    /// When no port can be had, or no thread.
    #[expect(clippy::unused_async, reason = "one way to start for all parts, and room for one that must wait")]
    pub async fn start(self) -> io::Result<Aws> {
        Aws::start_in(self.place)
    }
}

impl Services {
    async fn answer(&self, request: Request<Bytes>) -> Reply {
        if let Some(endpoint) = sagemaker::endpoint(request.uri().path()) {
            return self.sagemaker.invoke(endpoint, &request).await;
        }
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        match target.unwrap_or_default().split_once('.') {
            Some(("DynamoDB_20120810" | "DynamoDBStreams_20120810", operation)) => {
                let operation = operation.to_owned();
                self.dynamodb.answer(&operation, request).await
            }
            Some(("Kinesis_20131202", operation)) => {
                let operation = operation.to_owned();
                self.kinesis.answer(&operation, request).await
            }
            Some(("AmazonSQS", operation)) => {
                let answer = self.sqs.answer(operation, &request).await;
                Ok(answer.unwrap_or_else(|| self.unknown(&request)))
            }
            Some(("secretsmanager", operation)) => {
                let answer = self.secrets.answer(operation, request.body());
                Ok(answer.unwrap_or_else(|| self.unknown(&request)))
            }
            Some(("Logs_20140328", operation @ ("CreateLogStream" | "PutLogEvents"))) => {
                Ok(self.logs.answer(operation, request.body()))
            }
            _ => Ok(self.unknown(&request)),
        }
    }

    fn unknown(&self, request: &Request<Bytes>) -> Response<Full<Bytes>> {
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or("-");
        let asked = format!("{} {} {target}", request.method(), request.uri().path());
        let response = error(StatusCode::NOT_IMPLEMENTED, "NotImplemented", &format!("not on this machine: {asked}"));
        let mut not_understood = lock(&self.not_understood);
        if not_understood.len() < MOST_NOT_UNDERSTOOD {
            not_understood.push(asked);
        }
        response
    }
}

/// Whoever reads more than these has understood.
const MOST_NOT_UNDERSTOOD: usize = 1_000;

/// An error of the AWS JSON protocol 1.0 (1.1 has the same form).
fn error(status: StatusCode, code: &str, message: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "__type": code, "message": message }).to_string();
    let mut response = respond(status, AWS_JSON, body);
    if let Ok(code) = code.parse() {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

/// The media type of the AWS JSON protocol.
const AWS_JSON: &str = "application/x-amz-json-1.0";
