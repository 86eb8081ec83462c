//! A log beside the one in memory: every call goes to both, one after the other, and they have to answer the same.
//!
//! The log in memory is the model: what it says is what a log has to say. Never called by several at the same time.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::envelope::{Position, RecordedEvent, Revision, StreamKey};
use crate::log::{
    Append, AppendError, Appended, Direction, EventLog, Filter, LogError, Subscription, TenantScope, Wanted,
};
use crate::memory::MemoryLog;

pub(super) struct Twin {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) model: Arc<MemoryLog>,
}

impl fmt::Debug for Twin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Twin").finish_non_exhaustive()
    }
}

#[async_trait]
impl EventLog for Twin {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let outcome = self.log.append(append.clone()).await;
        match (&outcome, self.model.append(append).await) {
            (Ok(found), Ok(wanted)) => {
                let place = |appended: &Appended| (appended.position, appended.revision, appended.repeated);
                assert_eq!(place(found), place(&wanted));
                same_events(&found.events, &wanted.events);
            }
            (
                Err(AppendError::WrongRevision { actual: found, .. }),
                Err(AppendError::WrongRevision { actual: wanted, .. }),
            ) => assert_eq!(*found, wanted),
            (Err(AppendError::DuplicateId), Err(AppendError::DuplicateId)) => {}
            (found, wanted) => panic!("the log answers {found:?}, the model {wanted:?}"),
        }
        assert_eq!(self.log.head(), self.model.head());
        outcome
    }

    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let found = self.log.read_stream(stream, after, direction, limit).await?;
        same_events(&found, &self.model.read_stream(stream, after, direction, limit).await?);
        Ok(found)
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let found = self.log.read_all(scope, after, direction, filter, limit).await?;
        same_events(&found, &self.model.read_all(scope, after, direction, filter, limit).await?);
        Ok(found)
    }

    fn subscribe(&self, scope: TenantScope, after: Position, filter: Filter, capacity: usize) -> Subscription {
        self.log.subscribe(scope, after, filter, capacity)
    }

    fn head(&self) -> Position {
        self.log.head()
    }

    async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        self.log.wait_for(position).await
    }

    async fn look_up(&self, scope: TenantScope, wanted: &Wanted) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.log.look_up(scope, wanted).await
    }

    async fn position_at(&self, time_us: i64) -> Result<Position, LogError> {
        self.log.position_at(time_us).await
    }
}

/// The same but for the time, which two logs take at two moments.
pub(super) fn same_events(found: &[Arc<RecordedEvent>], wanted: &[Arc<RecordedEvent>]) {
    assert_eq!(found, wanted);
    for (found, wanted) in found.iter().zip(wanted) {
        assert_eq!((&found.event_type, found.event_version), (&wanted.event_type, wanted.event_version));
        assert_eq!(found.metadata, wanted.metadata);
    }
}
