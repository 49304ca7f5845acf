//! Pipelines: images that are built again and again.

use std::borrow::Cow;

use super::{DistributionConfigurationRef, ImageRecipeRef, InfrastructureConfigurationRef, check_name, check_tests};
use crate::{
    policy::{Grant, Statement},
    services::units::Minutes,
    tree::{Access, Arn, Attribute, Construct, Handle, NodeRef, Properties, Ref, Resource, Stack, Text, Types},
};

/// When a pipeline looks whether there is something to build.
///
/// ```
/// use constructs::services::imagebuilder::Schedule;
/// let mondays = Schedule::cron("0 6 ? * mon *").in_timezone("Europe/Berlin");
/// ```
#[derive(Debug, Clone)]
pub struct Schedule {
    expression: Cow<'static, str>,
    timezone: Option<Cow<'static, str>>,
    always: bool,
}

impl Schedule {
    /// Six fields: minute, hour, day, month, day of the week, year; one of the two days is `?`. It builds when the
    /// parent image or a component has a newer version than the last time.
    pub fn cron(fields: impl Into<Cow<'static, str>>) -> Self {
        Self { expression: fields.into(), timezone: None, always: false }
    }

    /// The time zone, such as `Europe/Berlin`. Defaults to UTC.
    pub fn in_timezone(mut self, timezone: impl Into<Cow<'static, str>>) -> Self {
        self.timezone = Some(timezone.into());
        self
    }

    /// Builds even when nothing is newer.
    pub fn even_without_updates(mut self) -> Self {
        self.always = true;
        self
    }

    fn check(&self, stack: &mut Stack) {
        let fields: Vec<&str> = self.expression.split(' ').collect();
        let letters = |field: &&str| {
            !field.is_empty() && field.chars().all(|letter| letter.is_ascii_alphanumeric() || ",-*?/#".contains(letter))
        };
        if fields.len() != 6 || !fields.iter().all(letters) {
            stack.problem(format!(
                "the schedule `{}` must have six fields: minute, hour, day, month, day of the week, year",
                self.expression
            ));
        } else if (fields[2] == "?") == (fields[4] == "?") {
            stack.problem(format!(
                "the schedule `{}` needs a `?` as its day or as its day of the week, and not as both",
                self.expression
            ));
        }
    }

    fn expression(&self) -> String {
        format!("cron({})", self.expression)
    }

    fn condition(&self) -> &'static str {
        if self.always { "EXPRESSION_MATCH_ONLY" } else { "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE" }
    }
}

/// A pipeline. Without a schedule it builds when it is told to.
///
/// ```
/// use constructs::{services::imagebuilder::{ImagePipeline, ImageRecipeRef, InfrastructureConfigurationRef, Schedule}, tree::Stack};
/// fn bake(stack: &mut Stack, recipe: ImageRecipeRef, workshop: InfrastructureConfigurationRef) {
///     stack.add("Bakery", ImagePipeline::of(recipe, workshop).scheduled(Schedule::cron("0 6 ? * mon *")));
/// }
/// ```
#[derive(Debug, Clone)]
pub struct ImagePipeline {
    recipe: ImageRecipeRef,
    infrastructure: InfrastructureConfigurationRef,
    distribution: Option<DistributionConfigurationRef>,
    schedule: Option<Schedule>,
    tests: Option<Minutes>,
    scanned: bool,
    disabled: bool,
    description: Option<Cow<'static, str>>,
    name: Option<Text>,
}

impl ImagePipeline {
    /// Builds images of a recipe.
    pub fn of(recipe: ImageRecipeRef, infrastructure: InfrastructureConfigurationRef) -> Self {
        Self {
            recipe,
            infrastructure,
            distribution: None,
            schedule: None,
            tests: None,
            scanned: false,
            disabled: false,
            description: None,
            name: None,
        }
    }

    /// Where the images go. Left out, they stay in this region and account.
    pub fn distributed(mut self, distribution: DistributionConfigurationRef) -> Self {
        self.distribution = Some(distribution);
        self
    }

    /// When it builds by itself.
    pub fn scheduled(mut self, schedule: Schedule) -> Self {
        self.schedule = Some(schedule);
        self
    }

