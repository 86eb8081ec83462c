//! Commands on data tables and their rows.
//!
//! What a change of rows came to is read from its event, so that a command that is sent again is answered as it was then.

use std::sync::Arc;

use timeloom_domain::access::Permission;
use timeloom_domain::data_table::{
    DataRow, DataTable, DataTableCommand, DataTableEvent, DataTableRefusal, DataTables, RowFilter, RowsCommand, TABLES,
    TableRows, TableRowsEvent, TableRowsRefusal,
};
use timeloom_domain::event::Aggregate as _;
use timeloom_domain::ids::{CommandId, DataTableId};
use timeloom_domain::item::JsonObject;
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{Direction, Revision, StreamKey, codec};
use uuid::Uuid;

use crate::bridge::Base;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal, StreamState};

impl From<DataTableRefusal> for Refusal {
    fn from(refusal: DataTableRefusal) -> Self {
        let code = match refusal {
            DataTableRefusal::NotFound => "DATA_TABLE_NOT_FOUND",
            DataTableRefusal::NameTaken(_) => "DATA_TABLE_EXISTS",
            DataTableRefusal::InvalidName => "INVALID_NAME",
            DataTableRefusal::TooManyTables => "TOO_MANY",
            DataTableRefusal::InvalidColumn(_)
            | DataTableRefusal::TwiceTheColumn(_)
            | DataTableRefusal::WrongCount(_) => "INVALID_COLUMNS",
            DataTableRefusal::ColumnTaken { .. } => "COLUMN_EXISTS",
            DataTableRefusal::UnknownColumn { .. } => "COLUMN_NOT_FOUND",
            DataTableRefusal::WrongValue { .. } | DataTableRefusal::CellTooLarge(_) => "INVALID_CELL",
            DataTableRefusal::NoValue { .. }
            | DataTableRefusal::TooManyConditions(_)
            | DataTableRefusal::NotText(_)
            | DataTableRefusal::UnknownCondition { .. } => "INVALID_CONDITION",
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<TableRowsRefusal> for Refusal {
    fn from(refusal: TableRowsRefusal) -> Self {
        let code = match refusal {
            TableRowsRefusal::TooManyRows(_) | TableRowsRefusal::TooLarge => "DATA_TABLE_FULL",
            TableRowsRefusal::TooManyTogether(_) => "TOO_MANY",
            TableRowsRefusal::NoCondition => "NO_CONDITION",
        };
        Self::new(code, refusal.to_string())
    }
}

/// The id of the table that a command makes: the same when it is sent again.
pub fn data_table_id(command: CommandId) -> DataTableId {
    DataTableId(Uuid::new_v5(&command.0, b"data-table"))
}

/// What is to become of the rows of a table; the time is that of the command.
#[derive(Debug, Clone, PartialEq)]
pub enum RowsChange {
    /// They come in.
    Insert(Vec<Arc<JsonObject>>),
    /// These cells are written in the rows that are meant; where none is, they come in as a row if that is wanted.
    Update {
        /// The rows.
        filter: RowFilter,
        /// The cells; null empties one.
        cells: JsonObject,
        /// Whether they come in where no row is meant.
        or_insert: bool,
    },
    /// The rows that are meant go; `None` = all.
    Delete(Option<RowFilter>),
}

impl RowsChange {
    /// The command of it by a node run, at a time in milliseconds since 1970.
    pub fn command(self, by: Option<Arc<str>>, at_ms: i64) -> RowsCommand {
        match self {
            Self::Insert(rows) => RowsCommand::Insert { by, rows, at_ms },
            Self::Update { filter, cells, or_insert } => RowsCommand::Update { by, filter, cells, or_insert, at_ms },
            Self::Delete(filter) => RowsCommand::Delete { by, filter, at_ms },
        }
    }
}

impl Commands {
    /// The data tables of a tenant as they are now.
    ///
    /// # Errors
    /// A refusal, or a fault.
    pub async fn data_tables(&self, context: &CommandContext) -> Result<Arc<StreamState<DataTables>>, CommandError> {
        context.require(Permission::TableRead)?;
        self.load::<DataTables>(&self.stream::<DataTableEvent>(context, TABLES)).await
    }

    /// The rows of a data table as they are now.
    ///
    /// # Errors
    /// A refusal, or a fault.
    pub async fn table_rows(
        &self,
        context: &CommandContext,
        table: DataTableId,
    ) -> Result<Arc<StreamState<TableRows>>, CommandError> {
        context.require(Permission::TableRead)?;
        self.load::<TableRows>(&self.stream::<TableRowsEvent>(context, table)).await
    }

    /// Creates, renames or deletes a data table, or changes its columns.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn change_data_tables(
        &self,
        context: &CommandContext,
        command: DataTableCommand,
    ) -> Result<Outcome<DataTableId>, CommandError> {
        context.require(Permission::TableWrite)?;
        let table = command.table();
        let stream = self.stream::<DataTableEvent>(context, TABLES);
        Ok(self.execute::<DataTables>(context, stream, command, Base::Current).await?.with(table))
    }

    /// Changes rows of a data table; `by` is the node run that does, by its idempotency key. Answers the rows: those that came
    /// in or were written as they were right after it, those that went as they were before.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn change_table_rows(
        &self,
        context: &CommandContext,
        table: &DataTable,
        by: Option<Arc<str>>,
        change: RowsChange,
    ) -> Result<Outcome<Vec<Arc<DataRow>>>, CommandError> {
        context.require(Permission::TableWrite)?;
        let stream = self.stream::<TableRowsEvent>(context, table.id);
        let before = match &change {
            RowsChange::Delete(_) => Some(self.load::<TableRows>(&stream).await?),
            RowsChange::Insert(_) | RowsChange::Update { .. } => None,
        };
        let command = change.command(by, self.inner.clock.now_ms());
        let done = self.execute::<TableRows>(context, stream.clone(), command, Base::Current).await?;
        let rows = self.changed_rows(context, &stream, done.revision, before).await?;
        Ok(done.with(rows))
    }

    /// What the event of a command at `revision` did to rows; nothing where that is the event of another one, and the command
    /// had nothing to do.
    async fn changed_rows(
        &self,
        context: &CommandContext,
        stream: &StreamKey,
        revision: Revision,
        before: Option<Arc<StreamState<TableRows>>>,
    ) -> Result<Vec<Arc<DataRow>>, CommandError> {
        let earlier = Revision(revision.0.saturating_sub(1));
        let found = self.inner.log.read_stream(stream, earlier, Direction::Forward, 1).await?;
        let Some(own) = found.first().filter(|event| event.metadata.command_id == context.command_id) else {
            return Ok(Vec::new());
        };
        let event = codec::decode::<TableRowsEvent>(own)?;
        let (ids, state) = match &event {
            TableRowsEvent::TableRowsInserted { .. } => return Ok(TableRows::inserted(&event)),
            TableRowsEvent::TableRowsUpdated { ids, .. } => (ids, self.rows_at(stream, revision, None).await?),
            TableRowsEvent::TableRowsDeleted { ids, .. } => (ids, self.rows_at(stream, earlier, before).await?),
        };
        Ok(ids.iter().filter_map(|id| state.aggregate.rows.get(id).cloned()).collect())
    }

    /// The rows of a table at a revision: `known` or the kept state, where it is that, else folded.
    async fn rows_at(
        &self,
        stream: &StreamKey,
        revision: Revision,
        known: Option<Arc<StreamState<TableRows>>>,
    ) -> Result<Arc<StreamState<TableRows>>, CommandError> {
        let known = match known {
            Some(known) => known,
            None => self.load::<TableRows>(stream).await?,
        };
        if known.revision == revision {
            return Ok(known);
        }
        let mut state = StreamState::<TableRows>::default();
        while state.revision < revision {
            let page = self.inner.log.read_stream(stream, state.revision, Direction::Forward, READ_EVENTS_MAX).await?;
            let wanted = page.iter().filter(|event| event.revision <= revision);
            let folded_up_to = state.revision;
            for recorded in wanted {
                state.aggregate.apply(&codec::decode::<TableRowsEvent>(recorded)?);
                (state.revision, state.position) = (recorded.revision, recorded.position);
            }
            if state.revision == folded_up_to {
                break;
            }
        }
        Ok(Arc::new(state))
    }
}
