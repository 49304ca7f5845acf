//! Infrastructure configurations: on which instances images are built, and with which rights.

use std::borrow::Cow;

use super::check_name;
use crate::{
    policy::{Grant, Statement},
    services::iam::{Grantee, InstanceProfileRef},
    tree::{
        Access, Arn, Attribute, Construct, Handle, Id, Name, NodeRef, Properties, Pseudo, Ref, Resource, Stack, Text,
        Types, Value,
    },
};

/// Where images are built: an instance with a profile, whose role is granted what a build needs.
///
/// Metadata needs a token (IMDSv2), there is no SSH key, and what fails is terminated.
///
/// ```
/// use constructs::{services::{iam::{InstanceProfile, Role, Service}, imagebuilder::InfrastructureConfiguration}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let role = stack.add("Builder", Role::of(Service::EC2));
/// let profile = stack.add("Profile", InstanceProfile::of(role));
/// stack.add("Workshop", InfrastructureConfiguration::on(profile).instance_type("t4g.medium"));
/// ```
#[derive(Debug, Clone)]
pub struct InfrastructureConfiguration {
    profile: InstanceProfileRef,
    instance_types: Vec<Cow<'static, str>>,
    network: Option<(Ref<Id>, Vec<Ref<Id>>)>,
    logs: Option<(Ref<Name>, Cow<'static, str>)>,
    topic: Option<Ref<Arn>>,
    keeps_failed: bool,
    name: Option<Text>,
}

impl InfrastructureConfiguration {
    /// Instances with this profile.
    pub fn on(profile: InstanceProfileRef) -> Self {
        Self {
            profile,
            instance_types: Vec::new(),
            network: None,
            logs: None,
            topic: None,
            keeps_failed: false,
            name: None,
        }
    }

    /// A type of instance that will do, such as `t4g.medium`; again for one more. Left out, Image Builder chooses
    /// one that fits the parent image.
    pub fn instance_type(mut self, kind: impl Into<Cow<'static, str>>) -> Self {
        self.instance_types.push(kind.into());
        self
    }

    /// A subnet with a way to Systems Manager, and security groups. Left out, the default VPC's.
    pub fn in_subnet(mut self, subnet: Ref<Id>, security_groups: impl IntoIterator<Item = Ref<Id>>) -> Self {
        self.network = Some((subnet, security_groups.into_iter().collect()));
        self
    }

    /// Keeps the logs of the components in a bucket too, under a prefix.
    pub fn logging_to(mut self, bucket: Ref<Name>, prefix: impl Into<Cow<'static, str>>) -> Self {
        self.logs = Some((bucket, prefix.into()));
        self
    }

    /// Tells an SNS topic when a build has ended.
    pub fn telling(mut self, topic: Ref<Arn>) -> Self {
        self.topic = Some(topic);
        self
    }

    /// Keeps an instance whose build failed, to look at; somebody has to terminate it.
    pub fn keeping_failed_instances(mut self) -> Self {
        self.keeps_failed = true;
        self
    }

    /// Another name than the one made from the path, 3 to 126 letters.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl Construct for InfrastructureConfiguration {
    type Handle = InfrastructureConfigurationRef;

