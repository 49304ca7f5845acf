//! Images that are built as a part of a deployment.

use super::{
    DistributionConfiguration, DistributionConfigurationRef, ImageRecipeRef, InfrastructureConfigurationRef,
    check_tests, pipeline::enabled,
};
use crate::{
    services::units::Minutes,
    tree::{Access, Arn, Attribute, Construct, Handle, Id, NodeRef, Properties, Ref, Resource, Stack, Types},
};

/// An image that is built while the stack is deployed, which waits for it: twenty minutes and more. Another version
/// of the recipe builds another image. What is installed in it isn't listed, as the instance would need rights to
/// write an inventory.
///
/// ```
/// use constructs::{services::imagebuilder::{Image, ImageRecipeRef, InfrastructureConfigurationRef}, tree::Stack};
/// fn bake(stack: &mut Stack, recipe: ImageRecipeRef, workshop: InfrastructureConfigurationRef) {
///     let image = stack.add("Ingester", Image::of(recipe, workshop));
///     stack.output("ImageId", image.ami());
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Image {
    recipe: ImageRecipeRef,
    infrastructure: InfrastructureConfigurationRef,
    distribution: Option<DistributionConfigurationRef>,
    tests: Option<Minutes>,
    scanned: bool,
    within: Minutes,
}

impl Image {
    /// Builds an image of a recipe.
    pub fn of(recipe: ImageRecipeRef, infrastructure: InfrastructureConfigurationRef) -> Self {
        Self { recipe, infrastructure, distribution: None, tests: None, scanned: false, within: Minutes(120) }
    }

    /// Where the image goes: one region, as [`ImageRef::ami`] has one id. Left out, it stays in this region and
    /// account.
    pub fn distributed(mut self, distribution: DistributionConfigurationRef) -> Self {
        self.distribution = Some(distribution);
        self
    }

    /// How long tests of the image may take, 60 to 1440 minutes. Defaults to 720.
    pub fn tested_within(mut self, time: Minutes) -> Self {
        self.tests = Some(time);
        self
    }

    /// Lets Amazon Inspector look at the image; Inspector must be switched on.
    pub fn scanned(mut self) -> Self {
        self.scanned = true;
        self
    }

    /// How long Terraform waits for it. Defaults to 120 minutes.
    pub fn built_within(mut self, time: Minutes) -> Self {
        self.within = time;
        self
    }
}

impl Construct for Image {
    type Handle = ImageRef;

    fn build(self, stack: &mut Stack) -> ImageRef {
        check_tests(stack, self.tests);
        let regions = self
            .distribution
            .and_then(|distribution| stack.edit::<DistributionConfiguration>(distribution.node()))
            .map_or(1, |distribution| distribution.regions());
        if regions > 1 {
            stack.problem(format!(
                "an image of a deployment goes to one region, not {regions}; take a pipeline for more"
            ));
        }
        ImageRef { node: stack.resource(self) }
    }
}

// ---------------------------------------------------------------------------------------------------

/// An [`Image`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct ImageRef {
    node: NodeRef,
}

impl ImageRef {
    /// The Image Builder image's ARN, which a recipe can take as its parent.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::GetAtt("Arn")))
    }

    /// The machine image's id, for instances and launch templates.
    pub fn ami(self) -> Ref<Id> {
        // The images are a set, which has no index; the old splat makes a list, and the index is the list's.
        Ref::new(self.node, Attribute::id("output_resources[0].amis.*.image[0]", Access::GetAtt("ImageId")))
    }
}

impl Handle for ImageRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Image {
    fn types(&self) -> Types {
        Types::new("imagebuilder", "aws_imagebuilder_image", "AWS::ImageBuilder::Image")
    }

    fn cloudformation(&self) -> Properties {
        let tests = Properties::default().set("ImageTestsEnabled", true).set_some("TimeoutMinutes", self.tests);
        Properties::default()
            .set("ImageRecipeArn", self.recipe.arn())
            .set("InfrastructureConfigurationArn", self.infrastructure.arn())
            .set_some("DistributionConfigurationArn", self.distribution.map(DistributionConfigurationRef::arn))
            .set("EnhancedImageMetadataEnabled", false)
            .set("ImageTestsConfiguration", tests)
            .set_filled("ImageScanningConfiguration", enabled("ImageScanningEnabled", self.scanned))
    }

    fn terraform(&self) -> Properties {
        let tests = Properties::default().set("image_tests_enabled", true).set_some("timeout_minutes", self.tests);
        Properties::default()
            .set("image_recipe_arn", self.recipe.arn())
            .set("infrastructure_configuration_arn", self.infrastructure.arn())
            .set_some("distribution_configuration_arn", self.distribution.map(DistributionConfigurationRef::arn))
            .set("enhanced_image_metadata_enabled", false)
            .set("image_tests_configuration", tests)
            .set_filled("image_scanning_configuration", enabled("image_scanning_enabled", self.scanned))
            .set("timeouts", Properties::default().set("create", format!("{}m", self.within.0)))
            // Instances run on the old image until the new one is there.
            .set("lifecycle", Properties::default().set("create_before_destroy", true))
    }
}
