//! Typed AWS constructs that synthesize Terraform JSON and CloudFormation.

pub mod policy;
pub mod render;
pub mod schema;
pub mod services;
pub mod tree;
