//! A stack as a CloudFormation template.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    context::{Context, Import, Piece, Target},
    json::{self, Dialect, Lines},
    output::File,
};
use crate::tree::{
    Access, Attribute, Backend, Body, Node, NodeRef, Properties, Pseudo, Reference, Removal, Resource, Text, Value,
    pascal,
};

/// The most resources that CloudFormation takes in one template (its quota "Resources in a template").
const MOST_RESOURCES: usize = 500;

#[derive(Default)]
pub(super) struct Template {
    resources: BTreeMap<String, String>,
    /// Room to write a resource in, kept so that it grows once.
    room: String,
}

impl Template {
    pub(super) fn add(
        &mut self,
        context: &Context<'_>,
        node: NodeRef,
        resource: &dyn Resource,
        properties: Properties,
    ) {
        let described = &context.stack.nodes[node.index as usize];
        let mut body = Properties::default()
            .set("Type", resource.types().cloudformation.into_owned())
            .set("Metadata", Properties::default().set("Path", described.path.clone()))
            .set_filled("DependsOn", depends_on(context, described));
        if let Some(policy) = policy(context, described, resource.is_stateful()) {
            body = body.set("DeletionPolicy", policy).set("UpdateReplacePolicy", policy);
        }
        for (name, attribute) in resource.cloudformation_attributes().iter() {
            body.insert(name.to_owned(), attribute.clone());
        }
        let body = body.set_filled("Properties", properties);
        self.insert(context, context.name(node).to_owned(), &body);
    }

    fn insert(&mut self, context: &Context<'_>, name: String, body: &Properties) {
        self.room.clear();
        json::write_object(&mut self.room, body, 2, &CloudFormation(context));
        self.resources.insert(name, self.room.clone());
    }

    pub(super) fn finish(mut self, context: &Context<'_>, exports: &[Reference]) -> File {
        context.enter(None);
        for reference in exports {
            self.add_export(context, *reference);
        }
        // Outputs are written before parameters are counted: what they refer to may need some.
        let outputs = outputs(context);
        let mut written_outputs = String::new();
        json::write_object(&mut written_outputs, &outputs, 1, &CloudFormation(context));
        let parameters = parameters(context);
        for (name, _) in parameters.iter().filter(|(name, _)| self.resources.contains_key(*name)) {
            context.problem(
                "",
                format!("a resource and a parameter are both called `{name}` in CloudFormation; rename one"),
            );
        }
        if self.resources.len() > MOST_RESOURCES {
            let message = format!(
                "{} resources in one template; CloudFormation takes {MOST_RESOURCES}: use several stacks",
                self.resources.len()
            );
            context.problem("", message);
        }
        if context.stack.nodes.iter().any(|node| matches!(node.body, Body::Module(_))) {
            context.problem("", "CloudFormation has no Terraform modules; synthesize this stack for Terraform only");
        }
        let dialect = CloudFormation(context);
        let mut out = String::new();
        let mut lines = Lines::open(&mut out, '{', 0);
        lines.key(&mut out, "AWSTemplateFormatVersion");
        json::write_string(&mut out, "2010-09-09");
        lines.key(&mut out, "Description");
        json::write_string(
            &mut out,
            &format!("{} {}. {}", context.app.defaults.prefix, context.stack.name, super::terraform::MARK),
        );
        if !parameters.is_empty() {
            lines.key(&mut out, "Parameters");
            json::write_object(&mut out, &parameters, 1, &dialect);
        }
        if !outputs.is_empty() {
            lines.key(&mut out, "Outputs");
            out.push_str(&written_outputs);
        }
        lines.key(&mut out, "Resources");
        let mut inner = Lines::open(&mut out, '{', 1);
        for (name, body) in &self.resources {
            inner.key(&mut out, name);
            out.push_str(body);
        }
        inner.close(&mut out, '}');
        lines.close(&mut out, '}');
        out.push('\n');
        File { path: format!("cloudformation/{}.template.json", context.stack.name), text: out }
    }

