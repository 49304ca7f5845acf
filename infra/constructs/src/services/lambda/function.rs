//! Functions.

use std::borrow::Cow;

use super::{
    Architecture,
    code::{Code, Image, Runtime},
    destination::{Destination, EventInvoke, FunctionEventInvoke},
    environment::Environment,
    handle::{ExistingFunction, FunctionRef},
    logging::{Format, LogLevel, Logging, SystemLogLevel, Target},
    network::{Network, interfaces},
};
use crate::{
    policy::{Grant, Statement},
    services::{
        iam::{Role, RoleRef, Service},
        kms::KeyRef,
        logs::LogGroupRef,
        units::{Days, Mib, Seconds},
    },
    tree::{Backend, Construct, Id, Properties, Ref, Resource, Stack, Text, Types, Value},
};

const MEMORY: std::ops::RangeInclusive<u32> = 128..=10_240;
const STORAGE: std::ops::RangeInclusive<u32> = 512..=10_240;
const TIMEOUT: std::ops::RangeInclusive<u32> = 1..=900;
const LONGEST_NAME: usize = 64;
const MOST_LAYERS: usize = 5;

/// A function.
///
/// Runs on Graviton with 128 MiB and 3 seconds, with a role and a log group of its own: JSON, kept for 30 days.
/// Named after its path.
///
/// ```
/// use constructs::{services::{kinesis::Stream, lambda::Function, units::{Mib, Seconds}}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("enrichment");
/// let news = stack.add("News", Stream::on_demand());
/// let enrich = Function::rust("target/lambda/enrich.zip")
///     .memory(Mib(256))
///     .timeout(Seconds(60))
///     .environment([("RUST_LOG", "info")]);
/// let enrich = stack.add("Enrich", enrich);
/// stack.trigger(enrich, news.records().batch(100).report_failures());
/// ```
#[derive(Debug, Clone)]
pub struct Function {
    package: Package,
    architecture: Architecture,
    memory: Mib,
    timeout: Seconds,
    storage: Option<Mib>,
    environment: Environment,
    layers: Vec<Text>,
    network: Option<Network>,
    is_dual_stack: bool,
    concurrency: Option<u32>,
    is_traced: bool,
    dead_letters: Option<Destination>,
    event_invoke: Option<EventInvoke>,
    logging: Logging,
    description: Option<Cow<'static, str>>,
    key: Option<KeyRef>,
    signing: Option<Text>,
    /// Its own or a given one; set once it is built.
    role: Option<RoleRef>,
    name: Option<Text>,
}

#[derive(Debug, Clone)]
enum Package {
    Zip { code: Code, runtime: Runtime, handler: Cow<'static, str> },
    Image(Image),
}

impl Function {
    /// A binary called `bootstrap` in a package, for the architecture's Linux, such as `cargo lambda` builds.
    pub fn rust(code: impl Into<Code>) -> Self {
        Self::new(Runtime::PROVIDED_AL2023, "bootstrap", code)
    }

    /// A package, the runtime that runs it, and the function in it: `Function::new(Runtime::PYTHON_3_14,
    /// "index.handler", …)`.
    pub fn new(runtime: Runtime, handler: impl Into<Cow<'static, str>>, code: impl Into<Code>) -> Self {
        Self::of(Package::Zip { code: code.into(), runtime, handler: handler.into() })
    }

    /// A container image in ECR, by its address.
    pub fn image(image: impl Into<Image>) -> Self {
        Self::of(Package::Image(image.into()))
    }

    fn of(package: Package) -> Self {
        Self {
            package,
            architecture: Architecture::Arm64,
            memory: Mib(128),
            timeout: Seconds(3),
            storage: None,
            environment: Environment::default(),
            layers: Vec::new(),
            network: None,
            is_dual_stack: false,
            concurrency: None,
            is_traced: false,
            dead_letters: None,
            event_invoke: None,
            logging: Logging::default(),
            description: None,
            key: None,
            signing: None,
            role: None,
            name: None,
        }
    }

    /// The processor it was built for. Defaults to Arm.
    pub fn architecture(mut self, architecture: Architecture) -> Self {
        self.architecture = architecture;
        self
    }

