//! Kinesis to SageMaker to DynamoDB.

fn main() {}
