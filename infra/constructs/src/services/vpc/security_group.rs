//! Security groups: what they are. What they let through is in [`super::rules`].

use std::borrow::Cow;

use super::{NetworkRef, digest, existing, name_map, name_pairs};
use crate::tree::{
    Access, Attribute, Construct, Handle, Id, Lookup, NodeRef, Properties, Ref, Resource, Stack, Text, Types,
};

/// A security group: those who may talk to each other in a way that [`Stack::allow`] says.
///
/// It lets nothing in and nothing out, not even what AWS lets out by default.
///
/// ```
/// use constructs::{services::vpc::{Network, Port, SecurityGroup}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("network");
/// let network = stack.add("Network", Network::new("10.0.0.0/16"));
/// let publish = stack.add("Publish", SecurityGroup::in_vpc(network, "Publishes news"));
/// let broker = stack.add("Broker", SecurityGroup::in_vpc(network, "Takes news in"));
/// stack.allow(publish, broker, Port::tcp(5671), "AMQP over TLS");
/// ```
#[derive(Debug, Clone)]
pub struct SecurityGroup {
    network: NetworkRef,
    description: Cow<'static, str>,
    name: Option<Text>,
}

impl SecurityGroup {
    /// A group of a network, and what its members do, up to 255 characters. Changing the description
    /// replaces the group.
    pub fn in_vpc(network: NetworkRef, description: impl Into<Cow<'static, str>>) -> Self {
        Self { network, description: description.into(), name: None }
    }

    /// A name of its own, up to 255 characters. Left out, the name starts with the path and ends in a few
    /// characters of chance, so that a group can be replaced while it is in use; with a name it can't.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A group that is managed elsewhere, by its id. Rules may be added to it.
    pub fn existing(id: impl Into<Text>) -> ExistingSecurityGroup {
        ExistingSecurityGroup(id.into())
    }
}

impl Construct for SecurityGroup {
    type Handle = SecurityGroupRef;

    fn build(self, stack: &mut Stack) -> SecurityGroupRef {
        check_description(stack, &self.description);
        if let Some(name) = self.name.as_ref().and_then(Text::literal) {
            if name.starts_with("sg-") {
                stack.problem(format!("the group's name is `{name}`; only AWS's ids start with `sg-`"));
            }
            if name.len() > 255 {
                stack.problem(format!("the group's name has {} characters; AWS takes up to 255", name.len()));
            }
        }
        let digest = digest(&stack.name, stack.path());
        let path_name = stack.physical_name();
        let group = Group { vpc: self.network.vpc_id(), description: self.description, name: self.name, path_name };
        SecurityGroupRef { node: stack.resource(group), digest }
    }
}

/// Reports what AWS doesn't take in the description of a group or rule.
pub(super) fn check_description(stack: &mut Stack, description: &str) {
    let length = description.chars().count();
    if !(1..=255).contains(&length) {
        stack.problem(format!("the description has {length} characters; AWS takes 1 to 255"));
    }
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(letter);
    if let Some(letter) = description.chars().find(|letter| !allowed(*letter)) {
        stack.problem(format!(
            "the description `{description}` has a `{letter}`; AWS takes letters, digits, spaces and ._-:/()#,@[]+=&;{{}}!$*"
        ));
    }
}

/// See [`SecurityGroup::existing`].
#[derive(Debug, Clone)]
pub struct ExistingSecurityGroup(Text);

impl Construct for ExistingSecurityGroup {
    type Handle = SecurityGroupRef;