    /// Memory, 128 to 10 240 MiB. Defaults to 128; CPU grows with it, to a whole one at 1769.
    pub fn memory(mut self, memory: Mib) -> Self {
        self.memory = memory;
        self
    }

    /// How long one call may take, 1 to 900 seconds. Defaults to 3; then it is stopped and counts as failed.
    pub fn timeout(mut self, timeout: Seconds) -> Self {
        self.timeout = timeout;
        self
    }

    /// The size of `/tmp`, 512 to 10 240 MiB. Defaults to 512.
    pub fn ephemeral_storage(mut self, size: Mib) -> Self {
        self.storage = Some(size);
        self
    }

    /// Environment variables, in addition to those given before: literals or references. No secrets; all
    /// names and values together have up to 4096 bytes.
    pub fn environment<N, V>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<Cow<'static, str>>,
        V: Into<Text>,
    {
        for (name, value) in variables {
            self.environment.set(name.into(), value.into());
        }
        self
    }

    /// One more layer, by the ARN of its version; later ones go over earlier ones. Up to 5, and none for images.
    pub fn layer(mut self, version: impl Into<Text>) -> Self {
        self.layers.push(version.into());
        self
    }

    /// Runs in a VPC, with a network interface in each of 1 to 16 subnets and 1 to 5 security groups. It reaches
    /// what they reach, and the internet only through a NAT gateway. Its role gets the rights on interfaces;
    /// its code can't use them.
    pub fn in_vpc(
        mut self,
        subnets: impl IntoIterator<Item = Ref<Id>>,
        security_groups: impl IntoIterator<Item = Ref<Id>>,
    ) -> Self {
        self.network = Some(Network {
            subnets: subnets.into_iter().collect(),
            security_groups: security_groups.into_iter().collect(),
        });
        self
    }

    /// Sends IPv6 too, from a VPC whose subnets have both.
    pub fn dual_stack(mut self) -> Self {
        self.is_dual_stack = true;
        self
    }

    /// How many calls run at a time at most; so many are kept free for it. Without it, it shares the account's
    /// 1000 with all others. 0 stops it.
    pub fn reserved_concurrency(mut self, calls: u32) -> Self {
        self.concurrency = Some(calls);
        self
    }

    /// Sends a trace of its calls to X-Ray; its role gets the rights.
    pub fn traced(mut self) -> Self {
        self.is_traced = true;
        self
    }

    /// The queue or topic for asynchronous calls that failed for good; the call only, without the error.
    /// [`EventInvoke::on_failure`] tells more.
    pub fn dead_letters(mut self, destination: impl Into<Destination>) -> Self {
        self.dead_letters = Some(destination.into());
        self
    }

    /// What becomes of asynchronous calls.
    pub fn event_invoke(mut self, settings: EventInvoke) -> Self {
        self.event_invoke = Some(settings);
        self
    }

    /// How long its log group keeps events, see [`LogGroup::retention`](crate::services::logs::LogGroup::retention). Defaults to 30 days.
    pub fn log_retention(mut self, retention: Days) -> Self {
        self.logging.set_retention(retention);
        self
    }

    /// Encrypts its log group with this key, see [`LogGroup::encrypted_by`](crate::services::logs::LogGroup::encrypted_by).
    pub fn logs_encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        if let Some(key) = key.into() {
            self.logging.set_key(key);
        }
        self
    }

    /// Logs to a given group, and makes none of its own.
    pub fn logs_to(mut self, group: LogGroupRef) -> Self {
        self.logging.target = Target::Given(group);
        self
    }

    /// How much of its own events it logs, as JSON. Defaults to `Info`; the runtime's logger has to obey.
    pub fn log_level(mut self, level: LogLevel) -> Self {
        self.logging.set_application_level(level);
        self
    }

    /// How much Lambda logs about it, as JSON. Defaults to `Info`.
    pub fn system_log_level(mut self, level: SystemLogLevel) -> Self {
        self.logging.set_system_level(level);
        self
    }

    /// Logs lines of plain text, as they are written; Lambda then knows no levels.
    pub fn text_logs(mut self) -> Self {
        self.logging.format = Format::Text;
        self
    }

