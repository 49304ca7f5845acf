//! A secret and what belongs to it, in both backends.

use std::borrow::Cow;

use super::{Content, Secret, SecretRef, quoted};
use crate::{
    policy::{Document, Permissions, Use},
    services::{kms::KeyRef, units::Days},
    tree::{Block, Other, Properties, Ref, Resource, Text, Types, Value},
};

impl Resource for Secret {
    fn types(&self) -> Types {
        Types::new("secretsmanager", "aws_secretsmanager_secret", "AWS::SecretsManager::Secret")
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn cloudformation(&self) -> Properties {
        let generated = match &self.content {
            Content::Empty => None,
            Content::Generated { username, rules, .. } => Some(
                Properties::default()
                    .set(
                        "SecretStringTemplate",
                        Value::json(Properties::default().set("username", username.to_string())),
                    )
                    .set("GenerateStringKey", "password")
                    .set("PasswordLength", rules.length)
                    .set_some("ExcludeCharacters", rules.excluded())
                    .set("ExcludePunctuation", rules.punctuation_without.is_none())
                    .set("RequireEachIncludedType", true),
            ),
        };
        let replicas = self.replicas.iter().map(|replica| {
            Properties::default().set("Region", replica.region.to_string()).set_some("KmsKeyId", replica.key.as_ref())
        });
        Properties::default()
            .set_some("Name", self.name.as_ref())
            .set_some("Description", self.description.clone().map(Cow::into_owned))
            .set_some("KmsKeyId", self.key.map(KeyRef::arn))
            .set_some("GenerateSecretString", generated)
            .set_filled("ReplicaRegions", Value::list(replicas))
    }

    fn terraform(&self) -> Properties {
        let replicas = self.replicas.iter().map(|replica| {
            Properties::default().set("region", replica.region.to_string()).set_some("kms_key_id", replica.key.as_ref())
        });
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set_some("description", self.description.clone().map(Cow::into_owned))
            .set_some("kms_key_id", self.key.map(KeyRef::arn))
            .set("recovery_window_in_days", self.recovery.unwrap_or(Days(30)))
            .set_filled("replica", Value::list(replicas))
    }
}

/// The value of a generated secret; CloudFormation says the same in the secret.
#[derive(Debug)]
pub(super) struct SecretVersion {
    pub(super) secret: SecretRef,
    pub(super) username: Cow<'static, str>,
    pub(super) password: Ref<Other>,
    pub(super) version: u32,
}

impl Resource for SecretVersion {
    fn types(&self) -> Types {
        Types::terraform("secretsmanager", "aws_secretsmanager_secret_version")
    }

    fn terraform(&self) -> Properties {
        let login = format!("jsonencode({{username = {}, password = ", quoted(&self.username));
        let login = Text::expression([Text::from(login), self.password.into(), "})".into()]);
        Properties::default()
            .set("secret_id", self.secret.id())
            .set("secret_string_wo", login)
            .set("secret_string_wo_version", self.version)
    }
}

/// Terraform's way to a secret's value.
#[derive(Debug)]
pub(super) struct CurrentValue {
    pub(super) secret: SecretRef,
}

impl Resource for CurrentValue {
    fn types(&self) -> Types {
        let types = Types::terraform("secretsmanager", "aws_secretsmanager_secret_version");
        Types { block: Block::Data, ..types }
    }

    fn terraform(&self) -> Properties {
        Properties::default().set("secret_id", self.secret.id())
    }
}

#[derive(Debug)]
pub(super) struct SecretPolicy {
    pub(super) secret: SecretRef,
    pub(super) policy: Document,
}

impl Resource for SecretPolicy {
    fn types(&self) -> Types {
        Types::new("secretsmanager", "aws_secretsmanager_secret_policy", "AWS::SecretsManager::ResourcePolicy")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("SecretId", self.secret.arn())
            .set("ResourcePolicy", &self.policy)
            .set("BlockPublicPolicy", true)
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("secret_arn", self.secret.arn())
            .set("policy", Value::json(&self.policy))
            .set("block_public_policy", true)
    }

    fn permissions(&self) -> Option<Permissions<'_>> {
        Some(Permissions { role: Use::Resource, of: None, document: &self.policy })
    }
}

/// Lets Secrets Manager call the rotating function, for this secret only.
#[derive(Debug)]
pub(super) struct RotationPermission {
    pub(super) secret: SecretRef,
    pub(super) function: Text,
}

impl Resource for RotationPermission {
    fn types(&self) -> Types {
        Types::new("secretsmanager", "aws_lambda_permission", "AWS::Lambda::Permission")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("FunctionName", &self.function)
            .set("Action", "lambda:InvokeFunction")
            .set("Principal", "secretsmanager.amazonaws.com")
            .set("SourceArn", self.secret.arn())
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("function_name", &self.function)
            .set("action", "lambda:InvokeFunction")
            .set("principal", "secretsmanager.amazonaws.com")
            .set("source_arn", self.secret.arn())
    }
}

#[derive(Debug)]
pub(super) struct Rotation {
    pub(super) secret: SecretRef,
    pub(super) function: Text,
    pub(super) every: Days,
}

impl Resource for Rotation {
    fn types(&self) -> Types {
        Types::new("secretsmanager", "aws_secretsmanager_secret_rotation", "AWS::SecretsManager::RotationSchedule")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("SecretId", self.secret.arn())
            .set("RotationLambdaARN", &self.function)
            .set("RotationRules", Properties::default().set("AutomaticallyAfterDays", self.every))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("secret_id", self.secret.id())
            .set("rotation_lambda_arn", &self.function)
            .set("rotation_rules", Properties::default().set("automatically_after_days", self.every))
    }
}
