//! A stack as Terraform JSON: one file per service.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    checks,
    context::{Context, Import, Piece, Target},
    json::{self, Dialect, Lines},
    output::File,
};
use crate::schema::Kind;
use crate::tree::{
    Backend, Block, Body, Node, NodeRef, Properties, Pseudo, Reference, Removal, State, Text, Types, Value, snake,
};

/// The oldest Terraform that knows everything we write: write-only arguments came with 1.11.
const REQUIRED_TERRAFORM: &str = ">= 1.11";

/// Providers by the first word of their types: the major and minor version whose schema is embedded.
const PROVIDERS: [(&str, &str); 7] = [
    ("archive", "~> 2.8"),
    ("aws", "~> 6.47"),
    ("local", "~> 2.9"),
    ("null", "~> 3.3"),
    ("random", "~> 3.9"),
    ("time", "~> 0.14"),
    ("tls", "~> 4.2"),
];

/// Says who wrote a file, to people and to the next synth, which removes what it no longer writes.
pub(super) const MARK: &str = "Written by newsloom synth; edits are overwritten.";

/// Blocks of one file: kind, type, name, and the block's body.
type Blocks = BTreeMap<&'static str, BTreeMap<String, BTreeMap<String, String>>>;

#[derive(Default)]
pub(super) struct Files {
    blocks: BTreeMap<String, Blocks>,
    providers: BTreeSet<&'static str>,
    /// Room to write a block in, kept so that it grows once.
    room: String,
}

impl Files {
    /// Adds a resource, data source or ephemeral resource with its finished arguments.
    pub(super) fn add(&mut self, context: &Context<'_>, node: NodeRef, types: &Types, arguments: Properties) {
        // Terraform reads a property called `//` as a comment.
        let mut body = Properties::default().set("//", context.stack.nodes[node.index as usize].path.clone());
        body.append(arguments);
        self.block(context, &types.service, keyword(types.block), &types.terraform, context.name(node), &body);
    }

    fn block(
        &mut self,
        context: &Context<'_>,
        file: &str,
        keyword: &'static str,
        kind: &str,
        name: &str,
        body: &Properties,
    ) {
        let first_word = kind.split('_').next().unwrap_or(kind);
        if let Some((provider, _)) = PROVIDERS.iter().find(|(provider, _)| *provider == first_word) {
            self.providers.insert(provider);
        }
        self.room.clear();
        json::write_object(&mut self.room, body, 3, &Terraform(context));
        let kinds = self.blocks.entry(file.to_owned()).or_default().entry(keyword).or_default();
        if !kinds.contains_key(kind) {
            kinds.insert(kind.to_owned(), BTreeMap::new());
        }
        kinds.get_mut(kind).expect("just inserted").insert(name.to_owned(), self.room.clone());
    }

    /// The files of the stack, when all its nodes were added. `exports` are what later stacks take from it.
    pub(super) fn finish(mut self, context: &Context<'_>, directory: &str, exports: &[Reference]) -> Vec<File> {
        let mut named: Vec<(&str, String)> = Vec::new();
        context.enter(None);
        if let Some(text) = modules(context) {
            named.push(("modules", text));
        }
        if let Some(text) = outputs(context, exports) {
            named.push(("outputs", text));
        }
        if let Some(text) = variables(context) {
            named.push(("variables", text));
        }
        if let Some(text) = moves(context) {
            named.push(("moved", text));
        }
        let provider_settings = provider_settings(context);
        self.add_lookups(context);
        self.add_surroundings(context);
        self.providers.insert("aws");
        named.push(("main", self.main(context, &provider_settings)));
        for (service, blocks) in &self.blocks {
            if service != "main" {
                named.push((service, file_of_blocks(blocks)));
            }
        }
        let path = |name: &str| {
            if directory.is_empty() { format!("{name}.tf.json") } else { format!("{directory}/{name}.tf.json") }
        };
        named.into_iter().map(|(name, text)| File { path: path(name), text }).collect()
    }