    /// What it is for, up to 256 characters.
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Encrypts its environment with this key; its role gets the right to decrypt.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }

    /// Runs with a given role, which Lambda must be able to assume. It gets the same rights as its own would.
    pub fn running_as(mut self, role: RoleRef) -> Self {
        self.role = Some(role);
        self
    }

    /// Takes only code signed as this code signing configuration demands.
    pub fn signed_as(mut self, code_signing_config: impl Into<Text>) -> Self {
        self.signing = Some(code_signing_config.into());
        self
    }

    /// Another name than the one made from the path, up to 64 letters, digits, `-` and `_`.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A function that is managed elsewhere, by name, in this region and account, and the role it runs with.
    pub fn existing(name: impl Into<Text>, role: RoleRef) -> ExistingFunction {
        ExistingFunction { name: name.into(), role }
    }

    pub(super) fn timeout_given(&self) -> Seconds {
        self.timeout
    }
}

impl Construct for Function {
    type Handle = FunctionRef;

    fn build(mut self, stack: &mut Stack) -> FunctionRef {
        let name = self.name.get_or_insert_with(|| stack.physical_name_within(LONGEST_NAME).into()).clone();
        self.check(stack);
        let group = self.logging.settle(stack, &name);
        let role = self.role.unwrap_or_else(|| stack.add("Role", Role::of(Service::LAMBDA)));
        self.role = Some(role);
        stack.must_be_assumable(role, Service::LAMBDA);
        for right in self.rights(group) {
            stack.grant(role, right);
        }
        let event_invoke = self.event_invoke.take();
        let function = FunctionRef { node: stack.resource(self), role, group };
        let settings =
            event_invoke.map(|settings| stack.add("EventInvoke", FunctionEventInvoke { function, settings }));
        // Lambda looks at the rights when it creates these, and the first call may come at once.
        if let Some(policy) = stack.policy_of(role) {
            stack.depends(function, policy);
            if let Some(settings) = settings {
                stack.depends(settings, policy);
            }
        }
        function
    }
}

impl Function {
    fn check(&self, stack: &mut Stack) {
        let ranges = [
            ("memory", self.memory.0, MEMORY, "MiB"),
            ("ephemeral storage", self.storage.map_or(512, |size| size.0), STORAGE, "MiB"),
            ("timeout", self.timeout.0, TIMEOUT, "seconds"),
        ];
        for (what, given, range, unit) in ranges {
            if !range.contains(&given) {
                let (least, most) = range.into_inner();
                stack.problem(format!("{what} is {given} {unit}; Lambda gives {least} to {most} {unit}"));
            }
        }
        if let Some(name) = self.name.as_ref().and_then(Text::literal)
            && name.len() > LONGEST_NAME
        {
            let length = name.len();
            stack.problem(format!("the name `{name}` has {length} characters; a function's has up to 64: use `named`"));
        }
        self.environment.check(stack);
        self.check_package(stack);
        match &self.network {
            Some(network) => network.check(stack),
            None if self.is_dual_stack => {
                stack.problem("only a function in a VPC chooses to send IPv6; say which with `in_vpc`");
            }
            None => {}
        }
    }

    fn check_package(&self, stack: &mut Stack) {
        let layers = self.layers.len();
        match &self.package {
            Package::Zip { code, .. } => code.check(stack),
            Package::Image(_) if layers > 0 => {
                stack.problem("an image takes no layers; put their files into the image");
            }
            Package::Image(_) => {}
        }
        if layers > MOST_LAYERS {
            stack.problem(format!("{layers} layers; Lambda takes up to 5"));
        }
    }

