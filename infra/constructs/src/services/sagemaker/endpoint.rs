//! Endpoints: the names that are called.

use super::{
    Deployment, EndpointConfiguration, EndpointConfigurationRef, Instances, ModelRef, Serverless, check_name,
    configuration::ConfigurationResource,
};
use crate::{
    policy::{Grant, Statement},
    services::{
        iam::RoleRef,
        kms::KeyRef,
        logs::{LogGroup, LogGroupRef},
        units::Days,
    },
    tree::{
        Access, Arn, Attribute, Construct, Handle, Lookup, Name, NodeRef, Properties, Pseudo, Ref, Resource, Stack,
        Text, Types,
    },
};

/// An endpoint: a name that stays, whatever it serves.
///
/// Its containers' logs are kept for 30 days. Named after its path, up to 63 letters.
///
/// ```
/// use constructs::{services::{sagemaker::{Endpoint, Instances, ModelRef}, iam::RoleRef}, tree::Stack};
/// fn serve(stack: &mut Stack, model: ModelRef, caller: RoleRef) {
///     let sentiment = stack.add("Sentiment", Endpoint::serving(model).on_instances(Instances::of("ml.m5.large")));
///     stack.grant(caller, sentiment.invoke());
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Endpoint {
    serves: Configuration,
    deployment: Option<Deployment>,
    logs: LogGroup,
    name: Option<Text>,
}

#[derive(Debug, Clone)]
enum Configuration {
    /// Made below the endpoint.
    Own(Box<EndpointConfiguration>),
    Given(EndpointConfigurationRef),
}

impl Endpoint {
    /// An endpoint that serves one model; say on what with [`Serving::serverless`] or [`Serving::on_instances`].
    pub fn serving(model: ModelRef) -> Serving {
        Serving(model)
    }

    /// An endpoint with a configuration of the stack.
    pub fn of(configuration: EndpointConfigurationRef) -> Self {
        Self::with(Configuration::Given(configuration))
    }

    /// An endpoint with a configuration that is made for it: several variants, data capture, a key.
    pub fn configured(configuration: impl Into<EndpointConfiguration>) -> Self {
        Self::with(Configuration::Own(Box::new(configuration.into())))
    }

    fn with(serves: Configuration) -> Self {
        Self { serves, deployment: None, logs: LogGroup::new(), name: None }
    }

    /// How it moves to a new configuration. Left out, SageMaker starts a second fleet and moves all at once.
    pub fn deployed(mut self, deployment: Deployment) -> Self {
        self.deployment = Some(deployment);
        self
    }

    /// How long CloudWatch keeps the containers' logs. Defaults to 30 days.
    pub fn logs_kept(mut self, days: Days) -> Self {
        self.logs = self.logs.retention(days);
        self
    }

    /// Encrypts the containers' logs with this key, see [`LogGroup::encrypted_by`].
    pub fn logs_encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.logs = self.logs.encrypted_by(key);
        self
    }

    /// Another name than the one made from the path.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// An endpoint that is managed elsewhere, by name, in this region and account.
    pub fn existing(name: impl Into<Text>) -> ExistingEndpoint {
        ExistingEndpoint(name.into())
    }
}

/// See [`Endpoint::serving`].
#[derive(Debug, Clone, Copy)]
pub struct Serving(ModelRef);

impl Serving {
    /// On capacity that comes with the requests.
    pub fn serverless(self, serverless: Serverless) -> Endpoint {
        Endpoint::configured(EndpointConfiguration::serverless(self.0, serverless))
    }

    /// On instances.
    pub fn on_instances(self, instances: Instances) -> Endpoint {
        Endpoint::configured(EndpointConfiguration::on_instances(self.0, instances))
    }
}

impl Construct for Endpoint {
    type Handle = EndpointRef;

    fn build(self, stack: &mut Stack) -> EndpointRef {
        let name = self.name.unwrap_or_else(|| stack.physical_name().into());
        check_name(stack, "endpoint", &name);
        let configuration = match self.serves {
            Configuration::Own(own) => stack.add("Configuration", *own),
            Configuration::Given(given) => given,
        };
        let Some(served) = served(stack, configuration) else {
            stack.problem("an endpoint and its configuration belong in one stack; add them in the same one");
            let logs = stack.add("Logs", LogGroup::existing(log_group(&name)));
            return EndpointRef { node: configuration.node(), variant: "", serves: Serves::Unknown, logs };
        };
        if let Some(deployment) = &self.deployment {
            deployment.check(stack);
            if deployment.is_rolling() && (served.variants.len() > 1 || served.serves.is_serverless()) {
                stack.problem("a rolling deployment is for one variant on instances; take a canary or a linear one");
            }
        }
        let logs = stack.add("Logs", self.logs.named(log_group(&name)));
        for role in &served.roles {
            stack.grant(*role, write_logs(logs));
        }
        let Served { variants, serves, .. } = served;
        let (variant, deployment) = (variants[0], self.deployment);
        let node = stack.resource(EndpointResource { name, configuration: configuration.name(), deployment, variants });
        // SageMaker would make the group itself, and keep its logs for ever.
        stack.depends(node, logs);
        EndpointRef { node, variant, serves, logs }
    }
}

/// What an endpoint needs to know of its configuration.
struct Served {
    variants: Vec<&'static str>,
    roles: Vec<RoleRef>,
    serves: Serves,
}