    /// Data sources for what exists already and has an attribute that isn't known.
    fn add_lookups(&mut self, context: &Context<'_>) {
        let mut done = BTreeSet::new();
        // A lookup's arguments may need another lookup.
        while let Some(index) = context.next_lookup(&done) {
            done.insert(index);
            let Body::Lookup(lookup) = &context.stack.nodes[index as usize].body else { continue };
            context.enter(Some(index));
            let name = context.name(NodeRef { stack: context.stack.id, index });
            let service = lookup.terraform.split('_').nth(1).unwrap_or("main");
            checks::against(context, Kind::Data, lookup.terraform, &lookup.arguments);
            self.block(context, service, "data", lookup.terraform, name, &lookup.arguments);
        }
        context.enter(None);
    }

    /// Data sources for the partition, region and account, and the states of other stacks.
    fn add_surroundings(&mut self, context: &Context<'_>) {
        let pseudos = context.uses.borrow().pseudos.clone();
        for pseudo in pseudos {
            self.block(context, "main", "data", data_source(pseudo), "current", &data_arguments(pseudo));
        }
        let stacks: BTreeSet<u16> =
            context.uses.borrow().imports.values().map(|import| import.reference.node.stack).collect();
        for stack in stacks {
            let name = &context.app.stacks[stack as usize].name;
            let body = remote_state(&context.app.state, name);
            self.block(context, "main", "data", "terraform_remote_state", &snake_stack(name), &body);
        }
    }

    fn main(&mut self, context: &Context<'_>, provider_settings: &str) -> String {
        let mut out = String::new();
        let mut lines = Lines::open(&mut out, '{', 0);
        mark(&mut lines, &mut out);
        lines.key(&mut out, "terraform");
        json::write_object(&mut out, &self.settings(context), 1, &Terraform(context));
        lines.key(&mut out, "provider");
        out.push_str(provider_settings);
        if let Some(blocks) = self.blocks.get("main") {
            write_blocks(&mut lines, &mut out, blocks);
        }
        lines.close(&mut out, '}');
        out.push('\n');
        out
    }

    fn settings(&self, context: &Context<'_>) -> Properties {
        let required = PROVIDERS.iter().filter(|(name, _)| self.providers.contains(name)).map(|(name, version)| {
            (*name, Properties::default().set("source", format!("hashicorp/{name}")).set("version", *version))
        });
        Properties::default()
            .set("required_version", REQUIRED_TERRAFORM)
            .set_some("backend", backend(&context.app.state, &context.stack.name))
            .set("required_providers", required.collect::<Properties>())
    }
}

fn keyword(block: Block) -> &'static str {
    match block {
        Block::Resource => "resource",
        Block::Data => "data",
        Block::Ephemeral => "ephemeral",
    }
}

/// What a node adds to its own arguments: order, protection, provider.
pub(super) fn meta_arguments(context: &Context<'_>, node: &Node, stateful: bool, arguments: &mut Properties) {
    if stateful && node.removal.unwrap_or(context.app.defaults.removal) == Removal::Prevent {
        let lifecycle = arguments.slot("lifecycle");
        lifecycle.set_at(&["prevent_destroy"], true.into()).expect("lifecycle is a block");
    }
    if let Some(alias) = node.provider {
        arguments.insert("provider", format!("aws.{alias}"));
    }
    let depends_on: Vec<String> = node.depends_on.iter().filter_map(|other| address_of(context, *other)).collect();
    if !depends_on.is_empty() {
        arguments.insert("depends_on", depends_on);
    }
}

