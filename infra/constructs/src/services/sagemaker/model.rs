//! Models: a container, what it loads, and the role it runs with.

use std::borrow::Cow;

use super::{Device, HuggingFace, Image, Place, check_name, image::Located, place, under};
use crate::{
    policy::{Grant, Statement},
    services::{
        iam::{Grantee, Role, RoleRef, Service},
        kms::KeyRef,
    },
    tree::{
        Access, Arn, Attribute, Construct, Handle, Id, Lookup, Name, NodeRef, Properties, Pseudo, Ref, Resource, Stack,
        Text, Types, Value,
    },
};

/// Variables that would hold a token of the hub in clear.
const TOKENS: [&str; 4] = ["HF_API_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACEHUB_API_TOKEN"];

/// A public model of the Hugging Face hub, which the container fetches when it starts.
///
/// ```
/// use constructs::services::sagemaker::HubModel;
/// let finbert = HubModel::new("ProsusAI/finbert")
///     .revision("4556d13015211d73dccd3fdd39d39232506f3e43")
///     .task("text-classification");
/// ```
#[derive(Debug, Clone)]
pub struct HubModel {
    id: Cow<'static, str>,
    revision: Option<Cow<'static, str>>,
    task: Option<Cow<'static, str>>,
}

impl HubModel {
    /// A model by its id, `owner/name`.
    pub fn new(id: impl Into<Cow<'static, str>>) -> Self {
        Self { id: id.into(), revision: None, task: None }
    }

    /// The commit, branch or tag. Left out, every start takes what `main` holds then, so that two instances of
    /// one endpoint may differ: give a commit.
    pub fn revision(mut self, revision: impl Into<Cow<'static, str>>) -> Self {
        self.revision = Some(revision.into());
        self
    }

    /// What it is asked to do, such as `text-classification`. Left out, the container takes the hub's word.
    pub fn task(mut self, task: impl Into<Cow<'static, str>>) -> Self {
        self.task = Some(task.into());
        self
    }
}

/// A model.
///
/// Its role is made with it: it may pull the image, read what the container loads, write the logs of the endpoints
/// that serve it, and nothing else. A model can't be changed, so it has no name of its own: the new one stands
/// beside the old one until the endpoint has moved.
///
/// ```
/// use constructs::{services::sagemaker::{Endpoint, HubModel, Model, Serverless}, services::units::Mib, tree::App};
/// let mut app = App::new("newsloom").region("eu-west-1");
/// let stack = app.stack("enrichment");
/// let finbert = HubModel::new("ProsusAI/finbert").task("text-classification");
/// let model = stack.add("Finbert", Model::hugging_face(finbert));
/// let sentiment = stack.add("Sentiment", Endpoint::serving(model).serverless(Serverless::of(Mib(4096), 10)));
/// stack.output("EndpointName", sentiment.name());
/// ```
#[derive(Debug, Clone)]
pub struct Model {
    image: Image,
    loads: Loads,
    environment: Vec<(Cow<'static, str>, Text)>,
    role: Option<RoleRef>,
    network: Option<Network>,
    isolated: bool,
    key: Option<KeyRef>,
    name: Option<Text>,
}

/// What the container loads when it starts.
#[derive(Debug, Clone)]
enum Loads {
    /// What its image holds.
    Image,
    /// Something from the hub.
    Hub(HubModel),
    /// One `model.tar.gz`.
    Archive(Text),
    /// Files under a prefix.
    Files(Text),
}

#[derive(Debug, Clone)]
struct Network {
    subnets: Vec<Ref<Id>>,
    security_groups: Vec<Ref<Id>>,
}

impl Model {
    /// A model of the Hugging Face hub in AWS's container for it, on processors. Take
    /// `Image::hugging_face(HuggingFace::GPU)` with [`Model::image`] for graphics processors.
    pub fn hugging_face(model: HubModel) -> Self {
        Self::loading(Image::hugging_face(HuggingFace::CPU), Loads::Hub(model))
    }

    /// A model in S3: a `model.tar.gz` at `s3://bucket/key`, fetched by SageMaker and unpacked in
    /// `/opt/ml/model`.
    pub fn artifact(image: Image, archive: impl Into<Text>) -> Self {
        Self::loading(image, Loads::Archive(archive.into()))
    }