    /// How long tests of an image may take, 60 to 1440 minutes. Defaults to 720.
    pub fn tested_within(mut self, time: Minutes) -> Self {
        self.tests = Some(time);
        self
    }

    /// Lets Amazon Inspector look at every image before it is distributed; Inspector must be switched on.
    pub fn scanned(mut self) -> Self {
        self.scanned = true;
        self
    }

    /// Ignores its schedule.
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    /// What it is for, up to 1024 letters.
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Another name than the one made from the path, 3 to 126 letters.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl Construct for ImagePipeline {
    type Handle = ImagePipelineRef;

    fn build(mut self, stack: &mut Stack) -> ImagePipelineRef {
        let name = self.name.get_or_insert_with(|| stack.physical_name().into());
        check_name(stack, "pipeline", name);
        check_tests(stack, self.tests);
        if let Some(schedule) = &self.schedule {
            schedule.check(stack);
        }
        ImagePipelineRef { node: stack.resource(self) }
    }
}

// ---------------------------------------------------------------------------------------------------

/// An [`ImagePipeline`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct ImagePipelineRef {
    node: NodeRef,
}

impl ImagePipelineRef {
    /// The pipeline's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::GetAtt("Arn")))
    }

    /// May start a build.
    pub fn start(self) -> Grant {
        Statement::allow(["imagebuilder:GetImagePipeline", "imagebuilder:StartImagePipelineExecution"])
            .on(self.arn())
            .into()
    }
}

impl Handle for ImagePipelineRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for ImagePipeline {
    fn types(&self) -> Types {
        Types::new("imagebuilder", "aws_imagebuilder_image_pipeline", "AWS::ImageBuilder::ImagePipeline")
    }

    fn cloudformation(&self) -> Properties {
        let schedule = self.schedule.as_ref().map(|schedule| {
            Properties::default()
                .set("ScheduleExpression", schedule.expression())
                .set_some("Timezone", schedule.timezone.clone().map(Cow::into_owned))
                .set("PipelineExecutionStartCondition", schedule.condition())
        });
        let tests = Properties::default().set("ImageTestsEnabled", true).set_some("TimeoutMinutes", self.tests);
        Properties::default()
            .set_some("Name", self.name.as_ref())
            .set_some("Description", self.description.clone().map(Cow::into_owned))
            .set("ImageRecipeArn", self.recipe.arn())
            .set("InfrastructureConfigurationArn", self.infrastructure.arn())
            .set_some("DistributionConfigurationArn", self.distribution.map(DistributionConfigurationRef::arn))
            .set_some("Schedule", schedule)
            .set("EnhancedImageMetadataEnabled", false)
            .set("ImageTestsConfiguration", tests)
            .set_filled("ImageScanningConfiguration", enabled("ImageScanningEnabled", self.scanned))
            .set("Status", self.status())
    }

    fn terraform(&self) -> Properties {
        let schedule = self.schedule.as_ref().map(|schedule| {
            Properties::default()
                .set("schedule_expression", schedule.expression())
                .set_some("timezone", schedule.timezone.clone().map(Cow::into_owned))
                .set("pipeline_execution_start_condition", schedule.condition())
        });
        let tests = Properties::default().set("image_tests_enabled", true).set_some("timeout_minutes", self.tests);
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set_some("description", self.description.clone().map(Cow::into_owned))
            .set("image_recipe_arn", self.recipe.arn())
            .set("infrastructure_configuration_arn", self.infrastructure.arn())
            .set_some("distribution_configuration_arn", self.distribution.map(DistributionConfigurationRef::arn))
            .set_some("schedule", schedule)
            .set("enhanced_image_metadata_enabled", false)
            .set("image_tests_configuration", tests)
            .set_filled("image_scanning_configuration", enabled("image_scanning_enabled", self.scanned))
            .set("status", self.status())
    }
}

impl ImagePipeline {
    fn status(&self) -> &'static str {
        if self.disabled { "DISABLED" } else { "ENABLED" }
    }
}

/// One switch that is on, or nothing.
pub(super) fn enabled(name: &'static str, on: bool) -> Properties {
    Properties::default().set_some(name, on.then_some(true))
}
