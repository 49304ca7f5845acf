//! What comes into a stack and goes out of it: outputs, parameters, things that exist already, modules.

use std::borrow::Cow;

use super::{
    construct::Construct,
    stack::{Body, NodeRef, Stack},
    text::{Access, Attribute, Kind, Ref, Text},
    value::{Properties, Value},
};

/// A value that a stack makes known.
#[derive(Debug, Clone)]
pub struct Output {
    pub(crate) name: String,
    pub(crate) value: Text,
    pub(crate) description: Option<String>,
    pub(crate) sensitive: bool,
}

impl Output {
    pub(crate) fn new(name: &str, value: Text) -> Self {
        Self { name: name.to_owned(), value, description: None, sensitive: false }
    }

    pub(crate) fn is_sensitive(&self) -> bool {
        self.sensitive || self.value.is_sensitive()
    }

    /// Says what it is, for `terraform output` and the console.
    pub fn describe(&mut self, description: impl Into<String>) -> &mut Self {
        self.description = Some(description.into());
        self
    }

    /// Keeps it from being shown. CloudFormation can't do that, so its template leaves the output out.
    pub fn sensitive(&mut self) -> &mut Self {
        self.sensitive = true;
        self
    }
}

/// A value that whoever deploys gives: a Terraform variable, a CloudFormation parameter.
///
/// ```
/// use constructs::tree::{App, Other, Parameter};
/// let mut app = App::new("newsloom");
/// let mail = app.stack("monitoring").add("AlarmMail", Parameter::new("Where alarms are sent"));
/// app.stack("monitoring").output("AlarmMail", mail.value::<Other>());
/// ```
#[derive(Debug, Clone)]
pub struct Parameter {
    pub(crate) description: Cow<'static, str>,
    pub(crate) default: Option<String>,
    pub(crate) sensitive: bool,
}

impl Parameter {
    /// A string that must be given.
    pub fn new(description: impl Into<Cow<'static, str>>) -> Self {
        Self { description: description.into(), default: None, sensitive: false }
    }

    /// What it is where nothing is given.
    pub fn default(mut self, value: impl Into<String>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// Not shown in plans and consoles.
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }
}

impl Construct for Parameter {
    type Handle = ParameterRef;

    fn build(self, stack: &mut Stack) -> ParameterRef {
        let sensitive = self.sensitive;
        if sensitive && self.default.is_some() {
            stack.problem("a sensitive parameter has a default, which everyone who sees the code reads; leave it out");
        }
        ParameterRef { node: stack.record(Body::Parameter(self)), sensitive }
    }
}

/// A [`Parameter`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct ParameterRef {
    node: NodeRef,
    sensitive: bool,
}

impl ParameterRef {
    /// Its value, as the kind that the reader knows it to be.
    pub fn value<K: Kind>(self) -> Ref<K> {
        let attribute = Attribute { sensitive: self.sensitive, ..Attribute::other("", Access::Ref) };
        Ref::new(self.node, attribute)
    }
}

/// Something that exists already and is not managed here. Attributes that are known (its name, an ARN made
/// from it) are written as they are; Terraform looks up the others with a data source when one is used,
/// CloudFormation, which can't look things up, makes a parameter of each.
#[derive(Debug, Clone)]
pub struct Lookup {
    pub(crate) terraform: &'static str,
    pub(crate) cloudformation: &'static str,
    pub(crate) arguments: Properties,
    pub(crate) known: Vec<(Attribute, Text)>,
    pub(crate) stored_at: Option<String>,
}

impl Lookup {
    /// A resource of this type: the data source's type for Terraform, the resource's for CloudFormation.
    pub fn new(terraform: &'static str, cloudformation: &'static str) -> Self {
        Self { terraform, cloudformation, arguments: Properties::default(), known: Vec::new(), stored_at: None }
    }

    /// An argument of the data source.
    pub fn by(mut self, argument: &'static str, value: impl Into<Value>) -> Self {
        self.arguments.insert(argument, value);
        self
    }

    /// An attribute that needs no lookup.
    pub fn known(mut self, attribute: Attribute, value: impl Into<Text>) -> Self {
        self.known.push((attribute, value.into()));
        self
    }

