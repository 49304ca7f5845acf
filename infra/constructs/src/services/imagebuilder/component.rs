//! Components: what is done to an image, and how it is tested.

use std::borrow::Cow;

use super::{check_name, check_version};
use crate::{
    services::{kms::KeyRef, units::Seconds},
    tree::{
        Access, Arn, Attribute, Construct, Handle, Lookup, NodeRef, Properties, Pseudo, Ref, Resource, Stack, Text,
        Types, Value,
    },
};

/// For which system a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
    /// macOS.
    MacOs,
}

impl Platform {
    fn word(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::Windows => "Windows",
            Self::MacOs => "macOS",
        }
    }
}

/// What becomes of a component when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The build fails: the default.
    Abort,
    /// The next step runs, and the build fails at its end.
    Continue,
    /// The next step runs, as if nothing had happened.
    Ignore,
}

impl OnFailure {
    fn word(self) -> &'static str {
        match self {
            Self::Abort => "Abort",
            Self::Continue => "Continue",
            Self::Ignore => "Ignore",
        }
    }
}

/// One step of a [`Document`].
///
/// ```
/// use constructs::services::{imagebuilder::Step, units::Seconds};
/// let install = Step::bash("Install", ["dnf install --assumeyes amazon-cloudwatch-agent"]).timeout(Seconds(600));
/// ```
#[derive(Debug, Clone)]
pub struct Step {
    name: Cow<'static, str>,
    action: Cow<'static, str>,
    inputs: Value,
    timeout: Option<Seconds>,
    attempts: Option<u32>,
    on_failure: Option<OnFailure>,
}

impl Step {
    /// Commands in bash, one after the other; the first that fails ends the step.
    pub fn bash<T: Into<Text>>(name: impl Into<Cow<'static, str>>, commands: impl IntoIterator<Item = T>) -> Self {
        // Bash alone would go on, and the step's outcome would be its last command's.
        let commands = std::iter::once(Text::from("set -euo pipefail")).chain(commands.into_iter().map(Into::into));
        Self::action(name, "ExecuteBash", Properties::default().set("commands", Value::list(commands)))
    }

    /// Commands in PowerShell.
    pub fn powershell<T: Into<Text>>(
        name: impl Into<Cow<'static, str>>,
        commands: impl IntoIterator<Item = T>,
    ) -> Self {
        let commands = commands.into_iter().map(Into::into);
        Self::action(name, "ExecutePowerShell", Properties::default().set("commands", Value::list::<Text>(commands)))
    }

    /// Fetches an object of S3, `s3://bucket/key`, into a file. The instance profile's role must be allowed to.
    pub fn download(name: impl Into<Cow<'static, str>>, source: impl Into<Text>, file: impl Into<Text>) -> Self {
        let input = Properties::default().set("source", source.into()).set("destination", file.into());
        Self::action(name, "S3Download", Value::list([input]))
    }

    /// Any action module, such as `CreateFile` or `Reboot`, with its inputs.
    pub fn action(
        name: impl Into<Cow<'static, str>>,
        action: impl Into<Cow<'static, str>>,
        inputs: impl Into<Value>,
    ) -> Self {
        let (name, action) = (name.into(), action.into());
        Self { name, action, inputs: inputs.into(), timeout: None, attempts: None, on_failure: None }
    }

    /// How long it may take. Defaults to 7200 seconds.
    pub fn timeout(mut self, timeout: Seconds) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How often it is tried. Defaults to once.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// What becomes of the component when it fails. Defaults to [`OnFailure::Abort`].
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = Some(on_failure);
        self
    }

    fn value(&self) -> Properties {
        Properties::default()
            .set("name", self.name.clone().into_owned())
            .set("action", self.action.clone().into_owned())
            .set_some("timeoutSeconds", self.timeout)
            .set_some("maxAttempts", self.attempts)
            .set_some("onFailure", self.on_failure.map(OnFailure::word))
            .set("inputs", self.inputs.clone())
    }
}

