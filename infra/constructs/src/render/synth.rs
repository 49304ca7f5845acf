//! From an app to files: render, check, and report every problem.

use std::{collections::BTreeMap, panic::resume_unwind, thread};

use super::{
    checks,
    cloudformation::Template,
    context::{Context, Import, Named, Names, circle},
    literals,
    output::{File, Rendered},
    terraform::{self, Files},
};
use crate::tree::{App, Backend, Body, Node, NodeRef, Problem, Problems, Properties, Reference, Resource, Stack};

/// Which renderings a synth makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Terraform JSON only.
    Terraform,
    /// CloudFormation templates only.
    CloudFormation,
    /// Both, the default.
    #[default]
    All,
}

impl Format {
    fn has(self, backend: Backend) -> bool {
        match self {
            Self::Terraform => backend == Backend::Terraform,
            Self::CloudFormation => backend == Backend::CloudFormation,
            Self::All => true,
        }
    }
}

impl App {
    /// Renders and checks everything.
    ///
    /// # Errors
    /// Every problem of every stack: what constructs reported, and what the providers' schemas and the
    /// service authorization reference say of the result.
    pub fn synth(&self, format: Format) -> Result<Rendered, Problems> {
        let mut problems: Vec<Problem> = self.problems().cloned().collect();
        problems.extend(self.problems_of_the_whole());
        let names = Names::of(self);
        for stack in &self.stacks {
            problems.extend(names.collisions(stack));
        }
        let mut files = Vec::new();
        for rendering in renderings(self, &names, format) {
            files.extend(rendering.files);
            problems.extend(rendering.problems);
        }
        if problems.is_empty() { Ok(Rendered::new(files)) } else { Err(Problems::new(problems)) }
    }
}

/// What later stacks take from each stack.
type Exports = BTreeMap<u16, BTreeMap<String, Reference>>;

/// What one backend made of an app.
#[derive(Default)]
struct Rendering {
    files: Vec<File>,
    problems: Vec<Problem>,
}

/// Terraform's rendering, then CloudFormation's. Neither looks at the other, so each has a thread.
fn renderings(app: &App, names: &Names, format: Format) -> [Rendering; 2] {
    let of = |backend| if format.has(backend) { render(app, names, backend, format) } else { Rendering::default() };
    if format != Format::All {
        return [of(Backend::Terraform), of(Backend::CloudFormation)];
    }
    thread::scope(|scope| {
        let cloudformation = scope.spawn(|| of(Backend::CloudFormation));
        let terraform = of(Backend::Terraform);
        [terraform, cloudformation.join().unwrap_or_else(|panic| resume_unwind(panic))]
    })
}

fn render(app: &App, names: &Names, backend: Backend, format: Format) -> Rendering {
    let Rendering { mut files, mut problems } = Rendering::default();
    let mut exports = Exports::default();
    let mut known = BTreeMap::new();
    // A stack takes from those before it, so from the last to the first every export is known in time.
    for stack in app.stacks.iter().rev() {
        let context = Context::new(app, stack, names, backend);
        let wanted: Vec<Reference> = exports.remove(&stack.id).unwrap_or_default().into_values().collect();
        match backend {
            Backend::Terraform => files.extend(render_terraform(&context, &wanted)),
            Backend::CloudFormation => files.push(render_cloudformation(&context, format, &wanted)),
        }
        let uses = context.uses.into_inner();
        for Import { reference } in uses.imports.into_values() {
            let key = format!("{:?} {}", reference.node, reference.attribute.terraform);
            exports.entry(reference.node.stack).or_default().insert(key, reference);
        }
        problems.extend(uses.problems);
        problems.extend(uses.named.into_iter().filter_map(|name| taken(&mut known, (stack, &app.stacks), name)));
        problems.extend(circle(&uses.edges, stack.nodes.len()).map(|circle| circle_problem(stack, &circle)));
    }
    Rendering { files, problems }
}

