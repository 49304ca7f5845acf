//! What AWS offers: one room per service, each with its definitions, handles and both renderings.

pub mod appautoscaling;
pub mod iam;
pub mod imagebuilder;
pub mod kinesis;
pub mod kms;
pub mod sagemaker;
pub mod units;
