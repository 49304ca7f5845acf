//! Endpoint configurations: which models an endpoint serves, on what, and what it keeps of the traffic.

use super::{Asynchronous, DataCapture, Device, Instances, ModelRef, Serverless, check_name, is_name, place, under};
use crate::{
    policy::{Grant, Statement},
    services::{iam::RoleRef, kms::KeyRef},
    tree::{Access, Arn, Attribute, Construct, Handle, Name, NodeRef, Properties, Ref, Resource, Stack, Text, Types},
};

/// The name of an endpoint's only variant, or its first. Updates keep the traffic by it, so it never changes.
const PRIMARY: &str = "primary";

/// A model on instances, with its share of an endpoint's requests.
///
/// ```
/// use constructs::services::sagemaker::{Instances, ModelRef, Variant};
/// fn trial(model: ModelRef) -> Variant {
///     Variant::of("trial", model, Instances::of("ml.m5.large")).weight(0.1)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Variant {
    pub(super) name: &'static str,
    model: ModelRef,
    weight: f64,
    capacity: Capacity,
}

#[derive(Debug, Clone)]
enum Capacity {
    Serverless(Serverless),
    Instances(Instances),
}

impl Variant {
    /// A variant by its name: letters, digits and hyphens.
    pub fn of(name: &'static str, model: ModelRef, instances: Instances) -> Self {
        Self { name, model, weight: 1.0, capacity: Capacity::Instances(instances) }
    }

    /// Its share: this weight in the sum of all. Defaults to 1; at 0 only requests that name it reach it.
    pub fn weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }
}

/// What an endpoint serves and on what. It can't be changed: a new one stands beside it until the endpoint has moved.
///
/// ```
/// use constructs::{services::{sagemaker::{Endpoint, EndpointConfiguration, Instances, ModelRef, Variant}}, tree::Stack};
/// fn serve(stack: &mut Stack, model: ModelRef, newer: ModelRef) {
///     let both = EndpointConfiguration::on_instances(model, Instances::of("ml.m5.large").count(2))
///         .and(Variant::of("newer", newer, Instances::of("ml.m5.large")).weight(0.2));
///     let configuration = stack.add("Configuration", both);
///     stack.add("Sentiment", Endpoint::of(configuration));
/// }
/// ```
#[derive(Debug, Clone)]
pub struct EndpointConfiguration {
    pub(super) variants: Vec<Variant>,
    capture: Option<DataCapture>,
    asynchronous: Option<Asynchronous>,
    key: Option<KeyRef>,
    name: Option<Text>,
}

impl EndpointConfiguration {
    /// A model on capacity that comes with the requests.
    pub fn serverless(model: ModelRef, serverless: Serverless) -> Self {
        Self::with(Variant { name: PRIMARY, model, weight: 1.0, capacity: Capacity::Serverless(serverless) })
    }

    /// A model on instances, in a variant called `primary`.
    pub fn on_instances(model: ModelRef, instances: Instances) -> InstanceConfiguration {
        InstanceConfiguration(Self::with(Variant::of(PRIMARY, model, instances)))
    }

    fn with(variant: Variant) -> Self {
        Self { variants: vec![variant], capture: None, asynchronous: None, key: None, name: None }
    }

    /// A name, up to 63 letters. A change then fails while the old one has the name: change both.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// An [`EndpointConfiguration`] on instances, which can do more than a serverless one.
#[derive(Debug, Clone)]
pub struct InstanceConfiguration(pub(super) EndpointConfiguration);

impl InstanceConfiguration {
    /// One more variant; up to 10 share the requests by weight.
    pub fn and(mut self, variant: Variant) -> Self {
        self.0.variants.push(variant);
        self
    }

    /// Keeps a part of the requests and answers in S3.
    pub fn capturing(mut self, capture: DataCapture) -> Self {
        self.0.capture = Some(capture);
        self
    }

    /// Takes requests from S3 and leaves the answers there, instead of answering at once.
    pub fn asynchronous(mut self, asynchronous: Asynchronous) -> Self {
        self.0.asynchronous = Some(asynchronous);
        self
    }

    /// Encrypts the instances' volumes with this key. Not for types with local storage (`m5d`, `g5`), whose
    /// hardware encrypts it. Left out, SageMaker's own key does.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.0.key = key.into();
        self
    }

    /// See [`EndpointConfiguration::named`].
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.0.name = Some(name.into());
        self
    }
}

impl From<InstanceConfiguration> for EndpointConfiguration {
    fn from(configuration: InstanceConfiguration) -> Self {
        configuration.0
    }
}

impl Construct for EndpointConfiguration {
    type Handle = EndpointConfigurationRef;