    /// What its settings ask for, and nothing else.
    fn rights(&self, group: LogGroupRef) -> Vec<Grant> {
        let mut rights = vec![group.write()];
        if self.is_traced {
            let actions = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"];
            rights.push(Statement::allow(actions).on_any("traces are not resources").into());
        }
        if self.network.is_some() {
            rights.push(interfaces());
        }
        rights.extend(self.key.map(KeyRef::decrypt));
        rights.extend(self.dead_letters.as_ref().map(Destination::send));
        rights.extend(self.event_invoke.iter().flat_map(EventInvoke::sends));
        rights
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Function {
    fn types(&self) -> Types {
        Types::new("lambda", "aws_lambda_function", "AWS::Lambda::Function")
    }

    fn refuses(&self, backend: Backend) -> Option<String> {
        match &self.package {
            Package::Zip { code, .. } => code.refuses(backend),
            Package::Image(_) => None,
        }
    }

    fn cloudformation(&self) -> Properties {
        let properties = Properties::default()
            .set_some("FunctionName", self.name.as_ref())
            .set_some("Description", self.description.clone().map(Cow::into_owned))
            .set_some("Role", self.role.map(RoleRef::arn));
        let properties = match &self.package {
            Package::Zip { code, runtime, handler } => properties
                .set("Runtime", runtime.name())
                .set("Handler", handler.clone().into_owned())
                .set("Code", code.cloudformation()),
            Package::Image(image) => properties
                .set("PackageType", "Image")
                .set("Code", Properties::default().set("ImageUri", image.uri()))
                .set_filled("ImageConfig", image.settings(["EntryPoint", "Command", "WorkingDirectory"])),
        };
        let storage = |size| Properties::default().set("Size", size);
        let target = |to: &Destination| Properties::default().set("TargetArn", to.arn());
        properties
            .set("Architectures", [self.architecture.name()])
            .set("MemorySize", self.memory)
            .set("Timeout", self.timeout)
            .set_some("EphemeralStorage", self.storage.map(storage))
            .set_some("ReservedConcurrentExecutions", self.concurrency)
            .set_filled("Environment", self.variables("Variables"))
            .set_some("KmsKeyArn", self.key.map(KeyRef::arn))
            .set_filled("Layers", Value::list(&self.layers))
            .set_some("VpcConfig", self.network(["SubnetIds", "SecurityGroupIds"], "Ipv6AllowedForDualStack"))
            .set(
                "LoggingConfig",
                self.logging.properties(["LogFormat", "ApplicationLogLevel", "SystemLogLevel", "LogGroup"]),
            )
            .set_some("TracingConfig", self.tracing("Mode"))
            .set_some("DeadLetterConfig", self.dead_letters.as_ref().map(target))
            .set_some("CodeSigningConfigArn", self.signing.as_ref())
    }

    fn terraform(&self) -> Properties {
        let properties = Properties::default()
            .set_some("function_name", self.name.as_ref())
            .set_some("description", self.description.clone().map(Cow::into_owned))
            .set_some("role", self.role.map(RoleRef::arn));
        let properties = match &self.package {
            Package::Zip { code, runtime, handler } => {
                code.terraform(properties.set("runtime", runtime.name()).set("handler", handler.clone().into_owned()))
            }
            Package::Image(image) => properties
                .set("package_type", "Image")
                .set("image_uri", image.uri())
                .set_filled("image_config", image.settings(["entry_point", "command", "working_directory"])),
        };
        let storage = |size| Properties::default().set("size", size);
        let target = |to: &Destination| Properties::default().set("target_arn", to.arn());
        properties
            .set("architectures", [self.architecture.name()])
            .set("memory_size", self.memory)
            .set("timeout", self.timeout)
            .set_some("ephemeral_storage", self.storage.map(storage))
            .set_some("reserved_concurrent_executions", self.concurrency)
            .set_filled("environment", self.variables("variables"))
            .set_some("kms_key_arn", self.key.map(KeyRef::arn))
            .set_filled("layers", Value::list(&self.layers))
            .set_some("vpc_config", self.network(["subnet_ids", "security_group_ids"], "ipv6_allowed_for_dual_stack"))
            .set(
                "logging_config",
                self.logging.properties(["log_format", "application_log_level", "system_log_level", "log_group"]),
            )
            .set_some("tracing_config", self.tracing("mode"))
            .set_some("dead_letter_config", self.dead_letters.as_ref().map(target))
            .set_some("code_signing_config_arn", self.signing.as_ref())
    }
}

impl Function {
    fn variables(&self, name: &'static str) -> Properties {
        Properties::default().set_filled(name, self.environment.properties())
    }

    fn network(&self, names: [&'static str; 2], dual_stack: &'static str) -> Option<Properties> {
        let network = self.network.as_ref()?;
        Some(network.properties(names).set_some(dual_stack, self.is_dual_stack.then_some(true)))
    }

    fn tracing(&self, mode: &'static str) -> Option<Properties> {
        self.is_traced.then(|| Properties::default().set(mode, "Active"))
    }
}
