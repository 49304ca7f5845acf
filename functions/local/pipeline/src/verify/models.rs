//! Which model judges which language.

use news::settings::ANY_LANGUAGE;
use settings::{Endpoint, Settings};

/// Which model judges which language, as items will say.
///
/// ```
/// use local_pipeline::verify::{Model, Models};
///
/// let finbert = Model { name: "ProsusAI/finbert".into(), version: "main".into() };
/// let models = Models::default().with(["en"], finbert.clone());
/// assert_eq!(models.of("en"), Some(&finbert));
/// assert_eq!(models.of("mi"), None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Models(Vec<(Vec<String>, Model)>);

/// A model, as items name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// `ProsusAI/finbert`.
    pub name: String,
    /// Which version of it.
    pub version: String,
}

impl Models {
    /// Those of the settings' routes.
    pub fn of_settings(settings: &Settings) -> Self {
        settings.enrichment.routes.iter().fold(Self::default(), |models, route| {
            let (name, version) = match &route.endpoint {
                Endpoint::Serverless(endpoint) => (endpoint.model.id(), endpoint.model.version()),
                Endpoint::Instances(endpoint) => (endpoint.model.id(), endpoint.model.version()),
                Endpoint::Existing(endpoint) => (endpoint.model.as_str(), endpoint.model_version.as_str()),
            };
            models.with(&route.languages, Model { name: name.into(), version: version.into() })
        })
    }

    /// And this one for these languages; `*` for all that no other is for.
    pub fn with<L: ToString>(mut self, languages: impl IntoIterator<Item = L>, model: Model) -> Self {
        self.0.push((languages.into_iter().map(|language| language.to_string()).collect(), model));
        self
    }

    /// The model of a language, in lower case.
    pub fn of(&self, language: &str) -> Option<&Model> {
        let named = |name: &str| self.0.iter().find(|(languages, _)| languages.iter().any(|own| own == name));
        named(language).or_else(|| named(ANY_LANGUAGE)).map(|(_, model)| model)
    }

    /// Whether the model of a language judges no other.
    pub fn is_alone(&self, language: &str) -> bool {
        self.0.iter().any(|(languages, _)| *languages == [language])
    }
}
