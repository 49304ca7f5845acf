//! Layers: files that several functions share.

use std::borrow::Cow;

use super::{
    Architecture,
    code::{Code, Runtime},
};
use crate::tree::{
    Access, Arn, Attribute, Backend, Construct, Handle, NodeRef, Properties, Ref, Resource, Stack, Text, Types, Value,
};

/// A version of a layer: a package that is unpacked to `/opt` before a function starts.
///
/// Nothing of it can be changed: any change makes a new version and removes this one. Functions that
/// were deployed with it keep it.
///
/// ```
/// use constructs::{services::lambda::{Architecture, Code, Function, LayerVersion}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("enrichment");
/// let certificates = LayerVersion::of(Code::object("newsloom-code", "certificates.zip"))
///     .architectures([Architecture::Arm64]);
/// let certificates = stack.add("Certificates", certificates);
/// stack.add("Publish", Function::rust("target/lambda/publish.zip").layer(certificates.arn()));
/// ```
#[derive(Debug, Clone)]
pub struct LayerVersion {
    code: Code,
    runtimes: Vec<Runtime>,
    architectures: Vec<Architecture>,
    description: Option<Cow<'static, str>>,
    licence: Option<Cow<'static, str>>,
    name: Option<Text>,
}

impl LayerVersion {
    /// A layer of a package.
    pub fn of(code: impl Into<Code>) -> Self {
        Self {
            code: code.into(),
            runtimes: Vec::new(),
            architectures: Vec::new(),
            description: None,
            licence: None,
            name: None,
        }
    }

    /// The runtimes it is for, up to 15; a hint for readers. Lambda takes it with any.
    pub fn runtimes(mut self, runtimes: impl IntoIterator<Item = Runtime>) -> Self {
        self.runtimes = runtimes.into_iter().collect();
        self
    }

    /// The processors it is for; a hint for readers.
    pub fn architectures(mut self, architectures: impl IntoIterator<Item = Architecture>) -> Self {
        self.architectures = architectures.into_iter().collect();
        self
    }

    /// What is in it, up to 256 characters.
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Its licence: an SPDX id, an address or the text, up to 512 characters.
    pub fn licence(mut self, licence: impl Into<Cow<'static, str>>) -> Self {
        self.licence = Some(licence.into());
        self
    }

    /// Another name than the one made from the path, up to 140 letters, digits, `-` and `_`.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl Construct for LayerVersion {
    type Handle = LayerVersionRef;

    fn build(mut self, stack: &mut Stack) -> LayerVersionRef {
        self.code.check(stack);
        self.name.get_or_insert_with(|| stack.physical_name().into());
        LayerVersionRef { node: stack.resource(self) }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`LayerVersion`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct LayerVersionRef {
    node: NodeRef,
}

impl LayerVersionRef {
    /// The ARN of this version.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::Ref))
    }
}

impl Handle for LayerVersionRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for LayerVersion {
    fn types(&self) -> Types {
        Types::new("lambda", "aws_lambda_layer_version", "AWS::Lambda::LayerVersion")
    }

    fn refuses(&self, backend: Backend) -> Option<String> {
        self.code.refuses(backend)
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set_some("LayerName", self.name.as_ref())
            .set_some("Description", self.description.clone().map(Cow::into_owned))
            .set("Content", self.code.cloudformation())
            .set_filled("CompatibleRuntimes", self.runtime_names())
            .set_filled("CompatibleArchitectures", self.architecture_names())
            .set_some("LicenseInfo", self.licence.clone().map(Cow::into_owned))
    }

    fn terraform(&self) -> Properties {
        let properties = Properties::default()
            .set_some("layer_name", self.name.as_ref())
            .set_some("description", self.description.clone().map(Cow::into_owned));
        self.code
            .terraform(properties)
            .set_filled("compatible_runtimes", self.runtime_names())
            .set_filled("compatible_architectures", self.architecture_names())
            .set_some("license_info", self.licence.clone().map(Cow::into_owned))
    }
}

impl LayerVersion {
    fn runtime_names(&self) -> Value {
        Value::list(self.runtimes.iter().map(|runtime| runtime.name()))
    }

    fn architecture_names(&self) -> Value {
        Value::list(self.architectures.iter().map(|architecture| architecture.name()))
    }
}