/// `aws_kinesis_stream.news`; nothing for a node of another stack or one that Terraform has not.
fn address_of(context: &Context<'_>, node: NodeRef) -> Option<String> {
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

fn address(types: &Types, name: &str) -> String {
    match types.block {
        Block::Resource => format!("{}.{name}", types.terraform),
        Block::Data => format!("data.{}.{name}", types.terraform),
        Block::Ephemeral => format!("ephemeral.{}.{name}", types.terraform),
    }
}

struct Terraform<'c, 'a>(&'c Context<'a>);

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
                        out.push_str(expression)
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

fn data_source(pseudo: Pseudo) -> &'static str {
    match pseudo {
        Pseudo::Partition | Pseudo::DnsSuffix => "aws_partition",
        Pseudo::Region => "aws_region",
        Pseudo::Account => "aws_caller_identity",
        Pseudo::Zone(_) => "aws_availability_zones",
    }
}

/// What a data source of the surroundings is asked for.
fn data_arguments(pseudo: Pseudo) -> Properties {
    match pseudo {
        Pseudo::Zone(_) => {
            let open_to_all = Properties::default().set("name", "opt-in-status").set("values", ["opt-in-not-required"]);
            Properties::default().set("state", "available").set("filter", open_to_all)
        }
        _ => Properties::default(),
    }
}

/// The output that carries an attribute to other stacks: `ingestion_news_arn`.
fn export_name(context: &Context<'_>, reference: Reference) -> String {
    let node = context.names.get(Backend::Terraform, reference.node);
    let attribute = reference.attribute.terraform;
    if attribute.is_empty() {
        return node.to_owned();
    }
    let words: Vec<&str> =
        attribute.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    format!("{node}_{}", words.join("_"))
}

fn snake_stack(name: &str) -> String {
    name.replace('-', "_")
}

fn backend(state: &State, stack: &str) -> Option<Properties> {
    match state {
        // Terraform's default; saying nothing lets people choose with `terraform init -backend-config`.
        State::Local => None,
        State::S3 { .. } => Some(Properties::default().set("s3", state_settings(state, stack))),
    }
}

fn remote_state(state: &State, stack: &str) -> Properties {
    let kind = match state {
        State::Local => "local",
        State::S3 { .. } => "s3",
    };
    Properties::default().set("backend", kind).set("config", state_settings(state, stack))
}

fn state_settings(state: &State, stack: &str) -> Properties {
    match state {
        State::Local => Properties::default().set("path", format!("../{stack}/terraform.tfstate")),
        State::S3 { bucket, region, prefix } => Properties::default()
            .set("bucket", bucket)
            .set("key", format!("{prefix}/{stack}.tfstate"))
            .set("region", region)
            .set("encrypt", true)
            .set("use_lockfile", true),
    }
}

fn provider_settings(context: &Context<'_>) -> String {
    let app = context.app;
    let tags: Properties = app
        .tags
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .chain(context.stack.tags.top())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let tags = (!tags.is_empty()).then(|| Properties::default().set("tags", tags));
    let mut main = Properties::default().set_some("region", app.defaults.region.clone());
    for (name, value) in app.provider.iter() {
        main.insert(name.to_owned(), value.clone());
    }
    let main = main.set_some("default_tags", tags.clone());
    checks::against(context, Kind::Provider, "aws", &main);
    let mut configurations = vec![Value::Map(main)];
    for (alias, settings) in &app.aliases {
        let mut one = Properties::default().set("alias", *alias);
        for (name, value) in settings.iter() {
            one.insert(name.to_owned(), value.clone());
        }
        checks::against(context, Kind::Provider, "aws", &one);
        configurations.push(Value::Map(one.set_some("default_tags", tags.clone())));
    }
    let aws = if configurations.len() == 1 { configurations.remove(0) } else { Value::List(configurations) };
    let mut out = String::new();
    json::write_object(&mut out, &Properties::default().set("aws", aws), 1, &Terraform(context));
    out
}

fn modules(context: &Context<'_>) -> Option<String> {
    let mut all = Properties::default();
    for (index, node) in (0..).zip(&context.stack.nodes) {
        let Body::Module(module) = &node.body else { continue };
        let mut body = Properties::default().set("source", &module.source).set_some("version", module.version.as_ref());
        for (name, value) in module.inputs.iter() {
            body.insert(name.to_owned(), value.clone());
        }
        meta_arguments(context, node, false, &mut body);
        all.insert(context.name(NodeRef { stack: context.stack.id, index }).to_owned(), body);
    }
    file_of(context, "module", all)
}

