//! Models of the Hugging Face hub.

use std::borrow::Cow;

use crate::tree::{Stack, Text};

/// A public model of the Hugging Face hub, which the container fetches when it starts.
///
/// ```
/// use constructs::services::sagemaker::HubModel;
/// let finbert = HubModel::new("ProsusAI/finbert")
///     .revision("4556d13015211d73dccd3fdd39d39232506f3e43")
///     .task("text-classification");
/// ```
#[derive(Debug, Clone)]
pub struct HubModel {
    id: Cow<'static, str>,
    revision: Option<Cow<'static, str>>,
    task: Option<Cow<'static, str>>,
}

impl HubModel {
    /// A model by its id, `owner/name`.
    pub fn new(id: impl Into<Cow<'static, str>>) -> Self {
        Self { id: id.into(), revision: None, task: None }
    }

    /// The commit, branch or tag. Left out, every start takes what `main` holds then, so that two instances of
    /// one endpoint may differ: give a commit.
    pub fn revision(mut self, revision: impl Into<Cow<'static, str>>) -> Self {
        self.revision = Some(revision.into());
        self
    }

    /// What it is asked to do, such as `text-classification`. Left out, the container takes the hub's word.
    pub fn task(mut self, task: impl Into<Cow<'static, str>>) -> Self {
        self.task = Some(task.into());
        self
    }
}

impl HubModel {
    pub(super) fn check(&self, stack: &mut Stack) {
        let letters = |part: &str| {
            !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
        };
        let parts = self.id.split('/').count();
        if parts > 2 || !self.id.split('/').all(letters) {
            stack.problem(format!("the hub's model `{}` must be `owner/name`", self.id));
        }
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, Text)> {
        let text = |value: &Cow<'static, str>| Text::from(value.clone().into_owned());
        let id = Some(("HF_MODEL_ID", text(&self.id)));
        let revision = self.revision.as_ref().map(|revision| ("HF_MODEL_REVISION", text(revision)));
        let task = self.task.as_ref().map(|task| ("HF_TASK", text(task)));
        id.into_iter().chain(revision).chain(task)
    }
}
