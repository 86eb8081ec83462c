//! A version of a model in a worker's memory.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use timeloom_projections::{AsOf, ModelLoadFilter, ModelLoadRow};
use uuid::Uuid;

use super::words::Provider;
use super::worker::InferenceWorker;
use crate::schema::batch::Loads;
use crate::schema::history::History;
use crate::schema::models::{GpuWanted, Model};
use crate::schema::paging::{Pages, Paging};
use crate::schema::reading::state;
use crate::schema::rows::{page, row_pages};

/// Which loads to list.
pub(crate) struct ModelLoadList {
    pub paging: Paging,
    pub filter: ModelLoadFilter,
    pub as_of: AsOf,
}

impl ModelLoadList {
    /// Reads one page, newest first, with all others of the request that are asked for at the same moment.
    pub(crate) async fn read(self, context: &Context<'_>) -> Result<Pages<ModelLoad>> {
        let (page, as_of) = (page(&self.paging)?, self.as_of);
        let found = Loads::of(context).inference.load_page(state(context)?, as_of, page, self.filter).await?;
        Ok(row_pages(found, |row| (row.provenance.created_position, ModelLoad { row, as_of })))
    }
}

/// How many nodes of a model's graph are computed by one of the runtime's providers.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ModelPlacement {
    /// The provider, by the runtime's own name.
    provider: String,
    /// How many nodes.
    nodes: u64,
}

/// A version of a model in a worker's memory, from when it came to when it was put away.
#[derive(Debug, Clone)]
pub(crate) struct ModelLoad {
    pub row: ModelLoadRow,
    /// As of when it was read; its parts are read as of the same moment.
    pub as_of: AsOf,
}

#[Object]
impl ModelLoad {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        self.row.load.load.0.into()
    }

    /// Name of the model.
    async fn model_name(&self) -> &str {
        self.row.load.model.as_str()
    }

    /// The version.
    async fn version(&self) -> u32 {
        self.row.load.version
    }

    /// SHA-256 of that version's file, hexadecimal.
    async fn digest(&self) -> &str {
        &self.row.load.digest
    }

    /// The model, as of the moment of the read.
    #[graphql(complexity = "child_complexity + 5")]
    async fn model(&self, context: &Context<'_>) -> Result<Option<Model>> {
        let row = Loads::of(context).inference.model(state(context)?, &self.row.load.model, self.as_of).await?;
        Ok(row.map(|row| Model { row, as_of: self.as_of }))
    }

    /// Id of the worker whose memory it is.
    async fn worker_id(&self) -> Uuid {
        self.row.worker.0
    }

    /// The worker whose memory it is.
    #[graphql(complexity = "child_complexity + 5")]
    async fn worker(&self, context: &Context<'_>) -> Result<Option<InferenceWorker>> {
        let row = Loads::of(context).inference.worker(state(context)?, self.row.worker, self.as_of).await?;
        Ok(row.map(|row| InferenceWorker { row, as_of: self.as_of }))
    }

    /// The runtime, its version, its build and the digest of its library: part of every fingerprint.
    async fn runtime(&self) -> &str {
        &self.row.load.runtime
    }

    /// Whether a GPU was wanted.
    async fn gpu(&self) -> GpuWanted {
        self.row.load.gpu.into()
    }

    /// Who computes, as it was seen.
    async fn provider(&self) -> Provider {
        self.row.load.provider.into()
    }

    /// How many nodes of the model each of the runtime's providers has.
    async fn placement(&self) -> Vec<ModelPlacement> {
        let nodes = self.row.load.nodes.iter();
        nodes.map(|(provider, nodes)| ModelPlacement { provider: provider.clone(), nodes: *nodes }).collect()
    }

    /// Operators that the CPU has although a GPU computes the rest.
    async fn on_cpu(&self) -> &[String] {
        &self.row.load.on_cpu
    }

    /// How it is computed, in the runtime's canonical words: part of every fingerprint.
    async fn options(&self) -> &str {
        &self.row.load.options
    }

    /// What computes: the processor, or the GPU with its driver: part of every fingerprint.
    async fn machine(&self) -> &str {
        &self.row.load.machine
    }

    /// Instances.
    async fn instances(&self) -> u32 {
        self.row.load.instances
    }

    /// Threads of each.
    async fn threads(&self) -> u32 {
        self.row.load.threads
    }

    /// Most rows of a batch.
    async fn rows_max(&self) -> u32 {
        self.row.load.rows_max
    }

    /// How long the file took to load, in milliseconds.
    async fn load_ms(&self) -> u64 {
        self.row.load.load_ms
    }

    /// How long it took to find out how to run it and to run it once, in milliseconds.
    async fn warm_up_ms(&self) -> u64 {
        self.row.load.warm_up_ms
    }

    /// Why another one computes than was wanted; absent where it is who was wanted.
    async fn fell_back(&self) -> Option<&str> {
        self.row.fell_back.as_deref()
    }

    /// Why it takes smaller batches than at first, while it does.
    async fn degraded(&self) -> Option<&str> {
        self.row.degraded.as_deref()
    }

    /// Why it was put away, as a word: `asked`, `idle`, `replaced`, `withdrawn`, `stopping`; absent while it is in memory.
    /// A worker that was killed never said so.
    async fn unloaded(&self) -> Option<&str> {
        self.row.unloaded.as_deref()
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.row.provenance.into()
    }
}
