//! A stack: nodes at paths, and the verbs that add them.

use std::{any::Any, collections::HashMap};

use super::{
    app::{Defaults, Tags},
    construct::{Construct, Handle, Removal, Resource},
    input::{Lookup, Module, Output, Parameter},
    names,
    problem::Problem,
    text::Text,
    value::Value,
};

/// A node of a stack, as handles hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeRef {
    pub(crate) stack: u16,
    pub(crate) index: u32,
}

/// What stands at a path.
pub(crate) enum Body {
    Resource(Box<dyn Resource>),
    Lookup(Lookup),
    Parameter(Parameter),
    Module(Module),
}

pub(crate) struct Node {
    pub(crate) path: String,
    /// Where it stood before a rename, so that nothing is replaced.
    pub(crate) moved_from: Option<String>,
    pub(crate) body: Body,
    pub(crate) depends_on: Vec<NodeRef>,
    pub(crate) overrides: Vec<Override>,
    pub(crate) removal: Option<Removal>,
    /// The alias of a provider other than the stack's own.
    pub(crate) provider: Option<&'static str>,
}

pub(crate) struct Override {
    pub(crate) backend: Backend,
    pub(crate) path: &'static str,
    pub(crate) value: Value,
}

/// What infrastructure is written down for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backend {
    /// Terraform's JSON syntax.
    Terraform,
    /// CloudFormation's JSON templates.
    CloudFormation,
}

/// A unit of deployment: what one `terraform apply` or one CloudFormation stack holds.
///
/// ```
/// use constructs::{services::kinesis::Stream, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let news = stack.add("News", Stream::on_demand());
/// stack.output("StreamName", news.name());
/// ```
pub struct Stack {
    pub(crate) id: u16,
    pub(crate) name: String,
    pub(crate) defaults: Defaults,
    pub(crate) nodes: Vec<Node>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) tags: Tags,
    by_path: HashMap<String, u32>,
    path: String,
    /// Old and new path prefixes, see [`Stack::moved`].
    pub(super) moves: Vec<(String, String)>,
}

impl Stack {
    pub(crate) fn new(id: u16, name: &str, defaults: Defaults) -> Self {
        Self {
            id,
            name: name.to_owned(),
            defaults,
            nodes: Vec::new(),
            outputs: Vec::new(),
            problems: Vec::new(),
            tags: Tags::default(),
            by_path: HashMap::new(),
            path: String::new(),
            moves: Vec::new(),
        }
    }

    /// Adds a construct under an id: letters and digits, a noun without its type. The id is part of the
    /// path, and the path is what the resource is called; changing it replaces the resource, unless
    /// [`Stack::moved`] says so.
    pub fn add<C: Construct>(&mut self, id: &str, construct: C) -> C::Handle {
        let parent = self.path.len();
        if parent > 0 {
            self.path.push('/');
        }
        self.path.push_str(id);
        if !names::is_id(id) {
            self.problem(format!("the id `{id}` must be a letter, then letters and digits"));
        }
        let handle = construct.build(self);
        self.path.truncate(parent);
        handle
    }

    /// Records a resource at the current path. Rooms call this from [`Construct::build`].
    pub fn resource(&mut self, resource: impl Resource) -> NodeRef {
        self.record(Body::Resource(Box::new(resource)))
    }

    /// Records a resource one step below the current path, for what a definition needs beside its main resource.
    pub fn child(&mut self, id: &str, resource: impl Resource) -> NodeRef {
        self.add(id, Recorded(resource))
    }

    /// Records a resource at a path from the top, whatever is being built: for what grants add to.
    pub(crate) fn resource_at(&mut self, path: &str, resource: impl Resource) -> NodeRef {
        let current = std::mem::replace(&mut self.path, path.to_owned());
        let node = self.resource(resource);
        self.path = current;
        node
    }

    /// Adds a construct below a path from the top, whatever is being built: for what belongs to a construct
    /// that was added before.
    pub(crate) fn add_below<C: Construct>(&mut self, path: &str, id: &str, construct: C) -> C::Handle {
        let current = std::mem::replace(&mut self.path, path.to_owned());
        let handle = self.add(id, construct);
        self.path = current;
        handle
    }

