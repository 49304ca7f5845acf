//! An app's permissions: all rights of all its stacks, to read and to ask about.

use super::{
    Document, Permissions, Principal, Statement, Use, Verdict,
    matrix::{self, Entry},
    may, touches,
};
use crate::tree::{App, Body, NodeRef, Part, Pseudo, Reference, Resource, Stack, Text};

impl App {
    /// The permission matrix: who may do what on which construct, under which condition, one right per line.
    ///
    /// ```
    /// use constructs::{services::{iam::{Role, Service}, kinesis::Stream}, tree::App};
    /// let mut app = App::new("newsloom");
    /// let stack = app.stack("ingestion");
    /// let news = stack.add("News", Stream::on_demand());
    /// let ingester = stack.add("Ingester", Role::of(Service::EC2));
    /// stack.grant(ingester, news.write());
    /// assert_eq!(app.permissions(), "\
    /// Ingester  allow  kinesis:PutRecord  on  News
    /// Ingester  allow  kinesis:PutRecords  on  News
    ///
    /// ec2.amazonaws.com  allow  sts:AssumeRole  on  Ingester
    /// ");
    /// ```
    pub fn permissions(&self) -> String {
        matrix::render(self.entries())
    }

    /// The rights of [`App::permissions`], one by one.
    pub fn entries(&self) -> Vec<Entry> {
        let mut all = Vec::new();
        self.each_policy(&mut |node, permissions| {
            let of = self.path(permissions.of.unwrap_or(node));
            let carried = permissions.role == Use::Identity;
            for statement in permissions.document.statements() {
                let one = std::slice::from_ref(statement);
                if carried {
                    all.extend(matrix::entries(&of, one, &|text| self.words(text)));
                } else {
                    all.extend(self.rights_to(&of, statement));
                }
            }
        });
        all
    }

    /// Whether a construct's role may do something to another construct: both by path, the action as IAM
    /// writes it. For tests of least privilege.
    ///
    /// ```
    /// # use constructs::{services::{iam::{Role, Service}, kinesis::Stream}, tree::App};
    /// # let mut app = App::new("newsloom");
    /// # let stack = app.stack("ingestion");
    /// # let news = stack.add("News", Stream::on_demand());
    /// # let ingester = stack.add("Ingester", Role::of(Service::EC2));
    /// # stack.grant(ingester, news.write());
    /// assert!(app.may("Ingester", "kinesis:PutRecords", "News").is_allowed());
    /// assert!(!app.may("Ingester", "kinesis:DeleteStream", "News").is_allowed());
    /// ```
    pub fn may(&self, who: &str, action: &str, resource: &str) -> Verdict {
        let Some(resource) = self.stacks.iter().find_map(|stack| stack.find(resource)) else {
            return Verdict::NotGranted;
        };
        let mut statements: Vec<Statement> = Vec::new();
        self.each_policy(&mut |node, permissions| {
            if permissions.role == Use::Identity && self.path(permissions.of.unwrap_or(node)) == who {
                statements.extend(permissions.document.statements().iter().cloned());
            }
        });
        may(&statements, action, &|text| touches(text, resource))
    }

    fn each_policy(&self, visit: &mut dyn FnMut(NodeRef, Permissions<'_>)) {
        for stack in &self.stacks {
            for (index, node) in (0..).zip(&stack.nodes) {
                let Body::Resource(resource) = &node.body else { continue };
                let node = NodeRef { stack: stack.id, index };
                match resource.permissions() {
                    Some(permissions) => visit(node, permissions),
                    None => raw_policies(resource.as_ref(), &mut |role, document| {
                        visit(node, Permissions { role, of: None, document });
                    }),
                }
            }
        }
    }

    /// What a resource's own policy gives to others.
    fn rights_to(&self, of: &str, statement: &Statement) -> Vec<Entry> {
        let mut about = statement.clone();
        // `*` in a resource's policy is the resource.
        if about.resources.iter().all(|resource| resource.literal() == Some("*")) {
            about.resources = vec![Text::from(of.to_owned())];
        }
        let who: Vec<String> = match &statement.principal {
            Principal::Holder => vec![of.to_owned()],
            Principal::Everyone => vec!["everyone".to_owned()],
            Principal::Service(names) => names.iter().map(ToString::to_string).collect(),
            Principal::Aws(arns) => arns.iter().map(|arn| self.words(arn)).collect(),
        };
        let one = std::slice::from_ref(&about);
        who.iter().flat_map(|who| matrix::entries(who, one, &|text| self.words(text))).collect()
    }

    /// A text as a reader of the matrix wants it: constructs by path, the rest as it is.
    fn words(&self, text: &Text) -> String {
        let part = |part: &Part| match part {
            Part::Literal(literal) => literal.clone().into_owned(),
            Part::Pseudo(Pseudo::Partition) => "<partition>".to_owned(),
            Part::Pseudo(Pseudo::Region) => "<region>".to_owned(),
            Part::Pseudo(Pseudo::Account) => "<account>".to_owned(),
            Part::Pseudo(other) => format!("<{other:?}>"),
            Part::Reference(reference) => self.referred(*reference),
        };
        match around_a_name(text) {
            Some((named, rest)) => self.path(named.node) + &rest.iter().map(part).collect::<String>(),
            None => text.parts().iter().map(part).collect(),
        }
    }

    fn referred(&self, reference: Reference) -> String {
        let path = self.path(reference.node);
        match reference.attribute.terraform {
            "arn" => path,
            attribute => format!("{path}.{}", attribute.trim_end_matches("_arn")),
        }
    }

    /// The path of a node; a role that a construct made for itself goes by the construct's.
    fn path(&self, node: NodeRef) -> String {
        let stack: &Stack = &self.stacks[node.stack as usize];
        let path = &stack.nodes[node.index as usize].path;
        path.strip_suffix("/Role").unwrap_or(path).to_owned()
    }
}

/// The construct in an ARN that is made around its name, and what follows.
fn around_a_name(text: &Text) -> Option<(Reference, &[Part])> {
    let parts = text.parts();
    let Some(Part::Literal(start)) = parts.first() else { return None };
    let at = parts.iter().position(|part| matches!(part, Part::Reference(_)))?;
    let Part::Reference(reference) = parts[at] else { return None };
    let is_only_one = !parts[at + 1..].iter().any(|part| matches!(part, Part::Reference(_)));
    (start.starts_with("arn:") && is_only_one).then(|| (reference, &parts[at + 1..]))
}

/// The policies that a resource without [`Resource::permissions`] holds in its Terraform arguments.
fn raw_policies(resource: &dyn Resource, visit: &mut dyn FnMut(Use, &Document)) {
    let types = resource.types();
    if types.terraform.is_empty() {
        return;
    }
    for (name, value) in resource.terraform().iter() {
        if let Some(document) = Document::read(value) {
            visit(Use::of(&types.terraform, name), &document);
        }
    }
}