    /// What another stack takes is kept in Parameter Store, not exported: an export that is imported can't be
    /// removed or changed, so two stacks can block each other for good.
    fn add_export(&mut self, context: &Context<'_>, reference: Reference) {
        if reference.attribute.sensitive {
            let path = &context.stack.nodes[reference.node.index as usize].path;
            context.problem(
                "",
                format!("a secret of `{path}` is used in another stack; CloudFormation can't carry it there"),
            );
        }
        let properties = Properties::default()
            .set("Name", export_path(context, reference))
            .set(
                "Description",
                format!("For other stacks: {}", context.stack.nodes[reference.node.index as usize].path),
            )
            .set("Type", "String")
            .set("Value", reference);
        let body = Properties::default().set("Type", "AWS::SSM::Parameter").set("Properties", properties);
        self.insert(context, format!("{}Export", export_name(context, reference)), &body);
    }
}

fn depends_on(context: &Context<'_>, node: &Node) -> Vec<String> {
    let own = node.depends_on.iter().filter(|other| other.stack == context.stack.id);
    own.filter(|other| match &context.stack.nodes[other.index as usize].body {
        Body::Resource(resource) => !resource.types().cloudformation.is_empty(),
        _ => false,
    })
    .map(|other| context.name(*other).to_owned())
    .collect()
}

fn policy(context: &Context<'_>, node: &Node, stateful: bool) -> Option<&'static str> {
    let removal = node.removal.unwrap_or(context.app.defaults.removal);
    match (stateful || node.removal.is_some(), removal) {
        (false, _) => None,
        (true, Removal::Destroy) => Some("Delete"),
        (true, Removal::Retain | Removal::Prevent) => Some("Retain"),
    }
}

struct CloudFormation<'c, 'a>(&'c Context<'a>);

impl Dialect for CloudFormation<'_, '_> {
    fn text(&self, out: &mut String, text: &Text, indent: usize) {
        if text.is_expression() {
            self.0.problem("", "a Terraform expression is used in a CloudFormation property");
        }
        write_text(self.0, out, text, indent);
    }

    fn base64(&self, out: &mut String, text: &Text, indent: usize) {
        let mut lines = Lines::open(out, '{', indent);
        lines.key(out, "Fn::Base64");
        self.text(out, text, indent + 1);
        lines.close(out, '}');
    }

    fn document(&self, out: &mut String, document: &Value, indent: usize) {
        self.0.document_problems(document);
        let mut plain = Sub::default();
        let mut inner = String::new();
        json::write_compact(&mut inner, document, &mut |inner, text| {
            self.0.each_part(text, &mut |piece| plain.add(self.0, inner, &piece, true));
        });
        plain.write(out, &inner, indent);
    }
}

fn write_text(context: &Context<'_>, out: &mut String, text: &Text, indent: usize) {
    if let [crate::tree::Part::Literal(literal)] = text.parts() {
        return json::write_string(out, literal);
    }
    let mut only: Option<String> = None;
    let mut pieces = 0;
    let mut sub = Sub::default();
    let mut inner = String::new();
    context.each_part(text, &mut |piece| {
        pieces += 1;
        only = intrinsic(context, &piece);
        sub.add(context, &mut inner, &piece, false);
    });
    match only {
        Some(intrinsic) if pieces == 1 => out.push_str(&intrinsic),
        _ => sub.write(out, &inner, indent),
    }
}

/// A text with references: `Fn::Sub` and what it needs.
#[derive(Default)]
struct Sub {
    has_references: bool,
    /// What `Fn::Sub` can't reach by a dotted name.
    variables: Vec<(String, String)>,
}

impl Sub {
    fn add(&mut self, context: &Context<'_>, inner: &mut String, piece: &Piece<'_>, in_document: bool) {
        match piece {
            Piece::Literal(literal) => {
                // `${!` is a literal `${`. In a string without references it is never read, see `write`.
                let literal = if literal.contains('{') {
                    Cow::Owned(literal.replace("${", "${!"))
                } else {
                    Cow::Borrowed(*literal)
                };
                if in_document { json::write_escaped(inner, &literal) } else { inner.push_str(&literal) }
            }
            Piece::Pseudo(pseudo) => {
                self.has_references = true;
                let name = pseudo_parameter(*pseudo);
                if matches!(pseudo, Pseudo::Zone(_))
                    && let Some(value) = intrinsic(context, piece)
                {
                    self.define(&name, value);
                }
                inner.push_str("${");
                inner.push_str(&name);
                inner.push('}');
            }
            Piece::Target(target, attribute) => {
                self.has_references = true;
                let name = self.name_of(context, piece, target, *attribute);
                inner.push_str("${");
                inner.push_str(&name);
                inner.push('}');
            }
        }
    }

    fn name_of(
        &mut self,
        context: &Context<'_>,
        piece: &Piece<'_>,
        target: &Target<'_>,
        attribute: Attribute,
    ) -> String {
        match (target, attribute.cloudformation) {
            (Target::Resource(_, node), Access::Ref) => context.name(*node).to_owned(),
            (Target::Resource(_, node), Access::GetAtt(name)) => format!("{}.{name}", context.name(*node)),
            (Target::Resource(_, node), _) => {
                let name = context.name(*node).to_owned();
                if let Some(value) = intrinsic(context, piece) {
                    self.define(&name, value);
                }
                name
            }
            _ => parameter_name(context, target, attribute),
        }
    }

    fn define(&mut self, name: &str, value: String) {
        if !self.variables.iter().any(|(known, _)| known == name) {
            self.variables.push((name.to_owned(), value));
        }
    }

    fn write(&self, out: &mut String, inner: &str, indent: usize) {
        if !self.has_references {
            return json::write_string(out, &inner.replace("${!", "${"));
        }
        let mut lines = Lines::open(out, '{', indent);
        lines.key(out, "Fn::Sub");
        if self.variables.is_empty() {
            json::write_string(out, inner);
        } else {
            out.push('[');
            json::write_string(out, inner);
            out.push_str(", {");
            for (index, (name, value)) in self.variables.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                json::write_string(out, name);
                out.push_str(": ");
                out.push_str(value);
            }
            out.push_str("}]");
        }
        lines.close(out, '}');
    }
}

