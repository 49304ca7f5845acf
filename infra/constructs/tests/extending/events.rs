//! EventBridge: buses that carry events to whoever asked for them.

use std::borrow::Cow;

use constructs::{
    policy::{Grant, Statement},
    tree::{
        Access, Arn, Attribute, Construct, Handle, Lookup, Name, NodeRef, Properties, Pseudo, Ref, Resource, Stack,
        Text, Types,
    },
};

const LONGEST_DESCRIPTION: usize = 512;

/// A bus of one's own, beside the one called `default` that every account has. Named after its path.
#[derive(Debug, Clone)]
pub struct EventBus {
    description: Option<Cow<'static, str>>,
    name: Option<Text>,
}

impl EventBus {
    /// A bus for an application's own events.
    pub fn custom() -> Self {
        Self { description: None, name: None }
    }

    /// What travels on it, up to 512 characters. Left out, the console shows nothing.
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Another name than the one made from the path. A change replaces the bus.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A bus that is managed elsewhere, by name, in this region and account: `default` is one.
    pub fn existing(name: impl Into<Text>) -> ExistingEventBus {
        ExistingEventBus(name.into())
    }
}

impl Construct for EventBus {
    type Handle = EventBusRef;

    fn build(mut self, stack: &mut Stack) -> EventBusRef {
        let length = self.description.as_ref().map_or(0, |description| description.chars().count());
        if length > LONGEST_DESCRIPTION {
            stack.problem(format!("the description has {length} characters; EventBridge takes up to 512"));
        }
        self.name.get_or_insert_with(|| stack.physical_name().into());
        EventBusRef { node: stack.resource(self) }
    }
}

/// See [`EventBus::existing`].
#[derive(Debug, Clone)]
pub struct ExistingEventBus(Text);

impl Construct for ExistingEventBus {
    type Handle = EventBusRef;

    fn build(self, stack: &mut Stack) -> EventBusRef {
        let arn = Text::from("arn:") + Pseudo::Partition + ":events:" + Pseudo::Region + ":" + Pseudo::Account;
        let lookup = Lookup::new("aws_cloudwatch_event_bus", "AWS::Events::EventBus")
            .by("name", &self.0)
            .known(NAME, &self.0)
            .known(ARN, arn + ":event-bus/" + &self.0);
        EventBusRef { node: lookup.build(stack) }
    }
}

// ---------------------------------------------------------------------------------------------------

/// An [`EventBus`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct EventBusRef {
    node: NodeRef,
}

const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));
const NAME: Attribute = Attribute::name("name", Access::Ref);

impl EventBusRef {
    /// The bus's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The bus's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, NAME)
    }

    /// May put events on the bus.
    pub fn put(self) -> Grant {
        Statement::allow(["events:PutEvents"]).on(self.arn()).into()
    }
}

impl Handle for EventBusRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for EventBus {
    fn types(&self) -> Types {
        Types::new("events", "aws_cloudwatch_event_bus", "AWS::Events::EventBus")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set_some("Name", self.name.as_ref())
            .set_some("Description", self.description.as_deref().map(str::to_owned))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set_some("description", self.description.as_deref().map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use constructs::{
        services::iam::{Role, Service},
        testing::{check, check_stack, problems},
    };

    #[test]
    fn renderings() {
        check("events_custom", EventBus::custom().description("Articles with their sentiment"));
        check_stack("events_existing", |stack| {
            let bus = stack.add("Everyone", EventBus::existing("default"));
            let publisher = stack.add("Publisher", Role::of(Service::LAMBDA));
            stack.grant(publisher, bus.put());
        });
    }

    #[test]
    fn description_has_up_to_512_characters() {
        let found = problems(|stack| {
            stack.add("Articles", EventBus::custom().description("a".repeat(513)));
        });
        let expected = "Articles: the description has 513 characters; EventBridge takes up to 512";
        assert!(found.contains(expected), "{found}");
    }
}
