//! Loads that come up at the same moment, made as one: the entries of a list that each ask for more take one question to
//! the rows or the log, not one for each.
//!
//! Whoever asks first waits until everything of the answer that is ready to ask has asked, and then loads for all. Nothing
//! is kept: what is asked for later is loaded later.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::{Context, Result};
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_projections::{AsOf, ExecutionFilter, ExecutionRow, NodeRunRange, NodeRunRow, Page, PageOf, WorkflowRow};
use timeloom_store::{Position, RecordedEvent, TenantScope, Wanted};
use tokio::sync::oneshot;

use super::access::AccessLoads;
use super::faults::fault;
use super::inference::InferenceLoads;
use super::reading::rows;
use crate::state::ApiState;

/// Loads of one kind that wait to be made together.
#[derive(Debug)]
pub(crate) struct Batch<K, V> {
    waiting: Mutex<Waiting<K, V>>,
}

type Waiting<K, V> = Vec<(K, oneshot::Sender<Result<Option<V>>>)>;

impl<K, V> Default for Batch<K, V> {
    fn default() -> Self {
        Self { waiting: Mutex::new(Vec::new()) }
    }
}

/// Whoever loads for all. When their part of the answer is given up before that, the others try again.
struct Leader<'a, K, V> {
    batch: &'a Batch<K, V>,
    has_taken: bool,
}

