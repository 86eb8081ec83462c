//! Where the scheduler waits: a port, and what fills it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use timeloom_commands::Clock;

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
