//! Data tables, as nodes reach them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use timeloom_commands::RowsChange;
use timeloom_domain::data_table::{
    DataColumn, DataRow, DataTable, DataTableCommand, DataTables, RowQuestion, RowsCommand, TableRows, TableRowsEvent,
};
use timeloom_domain::event::Aggregate;
use timeloom_domain::ids::{DataTableId, TenantId};

/// What is to become of a table itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableChange {
    /// It is made.
    Create {
        /// Its name.
        name: Arc<str>,
        /// Its columns, in their order.
        columns: Vec<DataColumn>,
    },
    /// It gets another name.
    Rename {
        /// The table.
        table: DataTableId,
        /// The name.
        name: Arc<str>,
    },
    /// It goes with its rows.
    Delete {
        /// The table.
        table: DataTableId,
    },
}

impl TableChange {
    /// The command; `made` is the id of a table that it makes.
    pub(crate) fn command(self, made: DataTableId, at_ms: i64) -> DataTableCommand {
        match self {
            Self::Create { name, columns } => DataTableCommand::Create { table: made, name, columns, at_ms },
            Self::Rename { table, name } => DataTableCommand::Rename { table, name, at_ms },
            Self::Delete { table } => DataTableCommand::Delete { table, at_ms },
        }
    }
}

/// Which step of a node run it is. A step that is sent again has been carried out already, and is answered as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableStep<'s> {
    /// Whose tables they are.
    pub tenant: TenantId,
    /// The node run: its idempotency key.
    pub by: &'s str,
    /// Tells several steps of one node run apart.
    pub number: usize,
}

/// Where data tables are kept.
#[async_trait]
pub trait DataTablePort: fmt::Debug + Send + Sync {
    /// The tables of a tenant.
    ///
    /// # Errors
    /// [`DataTableError`] when they cannot be reached.
    async fn tables(&self, tenant: TenantId) -> Result<DataTables, DataTableError>;

    /// Rows of a table, and how many are meant in all.
    ///
    /// # Errors
    /// [`DataTableError`] when they cannot be reached.
    async fn select(
        &self,
        tenant: TenantId,
        table: DataTableId,
        question: &RowQuestion,
    ) -> Result<(Vec<Arc<DataRow>>, usize), DataTableError>;

    /// Changes a table itself; answers its id.
    ///
    /// # Errors
    /// [`DataTableError`] when it is refused, or the tables cannot be reached.
    async fn change(&self, step: TableStep<'_>, change: TableChange) -> Result<DataTableId, DataTableError>;

    /// Changes rows of a table; answers them: as they are right after it, or were before they went.
    ///
    /// # Errors
    /// [`DataTableError`] when it is refused, or the table cannot be reached.
    async fn change_rows(
        &self,
        step: TableStep<'_>,
        table: &DataTable,
        change: RowsChange,
    ) -> Result<Vec<Arc<DataRow>>, DataTableError>;
}

/// A table says no, or cannot be reached; the message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DataTableError(pub String);

/// Tables that last as long as the process: for tests, and for runs of a file by itself. Their time stands still.
#[derive(Debug, Default)]
pub struct TransientTables {
    inner: Mutex<Transient>,
}

#[derive(Debug, Default)]
struct Transient {
    tables: BTreeMap<TenantId, DataTables>,
    rows: BTreeMap<(TenantId, DataTableId), TableRows>,
    made: u128,
}

/// When everything of transient tables happens, in milliseconds since 1970.
const STANDING_MS: i64 = 0;

impl TransientTables {
    fn locked(&self) -> MutexGuard<'_, Transient> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn decided<A: Aggregate>(aggregate: &A, command: &A::Command) -> Result<Vec<A::Event>, DataTableError> {
    aggregate.decide(command).map_err(|refusal| DataTableError(refusal.to_string()))
}

#[async_trait]
impl DataTablePort for TransientTables {
    async fn tables(&self, tenant: TenantId) -> Result<DataTables, DataTableError> {
        Ok(self.locked().tables.get(&tenant).cloned().unwrap_or_default())
    }

    async fn select(
        &self,
        tenant: TenantId,
        table: DataTableId,
        question: &RowQuestion,
    ) -> Result<(Vec<Arc<DataRow>>, usize), DataTableError> {
        Ok(self.locked().rows.get(&(tenant, table)).map(|rows| rows.select(question)).unwrap_or_default())
    }

    async fn change(&self, step: TableStep<'_>, change: TableChange) -> Result<DataTableId, DataTableError> {
        let mut inner = self.locked();
        inner.made += 1;
        let made = DataTableId(uuid::Uuid::from_u128(inner.made));
        let table = match &change {
            TableChange::Create { .. } => made,
            TableChange::Rename { table, .. } | TableChange::Delete { table } => *table,
        };
        let tables = inner.tables.entry(step.tenant).or_default();
        let events = decided(tables, &change.command(made, STANDING_MS))?;
        events.iter().for_each(|event| tables.apply(event));
        Ok(table)
    }

    async fn change_rows(
        &self,
        step: TableStep<'_>,
        table: &DataTable,
        change: RowsChange,
    ) -> Result<Vec<Arc<DataRow>>, DataTableError> {
        let mut inner = self.locked();
        let rows = inner.rows.entry((step.tenant, table.id)).or_default();
        let command: RowsCommand = change.command(Some(Arc::from(step.by)), STANDING_MS);
        let Some(event) = decided(rows, &command)?.pop() else { return Ok(Vec::new()) };
        let found = |rows: &TableRows, ids: &[u64]| ids.iter().filter_map(|id| rows.rows.get(id).cloned()).collect();
        let gone: Vec<Arc<DataRow>> = match &event {
            TableRowsEvent::TableRowsDeleted { ids, .. } => found(rows, ids),
            _ => TableRows::inserted(&event),
        };
        rows.apply(&event);
        Ok(match &event {
            TableRowsEvent::TableRowsUpdated { ids, .. } => found(rows, ids),
            _ => gone,
        })
    }
}
