//! Feeds → Kinesis.

use constructs::{
    policy::{Grant, Statement},
    services::{
        autoscaling::AutoScalingGroup,
        ec2::{Ami, LaunchTemplate, LaunchTemplateRef},
        iam::{InstanceProfile, InstanceProfileRef, Role, RoleRef, Service, ServiceLinkedRole, ServiceLinkedRoleRef},
        imagebuilder::{
            Component, Distribution, DistributionConfiguration, Image, ImagePipeline, ImageRecipe,
            InfrastructureConfiguration, ParentImage, Platform, Schedule,
        },
        kinesis::{Stream, StreamRef},
        kms::KeyRef,
        logs::{LogGroup, LogGroupRef},
        secretsmanager::Secret,
        units::{Days, Gib, Hours, Seconds},
        vpc::{NetworkRef, Peer, Port, SecurityGroup, SecurityGroupRef},
    },
    tree::{Construct, Id, NodeRef, Pseudo, Ref, Stack, Text},
};
use settings::{BakedImage, Feed, Network, Settings};
use sha2::{Digest, Sha256};

use super::{
    SharedRef, architecture, for_logs, id,
    machine::{Binary, secret_name},
    own_key_for,
};
use crate::Asset;

/// Feeds → Kinesis.
pub(crate) struct Ingestion<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) binary: &'a Asset,
    pub(crate) shared: SharedRef,
}

/// What others take from [`Ingestion`].
#[derive(Clone, Copy)]
pub(crate) struct IngestionRef {
    pub(crate) news: StreamRef,
}

/// What the stream is called; other stages find it by this when they are alone.
pub(crate) fn stream_name(settings: &Settings) -> String {
    format!("{}-ingestion-news", settings.name)
}

pub(super) fn log_group_name(settings: &Settings) -> String {
    format!("/newsloom/{}/ingester", settings.name)
}

impl Construct for Ingestion<'_> {
    type Handle = IngestionRef;

    fn build(self, stack: &mut Stack) -> IngestionRef {
        let (key, scaling) = self.key(stack);
        let news = stack.add("News", self.news(key));
        stack.output("StreamName", news.name()).describe("Where the ingester puts items");
        if let Some(network) = self.shared.network {
            self.add_machine(stack, news, network, Secrecy { key, scaling });
        }
        IngestionRef { news }
    }
}

/// What encrypts, and who may use it to start the machine.
#[derive(Clone, Copy)]
struct Secrecy {
    key: Option<KeyRef>,
    scaling: Option<ServiceLinkedRoleRef>,
}

