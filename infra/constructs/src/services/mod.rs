//! What AWS offers: one room per service, each with its definitions, handles and both renderings.

pub mod autoscaling;
pub mod cloudwatch;
pub mod dynamodb;
pub mod appautoscaling;
pub mod ec2;
pub mod iam;
pub mod imagebuilder;
pub mod kinesis;
pub mod kms;
pub mod s3;
pub mod sns;
pub mod sqs;
pub mod lambda;
pub mod logs;
pub mod sns;
pub mod sqs;
pub mod sagemaker;
pub mod mq;
pub mod secretsmanager;
pub mod ssm;
pub mod units;
pub mod vpc;
