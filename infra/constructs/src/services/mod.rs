//! What AWS offers: one room per service, each with its definitions, handles and both renderings.

pub mod dynamodb;
pub mod iam;
pub mod kinesis;
pub mod kms;
pub mod lambda;
pub mod logs;
pub mod sns;
pub mod sqs;
pub mod units;
