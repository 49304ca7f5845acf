//! Endpoints: AWS services reached without leaving the network.

use std::borrow::Cow;

use super::{NetworkRef, Peer, Port, PrefixList, PrefixListRef, SecurityGroup, SecurityGroupRef, name_map, name_pairs};
use crate::{
    policy::{Document, Permissions, Use},
    tree::{
        Access, Attribute, Construct, Handle, Id, NodeRef, Properties, Pseudo, Ref, Resource, Stack, Text, Types,
        Value, snake,
    },
};

/// A way to S3 or DynamoDB through the network's route tables. It costs nothing.
///
/// ```
/// use constructs::{services::vpc::{GatewayEndpoint, Network, Port, SecurityGroup}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("network");
/// let network = stack.add("Network", Network::new("10.0.0.0/16"));
/// let s3 = stack.add("S3", GatewayEndpoint::s3(network));
/// let ingester = stack.add("Ingester", SecurityGroup::in_vpc(network, "Reads the feed"));
/// stack.allow(ingester, s3, Port::HTTPS, "The binary is in S3");
/// ```
#[derive(Debug, Clone)]
pub struct GatewayEndpoint {
    network: NetworkRef,
    service: &'static str,
    policy: Option<Document>,
}

impl GatewayEndpoint {
    /// To S3, in the network's region.
    pub fn s3(network: NetworkRef) -> Self {
        Self { network, service: "s3", policy: None }
    }

    /// To DynamoDB, in the network's region.
    pub fn dynamodb(network: NetworkRef) -> Self {
        Self { network, service: "dynamodb", policy: None }
    }

    /// What may be done through it, by whom, on what: statements name a principal. Left out, whatever the
    /// caller's own rights allow. Amazon Linux keeps its packages in buckets of AWS's own.
    pub fn policy(mut self, policy: Document) -> Self {
        self.policy = Some(policy);
        self
    }
}

impl Construct for GatewayEndpoint {
    type Handle = GatewayEndpointRef;

    fn build(self, stack: &mut Stack) -> GatewayEndpointRef {
        let tables: Vec<Ref<Id>> = self.network.route_tables().collect();
        if tables.is_empty() {
            stack.problem("the network's route tables aren't known; give them with `route_tables`");
        }
        let list = if self.service == "s3" { PrefixList::s3() } else { PrefixList::dynamodb() };
        let prefix_list = stack.add("Addresses", list);
        let endpoint = Endpoint {
            vpc: self.network.vpc_id(),
            service: Text::from("com.amazonaws.") + Pseudo::Region + "." + self.service,
            way: Way::Gateway { tables },
            policy: self.policy,
            name: stack.physical_name(),
        };
        GatewayEndpointRef { node: stack.resource(endpoint), prefix_list }
    }
}

