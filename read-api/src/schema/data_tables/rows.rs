//! Rows of data tables, and what is said of those that are meant.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Result, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;
use timeloom_domain::data_table::{CONDITIONS_MAX, DataRow, DataTable as DomainTable, DataTableRefusal, RowFilter};
use timeloom_store::codec::json_bytes;

use super::super::budget::PayloadBudget;
use super::time;

/// How a cell is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum DataTableCondition {
    /// It is the value; null is an empty cell.
    Eq,
    /// It is another one.
    Neq,
    /// The text is like the value, in which % stands for any text; one without is looked for anywhere.
    Like,
    /// The same for upper-case and lower-case letters alike.
    Ilike,
    /// It is greater or later.
    Gt,
    /// It is greater or later, or the same.
    Gte,
    /// It is less or earlier.
    Lt,
    /// It is less or earlier, or the same.
    Lte,
    /// There is nothing in it.
    IsEmpty,
    /// There is something in it.
    IsNotEmpty,
    /// It is true.
    IsTrue,
    /// It is false.
    IsFalse,
}

impl DataTableCondition {
    /// Its word in the domain.
    const fn word(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Neq => "neq",
            Self::Like => "like",
            Self::Ilike => "ilike",
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::IsEmpty => "isEmpty",
            Self::IsNotEmpty => "isNotEmpty",
            Self::IsTrue => "isTrue",
            Self::IsFalse => "isFalse",
        }
    }
}

/// What is said of one cell of a row.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct DataTableConditionInput {
    /// The column; `id`, `createdAt` and `updatedAt` are columns too.
    column: String,
    /// How its cell is compared.
    condition: DataTableCondition,
    /// With what.
    value: Option<Value>,
}

/// The filter that conditions are.
pub(super) fn filter(
    table: &DomainTable,
    conditions: &[DataTableConditionInput],
    any: bool,
) -> std::result::Result<RowFilter, DataTableRefusal> {
    if conditions.len() > CONDITIONS_MAX {
        return Err(DataTableRefusal::TooManyConditions(conditions.len()));
    }
    let condition = |given: &DataTableConditionInput| {
        table.condition(&given.column, given.condition.word(), given.value.as_ref().unwrap_or(&Value::Null))
    };
    let conditions = conditions.iter().map(condition).collect::<std::result::Result<_, _>>()?;
    Ok(RowFilter { all: !any, conditions })
}

/// A row of a data table.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct DataTableRow {
    /// Its number in the table: numbers ascend, and none is given twice.
    id: u64,
    /// When it came in.
    created_at: Option<DateTime<Utc>>,
    /// When it was written last.
    updated_at: Option<DateTime<Utc>>,
    /// Its cells by column; those that are empty are null.
    cells: Value,
}

/// Rows of a data table.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct DataTableRows {
    /// How many rows are meant in all.
    count: u64,
    /// Those that are given.
    rows: Vec<DataTableRow>,
}

/// Rows as they are shown, within what an answer may hold.
pub(super) fn shown(
    context: &Context<'_>,
    table: &DomainTable,
    (rows, count): (Vec<Arc<DataRow>>, usize),
) -> Result<DataTableRows> {
    let rows: Vec<DataTableRow> = rows.iter().map(|row| shown_row(table, row)).collect();
    PayloadBudget::take(context, rows.iter().map(|row| json_bytes(&row.cells)).sum())?;
    Ok(DataTableRows { count: count as u64, rows })
}

/// A row as it is shown.
pub(super) fn shown_row(table: &DomainTable, row: &DataRow) -> DataTableRow {
    DataTableRow {
        id: row.id,
        created_at: time(row.created_at_ms),
        updated_at: time(row.updated_at_ms),
        cells: Value::Object(table.shown_cells(row)),
    }
}