impl Ingestion<'_> {
    /// The stage's key, and the version of Auto Scaling's role that may use it for the machine's disk. With a
    /// key of the customer's it is the account's own role that the key's policy must allow.
    fn key(&self, stack: &mut Stack) -> (Option<KeyRef>, Option<ServiceLinkedRoleRef>) {
        let encryption = &self.settings.encryption;
        let is_made_here = encryption.customer_managed && encryption.key_arn.is_none();
        let has_machine = self.shared.network.is_some();
        let role = ServiceLinkedRole::autoscaling(self.settings.name.clone());
        let scaling = (is_made_here && has_machine).then(|| stack.add("Scaling", role));
        let what = "Encrypts the news, the feeds' credentials and the disks";
        let key = own_key_for(stack, self.settings, what, |key| {
            let key = for_logs(key, self.settings);
            match scaling {
                Some(scaling) => scaling.uses(key),
                None => key,
            }
        });
        (key, scaling)
    }

    fn news(&self, key: Option<KeyRef>) -> Stream {
        let settings = &self.settings.ingestion.stream;
        let stream = match settings.shards {
            Some(shards) => Stream::provisioned(shards.into()),
            None => Stream::on_demand(),
        };
        let stream = stream.retention(Hours(settings.retention_hours.into())).named(stream_name(self.settings));
        stream.encrypted_by(key)
    }

    fn add_machine(&self, stack: &mut Stack, news: StreamRef, network: NetworkRef, secrecy: Secrecy) {
        let key = secrecy.key;
        let settings = self.settings;
        let object = self.shared.upload(stack, "IngesterCode", self.binary);
        let binary = Binary { bucket: self.shared.code, asset: self.binary, object };
        let kept = Days(settings.monitoring.log_retention_days.into());
        let logs = LogGroup::new().retention(kept).named(log_group_name(settings)).encrypted_by(key);
        let logs = stack.add("Logs", logs);
        let role = stack.add("Ingester", Role::of(Service::EC2).description("The machine that reads the feeds"));
        let secrets = self.add_secrets(stack, key);
        self.grant(stack, role, news, logs, secrets);
        let profile = stack.add("Profile", InstanceProfile::of(role));
        let group = stack.add("IngesterGroup", SecurityGroup::in_vpc(network, "The ingester"));
        allow_out(stack, group, &settings.ingestion.feeds);

        let image = &settings.ingestion.image;
        let (ami, installed) = match image {
            settings::Image::Public(public) => {
                stack.grant(role, self.shared.code.read_prefix(self.binary.key.clone()));
                (Ami::parameter(public.parameter(settings.architecture)).running(architecture(settings)), false)
            }
            settings::Image::Id(image) => {
                stack.grant(role, self.shared.code.read_prefix(self.binary.key.clone()));
                (Ami::id(image.ami_id.clone()).running(architecture(settings)), false)
            }
            settings::Image::Baked(baked) => {
                let place = Place { network, group };
                let image = stack.add("Image", Baked { settings, image: baked, binary: &binary, place, key });
                (Ami::built(image).running(architecture(settings)), true)
            }
        };
        let template = self.template(ami, profile, group, key).user_data(binary.user_data(settings, installed));
        let template = stack.add("Template", template);
        stack.depends(template, object);
        self.add_group(stack, template, network, role, secrecy.scaling);
    }

    /// An empty secret for each feed that logs in and whose secret isn't the customer's.
    fn add_secrets(&self, stack: &mut Stack, key: Option<KeyRef>) -> Grant {
        let mut read = Grant::default();
        for feed in self.settings.ingestion.feeds.iter().filter(|feed| feed.needs_credentials()) {
            let name = secret_name(self.settings, feed);
            let place = format!("{}Login", id(feed.name()));
            let secret = match feed.secret() {
                Some(arn) if arn.starts_with("arn:") => stack.add(&place, Secret::existing_arn(arn.to_owned())),
                Some(_) => stack.add(&place, Secret::existing(name)),
                None => {
                    let secret = Secret::empty(format!("The login for the feed {}; put it in by hand", feed.name()));
                    let secret = secret.named(name.clone());
                    let secret = stack.add(&place, secret.encrypted_by(key));
                    let output = format!("{place}Secret");
                    stack.output(&output, secret.name()).describe("Put the feed's login in here");
                    secret
                }
            };
            read = read.and(secret.read());
        }
        read
    }

    fn grant(&self, stack: &mut Stack, role: RoleRef, news: StreamRef, logs: LogGroupRef, secrets: Grant) {
        stack.grant(role, news.write());
        // For `ingester check`, which must not put anything.
        stack.grant(role, news.describe());
        stack.grant(role, logs.write());
        stack.grant(role, secrets);
        for feed in &self.settings.ingestion.feeds {
            stack.grant(role, recording(feed));
        }
        stack.grant(role, session_manager());
    }

    fn template(
        &self,
        ami: Ami,
        profile: InstanceProfileRef,
        group: SecurityGroupRef,
        key: Option<KeyRef>,
    ) -> LaunchTemplate {
        let instance = &self.settings.ingestion.instance;
        let kind = instance.instance_type(self.settings.architecture).to_owned();
        let template = LaunchTemplate::of(ami, kind)
            .profile(profile)
            .in_group(group)
            .disk(Gib(instance.volume_gib.into()))
            .detailed_monitoring();
        let template = if is_private(&self.settings.network) { template } else { template.with_public_address() };
        template.encrypted_by(key)
    }

    fn add_group(
        &self,
        stack: &mut Stack,
        template: LaunchTemplateRef,
        network: NetworkRef,
        role: RoleRef,
        scaling: Option<ServiceLinkedRoleRef>,
    ) {
        let subnets: Vec<Ref<Id>> = if is_private(&self.settings.network) {
            network.private_subnets().collect()
        } else {
            network.public_subnets().collect()
        };
        let group = AutoScalingGroup::of(template, subnets).exactly(1).health_check_grace(Seconds(120));
        let group = match scaling {
            Some(scaling) => group.service_role(scaling),
            None => group,
        };
        let group = stack.add("Machine", group);
        for way in ways_out(stack, &self.settings.network, network) {
            stack.depends(group, way);
        }
        if let Some(policy) = stack.policy_of(role) {
            stack.depends(group, policy);
        }
        stack.output("IngesterGroup", group.name()).describe("The Auto Scaling group of the ingester");
    }
}