fn served(stack: &mut Stack, configuration: EndpointConfigurationRef) -> Option<Served> {
    let configuration = &stack.edit::<ConfigurationResource>(configuration.node())?.configuration;
    let serves = match configuration.serverless_provisioned() {
        Some(true) => Serves::Warm,
        Some(false) => Serves::OnDemand,
        None if configuration.is_asynchronous() => Serves::Asynchronously,
        None => Serves::OnInstances,
    };
    let variants = configuration.variants.iter().map(|variant| variant.name).collect();
    Some(Served { variants, roles: configuration.roles(), serves })
}

/// Where SageMaker writes what an endpoint's containers say.
fn log_group(endpoint: &Text) -> Text {
    Text::from("/aws/sagemaker/Endpoints/") + endpoint
}

/// What SageMaker asks for, beside writing: it looks whether the group is there.
fn write_logs(logs: LogGroupRef) -> Grant {
    let group = Statement::allow(["logs:CreateLogGroup", "logs:DescribeLogStreams"]).on(logs.streams());
    logs.write().and(group.into())
}

/// See [`Endpoint::existing`].
#[derive(Debug, Clone)]
pub struct ExistingEndpoint(Text);

impl Construct for ExistingEndpoint {
    type Handle = EndpointRef;

    fn build(self, stack: &mut Stack) -> EndpointRef {
        let arn = Text::from("arn:") + Pseudo::Partition + ":sagemaker:" + Pseudo::Region + ":" + Pseudo::Account;
        // Terraform has no data source for endpoints; both attributes are known without.
        let lookup = Lookup::new("aws_sagemaker_endpoint", "AWS::SageMaker::Endpoint")
            .known(NAME, &self.0)
            .known(ARN, arn + ":endpoint/" + &self.0);
        let logs = stack.add("Logs", LogGroup::existing(log_group(&self.0)));
        EndpointRef { node: lookup.build(stack), variant: "AllTraffic", serves: Serves::Unknown, logs }
    }
}

// ---------------------------------------------------------------------------------------------------

/// On what an endpoint serves, which decides how it scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serves {
    OnInstances,
    /// On instances, from S3 to S3.
    Asynchronously,
    /// Serverless, with some kept warm.
    Warm,
    /// Serverless, with nothing to scale.
    OnDemand,
    Unknown,
}

impl Serves {
    fn is_serverless(self) -> bool {
        matches!(self, Self::Warm | Self::OnDemand)
    }
}

/// An [`Endpoint`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct EndpointRef {
    node: NodeRef,
    variant: &'static str,
    pub(crate) serves: Serves,
    logs: LogGroupRef,
}

const ARN: Attribute = Attribute::arn("arn", Access::Ref);
const NAME: Attribute = Attribute::name("name", Access::GetAtt("EndpointName"));

impl EndpointRef {
    /// The endpoint's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The endpoint's name, which callers give.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, NAME)
    }

    /// The name of its only variant, or its first: a dimension of its metrics. Of an endpoint that exists
    /// already, `AllTraffic` is assumed.
    pub fn variant_name(self) -> &'static str {
        self.variant
    }

    /// Where its containers' logs are, for metric filters.
    pub fn log_group(self) -> LogGroupRef {
        self.logs
    }

    /// One of its variants, for scaling and metrics.
    pub fn variant(self, name: &'static str) -> VariantRef {
        VariantRef { endpoint: self, name }
    }

    /// May ask it.
    pub fn invoke(self) -> Grant {
        Statement::allow(["sagemaker:InvokeEndpoint"]).on(self.arn()).into()
    }

    /// May ask it and read the answer while it is made.
    pub fn invoke_streaming(self) -> Grant {
        Statement::allow(["sagemaker:InvokeEndpointWithResponseStream"]).on(self.arn()).into()
    }

    /// May ask it with a request in S3, if it is asynchronous.
    pub fn invoke_asynchronously(self) -> Grant {
        Statement::allow(["sagemaker:InvokeEndpointAsync"]).on(self.arn()).into()
    }
}

impl Handle for EndpointRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

/// A variant of an endpoint, see [`EndpointRef::variant`].
#[derive(Debug, Clone, Copy)]
pub struct VariantRef {
    /// Whose variant.
    pub endpoint: EndpointRef,
    /// Its name.
    pub name: &'static str,
}

impl VariantRef {
    /// The endpoint's variants, where this isn't one of them.
    pub(crate) fn unknown_among(self, stack: &mut Stack) -> Option<Vec<&'static str>> {
        let endpoint = stack.edit::<EndpointResource>(self.endpoint.node)?;
        (!endpoint.variants.contains(&self.name)).then(|| endpoint.variants.clone())
    }
}

impl From<EndpointRef> for VariantRef {
    fn from(endpoint: EndpointRef) -> Self {
        endpoint.variant(endpoint.variant)
    }
}

// ---------------------------------------------------------------------------------------------------

#[derive(Debug)]
struct EndpointResource {
    name: Text,
    configuration: Ref<Name>,
    deployment: Option<Deployment>,
    variants: Vec<&'static str>,
}

impl Resource for EndpointResource {
    fn types(&self) -> Types {
        Types::new("sagemaker", "aws_sagemaker_endpoint", "AWS::SageMaker::Endpoint")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("EndpointName", &self.name)
            .set("EndpointConfigName", self.configuration)
            .set_some("DeploymentConfig", self.deployment.as_ref().map(Deployment::cloudformation))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("name", &self.name)
            .set("endpoint_config_name", self.configuration)
            .set_some("deployment_config", self.deployment.as_ref().map(Deployment::terraform))
    }
}