    /// The path of a node of any kind of this stack; nothing for another stack's.
    pub(crate) fn path_of(&self, node: NodeRef) -> Option<&str> {
        let own = node.stack == self.id;
        self.nodes.get(node.index as usize).filter(|_| own).map(|node| node.path.as_str())
    }

    pub(crate) fn record(&mut self, mut body: Body) -> NodeRef {
        if let Body::Resource(resource) = &mut body {
            resource.protect(self.defaults.removal);
        }
        let index = u32::try_from(self.nodes.len()).expect("fewer than four thousand million nodes");
        let path = self.path.clone();
        if let Some(first) = self.by_path.insert(path.clone(), index) {
            self.by_path.insert(path.clone(), first);
            self.problem(format!("the path `{path}` is taken: two constructs were added under one id"));
        }
        let moved_from = self.moved_from(&path);
        self.nodes.push(Node {
            path,
            moved_from,
            body,
            depends_on: Vec::new(),
            overrides: Vec::new(),
            removal: None,
            provider: None,
        });
        NodeRef { stack: self.id, index }
    }

    /// Makes a value known outside: a Terraform output, a CloudFormation output. The name is written as ids
    /// are, `StreamName`. A value that must not be shown is marked sensitive by itself.
    pub fn output(&mut self, name: &str, value: impl Into<Text>) -> &mut Output {
        if !names::is_id(name) {
            self.problem(format!("the output `{name}` must be a letter, then letters and digits"));
        }
        if self.outputs.iter().any(|output| output.name == name) {
            self.problem(format!("the output `{name}` is given twice"));
        }
        let index = self.outputs.len();
        self.outputs.push(Output::new(name, value.into()));
        &mut self.outputs[index]
    }

    /// Reports a problem of the construct that is being built; synth then writes nothing and shows all.
    pub fn problem(&mut self, message: impl Into<String>) {
        let path = if self.path.is_empty() { self.name.clone() } else { self.path.clone() };
        self.problems.push(Problem { path, property: String::new(), message: message.into() });
    }

    /// Overrides a Terraform argument of any construct, by its dotted path: `stream_mode_details.stream_mode`.
    /// [`Value::Null`] removes it. Checked against the provider's schema like everything else.
    ///
    /// ```
    /// # use constructs::{services::kinesis::Stream, tree::App};
    /// # let mut app = App::new("newsloom");
    /// # let stack = app.stack("ingestion");
    /// let news = stack.add("News", Stream::on_demand());
    /// stack.override_terraform(news, "enforce_consumer_deletion", true);
    /// stack.override_cloudformation(news, "MaxRecordSizeInKiB", 2048);
    /// ```
    pub fn override_terraform(&mut self, handle: impl Handle, path: &'static str, value: impl Into<Value>) {
        self.override_property(handle.node(), Backend::Terraform, path, value.into());
    }

    /// Overrides a CloudFormation property of any construct, by its dotted path: `StreamEncryption.KeyId`.
    pub fn override_cloudformation(&mut self, handle: impl Handle, path: &'static str, value: impl Into<Value>) {
        self.override_property(handle.node(), Backend::CloudFormation, path, value.into());
    }

    fn override_property(&mut self, node: NodeRef, backend: Backend, path: &'static str, value: Value) {
        let Some(node) = self.own_node(node, "overridden") else { return };
        let Body::Resource(resource) = &node.body else {
            let message = format!("`{}` is not created here, so `{path}` can't be overridden", node.path);
            return self.problem(message);
        };
        let types = resource.types();
        let (missing, only) = match backend {
            Backend::Terraform => (types.terraform.is_empty(), "only in CloudFormation"),
            Backend::CloudFormation => (types.cloudformation.is_empty(), "only in Terraform"),
        };
        if missing {
            let message = format!("`{}` is {only}, so `{path}` can't be overridden there", node.path);
            return self.problem(message);
        }
        node.overrides.push(Override { backend, path, value });
    }

