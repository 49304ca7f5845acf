//! What each function is told through its environment.
//!
//! One struct per function, for both sides. The stack fills it with values and references
//! (`EnrichSettings<Text>`) and writes [`EnrichSettings::into_variables`] into the function's
//! environment; the runtime reads it back as `EnrichSettings<String>`. Both directions name every
//! field, so a setting that is added and not written, or not read, does not compile. The ingester has no environment of the
//! stack's making: it is told by a file, [`IngesterSettings`].

mod enrich;
mod error;
mod ingester;
mod publish;
mod variables;

pub use enrich::{ANY_LANGUAGE, EnrichSettings, Route};
pub use error::SettingsError;
pub use ingester::IngesterSettings;
pub use publish::PublishSettings;

use variables::{Reader, Writer};