    fn build(self, stack: &mut Stack) -> EndpointConfigurationRef {
        self.check(stack);
        let grant = self.rights(stack);
        for role in self.roles() {
            if !grant.statements().is_empty() {
                stack.grant(role, grant.clone());
            }
        }
        let prefix = name_prefix(&stack.physical_name());
        EndpointConfigurationRef { node: stack.resource(ConfigurationResource { configuration: self, prefix }) }
    }
}

impl Construct for InstanceConfiguration {
    type Handle = EndpointConfigurationRef;

    fn build(self, stack: &mut Stack) -> EndpointConfigurationRef {
        self.0.build(stack)
    }
}

/// Terraform adds 26 letters to a prefix, and the whole may have 63.
fn name_prefix(name: &str) -> String {
    let start: String = name.chars().take(36).collect();
    format!("{}-", start.trim_end_matches('-'))
}

impl EndpointConfiguration {
    /// The roles of its models, each once.
    pub(super) fn roles(&self) -> Vec<RoleRef> {
        let mut roles: Vec<RoleRef> = Vec::new();
        for role in self.variants.iter().filter_map(|variant| variant.model.role) {
            if !roles.iter().any(|known| known.node() == role.node()) {
                roles.push(role);
            }
        }
        roles
    }

    pub(super) fn is_asynchronous(&self) -> bool {
        self.asynchronous.is_some()
    }

    /// How it scales: nothing for instances, whether it keeps some warm for serverless ones.
    pub(super) fn serverless_provisioned(&self) -> Option<bool> {
        match &self.variants.first()?.capacity {
            Capacity::Serverless(serverless) => Some(serverless.is_provisioned()),
            Capacity::Instances(_) => None,
        }
    }

    /// What the models' roles need for what is kept of the traffic.
    fn rights(&self, stack: &mut Stack) -> Grant {
        let mut grant = Grant::default();
        let mut on_s3 = |address: Option<&Text>, action: &'static str| {
            let Some(address) = address else { return };
            match place(address) {
                Some(place) => {
                    grant = std::mem::take(&mut grant).and(Statement::allow([action]).on(under(&place)).into());
                }
                None => stack.problem("a place in S3 is said as `s3://bucket/prefix`, with `s3://` as a literal"),
            }
        };
        on_s3(self.capture.as_ref().map(|capture| &capture.destination), "s3:PutObject");
        if let Some(asynchronous) = &self.asynchronous {
            on_s3(asynchronous.inputs.as_ref(), "s3:GetObject");
            on_s3(Some(&asynchronous.output), "s3:PutObject");
            on_s3(asynchronous.failures.as_ref(), "s3:PutObject");
        }
        let asynchronous = self.asynchronous.as_ref();
        for topic in asynchronous.iter().flat_map(|asynchronous| asynchronous.topics).flatten() {
            grant = grant.and(Statement::allow(["sns:Publish"]).on(topic).into());
        }
        let keys = [self.capture.as_ref().and_then(|capture| capture.key), asynchronous.and_then(|it| it.key)];
        for key in keys.into_iter().flatten() {
            grant = grant.and(key.encrypt());
        }
        match self.key {
            Some(key) => grant.and(key.encrypt()).and(attach_volumes(key)),
            None => grant,
        }
    }

    fn check(&self, stack: &mut Stack) {
        if let Some(name) = &self.name {
            check_name(stack, "endpoint configuration", name);
        }
        if self.variants.len() > 10 {
            stack.problem(format!("an endpoint has 1 to 10 variants, not {}", self.variants.len()));
        }
        for (index, variant) in self.variants.iter().enumerate() {
            variant.check(stack);
            if self.variants[..index].iter().any(|other| other.name == variant.name) {
                stack.problem(format!("two variants are called `{}`", variant.name));
            }
            if let (Some(_), Capacity::Instances(instances)) = (self.key, &variant.capacity)
                && instances.has_local_storage()
            {
                stack.problem(format!(
                    "`{}` has local storage, which its hardware encrypts; SageMaker refuses a key for it",
                    instances.kind()
                ));
            }
        }
        if self.variants.iter().all(|variant| variant.weight == 0.0) {
            stack.problem("no variant has a weight, so none would get requests");
        }
        if let Some(DataCapture { percentage, .. }) = self.capture
            && !(1..=100).contains(&percentage)
        {
            stack.problem(format!("{percentage} % of the requests are captured; SageMaker takes 1 to 100"));
        }
        if let Some(Asynchronous { at_once: Some(requests), .. }) = self.asynchronous
            && !(1..=1000).contains(&requests)
        {
            stack.problem(format!("an instance works on {requests} requests at once; SageMaker takes 1 to 1000"));
        }
    }
}

