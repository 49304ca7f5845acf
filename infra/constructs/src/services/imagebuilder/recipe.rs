//! Recipes: a parent image, and the components that are applied to it in order.

use std::borrow::Cow;

use super::{ComponentRef, check_name, check_version};
use crate::{
    services::{
        kms::KeyRef,
        logs::LogGroup,
        units::{Days, Gib},
    },
    tree::{Access, Arn, Attribute, Construct, Handle, NodeRef, Properties, Ref, Resource, Stack, Text, Types, Value},
};

/// The image that a recipe starts from, and its root device, so that the result is encrypted.
#[derive(Debug, Clone)]
pub struct ParentImage {
    image: Text,
    root_device: Cow<'static, str>,
}

impl ParentImage {
    /// The newest Amazon Linux 2023 for Graviton processors.
    pub fn amazon_linux_2023_arm64() -> Self {
        Self::parameter("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64", "/dev/xvda")
    }

    /// The newest Amazon Linux 2023 for Intel and AMD processors.
    pub fn amazon_linux_2023_x86_64() -> Self {
        Self::parameter("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64", "/dev/xvda")
    }

    /// The image whose id an SSM parameter holds, public or of this account. Root devices are `/dev/xvda` for
    /// Amazon Linux, `/dev/sda1` for Ubuntu and Windows.
    pub fn parameter(name: impl Into<Text>, root_device: impl Into<Cow<'static, str>>) -> Self {
        Self { image: Text::from("ssm:") + name, root_device: root_device.into() }
    }

    /// An image by its id, or an Image Builder image by its ARN; `x.x.x` as its version takes the newest.
    pub fn image(id: impl Into<Text>, root_device: impl Into<Cow<'static, str>>) -> Self {
        Self { image: id.into(), root_device: root_device.into() }
    }
}

/// Values for a component's parameters, by name.
type Parameters = Vec<(Cow<'static, str>, Text)>;

/// A recipe. What a version holds never changes: give another version with another change.
///
/// The root volume is encrypted gp3 and goes with its instance. The build's logs are kept for 30 days.
///
/// ```
/// use constructs::{services::{imagebuilder::{Component, ImageRecipe, ParentImage}, units::Gib}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let agent = stack.add("Agent", Component::of_aws("amazon-cloudwatch-agent-linux"));
/// let recipe = ImageRecipe::based_on(ParentImage::amazon_linux_2023_arm64(), "1.0.0").with(agent).root_volume(Gib(16));
/// stack.add("Ingester", recipe);
/// ```
#[derive(Debug, Clone)]
pub struct ImageRecipe {
    parent: ParentImage,
    version: Cow<'static, str>,
    components: Vec<(ComponentRef, Parameters)>,
    volume: Option<Gib>,
    key: Option<KeyRef>,
    without_agent: bool,
    logs: LogGroup,
    description: Option<Cow<'static, str>>,
    name: Option<Text>,
}

impl ImageRecipe {
    /// A recipe that starts from an image; its version is three numbers, `1.0.0`.
    pub fn based_on(parent: ParentImage, version: impl Into<Cow<'static, str>>) -> Self {
        Self {
            parent,
            version: version.into(),
            components: Vec::new(),
            volume: None,
            key: None,
            without_agent: false,
            logs: LogGroup::new(),
            description: None,
            name: None,
        }
    }

    /// The next component; at least one is needed.
    pub fn with(self, component: ComponentRef) -> Self {
        self.with_parameters(component, std::iter::empty::<(&'static str, Text)>())
    }

    /// The next component, and values for its parameters. They are no place for secrets.
    pub fn with_parameters<N: Into<Cow<'static, str>>, T: Into<Text>>(
        mut self,
        component: ComponentRef,
        parameters: impl IntoIterator<Item = (N, T)>,
    ) -> Self {
        let parameters = parameters.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self.components.push((component, parameters));
        self
    }

    /// The root volume's size, 1 to 16 000 GiB. Left out, the parent's.
    pub fn root_volume(mut self, size: Gib) -> Self {
        self.volume = Some(size);
        self
    }

    /// Encrypted with this key instead of the account's default for volumes.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }

    /// Takes the Systems Manager agent away in the end, where Image Builder had to install it. Session Manager
    /// then doesn't reach the instances.
    pub fn without_agent(mut self) -> Self {
        self.without_agent = true;
        self
    }

    /// How long the logs of builds are kept. Defaults to 30 days.
    pub fn logs_kept(mut self, days: Days) -> Self {
        self.logs = self.logs.retention(days);
        self
    }

    /// Encrypts the logs of builds with this key, see [`LogGroup::encrypted_by`].
    pub fn logs_encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.logs = self.logs.encrypted_by(key);
        self
    }

    /// What it is for, up to 1024 letters.
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Another name than the one made from the path, 3 to 126 letters. The images are called by it.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl Construct for ImageRecipe {
    type Handle = ImageRecipeRef;

    fn build(mut self, stack: &mut Stack) -> ImageRecipeRef {
        let name = self.name.get_or_insert_with(|| stack.physical_name().into()).clone();
        check_name(stack, "recipe", &name);
        check_version(stack, "recipe", &self.version);
        if self.components.is_empty() {
            stack.problem("a recipe has at least one component");
        }
        if let Some(Gib(size)) = self.volume
            && !(1..=16_000).contains(&size)
        {
            stack.problem(format!("the root volume is {size} GiB; Image Builder takes 1 to 16000"));
        }
        // Image Builder would make the group itself, and keep its logs for ever.
        let logs = self.logs.clone().named(Text::from("/aws/imagebuilder/") + name);
        let logs = stack.add("Logs", logs);
        let node = stack.resource(self);
        stack.depends(node, logs);
        ImageRecipeRef { node }
    }
}

// ---------------------------------------------------------------------------------------------------

/// An [`ImageRecipe`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct ImageRecipeRef {
    node: NodeRef,
}

impl ImageRecipeRef {
    /// The ARN of this version of the recipe.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::GetAtt("Arn")))
    }
}