impl<K, V> Drop for Leader<'_, K, V> {
    fn drop(&mut self) {
        if !self.has_taken {
            self.batch.waiting().clear();
        }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Batch<K, V> {
    /// The value of `key`, loaded with all others that are asked for at this moment; `None` when there is none.
    pub(crate) async fn load<F>(&self, key: K, load: impl Fn(Vec<K>) -> F) -> Result<Option<V>>
    where
        F: Future<Output = Result<HashMap<K, V>>>,
    {
        loop {
            let (sender, receiver) = oneshot::channel();
            let is_first = {
                let mut waiting = self.waiting();
                waiting.push((key.clone(), sender));
                waiting.len() == 1
            };
            if is_first {
                self.lead(&load).await;
            }
            // An error says that the leader was given up.
            if let Ok(loaded) = receiver.await {
                return loaded;
            }
        }
    }

    async fn lead<F>(&self, load: &impl Fn(Vec<K>) -> F)
    where
        F: Future<Output = Result<HashMap<K, V>>>,
    {
        let mut leader = Leader { batch: self, has_taken: false };
        tokio::task::yield_now().await;
        leader.has_taken = true;
        let asked = std::mem::take(&mut *self.waiting());
        let mut keys: Vec<K> = Vec::with_capacity(asked.len());
        let mut known = std::collections::HashSet::with_capacity(asked.len());
        keys.extend(asked.iter().map(|(key, _)| key).filter(|key| known.insert((*key).clone())).cloned());
        let loaded = load(keys).await;
        for (key, sender) in asked {
            // Whoever asked may be gone.
            let _ = sender.send(match &loaded {
                Ok(values) => Ok(values.get(&key).cloned()),
                Err(error) => Err(error.clone()),
            });
        }
    }
}

impl<K, V> Batch<K, V> {
    fn waiting(&self) -> MutexGuard<'_, Waiting<K, V>> {
        // It is changed in single steps.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The loads of one request. One is put into every request's data.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    workflows: Batch<(WorkflowId, AsOf), WorkflowRow>,
    executions: Batch<(ExecutionId, AsOf), ExecutionRow>,
    execution_pages: Batch<(AsOf, Page, ExecutionFilter), PageOf<ExecutionRow>>,
    node_runs: Batch<(AsOf, ExecutionId, NodeRunRange), Vec<NodeRunRow>>,
    events: Batch<Position, Arc<RecordedEvent>>,
    /// Those that are about access.
    pub access: AccessLoads,
    /// Those that are about inferences.
    pub inference: InferenceLoads,
}

impl Loads {
    /// Those of the request; a request without any loads one at a time.
    pub(crate) fn of(context: &Context<'_>) -> Arc<Self> {
        context.data_opt::<Arc<Self>>().cloned().unwrap_or_default()
    }

    /// A workflow.
    pub(crate) async fn workflow(&self, state: &ApiState, id: WorkflowId, as_of: AsOf) -> Result<Option<WorkflowRow>> {
        let load = |keys: Vec<(WorkflowId, AsOf)>| async move {
            let mut found = HashMap::with_capacity(keys.len());
            for (as_of, keys) in by_moment(keys, |(_, as_of)| *as_of) {
                let ids: Vec<WorkflowId> = keys.iter().map(|(id, _)| *id).collect();
                let loaded = rows(state.read_models().workflows_by_id(state.tenant(), &ids, as_of).await)?;
                found.extend(loaded.into_iter().map(|row| ((row.id, as_of), row)));
            }
            Ok(found)
        };
        self.workflows.load((id, as_of), load).await
    }

    /// An execution.
    pub(crate) async fn execution(
        &self,
        state: &ApiState,
        id: ExecutionId,
        as_of: AsOf,
    ) -> Result<Option<ExecutionRow>> {
        let load = |keys: Vec<(ExecutionId, AsOf)>| async move {
            let mut found = HashMap::with_capacity(keys.len());
            for (as_of, keys) in by_moment(keys, |(_, as_of)| *as_of) {
                let ids: Vec<ExecutionId> = keys.iter().map(|(id, _)| *id).collect();
                let loaded = rows(state.read_models().executions_by_id(state.tenant(), &ids, as_of).await)?;
                found.extend(loaded.into_iter().map(|row| ((row.id, as_of), row)));
            }
            Ok(found)
        };
        self.executions.load((id, as_of), load).await
    }

    /// A page of executions.
    pub(crate) async fn execution_page(
        &self,
        state: &ApiState,
        as_of: AsOf,
        page: Page,
        filter: ExecutionFilter,
    ) -> Result<PageOf<ExecutionRow>> {
        let load = |keys: Vec<(AsOf, Page, ExecutionFilter)>| async move {
            let mut found = HashMap::with_capacity(keys.len());
            for (as_of, keys) in by_moment(keys, |(as_of, ..)| *as_of) {
                let pages: Vec<_> = keys.iter().map(|(_, page, filter)| (*page, filter.clone())).collect();
                let loaded = rows(state.read_models().execution_pages(state.tenant(), as_of, &pages).await)?;
                found.extend(keys.into_iter().zip(loaded));
            }
            Ok(found)
        };
        let found = self.execution_pages.load((as_of, page, filter), load).await?;
        found.ok_or_else(unanswered)
    }

    /// Node runs of an execution.
    pub(crate) async fn node_runs(
        &self,
        state: &ApiState,
        as_of: AsOf,
        id: ExecutionId,
        range: NodeRunRange,
    ) -> Result<Vec<NodeRunRow>> {
        let load = |keys: Vec<(AsOf, ExecutionId, NodeRunRange)>| async move {
            let mut found = HashMap::with_capacity(keys.len());
            for (as_of, keys) in by_moment(keys, |(as_of, ..)| *as_of) {
                let ranges: Vec<_> = keys.iter().map(|(_, id, range)| (*id, *range)).collect();
                let loaded = rows(state.read_models().node_runs_of_each(state.tenant(), as_of, &ranges).await)?;
                found.extend(keys.into_iter().zip(loaded));
            }
            Ok(found)
        };
        Ok(self.node_runs.load((as_of, id, range), load).await?.unwrap_or_default())
    }

    /// The event at a position.
    pub(crate) async fn event(&self, state: &ApiState, position: Position) -> Result<Option<Arc<RecordedEvent>>> {
        let load = |positions: Vec<Position>| async move {
            let scope = TenantScope::One(state.tenant());
            let found = state.log().look_up(scope, &Wanted::Positions(positions)).await;
            let found = found.map_err(|error| fault(&error))?;
            Ok(found.into_iter().map(|event| (event.position, event)).collect())
        };
        self.events.load(position, load).await
    }
}

/// A question that came together with others was not answered.
#[derive(Debug, thiserror::Error)]
#[error("a question that came together with others was not answered")]
struct Unanswered;

/// That it was not, as clients see it.
pub(crate) fn unanswered() -> async_graphql::Error {
    fault(&Unanswered)
}

/// Keys by the moment that they are about; nearly always that is one.
pub(crate) fn by_moment<K>(keys: Vec<K>, as_of: impl Fn(&K) -> AsOf) -> HashMap<AsOf, Vec<K>> {
    let mut sorted: HashMap<AsOf, Vec<K>> = HashMap::new();
    for key in keys {
        sorted.entry(as_of(&key)).or_default().push(key);
    }
    sorted
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::{join_all, select};

    use super::*;

    async fn doubled(loads: &AtomicUsize, keys: Vec<u32>) -> Result<HashMap<u32, u32>> {
        loads.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        Ok(keys.into_iter().filter(|key| *key < 100).map(|key| (key, key * 2)).collect())
    }

    #[tokio::test]
    async fn what_is_asked_at_one_moment_is_loaded_once() {
        let (batch, loads) = (Batch::default(), AtomicUsize::new(0));
        let asked = (0..50).chain(0..50).chain([200]).map(|key| batch.load(key, |keys| doubled(&loads, keys)));
        let loaded: Vec<Option<u32>> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(loaded.len(), 101);
        assert!(loaded.iter().take(100).enumerate().all(|(place, value)| *value == Some(place as u32 % 50 * 2)));
        assert_eq!((loaded[100], loads.load(Ordering::Relaxed)), (None, 1));
        assert_eq!(batch.load(7, |keys| doubled(&loads, keys)).await.unwrap(), Some(14));
        assert_eq!(loads.load(Ordering::Relaxed), 2, "nothing is kept");
    }

    #[tokio::test]
    async fn others_go_on_when_the_first_is_given_up() {
        let (batch, loads) = (Batch::default(), AtomicUsize::new(0));
        let given_up = Box::pin(batch.load(1, |keys| doubled(&loads, keys)));
        let other = Box::pin(batch.load(2, |keys| doubled(&loads, keys)));
        let first = async {
            // The first has asked and leads; then nobody waits for it any more.
            select(given_up, std::future::ready(())).await;
        };
        let (_, loaded) = tokio::join!(first, other);
        assert_eq!((loaded.unwrap(), loads.load(Ordering::Relaxed)), (Some(4), 1));
    }
}
