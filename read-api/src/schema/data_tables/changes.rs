//! Every change of data tables and their rows.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, Result};
use serde_json::Value;
use timeloom_commands::{CommandContext, Refusal, RowsChange, data_table_id};
use timeloom_domain::access::Permission;
use timeloom_domain::data_table::{DataColumn, DataRow, DataTable as DomainTable, DataTableCommand, DataTableRefusal};
use timeloom_domain::ids::DataTableId;
use timeloom_domain::item::JsonObject;
use uuid::Uuid;

use super::rows::{DataTableConditionInput, DataTableRow, filter, shown_row};
use super::{DataTable, DataTableColumnType, table, tables};
use crate::schema::access::because;
use crate::schema::payloads::{ShownId, UserError, Written, payload, refused, settle, taken};
use crate::schema::permitted::check;
use crate::schema::reading::state;
use crate::schema::scalars::PositionScalar;
use crate::state::ApiState;

/// The changes of data tables.
#[derive(Debug, Default)]
pub(crate) struct DataTableMutation;

impl ShownId for DataTableId {
    type Shown = Uuid;

    fn shown(&self) -> Uuid {
        self.0
    }
}

payload! {
    /// What a command on a data table came to.
    DataTablePayload {
        table_id: DataTableId => Uuid,
        /// The table as it is now; absent where there is none any more.
        table: DataTable = table
    }
}

/// A column to make.
#[derive(Debug, InputObject)]
struct DataTableColumnInput {
    /// Its name: a letter, then letters, digits and `_`.
    name: String,
    /// What its cells hold.
    #[graphql(name = "type")]
    column_type: DataTableColumnType,
}

impl From<DataTableColumnInput> for DataColumn {
    fn from(column: DataTableColumnInput) -> Self {
        Self { name: Arc::from(column.name), column_type: column.column_type.into() }
    }
}

/// A data table to make.
#[derive(Debug, InputObject)]
struct CreateDataTableInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// Its name, which no other table has.
    name: String,
    /// Its columns, in their order.
    columns: Vec<DataTableColumnInput>,
    /// Why, for those who read its history; at most 1,000 characters.
    reason: Option<String>,
}

/// A data table to give another name.
#[derive(Debug, InputObject)]
struct RenameDataTableInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// Its id or its name.
    table: String,
    /// Its new name.
    name: String,
    /// Why, for those who read its history; at most 1,000 characters.
    reason: Option<String>,
}

/// A column to give a data table.
#[derive(Debug, InputObject)]
struct AddDataTableColumnInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The table's id or its name.
    table: String,
    /// The column. It comes last.
    column: DataTableColumnInput,
    /// Why, for those who read its history; at most 1,000 characters.
    reason: Option<String>,
}

/// A column to give another name.
#[derive(Debug, InputObject)]
struct RenameDataTableColumnInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The table's id or its name.
    table: String,
    /// The column's name.
    column: String,
    /// Its new name.
    name: String,
    /// Why, for those who read its history; at most 1,000 characters.
    reason: Option<String>,
}

/// A column to take out of a data table.
#[derive(Debug, InputObject)]
struct RemoveDataTableColumnInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The table's id or its name.
    table: String,
    /// The column's name.
    column: String,
    /// Why, for those who read its history; at most 1,000 characters.
    reason: Option<String>,
}

/// A data table to do something with.
#[derive(Debug, InputObject)]
struct DataTableInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// Its id or its name.
    table: String,
    /// Why, for those who read its history; at most 1,000 characters.
    reason: Option<String>,
}

/// Rows to put into a data table: all of them or none.
#[derive(Debug, InputObject)]
struct InsertTableRowsInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The table's id or its name.
    table: String,
    /// Their cells by column, an object each; at most 1,000.
    rows: Vec<Value>,
}

/// Cells to write.
#[derive(Debug, InputObject)]
struct UpdateTableRowsInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The table's id or its name.
    table: String,
    /// Which rows are meant: at least one condition.
    conditions: Vec<DataTableConditionInput>,
    /// Whether one condition is enough.
    #[graphql(default)]
    any: bool,
    /// The cells by column; null empties one.
    cells: Value,
    /// Whether they come in as a row of their own where no row is meant.
    #[graphql(default)]
    or_insert: bool,
}

/// Rows to take out.
#[derive(Debug, InputObject)]
struct DeleteTableRowsInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The table's id or its name.
    table: String,
    /// Which rows are meant: at least one condition.
    conditions: Vec<DataTableConditionInput>,
    /// Whether one condition is enough.
    #[graphql(default)]
    any: bool,
}

