//! The function that is invoked.

use bytes::Bytes;

/// Something that runs a function.
///
/// ```
/// use bytes::Bytes;
/// use local::event_source::{Invoke, Invoked};
///
/// struct Echo;
///
/// impl Invoke for Echo {
///     async fn invoke(&self, event: Bytes) -> Invoked {
///         match event.len() {
///             0 => Invoked::Failed { kind: "Runtime.Empty".into(), message: "no event".into() },
///             _ => Invoked::Answered(Bytes::from_static(b"null")),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(message = "`{Self}` can't be invoked; implement `Invoke` for it")]
pub trait Invoke: Send + Sync + 'static {
    /// Runs the function with an event and waits for its answer. As many run at once as there are lanes: shards times
    /// [`parallelization_factor`](super::Mapping::parallelization_factor).
    fn invoke(&self, event: Bytes) -> impl Future<Output = Invoked> + Send;
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invoked {
    /// The function answered.
    Answered(Bytes),
    /// The function failed, took too long, or crashed. It counts as an attempt.
    Failed {
        /// `errorType`.
        kind: String,
        /// `errorMessage`.
        message: String,
    },
    /// The function was not run, and why: throttled, or not there. It is tried again until the records are too old, and
    /// doesn't count as an attempt.
    NotRun(String),
}