    /// A model in S3 as it is: every file under `s3://bucket/prefix/`. Starts sooner than an archive.
    pub fn files(image: Image, prefix: impl Into<Text>) -> Self {
        Self::loading(image, Loads::Files(prefix.into()))
    }

    /// An image that holds everything.
    pub fn container(image: Image) -> Self {
        Self::loading(image, Loads::Image)
    }

    fn loading(image: Image, loads: Loads) -> Self {
        Self {
            image,
            loads,
            environment: Vec::new(),
            role: None,
            network: None,
            isolated: false,
            key: None,
            name: None,
        }
    }

    /// Another image for the same model.
    pub fn image(mut self, image: Image) -> Self {
        self.image = image;
        self
    }

    /// A variable of the container. Whoever may describe the model reads it, so it can hold no secret; tokens of
    /// the hub are refused.
    pub fn environment(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Text>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// A role instead of the one that is made. It is granted the same rights.
    pub fn role(mut self, role: impl Grantee) -> Self {
        self.role = Some(role.role());
        self
    }

    /// Gives the container a network interface in these subnets, up to 16, with up to 5 security groups. A model
    /// of the hub then needs a way out to it. Not for serverless endpoints.
    pub fn in_vpc(
        mut self,
        subnets: impl IntoIterator<Item = Ref<Id>>,
        security_groups: impl IntoIterator<Item = Ref<Id>>,
    ) -> Self {
        let (subnets, security_groups) = (subnets.into_iter().collect(), security_groups.into_iter().collect());
        self.network = Some(Network { subnets, security_groups });
        self
    }

    /// No network at all for the container: SageMaker brings requests and what is in S3. Not for models of the
    /// hub, nor for serverless endpoints.
    pub fn isolated(mut self) -> Self {
        self.isolated = true;
        self
    }

    /// The key that what is in S3 is encrypted with.
    pub fn decrypted_by(mut self, key: KeyRef) -> Self {
        self.key = Some(key);
        self
    }

    /// A name, up to 63 letters. A change of the model then fails while the old one has the name: change both.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A model that is managed elsewhere, by name. Its role is not known, so it isn't granted anything.
    pub fn existing(name: impl Into<Text>) -> ExistingModel {
        ExistingModel(name.into())
    }
}

impl Construct for Model {
    type Handle = ModelRef;

    fn build(self, stack: &mut Stack) -> ModelRef {
        self.check(stack);
        let role = match self.role {
            Some(role) => {
                stack.must_be_assumable(role, Service::SAGEMAKER);
                role
            }
            None => stack.add("Role", Role::of(Service::SAGEMAKER).description("Runs the model")),
        };
        let located = self.image.locate(stack);
        if let Some(located) = &located {
            stack.grant(role, pull(located));
        }
        stack.grant(role, publish_metrics());
        if let Some(grant) = self.read(stack) {
            stack.grant(role, grant);
        }
        if let Some(network) = &self.network {
            stack.grant(role, network.attach());
        }
        let (serverless, device) = (self.network.is_none() && !self.isolated, self.image.device());
        let uri = located.map_or_else(|| Text::from(""), |located| located.uri);
        let node = stack.resource(ModelResource { uri, role: role.arn(), model: self });
        // SageMaker fetches what is in S3 with the role when the model is made.
        if let Some(policy) = stack.policy_of(role) {
            stack.depends(node, policy);
        }
        ModelRef { node, role: Some(role), serverless, device }
    }
}

impl Model {
    fn check(&self, stack: &mut Stack) {
        if let Some(name) = &self.name {
            check_name(stack, "model", name);
        }
        for (name, value) in &self.environment {
            if TOKENS.contains(&name.as_ref()) {
                stack.problem(format!(
                    "the variable `{name}` would show a token in clear; copy the model to S3 and use \
                     `Model::artifact`, or fetch it from a private mirror"
                ));
            } else if value.is_sensitive() {
                stack.problem(format!(
                    "the variable `{name}` holds a secret, which whoever describes the model can read"
                ));
            } else if !is_variable(name) {
                stack.problem(format!(
                    "the variable `{name}` must be letters, digits and underscores, not first a digit"
                ));
            }
        }
        if let Loads::Hub(hub) = &self.loads {
            hub.check(stack);
            if self.isolated {
                stack.problem(
                    "an isolated container can't fetch a model from the hub; copy it to S3 and use `Model::artifact`",
                );
            }
        }
        if let Some(Network { subnets, security_groups }) = &self.network {
            let allowed = (1..=16).contains(&subnets.len()) && (1..=5).contains(&security_groups.len());
            if !allowed {
                let (subnets, groups) = (subnets.len(), security_groups.len());
                stack.problem(format!(
                    "a model has 1 to 16 subnets and 1 to 5 security groups; it was given {subnets} and {groups}"
                ));
            }
        }
    }