    fn build(self, stack: &mut Stack) -> SecurityGroupRef {
        existing::check_id(stack, "group", "sg-", &self.0);
        let digest = digest(&stack.name, stack.path());
        let group = Lookup::new("aws_security_group", "AWS::EC2::SecurityGroup").by("id", &self.0).known(ID, &self.0);
        SecurityGroupRef { node: group.build(stack), digest }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`SecurityGroup`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct SecurityGroupRef {
    pub(super) node: NodeRef,
    pub(super) digest: u32,
}

const ID: Attribute = Attribute::id("id", Access::GetAtt("GroupId"));

impl SecurityGroupRef {
    /// The group's id.
    pub fn id(self) -> Ref<Id> {
        Ref::new(self.node, ID)
    }
}

impl Handle for SecurityGroupRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

#[derive(Debug)]
struct Group {
    vpc: Ref<Id>,
    description: Cow<'static, str>,
    name: Option<Text>,
    path_name: String,
}

impl Resource for Group {
    fn types(&self) -> Types {
        Types::new("vpc", "aws_security_group", "AWS::EC2::SecurityGroup")
    }

    fn cloudformation(&self) -> Properties {
        // Without a rule for what goes out, AWS adds one that lets everything out. Nothing leaves for the
        // loopback address, and Terraform removes AWS's rule by itself.
        let nowhere = Properties::default()
            .set("CidrIp", "127.0.0.1/32")
            .set("IpProtocol", "-1")
            .set("Description", "Nothing: replaces the rule that lets everything out");
        Properties::default()
            .set_some("GroupName", self.name.as_ref())
            .set("GroupDescription", self.description.clone().into_owned())
            .set("VpcId", self.vpc)
            .set("SecurityGroupEgress", [nowhere])
            .set("Tags", name_pairs(&self.path_name))
    }

    fn terraform(&self) -> Properties {
        let prefix = self.name.is_none().then(|| format!("{}-", self.path_name));
        // A group in use can't be deleted, so its successor has to come first; that needs another name.
        let lifecycle = self.name.is_none().then(|| Properties::default().set("create_before_destroy", true));
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set_some("name_prefix", prefix)
            .set("description", self.description.clone().into_owned())
            .set("vpc_id", self.vpc)
            .set("tags", name_map(&self.path_name))
            .set_some("lifecycle", lifecycle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::vpc::{Network, Port},
        testing::{check_stack, problems},
    };

    fn network(stack: &mut Stack) -> NetworkRef {
        stack.add("Network", Network::existing("vpc-0a1b2c3d4e5f60718"))
    }

    #[test]
    fn renderings() {
        check_stack("vpc_security_groups", |stack| {
            let network = network(stack);
            let publish = stack.add("Publish", SecurityGroup::in_vpc(network, "Publishes news"));
            let broker = stack.add("Broker", SecurityGroup::in_vpc(network, "Takes news in").named("news-broker"));
            stack.allow(publish, broker, Port::tcp(5671), "AMQP over TLS");
        });
        check_stack("vpc_security_group_existing", |stack| {
            let network = network(stack);
            let broker = stack.add("Broker", SecurityGroup::existing("sg-0a1b2c3d4e5f60718"));
            let reader = stack.add("Reader", SecurityGroup::in_vpc(network, "Reads news"));
            stack.allow(reader, broker, Port::tcp(5671), "AMQP over TLS");
        });
    }

    #[test]
    fn descriptions_and_names_that_aws_refuses_are_problems() {
        let long = "x".repeat(256);
        let cases = [
            (String::new(), "news".to_owned(), "the description has 0 characters; AWS takes 1 to 255"),
            (long.clone(), "news".to_owned(), "the description has 256 characters; AWS takes 1 to 255"),
            (
                "caf\u{e9}".to_owned(),
                "news".to_owned(),
                "the description `caf\u{e9}` has a `\u{e9}`; AWS takes letters",
            ),
            ("fine".to_owned(), "sg-1".to_owned(), "the group's name is `sg-1`; only AWS's ids start with `sg-`"),
            ("fine".to_owned(), long, "the group's name has 256 characters; AWS takes up to 255"),
        ];
        for (description, name, message) in cases {
            let found = problems(|stack| {
                let network = network(stack);
                stack.add("Group", SecurityGroup::in_vpc(network, description).named(name));
            });
            assert!(found.contains(&format!("Group: {message}")), "{message}\n{found}");
        }
    }
}
