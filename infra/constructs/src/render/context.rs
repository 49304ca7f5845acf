//! What rendering knows about a stack: what its nodes are called, and what was used on the way.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

use crate::schema::Schemas;
use crate::tree::{
    App, Attribute, Backend, Body, Lookup, NodeRef, Part, Problem, Pseudo, Reference, Resource, Stack, Text, Value,
    pascal, snake,
};

/// What nodes are called in both backends, by stack and index.
pub(super) struct Names {
    terraform: Vec<Vec<String>>,
    cloudformation: Vec<Vec<String>>,
}

impl Names {
    pub(super) fn of(app: &App) -> Self {
        let each = |name: fn(&crate::tree::Node) -> String| {
            app.stacks.iter().map(|stack| stack.nodes.iter().map(name).collect()).collect()
        };
        Self {
            terraform: each(|node| snake(&node.path)),
            // A logical id is what CloudFormation knows a resource by, so it outlives a rename.
            cloudformation: each(|node| pascal(node.moved_from.as_ref().unwrap_or(&node.path))),
        }
    }

    pub(super) fn get(&self, backend: Backend, node: NodeRef) -> &str {
        let names = match backend {
            Backend::Terraform => &self.terraform,
            Backend::CloudFormation => &self.cloudformation,
        };
        &names[node.stack as usize][node.index as usize]
    }

    /// Two paths with one name, which would overwrite each other.
    pub(super) fn collisions(&self, stack: &Stack) -> Vec<Problem> {
        let of_stack = stack.id as usize;
        let mut problems = Vec::new();
        for (backend, names) in
            [("Terraform", &self.terraform[of_stack]), ("CloudFormation", &self.cloudformation[of_stack])]
        {
            let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
            for (name, node) in names.iter().zip(&stack.nodes) {
                match seen.insert(name, &node.path) {
                    Some(first) if first != node.path => problems.push(Problem {
                        path: node.path.clone(),
                        property: String::new(),
                        message: format!(
                            "`{first}` and `{}` are both called `{name}` in {backend}; rename one",
                            node.path
                        ),
                    }),
                    _ => {}
                }
            }
        }
        problems
    }
}

/// An attribute that one stack takes from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) reference: Reference,
}

impl Import {
    fn key(reference: Reference) -> (NodeRef, &'static str, String) {
        (reference.node, reference.attribute.terraform, format!("{:?}", reference.attribute.cloudformation))
    }
}

/// What a stack turned out to need while it was rendered.
#[derive(Default)]
pub(super) struct Uses {
    pub(super) pseudos: BTreeSet<Pseudo>,
    /// Lookups with an attribute that has to be looked up.
    pub(super) lookups: BTreeSet<u32>,
    /// Attributes of lookups that CloudFormation makes parameters of.
    pub(super) asked: BTreeMap<(u32, &'static str), Attribute>,
    /// What is taken from other stacks.
    pub(super) imports: BTreeMap<(NodeRef, &'static str, String), Import>,
    /// Which node refers to which, both of this stack.
    pub(super) edges: Vec<(u32, u32)>,
    pub(super) problems: Vec<Problem>,
    /// Names that may be there once.
    pub(super) named: Vec<Named>,
}

/// A type, a name of it, and the path of what has it.
pub(super) type Named = (String, String, String);

pub(super) struct Context<'a> {
    pub(super) app: &'a App,
    pub(super) stack: &'a Stack,
    pub(super) names: &'a Names,
    pub(super) backend: Backend,
    pub(super) schemas: &'static Schemas,
    /// CloudFormation's schemas, which know the forms of ARNs.
    pub(super) arns: &'static Schemas,
    pub(super) uses: RefCell<Uses>,
    /// The node that is being written, for edges and problems.
    current: Cell<Option<u32>>,
}

/// What a reference leads to, seen from the stack that is being written.
pub(super) enum Target<'a> {
    Resource(&'a dyn Resource, NodeRef),
    /// Known without a lookup.
    Known(&'a Text),
    Lookup(&'a Lookup, NodeRef),
    Parameter(NodeRef),
    Module(NodeRef),
    Import(Import),
}

impl<'a> Context<'a> {
    pub(super) fn new(app: &'a App, stack: &'a Stack, names: &'a Names, backend: Backend) -> Self {
        Self {
            app,
            stack,
            names,
            backend,
            schemas: Schemas::of(backend),
            arns: Schemas::of(Backend::CloudFormation),
            uses: RefCell::default(),
            current: Cell::new(None),
        }
    }

    pub(super) fn enter(&self, node: Option<u32>) {
        self.current.set(node);
    }

    pub(super) fn name(&self, node: NodeRef) -> &'a str {
        self.names.get(self.backend, node)
    }

    pub(super) fn stack_of(&self, node: NodeRef) -> &'a Stack {
        &self.app.stacks[node.stack as usize]
    }

    /// A lookup that was needed and isn't among those already written.
    pub(super) fn next_lookup(&self, done: &BTreeSet<u32>) -> Option<u32> {
        self.uses.borrow().lookups.difference(done).next().copied()
    }

    /// Reports a problem of the node that is being written.
    pub(super) fn problem(&self, property: impl Into<String>, message: impl Into<String>) {
        let path = match self.current.get() {
            Some(index) => self.stack.nodes[index as usize].path.clone(),
            None => self.stack.name.clone(),
        };
        self.uses.borrow_mut().problems.push(Problem { path, property: property.into(), message: message.into() });
    }

    pub(super) fn target(&self, reference: Reference) -> Target<'a> {
        let node = reference.node;
        let owner = self.stack_of(node);
        let body = &owner.nodes[node.index as usize].body;
        if let Body::Lookup(lookup) = body
            && let Some(text) = lookup.known_text(reference.attribute)
        {
            return Target::Known(text);
        }
        if node.stack != self.stack.id {
            return Target::Import(self.import(reference));
        }
        self.edge(node);
        match body {
            Body::Resource(resource) => Target::Resource(resource.as_ref(), node),
            Body::Parameter(_) => Target::Parameter(node),
            Body::Module(_) => Target::Module(node),
            Body::Lookup(lookup) => {
                let mut uses = self.uses.borrow_mut();
                uses.lookups.insert(node.index);
                uses.asked.insert((node.index, reference.attribute.terraform), reference.attribute);
                Target::Lookup(lookup, node)
            }
        }
    }

