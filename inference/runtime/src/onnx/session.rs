//! One loaded model that computes batches: an [`Instance`].

use std::sync::Arc;

use ort::ErrorCode;
use ort::session::{RunOptions, Session as OrtSession};
#[cfg(feature = "cuda")]
use timeloom_domain::inference::Provider;
use timeloom_domain::inference::Signature;

use super::bound::{Error, Places};
use super::error::LoadError;
use super::facts::Loaded;
use super::model::Model;
use super::options::Options;
use super::{batch, free, value};
use crate::instance::{End, Inputs, Instance, InstanceFacts, Ran, RunError, Stop};
use timeloom_domain::inference::Tensor;

/// Most rows of a batch where nothing else bounds them.
pub const ROWS_MAX: usize = 4_096;

/// What the runtime and what it uses say when memory ran out: it has no error of its own for it.
const OUT_OF_MEMORY: [&str; 8] = [
    "Failed to allocate memory",
    "out of memory",
    "OUT_OF_MEMORY",
    "bad_alloc",
    "ALLOC_FAILED",
    "bfc_arena",
    "Available memory of",
    "cannot allocate memory",
];

/// How a session computes.
enum Way {
    /// Shapes are known only when they come.
    Free,
    /// Places for inputs and outputs are kept.
    Bound(Places),
    /// Rows are filled up to a bucket, whose places are on the GPU.
    #[cfg(feature = "cuda")]
    Cuda(super::cuda::Buckets),
}

/// A model that is loaded.
pub struct Session {
    session: OrtSession,
    signature: Signature,
    options: Options,
    pub(super) loaded: Loaded,
    way: Way,
    run_options: Arc<RunOptions>,
    end: End,
}

impl Session {
    pub(super) fn new(model: &Model, session: OrtSession, loaded: Loaded) -> Result<Self, LoadError> {
        let signature = value::signature(&session)?;
        let rejected = super::model::rejected;
        let run_options = Arc::new(RunOptions::new().map_err(rejected)?);
        let terminate = Arc::clone(&run_options);
        let end: End = Arc::new(move || {
            // It only sets a flag in memory: there is nothing that could be done about a no.
            let _ = terminate.terminate();
        });
        let way = if Places::serve(&signature) { Way::Bound(Places::default()) } else { Way::Free };
        let mut made = Self { session, signature, options: model.options.clone(), loaded, way, run_options, end };
        #[cfg(feature = "cuda")]
        made.record()?;
        if !made.signature.batches() {
            made.loaded.buckets.clear();
        }
        Ok(made)
    }

    /// What it takes and gives.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// What was seen when it was loaded.
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// How it computes.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Makes the places on the GPU, and finds which buckets its memory holds.
    #[cfg(feature = "cuda")]
    fn record(&mut self) -> Result<(), LoadError> {
        if self.loaded.provider != Provider::Cuda {
            return Ok(());
        }
        if !matches!(self.way, Way::Bound(_)) {
            // A session that records would play back launches for places and lengths that are no more.
            let refused = "launches cannot be recorded: shapes are known only when inputs come";
            return if self.loaded.graphs { Err(LoadError::Rejected(refused.to_owned())) } else { Ok(()) };
        }
        let rows = if self.signature.batches() { self.loaded.buckets.clone() } else { vec![1] };
        let device = self.options.device;
        let graphs = self.loaded.graphs;
        let (session, signature, options) = (&mut self.session, &self.signature, &self.run_options);
        let buckets = super::cuda::Buckets::new(session, signature, &rows, device, graphs, options)?;
        self.loaded.buckets = buckets.rows();
        self.way = Way::Cuda(buckets);
        Ok(())
    }