/// What a command on rows of a data table came to.
pub(crate) struct TableRowsPayload {
    changed: Option<(Arc<DomainTable>, Vec<Arc<DataRow>>)>,
    written: Written,
}

impl From<UserError> for TableRowsPayload {
    fn from(error: UserError) -> Self {
        Self { changed: None, written: Written { errors: vec![error], ..Written::default() } }
    }
}

#[Object]
impl TableRowsPayload {
    /// How many rows were changed.
    async fn count(&self) -> u64 {
        self.changed.as_ref().map_or(0, |(_, rows)| rows.len() as u64)
    }

    /// The rows, at most the first 1,000: as they were right after it, or before they went.
    async fn rows(&self) -> Vec<DataTableRow> {
        let Some((table, rows)) = &self.changed else { return Vec::new() };
        rows.iter().take(super::ROWS_FIRST_MAX as usize).map(|row| shown_row(table, row)).collect()
    }

    /// The position from which reads show it: give it as `waitFor`.
    async fn position(&self) -> Option<PositionScalar> {
        self.written.position()
    }

    /// Whether this command had been carried out before, or had nothing to do.
    async fn repeated(&self) -> bool {
        self.written.repeated
    }

    /// Why the command was not carried out; empty when it was.
    async fn errors(&self) -> &[UserError] {
        &self.written.errors
    }
}

#[Object]
impl DataTableMutation {
    /// Makes a data table.
    async fn create_data_table(&self, context: &Context<'_>, input: CreateDataTableInput) -> Result<DataTablePayload> {
        let state = state(context)?;
        let command = taken!(DataTablePayload, because(state, input.command_id, None, input.reason));
        let create = DataTableCommand::Create {
            table: data_table_id(command.command_id),
            name: Arc::from(input.name),
            columns: input.columns.into_iter().map(DataColumn::from).collect(),
            at_ms: state.commands().clock().now_ms(),
        };
        DataTablePayload::of(state.commands().change_data_tables(&command, create).await)
    }

    /// Gives a data table another name.
    async fn rename_data_table(&self, context: &Context<'_>, input: RenameDataTableInput) -> Result<DataTablePayload> {
        let state = state(context)?;
        let command = taken!(DataTablePayload, because(state, input.command_id, None, input.reason));
        let table = taken!(DataTablePayload, named(state, &input.table).await?);
        let at_ms = state.commands().clock().now_ms();
        let rename = DataTableCommand::Rename { table: table.id, name: Arc::from(input.name), at_ms };
        DataTablePayload::of(state.commands().change_data_tables(&command, rename).await)
    }

    /// Gives a data table one more column. Its cells are empty in the rows that are there.
    async fn add_data_table_column(
        &self,
        context: &Context<'_>,
        input: AddDataTableColumnInput,
    ) -> Result<DataTablePayload> {
        let state = state(context)?;
        let command = taken!(DataTablePayload, because(state, input.command_id, None, input.reason));
        let table = taken!(DataTablePayload, named(state, &input.table).await?).id;
        let at_ms = state.commands().clock().now_ms();
        let add = DataTableCommand::AddColumn { table, column: input.column.into(), at_ms };
        DataTablePayload::of(state.commands().change_data_tables(&command, add).await)
    }

    /// Gives a column of a data table another name. What is in it stays.
    async fn rename_data_table_column(
        &self,
        context: &Context<'_>,
        input: RenameDataTableColumnInput,
    ) -> Result<DataTablePayload> {
        let state = state(context)?;
        let command = taken!(DataTablePayload, because(state, input.command_id, None, input.reason));
        let table = taken!(DataTablePayload, named(state, &input.table).await?).id;
        let (column, name) = (Arc::from(input.column), Arc::from(input.name));
        let at_ms = state.commands().clock().now_ms();
        let rename = DataTableCommand::RenameColumn { table, column, name, at_ms };
        DataTablePayload::of(state.commands().change_data_tables(&command, rename).await)
    }

    /// Takes a column out of a data table with all that is in it. What that was stays in the log.
    async fn remove_data_table_column(
        &self,
        context: &Context<'_>,
        input: RemoveDataTableColumnInput,
    ) -> Result<DataTablePayload> {
        let state = state(context)?;
        let command = taken!(DataTablePayload, because(state, input.command_id, None, input.reason));
        let table = taken!(DataTablePayload, named(state, &input.table).await?).id;
        let at_ms = state.commands().clock().now_ms();
        let remove = DataTableCommand::RemoveColumn { table, column: Arc::from(input.column), at_ms };
        DataTablePayload::of(state.commands().change_data_tables(&command, remove).await)
    }

