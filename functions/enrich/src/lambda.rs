//! The function in Lambda: clients, warm connections, and Lambda's own loop.

use crate::{Enrich, dynamodb::DynamoDb, handler::Handler, sagemaker::SageMaker, sentiment::Sentiments, sqs::Sqs};
use anyhow::{Context, anyhow};
use aws_config::timeout::TimeoutConfig;
use futures_util::future::join;
use lambda_runtime::service_fn;
use news::settings::EnrichSettings;
use std::{io::Write, net::TcpStream, time::Duration};
use tokio::time::timeout;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(2);

/// How long a request to the table or the queue may take before it is given up and tried again.
const ATTEMPT: Duration = Duration::from_secs(5);

/// What the settings' time-out of a request to a model leaves the SDK, so that ours comes first and says so.
const LONGER: Duration = Duration::from_secs(1);

/// How long connections are being made ahead of the first event.
const WARMING: Duration = Duration::from_millis(250);

/// Handles events until Lambda ends the environment.
///
/// # Errors
///
/// The settings make no sense, or the Runtime API has gone.
pub async fn run() -> anyhow::Result<()> {
    let settings = EnrichSettings::from_variables(|name| std::env::var(name).ok());
    let settings = settings.inspect_err(report_init_error).context("the environment makes no settings")?;
    let handler = wire(settings).await;
    let answer = service_fn(|event| handler.handle(event));
    lambda_runtime::run(answer).await.map_err(|error| anyhow!(error)).context("the Runtime API failed")
}

async fn wire(settings: EnrichSettings) -> Handler<Sentiments<SageMaker>, DynamoDb, Sqs> {
    let asking = Duration::from_millis(settings.request_timeout_ms.into()) + LONGER;
    let aws = runtime::aws::configuration(CONNECT, ATTEMPT).await;
    let patience = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(asking).build();
    let patient = aws.clone().into_builder().timeout_config(patience).build();
    let models = SageMaker::new(aws_sdk_sagemakerruntime::Client::new(&patient));
    let table = aws_sdk_dynamodb::Client::new(&aws);
    let articles = DynamoDb::new(table, &settings.table_name, settings.ttl_days, settings.writes_in_flight);
    let quarantine = Sqs::new(aws_sdk_sqs::Client::new(&aws), &settings.quarantine_url);
    // In the init phase there is a whole processor; what is not done by then is done by the first event.
    let _ = timeout(WARMING, join(models.warm(), articles.warm())).await;
    let pipeline = settings.pipeline.clone();
    let enricher = Sentiments::new(models, settings);
    Handler { enrich: Enrich { enricher, articles, quarantine }, pipeline }
}

/// Tells Lambda why the function can't start, so that its console says so and not only the log.
fn report_init_error(error: &news::settings::SettingsError) {
    let Ok(address) = std::env::var("AWS_LAMBDA_RUNTIME_API") else { return };
    let _ = post_init_error(&address, &error.to_string());
}

/// lambda_runtime has no call for it outside of its own loop.
fn post_init_error(address: &str, message: &str) -> std::io::Result<()> {
    const KIND: &str = "Enrich.Settings";
    let body = serde_json::json!({ "errorType": KIND, "errorMessage": message, "stackTrace": [] }).to_string();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    write!(
        stream,
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: {KIND}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    std::io::copy(&mut stream, &mut std::io::sink())?;
    Ok(())
}
