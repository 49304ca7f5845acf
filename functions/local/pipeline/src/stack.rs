//! The stack of `newsloom.toml`, read the way AWS reads it: the CloudFormation template that `make synth` writes.
//!
//! A [`Stack`] is the template; [`Made`] is what exists of it, by logical id, and resolves the template's references.

mod made;

use std::collections::BTreeMap;

use pipeline::{Assets, Format, Options, Problems};
use serde::Deserialize;
use serde_json::Value;
use settings::{Broker, Layout, ManagedBroker, Settings};

pub use made::{Made, Physical, Unresolved};

/// What is to be made, and what it says about itself afterwards.
///
/// ```
/// let settings = settings::Settings::from_toml("newsloom.toml", include_str!("../../../../newsloom.toml"))?;
/// let stack = local_pipeline::stack::Stack::of(&settings)?;
/// assert_eq!(stack.of_type("AWS::Lambda::EventSourceMapping").count(), 2);
/// # Ok::<(), settings::Problems>(())
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Stack {
    resources: BTreeMap<String, Resource>,
    outputs: BTreeMap<String, Output>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default)]
    properties: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    value: Value,
}

impl Stack {
    /// What the settings describe, as one stack, with a broker of its own: one that exists elsewhere is not this
    /// machine's to publish to.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn of(settings: &Settings) -> Result<Self, Problems> {
        let settings = at_home(settings);
        let options = Options {
            stages: std::collections::BTreeSet::new(),
            format: Format::CloudFormation,
            assets: Assets::placeholders(),
        };
        let synthesized = pipeline::synth(&settings, &options)?;
        let template = synthesized.rendered.files().find(|(path, _)| path.ends_with(".template.json"));
        let (path, text) = template.ok_or_else(|| Problems::of("the stack", "has no CloudFormation template"))?;
        serde_json::from_str(text).map_err(|error| Problems::of(path, format!("can't be read: {error}")))
    }

    /// The resources of a type, `AWS::Kinesis::Stream`, with their logical ids and properties, in the order of the ids.
    pub fn of_type(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let of_it = self.resources.iter().filter(move |(_, resource)| resource.kind == kind);
        of_it.map(|(id, resource)| (id.as_str(), &resource.properties))
    }

    /// What the stack says about itself, of what exists: outputs that need anything else are left out.
    pub fn outputs(&self, made: &Made) -> BTreeMap<String, String> {
        let resolved = self.outputs.iter().filter_map(|(name, output)| {
            let value = made.resolve(&output.value).ok()?;
            Some((name.clone(), value.as_str()?.to_owned()))
        });
        resolved.collect()
    }
}

fn at_home(settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    settings.stages = Layout::Together;
    local::REGION.clone_into(&mut settings.region);
    if let Broker::Existing(_) = settings.redistribution.broker {
        settings.redistribution.broker = Broker::Single(ManagedBroker::default());
    }
    settings
}
