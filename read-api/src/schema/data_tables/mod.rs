//! Data tables: what there is, their rows at any moment, and every change of both.

mod changes;
mod rows;

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use timeloom_commands::StreamState;
use timeloom_domain::data_table::{
    ColumnType, DataColumn, DataTable as DomainTable, DataTableEvent, DataTableRefusal, DataTables, RowFilter,
    RowQuestion, TABLES, TableRows, TableRowsEvent,
};
use timeloom_domain::event::Event;
use timeloom_domain::ids::DataTableId;
use timeloom_history::{self as history, HistoryError};
use timeloom_projections::AsOf as RowsAsOf;
use timeloom_store::{Position, StreamKey};
use uuid::Uuid;

pub(crate) use self::changes::DataTableMutation;
use self::rows::{DataTableConditionInput, DataTableRows, filter, shown};
use super::faults::{bad_input, fault};
use super::reading::{Moment, not_there, state};
use super::scalars::{AsOf, PositionScalar};
use crate::state::ApiState;

/// Rows of one answer where nothing else is said.
const ROWS_FIRST: u32 = 100;
/// Most rows of one answer.
const ROWS_FIRST_MAX: u32 = 1_000;

/// The reads of data tables.
#[derive(Debug, Default)]
pub(crate) struct DataTableQuery;

/// What the cells of a column hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ColumnType")]
pub(crate) enum DataTableColumnType {
    /// Texts.
    String,
    /// Numbers.
    Number,
    /// True or false.
    Boolean,
    /// Moments, to the millisecond.
    Date,
}

/// A column of a data table. Every row has `id`, `createdAt` and `updatedAt` besides.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct DataTableColumn {
    /// Its name.
    name: String,
    /// What its cells hold.
    #[graphql(name = "type")]
    column_type: DataTableColumnType,
}

/// A table of rows that Timeloom itself keeps.
#[derive(Debug, Clone)]
pub(crate) struct DataTable {
    table: Arc<DomainTable>,
    /// As of when its rows are read; `None` = now.
    as_of: Option<Position>,
}

fn time(at_ms: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(at_ms)
}

#[Object]
impl DataTable {
    /// Its id.
    async fn id(&self) -> Uuid {
        self.table.id.0
    }

    /// Its name, which no other table of the tenant has.
    async fn name(&self) -> &str {
        &self.table.name
    }

    /// Its columns, in their order.
    async fn columns(&self) -> Vec<DataTableColumn> {
        let column = |column: &DataColumn| DataTableColumn {
            name: column.name.to_string(),
            column_type: column.column_type.into(),
        };
        self.table.columns.iter().map(column).collect()
    }

    /// When it was made.
    async fn created_at(&self) -> Option<DateTime<Utc>> {
        time(self.table.created_at_ms)
    }

    /// When its name or its columns became what they are.
    async fn updated_at(&self) -> Option<DateTime<Utc>> {
        time(self.table.updated_at_ms)
    }

    /// How many rows it has.
    #[graphql(complexity = 10)]
    async fn row_count(&self, context: &Context<'_>) -> Result<u64> {
        Ok(table_rows(state(context)?, self.table.id, self.as_of).await?.aggregate.rows.len() as u64)
    }

