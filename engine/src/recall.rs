//! What nodes remember from one execution to the next, kept as events.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use timeloom_commands::{CommandContext, Commands};
use timeloom_domain::ids::{Actor, CommandId};
use timeloom_domain::recall::{Recall, RecallCommand};
use uuid::Uuid;

use crate::node::{RecallError, RecallPort, RecallScope};

/// Bytes of a key's digest that are kept: enough that no two keys of a memory are alike by chance.
const DIGEST_BYTES: usize = 16;

/// Memories in the log.
#[derive(Clone)]
pub struct LoggedRecall {
    commands: Commands,
}

impl fmt::Debug for LoggedRecall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LoggedRecall").finish_non_exhaustive()
    }
}

impl LoggedRecall {
    /// Memories over `commands`.
    pub fn new(commands: Commands) -> Self {
        Self { commands }
    }

    async fn change(&self, scope: &RecallScope, by: &str, command: RecallCommand) -> Result<Recall, RecallError> {
        let memory = memory_id(scope);
        // A node run that is computed again sends the same command again.
        let command_id = match &command {
            RecallCommand::Clear => self.commands.ids().uuid(),
            _ => Uuid::new_v5(&memory, by.as_bytes()),
        };
        let context = CommandContext::trusted(scope.tenant, Actor::System("engine".to_owned()), CommandId(command_id));
        let changed = self.commands.change_recall(&context, memory, command).await;
        changed.map_err(|error| RecallError(format!("what was seen before cannot be looked up: {error}")))
    }
}

#[async_trait]
impl RecallPort for LoggedRecall {
    async fn remember(
        &self,
        scope: &RecallScope,
        keys: &[String],
        keys_max: usize,
        by: &str,
    ) -> Result<Vec<bool>, RecallError> {
        let keys: Vec<Arc<str>> = keys.iter().map(|key| digest(key)).collect();
        let keys_max = u32::try_from(keys_max).unwrap_or(u32::MAX);
        let command = RecallCommand::Remember { by: Arc::from(by), keys: keys.clone(), keys_max };
        Ok(self.change(scope, by, command).await?.are_new(&keys, by))
    }

    async fn raise(&self, scope: &RecallScope, mark: f64, by: &str) -> Result<Option<f64>, RecallError> {
        let command = RecallCommand::Raise { by: Arc::from(by), mark };
        Ok(self.change(scope, by, command).await?.mark_before(by))
    }

    async fn forget(&self, scope: &RecallScope) -> Result<(), RecallError> {
        self.change(scope, "", RecallCommand::Clear).await.map(|_| ())
    }
}

/// The id of a memory follows from whose it is.
fn memory_id(scope: &RecallScope) -> Uuid {
    let whose = format!("{}/{}", scope.workflow_id, scope.node.as_deref().unwrap_or_default());
    Uuid::new_v5(&Uuid::NAMESPACE_OID, whose.as_bytes())
}

fn digest(key: &str) -> Arc<str> {
    let digest = Sha256::digest(key.as_bytes());
    Arc::from(digest.iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect::<String>())
}
