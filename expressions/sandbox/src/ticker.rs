//! One thread that advances an engine's epoch while scripts run, so that each of them looks at its deadline.
//!
//! It starts with the first script, sleeps while none runs, and ends with the engine.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use wasmtime::Engine;

/// How often running scripts look at their deadline.
const TICK: Duration = Duration::from_millis(2);

#[derive(Debug, Default)]
struct State {
    running: usize,
    started: bool,
    closed: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is plain numbers: a panic elsewhere cannot have left it half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock of one engine.
#[derive(Debug, Default)]
pub struct Ticker {
    shared: Arc<Shared>,
}

impl Ticker {
    /// Ticks until the guard is dropped.
    ///
    /// # Errors
    /// When the thread cannot be started: a script without a deadline must not run.
    pub fn run(&self, engine: &Engine) -> std::io::Result<Running> {
        let mut state = self.shared.lock();
        if !state.started {
            let (shared, engine) = (Arc::clone(&self.shared), engine.clone());
            thread::Builder::new().name("script-deadline".to_owned()).spawn(move || tick(&shared, &engine))?;
            state.started = true;
        }
        state.running += 1;
        if state.running == 1 {
            self.shared.changed.notify_one();
        }
        Ok(Running { shared: Arc::clone(&self.shared) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
    }
}

/// A script is running.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.running = state.running.saturating_sub(1);
    }
}

fn tick(shared: &Shared, engine: &Engine) {
    let mut state = shared.lock();
    while !state.closed {
        if state.running == 0 {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        } else {
            drop(state);
            thread::sleep(TICK);
            engine.increment_epoch();
            state = shared.lock();
        }
    }
}
