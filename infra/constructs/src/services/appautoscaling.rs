//! Application Auto Scaling: capacity that follows what is asked of it, within bounds.

use super::{
    sagemaker::{EndpointRef, Serves, VariantRef},
    units::Seconds,
};
use crate::tree::{
    Access, Arn, Attribute, Construct, Handle, NodeRef, Other, Properties, Ref, Resource, Stack, Text, Types,
};

/// Something whose capacity can follow the demand: a variant of an endpoint, a table's throughput, a function's
/// provisioned concurrency.
#[derive(Debug, Clone)]
pub struct Target {
    kind: Kind,
    resource_id: Text,
    variant: Option<VariantRef>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Instances of an endpoint's variant, and whether they work from S3 to S3.
    Instances {
        asynchronous: bool,
    },
    /// What a serverless endpoint keeps warm.
    WarmVariant,
    /// A serverless endpoint that keeps nothing warm.
    ColdVariant,
    TableReads,
    TableWrites,
    Function,
}

impl Target {
    /// What a table reads in a second, if its capacity is provisioned; by the table's name.
    pub fn table_reads(table: impl Into<Text>) -> Self {
        Self { kind: Kind::TableReads, resource_id: Text::from("table/") + table, variant: None }
    }

    /// What a table writes in a second, if its capacity is provisioned; by the table's name.
    pub fn table_writes(table: impl Into<Text>) -> Self {
        Self { kind: Kind::TableWrites, resource_id: Text::from("table/") + table, variant: None }
    }

    /// How many environments of a function are kept warm, by the function's name and an alias or version of it.
    pub fn provisioned_concurrency(function: impl Into<Text>, alias: impl Into<Text>) -> Self {
        let resource_id = Text::from("function:") + function + ":" + alias;
        Self { kind: Kind::Function, resource_id, variant: None }
    }
}

impl From<VariantRef> for Target {
    fn from(variant: VariantRef) -> Self {
        let kind = match variant.endpoint.serves {
            Serves::OnInstances | Serves::Unknown => Kind::Instances { asynchronous: false },
            Serves::Asynchronously => Kind::Instances { asynchronous: true },
            Serves::Warm => Kind::WarmVariant,
            Serves::OnDemand => Kind::ColdVariant,
        };
        let resource_id = Text::from("endpoint/") + variant.endpoint.name() + "/variant/" + variant.name;
        Self { kind, resource_id, variant: Some(variant) }
    }
}

impl From<EndpointRef> for Target {
    fn from(endpoint: EndpointRef) -> Self {
        VariantRef::from(endpoint).into()
    }
}

impl Kind {
    fn namespace(self) -> &'static str {
        match self {
            Self::Instances { .. } | Self::WarmVariant | Self::ColdVariant => "sagemaker",
            Self::TableReads | Self::TableWrites => "dynamodb",
            Self::Function => "lambda",
        }
    }

    fn dimension(self) -> &'static str {
        match self {
            Self::Instances { .. } => "sagemaker:variant:DesiredInstanceCount",
            Self::WarmVariant | Self::ColdVariant => "sagemaker:variant:DesiredProvisionedConcurrency",
            Self::TableReads => "dynamodb:table:ReadCapacityUnits",
            Self::TableWrites => "dynamodb:table:WriteCapacityUnits",
            Self::Function => "lambda:function:ProvisionedConcurrency",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Instances { .. } => "a variant on instances",
            Self::WarmVariant | Self::ColdVariant => "a serverless variant",
            Self::TableReads | Self::TableWrites => "a table",
            Self::Function => "a function",
        }
    }
}

/// What is kept near its target.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Metric {
    InvocationsPerInstance(f64),
    ConcurrentRequestsPerModel(f64),
    BacklogPerInstance(f64),
    Utilization(u32),
}