fn outputs(context: &Context<'_>, exports: &[Reference]) -> Option<String> {
    let mut all: BTreeMap<String, Properties> = BTreeMap::new();
    for output in &context.stack.outputs {
        let body = Properties::default()
            .set_some("description", output.description.as_ref())
            .set("value", &output.value)
            .set_some("sensitive", output.is_sensitive().then_some(true));
        all.insert(snake(&output.name), body);
    }
    for reference in exports {
        let body = Properties::default()
            .set(
                "description",
                format!("For other stacks: {}", context.stack.nodes[reference.node.index as usize].path),
            )
            .set("value", *reference)
            .set_some("sensitive", reference.attribute.sensitive.then_some(true));
        all.insert(export_name(context, *reference), body);
    }
    file_of(context, "output", all.into_iter().collect())
}

fn variables(context: &Context<'_>) -> Option<String> {
    let mut all = Properties::default();
    for (index, node) in (0..).zip(&context.stack.nodes) {
        let Body::Parameter(parameter) = &node.body else { continue };
        let body = Properties::default()
            .set("type", "string")
            .set("description", parameter.description.clone().into_owned())
            .set_some("default", parameter.default.as_ref())
            .set_some("sensitive", parameter.sensitive.then_some(true));
        all.insert(context.name(NodeRef { stack: context.stack.id, index }).to_owned(), body);
    }
    file_of(context, "variable", all)
}

fn moves(context: &Context<'_>) -> Option<String> {
    let mut all: Vec<Properties> = Vec::new();
    for (index, node) in (0..).zip(&context.stack.nodes) {
        let (Some(old), Some(new)) =
            (&node.moved_from, address_of(context, NodeRef { stack: context.stack.id, index }))
        else {
            continue;
        };
        let (kind, _) = new.rsplit_once('.').expect("an address has a dot");
        all.push(Properties::default().set("from", format!("{kind}.{}", snake(old))).set("to", new));
    }
    if all.is_empty() {
        return None;
    }
    let mut out = String::new();
    let mut lines = Lines::open(&mut out, '{', 0);
    mark(&mut lines, &mut out);
    lines.key(&mut out, "moved");
    json::write(&mut out, &Value::list(all), 1, &Terraform(context));
    lines.close(&mut out, '}');
    out.push('\n');
    Some(out)
}

fn file_of(context: &Context<'_>, keyword: &str, all: Properties) -> Option<String> {
    if all.is_empty() {
        return None;
    }
    let mut out = String::new();
    let mut lines = Lines::open(&mut out, '{', 0);
    mark(&mut lines, &mut out);
    lines.key(&mut out, keyword);
    json::write_object(&mut out, &all, 1, &Terraform(context));
    lines.close(&mut out, '}');
    out.push('\n');
    Some(out)
}

fn mark(lines: &mut Lines, out: &mut String) {
    lines.key(out, "//");
    json::write_string(out, MARK);
}

fn file_of_blocks(blocks: &Blocks) -> String {
    let mut out = String::new();
    let mut lines = Lines::open(&mut out, '{', 0);
    mark(&mut lines, &mut out);
    write_blocks(&mut lines, &mut out, blocks);
    lines.close(&mut out, '}');
    out.push('\n');
    out
}

fn write_blocks(lines: &mut Lines, out: &mut String, blocks: &Blocks) {
    for (keyword, kinds) in blocks {
        lines.key(out, keyword);
        let mut inner = Lines::open(out, '{', 1);
        for (kind, names) in kinds {
            inner.key(out, kind);
            let mut innermost = Lines::open(out, '{', 2);
            for (name, body) in names {
                innermost.key(out, name);
                out.push_str(body);
            }
            innermost.close(out, '}');
        }
        inner.close(out, '}');
    }
}
