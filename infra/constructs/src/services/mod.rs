//! What AWS offers: one room per service, each with its definitions, handles and both renderings.

pub mod cloudwatch;
pub mod iam;
pub mod kinesis;
pub mod kms;
pub mod mq;
pub mod secretsmanager;
pub mod ssm;
pub mod units;