    /// Rows of which all conditions hold, or one where `any` is true; without conditions every row. At most 1,000 come at once:
    /// `skip` leaves the first ones out.
    #[graphql(complexity = "child_complexity + 50")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn rows(
        &self,
        context: &Context<'_>,
        #[graphql(default, desc = "What is said of the rows.")] conditions: Vec<DataTableConditionInput>,
        #[graphql(default, desc = "Whether one condition is enough.")] any: bool,
        #[graphql(desc = "The column in whose order they come, empty cells last; absent = by id.")] order_by: Option<
            String,
        >,
        #[graphql(default, desc = "Whether that order is turned round.")] descending: bool,
        #[graphql(desc = "How many; 100 where absent.")] first: Option<u32>,
        #[graphql(default, desc = "How many are left out before them.")] skip: u32,
    ) -> Result<DataTableRows> {
        let first = first.unwrap_or(ROWS_FIRST);
        if first > ROWS_FIRST_MAX {
            return Err(bad_input(format!("at most {ROWS_FIRST_MAX} rows are given at once: ask for them in parts")));
        }
        let refused = |refusal: DataTableRefusal| bad_input(refusal.to_string());
        let filter: RowFilter = filter(&self.table, &conditions, any).map_err(refused)?;
        let order = order_by.map(|column| self.table.order(&column, descending)).transpose().map_err(refused)?;
        let question = RowQuestion { filter, order, skip: skip as usize, limit: first as usize };
        let rows = table_rows(state(context)?, self.table.id, self.as_of).await?;
        // Thousands of rows are looked at: not on a thread that others wait for.
        let found = tokio::task::spawn_blocking(move || rows.aggregate.select(&question)).await;
        let found = found.map_err(|error| fault(&error))?;
        shown(context, &self.table, found)
    }
}

#[Object]
impl DataTableQuery {
    /// All data tables, by name: at most 200.
    #[graphql(complexity = "10 * child_complexity + 10")]
    pub(crate) async fn data_tables(
        &self,
        context: &Context<'_>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Vec<DataTable>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_log(state).await?;
        let found = tables(state, as_of).await?;
        let mut found: Vec<DataTable> =
            found.tables.values().map(|table| DataTable { table: Arc::clone(table), as_of }).collect();
        found.sort_by(|one, other| one.table.name.cmp(&other.table.name));
        Ok(found)
    }

    /// The data table of that id or name; null when there is none.
    #[graphql(complexity = "child_complexity + 5")]
    async fn data_table(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Its id or its name.")] table: String,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<DataTable>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_log(state).await?;
        let found = tables(state, as_of).await?;
        Ok(found.find(&table).map(|table| DataTable { table: Arc::clone(table), as_of }))
    }
}

/// The tables as they are now, or were right after the event at a position.
async fn tables(state: &ApiState, as_of: Option<Position>) -> Result<DataTables> {
    match as_of {
        None => {
            let found = state.commands().data_tables(&state.context(None)).await;
            Ok(found.map_err(|error| fault(&error))?.aggregate.clone())
        }
        Some(position) => folded::<DataTableEvent, _>(state, TABLES.to_owned(), position).await,
    }
}

/// The rows of a table as they are now, or were right after the event at a position.
async fn table_rows(
    state: &ApiState,
    table: DataTableId,
    as_of: Option<Position>,
) -> Result<Arc<StreamState<TableRows>>> {
    match as_of {
        None => state.commands().table_rows(&state.context(None), table).await.map_err(|error| fault(&error)),
        Some(position) => {
            let aggregate = folded::<TableRowsEvent, TableRows>(state, table.to_string(), position).await?;
            Ok(Arc::new(StreamState { aggregate, position, ..StreamState::default() }))
        }
    }
}

async fn folded<E: Event, A: DeserializeOwned + Default>(
    state: &ApiState,
    id: String,
    position: Position,
) -> Result<A> {
    let stream = StreamKey::new(state.tenant(), E::CATEGORY, id);
    let _turn = state.turn_to_fold().await;
    match history::state_at(state.past(), &stream, history::Moment::Position(position)).await {
        Ok(found) => serde_json::from_value(found.state).map_err(|error| fault(&error)),
        Err(HistoryError::UnknownStream(_) | HistoryError::NotYet { .. }) => Ok(A::default()),
        Err(error) => Err(not_there(&error)),
    }
}

/// A table as it is now.
async fn table(state: &ApiState, id: DataTableId, _as_of: RowsAsOf) -> Result<Option<DataTable>> {
    let found = tables(state, None).await?;
    Ok(found.tables.get(&id).map(|table| DataTable { table: Arc::clone(table), as_of: None }))
}