/// A service with interface endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceService {
    id: Cow<'static, str>,
    name: ServiceName,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ServiceName {
    /// The end of `com.amazonaws.<region>.kinesis-streams`.
    Short {
        name: Cow<'static, str>,
        is_chinese: bool,
    },
    Full(Cow<'static, str>),
}

impl InterfaceService {
    /// CloudWatch metrics and alarms.
    pub const CLOUDWATCH: Self = Self::chinese("Monitoring", "monitoring");
    /// CloudWatch Logs.
    pub const CLOUDWATCH_LOGS: Self = Self::short("Logs", "logs");
    /// EC2's messages to agents; Systems Manager needs it in older regions.
    pub const EC2_MESSAGES: Self = Self::short("Ec2Messages", "ec2messages");
    /// Kinesis Data Streams.
    pub const KINESIS_STREAMS: Self = Self::chinese("KinesisStreams", "kinesis-streams");
    /// Key Management Service.
    pub const KMS: Self = Self::short("Kms", "kms");
    /// Lambda's API.
    pub const LAMBDA: Self = Self::chinese("Lambda", "lambda");
    /// SageMaker's endpoints.
    pub const SAGEMAKER_RUNTIME: Self = Self::chinese("SageMakerRuntime", "sagemaker.runtime");
    /// Secrets Manager.
    pub const SECRETS_MANAGER: Self = Self::short("SecretsManager", "secretsmanager");
    /// Simple Notification Service.
    pub const SNS: Self = Self::short("Sns", "sns");
    /// Simple Queue Service.
    pub const SQS: Self = Self::chinese("Sqs", "sqs");
    /// Systems Manager: parameters, inventory, and the agent's commands.
    pub const SSM: Self = Self::short("Ssm", "ssm");
    /// Session Manager's channel.
    pub const SSM_MESSAGES: Self = Self::short("SsmMessages", "ssmmessages");
    /// Security Token Service.
    pub const STS: Self = Self::chinese("Sts", "sts");

    /// Any other service of AWS, by the end of its name: `ecr.api`.
    pub fn named(name: impl Into<Cow<'static, str>>) -> Self {
        let name = name.into();
        Self { id: camel(&name).into(), name: ServiceName::Short { name, is_chinese: false } }
    }

    /// Any service by its whole name, such as `com.amazonaws.vpce.eu-west-1.vpce-svc-0a1b2c3d`, under an id
    /// that names it in the path.
    pub fn full(id: impl Into<Cow<'static, str>>, name: impl Into<Cow<'static, str>>) -> Self {
        Self { id: id.into(), name: ServiceName::Full(name.into()) }
    }

    const fn short(id: &'static str, name: &'static str) -> Self {
        Self { id: Cow::Borrowed(id), name: ServiceName::Short { name: Cow::Borrowed(name), is_chinese: false } }
    }

    /// A service whose name starts with `cn.com.amazonaws` in China.
    const fn chinese(id: &'static str, name: &'static str) -> Self {
        Self { id: Cow::Borrowed(id), name: ServiceName::Short { name: Cow::Borrowed(name), is_chinese: true } }
    }

    fn text(&self, region: Option<&str>) -> Text {
        let in_china = region.is_some_and(|region| region.starts_with("cn-"));
        match &self.name {
            ServiceName::Full(name) => name.clone().into_owned().into(),
            ServiceName::Short { name, is_chinese } => {
                let start = if in_china && *is_chinese { "cn.com.amazonaws." } else { "com.amazonaws." };
                Text::from(start) + Pseudo::Region + "." + name.clone().into_owned()
            }
        }
    }
}

/// `ecr.api` → `EcrApi`.
fn camel(name: &str) -> String {
    name.split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter_map(|word| word.split_at_checked(1))
        .map(|(first, rest)| first.to_ascii_uppercase() + rest)
        .collect()
}

/// Ways to AWS services through addresses in the private subnets, each paid by the hour and zone.
///
/// The services' usual names lead there from inside the network. All share one security group, which
/// admits the whole network at port 443 and nobody else.
///
/// Where they are for China, fix the app's region: some services have other names there.
///
/// ```
/// use constructs::{services::vpc::{InterfaceEndpoints, InterfaceService, Network}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("network");
/// let network = stack.add("Network", Network::new("10.0.0.0/16"));
/// let services = [InterfaceService::KINESIS_STREAMS, InterfaceService::SECRETS_MANAGER];
/// stack.add("Endpoints", InterfaceEndpoints::to(services, network));
/// ```
#[derive(Debug, Clone)]
pub struct InterfaceEndpoints {
    network: NetworkRef,
    services: Vec<InterfaceService>,
    admits_network: bool,
    private_dns: bool,
    policy: Option<Document>,
}

impl InterfaceEndpoints {
    /// One endpoint for each of these services.
    pub fn to(services: impl IntoIterator<Item = InterfaceService>, network: NetworkRef) -> Self {
        let services = services.into_iter().collect();
        Self { network, services, admits_network: true, private_dns: true, policy: None }
    }

    /// Admits nobody but those named with `stack.allow(…, endpoints, Port::HTTPS, …)`.
    pub fn closed(mut self) -> Self {
        self.admits_network = false;
        self
    }

    /// Leaves the services' usual names as they are: for services that have no private ones, and where
    /// another network's endpoints are shared.
    pub fn without_private_names(mut self) -> Self {
        self.private_dns = false;
        self
    }

    /// What may be done through them, by whom, on what: statements name a principal. Left out, whatever the
    /// caller's own rights allow.
    pub fn policy(mut self, policy: Document) -> Self {
        self.policy = Some(policy);
        self
    }
}

impl Construct for InterfaceEndpoints {
    type Handle = InterfaceEndpointsRef;

    fn build(self, stack: &mut Stack) -> InterfaceEndpointsRef {
        let subnets: Vec<Ref<Id>> = self.network.private_subnets().collect();
        if subnets.is_empty() {
            stack.problem("the network has no private subnets, and endpoints are placed in those");
        }
        if self.services.is_empty() {
            stack.problem("endpoints to no services; name at least one");
        }
        let description = "Ways to AWS services that stay in the network";
        let group = stack.add("SecurityGroup", SecurityGroup::in_vpc(self.network, description));
        if self.admits_network {
            stack.allow(self.network, group, Port::HTTPS, "Everything in the network calls AWS services");
        }
        for service in &self.services {
            let name = format!("{}-{}", stack.physical_name(), snake(&service.id).replace('_', "-"));
            let endpoint = Endpoint {
                vpc: self.network.vpc_id(),
                service: service.text(stack.region()),
                way: Way::Interface { subnets: subnets.clone(), group, private_dns: self.private_dns },
                policy: self.policy.clone(),
                name,
            };
            stack.child(&service.id, endpoint);
        }
        InterfaceEndpointsRef { group }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`GatewayEndpoint`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct GatewayEndpointRef {
    node: NodeRef,
    prefix_list: PrefixListRef,
}

impl GatewayEndpointRef {
    /// The endpoint's id, for `aws:SourceVpce` in the policy of what is reached through it.
    pub fn id(self) -> Ref<Id> {
        Ref::new(self.node, Attribute::id("id", Access::Ref))
    }

    /// The service's addresses, for rules.
    pub fn prefix_list(self) -> PrefixListRef {
        self.prefix_list
    }
}

impl From<GatewayEndpointRef> for Peer {
    fn from(endpoint: GatewayEndpointRef) -> Self {
        endpoint.prefix_list.into()
    }
}

impl Handle for GatewayEndpointRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

/// The [`InterfaceEndpoints`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct InterfaceEndpointsRef {
    group: SecurityGroupRef,
}

impl InterfaceEndpointsRef {
    /// The group that they all share.
    pub fn security_group(self) -> SecurityGroupRef {
        self.group
    }
}

impl From<InterfaceEndpointsRef> for Peer {
    fn from(endpoints: InterfaceEndpointsRef) -> Self {
        endpoints.group.into()
    }
}

impl Handle for InterfaceEndpointsRef {
    fn node(self) -> NodeRef {
        self.group.node()
    }
}

// ---------------------------------------------------------------------------------------------------

#[derive(Debug)]
struct Endpoint {
    vpc: Ref<Id>,
    service: Text,
    way: Way,
    policy: Option<Document>,
    name: String,
}

#[derive(Debug)]
enum Way {
    Gateway { tables: Vec<Ref<Id>> },
    Interface { subnets: Vec<Ref<Id>>, group: SecurityGroupRef, private_dns: bool },
}

impl Resource for Endpoint {
    fn types(&self) -> Types {
        Types::new("vpc", "aws_vpc_endpoint", "AWS::EC2::VPCEndpoint")
    }

    fn cloudformation(&self) -> Properties {
        let endpoint = Properties::default().set("VpcId", self.vpc).set("ServiceName", &self.service);
        let endpoint = match &self.way {
            Way::Gateway { tables } => endpoint.set("VpcEndpointType", "Gateway").set("RouteTableIds", tables.clone()),
            Way::Interface { subnets, group, private_dns } => endpoint
                .set("VpcEndpointType", "Interface")
                .set("SubnetIds", subnets.clone())
                .set("SecurityGroupIds", [group.id()])
                .set("PrivateDnsEnabled", *private_dns),
        };
        endpoint.set_some("PolicyDocument", self.policy.as_ref()).set("Tags", name_pairs(&self.name))
    }

    fn terraform(&self) -> Properties {
        let endpoint = Properties::default().set("vpc_id", self.vpc).set("service_name", &self.service);
        let endpoint = match &self.way {
            Way::Gateway { tables } => {
                endpoint.set("vpc_endpoint_type", "Gateway").set("route_table_ids", tables.clone())
            }
            Way::Interface { subnets, group, private_dns } => endpoint
                .set("vpc_endpoint_type", "Interface")
                .set("subnet_ids", subnets.clone())
                .set("security_group_ids", [group.id()])
                .set("private_dns_enabled", *private_dns),
        };
        endpoint.set_some("policy", self.policy.as_ref().map(Value::json)).set("tags", name_map(&self.name))
    }

    fn permissions(&self) -> Option<Permissions<'_>> {
        let document = self.policy.as_ref()?;
        Some(Permissions { role: Use::Resource, of: None, document })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        policy::Statement,
        render::Format,
        services::vpc::Network,
        testing::{check_stack, problems},
        tree::App,
    };

    #[test]
    fn renderings() {
        check_stack("vpc_gateway_endpoints", |stack| {
            let network = stack.add("Network", Network::new("10.0.0.0/16").zones(1).without_flow_logs());
            let read = Statement::allow(["s3:GetObject"]).to_everyone().on("arn:aws:s3:::newsloom-code/*");
            let s3 = stack.add("S3", GatewayEndpoint::s3(network).policy(Document::of([read])));
            stack.add("DynamoDb", GatewayEndpoint::dynamodb(network));
            let ingester = stack.add("Ingester", SecurityGroup::in_vpc(network, "Reads the feed"));
            stack.allow(ingester, s3, Port::HTTPS, "The binary is in S3");
        });
        check_stack("vpc_interface_endpoints", |stack| {
            let office = Network::existing("vpc-0a1b2c3d4e5f60718").private_subnets(["subnet-0a1b2c3d4e5f60718"]);
            let network = stack.add("Network", office);
            let services = [InterfaceService::KINESIS_STREAMS, InterfaceService::named("ecr.api")];
            stack.add("Endpoints", InterfaceEndpoints::to(services, network));
            let ingester = stack.add("Ingester", SecurityGroup::in_vpc(network, "Reads the feed"));
            let feed = InterfaceService::full("Feed", "com.amazonaws.vpce.eu-west-1.vpce-svc-0a1b2c3d4e5f60718");
            let feed = InterfaceEndpoints::to([feed], network).closed().without_private_names();
            let feed = stack.add("Partner", feed);
            stack.allow(ingester, feed, Port::HTTPS, "The feed");
        });
    }

    #[test]
    fn some_services_have_other_names_in_china() {
        let mut app = App::new("newsloom").region("cn-north-1");
        let stack = app.stack("network");
        let network = stack.add("Network", Network::new("10.0.0.0/16"));
        let services = [InterfaceService::KINESIS_STREAMS, InterfaceService::SECRETS_MANAGER];
        stack.add("Endpoints", InterfaceEndpoints::to(services, network));
        let rendered = app.synth(Format::Terraform).expect("no problems");
        let file = rendered.file("vpc.tf.json").expect("a file");
        assert!(file.contains("\"cn.com.amazonaws.cn-north-1.kinesis-streams\""), "{file}");
        assert!(file.contains("\"com.amazonaws.cn-north-1.secretsmanager\""), "{file}");
    }

    #[test]
    fn endpoints_need_a_place() {
        let found = problems(|stack| {
            let network = stack.add("Network", Network::existing("vpc-0a1b2c3d"));
            stack.add("S3", GatewayEndpoint::s3(network));
            stack.add("Endpoints", InterfaceEndpoints::to([], network));
        });
        for message in [
            "S3: the network's route tables aren't known; give them with `route_tables`",
            "Endpoints: the network has no private subnets, and endpoints are placed in those",
            "Endpoints: endpoints to no services; name at least one",
        ] {
            assert!(found.contains(message), "{message}\n{found}");
        }
    }
}