/// Scaling of a target: bounds, and what is tracked.
///
/// Application Auto Scaling makes two alarms of its own for it, and its service-linked role does the work.
///
/// ```
/// use constructs::{services::{appautoscaling::Scaling, sagemaker::{Endpoint, Instances, ModelRef}}, tree::Stack};
/// fn serve(stack: &mut Stack, model: ModelRef) {
///     let sentiment = stack.add("Sentiment", Endpoint::serving(model).on_instances(Instances::of("ml.m5.large")));
///     stack.add("Scaling", Scaling::of(sentiment).between(1, 4).invocations_per_instance(750.0));
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Scaling {
    target: Target,
    bounds: (u32, u32),
    metric: Option<Metric>,
    scale_in_cooldown: Option<Seconds>,
    scale_out_cooldown: Option<Seconds>,
    only_out: bool,
    name: Option<Text>,
}

impl Scaling {
    /// Scaling of an endpoint, one of its variants, or another [`Target`]. From 1 to 1 until
    /// [`Scaling::between`] says more.
    pub fn of(target: impl Into<Target>) -> Self {
        Self {
            target: target.into(),
            bounds: (1, 1),
            metric: None,
            scale_in_cooldown: None,
            scale_out_cooldown: None,
            only_out: false,
            name: None,
        }
    }

    /// The least and the most. At least 1, but 0 for asynchronous endpoints and functions.
    pub fn between(mut self, least: u32, most: u32) -> Self {
        self.bounds = (least, most);
        self
    }

    /// Keeps each instance of a variant at so many requests a minute.
    pub fn invocations_per_instance(mut self, per_minute: f64) -> Self {
        self.metric = Some(Metric::InvocationsPerInstance(per_minute));
        self
    }

    /// Keeps each copy of a variant's model at so many requests at once. Measured every ten seconds, so it follows
    /// sooner than requests a minute.
    pub fn concurrent_requests_per_model(mut self, requests: f64) -> Self {
        self.metric = Some(Metric::ConcurrentRequestsPerModel(requests));
        self
    }

    /// Keeps so many requests waiting for each instance of an asynchronous endpoint.
    pub fn backlog_per_instance(mut self, requests: f64) -> Self {
        self.metric = Some(Metric::BacklogPerInstance(requests));
        self
    }

    /// Keeps so many of a hundred in use: a table's capacity (20 to 90), what is kept warm (10 to 90).
    pub fn utilization(mut self, percent: u32) -> Self {
        self.metric = Some(Metric::Utilization(percent));
        self
    }

    /// How long after one step the next may take capacity away. Left out, the service's: 300 seconds for
    /// endpoints, none for tables and functions.
    pub fn scale_in_cooldown(mut self, cooldown: Seconds) -> Self {
        self.scale_in_cooldown = Some(cooldown);
        self
    }

    /// How long after one step the next may add capacity. Left out, as [`Scaling::scale_in_cooldown`].
    pub fn scale_out_cooldown(mut self, cooldown: Seconds) -> Self {
        self.scale_out_cooldown = Some(cooldown);
        self
    }

    /// Adds capacity and never takes it away.
    pub fn only_out(mut self) -> Self {
        self.only_out = true;
        self
    }

    /// Another name of the policy than the one made from the path.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl Construct for Scaling {
    type Handle = ScalingRef;

    fn build(self, stack: &mut Stack) -> ScalingRef {
        self.check(stack);
        let name = self.name.clone().unwrap_or_else(|| stack.physical_name().into());
        let metric = self.metric;
        let scalable = ScalableTarget {
            kind: self.target.kind,
            resource_id: self.target.resource_id.clone(),
            bounds: self.bounds,
        };
        let target = ScalingRef { node: stack.resource(scalable) };
        match metric {
            Some(metric) => {
                stack.child("Policy", Policy { name, target, metric, scaling: self });
            }
            None => stack.problem("nothing is tracked; say what, as with `invocations_per_instance(750.0)`"),
        }
        target
    }
}

impl Scaling {
    fn check(&self, stack: &mut Stack) {
        let kind = self.target.kind;
        if let Some(variant) = self.target.variant
            && let Some(known) = variant.unknown_among(stack)
        {
            stack.problem(format!("the endpoint has no variant `{}`; it has {}", variant.name, known.join(", ")));
        }
        if kind == Kind::ColdVariant {
            stack.problem(
                "a serverless endpoint scales by itself; only what `Serverless::provisioned` keeps warm can be scaled",
            );
        }
        let (least, most) = self.bounds;
        if least > most || most == 0 {
            stack.problem(format!(
                "scaling between {least} and {most}; the least must not exceed the most, and the most be at least 1"
            ));
        }
        let may_be_empty = matches!(kind, Kind::Instances { asynchronous: true } | Kind::Function);
        if least == 0 && !may_be_empty {
            stack.problem(format!("{} keeps a capacity of at least 1", kind.word()));
        }
        self.check_metric(stack);
    }

