//! Data tables in the log, as nodes reach them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use timeloom_commands::{CommandContext, CommandError, Commands, RowsChange, data_table_id};
use timeloom_domain::data_table::{DataRow, DataTable, DataTables, RowQuestion};
use timeloom_domain::ids::{Actor, CommandId, DataTableId, TenantId};
use uuid::Uuid;

use crate::node::{DataTableError, DataTablePort, TableChange, TableStep, blocking};

/// Tables in the log.
#[derive(Clone)]
pub struct LoggedTables {
    commands: Commands,
}

impl fmt::Debug for LoggedTables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LoggedTables").finish_non_exhaustive()
    }
}

impl LoggedTables {
    /// Tables over `commands`.
    pub fn new(commands: Commands) -> Self {
        Self { commands }
    }

    fn reading(&self, tenant: TenantId) -> CommandContext {
        context(tenant, self.commands.ids().uuid())
    }
}

fn context(tenant: TenantId, command_id: Uuid) -> CommandContext {
    CommandContext::trusted(tenant, Actor::System("engine".to_owned()), CommandId(command_id))
}

/// A node run that is computed again sends the same commands again.
fn writing(step: TableStep<'_>) -> CommandContext {
    let name = format!("data-table/{}/{}", step.by, step.number);
    context(step.tenant, Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
}

fn told(error: CommandError) -> DataTableError {
    DataTableError(error.to_string())
}

#[async_trait]
impl DataTablePort for LoggedTables {
    async fn tables(&self, tenant: TenantId) -> Result<DataTables, DataTableError> {
        let found = self.commands.data_tables(&self.reading(tenant)).await.map_err(told)?;
        Ok(found.aggregate.clone())
    }

    async fn select(
        &self,
        tenant: TenantId,
        table: DataTableId,
        question: &RowQuestion,
    ) -> Result<(Vec<Arc<DataRow>>, usize), DataTableError> {
        let found = self.commands.table_rows(&self.reading(tenant), table).await.map_err(told)?;
        // Thousands of rows are looked at: other tasks of this thread go on elsewhere.
        Ok(blocking(async { found.aggregate.select(question) }))
    }

    async fn change(&self, step: TableStep<'_>, change: TableChange) -> Result<DataTableId, DataTableError> {
        let context = writing(step);
        let command = change.command(data_table_id(context.command_id), self.commands.clock().now_ms());
        let done = self.commands.change_data_tables(&context, command).await.map_err(told)?;
        Ok(done.value)
    }

    async fn change_rows(
        &self,
        step: TableStep<'_>,
        table: &DataTable,
        change: RowsChange,
    ) -> Result<Vec<Arc<DataRow>>, DataTableError> {
        let by = Some(Arc::from(step.by));
        let done = self.commands.change_table_rows(&writing(step), table, by, change).await.map_err(told)?;
        Ok(done.value)
    }
}