/// What has its name already, from the last stack to the first.
fn taken(
    known: &mut BTreeMap<(String, String), (String, u16)>,
    (stack, all): (&Stack, &[Stack]),
    (kind, name, path): Named,
) -> Option<Problem> {
    let (other, of) = known.insert((kind, name.clone()), (path.clone(), stack.id))?;
    let elsewhere = if of == stack.id { String::new() } else { format!(" of the stack `{}`", all[of as usize].name) };
    let message = format!("the name `{name}` is taken by `{other}`{elsewhere}; an account has it once in a region");
    Some(Problem { path, property: String::new(), message })
}

fn circle_problem(stack: &Stack, circle: &[u32]) -> Problem {
    let paths: Vec<&str> =
        circle.iter().chain(circle.first()).map(|index| stack.nodes[*index as usize].path.as_str()).collect();
    Problem {
        path: paths[0].to_owned(),
        property: String::new(),
        message: format!("refers to itself in a circle: {}", paths.join(" → ")),
    }
}

fn render_terraform(context: &Context<'_>, exports: &[Reference]) -> Vec<File> {
    let mut files = Files::default();
    each_resource(context, |node, described, resource| {
        let types = resource.types();
        if types.terraform.is_empty() {
            return;
        }
        let mut arguments = overridden(context, described, resource.terraform());
        checks::add_tags(context, described, resource, &mut arguments);
        checks::properties(context, &types, &arguments);
        checks::policies(context, resource, &types.terraform, &arguments);
        literals::check(context, &types.terraform, &arguments, true);
        checks::rules(context, described, &types.terraform, &arguments);
        terraform::meta_arguments(context, described, resource.is_stateful(), &mut arguments);
        files.add(context, node, &types, arguments);
    });
    let directory = if context.app.stacks.len() > 1 { context.stack.name.as_str() } else { "" };
    files.finish(context, directory, exports)
}

fn render_cloudformation(context: &Context<'_>, format: Format, exports: &[Reference]) -> File {
    let mut template = Template::default();
    each_resource(context, |node, described, resource| {
        let types = resource.types();
        if types.cloudformation.is_empty() {
            return;
        }
        let mut properties = overridden(context, described, resource.cloudformation());
        checks::add_tags(context, described, resource, &mut properties);
        checks::properties(context, &types, &properties);
        checks::rules(context, described, &types.cloudformation, &properties);
        // A policy, or an ARN, that both backends have was checked with Terraform's rendering, unless it was changed here.
        let overridden = described.overrides.iter().any(|change| change.backend == Backend::CloudFormation);
        let alone = format == Format::CloudFormation || types.terraform.is_empty() || overridden;
        literals::check(context, &types.cloudformation, &properties, alone);
        if alone {
            checks::policies(context, resource, &types.cloudformation, &properties);
        }
        template.add(context, node, resource, properties);
    });
    template.finish(context, exports)
}

fn each_resource(context: &Context<'_>, mut visit: impl FnMut(NodeRef, &Node, &dyn Resource)) {
    for (index, node) in (0..).zip(&context.stack.nodes) {
        let Body::Resource(resource) = &node.body else { continue };
        context.enter(Some(index));
        node.depends_on.iter().filter(|other| other.stack == context.stack.id).for_each(|other| context.edge(*other));
        if let Some(why) = resource.refuses(context.backend) {
            context.problem("", why);
            continue;
        }
        visit(NodeRef { stack: context.stack.id, index }, node, resource.as_ref());
    }
    context.enter(None);
}

fn overridden(context: &Context<'_>, node: &Node, properties: Properties) -> Properties {
    let own = node.overrides.iter().filter(|change| change.backend == context.backend);
    let mut whole = crate::tree::Value::Map(properties);
    for change in own {
        let path: Vec<&str> = change.path.split('.').collect();
        if let Err(message) = whole.set_at(&path, change.value.clone()) {
            context.problem(change.path, format!("can't be overridden: {message}"));
        }
    }
    match whole {
        crate::tree::Value::Map(properties) => properties,
        _ => Properties::default(),
    }
}