    /// Where in Parameter Store the value is: CloudFormation's parameter then reads it there at every
    /// update of the stack, and nobody has to give it.
    pub fn stored_at(mut self, path: impl Into<String>) -> Self {
        self.stored_at = Some(path.into());
        self
    }

    pub(crate) fn known_text(&self, attribute: Attribute) -> Option<&Text> {
        self.known.iter().find(|(known, _)| known.terraform == attribute.terraform).map(|(_, text)| text)
    }
}

impl Construct for Lookup {
    type Handle = NodeRef;

    fn build(self, stack: &mut Stack) -> NodeRef {
        for (attribute, text) in &self.known {
            let Some(literal) = text.literal() else { continue };
            match (attribute.kind, literal.starts_with("arn:")) {
                ("arn", false) => stack.problem(format!("`{literal}` is no ARN, and one is needed here")),
                ("name", true) => stack.problem(format!("`{literal}` is an ARN, and a name is needed here")),
                _ => {}
            }
        }
        stack.record(Body::Lookup(self))
    }
}

/// A Terraform module, from a registry, a folder or a repository. CloudFormation has none; a stack with a
/// module is for Terraform only.
///
/// ```
/// use constructs::tree::{App, Id, Module};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("network");
/// let vpc = stack.add("Network", Module::new("terraform-aws-modules/vpc/aws").version("6.0.1").input("cidr", "10.0.0.0/16"));
/// stack.output("VpcId", vpc.output::<Id>("vpc_id"));
/// ```
#[derive(Debug, Clone)]
pub struct Module {
    pub(crate) source: String,
    pub(crate) version: Option<String>,
    pub(crate) inputs: Properties,
}

impl Module {
    /// A module by its source, as Terraform writes it.
    pub fn new(source: impl Into<String>) -> Self {
        Self { source: source.into(), version: None, inputs: Properties::default() }
    }

    /// The version, for a module of a registry: exact, or a constraint such as `~> 6.0`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// One of the module's variables.
    pub fn input(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.inputs.insert(name, value);
        self
    }
}

impl Construct for Module {
    type Handle = ModuleRef;

    fn build(self, stack: &mut Stack) -> ModuleRef {
        self.check(stack);
        ModuleRef { node: stack.record(Body::Module(self)) }
    }
}

impl Module {
    fn check(&self, stack: &mut Stack) {
        /// What Terraform itself says in a module block.
        const OWN: [&str; 6] = ["count", "depends_on", "for_each", "providers", "source", "version"];
        for (name, _) in self.inputs.iter().filter(|(name, _)| OWN.contains(name)) {
            stack.problem(format!("`{name}` is no variable of a module; Terraform takes it for itself"));
        }
        let Some(version) = &self.version else { return };
        if !self.is_in_a_registry() {
            let source = &self.source;
            stack.problem(format!("the module `{source}` has a version, and only one of a registry can; leave it out"));
        }
        let is_constraint = |part: &str| {
            let number = part.trim().trim_start_matches(['=', '!', '<', '>', '~']).trim_start();
            number.starts_with(|first: char| first.is_ascii_digit())
        };
        if !version.split(',').all(is_constraint) {
            stack.problem(format!("the module's version `{version}` must be like `6.0.1` or `~> 6.0`"));
        }
    }

    /// `namespace/name/provider`, with or without a host before it.
    fn is_in_a_registry(&self) -> bool {
        let parts = self.source.split("//").next().unwrap_or_default().split('/').count();
        let elsewhere = [".", "/", "github.com/", "bitbucket.org/"].iter().any(|start| self.source.starts_with(start));
        (3..=4).contains(&parts) && !elsewhere && !self.source.contains(':')
    }
}

/// A [`Module`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct ModuleRef {
    node: NodeRef,
}

impl ModuleRef {
    /// One of the module's outputs, as the kind that the reader knows it to be.
    pub fn output<K: Kind>(self, name: &'static str) -> Ref<K> {
        Ref::new(self.node, Attribute::other(name, Access::None))
    }
}
