//! What goes wrong in a pipeline's life, made to happen.

use std::time::Duration;

use local::lambda::Lambda;
use simulator::Cut;

use crate::Pipeline;

/// Something that goes wrong, and ends again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The broker is killed and started again, some five seconds later.
    BrokerRestarted,
    /// The table throttles every request for three seconds.
    TableThrottled,
    /// Connections to the models' endpoint break for three seconds.
    EndpointDown,
    /// Every execution environment of both functions is killed in the middle of what it does.
    FunctionsKilled,
    /// The ingester is killed and started again.
    IngesterKilled,
    /// Every connection to the feed is reset.
    FeedCut,
}

/// A fault that could not be made to happen.
#[derive(Debug, thiserror::Error)]
#[error("could not make it happen: {fault}: {cause}")]
pub struct NotHappened {
    fault: &'static str,
    cause: String,
}

/// How long what is away is away.
const AWAY: Duration = Duration::from_secs(3);

/// After so long the ingester has on its disk what it was given: it promises half a second.
const ON_DISK: Duration = Duration::from_millis(700);

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::BrokerRestarted,
        Self::TableThrottled,
        Self::EndpointDown,
        Self::FunctionsKilled,
        Self::IngesterKilled,
        Self::FeedCut,
    ];

    /// What happens, in a few words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BrokerRestarted => "broker restarted",
            Self::TableThrottled => "table throttled",
            Self::EndpointDown => "endpoint down",
            Self::FunctionsKilled => "functions killed",
            Self::IngesterKilled => "ingester killed",
            Self::FeedCut => "feed cut",
        }
    }

    /// Whether it can: only what was started here is made to fail.
    pub fn can_happen(self, pipeline: &Pipeline) -> bool {
        match self {
            Self::BrokerRestarted => pipeline.broker().is_ours(),
            Self::TableThrottled => pipeline.is_embedded(),
            Self::EndpointDown => pipeline.has_lexicon(),
            Self::FunctionsKilled | Self::IngesterKilled | Self::FeedCut => true,
        }
    }

    /// Makes it happen, and returns when it is over; what it leads to may go on.
    ///
    /// # Errors
    ///
    /// When it can't be made to happen here: a broker that isn't ours isn't restarted.
    pub async fn happen(self, pipeline: &Pipeline) -> Result<(), NotHappened> {
        let failed = |cause: String| NotHappened { fault: self.name(), cause };
        if !self.can_happen(pipeline) {
            return Err(failed("what it is about is not ours to break".to_owned()));
        }
        match self {
            Self::BrokerRestarted => {
                pipeline.broker().kill().await.map_err(|error| failed(error.to_string()))?;
                pipeline.broker().restart().await.map_err(|error| failed(error.to_string()))?;
            }
            Self::TableThrottled => {
                pipeline.aws().dynamodb().throttle_for(AWAY);
                tokio::time::sleep(AWAY).await;
            }
            Self::EndpointDown => {
                pipeline.aws().sagemaker().down(true);
                tokio::time::sleep(AWAY).await;
                pipeline.aws().sagemaker().down(false);
            }
            Self::FunctionsKilled => {
                for function in pipeline.functions() {
                    busy(function).await;
                    function.kill_all().await;
                }
            }
            Self::IngesterKilled => {
                // What it was given in the last half second, and had only in memory, it does not promise to keep.
                pipeline.feed().pause();
                tokio::time::sleep(ON_DISK).await;
                pipeline.crash_ingester().await.map_err(|error| failed(error.to_string()))?;
                pipeline.feed().resume();
            }
            Self::FeedCut => pipeline.feed().cut(Cut::Reset).await.map_err(|error| failed(error.to_string()))?,
        }
        Ok(())
    }
}

/// Waits until an invocation is in progress, three seconds at most.
async fn busy(function: &Lambda) {
    let waiting = async {
        while function.counts().in_flight == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let _ = tokio::time::timeout(AWAY, waiting).await;
}
