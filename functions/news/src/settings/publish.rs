//! What `publish` is told.

use super::{Reader, SettingsError, Writer};

/// What `publish` needs to know: DynamoDB Streams → RabbitMQ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishSettings<V = String> {
    /// The environment's name, for the metrics.
    pub pipeline: V,
    /// The broker, `amqps://host:5671`, without credentials.
    pub broker_url: V,
    /// The secret in Secrets Manager, `{"username": …, "password": …}`.
    pub broker_secret: V,
    /// A file of certificates to trust instead of the system's; `None` trusts the system's.
    pub broker_ca_file: Option<V>,
    /// The durable topic exchange.
    pub exchange: String,
    /// How many messages the queue of the unrouted keeps; the oldest go first.
    pub unrouted_limit: u32,
    /// How many messages may be unconfirmed at once.
    pub messages_in_flight: u16,
    /// After how many milliseconds an unconfirmed message counts as failed.
    pub confirm_timeout_ms: u32,
    /// After how many milliseconds connecting to the broker is given up.
    pub connect_timeout_ms: u32,
}

impl<V> PublishSettings<V> {
    /// The environment that says all this.
    pub fn into_variables(self) -> Vec<(String, V)>
    where
        V: From<String>,
    {
        let Self {
            pipeline,
            broker_url,
            broker_secret,
            broker_ca_file,
            exchange,
            unrouted_limit,
            messages_in_flight,
            confirm_timeout_ms,
            connect_timeout_ms,
        } = self;
        let mut writer = Writer::new();
        writer.value("PIPELINE", pipeline);
        writer.value("BROKER_URL", broker_url);
        writer.value("BROKER_SECRET", broker_secret);
        writer.optional("BROKER_CA_FILE", broker_ca_file);
        writer.value("EXCHANGE", exchange.into());
        writer.number("UNROUTED_LIMIT", unrouted_limit);
        writer.number("MESSAGES_IN_FLIGHT", messages_in_flight);
        writer.number("CONFIRM_TIMEOUT_MS", confirm_timeout_ms);
        writer.number("CONNECT_TIMEOUT_MS", connect_timeout_ms);
        writer.variables
    }
}

impl PublishSettings {
    /// Reads the settings back, from `std::env::var(name).ok()` or a test's table.
    ///
    /// # Errors
    ///
    /// Names every variable that is missing and every one that makes no sense.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(&lookup);
        let settings = Self {
            pipeline: reader.text("PIPELINE"),
            broker_url: reader.text("BROKER_URL"),
            broker_secret: reader.text("BROKER_SECRET"),
            broker_ca_file: reader.optional("BROKER_CA_FILE"),
            exchange: reader.text("EXCHANGE"),
            unrouted_limit: reader.positive("UNROUTED_LIMIT"),
            messages_in_flight: reader.positive("MESSAGES_IN_FLIGHT"),
            confirm_timeout_ms: reader.positive("CONFIRM_TIMEOUT_MS"),
            connect_timeout_ms: reader.positive("CONNECT_TIMEOUT_MS"),
        };
        reader.finish(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::variables::tests::{assert_allowed, lookup};

    #[test]
    fn what_is_written_is_read() {
        for broker_ca_file in [None, Some("/opt/ca.pem".to_string())] {
            let settings = PublishSettings {
                pipeline: "news".to_string(),
                broker_url: "amqps://b-1.mq.eu-west-1.on.aws:5671".into(),
                broker_secret: "arn:aws:secretsmanager:eu-west-1:1:secret:broker".into(),
                broker_ca_file,
                exchange: "news".into(),
                unrouted_limit: 10_000,
                messages_in_flight: 1000,
                confirm_timeout_ms: 5000,
                connect_timeout_ms: 3000,
            };
            let variables = settings.clone().into_variables();
            assert_allowed(&variables);
            let read = PublishSettings::from_variables(lookup(&variables)).unwrap();
            assert_eq!(read, settings);
        }
    }

    #[test]
    fn empty_environment_names_everything_that_is_needed() {
        let error = PublishSettings::from_variables(|_| None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "missing environment variables: PIPELINE, BROKER_URL, BROKER_SECRET, EXCHANGE, \
             UNROUTED_LIMIT, MESSAGES_IN_FLIGHT, CONFIRM_TIMEOUT_MS, CONNECT_TIMEOUT_MS"
        );
    }
}
