//! One execution's instance of the guest: made when first needed, thrown away when it was stopped.
//!
//! Invariant: an instance that trapped or met a limit is never called again.

use std::sync::Weak;
use std::time::Instant;

use serde_json::Value;
use serde_json::value::RawValue;
use timeloom_domain::item::Item;
use timeloom_expressions::port::{CodeMode, CodeOutput, Evaluated, ExpressionError, Job, Limits, ScriptSession};
use timeloom_expressions::scope::Scope;
use wasmtime::component::TypedFunc;
use wasmtime::{Store, Trap};

use crate::answer::Answer;
use crate::engine::{Loaded, SandboxEngine};
use crate::host::{HostState, MemoryLimit};
use crate::request::{Request, Task, scope_text};

/// The scripts of one execution.
pub struct SandboxSession {
    engine: SandboxEngine,
    seed: u64,
    live: Option<Live>,
}

/// An instance and what it has been told already.
struct Live {
    store: Store<HostState>,
    call: TypedFunc<(String,), (String,)>,
    seeded: bool,
    generation: u64,
    items: Weak<Vec<Item>>,
    scope: Option<Box<RawValue>>,
}

impl SandboxSession {
    pub(crate) fn new(engine: SandboxEngine, seed: u64) -> Self {
        Self { engine, seed, live: None }
    }

    /// One call under one deadline; the instance does not outlive a failure that is not the script's own.
    fn within<T>(
        &mut self,
        scope: &Scope,
        limits: Limits,
        work: impl FnOnce(&mut Live, u64) -> Result<T, Stopped>,
    ) -> Result<T, ExpressionError> {
        let loaded = self.engine.loaded()?;
        let _running = loaded.ticker.run(&loaded.engine).map_err(|error| ExpressionError::Fault(error.to_string()))?;
        let deadline = Instant::now() + limits.time_ms_max;
        let mut live = match self.live.take() {
            Some(live) => live,
            None => Live::new(loaded, limits, deadline).map_err(|stopped| stopped.explain(limits, false))?,
        };
        live.prepare(scope, limits, deadline);
        let result = work(&mut live, self.seed);
        let refused = live.finish();
        match result {
            Ok(value) if !refused => {
                self.live = Some(live);
                Ok(value)
            }
            Ok(_) => Err(Stopped::Memory.explain(limits, true)),
            Err(Stopped::Script(error)) if !refused && !matches!(error, ExpressionError::Limit(_)) => {
                self.live = Some(live);
                Err(error)
            }
            Err(stopped) => Err(stopped.explain(limits, refused)),
        }
    }

