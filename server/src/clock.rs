//! The machine's clock, in the form that commands and the engine take.

use timeloom_commands::Clock;
use timeloom_store::clock::{Clock as StoreClock, SystemClock};

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineClock;

impl Clock for MachineClock {
    fn now_ms(&self) -> i64 {
        SystemClock.now().timestamp_millis()
    }
}