    /// Deletes a data table with its rows. What they were stays in the log.
    async fn delete_data_table(&self, context: &Context<'_>, input: DataTableInput) -> Result<DataTablePayload> {
        let state = state(context)?;
        let command = taken!(DataTablePayload, because(state, input.command_id, None, input.reason));
        let table = match input.table.parse::<DataTableId>() {
            // One that is gone already has no name any more.
            Ok(id) => id,
            Err(_) => taken!(DataTablePayload, named(state, &input.table).await?).id,
        };
        let delete = DataTableCommand::Delete { table, at_ms: state.commands().clock().now_ms() };
        DataTablePayload::of(state.commands().change_data_tables(&command, delete).await)
    }

    /// Takes all rows out of a data table.
    async fn clear_data_table(&self, context: &Context<'_>, input: DataTableInput) -> Result<TableRowsPayload> {
        let state = state(context)?;
        let command = taken!(TableRowsPayload, because(state, input.command_id, None, input.reason));
        let table = taken!(TableRowsPayload, named(state, &input.table).await?);
        changed(state, &command, table, RowsChange::Delete(None)).await
    }

    /// Puts rows into a data table: all of them or none.
    async fn insert_table_rows(&self, context: &Context<'_>, input: InsertTableRowsInput) -> Result<TableRowsPayload> {
        let state = state(context)?;
        let table = taken!(TableRowsPayload, named(state, &input.table).await?);
        let row = |(index, row): (usize, &Value)| {
            let cells = cells(&table, row);
            cells
                .map(Arc::new)
                .map_err(|refusal| Refusal { message: format!("row {index}: {}", refusal.message), ..refusal })
        };
        let rows: std::result::Result<Vec<_>, Refusal> = input.rows.iter().enumerate().map(row).collect();
        let rows = taken!(TableRowsPayload, rows.map_err(UserError::from));
        changed(state, &state.context(input.command_id), table, RowsChange::Insert(rows)).await
    }

    /// Writes cells of the rows that are meant, of all of them or of none.
    async fn update_table_rows(&self, context: &Context<'_>, input: UpdateTableRowsInput) -> Result<TableRowsPayload> {
        let state = state(context)?;
        let table = taken!(TableRowsPayload, named(state, &input.table).await?);
        let filter = filter(&table, &input.conditions, input.any).map_err(told);
        let filter = taken!(TableRowsPayload, filter);
        let cells = taken!(TableRowsPayload, cells(&table, &input.cells).map_err(UserError::from));
        let change = RowsChange::Update { filter, cells, or_insert: input.or_insert };
        changed(state, &state.context(input.command_id), table, change).await
    }

    /// Takes the rows out that are meant.
    async fn delete_table_rows(&self, context: &Context<'_>, input: DeleteTableRowsInput) -> Result<TableRowsPayload> {
        let state = state(context)?;
        let table = taken!(TableRowsPayload, named(state, &input.table).await?);
        let filter = taken!(TableRowsPayload, filter(&table, &input.conditions, input.any).map_err(told));
        changed(state, &state.context(input.command_id), table, RowsChange::Delete(Some(filter))).await
    }
}

fn told(refusal: DataTableRefusal) -> UserError {
    Refusal::from(refusal).into()
}

fn cells(table: &DomainTable, given: &Value) -> std::result::Result<JsonObject, Refusal> {
    match given {
        Value::Object(values) => Ok(table.cells(values)?),
        _ => Err(Refusal::new("INVALID_CELL", "the cells are no object of columns and values")),
    }
}

/// The table of that id or name. Whoever may not write is told that first, and nothing of what there is.
async fn named(state: &ApiState, reference: &str) -> Result<std::result::Result<Arc<DomainTable>, UserError>> {
    check(state, Permission::TableWrite)?;
    let found = tables(state, None).await?.find(reference).cloned();
    let missing = || refused("DATA_TABLE_NOT_FOUND", format!("there is no data table '{reference}': create it first"));
    Ok(found.ok_or_else(missing))
}

async fn changed(
    state: &ApiState,
    command: &CommandContext,
    table: Arc<DomainTable>,
    change: RowsChange,
) -> Result<TableRowsPayload> {
    let done = state.commands().change_table_rows(command, &table, None, change).await;
    let (rows, written) = Written::of(settle(done)?);
    Ok(TableRowsPayload { changed: rows.map(|rows| (table, rows)), written })
}
