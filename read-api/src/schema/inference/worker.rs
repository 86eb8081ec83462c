//! Inference workers.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use timeloom_domain::inference::WorkerMachine as Machine;
use timeloom_projections::{AsOf, InferenceWorkerRow, ModelLoadFilter};

use super::load::{ModelLoad, ModelLoadList};
use crate::schema::batch::Loads;
use crate::schema::history::History;
use crate::schema::paging::{Pages, Paging, page_cost};
use crate::schema::reading::state;
use crate::schema::scalars::PositionScalar;

/// What an inference worker runs on.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct WorkerMachine {
    /// The runtime with its version and build; absent where its library was not found.
    runtime: Option<String>,
    /// SHA-256 of the runtime's library, hexadecimal.
    runtime_digest: Option<String>,
    /// Why there is no runtime.
    runtime_missing: Option<String>,
    /// The kind of processor.
    architecture: String,
    /// What the processor can do beyond the least of its kind.
    processor_features: Vec<String>,
    /// How many cores the process may use.
    cores: u32,
    /// The GPUs, each with its name, id and driver.
    gpus: Vec<String>,
    /// Why no GPU can be used.
    gpu_missing: Option<String>,
    /// Settings of the environment that change what is computed.
    overrides: Vec<String>,
}

impl From<&Machine> for WorkerMachine {
    fn from(machine: &Machine) -> Self {
        let machine = machine.clone();
        Self {
            runtime: machine.runtime,
            runtime_digest: machine.runtime_digest,
            runtime_missing: machine.runtime_missing,
            architecture: machine.architecture,
            processor_features: machine.processor_features,
            cores: machine.cores,
            gpus: machine.gpus,
            gpu_missing: machine.gpu_missing,
            overrides: machine.overrides,
        }
    }
}

/// A version of a model that a worker could not load.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ModelLoadFailure {
    /// Name of the model.
    model_name: String,
    /// The version.
    version: u32,
    /// What is in the way, as a word: `NO_RUNTIME`, `NO_GPU`, `NOT_ALL_ON_GPU`, `BROKEN_FILE` and others.
    code: String,
    /// Why, in words that say what to do.
    reason: String,
    /// Position of the event that says so.
    position: PositionScalar,
}

/// An inference worker: one life of one process that computes models.
#[derive(Debug, Clone)]
pub(crate) struct InferenceWorker {
    pub row: InferenceWorkerRow,
    /// As of when it was read; its parts are read as of the same moment.
    pub as_of: AsOf,
}

#[Object]
impl InferenceWorker {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        self.row.id.0.into()
    }

    /// What it runs on; absent where it has told it to another tenant.
    async fn machine(&self) -> Option<WorkerMachine> {
        self.row.worker.machine.as_ref().map(Into::into)
    }

    /// What it has in memory, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn loads(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Pages<ModelLoad>> {
        let filter = ModelLoadFilter { model: None, worker: Some(self.row.id), in_memory: Some(true) };
        ModelLoadList { paging: Paging::new(first, after, last, before), filter, as_of: self.as_of }.read(context).await
    }

    /// What it could not load last.
    async fn load_failed(&self) -> Option<ModelLoadFailure> {
        let failure = self.row.load_failed.clone()?;
        Some(ModelLoadFailure {
            model_name: failure.model,
            version: failure.version,
            code: failure.code,
            reason: failure.reason,
            position: PositionScalar(failure.position),
        })
    }

    /// Whether it takes no more requests and answers those that it has.
    async fn draining(&self) -> bool {
        self.row.worker.draining
    }

    /// Whether it ended. One that was killed never said so: see `lost`.
    async fn stopped(&self) -> bool {
        self.row.worker.stopped
    }

    /// Whether it neither ended nor is there any more: its process was killed, or lost its machine.
    #[graphql(complexity = 5)]
    async fn lost(&self, context: &Context<'_>) -> Result<bool> {
        if self.row.worker.stopped {
            return Ok(false);
        }
        Ok(!Loads::of(context).inference.is_living(state(context)?, self.row.id).await?)
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.row.provenance.into()
    }
}