/// What a component does, in phases: `build` changes the instance, `validate` looks at it before the image is made,
/// `test` looks at an instance of the image.
///
/// ```
/// use constructs::services::imagebuilder::{Document, Step};
/// let agent = Document::new("Keeps an eye on the instance")
///     .build(Step::bash("Install", ["dnf install --assumeyes amazon-cloudwatch-agent"]))
///     .validate(Step::bash("Check", ["rpm --query amazon-cloudwatch-agent"]));
/// ```
#[derive(Debug, Clone)]
pub struct Document {
    description: Cow<'static, str>,
    phases: [Vec<Step>; 3],
}

const PHASES: [&str; 3] = ["build", "validate", "test"];

impl Document {
    /// A document without steps, and what it is for.
    pub fn new(description: impl Into<Cow<'static, str>>) -> Self {
        Self { description: description.into(), phases: [Vec::new(), Vec::new(), Vec::new()] }
    }

    /// One more step of the build.
    pub fn build(mut self, step: Step) -> Self {
        self.phases[0].push(step);
        self
    }

    /// One more look at the instance that was built, before it becomes an image.
    pub fn validate(mut self, step: Step) -> Self {
        self.phases[1].push(step);
        self
    }

    /// One more look at an instance of the image.
    pub fn test(mut self, step: Step) -> Self {
        self.phases[2].push(step);
        self
    }

    fn check(&self, stack: &mut Stack) {
        if self.phases.iter().all(Vec::is_empty) {
            stack.problem("a component has at least one step");
        }
        for (phase, steps) in PHASES.iter().zip(&self.phases) {
            for (index, step) in steps.iter().enumerate() {
                if steps[..index].iter().any(|other| other.name == step.name) {
                    stack.problem(format!("two steps of the phase {phase} are called `{}`", step.name));
                }
                if step.attempts == Some(0) {
                    stack.problem(format!("the step `{}` is tried at least once", step.name));
                }
            }
        }
    }
}

impl From<&Document> for Value {
    fn from(document: &Document) -> Self {
        let phases = PHASES.iter().zip(&document.phases).filter(|(_, steps)| !steps.is_empty());
        let phases = phases.map(|(phase, steps)| {
            Properties::default().set("name", *phase).set("steps", Value::list(steps.iter().map(Step::value)))
        });
        let properties = Properties::default()
            .set("description", document.description.clone().into_owned())
            .set("schemaVersion", "1.0")
            .set("phases", Value::list(phases));
        // JSON is YAML.
        Value::json(properties)
    }
}

/// A component. What a version holds never changes: give another version with another document.
///
/// ```
/// use constructs::{services::imagebuilder::{Component, Document, Platform, Step}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let document = Document::new("Time").build(Step::bash("Install", ["dnf install --assumeyes chrony"]));
/// stack.add("Time", Component::new(Platform::Linux, "1.0.0", document));
/// ```
#[derive(Debug, Clone)]
pub struct Component {
    platform: Platform,
    version: Cow<'static, str>,
    content: Content,
    description: Option<Cow<'static, str>>,
    change: Option<Cow<'static, str>>,
    systems: Vec<Cow<'static, str>>,
    key: Option<KeyRef>,
    name: Option<Text>,
}

#[derive(Debug, Clone)]
enum Content {
    Document(Document),
    Yaml(Text),
    Uri(Text),
}

impl Component {
    /// A component of a [`Document`]; the version is three numbers, `1.0.0`.
    pub fn new(platform: Platform, version: impl Into<Cow<'static, str>>, document: Document) -> Self {
        Self::with(platform, version.into(), Content::Document(document))
    }

    /// A component of a YAML document as text, up to 16 000 letters.
    pub fn yaml(platform: Platform, version: impl Into<Cow<'static, str>>, document: impl Into<Text>) -> Self {
        Self::with(platform, version.into(), Content::Yaml(document.into()))
    }

    /// A component of a YAML document in S3, `s3://bucket/key`.
    pub fn stored(platform: Platform, version: impl Into<Cow<'static, str>>, uri: impl Into<Text>) -> Self {
        Self::with(platform, version.into(), Content::Uri(uri.into()))
    }

    fn with(platform: Platform, version: Cow<'static, str>, content: Content) -> Self {
        let systems = Vec::new();
        Self { platform, version, content, description: None, change: None, systems, key: None, name: None }
    }

