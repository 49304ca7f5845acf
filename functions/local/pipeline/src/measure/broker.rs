//! What RabbitMQ takes alone: a message published with a confirm, and delivered.

use std::time::{Duration, Instant};

use amqp::login_of_secret;
use anyhow::{Context, Result, anyhow, ensure};
use futures_util::{FutureExt, StreamExt, future::try_join_all};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer,
    options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    tcp::OwnedTLSConfig,
    types::{AMQPValue, FieldTable},
    uri::AMQPUri,
};
use news::EnrichedItem;

use super::{Rate, Step, median, ms, number};
use crate::Deployment;

/// AMQP's number for a message that survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// One message after the other, and then all at once.
pub(super) async fn alone(deployment: &Deployment, items: &[EnrichedItem], rounds: usize) -> Result<(Step, Rate)> {
    let connection = connect(deployment).await?;
    let mut queue = Queue::open(&connection).await?;
    let bodies = items.iter().map(serde_json::to_vec).collect::<Result<Vec<_>, _>>()?;
    let mut all = Vec::new();
    for body in bodies.iter().cycle().take(rounds) {
        let began = Instant::now();
        // Whichever comes last: an item is here when it is delivered, and its invocation ends with the confirm.
        let (published, delivered) = tokio::join!(publish(&queue.channel, &queue.name, body), queue.consumer.next());
        all.push(began.elapsed());
        published?;
        delivered.context("the broker ended the subscription")??;
    }
    let began = Instant::now();
    let publishing = try_join_all(bodies.iter().map(|body| publish(&queue.channel, &queue.name, body)));
    let delivering = async {
        for _ in &bodies {
            queue.consumer.next().await.context("the broker ended the subscription")??;
        }
        anyhow::Ok(())
    };
    let (_, ()) = tokio::try_join!(publishing, delivering)?;
    let per_second = number(items.len()) / began.elapsed().as_secs_f64();
    let _ = connection.close(200, "".into()).await;
    let step = Step { name: "a message confirmed and delivered", ms: ms(median(all)) };
    Ok((step, Rate { part: "RabbitMQ, confirmed and delivered", per_second }))
}

async fn connect(deployment: &Deployment) -> Result<Connection> {
    let secrets = aws_sdk_secretsmanager::Client::new(&deployment.config);
    let login = login_of_secret(&secrets, &deployment.outputs.broker_secret).await?;
    let cert_chain = match &deployment.broker_ca {
        Some(path) => {
            let read = std::fs::read_to_string(path);
            Some(read.with_context(|| format!("could not read {}", path.display()))?)
        }
        None => None,
    };
    let url = &deployment.outputs.broker_url;
    let mut uri: AMQPUri = url.parse().map_err(|error| anyhow!("{url} is no address of a broker: {error}"))?;
    uri.authority.userinfo.username = login.username;
    uri.authority.userinfo.password = login.password;
    // By the letter a closing slash names the virtual host "", which nobody has.
    if uri.vhost.is_empty() {
        uri.vhost = "/".into();
    }
    let properties = ConnectionProperties::default().with_connection_name("newsloom-local bench".into());
    let tls = OwnedTLSConfig { identity: None, cert_chain };
    let connecting = Connection::connect_uri_with_config(uri, properties, tls, lapin::runtime::default_runtime()?);
    let connected = tokio::time::timeout(Duration::from_secs(10), connecting).await;
    Ok(connected.with_context(|| format!("no answer from the broker {url}"))??)
}

/// A queue of the connection's own, and who reads it.
struct Queue {
    channel: Channel,
    name: String,
    consumer: Consumer,
}

impl Queue {
    async fn open(connection: &Connection) -> Result<Self> {
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        // Said, as a broker may have another default, and an exclusive queue can't be a quorum queue.
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
        let queue = channel.queue_declare("".into(), options, arguments).await?.name().clone();
        let name = queue.to_string();
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let reading = connection.create_channel().await?;
        let consumer = reading.basic_consume(queue, "".into(), options, FieldTable::default()).await?;
        Ok(Self { channel, name, consumer })
    }
}

async fn publish(channel: &Channel, queue: &str, body: &[u8]) -> Result<()> {
    let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let sent = channel.basic_publish("".into(), queue.into(), options, body, properties).boxed_local();
    let confirmation = sent.await?.await?;
    ensure!(matches!(confirmation, Confirmation::Ack(None)), "the broker did not take a message: {confirmation:?}");
    Ok(())
}