/// A single reference as an intrinsic function, in one line.
fn intrinsic(context: &Context<'_>, piece: &Piece<'_>) -> Option<String> {
    let (target, attribute) = match piece {
        Piece::Literal(_) => return None,
        Piece::Pseudo(Pseudo::Zone(index)) => {
            return Some(format!("{{ \"Fn::Select\": [{index}, {{ \"Fn::GetAZs\": \"\" }}] }}"));
        }
        Piece::Pseudo(pseudo) => return Some(format!("{{ \"Ref\": \"{}\" }}", pseudo_parameter(*pseudo))),
        Piece::Target(target, attribute) => (target, *attribute),
    };
    let Target::Resource(resource, node) = target else {
        return Some(format!("{{ \"Ref\": \"{}\" }}", parameter_name(context, target, attribute)));
    };
    let name = context.name(*node);
    if resource.refuses(context.backend).is_some() {
        // It says why itself.
        return Some(format!("{{ \"Ref\": \"{name}\" }}"));
    }
    if resource.types().cloudformation.is_empty() {
        context.problem(
            "",
            format!("`{}` is only in Terraform, and CloudFormation needs it here", resource.types().terraform),
        );
    }
    Some(match attribute.cloudformation {
        Access::Ref => format!("{{ \"Ref\": \"{name}\" }}"),
        Access::GetAtt(attribute) => format!("{{ \"Fn::GetAtt\": [\"{name}\", \"{attribute}\"] }}"),
        Access::Select(index, attribute) => {
            format!("{{ \"Fn::Select\": [{index}, {{ \"Fn::GetAtt\": [\"{name}\", \"{attribute}\"] }}] }}")
        }
        Access::None => {
            let message = format!(
                "`{}` of `{}` is used, which CloudFormation doesn't have",
                attribute.terraform, context.stack.nodes[node.index as usize].path
            );
            context.problem("", message);
            format!("{{ \"Ref\": \"{name}\" }}")
        }
    })
}

