//! An app: stacks, and what they have in common.

use super::{
    construct::Removal,
    problem::Problem,
    stack::{Body, Stack},
    value::{Properties, Value},
};

/// What every stack of an app takes from it.
#[derive(Debug, Clone)]
pub(crate) struct Defaults {
    pub(crate) prefix: String,
    pub(crate) region: Option<String>,
    pub(crate) removal: Removal,
}

/// Tags by the path they were given at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tags(Vec<(String, String, String)>);

impl Tags {
    pub(crate) fn add(&mut self, path: &str, key: &str, value: &str) {
        self.0.push((path.to_owned(), key.to_owned(), value.to_owned()));
    }

    /// Paths and keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter().map(|(path, key, _)| (path, key))
    }

    /// Tags given at the top.
    pub(crate) fn top(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|(at, _, _)| at.is_empty()).map(|(_, key, value)| (key.as_str(), value.as_str()))
    }

    /// Tags given at a path or above it, without those given at the top.
    pub(crate) fn below(&self, path: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter(move |(at, _, _)| {
                !at.is_empty()
                    && path.strip_prefix(at.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
            .map(|(_, key, value)| (key.as_str(), value.as_str()))
    }
}

/// Where Terraform keeps its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// In a file beside the configuration: for one person.
    Local,
    /// In an S3 bucket, under `<prefix>/<stack>.tfstate`, with S3's own lock file.
    S3 {
        /// The bucket; it is not made here.
        bucket: String,
        /// The bucket's region.
        region: String,
        /// The folder of the states.
        prefix: String,
        /// The ARN of the key that encrypts them; the bucket's own where none is given.
        key: Option<String>,
    },
}

/// The whole of what is deployed: one or several stacks.
///
/// ```
/// use constructs::{render::Format, services::kinesis::Stream, tree::App};
/// let mut app = App::new("newsloom").region("eu-west-1").tag("team", "news");
/// app.stack("ingestion").add("News", Stream::on_demand());
/// let rendered = app.synth(Format::All)?;
/// assert!(rendered.file("kinesis.tf.json").is_some());
/// # Ok::<(), constructs::tree::Problems>(())
/// ```
pub struct App {
    pub(crate) defaults: Defaults,
    pub(crate) state: State,
    pub(crate) stacks: Vec<Stack>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) provider: Properties,
    pub(crate) aliases: Vec<(&'static str, Properties)>,
}

impl App {
    /// An app whose resources are called `<name>-<path>`: letters, digits and hyphens.
    pub fn new(name: impl Into<String>) -> Self {
        let defaults = Defaults { prefix: name.into(), region: None, removal: Removal::default() };
        Self {
            defaults,
            state: State::Local,
            stacks: Vec::new(),
            tags: Vec::new(),
            provider: Properties::default(),
            aliases: Vec::new(),
        }
    }

    /// The region, such as `eu-west-1`. Left out, Terraform takes it from the environment.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.defaults.region = Some(region.into());
        self
    }

    /// What becomes of data on removal. Defaults to [`Removal::Retain`].
    pub fn removal(mut self, removal: Removal) -> Self {
        self.defaults.removal = removal;
        self
    }

    /// Tags every taggable resource of every stack.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// Where Terraform keeps its state. Defaults to [`State::Local`].
    pub fn state(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    /// A setting of the AWS provider, such as `allowed_account_ids`.
    pub fn provider_setting(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.provider.insert(name, value);
        self
    }

    /// A second configuration of the AWS provider, for [`Stack::provider`]. Terraform only.
    pub fn provider(mut self, alias: &'static str, settings: Properties) -> Self {
        self.aliases.push((alias, settings));
        self
    }

    /// The stack of this name, made when it is first asked for. A stack may refer to stacks made before it;
    /// what it takes from them becomes outputs there and inputs here by itself. Small letters, digits, hyphens.
    ///
    /// # Panics
    /// At the 65 537th stack.
    pub fn stack(&mut self, name: &str) -> &mut Stack {
        if let Some(index) = self.stacks.iter().rposition(|stack| stack.name == name) {
            return &mut self.stacks[index];
        }
        let id = u16::try_from(self.stacks.len()).expect("fewer than 65 536 stacks");
        let mut stack = Stack::new(id, name, self.defaults.clone());
        if !is_stack_name(name) {
            stack.problem(format!("the stack's name `{name}` must be small letters, digits and hyphens"));
        }
        self.stacks.push(stack);
        self.stacks.last_mut().expect("just pushed")
    }

    /// How many resources the stacks hold; one that only one backend needs counts too.
    pub fn resources(&self) -> usize {
        let nodes = self.stacks.iter().flat_map(|stack| &stack.nodes);
        nodes.filter(|node| matches!(node.body, Body::Resource(_))).count()
    }

    pub(crate) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.stacks.iter().flat_map(|stack| &stack.problems)
    }
}

fn is_stack_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
}
