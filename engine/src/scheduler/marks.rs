//! The ports of the scheduler: where it waits, and where it remembers how far it came.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use timeloom_commands::Clock;
use timeloom_store::LogError;

/// Longest wait before the clock is looked at again, in milliseconds: it may have been set.
const LOOK_MS_MAX: i64 = 1_000;

/// Waits for a time.
#[async_trait]
pub trait Timer: Send + Sync + 'static {
    /// Returns at that time (milliseconds since 1970) or before it.
    async fn wait_until(&self, at_ms: i64);
}

/// Waits by the machine's timers for the times of a clock.
pub struct ClockTimer(pub Arc<dyn Clock>);

#[async_trait]
impl Timer for ClockTimer {
    async fn wait_until(&self, at_ms: i64) {
        let wait_ms = at_ms.saturating_sub(self.0.now_ms()).clamp(0, LOOK_MS_MAX);
        tokio::time::sleep(Duration::from_millis(wait_ms.unsigned_abs())).await;
    }
}

/// Remembers up to when every firing that was due has begun.
#[async_trait]
pub trait ScheduleMark: Send + Sync + 'static {
    /// That time, in milliseconds since 1970; `None` when there is none yet.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn load(&self) -> Result<Option<i64>, LogError>;

    /// Remembers a time.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn save(&self, done_ms: i64) -> Result<(), LogError>;
}

/// Remembers nothing: for logs that end with their process.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoMark;

#[async_trait]
impl ScheduleMark for NoMark {
    async fn load(&self) -> Result<Option<i64>, LogError> {
        Ok(None)
    }

    async fn save(&self, _done_ms: i64) -> Result<(), LogError> {
        Ok(())
    }
}
