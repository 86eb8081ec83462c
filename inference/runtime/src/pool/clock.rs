//! Where the pool's time comes from.
//!
//! Nothing in the pool reads the machine's clock but [`MachineClock`]; with a clock of a test's own, hours pass at once.

use std::time::{Duration, Instant};

/// Tells how long it is since a beginning of its own. Never goes back.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Duration;

    /// Has `wake` called whenever the time jumped, for clocks that do: those who sleep look at it again.
    fn on_jump(&self, wake: Box<dyn Fn() + Send + Sync>) {
        drop(wake);
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct MachineClock(Instant);

impl Default for MachineClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