    /// Creates `later` after `earlier` although it doesn't refer to it. Nothing is written where `earlier` is in a
    /// stack that comes before: that one is deployed first as a whole.
    pub fn depends(&mut self, later: impl Handle, earlier: impl Handle) {
        let (id, earlier) = (self.id, earlier.node());
        if let Some(node) = self.own_node(later.node(), "made to depend on another") {
            node.depends_on.push(earlier);
            if earlier.stack > id {
                let message = format!("`{}` can't wait for what is in a stack that comes after it", node.path);
                self.problem(message);
            }
        }
    }

    /// Decides what becomes of one construct's data when it is removed, whatever the app's default.
    pub fn protect(&mut self, handle: impl Handle, removal: Removal) {
        if let Some(node) = self.own_node(handle.node(), "protected") {
            node.removal = Some(removal);
            if let Body::Resource(resource) = &mut node.body {
                resource.protect(removal);
            }
        }
    }

    /// Uses another provider configuration for a construct, see [`super::App::provider`]. Terraform only.
    pub fn provider(&mut self, handle: impl Handle, alias: &'static str) {
        if let Some(node) = self.own_node(handle.node(), "given a provider") {
            node.provider = Some(alias);
        }
    }

    /// Tags every taggable resource at and below the current path; at the top, every one of the stack.
    pub fn tag(&mut self, key: &str, value: &str) {
        let path = self.path.clone();
        self.tags.add(&path, key, value);
    }

    /// Says that what is added at `new` used to be at `old`, so that nothing is replaced: Terraform gets
    /// `moved` blocks, CloudFormation keeps the old logical ids. Both are paths from the top; call it first.
    pub fn moved(&mut self, old: &str, new: &str) {
        self.moves.push((old.to_owned(), new.to_owned()));
    }

    fn moved_from(&self, path: &str) -> Option<String> {
        self.moves.iter().find_map(|(old, new)| {
            let rest = path.strip_prefix(new.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{old}{rest}"))
        })
    }

    /// The node at a path, such as `Code/Versioning`, for overriding what a construct keeps inside.
    pub fn find(&self, path: &str) -> Option<NodeRef> {
        self.by_path.get(path).map(|index| NodeRef { stack: self.id, index: *index })
    }

    /// A name for what is being built, from the app's prefix and the path: `newsloom-ingestion-news`.
    pub fn physical_name(&self) -> String {
        format!("{}-{}", self.defaults.prefix, names::kebab(&self.path))
    }

    /// The same, cut to so many characters where it has more: what is cut off becomes a digest at the end, so
    /// that two long names differ still.
    pub fn physical_name_within(&self, most: usize) -> String {
        names::within(self.physical_name(), most)
    }

    /// The app's name, which starts the name of everything in it.
    pub fn prefix(&self) -> &str {
        &self.defaults.prefix
    }

    /// The path of what is being built.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What becomes of data on removal, unless [`Stack::protect`] says otherwise.
    pub fn removal(&self) -> Removal {
        self.defaults.removal
    }

    /// The region, where the app fixes one.
    pub fn region(&self) -> Option<&str> {
        self.defaults.region.as_deref()
    }

    /// A resource that was recorded before, to be changed, if it is a `R` of this stack: how grants reach a
    /// policy. Rooms call this for what is said about a resource after it was added.
    pub fn edit<R: Resource>(&mut self, node: NodeRef) -> Option<&mut R> {
        if node.stack != self.id {
            return None;
        }
        match &mut self.nodes.get_mut(node.index as usize)?.body {
            Body::Resource(resource) => (resource.as_mut() as &mut dyn Any).downcast_mut(),
            _ => None,
        }
    }

    fn own_node(&mut self, node: NodeRef, verb: &str) -> Option<&mut Node> {
        if node.stack != self.id {
            self.problem(format!("a construct of another stack can't be {verb} here; do it where it was added"));
            return None;
        }
        self.nodes.get_mut(node.index as usize)
    }
}

/// A resource as a construct, for [`Stack::child`].
struct Recorded<R>(R);

impl<R: Resource> Construct for Recorded<R> {
    type Handle = NodeRef;

    fn build(self, stack: &mut Stack) -> NodeRef {
        stack.resource(self.0)
    }
}