/// The parameter that stands for something outside the template.
fn parameter_name(context: &Context<'_>, target: &Target<'_>, attribute: Attribute) -> String {
    match target {
        Target::Parameter(node) => context.name(*node).to_owned(),
        Target::Lookup(_, node) => format!("{}{}", context.name(*node), pascal_words(attribute.terraform)),
        Target::Import(Import { reference }) => {
            let stack = &context.stack_of(reference.node).name;
            format!("{}{}", pascal_words(stack), export_name(context, *reference))
        }
        Target::Module(..) | Target::Resource(..) | Target::Known(_) => "Module".to_owned(),
    }
}

fn parameters(context: &Context<'_>) -> Properties {
    let mut all: BTreeMap<String, Properties> = BTreeMap::new();
    for (index, node) in (0..).zip(&context.stack.nodes) {
        let Body::Parameter(parameter) = &node.body else { continue };
        let body = Properties::default()
            .set("Type", "String")
            .set("Description", parameter.description.clone().into_owned())
            .set_some("Default", parameter.default.as_ref())
            .set_some("NoEcho", parameter.sensitive.then_some(true));
        all.insert(context.name(NodeRef { stack: context.stack.id, index }).to_owned(), body);
    }
    let uses = context.uses.borrow();
    for ((index, _), attribute) in &uses.asked {
        let node = &context.stack.nodes[*index as usize];
        let Body::Lookup(lookup) = &node.body else { continue };
        let name = format!("{}{}", pascal(&node.path), pascal_words(attribute.terraform));
        let of = format!("{} of the existing {} for {}", attribute.terraform, lookup.cloudformation, node.path);
        let body = match &lookup.stored_at {
            Some(path) => Properties::default()
                .set("Type", "AWS::SSM::Parameter::Value<String>")
                .set("Description", format!("For {}, from Parameter Store", node.path))
                .set("Default", path),
            None => Properties::default().set("Type", "String").set("Description", of),
        };
        all.insert(name, body);
    }
    for import in uses.imports.values() {
        let stack = &context.stack_of(import.reference.node).name;
        let name = format!("{}{}", pascal_words(stack), export_name(context, import.reference));
        let body = Properties::default()
            .set("Type", "AWS::SSM::Parameter::Value<String>")
            .set("Description", format!("From the stack {stack}"))
            .set("Default", export_path(context, import.reference));
        all.insert(name, body);
    }
    all.into_iter().collect()
}

fn outputs(context: &Context<'_>) -> Properties {
    let shown = context.stack.outputs.iter().filter(|output| !output.is_sensitive());
    let mut outputs: Vec<_> = shown.collect();
    outputs.sort_by(|a, b| a.name.cmp(&b.name));
    let body = |output: &&crate::tree::Output| {
        Properties::default().set_some("Description", output.description.as_ref()).set("Value", &output.value)
    };
    outputs.iter().map(|output| (output.name.clone(), body(output))).collect()
}

fn pseudo_parameter(pseudo: Pseudo) -> Cow<'static, str> {
    match pseudo {
        Pseudo::Partition => "AWS::Partition".into(),
        Pseudo::Region => "AWS::Region".into(),
        Pseudo::Account => "AWS::AccountId".into(),
        Pseudo::DnsSuffix => "AWS::URLSuffix".into(),
        // No parameter, but a variable of `Fn::Sub`.
        Pseudo::Zone(index) => format!("Zone{index}").into(),
    }
}

/// `IngestionNewsArn`.
fn export_name(context: &Context<'_>, reference: Reference) -> String {
    let node = context.names.get(Backend::CloudFormation, reference.node);
    format!("{node}{}", pascal_words(reference.attribute.terraform))
}

/// `/newsloom/ingestion/IngestionNewsArn`, in Parameter Store.
fn export_path(context: &Context<'_>, reference: Reference) -> String {
    let stack = &context.stack_of(reference.node).name;
    format!("/{}/{stack}/{}", context.app.defaults.prefix, export_name(context, reference))
}

fn pascal_words(text: &str) -> String {
    text.split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter_map(|word| word.split_at_checked(1))
        .map(|(first, rest)| first.to_ascii_uppercase() + rest)
        .collect()
}
