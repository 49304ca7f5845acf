//! DynamoDB Streams to RabbitMQ.

fn main() {}
