//! The seam between the pool and what computes: an instance runs one batch at a time, on the thread that owns it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use timeloom_domain::inference::Tensor;
use timeloom_domain::inference::{Provider, Signature};

/// What one caller wants computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// A tensor for each input of the model's signature, in its order.
    pub tensors: Vec<Tensor>,
    /// Rows of the batch that they are: the first dimension where the model batches, else 1.
    pub rows: usize,
}

/// Why named tensors are not the inputs of a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTheInputs {
    /// The model has no such input.
    #[error("the model has no input '{name}': it has {all}")]
    Unknown {
        /// The name that was given.
        name: String,
        /// The names of the model's inputs.
        all: String,
    },
    /// An input is given twice.
    #[error("the input '{0}' is given twice")]
    Twice(String),
    /// An input is not given.
    #[error("the input '{name}' is missing: the model wants {all}")]
    Missing {
        /// Its name.
        name: String,
        /// The names of the model's inputs.
        all: String,
    },
}

impl Inputs {
    /// Puts named tensors into the order of a model's signature. Shapes and types are looked at when they are computed.
    ///
    /// # Errors
    /// When the names are not those of the model.
    pub fn named(signature: &Signature, named: &[(String, Tensor)]) -> Result<Self, NotTheInputs> {
        let specs = &signature.inputs;
        let all = || specs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
        if let Some((name, _)) = named.iter().find(|(name, _)| !specs.iter().any(|spec| spec.name == *name)) {
            return Err(NotTheInputs::Unknown { name: name.clone(), all: all() });
        }
        let one = |name: &String| {
            let mut found = named.iter().filter(|(given, _)| given == name);
            match (found.next(), found.next()) {
                (Some((_, tensor)), None) => Ok(tensor.clone()),
                (Some(_), Some(_)) => Err(NotTheInputs::Twice(name.clone())),
                (None, _) => Err(NotTheInputs::Missing { name: name.clone(), all: all() }),
            }
        };
        let tensors: Vec<Tensor> = specs.iter().map(|spec| one(&spec.name)).collect::<Result<_, _>>()?;
        Ok(Self::in_order(signature, tensors))
    }

    /// Tensors that are in the order of the model's signature already.
    pub fn in_order(signature: &Signature, tensors: Vec<Tensor>) -> Self {
        let first = tensors.first().and_then(|tensor| tensor.shape().first().copied());
        let rows = first.filter(|_| signature.batches()).unwrap_or(1);
        Self { tensors, rows }
    }
}

/// What came of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// For each caller, in their order, a tensor for each output of the model's signature, in its order.
    pub outputs: Vec<Vec<Tensor>>,
    /// Rows that were computed, those that only filled the bucket up too.
    pub bucket: usize,
}

/// What is known of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceFacts {
    /// Who computes, as it was seen to be.
    pub provider: Provider,
    /// Most rows of a batch that it was found to take.
    pub rows_max: usize,
}

/// Tells a run under way that nobody waits for it any more. Clones share it.
#[derive(Clone, Default)]
pub struct Stop(Arc<Stopping>);

/// Ends a run that is under way, from another thread.
pub type End = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Stopping {
    stopped: AtomicBool,
    /// What ends the run that is under way.
    end: Mutex<Option<End>>,
}

impl Stop {
    /// Nobody waits any more: the run that is under way is ended.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        if let Some(end) = &*self.0.end.lock().unwrap_or_else(PoisonError::into_inner) {
            end();
        }
    }

    /// Whether nobody waits any more.
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Acquire)
    }

    /// Whether a run is under way that would be ended.
    pub fn is_heeded(&self) -> bool {
        self.0.end.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Has `end` called when it is told to stop before what this gives is dropped; at once, if it was told already.
    pub fn during(&self, end: End) -> During<'_> {
        *self.0.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&end));
        if self.is_stopped() {
            end();
        }
        During(self)
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Stop").field(&self.is_stopped()).finish()
    }
}

/// A run under way that can be stopped. Once it is dropped the run is not ended any more.
#[must_use]
pub struct During<'a>(&'a Stop);

impl Drop for During<'_> {
    fn drop(&mut self) {
        *self.0.0.end.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Why a batch was not computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The inputs do not fit the model: the callers' fault.
    #[error("the inputs do not fit the model: {0}")]
    Unfit(String),
    /// Memory ran out; a smaller batch may fit.
    #[error("there was not memory enough for a batch of {rows} rows: {detail}")]
    OutOfMemory {
        /// Rows of the batch.
        rows: usize,
        /// What the runtime said.
        detail: String,
    },
    /// It was told to stop.
    #[error("it was told to stop")]
    Stopped,
    /// The runtime failed.
    #[error("the runtime failed: {0}")]
    Failed(String),
}

/// A model that is loaded and can compute, one batch at a time. One thread owns it from its making to its end.
pub trait Instance: Send {
    /// Computes the inputs of several callers as one batch. Models that do not batch are given one caller at a time.
    ///
    /// # Errors
    /// When nothing was computed; all callers share the error.
    fn run(&mut self, batch: &[Inputs], stop: &Stop) -> Result<Ran, RunError>;

    /// What is known of it.
    fn facts(&self) -> InstanceFacts;
}