    /// What it is for, up to 1024 letters.
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// What is new in this version, up to 128 letters.
    pub fn change(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.change = Some(description.into());
        self
    }

    /// A system it is for, such as `Amazon Linux 2023`; up to 25. Left out, any of the platform.
    pub fn system(mut self, system: impl Into<Cow<'static, str>>) -> Self {
        self.systems.push(system.into());
        self
    }

    /// Encrypted with this key, which the instance profile's role must be allowed to use. Left out, Image
    /// Builder's own key does it.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }

    /// Another name than the one made from the path, 3 to 126 letters.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// One of AWS's components, in its newest version: `amazon-cloudwatch-agent-linux`.
    pub fn of_aws(name: impl Into<Text>) -> ExistingComponent {
        let arn = Text::from("arn:") + Pseudo::Partition + ":imagebuilder:" + Pseudo::Region;
        ExistingComponent(arn + ":aws:component/" + name + "/x.x.x")
    }

    /// A component that is managed elsewhere, by its ARN.
    pub fn existing(arn: impl Into<Text>) -> ExistingComponent {
        ExistingComponent(arn.into())
    }
}

impl Construct for Component {
    type Handle = ComponentRef;

    fn build(mut self, stack: &mut Stack) -> ComponentRef {
        let name = self.name.get_or_insert_with(|| stack.physical_name().into());
        check_name(stack, "component", name);
        check_version(stack, "component", &self.version);
        match &self.content {
            Content::Document(document) => document.check(stack),
            Content::Yaml(text) => {
                let length = text.literal().unwrap_or_default().chars().count();
                if length > 16_000 {
                    stack
                        .problem(format!("the document has {length} letters; Image Builder takes 16000, or one in S3"));
                }
            }
            Content::Uri(_) => {}
        }
        ComponentRef { node: stack.resource(self) }
    }
}

/// See [`Component::existing`] and [`Component::of_aws`].
#[derive(Debug, Clone)]
pub struct ExistingComponent(Text);

impl Construct for ExistingComponent {
    type Handle = ComponentRef;

    fn build(self, stack: &mut Stack) -> ComponentRef {
        let lookup = Lookup::new("aws_imagebuilder_component", "AWS::ImageBuilder::Component");
        ComponentRef { node: lookup.by("arn", &self.0).known(ARN, &self.0).build(stack) }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Component`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct ComponentRef {
    node: NodeRef,
}

const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));

impl ComponentRef {
    /// The ARN of this version of the component.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }
}

impl Handle for ComponentRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Component {
    fn types(&self) -> Types {
        Types::new("imagebuilder", "aws_imagebuilder_component", "AWS::ImageBuilder::Component")
    }

    fn cloudformation(&self) -> Properties {
        let (data, uri) = self.content();
        Properties::default()
            .set_some("Name", self.name.as_ref())
            .set("Version", self.version.clone().into_owned())
            .set("Platform", self.platform.word())
            .set_some("Description", self.description.clone().map(Cow::into_owned))
            .set_some("ChangeDescription", self.change.clone().map(Cow::into_owned))
            .set_filled("SupportedOsVersions", self.systems())
            .set_some("Data", data)
            .set_some("Uri", uri)
            .set_some("KmsKeyId", self.key.map(KeyRef::arn))
    }

    fn terraform(&self) -> Properties {
        let (data, uri) = self.content();
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set("version", self.version.clone().into_owned())
            .set("platform", self.platform.word())
            .set_some("description", self.description.clone().map(Cow::into_owned))
            .set_some("change_description", self.change.clone().map(Cow::into_owned))
            .set_filled("supported_os_versions", self.systems())
            .set_some("data", data)
            .set_some("uri", uri)
            .set_some("kms_key_id", self.key.map(KeyRef::arn))
    }
}

impl Component {
    /// The document itself, or where it is.
    fn content(&self) -> (Option<Value>, Option<Value>) {
        match &self.content {
            Content::Document(document) => (Some(document.into()), None),
            Content::Yaml(text) => (Some(text.into()), None),
            Content::Uri(uri) => (None, Some(uri.into())),
        }
    }

    fn systems(&self) -> Value {
        Value::list(self.systems.iter().map(|system| system.clone().into_owned()))
    }
}
