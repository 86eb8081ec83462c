//! Sums over inferences that were not written down one by one.

use async_graphql::{Context, ID, Object, Result};
use chrono::{DateTime, Utc};
use timeloom_projections::{AsOf, InferenceWindowRow};

use super::load::ModelLoad;
use crate::schema::batch::Loads;
use crate::schema::execution::time;
use crate::schema::history::History;
use crate::schema::models::Model;
use crate::schema::node::inference_window_id;
use crate::schema::reading::state;

/// Sums over inferences of one version of a model that were not written down one by one.
#[derive(Debug, Clone)]
pub(crate) struct InferenceWindow {
    pub row: InferenceWindowRow,
    /// As of when it was read; its parts are read as of the same moment.
    pub as_of: AsOf,
}

#[Object]
impl InferenceWindow {
    /// Its id among everything: its kind and the position of its event.
    pub(crate) async fn id(&self) -> ID {
        inference_window_id(self.row.position)
    }

    /// Name of the model.
    async fn model_name(&self) -> &str {
        self.row.window.model.as_str()
    }

    /// The version.
    async fn version(&self) -> u32 {
        self.row.window.version
    }

    /// The model, as of the moment of the read.
    #[graphql(complexity = "child_complexity + 5")]
    async fn model(&self, context: &Context<'_>) -> Result<Option<Model>> {
        let row = Loads::of(context).inference.model(state(context)?, &self.row.window.model, self.as_of).await?;
        Ok(row.map(|row| Model { row, as_of: self.as_of }))
    }

    /// The load of the model that computed them.
    #[graphql(complexity = "child_complexity + 5")]
    async fn load(&self, context: &Context<'_>) -> Result<Option<ModelLoad>> {
        let row = Loads::of(context).inference.load(state(context)?, self.row.window.load, self.as_of).await?;
        Ok(row.map(|row| ModelLoad { row, as_of: self.as_of }))
    }

    /// From when.
    async fn from(&self) -> Option<DateTime<Utc>> {
        time(self.row.window.from_ms)
    }

    /// Until when.
    async fn until(&self) -> Option<DateTime<Utc>> {
        time(self.row.window.until_ms)
    }

    /// How many were answered and not written down.
    async fn completed(&self) -> u64 {
        self.row.window.completed
    }

    /// How many were cancelled and not written down.
    async fn cancelled(&self) -> u64 {
        self.row.window.cancelled
    }

    /// How many were not begun and not written down one by one: the first of each second are.
    async fn rejected(&self) -> u64 {
        self.row.window.rejected.all()
    }

    /// How many of the rejected ones found the queue full.
    async fn queue_full(&self) -> u64 {
        self.row.window.rejected.queue_full
    }

    /// How many of the rejected ones could not have been answered in time.
    async fn deadline_missed(&self) -> u64 {
        self.row.window.rejected.deadline_missed
    }

    /// Sum of the times that they were computed for, in microseconds.
    async fn compute_us(&self) -> u64 {
        self.row.window.compute_us
    }

    /// Sum of the times that they waited, in microseconds.
    async fn queue_us(&self) -> u64 {
        self.row.window.queue_us
    }

    /// How many took up to 2^n microseconds from their coming in to their answer, and longer than for n-1; the first is
    /// n = 0.
    async fn latency_counts(&self) -> &[u64] {
        &self.row.window.latency_log2_us
    }

    /// SHA-256 over the fingerprints and the digests of the outputs of all of them in the order of their answers,
    /// hexadecimal: whoever kept answers can prove that they belong to it.
    async fn chain(&self) -> &str {
        &self.row.window.chain
    }

    /// Which event made it.
    async fn history(&self) -> History {
        self.row.provenance.into()
    }
}
