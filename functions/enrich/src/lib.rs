//! Kinesis to SageMaker to DynamoDB.