/// SageMaker attaches encrypted volumes with a grant on the key that the role makes.
fn attach_volumes(key: KeyRef) -> Grant {
    let grant = Statement::allow(["kms:CreateGrant"]).on(key.arn()).when("Bool", "kms:GrantIsForAWSResource", "true");
    Grant::of([Statement::allow(["kms:DescribeKey"]).on(key.arn()), grant])
}

impl Variant {
    fn check(&self, stack: &mut Stack) {
        if !is_name(self.name) || self.name.len() > 63 {
            stack.problem(format!(
                "the variant `{}` must be up to 63 letters, digits and hyphens between them",
                self.name
            ));
        }
        if !self.weight.is_finite() || self.weight < 0.0 {
            stack.problem(format!("the variant `{}` has the weight {}; it must be 0 or more", self.name, self.weight));
        }
        let on_graphics = self.model.device == Some(Device::Gpu);
        match &self.capacity {
            Capacity::Serverless(serverless) => {
                serverless.check(stack);
                if !self.model.serverless {
                    stack.problem(
                        "a serverless endpoint can't serve a model in a VPC or an isolated one; take instances",
                    );
                }
                if on_graphics {
                    stack.problem(
                        "a serverless endpoint has no graphics processors; take `HuggingFace::CPU`, or instances",
                    );
                }
            }
            Capacity::Instances(instances) => {
                instances.check(stack);
                if on_graphics && !instances.has_graphics() {
                    stack
                        .problem(format!("`{}` has no graphics processors; take `HuggingFace::CPU`", instances.kind()));
                }
            }
        }
    }

    fn cloudformation(&self) -> Properties {
        let variant = Properties::default().set("VariantName", self.name).set("ModelName", self.model.name());
        let variant = match &self.capacity {
            Capacity::Serverless(serverless) => variant.set("ServerlessConfig", serverless.cloudformation()),
            Capacity::Instances(instances) => instances.cloudformation(variant),
        };
        variant.set("InitialVariantWeight", self.weight)
    }

    fn terraform(&self) -> Properties {
        let variant = Properties::default().set("variant_name", self.name).set("model_name", self.model.name());
        let variant = match &self.capacity {
            Capacity::Serverless(serverless) => variant.set("serverless_config", serverless.terraform()),
            Capacity::Instances(instances) => instances.terraform(variant),
        };
        variant.set("initial_variant_weight", self.weight)
    }
}

// ---------------------------------------------------------------------------------------------------

/// An [`EndpointConfiguration`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct EndpointConfigurationRef {
    node: NodeRef,
}

impl EndpointConfigurationRef {
    /// The configuration's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::Ref))
    }

    /// The configuration's name, which changes with every change of it.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, Attribute::name("name", Access::GetAtt("EndpointConfigName")))
    }
}

impl Handle for EndpointConfigurationRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

/// A configuration, and what Terraform starts its name with.
#[derive(Debug)]
pub(super) struct ConfigurationResource {
    pub(super) configuration: EndpointConfiguration,
    prefix: String,
}

impl Resource for ConfigurationResource {
    fn types(&self) -> Types {
        Types::new("sagemaker", "aws_sagemaker_endpoint_configuration", "AWS::SageMaker::EndpointConfig")
    }

    fn cloudformation(&self) -> Properties {
        let EndpointConfiguration { variants, capture, asynchronous, key, name } = &self.configuration;
        Properties::default()
            .set_some("EndpointConfigName", name.as_ref())
            .set("ProductionVariants", variants.iter().map(Variant::cloudformation).collect::<Vec<_>>())
            .set_some("DataCaptureConfig", capture.as_ref().map(DataCapture::cloudformation))
            .set_some("AsyncInferenceConfig", asynchronous.as_ref().map(Asynchronous::cloudformation))
            .set_some("KmsKeyId", key.map(KeyRef::arn))
    }

    fn terraform(&self) -> Properties {
        let EndpointConfiguration { variants, capture, asynchronous, key, name } = &self.configuration;
        let properties = match name {
            Some(name) => Properties::default().set("name", name),
            None => Properties::default().set("name_prefix", &self.prefix),
        };
        properties
            .set("production_variants", variants.iter().map(Variant::terraform).collect::<Vec<_>>())
            .set_some("data_capture_config", capture.as_ref().map(DataCapture::terraform))
            .set_some("async_inference_config", asynchronous.as_ref().map(Asynchronous::terraform))
            .set_some("kms_key_arn", key.map(KeyRef::arn))
            // The endpoint moves to the new configuration before the old one goes.
            .set("lifecycle", Properties::default().set("create_before_destroy", true))
    }
}
