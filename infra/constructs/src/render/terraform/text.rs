//! How values are written in Terraform's JSON syntax: templates, expressions, addresses.

use crate::render::{
    context::{Context, Import, Piece, Target},
    json::{self, Dialect},
};
use crate::tree::{Backend, Block, Body, NodeRef, Properties, Pseudo, Reference, Text, Types, Value};

/// `aws_kinesis_stream.news`; nothing for a node of another stack or one that Terraform has not.
pub(super) fn address_of(context: &Context<'_>, node: NodeRef) -> Option<String> {
    if node.stack != context.stack.id {
        return None;
    }
    let name = context.name(node);
    match &context.stack.nodes[node.index as usize].body {
        Body::Resource(resource) => {
            let types = resource.types();
            (!types.terraform.is_empty()).then(|| address(&types, name))
        }
        Body::Module(_) => Some(format!("module.{name}")),
        Body::Lookup(_) | Body::Parameter(_) => None,
    }
}

pub(super) fn address(types: &Types, name: &str) -> String {
    match types.block {
        Block::Resource => format!("{}.{name}", types.terraform),
        Block::Data => format!("data.{}.{name}", types.terraform),
        Block::Ephemeral => format!("ephemeral.{}.{name}", types.terraform),
    }
}

/// Writes values of one stack.
pub(super) struct Terraform<'c, 'a>(pub(super) &'c Context<'a>);

impl Dialect for Terraform<'_, '_> {
    fn text(&self, out: &mut String, text: &Text, _indent: usize) {
        out.push('"');
        let code = text.is_expression();
        if code {
            out.push_str("${");
        }
        self.0.each_part(text, &mut |piece| match piece {
            Piece::Literal(literal) if code => json::write_escaped(out, literal),
            Piece::Literal(literal) => write_literal(out, literal),
            piece => {
                let expression = expression(self.0, &piece);
                let expression = expression.as_str();
                match (&piece, code) {
                    (_, true) => out.push_str(expression),
                    (Piece::Pseudo(Pseudo::Region), false) if !expression.starts_with("data.") => {
                        out.push_str(expression);
                    }
                    _ => {
                        out.push_str("${");
                        json::write_escaped(out, expression);
                        out.push('}');
                    }
                }
            }
        });
        if code {
            out.push('}');
        }
        out.push('"');
    }

    fn base64(&self, out: &mut String, text: &Text, indent: usize) {
        // A string in a template in a string: the text's own rendering is quoted once more.
        let mut inner = String::new();
        self.text(&mut inner, text, indent);
        if text.is_expression() {
            // `"${code}"`, escaped; the code itself is the argument.
            let template: String = serde_json::from_str(&inner).unwrap_or_default();
            let code = template.strip_prefix("${").and_then(|code| code.strip_suffix('}'));
            code.unwrap_or_default().clone_into(&mut inner);
        }
        json::write_string(out, &format!("${{base64encode({inner})}}"));
    }

    fn document(&self, out: &mut String, document: &Value, _indent: usize) {
        self.0.document_problems(document);
        let mut inner = String::new();
        json::write_compact(&mut inner, document, &mut |inner, text| {
            self.0.each_part(text, &mut |piece| match piece {
                Piece::Literal(literal) => write_literal(inner, literal),
                piece => {
                    let expression = expression(self.0, &piece);
                    if matches!(piece, Piece::Pseudo(Pseudo::Region)) && !expression.starts_with("data.") {
                        inner.push_str(&expression);
                        return;
                    }
                    inner.push_str("${");
                    inner.push_str(&expression);
                    inner.push('}');
                }
            });
        });
        json::write_string(out, &inner);
    }
}

/// Writes a literal so that Terraform reads it back as it is: `${` and `%{` would start a template.
fn write_literal(out: &mut String, literal: &str) {
    let may_open = literal.contains('{');
    if may_open && (literal.contains("${") || literal.contains("%{")) {
        json::write_escaped(out, &literal.replace("${", "$${").replace("%{", "%%{"));
    } else {
        json::write_escaped(out, literal);
    }
}

/// The code of a reference, without `${}`; a fixed region as it is.
fn expression(context: &Context<'_>, piece: &Piece<'_>) -> String {
    let (target, attribute) = match piece {
        Piece::Literal(literal) => return (*literal).to_owned(),
        Piece::Pseudo(Pseudo::Region) if context.app.defaults.region.is_some() => {
            return context.app.defaults.region.clone().unwrap_or_default();
        }
        Piece::Pseudo(pseudo) => {
            context.uses.borrow_mut().pseudos.insert(*pseudo);
            let attribute = match pseudo {
                Pseudo::Partition => "partition",
                Pseudo::Region => "region",
                Pseudo::Account => "account_id",
                Pseudo::DnsSuffix => "dns_suffix",
                Pseudo::Zone(index) => return format!("data.{}.current.names[{index}]", data_source(*pseudo)),
            };
            return format!("data.{}.current.{attribute}", data_source(*pseudo));
        }
        Piece::Target(target, attribute) => (target, attribute),
    };
    if attribute.terraform.is_empty() && !matches!(target, Target::Parameter(..)) {
        context.problem("", "a value is used that Terraform doesn't have");
    }
    match target {
        Target::Resource(resource, node) => {
            let types = resource.types();
            if types.terraform.is_empty() {
                context.problem(
                    "",
                    format!("`{}` is only in CloudFormation, and Terraform needs it here", types.cloudformation),
                );
            }
            format!("{}.{}", address(&types, context.name(*node)), attribute.terraform)
        }
        Target::Lookup(lookup, node) => {
            format!("data.{}.{}.{}", lookup.terraform, context.name(*node), attribute.terraform)
        }
        Target::Parameter(node) => format!("var.{}", context.name(*node)),
        Target::Module(node) => format!("module.{}.{}", context.name(*node), attribute.terraform),
        Target::Import(Import { reference }) => {
            let stack = snake_stack(&context.stack_of(reference.node).name);
            format!("data.terraform_remote_state.{stack}.outputs.{}", export_name(context, *reference))
        }
        Target::Known(_) => String::new(),
    }
}

pub(super) fn data_source(pseudo: Pseudo) -> &'static str {
    match pseudo {
        Pseudo::Partition | Pseudo::DnsSuffix => "aws_partition",
        Pseudo::Region => "aws_region",
        Pseudo::Account => "aws_caller_identity",
        Pseudo::Zone(_) => "aws_availability_zones",
    }
}

/// What a data source of the surroundings is asked for.
pub(super) fn data_arguments(pseudo: Pseudo) -> Properties {
    match pseudo {
        Pseudo::Zone(_) => {
            let open_to_all = Properties::default().set("name", "opt-in-status").set("values", ["opt-in-not-required"]);
            Properties::default().set("state", "available").set("filter", open_to_all)
        }
        _ => Properties::default(),
    }
}

/// The output that carries an attribute to other stacks: `ingestion_news_arn`.
pub(super) fn export_name(context: &Context<'_>, reference: Reference) -> String {
    let node = context.names.get(Backend::Terraform, reference.node);
    let attribute = reference.attribute.terraform;
    if attribute.is_empty() {
        return node.to_owned();
    }
    let words: Vec<&str> =
        attribute.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    format!("{node}_{}", words.join("_"))
}

pub(super) fn snake_stack(name: &str) -> String {
    name.replace('-', "_")
}
