//! Collections of vectors, as nodes reach them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use timeloom_domain::event::Aggregate as _;
use timeloom_domain::ids::TenantId;
use timeloom_domain::vectors::{VectorCollection, VectorCommand, VectorRow};

/// Where collections of vectors are kept. A command that a node run sends again has been carried out already.
#[async_trait]
pub trait VectorPort: fmt::Debug + Send + Sync {
    /// Sends a command to the collection of that name. `number` tells several commands of one node run apart.
    ///
    /// # Errors
    /// [`VectorError`] when it is refused, or the collection cannot be reached.
    async fn change(
        &self,
        tenant: TenantId,
        collection: &str,
        number: usize,
        command: VectorCommand,
    ) -> Result<(), VectorError>;

    /// The rows nearest to a vector, the nearest first, with how near: 1 is the same.
    ///
    /// # Errors
    /// [`VectorError`] when the collection cannot be reached.
    async fn nearest(
        &self,
        tenant: TenantId,
        collection: &str,
        query: &[f32],
        count: usize,
    ) -> Result<Vec<(Arc<VectorRow>, f32)>, VectorError>;
}

/// The collection says no, or cannot be reached; the message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct VectorError(pub String);

/// Collections that last as long as the process: for tests, and for runs of a file by itself.
#[derive(Debug, Default)]
pub struct TransientVectors {
    by_name: Mutex<BTreeMap<(TenantId, String), VectorCollection>>,
}

#[async_trait]
impl VectorPort for TransientVectors {
    async fn change(
        &self,
        tenant: TenantId,
        collection: &str,
        _number: usize,
        command: VectorCommand,
    ) -> Result<(), VectorError> {
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let of = by_name.entry((tenant, collection.to_owned())).or_default();
        let events = of.decide(&command).map_err(|refusal| VectorError(refusal.to_string()))?;
        events.iter().for_each(|event| of.apply(event));
        Ok(())
    }

    async fn nearest(
        &self,
        tenant: TenantId,
        collection: &str,
        query: &[f32],
        count: usize,
    ) -> Result<Vec<(Arc<VectorRow>, f32)>, VectorError> {
        let by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of) = by_name.get(&(tenant, collection.to_owned())) else { return Ok(Vec::new()) };
        of.nearest(query, count).map_err(|refusal| VectorError(refusal.to_string()))
    }
}
