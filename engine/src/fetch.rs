//! Fetches what nodes gave from the log again, for expressions that ask for it later. Never keeps it.

use std::sync::Arc;
use std::time::Duration;

use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::item::Outputs;
use timeloom_store::{Direction, EventLog, LogError, Revision, codec};
use tokio_util::sync::CancellationToken;

use crate::machine::{Fetch, Place};
use crate::node::blocking;
use crate::runner::Inner;

/// How often a log that is out of reach is asked again before the expression fails.
const ATTEMPTS_MAX: u32 = 8;
/// Pause before the second attempt; it doubles each time.
const PAUSE: Duration = Duration::from_millis(100);

/// What nodes gave, as the log has it.
pub(crate) struct LogOutputs {
    log: Arc<dyn EventLog>,
    stopping: CancellationToken,
}

impl LogOutputs {
    pub(crate) fn new(inner: &Inner) -> Arc<Self> {
        Arc::new(Self { log: Arc::clone(&inner.parts.log), stopping: inner.stopping.clone() })
    }

    async fn read(&self, place: &Place) -> Result<Outputs, LogError> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            match self.read_once(place).await {
                Err(LogError::Storage(error)) if attempt < ATTEMPTS_MAX && !self.stopping.is_cancelled() => {
                    tracing::warn!(stream = %place.stream, %error, "the log is out of reach; trying again");
                    self.stopping.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause *= 2;
                }
                result => return result,
            }
        }
        Err(LogError::Closed)
    }

    async fn read_once(&self, place: &Place) -> Result<Outputs, LogError> {
        let before = Revision(place.revision.0.saturating_sub(1));
        let read = self.log.read_stream(&place.stream, before, Direction::Forward, 1).await?;
        let recorded = read.first().ok_or(LogError::Closed)?;
        match codec::decode(recorded)? {
            ExecutionEvent::NodeCompleted { outputs, .. }
            | ExecutionEvent::NodeFailed { outputs: Some(outputs), .. } => Ok(outputs),
            _ => {
                let detail = "the event does not say what a node gave".to_owned();
                Err(LogError::Corrupt { position: recorded.position, detail })
            }
        }
    }
}

impl Fetch for LogOutputs {
    fn fetch(&self, place: &Place) -> Result<Outputs, LogError> {
        blocking(self.read(place))
    }
}
