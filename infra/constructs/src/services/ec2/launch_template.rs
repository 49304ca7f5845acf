//! Launch templates.

use super::{Ami, InstanceType};
use crate::{
    services::{
        iam::{Grantee, InstanceProfileRef, RoleRef},
        kms::KeyRef,
        units::Gib,
        vpc::{SecurityGroupRef, name_map, name_pairs},
    },
    tree::{
        Access, Attribute, Backend, Construct, Handle, Id, NodeRef, Other, Properties, Ref, Resource, Stack, Text,
        Types, Value,
    },
};

/// The most bytes of user data that EC2 takes, before they are encoded.
const MOST_USER_DATA: usize = 16 * 1024;

/// What instances are launched from, one by one or by an Auto Scaling group.
///
/// Instances take version 2 of the metadata service only, and answer nobody but themselves; there is no key
/// pair and no SSH, as Session Manager needs neither; the disk is encrypted; nothing has a public address.
///
/// ```
/// use constructs::{services::{ec2::{Ami, Architecture, LaunchTemplate}, iam::{InstanceProfile, Role, Service}}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let role = stack.add("Role", Role::of(Service::EC2));
/// let profile = stack.add("Profile", InstanceProfile::of(role));
/// let linux = Ami::amazon_linux_2023(Architecture::Arm64);
/// let ingester = LaunchTemplate::of(linux, "t4g.small").profile(profile).user_data("#!/bin/sh\nsystemctl start ingester\n");
/// let template = stack.add("Ingester", ingester);
/// stack.output("TemplateId", template.id());
/// ```
#[derive(Debug, Clone)]
pub struct LaunchTemplate {
    ami: Ami,
    instance_type: InstanceType,
    profile: Option<InstanceProfileRef>,
    security_groups: Vec<SecurityGroupRef>,
    disk: Gib,
    key: Option<KeyRef>,
    user_data: Option<Text>,
    hops: u8,
    detailed_monitoring: bool,
    public_address: bool,
    name: Option<Text>,
}

impl LaunchTemplate {
    /// A template for instances of this image and type.
    pub fn of(ami: Ami, instance_type: impl Into<InstanceType>) -> Self {
        Self {
            ami,
            instance_type: instance_type.into(),
            profile: None,
            security_groups: Vec::new(),
            disk: Gib(8),
            key: None,
            user_data: None,
            hops: 1,
            detailed_monitoring: false,
            public_address: false,
            name: None,
        }
    }

    /// What the instances may do. Left out, they may do nothing, not even talk to Systems Manager.
    pub fn profile(mut self, profile: InstanceProfileRef) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Makes the instances members of a security group; again for one more, up to 5. Left out, they are in
    /// their VPC's default group.
    pub fn in_group(mut self, group: SecurityGroupRef) -> Self {
        self.security_groups.push(group);
        self
    }

    /// The first disk's size, up to 65 536 GiB, and not less than the image's own. Defaults to 8.
    pub fn disk(mut self, size: Gib) -> Self {
        self.disk = size;
        self
    }

    /// Encrypts the disk with this key. Defaults to the key that AWS manages for EBS. An Auto Scaling group
    /// needs rights on the key: allow its service-linked role in the key's policy.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }

    /// What the instances run when they start for the first time, up to 16 KiB: a script that begins with
    /// `#!`, or cloud-init's `#cloud-config`. It can be read by whatever runs on the instance, so no secrets.
    pub fn user_data(mut self, text: impl Into<Text>) -> Self {
        self.user_data = Some(text.into());
        self
    }

    /// How many network hops away the metadata service answers, 1 to 64. Defaults to 1, the instance itself;
    /// containers with a network of their own need 2.
    pub fn metadata_hops(mut self, hops: u8) -> Self {
        self.hops = hops;
        self
    }

    /// With metrics each minute rather than every five, for a price.
    pub fn detailed_monitoring(mut self) -> Self {
        self.detailed_monitoring = true;
        self
    }

    /// Gives each instance a public address: only of use in a public subnet.
    pub fn with_public_address(mut self) -> Self {
        self.public_address = true;
        self
    }