    fn check_metric(&self, stack: &mut Stack) {
        let Some(metric) = self.metric else { return };
        let kind = self.target.kind;
        let (what, fits) = match metric {
            Metric::InvocationsPerInstance(_) => {
                ("requests per instance", kind == Kind::Instances { asynchronous: false })
            }
            Metric::ConcurrentRequestsPerModel(_) => {
                ("requests per model", kind == Kind::Instances { asynchronous: false })
            }
            Metric::BacklogPerInstance(_) => ("a backlog per instance", kind == Kind::Instances { asynchronous: true }),
            Metric::Utilization(_) => ("utilization", !matches!(kind, Kind::Instances { .. })),
        };
        if !fits && kind != Kind::ColdVariant {
            let asynchronous =
                if kind == (Kind::Instances { asynchronous: true }) { " of an asynchronous endpoint" } else { "" };
            stack.problem(format!("{}{asynchronous} can't be scaled by {what}", kind.word()));
        }
        match metric {
            Metric::Utilization(percent) => {
                let allowed = if kind.namespace() == "dynamodb" { 20..=90 } else { 10..=90 };
                if !allowed.contains(&percent) {
                    let (least, most) = (allowed.start(), allowed.end());
                    stack.problem(format!(
                        "{percent} % of {} are to be used; the target is {least} to {most}",
                        kind.word()
                    ));
                }
            }
            Metric::InvocationsPerInstance(target)
            | Metric::ConcurrentRequestsPerModel(target)
            | Metric::BacklogPerInstance(target) => {
                if !target.is_finite() || target <= 0.0 {
                    stack.problem(format!("the target of {what} is {target}; it must be more than 0"));
                }
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Scaling`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct ScalingRef {
    node: NodeRef,
}

impl ScalingRef {
    /// The scalable target's ARN, which Terraform alone knows.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::None))
    }

    fn attribute(self, terraform: &'static str) -> Ref<Other> {
        Ref::new(self.node, Attribute::other(terraform, Access::Ref))
    }
}

impl Handle for ScalingRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

#[derive(Debug)]
struct ScalableTarget {
    kind: Kind,
    resource_id: Text,
    bounds: (u32, u32),
}

impl Resource for ScalableTarget {
    fn types(&self) -> Types {
        Types::new("appautoscaling", "aws_appautoscaling_target", "AWS::ApplicationAutoScaling::ScalableTarget")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("ResourceId", &self.resource_id)
            .set("ServiceNamespace", self.kind.namespace())
            .set("ScalableDimension", self.kind.dimension())
            .set("MinCapacity", self.bounds.0)
            .set("MaxCapacity", self.bounds.1)
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("resource_id", &self.resource_id)
            .set("service_namespace", self.kind.namespace())
            .set("scalable_dimension", self.kind.dimension())
            .set("min_capacity", self.bounds.0)
            .set("max_capacity", self.bounds.1)
    }
}

#[derive(Debug)]
struct Policy {
    name: Text,
    target: ScalingRef,
    metric: Metric,
    scaling: Scaling,
}

impl Policy {
    /// The predefined metric and its target. Backlogs have none.
    fn tracked(&self) -> (Option<&'static str>, f64) {
        // Tables take percent, what is kept warm a fraction of 1.
        match (self.metric, self.scaling.target.kind) {
            (Metric::InvocationsPerInstance(target), _) => (Some("SageMakerVariantInvocationsPerInstance"), target),
            (Metric::ConcurrentRequestsPerModel(target), _) => {
                (Some("SageMakerVariantConcurrentRequestsPerModelHighResolution"), target)
            }
            (Metric::BacklogPerInstance(target), _) => (None, target),
            (Metric::Utilization(percent), Kind::TableReads) => {
                (Some("DynamoDBReadCapacityUtilization"), percent.into())
            }
            (Metric::Utilization(percent), Kind::TableWrites) => {
                (Some("DynamoDBWriteCapacityUtilization"), percent.into())
            }
            (Metric::Utilization(percent), Kind::Function) => {
                (Some("LambdaProvisionedConcurrencyUtilization"), f64::from(percent) / 100.0)
            }
            (Metric::Utilization(percent), _) => {
                (Some("SageMakerVariantProvisionedConcurrencyUtilization"), f64::from(percent) / 100.0)
            }
        }
    }

    /// The endpoint whose backlog is tracked.
    fn endpoint(&self) -> Option<EndpointRef> {
        self.scaling.target.variant.map(|variant| variant.endpoint)
    }
}

impl Resource for Policy {
    fn types(&self) -> Types {
        Types::new("appautoscaling", "aws_appautoscaling_policy", "AWS::ApplicationAutoScaling::ScalingPolicy")
    }

    fn cloudformation(&self) -> Properties {
        let (predefined, value) = self.tracked();
        let tracking = Properties::default().set("TargetValue", value);
        let tracking = match predefined {
            Some(metric) => {
                tracking.set("PredefinedMetricSpecification", Properties::default().set("PredefinedMetricType", metric))
            }
            None => {
                let of = |endpoint: EndpointRef| {
                    [Properties::default().set("Name", "EndpointName").set("Value", endpoint.name())]
                };
                let backlog = Properties::default()
                    .set("Namespace", "AWS/SageMaker")
                    .set("MetricName", "ApproximateBacklogSizePerInstance")
                    .set_some("Dimensions", self.endpoint().map(of))
                    .set("Statistic", "Average");
                tracking.set("CustomizedMetricSpecification", backlog)
            }
        };
        let tracking = tracking
            .set_some("ScaleInCooldown", self.scaling.scale_in_cooldown)
            .set_some("ScaleOutCooldown", self.scaling.scale_out_cooldown)
            .set_some("DisableScaleIn", self.scaling.only_out.then_some(true));
        Properties::default()
            .set("PolicyName", &self.name)
            .set("PolicyType", "TargetTrackingScaling")
            .set("ScalingTargetId", self.target.attribute("id"))
            .set("TargetTrackingScalingPolicyConfiguration", tracking)
    }

    fn terraform(&self) -> Properties {
        let (predefined, value) = self.tracked();
        let tracking = Properties::default().set("target_value", value);
        let tracking = match predefined {
            Some(metric) => tracking
                .set("predefined_metric_specification", Properties::default().set("predefined_metric_type", metric)),
            None => {
                let of = |endpoint: EndpointRef| {
                    [Properties::default().set("name", "EndpointName").set("value", endpoint.name())]
                };
                let backlog = Properties::default()
                    .set("namespace", "AWS/SageMaker")
                    .set("metric_name", "ApproximateBacklogSizePerInstance")
                    .set_some("dimensions", self.endpoint().map(of))
                    .set("statistic", "Average");
                tracking.set("customized_metric_specification", backlog)
            }
        };
        let tracking = tracking
            .set_some("scale_in_cooldown", self.scaling.scale_in_cooldown)
            .set_some("scale_out_cooldown", self.scaling.scale_out_cooldown)
            .set_some("disable_scale_in", self.scaling.only_out.then_some(true));
        Properties::default()
            .set("name", &self.name)
            .set("policy_type", "TargetTrackingScaling")
            .set("resource_id", self.target.attribute("resource_id"))
            .set("service_namespace", self.target.attribute("service_namespace"))
            .set("scalable_dimension", self.target.attribute("scalable_dimension"))
            .set("target_tracking_scaling_policy_configuration", tracking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::{
            sagemaker::{Asynchronous, Endpoint, EndpointConfiguration, Image, Instances, Model, ModelRef, Serverless},
            units::Mib,
        },
        testing::{check_stack, problems},
    };

    fn model(stack: &mut Stack) -> ModelRef {
        let image = Image::uri("111122223333.dkr.ecr.eu-west-1.amazonaws.com/sentiment:7");
        stack.add("Finbert", Model::container(image))
    }

    fn on_instances(stack: &mut Stack) -> EndpointRef {
        let model = model(stack);
        stack.add("Sentiment", Endpoint::serving(model).on_instances(Instances::of("ml.m5.large")))
    }

    fn serverless(stack: &mut Stack, provisioned: Option<u32>) -> EndpointRef {
        let model = model(stack);
        let serverless = Serverless::of(Mib(4096), 20);
        let serverless = provisioned.into_iter().fold(serverless, Serverless::provisioned);
        stack.add("Sentiment", Endpoint::serving(model).serverless(serverless))
    }

    fn asynchronous(stack: &mut Stack) -> EndpointRef {
        let model = model(stack);
        let configuration = EndpointConfiguration::on_instances(model, Instances::of("ml.m5.large"))
            .asynchronous(Asynchronous::between("s3://news/in", "s3://news/out"));
        stack.add("Archive", Endpoint::configured(configuration))
    }

    #[test]
    fn renderings() {
        check_stack("appautoscaling_instances", |stack| {
            let endpoint = on_instances(stack);
            stack.add("Scaling", Scaling::of(endpoint).between(1, 4).invocations_per_instance(750.0));
        });
        check_stack("appautoscaling_concurrent_requests", |stack| {
            let endpoint = stack.add("Sentiment", Endpoint::existing("sentiment"));
            let scaling = Scaling::of(endpoint.variant("AllTraffic"))
                .between(2, 8)
                .concurrent_requests_per_model(4.0)
                .scale_in_cooldown(Seconds(600))
                .scale_out_cooldown(Seconds(30));
            stack.add("Scaling", scaling);
        });
        check_stack("appautoscaling_serverless", |stack| {
            let endpoint = serverless(stack, Some(2));
            stack.add("Scaling", Scaling::of(endpoint).between(2, 10).utilization(70));
        });
        check_stack("appautoscaling_asynchronous", |stack| {
            let endpoint = asynchronous(stack);
            stack.add("Scaling", Scaling::of(endpoint).between(0, 3).backlog_per_instance(5.0));
        });
        check_stack("appautoscaling_table_and_function", |stack| {
            stack.add("Reads", Scaling::of(Target::table_reads("articles")).between(5, 100).utilization(70));
            stack
                .add("Writes", Scaling::of(Target::table_writes("articles")).between(5, 50).utilization(70).only_out());
            stack.add(
                "Enrich",
                Scaling::of(Target::provisioned_concurrency("enrich", "live")).between(1, 9).utilization(80),
            );
        });
    }

    #[test]
    fn scaling_that_cannot_be() {
        let cases: [(fn(&mut Stack) -> Scaling, &str); 10] = [
            (
                |stack| Scaling::of(on_instances(stack)).between(4, 1).invocations_per_instance(1.0),
                "scaling between 4 and 1",
            ),
            (
                |stack| Scaling::of(on_instances(stack)).between(0, 1).invocations_per_instance(1.0),
                "keeps a capacity of at least 1",
            ),
            (|stack| Scaling::of(on_instances(stack)).between(1, 4), "nothing is tracked"),
            (
                |stack| Scaling::of(on_instances(stack)).invocations_per_instance(0.0),
                "requests per instance is 0; it must be more",
            ),
            (
                |stack| Scaling::of(on_instances(stack)).utilization(50),
                "a variant on instances can't be scaled by utilization",
            ),
            (
                |stack| Scaling::of(on_instances(stack).variant("b")).invocations_per_instance(1.0),
                "no variant `b`; it has primary",
            ),
            (|stack| Scaling::of(serverless(stack, None)).utilization(50), "a serverless endpoint scales by itself"),
            (
                |stack| Scaling::of(serverless(stack, Some(1))).invocations_per_instance(9.0),
                "a serverless variant can't be scaled by requests",
            ),
            (
                |stack| Scaling::of(asynchronous(stack)).invocations_per_instance(9.0),
                "of an asynchronous endpoint can't be scaled",
            ),
            (
                |_| Scaling::of(Target::table_reads("news")).utilization(10),
                "10 % of a table are to be used; the target is 20 to 90",
            ),
        ];
        for (make, expected) in cases {
            let found = problems(|stack| {
                let scaling = make(stack);
                stack.add("Scaling", scaling);
            });
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }
}