    fn evaluate_all(&mut self, scope: &Scope, jobs: &[Job<'_>], limits: Limits) -> Result<JobResults, ExpressionError> {
        let answer = self.within(scope, limits, |live, seed| live.ask(seed, limits, Task::evaluate(jobs, false)))?;
        match answer {
            Answer::Values(values) if values.len() == jobs.len() => Ok(values.into_iter().map(Into::into).collect()),
            _ => Err(unexpected()),
        }
    }
}

type JobResults = Vec<Result<Evaluated, ExpressionError>>;

impl ScriptSession for SandboxSession {
    fn evaluate(&mut self, scope: &Scope, jobs: &[Job<'_>], limits: Limits) -> JobResults {
        if jobs.is_empty() {
            return Vec::new();
        }
        match self.evaluate_all(scope, jobs, limits) {
            Ok(results) => results,
            Err(error) => vec![Err(error); jobs.len()],
        }
    }

    fn run_code(
        &mut self,
        scope: &Scope,
        mode: CodeMode,
        code: &str,
        limits: Limits,
    ) -> Result<CodeOutput, ExpressionError> {
        let answer = self.within(scope, limits, |live, seed| live.ask(seed, limits, Task::Code { mode, code }))?;
        match answer {
            Answer::Code(output) => Ok(output.into()),
            _ => Err(unexpected()),
        }
    }

    fn evaluate_tagged(&mut self, scope: &Scope, job: Job<'_>, limits: Limits) -> Result<Value, ExpressionError> {
        let answer = self.within(scope, limits, |live, seed| live.ask(seed, limits, Task::evaluate(&[job], true)))?;
        let Answer::Values(mut values) = answer else {
            return Err(unexpected());
        };
        match values.pop().map(Result::from) {
            Some(Ok(Evaluated::Json(value))) => Ok(value),
            Some(Err(error)) => Err(error),
            _ => Err(unexpected()),
        }
    }
}

/// Why a call gave no answer.
enum Stopped {
    /// The script's own error, or a limit that the guest noticed.
    Script(ExpressionError),
    /// The guest was stopped or broke.
    Trap(wasmtime::Error),
    /// The guest went on, but without memory that it asked for.
    Memory,
}

impl Stopped {
    fn explain(self, limits: Limits, memory_refused: bool) -> ExpressionError {
        let memory = || {
            let mebibytes = limits.memory_bytes_max >> 20;
            ExpressionError::Limit(format!("stopped: the script needs more than {mebibytes} MiB of memory"))
        };
        match self {
            Self::Memory => memory(),
            Self::Script(_) if memory_refused => memory(),
            Self::Script(error) => error,
            Self::Trap(error) => match error.downcast_ref::<Trap>() {
                Some(Trap::Interrupt) => {
                    let milliseconds = limits.time_ms_max.as_millis();
                    ExpressionError::Limit(format!("stopped after {milliseconds} ms: the script takes too long"))
                }
                Some(Trap::StackOverflow) => {
                    ExpressionError::Limit("stopped: the script's calls are nested too deeply".to_owned())
                }
                _ if memory_refused => memory(),
                _ if format!("{error:#}").contains("too much data") => output_limit(limits),
                _ => ExpressionError::Fault(format!("{error:#}")),
            },
        }
    }
}

impl From<wasmtime::Error> for Stopped {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

fn output_limit(limits: Limits) -> ExpressionError {
    let mebibytes = limits.output_bytes_max >> 20;
    ExpressionError::Limit(format!("stopped: the script's output is larger than {mebibytes} MiB"))
}

fn unexpected() -> ExpressionError {
    ExpressionError::Fault("the guest answered another question".to_owned())
}

impl Live {
    fn new(loaded: &Loaded, limits: Limits, deadline: Instant) -> Result<Self, Stopped> {
        let memory = MemoryLimit { bytes_max: limits.memory_bytes_max, refused: false };
        let mut store = loaded.store(HostState { scope: None, deadline: Some(deadline), memory });
        let instance = loaded.guest.instantiate(&mut store)?;
        let call = instance.get_typed_func(&mut store, "call")?;
        Ok(Self { store, call, seeded: false, generation: 0, items: Weak::new(), scope: None })
    }

    fn prepare(&mut self, scope: &Scope, limits: Limits, deadline: Instant) {
        self.store.set_hostcall_fuel(limits.output_bytes_max);
        self.store.set_epoch_deadline(1);
        let state = self.store.data_mut();
        state.scope = Some(scope.clone());
        state.deadline = Some(deadline);
        state.memory = MemoryLimit { bytes_max: limits.memory_bytes_max, refused: false };
    }

    /// Ends a call: nothing of its scope stays behind. Answers whether memory was refused.
    fn finish(&mut self) -> bool {
        let state = self.store.data_mut();
        state.scope = None;
        state.deadline = None;
        state.memory.refused
    }

    fn ask(&mut self, seed: u64, limits: Limits, task: Task<'_>) -> Result<Answer, Stopped> {
        let request = self.request(seed, limits, task).map_err(fault)?;
        let (answer,) = self.call.call(&mut self.store, (request,))?;
        match serde_json::from_str(&answer).map_err(fault)? {
            Answer::Error(error) => Err(Stopped::Script(error.into())),
            answer => Ok(answer),
        }
    }

    /// The request as JSON, with the scope only where the guest has another one.
    fn request(&mut self, seed: u64, limits: Limits, task: Task<'_>) -> serde_json::Result<String> {
        let Some(scope) = self.store.data().scope.clone() else {
            return Ok(String::new());
        };
        let text = scope_text(&scope)?;
        let changed = self.scope.as_ref().is_none_or(|known| known.get() != text);
        if changed {
            self.scope = Some(RawValue::from_string(text)?);
        }
        if !std::ptr::eq(self.items.as_ptr(), scope.items.as_ref()) {
            self.generation += 1;
            self.items = std::sync::Arc::downgrade(&scope.items);
        }
        let request = Request {
            seed: (!std::mem::replace(&mut self.seeded, true)).then_some(seed),
            scope: self.scope.as_deref().filter(|_| changed),
            generation: self.generation,
            item_count: scope.items.len(),
            output_max: limits.output_bytes_max,
            task,
        };
        serde_json::to_string(&request)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function of `map_err`")]
fn fault(error: serde_json::Error) -> Stopped {
    Stopped::Script(ExpressionError::Fault(format!("the guest cannot be understood: {error}")))
}