    /// Another name than the one made from the path; 3 to 128 characters.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    fn check(&self, stack: &mut Stack) {
        let name = self.instance_type.name();
        if !self.instance_type.is_well_formed() {
            stack.problem(format!("`{name}` is no instance type such as `t4g.small`"));
        }
        let runs = self.instance_type.architecture();
        if let Some(needed) = self.ami.architecture.filter(|needed| *needed != runs) {
            stack.problem(format!("{name} runs {}, and the image is for {}", runs.name(), needed.name()));
        }
        if !(1..=65_536).contains(&self.disk.0) {
            stack.problem(format!("the disk has {} GiB; EBS has 1 to 65536", self.disk.0));
        }
        if !(1..=64).contains(&self.hops) {
            stack.problem(format!("metadata is {} hops away; EC2 takes 1 to 64", self.hops));
        }
        if self.security_groups.len() > 5 {
            stack.problem(format!(
                "{} security groups are given; an interface takes up to 5",
                self.security_groups.len()
            ));
        }
        if let Some(name) = self.name.as_ref().and_then(Text::literal).filter(|name| !(3..=128).contains(&name.len())) {
            stack.problem(format!("the template's name has {} characters; EC2 takes 3 to 128", name.len()));
        }
        let bytes = self.user_data.as_ref().and_then(Text::literal).map_or(0, str::len);
        if bytes > MOST_USER_DATA {
            stack.problem(format!("user data has {bytes} bytes; EC2 takes {MOST_USER_DATA}: fetch the rest from S3"));
        }
    }
}

impl Construct for LaunchTemplate {
    type Handle = LaunchTemplateRef;

    fn build(self, stack: &mut Stack) -> LaunchTemplateRef {
        self.check(stack);
        let instance_name = stack.physical_name();
        let role = self.profile.map(Grantee::role);
        LaunchTemplateRef { node: stack.resource(Template { instance_name, template: self }), role }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`LaunchTemplate`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct LaunchTemplateRef {
    node: NodeRef,
    role: Option<RoleRef>,
}

impl LaunchTemplateRef {
    /// The template's id.
    pub fn id(self) -> Ref<Id> {
        Ref::new(self.node, Attribute::id("id", Access::Ref))
    }

    /// The number of its newest version.
    pub fn latest_version(self) -> Ref<Other> {
        Ref::new(self.node, Attribute::other("latest_version", Access::GetAtt("LatestVersionNumber")))
    }

    /// The role that its instances run with, where it has a profile.
    pub fn role(self) -> Option<RoleRef> {
        self.role
    }

    /// The template's newest version, as an instance or group names it.
    pub(in crate::services) fn specification(self, backend: Backend) -> Properties {
        let (id, version) = match backend {
            Backend::Terraform => ("id", "version"),
            Backend::CloudFormation => ("LaunchTemplateId", "Version"),
        };
        Properties::default().set(id, self.id()).set(version, self.latest_version())
    }
}

impl Handle for LaunchTemplateRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

#[derive(Debug)]
struct Template {
    /// What the console shows for each instance and its disk.
    instance_name: String,
    template: LaunchTemplate,
}

impl Template {
    fn name(&self) -> Text {
        self.template.name.clone().unwrap_or_else(|| self.instance_name.clone().into())
    }

    fn groups(&self) -> Vec<Ref<Id>> {
        self.template.security_groups.iter().map(|group| group.id()).collect()
    }
}

impl Resource for Template {
    fn types(&self) -> Types {
        Types::new("ec2", "aws_launch_template", "AWS::EC2::LaunchTemplate")
    }

    fn cloudformation(&self) -> Properties {
        let template = &self.template;
        let disk = Properties::default()
            .set("VolumeSize", template.disk)
            .set("VolumeType", "gp3")
            .set("Encrypted", true)
            .set_some("KmsKeyId", template.key.map(KeyRef::arn))
            .set("DeleteOnTermination", true);
        let metadata = Properties::default()
            .set("HttpEndpoint", "enabled")
            .set("HttpTokens", "required")
            .set("HttpPutResponseHopLimit", template.hops);
        let mut data = Properties::default()
            .set("ImageId", &template.ami.image)
            .set("InstanceType", template.instance_type.name().to_owned())
            .set_some(
                "IamInstanceProfile",
                template.profile.map(|profile| Properties::default().set("Arn", profile.arn())),
            )
            .set("MetadataOptions", metadata)
            .set(
                "BlockDeviceMappings",
                [Properties::default().set("DeviceName", template.ami.root_device).set("Ebs", disk)],
            );
        data = if template.public_address {
            let interface = Properties::default()
                .set("DeviceIndex", 0)
                .set("AssociatePublicIpAddress", true)
                .set_filled("Groups", self.groups());
            data.set("NetworkInterfaces", [interface])
        } else {
            data.set_filled("SecurityGroupIds", self.groups())
        };
        let tags = |resource: &'static str| {
            Properties::default().set("ResourceType", resource).set("Tags", name_pairs(&self.instance_name))
        };
        let data = data
            .set_some("UserData", template.user_data.clone().map(Value::Base64))
            .set("Monitoring", Properties::default().set("Enabled", template.detailed_monitoring))
            .set("TagSpecifications", [tags("instance"), tags("volume"), tags("network-interface")]);
        Properties::default()
            .set("LaunchTemplateName", self.name())
            .set("LaunchTemplateData", data)
            .set("TagSpecifications", [tags("launch-template")])
    }

    fn terraform(&self) -> Properties {
        let template = &self.template;
        // The provider tells an absent truth from a false one by writing both as strings.
        let disk = Properties::default()
            .set("volume_size", template.disk)
            .set("volume_type", "gp3")
            .set("encrypted", "true")
            .set_some("kms_key_id", template.key.map(KeyRef::arn))
            .set("delete_on_termination", "true");
        let metadata = Properties::default()
            .set("http_endpoint", "enabled")
            .set("http_tokens", "required")
            .set("http_put_response_hop_limit", template.hops);
        let mut arguments = Properties::default()
            .set("name", self.name())
            .set("image_id", &template.ami.image)
            .set("instance_type", template.instance_type.name().to_owned())
            .set_some(
                "iam_instance_profile",
                template.profile.map(|profile| Properties::default().set("arn", profile.arn())),
            )
            .set("metadata_options", metadata)
            .set(
                "block_device_mappings",
                Properties::default().set("device_name", template.ami.root_device).set("ebs", disk),
            );
        arguments = if template.public_address {
            let interface = Properties::default()
                .set("device_index", 0)
                .set("associate_public_ip_address", "true")
                .set_filled("security_groups", self.groups());
            arguments.set("network_interfaces", interface)
        } else {
            arguments.set_filled("vpc_security_group_ids", self.groups())
        };
        let tags = |resource: &'static str| {
            Properties::default().set("resource_type", resource).set("tags", name_map(&self.instance_name))
        };
        arguments
            .set_some("user_data", template.user_data.clone().map(Value::Base64))
            .set("monitoring", Properties::default().set("enabled", template.detailed_monitoring))
            .set("tag_specifications", [tags("instance"), tags("volume"), tags("network-interface")])
            .set("update_default_version", true)
            .set("tags", name_map(&self.instance_name))
    }

