//! Collections of vectors, kept as events: a stream each, whose id follows from the collection's name.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use timeloom_commands::{CommandContext, Commands};
use timeloom_domain::ids::{Actor, CommandId, TenantId};
use timeloom_domain::vectors::{VectorCommand, VectorRow};
use uuid::Uuid;

use crate::node::{VectorError, VectorPort, blocking};

/// Collections in the log.
#[derive(Clone)]
pub struct LoggedVectors {
    commands: Commands,
}

impl fmt::Debug for LoggedVectors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LoggedVectors").finish_non_exhaustive()
    }
}

impl LoggedVectors {
    /// Collections over `commands`.
    pub fn new(commands: Commands) -> Self {
        Self { commands }
    }
}

/// The id of a collection's stream.
fn stream_id(collection: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("vector-collection/{collection}").as_bytes())
}

fn context(tenant: TenantId, command_id: Uuid) -> CommandContext {
    CommandContext::trusted(tenant, Actor::System("engine".to_owned()), CommandId(command_id))
}

#[async_trait]
impl VectorPort for LoggedVectors {
    async fn change(
        &self,
        tenant: TenantId,
        collection: &str,
        number: usize,
        command: VectorCommand,
    ) -> Result<(), VectorError> {
        let stream = stream_id(collection);
        let (VectorCommand::Add { by, .. } | VectorCommand::Remove { by, .. } | VectorCommand::Clear { by }) = &command;
        // A node run that is computed again sends the same commands again.
        let command_id = Uuid::new_v5(&stream, format!("{by}/{number}").as_bytes());
        let changed = self.commands.change_vectors(&context(tenant, command_id), stream, command).await;
        changed.map_err(|error| VectorError(error.to_string()))
    }

    async fn nearest(
        &self,
        tenant: TenantId,
        collection: &str,
        query: &[f32],
        count: usize,
    ) -> Result<Vec<(Arc<VectorRow>, f32)>, VectorError> {
        let stream = stream_id(collection);
        let context = context(tenant, self.commands.ids().uuid());
        let found = self.commands.vectors(&context, stream).await;
        let found = found.map_err(|error| VectorError(format!("the collection cannot be searched: {error}")))?;
        // Thousands of rows are compared: other tasks of this thread go on elsewhere.
        let nearest = blocking(async { found.aggregate.nearest(query, count) });
        nearest.map_err(|refusal| VectorError(refusal.to_string()))
    }
}
