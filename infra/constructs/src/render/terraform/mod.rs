//! A stack as Terraform JSON: one file per service.

mod blocks;
mod sections;
mod settings;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    checks,
    context::Context,
    json::{self, Lines},
    output::File,
};
use crate::{
    schema::Kind,
    tree::{Block, Body, Node, NodeRef, Properties, Reference, Removal, Types},
};

pub(super) use blocks::MARK;

use blocks::{Blocks, file_of_blocks, mark, write_blocks};
use sections::{modules, moves, outputs, variables};
use settings::{backend, provider_settings, remote_state};
use text::{Terraform, address_of, data_arguments, data_source, snake_stack};

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
