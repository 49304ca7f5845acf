//! Aspects: something said about every resource at once.

use super::{
    app::App,
    construct::{Removal, Types},
    problem::Problem,
    stack::{Backend, Body, Override},
    value::Value,
};

/// A resource that an aspect visits.
pub struct Visit<'a> {
    stack: &'a str,
    path: &'a str,
    types: Types,
    overrides: &'a mut Vec<Override>,
    removal: &'a mut Option<Removal>,
    problems: &'a mut Vec<Problem>,
}

impl Visit<'_> {
    /// The stack it is in.
    pub fn stack(&self) -> &str {
        self.stack
    }

    /// Its path.
    pub fn path(&self) -> &str {
        self.path
    }

    /// Its types.
    pub fn types(&self) -> &Types {
        &self.types
    }

    /// Overrides a Terraform argument, see [`super::Stack::override_terraform`].
    pub fn override_terraform(&mut self, path: &'static str, value: impl Into<Value>) {
        self.overrides.push(Override { backend: Backend::Terraform, path, value: value.into() });
    }

    /// Overrides a CloudFormation property, see [`super::Stack::override_cloudformation`].
    pub fn override_cloudformation(&mut self, path: &'static str, value: impl Into<Value>) {
        self.overrides.push(Override { backend: Backend::CloudFormation, path, value: value.into() });
    }

    /// Decides what becomes of its data when it is removed.
    pub fn protect(&mut self, removal: Removal) {
        *self.removal = Some(removal);
    }

    /// Reports that something is wrong with it: for rules of a house that all of its stacks obey.
    pub fn problem(&mut self, message: impl Into<String>) {
        let problem = Problem { path: self.path.to_owned(), property: String::new(), message: message.into() };
        self.problems.push(problem);
    }
}

impl App {
    /// Visits every resource of every stack added so far.
    ///
    /// ```
    /// use constructs::{render::Format, services::kinesis::Stream, tree::App};
    /// let mut app = App::new("newsloom");
    /// app.stack("ingestion").add("News", Stream::provisioned(1));
    /// app.each_resource(|resource| {
    ///     if resource.types().terraform == "aws_kinesis_stream" {
    ///         resource.override_terraform("shard_level_metrics", ["IncomingBytes"]);
    ///     }
    /// });
    /// let rendered = app.synth(Format::Terraform).unwrap();
    /// assert!(rendered.file("kinesis.tf.json").unwrap().contains("IncomingBytes"));
    /// ```
    pub fn each_resource(&mut self, mut visit: impl FnMut(&mut Visit<'_>)) {
        for stack in &mut self.stacks {
            for node in &mut stack.nodes {
                let Body::Resource(resource) = &node.body else { continue };
                visit(&mut Visit {
                    stack: &stack.name,
                    path: &node.path,
                    types: resource.types(),
                    overrides: &mut node.overrides,
                    removal: &mut node.removal,
                    problems: &mut stack.problems,
                });
            }
        }
    }
}