    fn build(mut self, stack: &mut Stack) -> InfrastructureConfigurationRef {
        let name = self.name.get_or_insert_with(|| stack.physical_name().into());
        check_name(stack, "infrastructure configuration", name);
        if self.network.as_ref().is_some_and(|(_, groups)| groups.is_empty()) {
            stack.problem("a subnet needs at least one security group; Image Builder takes both or none");
        }
        let role = self.profile.role();
        stack.grant(role, build_images());
        if let Some((bucket, prefix)) = &self.logs {
            let prefix = prefix.trim_end_matches('/').to_owned();
            let objects = Text::from("arn:") + Pseudo::Partition + ":s3:::" + *bucket + "/" + prefix + "/*";
            stack.grant(role, Statement::allow(["s3:PutObject"]).on(objects));
        }
        let node = stack.resource(self);
        // A build that starts before its role may do anything fails.
        if let Some(policy) = stack.policy_of(role) {
            stack.depends(node, policy);
        }
        InfrastructureConfigurationRef { node }
    }
}

/// What an instance does while an image is built: fetch components, answer Systems Manager, write logs (Image
/// Builder User Guide, `EC2InstanceProfileForImageBuilder`, and `AmazonSSMManagedInstanceCore`, narrowed: without
/// the inventory, which images and pipelines don't ask for).
fn build_images() -> Grant {
    let arn =
        |service: &'static str| Text::from("arn:") + Pseudo::Partition + ":" + service + ":" + Pseudo::Region + ":";
    let messages = [
        "ec2messages:AcknowledgeMessage",
        "ec2messages:DeleteMessage",
        "ec2messages:FailMessage",
        "ec2messages:GetEndpoint",
        "ec2messages:GetMessages",
        "ec2messages:SendReply",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ];
    let logs = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];
    Grant::of([
        Statement::allow(messages).on_any("the actions take no resource"),
        Statement::allow(["ssm:UpdateInstanceInformation"]).on(arn("ec2") + Pseudo::Account + ":instance/*"),
        Statement::allow(["imagebuilder:GetComponent"])
            // Of this account, of Amazon, and those that others share with it.
            .on(arn("imagebuilder") + "*:component/*"),
        Statement::allow(["s3:GetObject"]).on(Text::from("arn:") + Pseudo::Partition + ":s3:::ec2imagebuilder*/*"),
        Statement::allow(logs).on(arn("logs") + Pseudo::Account + ":log-group:/aws/imagebuilder/*"),
    ])
}

// ---------------------------------------------------------------------------------------------------

/// An [`InfrastructureConfiguration`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct InfrastructureConfigurationRef {
    node: NodeRef,
}

impl InfrastructureConfigurationRef {
    /// The configuration's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::GetAtt("Arn")))
    }
}

impl Handle for InfrastructureConfigurationRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for InfrastructureConfiguration {
    fn types(&self) -> Types {
        let cloudformation = "AWS::ImageBuilder::InfrastructureConfiguration";
        Types::new("imagebuilder", "aws_imagebuilder_infrastructure_configuration", cloudformation)
    }

    fn cloudformation(&self) -> Properties {
        let metadata = Properties::default().set("HttpTokens", "required").set("HttpPutResponseHopLimit", 1);
        let logging = self.logs.as_ref().map(|(bucket, prefix)| {
            let logs =
                Properties::default().set("S3BucketName", *bucket).set("S3KeyPrefix", prefix.clone().into_owned());
            Properties::default().set("S3Logs", logs)
        });
        let (subnet, groups) = self.network.clone().unzip();
        Properties::default()
            .set_some("Name", self.name.as_ref())
            .set("InstanceProfileName", self.profile.name())
            .set_filled("InstanceTypes", self.instance_types())
            .set_some("SubnetId", subnet)
            .set_some("SecurityGroupIds", groups)
            .set("InstanceMetadataOptions", metadata)
            .set("TerminateInstanceOnFailure", !self.keeps_failed)
            .set_some("Logging", logging)
            .set_some("SnsTopicArn", self.topic)
    }

    fn terraform(&self) -> Properties {
        let metadata = Properties::default().set("http_tokens", "required").set("http_put_response_hop_limit", 1);
        let logging = self.logs.as_ref().map(|(bucket, prefix)| {
            let logs =
                Properties::default().set("s3_bucket_name", *bucket).set("s3_key_prefix", prefix.clone().into_owned());
            Properties::default().set("s3_logs", logs)
        });
        let (subnet, groups) = self.network.clone().unzip();
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set("instance_profile_name", self.profile.name())
            .set_filled("instance_types", self.instance_types())
            .set_some("subnet_id", subnet)
            .set_some("security_group_ids", groups)
            .set("instance_metadata_options", metadata)
            .set("terminate_instance_on_failure", !self.keeps_failed)
            .set_some("logging", logging)
            .set_some("sns_topic_arn", self.topic)
    }
}

impl InfrastructureConfiguration {
    fn instance_types(&self) -> Value {
        Value::list(self.instance_types.iter().map(|kind| kind.clone().into_owned()))
    }
}
