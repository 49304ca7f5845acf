//! Any type of the providers, without a room of its own.

use std::borrow::Cow;

use super::{
    construct::{Block, Construct, Handle, Resource, Types},
    stack::{NodeRef, Stack},
    text::{Access, Attribute, Kind, Ref},
    value::{Properties, Value},
};

/// A resource, data source or ephemeral resource by its type and properties, checked against the
/// provider's schema like every other. Give it both types and it renders for both backends; what a
/// backend has no type for is left out there.
///
/// ```
/// use constructs::tree::{Access, App, Arn, Raw};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let bus = stack.add(
///     "Bus",
///     Raw::resource("aws_cloudwatch_event_bus")
///         .terraform("name", "news")
///         .in_cloudformation("AWS::Events::EventBus")
///         .cloudformation("Name", "news"),
/// );
/// stack.output("BusArn", bus.get::<Arn>("arn", Access::GetAtt("Arn")));
/// ```
#[derive(Debug, Clone)]
pub struct Raw {
    types: Types,
    terraform: Properties,
    cloudformation: Properties,
    stateful: bool,
}

impl Raw {
    /// A Terraform resource type, such as `aws_kinesis_stream_consumer`.
    pub fn resource(terraform: impl Into<Cow<'static, str>>) -> Self {
        Self::of(Block::Resource, terraform.into())
    }

    /// A Terraform data source.
    pub fn data(terraform: impl Into<Cow<'static, str>>) -> Self {
        Self::of(Block::Data, terraform.into())
    }

    /// A Terraform ephemeral resource, whose values never reach the state.
    pub fn ephemeral(terraform: impl Into<Cow<'static, str>>) -> Self {
        Self::of(Block::Ephemeral, terraform.into())
    }

    /// A type that only CloudFormation is to have.
    pub fn only_cloudformation(cloudformation: impl Into<Cow<'static, str>>) -> Self {
        Self::of(Block::Resource, Cow::Borrowed("")).in_cloudformation(cloudformation)
    }

    fn of(block: Block, terraform: Cow<'static, str>) -> Self {
        let service = terraform.split('_').nth(1).unwrap_or("main").to_owned().into();
        Self {
            types: Types { service, block, terraform, cloudformation: Cow::Borrowed("") },
            terraform: Properties::default(),
            cloudformation: Properties::default(),
            stateful: false,
        }
    }

    /// The same resource's type in CloudFormation.
    pub fn in_cloudformation(mut self, cloudformation: impl Into<Cow<'static, str>>) -> Self {
        self.types.cloudformation = cloudformation.into();
        self
    }

    /// A Terraform argument.
    pub fn terraform(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.terraform.insert(name, value);
        self
    }

    /// A CloudFormation property.
    pub fn cloudformation(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.cloudformation.insert(name, value);
        self
    }

    /// The file it is written to, without `.tf.json`. Defaults to the second word of Terraform's type.
    pub fn file(mut self, service: impl Into<Cow<'static, str>>) -> Self {
        self.types.service = service.into();
        self
    }

    /// Losing it loses data, so the app's removal rule applies to it.
    pub fn stateful(mut self) -> Self {
        self.stateful = true;
        self
    }
}

impl Construct for Raw {
    type Handle = RawRef;

    fn build(self, stack: &mut Stack) -> RawRef {
        RawRef { node: stack.resource(self) }
    }
}

impl Resource for Raw {
    fn types(&self) -> Types {
        self.types.clone()
    }

    fn terraform(&self) -> Properties {
        self.terraform.clone()
    }

    fn cloudformation(&self) -> Properties {
        self.cloudformation.clone()
    }

    fn is_stateful(&self) -> bool {
        self.stateful
    }
}

/// A [`Raw`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct RawRef {
    node: NodeRef,
}

impl RawRef {
    /// Any attribute, by its name in both backends.
    pub fn get<K: Kind>(self, terraform: &'static str, cloudformation: Access) -> Ref<K> {
        Ref::new(self.node, Attribute::other(terraform, cloudformation))
    }
}

impl Handle for RawRef {
    fn node(self) -> NodeRef {
        self.node
    }
}