/// The ingester goes out through a NAT, or has an address of its own that nobody can connect to.
fn is_private(network: &Network) -> bool {
    match network {
        Network::New(network) => network.nat,
        Network::Existing(network) => network.public_subnet_ids.is_empty(),
    }
}

/// What leads from the machine to the internet: it installs what it runs as it starts.
fn ways_out(stack: &Stack, settings: &Network, network: NetworkRef) -> Vec<NodeRef> {
    if is_private(settings) { network.private_ways_out(stack) } else { network.public_ways_out(stack) }
}

/// May read the recording that a feed replays, where that is in S3.
fn recording(feed: &Feed) -> Grant {
    let Feed::Replay(replay) = feed else { return Grant::default() };
    let Some(object) = replay.location.strip_prefix("s3://") else { return Grant::default() };
    Statement::allow(["s3:GetObject"]).on(Text::from("arn:") + Pseudo::Partition + ":s3:::" + object.to_owned()).into()
}

/// Feeds and AWS are reached over TLS, an own installation of LSEG's at its ports.
fn allow_out(stack: &mut Stack, group: SecurityGroupRef, feeds: &[Feed]) {
    stack.allow(group, Peer::anywhere(), Port::HTTPS, "Feeds and AWS");
    let mut ports: Vec<u16> = Vec::new();
    for feed in feeds {
        match feed {
            Feed::LsegDeployed(feed) => ports.extend(feed.servers.iter().map(|server| port_of(server))),
            Feed::Rss(feed) => ports.extend(feed.urls.iter().map(|url| port_of(url))),
            Feed::Lseg(_) | Feed::Alpaca(_) | Feed::Replay(_) => {}
        }
    }
    ports.sort_unstable();
    ports.dedup();
    for port in ports.into_iter().filter(|port| *port != 443) {
        stack.allow(group, Peer::anywhere(), Port::tcp(port), "Feeds");
    }
}

/// The port in an address; what its scheme means where it says none.
fn port_of(url: &str) -> u16 {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let host = rest.split('/').next().unwrap_or(rest);
    let usual = if matches!(scheme, "http" | "ws") { 80 } else { 443 };
    host.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(usual)
}

/// A shell without SSH: what the agent of Systems Manager needs for Session Manager and nothing more
/// (Systems Manager User Guide, "Verify or add instance permissions for Session Manager").
fn session_manager() -> Grant {
    let instances = Text::from("arn:") + Pseudo::Partition + ":ec2:" + Pseudo::Region + ":" + Pseudo::Account;
    let channels = [
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ];
    Grant::of([
        Statement::allow(["ssm:UpdateInstanceInformation"]).on(instances + ":instance/*"),
        Statement::allow(channels).on_any("the agent's channels are not resources"),
    ])
}