impl Handle for ImageRecipeRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for ImageRecipe {
    fn types(&self) -> Types {
        Types::new("imagebuilder", "aws_imagebuilder_image_recipe", "AWS::ImageBuilder::ImageRecipe")
    }

    fn cloudformation(&self) -> Properties {
        let components = self.components.iter().map(|(component, parameters)| {
            let parameters = parameters.iter().map(|(name, value)| {
                Properties::default().set("Name", name.clone().into_owned()).set("Value", Value::list([value]))
            });
            Properties::default().set("ComponentArn", component.arn()).set_filled("Parameters", Value::list(parameters))
        });
        let ebs = Properties::default()
            .set("VolumeType", "gp3")
            .set_some("VolumeSize", self.volume)
            .set("Encrypted", true)
            .set_some("KmsKeyId", self.key.map(KeyRef::arn))
            .set("DeleteOnTermination", true);
        let root =
            Properties::default().set("DeviceName", self.parent.root_device.clone().into_owned()).set("Ebs", ebs);
        let agent = self.without_agent.then(|| {
            let agent = Properties::default().set("UninstallAfterBuild", true);
            Properties::default().set("SystemsManagerAgent", agent)
        });
        Properties::default()
            .set_some("Name", self.name.as_ref())
            .set("Version", self.version.clone().into_owned())
            .set("ParentImage", &self.parent.image)
            .set("Components", Value::list(components))
            .set("BlockDeviceMappings", [root])
            .set_some("AdditionalInstanceConfiguration", agent)
            .set_some("Description", self.description.clone().map(Cow::into_owned))
    }

    fn terraform(&self) -> Properties {
        let components = self.components.iter().map(|(component, parameters)| {
            let parameters = parameters
                .iter()
                .map(|(name, value)| Properties::default().set("name", name.clone().into_owned()).set("value", value));
            Properties::default().set("component_arn", component.arn()).set_filled("parameter", Value::list(parameters))
        });
        // The provider takes these two booleans as strings.
        let ebs = Properties::default()
            .set("volume_type", "gp3")
            .set_some("volume_size", self.volume)
            .set("encrypted", "true")
            .set_some("kms_key_id", self.key.map(KeyRef::arn))
            .set("delete_on_termination", "true");
        let root =
            Properties::default().set("device_name", self.parent.root_device.clone().into_owned()).set("ebs", ebs);
        let agent = self.without_agent.then(|| Properties::default().set("uninstall_after_build", true));
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set("version", self.version.clone().into_owned())
            .set("parent_image", &self.parent.image)
            .set("component", Value::list(components))
            .set("block_device_mapping", [root])
            .set_some("systems_manager_agent", agent)
            .set_some("description", self.description.clone().map(Cow::into_owned))
    }
}
