//! Distributions: where finished images go, and who may use them.

use std::borrow::Cow;

use super::check_name;
use crate::{
    services::kms::KeyRef,
    tree::{
        Access, Arn, Attribute, Construct, Handle, Id, NodeRef, Properties, Pseudo, Ref, Resource, Stack, Text, Types,
        Value,
    },
};

/// The image in one region.
///
/// ```
/// use constructs::services::imagebuilder::Distribution;
/// let here = Distribution::here().named("newsloom-ingester").parameter("/imagebuilder/newsloom/ingester");
/// ```
#[derive(Debug, Clone)]
pub struct Distribution {
    region: Text,
    name: Option<Text>,
    description: Option<Cow<'static, str>>,
    tags: Vec<(Cow<'static, str>, Text)>,
    shared_with: Vec<Text>,
    organizations: Vec<Text>,
    copied_to: Vec<Text>,
    key: Option<KeyRef>,
    parameters: Vec<Text>,
    templates: Vec<Ref<Id>>,
}

impl Distribution {
    /// In the region where it is built.
    pub fn here() -> Self {
        Self::to(Pseudo::Region)
    }

    /// In another region.
    pub fn to(region: impl Into<Text>) -> Self {
        Self {
            region: region.into(),
            name: None,
            description: None,
            tags: Vec::new(),
            shared_with: Vec::new(),
            organizations: Vec::new(),
            copied_to: Vec::new(),
            key: None,
            parameters: Vec::new(),
            templates: Vec::new(),
        }
    }

    /// What the image is called; the build's date is added, as every build needs a name of its own. Left out, the
    /// recipe's name and the date.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into() + "-{{ imagebuilder:buildDate }}");
        self
    }

    /// What the image is, up to 1024 letters.
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Tags the image.
    pub fn tag(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Text>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// Lets another account start instances of the image. It needs the key too, which must not be AWS's own.
    pub fn shared_with(mut self, account: impl Into<Text>) -> Self {
        self.shared_with.push(account.into());
        self
    }

    /// Lets the accounts of an organization, by its ARN, start instances of the image.
    pub fn shared_with_organization(mut self, arn: impl Into<Text>) -> Self {
        self.organizations.push(arn.into());
        self
    }

    /// Copies the image into another account.
    pub fn copied_to(mut self, account: impl Into<Text>) -> Self {
        self.copied_to.push(account.into());
        self
    }

    /// Encrypted with this key.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }

    /// Writes the image's id into an SSM parameter after every build, so that the next instance takes it. Image
    /// Builder's own role may write below `/imagebuilder/`.
    pub fn parameter(mut self, name: impl Into<Text>) -> Self {
        self.parameters.push(name.into());
        self
    }

    /// Makes a new version of a launch template with the image after every build, and its default.
    pub fn launch_template(mut self, template: Ref<Id>) -> Self {
        self.templates.push(template);
        self
    }
}

/// Where images go.
///
/// ```
/// use constructs::{services::imagebuilder::{Distribution, DistributionConfiguration}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let here = Distribution::here().named("newsloom-ingester");
/// stack.add("Shelf", DistributionConfiguration::of(here).and(Distribution::to("eu-central-1")));
/// ```
#[derive(Debug, Clone)]
pub struct DistributionConfiguration {
    distributions: Vec<Distribution>,
    description: Option<Cow<'static, str>>,
    name: Option<Text>,
}

impl DistributionConfiguration {
    /// To one region.
    pub fn of(distribution: Distribution) -> Self {
        Self { distributions: vec![distribution], description: None, name: None }
    }

    /// And to another.
    pub fn and(mut self, distribution: Distribution) -> Self {
        self.distributions.push(distribution);
        self
    }

    /// What it is for, up to 1024 letters.
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Another name than the one made from the path, 3 to 126 letters.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// In how many regions its images are.
    pub(super) fn regions(&self) -> usize {
        self.distributions.len()
    }
}

impl Construct for DistributionConfiguration {
    type Handle = DistributionConfigurationRef;