    /// Reading what the container loads, if that is in S3.
    fn read(&self, stack: &mut Stack) -> Option<Grant> {
        let (address, whole) = match &self.loads {
            Loads::Archive(archive) => (archive, false),
            Loads::Files(prefix) => (prefix, true),
            Loads::Image | Loads::Hub(_) => return None,
        };
        let Some(place) = place(address) else {
            stack.problem("what a model loads from S3 is said as `s3://bucket/key`, with `s3://` as a literal");
            return None;
        };
        let grant = if whole { read_all(&place) } else { Statement::allow(["s3:GetObject"]).on(place.object).into() };
        Some(match self.key {
            Some(key) => grant.and(key.decrypt()),
            None => grant,
        })
    }
}

impl HubModel {
    fn check(&self, stack: &mut Stack) {
        let letters = |part: &str| {
            !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
        };
        let parts = self.id.split('/').count();
        if parts > 2 || !self.id.split('/').all(letters) {
            stack.problem(format!("the hub's model `{}` must be `owner/name`", self.id));
        }
    }

    fn variables(&self) -> impl Iterator<Item = (&'static str, Text)> {
        let text = |value: &Cow<'static, str>| Text::from(value.clone().into_owned());
        let id = Some(("HF_MODEL_ID", text(&self.id)));
        let revision = self.revision.as_ref().map(|revision| ("HF_MODEL_REVISION", text(revision)));
        let task = self.task.as_ref().map(|task| ("HF_TASK", text(task)));
        id.into_iter().chain(revision).chain(task)
    }
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn pull(located: &Located) -> Grant {
    let layers = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
    Grant::of([
        Statement::allow(["ecr:GetAuthorizationToken"]).on_any("the action takes no resource"),
        Statement::allow(layers).on(&located.repository),
    ])
}

fn publish_metrics() -> Statement {
    Statement::allow(["cloudwatch:PutMetricData"])
        .on_any("the action takes no resource; the namespace is what narrows it")
        .when("StringLike", "cloudwatch:namespace", "/aws/sagemaker/*")
}

fn read_all(place: &Place) -> Grant {
    let list = Statement::allow(["s3:ListBucket"]).on(&place.bucket);
    let prefix = place.key.clone() + "*";
    Grant::of([list.when("StringLike", "s3:prefix", prefix), Statement::allow(["s3:GetObject"]).on(under(place))])
}

impl Network {
    /// Making and removing the network interfaces (SageMaker Developer Guide, "Give SageMaker AI Hosted Endpoints
    /// Access to Resources in Your Amazon VPC").
    fn attach(&self) -> Grant {
        let arn = || Text::from("arn:") + Pseudo::Partition + ":ec2:" + Pseudo::Region + ":" + Pseudo::Account + ":";
        let interfaces = || arn() + "network-interface/*";
        let subnets: Vec<Text> = self.subnets.iter().map(|id| arn() + "subnet/" + *id).collect();
        let mut create = Statement::allow(["ec2:CreateNetworkInterface"]).on(interfaces());
        for subnet in &subnets {
            create = create.on(subnet);
        }
        for group in &self.security_groups {
            create = create.on(arn() + "security-group/" + *group);
        }
        let own = [
            "ec2:CreateNetworkInterfacePermission",
            "ec2:DeleteNetworkInterface",
            "ec2:DeleteNetworkInterfacePermission",
        ];
        let look = [
            "ec2:DescribeDhcpOptions",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
        ];
        Grant::of([
            create,
            Statement::allow(own).on(interfaces()).when_one_of("ArnEquals", "ec2:Subnet", subnets),
            Statement::allow(look).on_any("the actions take no resource"),
        ])
    }
}

/// See [`Model::existing`].
#[derive(Debug, Clone)]
pub struct ExistingModel(Text);

impl Construct for ExistingModel {
    type Handle = ModelRef;