    /// Computes callers whose inputs can be laid after each other; gives the rows that were computed too.
    fn group(&mut self, callers: &[&Inputs]) -> Result<(Vec<Vec<Tensor>>, usize), RunError> {
        let rows: usize = callers.iter().map(|inputs| inputs.rows).sum();
        let computed = self.computed(rows)?;
        let ran = match &mut self.way {
            Way::Free => free::run(&mut self.session, &self.signature, callers, computed, &self.run_options),
            Way::Bound(places) => {
                match places.run(&mut self.session, &self.signature, callers, &self.run_options) {
                    // What a model gives need not have the shape that it says it gives. Then it is computed without
                    // places, now and ever after.
                    Err(Error::Runtime(error)) if error.message().contains("shape verification failed") => {
                        self.way = Way::Free;
                        free::run(&mut self.session, &self.signature, callers, computed, &self.run_options)
                    }
                    ran => ran,
                }
            }
            #[cfg(feature = "cuda")]
            Way::Cuda(buckets) => buckets.run(&mut self.session, &self.signature, callers, computed, &self.run_options),
        };
        match ran {
            Ok(given) => Ok((given, computed)),
            Err(Error::Refused(error)) => Err(error),
            Err(Error::Runtime(error)) => Err(run_error(&error, computed)),
        }
    }

    /// Rows that are computed for so many.
    fn computed(&self, rows: usize) -> Result<usize, RunError> {
        let max = self.facts().rows_max;
        let refused = || RunError::Unfit(format!("{rows} rows are too much at once, {max} are the most"));
        if rows > max {
            return Err(refused());
        }
        if self.loaded.buckets.is_empty() {
            return Ok(rows);
        }
        self.loaded.buckets.iter().copied().find(|bucket| *bucket >= rows).ok_or_else(refused)
    }
}

impl Instance for Session {
    fn run(&mut self, callers: &[Inputs], stop: &Stop) -> Result<Ran, RunError> {
        if stop.is_stopped() {
            return Err(RunError::Stopped);
        }
        for inputs in callers {
            batch::check(&self.signature, inputs, self.options.finite_only)?;
        }
        #[cfg(feature = "cuda")]
        let _computing = (self.loaded.provider == Provider::Cuda).then(super::cuda::computing);
        let mut outputs: Vec<Vec<Tensor>> = vec![Vec::new(); callers.len()];
        let mut bucket = 0;
        let during = stop.during(Arc::clone(&self.end));
        let mut failed = None;
        for group in batch::groups(&self.signature, callers) {
            let members: Vec<&Inputs> = group.iter().map(|place| &callers[*place]).collect();
            match self.group(&members) {
                Ok((given, computed)) => {
                    bucket += computed;
                    for (place, tensors) in group.into_iter().zip(given) {
                        outputs[place] = tensors;
                    }
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
            if stop.is_stopped() {
                failed = Some(RunError::Stopped);
                break;
            }
        }
        drop(during);
        if stop.is_stopped() {
            self.run_options.unterminate().map_err(|error| RunError::Failed(error.to_string()))?;
        }
        match failed {
            None => Ok(Ran { outputs, bucket }),
            Some(_) if stop.is_stopped() => Err(RunError::Stopped),
            Some(error) => Err(error),
        }
    }

    fn facts(&self) -> InstanceFacts {
        let rows_max = self.loaded.buckets.last().copied().unwrap_or(ROWS_MAX);
        InstanceFacts { provider: self.loaded.provider, rows_max }
    }
}

/// Whether what the runtime said means that memory ran out.
pub fn is_out_of_memory(said: &str) -> bool {
    OUT_OF_MEMORY.iter().any(|part| said.contains(part))
}

/// What an error of a run means.
pub(super) fn run_error(error: &ort::Error, rows: usize) -> RunError {
    let detail = error.message().to_owned();
    if is_out_of_memory(&detail) {
        RunError::OutOfMemory { rows, detail }
    } else if error.code() == ErrorCode::InvalidArgument {
        RunError::Unfit(detail)
    } else {
        RunError::Failed(detail)
    }
}