    fn build(mut self, stack: &mut Stack) -> DistributionConfigurationRef {
        let name = self.name.get_or_insert_with(|| stack.physical_name().into());
        check_name(stack, "distribution configuration", name);
        for (index, distribution) in self.distributions.iter().enumerate() {
            if self.distributions[..index].iter().any(|other| other.region == distribution.region) {
                let region = distribution.region.literal().unwrap_or("the region of the build");
                stack.problem(format!("two distributions go to {region}; say everything in one"));
            }
            distribution.check(stack);
        }
        DistributionConfigurationRef { node: stack.resource(self) }
    }
}

impl Distribution {
    fn check(&self, stack: &mut Stack) {
        if let Some(name) = self.name.as_ref().and_then(Text::literal)
            && name.len() > 127
        {
            let length = name.len();
            stack.problem(format!("the image's name has {length} letters with the build's date; EC2 takes up to 127"));
        }
        for parameter in self.parameters.iter().filter_map(Text::literal) {
            if !parameter.starts_with("/imagebuilder/") {
                stack.problem(format!(
                    "Image Builder can't write the parameter `{parameter}`; it may below `/imagebuilder/`"
                ));
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`DistributionConfiguration`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct DistributionConfigurationRef {
    node: NodeRef,
}

impl DistributionConfigurationRef {
    /// The configuration's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::GetAtt("Arn")))
    }
}

impl Handle for DistributionConfigurationRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for DistributionConfiguration {
    fn types(&self) -> Types {
        let cloudformation = "AWS::ImageBuilder::DistributionConfiguration";
        Types::new("imagebuilder", "aws_imagebuilder_distribution_configuration", cloudformation)
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set_some("Name", self.name.as_ref())
            .set_some("Description", self.description.clone().map(Cow::into_owned))
            .set("Distributions", Value::list(self.distributions.iter().map(Distribution::cloudformation)))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set_some("description", self.description.clone().map(Cow::into_owned))
            .set("distribution", Value::list(self.distributions.iter().map(Distribution::terraform)))
    }
}

impl Distribution {
    fn tags(&self) -> Properties {
        self.tags.iter().map(|(key, value)| (key.clone(), Value::from(value))).collect()
    }

    fn cloudformation(&self) -> Properties {
        let permission = Properties::default()
            .set_filled("UserIds", Value::list(&self.shared_with))
            .set_filled("OrganizationArns", Value::list(&self.organizations));
        let image = Properties::default()
            .set_some("Name", self.name.as_ref())
            .set_some("Description", self.description.clone().map(Cow::into_owned))
            .set_filled("AmiTags", self.tags())
            .set_filled("LaunchPermissionConfiguration", permission)
            .set_filled("TargetAccountIds", Value::list(&self.copied_to))
            .set_some("KmsKeyId", self.key.map(KeyRef::arn));
        let parameters = self
            .parameters
            .iter()
            .map(|name| Properties::default().set("ParameterName", name).set("DataType", "aws:ec2:image"));
        let templates = self
            .templates
            .iter()
            .map(|template| Properties::default().set("LaunchTemplateId", *template).set("SetDefaultVersion", true));
        Properties::default()
            .set("Region", &self.region)
            .set_filled("AmiDistributionConfiguration", image)
            .set_filled("SsmParameterConfigurations", Value::list(parameters))
            .set_filled("LaunchTemplateConfigurations", Value::list(templates))
    }

    fn terraform(&self) -> Properties {
        let permission = Properties::default()
            .set_filled("user_ids", Value::list(&self.shared_with))
            .set_filled("organization_arns", Value::list(&self.organizations));
        let image = Properties::default()
            .set_some("name", self.name.as_ref())
            .set_some("description", self.description.clone().map(Cow::into_owned))
            .set_filled("ami_tags", self.tags())
            .set_filled("launch_permission", permission)
            .set_filled("target_account_ids", Value::list(&self.copied_to))
            .set_some("kms_key_id", self.key.map(KeyRef::arn));
        let parameters = self
            .parameters
            .iter()
            .map(|name| Properties::default().set("parameter_name", name).set("data_type", "aws:ec2:image"));
        let templates = self
            .templates
            .iter()
            .map(|template| Properties::default().set("launch_template_id", *template).set("default", true));
        Properties::default()
            .set("region", &self.region)
            .set_filled("ami_distribution_configuration", image)
            .set_filled("ssm_parameter_configuration", Value::list(parameters))
            .set_filled("launch_template_configuration", Value::list(templates))
    }
}