    fn tag_specifications(&self, backend: Backend) -> &'static [&'static str] {
        match backend {
            Backend::Terraform => &["tag_specifications"],
            Backend::CloudFormation => &["LaunchTemplateData.TagSpecifications", "TagSpecifications"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::{
            ec2::Architecture,
            iam::{InstanceProfile, Role, Service},
            kinesis::Stream,
            kms::Key,
            vpc::{Network, SecurityGroup},
        },
        testing::{check, check_stack, problems},
    };

    fn linux() -> Ami {
        Ami::amazon_linux_2023(Architecture::Arm64)
    }

    #[test]
    fn renderings() {
        check("ec2_launch_template", LaunchTemplate::of(linux(), "t4g.small"));
        check_stack("ec2_launch_template_in_full", |stack| {
            stack.tag("team", "news");
            let network = stack.add("Network", Network::existing("vpc-0a1b2c3d4e5f60718"));
            let group = stack.add("Group", SecurityGroup::in_vpc(network, "Reads the feed"));
            let role = stack.add("Role", Role::of(Service::EC2));
            let profile = stack.add("Profile", InstanceProfile::of(role));
            let key = stack.add("Key", Key::new("Encrypts disks"));
            let news = stack.add("News", Stream::on_demand());
            let script =
                Text::from("#!/bin/sh\nexport STREAM=\"") + news.name() + "\" HOME=${HOME:-/}\nexec ingester\n";
            let template = LaunchTemplate::of(Ami::id("ami-0a1b2c3d4e5f60718").root_device("/dev/sda1"), "c7i.large")
                .profile(profile)
                .in_group(group)
                .disk(Gib(30))
                .encrypted_by(key)
                .user_data(script)
                .metadata_hops(2)
                .detailed_monitoring()
                .with_public_address()
                .named("feed-handlers");
            stack.add("Ingester", template);
        });
    }

    #[test]
    fn templates_that_can_t_start_are_refused() {
        let id = || Ami::id("ami-0a1b2c3d4e5f60718");
        let cases = [
            (LaunchTemplate::of(linux(), "t3.small"), "t3.small runs x86_64, and the image is for arm64"),
            (LaunchTemplate::of(id(), "large"), "`large` is no instance type such as `t4g.small`"),
            (LaunchTemplate::of(id(), "t3.small").disk(Gib(0)), "the disk has 0 GiB; EBS has 1 to 65536"),
            (LaunchTemplate::of(id(), "t3.small").metadata_hops(65), "metadata is 65 hops away; EC2 takes 1 to 64"),
            (
                LaunchTemplate::of(id(), "t3.small").named("it"),
                "the template's name has 2 characters; EC2 takes 3 to 128",
            ),
            (
                LaunchTemplate::of(id(), "t3.small").user_data("#".repeat(16_385)),
                "user data has 16385 bytes; EC2 takes 16384: fetch the rest from S3",
            ),
        ];
        for (template, message) in cases {
            let found = problems(|stack| {
                stack.add("Ingester", template);
            });
            assert!(found.contains(&format!("Ingester: {message}")), "{message}\n{found}");
        }
    }
}
