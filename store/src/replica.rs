//! A log in this process that follows another one: how a backend answers reads whose log is on a server that knows no
//! positions without gaps.
//!
//! Whoever follows appends what the other log took, in its order and at its times. The same appends give the same
//! positions, revisions and times, so that every process that follows has the same log.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use timeloom_domain::ids::CommandId;

use crate::clock::Clock;
use crate::envelope::{RecordedEvent, StreamKey};
use crate::log::{EventLog, LogError};

/// A log that nobody appends to but the one that follows.
#[async_trait]
pub trait Replica: EventLog {
    /// What a command appended to a stream; `None` when it did not.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn appended_by(
        &self,
        stream: &StreamKey,
        command_id: CommandId,
    ) -> Result<Option<Vec<Arc<RecordedEvent>>>, LogError>;
}

/// The clock of a replica: it shows the time of what is appended next, as the other log has it.
#[derive(Debug, Default)]
pub struct FollowedClock(AtomicI64);

impl FollowedClock {
    /// A clock that was not set yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Shows that time, in microseconds since 1970.
    pub fn set(&self, now_us: i64) {
        self.0.store(now_us, Ordering::Release);
    }
}

impl Clock for Arc<FollowedClock> {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::Acquire)).unwrap_or_default()
    }
}