/// Where an image is built.
#[derive(Clone, Copy)]
struct Place {
    network: NetworkRef,
    group: SecurityGroupRef,
}

/// An image with the ingester inside, built now and again on a schedule.
struct Baked<'a> {
    settings: &'a Settings,
    image: &'a BakedImage,
    binary: &'a Binary<'a>,
    place: Place,
    key: Option<KeyRef>,
}

impl Construct for Baked<'_> {
    type Handle = Ref<Id>;

    fn build(self, stack: &mut Stack) -> Ref<Id> {
        let settings = self.settings;
        let version = self.version();
        let component = Component::new(Platform::Linux, version.clone(), self.binary.component());
        let component = stack.add("Ingester", component.encrypted_by(self.key));
        stack.depends(component, self.binary.object);
        let parent = match settings.architecture {
            settings::Architecture::X86 => ParentImage::amazon_linux_2023_x86_64(),
            settings::Architecture::Arm => ParentImage::amazon_linux_2023_arm64(),
        };
        let kept = Days(settings.monitoring.log_retention_days.into());
        let recipe = ImageRecipe::based_on(parent, version).with(component).logs_kept(kept);
        let recipe = stack.add("Recipe", recipe.encrypted_by(self.key).logs_encrypted_by(self.key));
        let here = Distribution::here().named(format!("{}-ingester", settings.name)).encrypted_by(self.key);
        let infrastructure = self.infrastructure(stack);
        let distribution = stack.add("Distribution", DistributionConfiguration::of(here));
        let schedule = Schedule::cron(cron_fields(&self.image.schedule).to_owned());
        let pipeline = ImagePipeline::of(recipe, infrastructure).distributed(distribution).scheduled(schedule);
        stack.add("Pipeline", pipeline);
        stack.add("Built", Image::of(recipe, infrastructure).distributed(distribution)).ami()
    }
}

impl Baked<'_> {
    /// What a version of a component or recipe holds never changes, so another content is another version.
    fn version(&self) -> String {
        let parts = [
            self.binary.asset.sha256.as_bytes(),
            Binary::UNIT.as_bytes(),
            self.settings.architecture.name().as_bytes(),
            &[u8::from(self.key.is_some())],
        ];
        let digest = Sha256::digest(parts.concat());
        format!("1.0.{}", u32::from_be_bytes([0, digest[0], digest[1], digest[2]]))
    }

    fn infrastructure(&self, stack: &mut Stack) -> constructs::services::imagebuilder::InfrastructureConfigurationRef {
        let settings = self.settings;
        let role = stack.add("Builder", Role::of(Service::EC2).description("Builds the ingester's image"));
        stack.grant(role, self.binary.bucket.read_prefix(self.binary.asset.key.clone()));
        if let Some(key) = self.key {
            // The component is encrypted, and it is the machine that reads it.
            stack.grant(role, key.decrypt());
        }
        let profile = stack.add("Profile", InstanceProfile::of(role));
        let kind = self.image.build_instance_type.clone();
        let kind = kind.unwrap_or_else(|| settings.ingestion.instance.instance_type(settings.architecture).to_owned());
        let Place { network, group } = self.place;
        let subnet = if is_private(&settings.network) {
            network.private_subnets().next()
        } else {
            network.public_subnets().next()
        };
        let infrastructure = InfrastructureConfiguration::on(profile).instance_type(kind);
        let infrastructure = match subnet {
            Some(subnet) => infrastructure.in_subnet(subnet, [group.id()]),
            None => infrastructure,
        };
        let infrastructure = stack.add("Infrastructure", infrastructure);
        for way in ways_out(stack, &settings.network, network) {
            stack.depends(infrastructure, way);
        }
        infrastructure
    }
}

/// `cron(0 4 ? * sun *)` → `0 4 ? * sun *`.
fn cron_fields(schedule: &str) -> &str {
    schedule.strip_prefix("cron(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(schedule)
}
