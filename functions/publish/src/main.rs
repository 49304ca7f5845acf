//! `publish`, a Lambda function: DynamoDB Streams → RabbitMQ.

use anyhow::Context;
use aws_sdk_secretsmanager::Client;
use lambda_runtime::{LambdaEvent, service_fn};
use news::settings::PublishSettings;
use publish::{
    Limits,
    broker::{Address, RabbitMq, Tls, Told, Topology},
    credentials::Secret,
    handler::Handler,
};
use runtime::{Budget, events::Batch, with_causes};
use std::{io::stdout, path::Path, time::Duration};
use tokio::sync::Mutex;

/// Connecting to Secrets Manager, and a whole request to it.
const SECRETS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let in_lambda = std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some();
    anyhow::ensure!(
        in_lambda,
        "publish is a Lambda function: AWS_LAMBDA_RUNTIME_API says who calls it, and is not set"
    );
    runtime::logs::init();
    let settings = PublishSettings::from_variables(|name| std::env::var(name).ok())?;
    let [connect, attempt] = SECRETS;
    let secrets = Client::new(&runtime::aws::configuration(connect, attempt).await);
    let mut broker = RabbitMq::new(told(&settings)?, Secret::new(secrets, &settings.broker_secret));

    // A broker that is away for its maintenance is no reason not to start: the first invocation tries again.
    let budget = Budget::of(millis(settings.connect_timeout_ms));
    if let Err(error) = broker.connect(budget).await {
        tracing::warn!(error = with_causes(&error), "No connection yet; the first batch tries again.");
    }

    let limits = Limits { in_flight: settings.messages_in_flight.into(), confirm: millis(settings.confirm_timeout_ms) };
    let handler = Mutex::new(Handler::new(broker, limits, settings.pipeline));
    let handler = &handler;
    let serve = move |event: LambdaEvent<Batch>| async move { handler.lock().await.handle(event, &mut stdout()).await };
    lambda_runtime::run(service_fn(serve)).await.map_err(anyhow::Error::from_boxed)
}

fn told(settings: &PublishSettings) -> anyhow::Result<Told> {
    let address: Address = settings.broker_url.parse()?;
    if !address.is_encrypted() {
        tracing::warn!(%address, "BROKER_URL is not amqps: password and messages are readable on the way.");
    }
    let tls = Tls::trusting(settings.broker_ca_file.as_deref().map(Path::new)).context("nobody to trust")?;
    Ok(Told {
        address,
        tls,
        topology: Topology::new(&settings.exchange, settings.unrouted_limit),
        connect: millis(settings.connect_timeout_ms),
        blocked: millis(settings.confirm_timeout_ms),
    })
}

fn millis(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}
