//! Putting records on the stream.

use aws_sdk_kinesis::{Client, primitives::Blob};
use runtime::with_causes;

/// The stream that items are put on.
#[derive(Debug)]
pub(super) struct Stream {
    client: Client,
    name: String,
}

/// Where Kinesis put a record.
pub(super) struct Accepted {
    pub(super) shard: String,
    pub(super) number: String,
}

impl Stream {
    pub(super) fn new(config: &aws_config::SdkConfig, name: &str) -> Self {
        Self { client: Client::new(config), name: name.into() }
    }

    /// One by one: records of one thread have to come in their order.
    pub(super) async fn put(&self, key: &str, data: Vec<u8>) -> Result<Accepted, String> {
        let request = self.client.put_record().stream_name(&self.name).partition_key(key).data(Blob::new(data));
        let answer = request.send().await.map_err(|error| with_causes(&error))?;
        Ok(Accepted { shard: answer.shard_id, number: answer.sequence_number })
    }
}
