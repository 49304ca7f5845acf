//! Queues and their policies in both backends.

use super::{Fifo, Queue, QueueRef, Sources};
use crate::{
    policy::{Document, Permissions, Use},
    services::kms::KeyRef,
    tree::{Handle, Properties, Resource, Types, Value},
};

impl Resource for Queue {
    fn types(&self) -> Types {
        Types::new("sqs", "aws_sqs_queue", "AWS::SQS::Queue")
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set_some("QueueName", self.name.as_ref())
            .set_some("FifoQueue", self.order.map(|_| true))
            .set_some("ContentBasedDeduplication", self.order.map(Fifo::is_by_content))
            .set_some("DeduplicationScope", self.order.map(Fifo::scope))
            .set_some("FifoThroughputLimit", self.order.map(Fifo::limit))
            .set("VisibilityTimeout", self.visibility)
            .set("MessageRetentionPeriod", self.retention)
            .set("DelaySeconds", self.delay)
            .set("ReceiveMessageWaitTimeSeconds", self.wait)
            .set("MaximumMessageSize", self.largest)
            .set_some("SqsManagedSseEnabled", self.key.is_none().then_some(true))
            .set_some("KmsMasterKeyId", self.key.map(KeyRef::arn))
            .set_some("KmsDataKeyReusePeriodSeconds", self.key_reuse)
            .set_some("RedrivePolicy", self.redrive())
            .set_some("RedriveAllowPolicy", self.redrive_allow())
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set_some("fifo_queue", self.order.map(|_| true))
            .set_some("content_based_deduplication", self.order.map(Fifo::is_by_content))
            .set_some("deduplication_scope", self.order.map(Fifo::scope))
            .set_some("fifo_throughput_limit", self.order.map(Fifo::limit))
            .set("visibility_timeout_seconds", self.visibility)
            .set("message_retention_seconds", self.retention)
            .set("delay_seconds", self.delay)
            .set("receive_wait_time_seconds", self.wait)
            .set("max_message_size", self.largest)
            .set_some("sqs_managed_sse_enabled", self.key.is_none().then_some(true))
            .set_some("kms_master_key_id", self.key.map(KeyRef::arn))
            .set_some("kms_data_key_reuse_period_seconds", self.key_reuse)
            .set_some("redrive_policy", self.redrive().map(Value::json))
            .set_some("redrive_allow_policy", self.redrive_allow().map(Value::json))
    }
}

impl Queue {
    fn redrive(&self) -> Option<Properties> {
        let (queue, receives) = self.dead_letters?;
        Some(Properties::default().set("deadLetterTargetArn", queue.arn()).set("maxReceiveCount", receives))
    }

    fn redrive_allow(&self) -> Option<Properties> {
        let permission = |word: &'static str| Properties::default().set("redrivePermission", word);
        match &self.sources {
            Sources::Any => None,
            Sources::Nobody => Some(permission("denyAll")),
            Sources::These(queues) => Some(permission("byQueue").set("sourceQueueArns", Value::list(queues))),
        }
    }
}

/// Who may do what with a queue besides those whose own policies say so.
#[derive(Debug)]
pub(super) struct QueuePolicy {
    pub(super) queue: QueueRef,
    pub(super) document: Document,
}

impl Resource for QueuePolicy {
    fn types(&self) -> Types {
        Types::new("sqs", "aws_sqs_queue_policy", "AWS::SQS::QueuePolicy")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default().set("Queues", [self.queue.url()]).set("PolicyDocument", &self.document)
    }

    fn terraform(&self) -> Properties {
        Properties::default().set("queue_url", self.queue.url()).set("policy", Value::json(&self.document))
    }

    fn permissions(&self) -> Option<Permissions<'_>> {
        Some(Permissions { role: Use::Resource, of: Some(self.queue.node()), document: &self.document })
    }
}
