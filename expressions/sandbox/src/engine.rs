//! Loads the compiled guest and makes sessions of it.
//!
//! Nothing is loaded before the first session, so that a server at rest does not pay for the sandbox.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use timeloom_expressions::port::{ExpressionError, ScriptEngine, ScriptSession};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::config::runtime_config;
use crate::host::{self, HostState};
use crate::session::SandboxSession;
use crate::ticker::Ticker;

static GUEST: &[u8] = include_bytes!(env!("TIMELOOM_GUEST"));

/// The JavaScript sandbox. Clones share the compiled guest.
#[derive(Clone)]
pub struct SandboxEngine {
    shared: Arc<Shared>,
}

struct Shared {
    seed: u64,
    sessions: AtomicU64,
    loaded: OnceLock<Result<Loaded, String>>,
}

/// The guest, ready to be instantiated.
pub(crate) struct Loaded {
    pub(crate) engine: Engine,
    pub(crate) guest: InstancePre<HostState>,
    pub(crate) ticker: Ticker,
}

impl fmt::Debug for SandboxEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SandboxEngine").field("seed", &self.shared.seed).finish_non_exhaustive()
    }
}

impl SandboxEngine {
    /// An engine whose sessions draw `Math.random` from `seed`.
    ///
    /// # Errors
    /// [`ExpressionError::Fault`] when this build holds no guest.
    pub fn new(seed: u64) -> Result<Self, ExpressionError> {
        if GUEST.is_empty() {
            return Err(ExpressionError::Fault("this build holds no JavaScript guest: run `make setup`".to_owned()));
        }
        let shared = Shared { seed, sessions: AtomicU64::new(0), loaded: OnceLock::new() };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(crate) fn loaded(&self) -> Result<&Loaded, ExpressionError> {
        let loaded = self.shared.loaded.get_or_init(|| load().map_err(|error| format!("{error:#}")));
        loaded.as_ref().map_err(|reason| ExpressionError::Fault(reason.clone()))
    }

    fn next_seed(&self) -> u64 {
        let session = self.shared.sessions.fetch_add(1, Ordering::Relaxed);
        self.shared.seed ^ session.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl ScriptEngine for SandboxEngine {
    fn session(&self) -> Result<Box<dyn ScriptSession>, ExpressionError> {
        Ok(Box::new(SandboxSession::new(self.clone(), self.next_seed())))
    }
}

impl Loaded {
    /// A store whose scripts stop at the deadline in its state.
    pub(crate) fn store(&self, state: HostState) -> Store<HostState> {
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|context| {
            let over = context.data().is_over();
            Ok(if over { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
        });
        store
    }
}

#[expect(
    unsafe_code,
    reason = "the image is part of this executable: our own build compiled it, and nothing can replace it"
)]
fn load() -> wasmtime::Result<Loaded> {
    let engine = Engine::new(&runtime_config())?;
    // SAFETY: `GUEST` was written by `precompile` with the same settings; wasmtime checks version and settings.
    let component = unsafe { Component::deserialize(&engine, GUEST)? };
    let mut linker = Linker::new(&engine);
    host::add_to(&mut linker)?;
    let guest = linker.instantiate_pre(&component)?;
    Ok(Loaded { engine, guest, ticker: Ticker::default() })
}
