//! Where the engine begins to look for unfinished executions when it starts.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use timeloom_domain::ids::TenantId;
use timeloom_store::{LogError, Position};

/// Most open executions that are remembered one by one. With more, the next start reads the log from where the oldest of
/// them began.
pub const OPEN_REMEMBERED_MAX: usize = 10_000;

/// Where to begin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Every execution that began at or before this position has ended.
    pub settled: Position,
    /// Of those that began at or before this position only the ones in `open` have not.
    #[serde(default)]
    pub seen: Position,
    /// The open ones; absent when they are too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Vec<OpenExecution>>,
}

/// An execution that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenExecution {
    /// Whose it is.
    pub tenant: TenantId,
    /// Id of the stream in which it is.
    pub id: String,
    /// Where that stream began.
    pub began_at: Position,
    /// Number of its shard.
    pub shard: u16,
    /// Whether it waits, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<OpenWait>,
    /// Whether it stands still until it is let go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_paused: bool,
}

/// For what an open execution waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenWait {
    /// Until when at the longest, in milliseconds since 1970; absent for as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
}

impl Checkpoint {
    /// A settled position, and nothing else.
    pub fn settled_at(settled: Position) -> Self {
        Self { settled, seen: settled, open: None }
    }

    /// The position after which the log is to be read.
    pub fn position(&self) -> Position {
        if self.open.is_some() { self.seen.max(self.settled) } else { self.settled }
    }
}

/// Remembers where to begin. Losing it costs time at the next start, never an execution.
#[async_trait]
pub trait CheckpointStore: Send + Sync + 'static {
    /// What is remembered; the start of the log when there is nothing.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn load(&self) -> Result<Checkpoint, LogError>;

    /// Remembers where to begin.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn save(&self, checkpoint: &Checkpoint) -> Result<(), LogError>;
}

/// Remembers nothing: for logs that end with their process.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoCheckpoint;

#[async_trait]
impl CheckpointStore for NoCheckpoint {
    async fn load(&self) -> Result<Checkpoint, LogError> {
        Ok(Checkpoint::default())
    }

    async fn save(&self, _checkpoint: &Checkpoint) -> Result<(), LogError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_remembered_is_read_as_it_was_written() {
        let waits = Some(OpenWait { until_ms: Some(9) });
        let open = OpenExecution {
            tenant: TenantId(1),
            id: "a".to_owned(),
            began_at: Position(4),
            shard: 63,
            waits,
            is_paused: true,
        };
        let running = OpenExecution { waits: None, is_paused: false, ..open.clone() };
        let checkpoint = Checkpoint { settled: Position(3), seen: Position(9), open: Some(vec![open, running]) };
        let text = serde_json::to_string(&checkpoint).unwrap();
        assert_eq!(
            text,
            r#"{"settled":3,"seen":9,"open":[{"tenant":1,"id":"a","began_at":4,"shard":63,"waits":{"until_ms":9},"is_paused":true},{"tenant":1,"id":"a","began_at":4,"shard":63}]}"#
        );
        assert_eq!(serde_json::from_str::<Checkpoint>(&text).unwrap(), checkpoint);
        assert_eq!((checkpoint.position(), Checkpoint::settled_at(Position(3)).position()), (Position(9), Position(3)));
    }
}
