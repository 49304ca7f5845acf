//! What Terraform says in resources of their own and CloudFormation inside the bucket, and the policy.

use super::{bucket::BucketRef, lifecycle::Rule, notification::Notifications};
use crate::{
    policy::{Document, Permissions, Use},
    services::kms::KeyRef,
    tree::{Handle, Properties, Resource, Text, Types, Value},
};

/// Who may do what with a bucket besides those whose own policies say so.
#[derive(Debug)]
pub(super) struct BucketPolicy {
    pub(super) bucket: BucketRef,
    pub(super) document: Document,
}

impl Resource for BucketPolicy {
    fn types(&self) -> Types {
        Types::new("s3", "aws_s3_bucket_policy", "AWS::S3::BucketPolicy")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default().set("Bucket", self.bucket.name()).set("PolicyDocument", &self.document)
    }

    fn terraform(&self) -> Properties {
        Properties::default().set("bucket", self.bucket.name()).set("policy", Value::json(&self.document))
    }

    fn permissions(&self) -> Option<Permissions<'_>> {
        Some(Permissions { role: Use::Resource, of: Some(self.bucket.node()), document: &self.document })
    }
}

/// One of Terraform's resources beside the bucket.
#[derive(Debug)]
pub(super) struct Satellite {
    pub(super) bucket: BucketRef,
    pub(super) of: Matter,
}

/// What a [`Satellite`] is about.
#[derive(Debug)]
pub(super) enum Matter {
    PublicAccess,
    Ownership,
    Encryption(Option<KeyRef>),
    Versioning,
    Lifecycle(Vec<Rule>),
    Logging { to: BucketRef, prefix: Text },
    Notifications(Notifications),
}

impl Resource for Satellite {
    fn types(&self) -> Types {
        let name = match &self.of {
            Matter::PublicAccess => "aws_s3_bucket_public_access_block",
            Matter::Ownership => "aws_s3_bucket_ownership_controls",
            Matter::Encryption(_) => "aws_s3_bucket_server_side_encryption_configuration",
            Matter::Versioning => "aws_s3_bucket_versioning",
            Matter::Lifecycle(_) => "aws_s3_bucket_lifecycle_configuration",
            Matter::Logging { .. } => "aws_s3_bucket_logging",
            Matter::Notifications(_) => "aws_s3_bucket_notification",
        };
        Types::terraform("s3", name)
    }

    fn terraform(&self) -> Properties {
        let start = Properties::default().set("bucket", self.bucket.name());
        match &self.of {
            Matter::PublicAccess => start
                .set("block_public_acls", true)
                .set("block_public_policy", true)
                .set("ignore_public_acls", true)
                .set("restrict_public_buckets", true),
            Matter::Ownership => {
                start.set("rule", Properties::default().set("object_ownership", "BucketOwnerEnforced"))
            }
            Matter::Encryption(key) => start.set("rule", encryption(*key)),
            Matter::Versioning => start.set("versioning_configuration", Properties::default().set("status", "Enabled")),
            Matter::Lifecycle(rules) => start.set("rule", Value::list(rules.iter().map(Rule::terraform))),
            Matter::Logging { to, prefix } => start.set("target_bucket", to.name()).set("target_prefix", prefix),
            Matter::Notifications(notifications) => notifications
                .terraform()
                .iter()
                .fold(start, |all, (name, value)| all.set(name.to_owned(), value.clone())),
        }
    }
}

fn encryption(key: Option<KeyRef>) -> Properties {
    let algorithm = if key.is_some() { "aws:kms" } else { "AES256" };
    let default = Properties::default().set("sse_algorithm", algorithm);
    Properties::default()
        .set("apply_server_side_encryption_by_default", default.set_some("kms_master_key_id", key.map(KeyRef::arn)))
        .set_some("bucket_key_enabled", key.map(|_| true))
}