    fn import(&self, reference: Reference) -> Import {
        if reference.node.stack > self.stack.id {
            let other = self.stack_of(reference.node);
            self.problem(
                "",
                format!("the stack `{}` refers to `{}`, which comes after it", self.stack.name, other.name),
            );
        }
        let import = Import { reference };
        self.uses.borrow_mut().imports.insert(Import::key(reference), import);
        import
    }

    /// Remembers that the node that is being written needs another one of this stack.
    pub(super) fn edge(&self, to: NodeRef) {
        if let Some(from) = self.current.get() {
            self.uses.borrow_mut().edges.push((from, to.index));
        }
    }

    /// Reports what a document can't hold.
    pub(super) fn document_problems(&self, document: &Value) {
        match document {
            Value::Base64(_) => self.problem("", "an encoded text can't be part of a JSON document"),
            Value::List(items) => items.iter().for_each(|item| self.document_problems(item)),
            Value::Map(properties) => properties.iter().for_each(|(_, item)| self.document_problems(item)),
            Value::Json(inner) => self.document_problems(inner),
            _ => {}
        }
    }

    /// The literal and other parts of a text, with what is known about existing things put in.
    pub(super) fn each_part<'t>(&self, text: &'t Text, visit: &mut dyn FnMut(Piece<'t>))
    where
        'a: 't,
    {
        for part in text.parts() {
            match part {
                Part::Literal(literal) => visit(Piece::Literal(literal)),
                Part::Pseudo(pseudo) => visit(Piece::Pseudo(*pseudo)),
                Part::Reference(reference) => match self.target(*reference) {
                    Target::Known(text) => self.each_part(text, visit),
                    target => visit(Piece::Target(target, reference.attribute)),
                },
            }
        }
    }
}

/// A part of a text whose reference was followed.
pub(super) enum Piece<'a> {
    Literal(&'a str),
    Pseudo(Pseudo),
    Target(Target<'a>, Attribute),
}

/// Constructs that refer to each other in a circle, if there are any.
pub(super) fn circle(edges: &[(u32, u32)], nodes: usize) -> Option<Vec<u32>> {
    // Handles exist only after their node, so a circle needs an edge that points forward: a grant or an override.
    edges.iter().find(|(from, to)| to >= from)?;
    let mut next: Vec<Vec<u32>> = vec![Vec::new(); nodes];
    for (from, to) in edges {
        next[*from as usize].push(*to);
    }
    let mut done = vec![false; nodes];
    for start in 0..u32::try_from(nodes).ok()? {
        let mut trail = Vec::new();
        if let Some(found) = walk(start, &next, &mut done, &mut trail) {
            return Some(found);
        }
    }
    None
}

fn walk(node: u32, next: &[Vec<u32>], done: &mut [bool], trail: &mut Vec<u32>) -> Option<Vec<u32>> {
    if let Some(at) = trail.iter().position(|passed| *passed == node) {
        return Some(trail[at..].to_vec());
    }
    if done[node as usize] {
        return None;
    }
    trail.push(node);
    for other in &next[node as usize] {
        if let Some(found) = walk(*other, next, done, trail) {
            return Some(found);
        }
    }
    trail.pop();
    done[node as usize] = true;
    None
}