    fn build(self, stack: &mut Stack) -> ModelRef {
        let arn = Text::from("arn:") + Pseudo::Partition + ":sagemaker:" + Pseudo::Region + ":" + Pseudo::Account;
        // Terraform has no data source for models; both attributes are known without.
        let lookup = Lookup::new("aws_sagemaker_model", "AWS::SageMaker::Model")
            .known(NAME, &self.0)
            .known(ARN, arn + ":model/" + &self.0);
        ModelRef { node: lookup.build(stack), role: None, serverless: true, device: None }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Model`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct ModelRef {
    node: NodeRef,
    pub(super) role: Option<RoleRef>,
    /// Whether a serverless endpoint can serve it: neither isolated nor in a VPC.
    pub(super) serverless: bool,
    pub(super) device: Option<Device>,
}

const ARN: Attribute = Attribute::arn("arn", Access::Ref);
const NAME: Attribute = Attribute::name("name", Access::GetAtt("ModelName"));

impl ModelRef {
    /// The model's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The model's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, NAME)
    }

    /// The role it runs with, for more rights; nothing for a model that exists already.
    pub fn role(self) -> Option<RoleRef> {
        self.role
    }
}

impl Handle for ModelRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

/// A model whose image was found.
#[derive(Debug)]
struct ModelResource {
    uri: Text,
    role: Ref<Arn>,
    model: Model,
}

impl Resource for ModelResource {
    fn types(&self) -> Types {
        Types::new("sagemaker", "aws_sagemaker_model", "AWS::SageMaker::Model")
    }

    fn cloudformation(&self) -> Properties {
        let Model { loads, network, isolated, name, .. } = &self.model;
        let container = Properties::default().set("Image", &self.uri).set_filled("Environment", self.environment());
        let container = match loads {
            Loads::Archive(archive) => container.set("ModelDataUrl", archive),
            Loads::Files(prefix) => {
                let source = Properties::default()
                    .set("S3Uri", prefix)
                    .set("S3DataType", "S3Prefix")
                    .set("CompressionType", "None");
                container.set("ModelDataSource", Properties::default().set("S3DataSource", source))
            }
            Loads::Image | Loads::Hub(_) => container,
        };
        let vpc = network.as_ref().map(|network| {
            Properties::default()
                .set("Subnets", network.subnets.clone())
                .set("SecurityGroupIds", network.security_groups.clone())
        });
        Properties::default()
            .set_some("ModelName", name.as_ref())
            .set("PrimaryContainer", container)
            .set("ExecutionRoleArn", self.role)
            .set_some("VpcConfig", vpc)
            .set_some("EnableNetworkIsolation", isolated.then_some(true))
    }

    fn terraform(&self) -> Properties {
        let Model { loads, network, isolated, name, .. } = &self.model;
        let container = Properties::default().set("image", &self.uri).set_filled("environment", self.environment());
        let container = match loads {
            Loads::Archive(archive) => container.set("model_data_url", archive),
            Loads::Files(prefix) => {
                let source = Properties::default()
                    .set("s3_uri", prefix)
                    .set("s3_data_type", "S3Prefix")
                    .set("compression_type", "None");
                container.set("model_data_source", Properties::default().set("s3_data_source", source))
            }
            Loads::Image | Loads::Hub(_) => container,
        };
        let vpc = network.as_ref().map(|network| {
            Properties::default()
                .set("subnets", network.subnets.clone())
                .set("security_group_ids", network.security_groups.clone())
        });
        Properties::default()
            .set_some("name", name.as_ref())
            .set("primary_container", container)
            .set("execution_role_arn", self.role)
            .set_some("vpc_config", vpc)
            .set_some("enable_network_isolation", isolated.then_some(true))
            // The endpoint moves to the new model before the old one goes.
            .set("lifecycle", Properties::default().set("create_before_destroy", true))
    }
}

impl ModelResource {
    fn environment(&self) -> Properties {
        let hub = match &self.model.loads {
            Loads::Hub(hub) => Some(hub),
            _ => None,
        };
        let mut variables = Properties::default();
        for (name, value) in hub.into_iter().flat_map(HubModel::variables) {
            variables.insert(name, value);
        }
        for (name, value) in &self.model.environment {
            variables.insert(name.clone(), Value::from(value));
        }
        variables
    }
}
