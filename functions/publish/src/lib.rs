//! DynamoDB Streams to RabbitMQ.
