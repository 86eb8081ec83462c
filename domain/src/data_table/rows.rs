//! The rows of one table, and what is decided about them.
//!
//! It knows no columns: what a cell may hold is seen to by [`super::DataTable`] before a command is made.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RowFilter, RowQuestion, TableRowsEvent, iso};
use crate::event::Aggregate;
use crate::item::JsonObject;

/// Most rows of a table: all of them are looked at by a filter.
pub const ROWS_MAX: usize = 50_000;
/// Most bytes of a table's cells, with the names of their columns.
pub const TABLE_BYTES_MAX: usize = 64 << 20;
/// Most rows that one step puts in.
pub const ROWS_TOGETHER_MAX: usize = 1_000;
/// Most bytes of the rows that one step puts in, counted as [`TABLE_BYTES_MAX`] is.
const ROWS_TOGETHER_BYTES_MAX: usize = 8 << 20;

/// A row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataRow {
    /// Its number in the table. Numbers ascend, and none is given twice.
    pub id: u64,
    /// When it came in, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it was written last, in milliseconds since 1970.
    pub updated_at_ms: i64,
    /// Its cells, each under the [key](super::DataTable::key) of its column; one that is not there is empty.
    pub cells: JsonObject,
}

impl DataRow {
    /// What the column with that [key](super::DataTable::key) holds, one of those that every row has as well; null when it is
    /// empty.
    pub fn cell(&self, key: &str) -> Cow<'_, Value> {
        match key {
            "id" => Cow::Owned(self.id.into()),
            "createdAt" => Cow::Owned(iso(self.created_at_ms).into()),
            "updatedAt" => Cow::Owned(iso(self.updated_at_ms).into()),
            _ => self.cells.get(key).map_or(Cow::Owned(Value::Null), Cow::Borrowed),
        }
    }

    /// The same with other cells; null empties one.
    #[must_use]
    pub fn updated(&self, cells: &JsonObject, at_ms: i64) -> Self {
        let mut updated = Self { updated_at_ms: at_ms, ..self.clone() };
        for (column, value) in cells {
            match value {
                Value::Null => updated.cells.remove(column),
                value => updated.cells.insert(column.clone(), value.clone()),
            };
        }
        updated
    }
}

/// Bytes of a number, a truth or an empty cell.
const SCALAR_BYTES: usize = 8;

/// Bytes that cells take, about.
fn bytes(cells: &JsonObject) -> usize {
    let cell = |value: &Value| value.as_str().map_or(SCALAR_BYTES, str::len);
    cells.iter().map(|(column, value)| column.len() + cell(value)).sum()
}

/// Counts the bytes of rows that are to come in together.
#[derive(Debug, Clone, Copy, Default)]
pub struct TogetherBytes(usize);

impl TogetherBytes {
    /// Whether another row fits in one step with those before it; it is counted then.
    pub fn takes(&mut self, row: &JsonObject) -> bool {
        let together = self.0 + bytes(row);
        let fits = self.0 == 0 || together <= ROWS_TOGETHER_BYTES_MAX;
        if fits {
            self.0 = together;
        }
        fits
    }
}

/// The rows of a table as its events tell them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableRows {
    /// The number of the last row that came in; 0 before the first.
    pub last_id: u64,
    /// The rows by their numbers.
    pub rows: BTreeMap<u64, Arc<DataRow>>,
    /// Bytes of their cells, about.
    pub bytes: usize,
}

/// A request to the rows of one table.
#[derive(Debug, Clone, PartialEq)]
pub enum RowsCommand {
    /// Take rows in.
    Insert {
        /// The node run that brings them, by its idempotency key.
        by: Option<Arc<str>>,
        /// Their cells.
        rows: Vec<Arc<JsonObject>>,
        /// The time, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Write cells of the rows that are meant.
    Update {
        /// The node run that does, by its idempotency key.
        by: Option<Arc<str>>,
        /// The rows; it says something.
        filter: RowFilter,
        /// The cells; null empties one.
        cells: JsonObject,
        /// Whether they come in as a row of their own where no row is meant.
        or_insert: bool,
        /// The time, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Take the rows out that are meant.
    Delete {
        /// The node run that does, by its idempotency key.
        by: Option<Arc<str>>,
        /// The rows; `None` = all of them.
        filter: Option<RowFilter>,
        /// The time, in milliseconds since 1970.
        at_ms: i64,
    },
}

/// Why the rows of a table say no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableRowsRefusal {
    /// Too many rows.
    #[error("the data table would have {0} rows, at most {ROWS_MAX} are allowed: delete some, or use several tables")]
    TooManyRows(usize),
    /// Too many rows in one step.
    #[error("{0} rows came together, at most {ROWS_TOGETHER_MAX} are allowed: send them in parts")]
    TooManyTogether(usize),
    /// Too much in it.
    #[error("the data table would have more than {} MiB: delete rows, or use several tables", TABLE_BYTES_MAX >> 20)]
    TooLarge,
    /// It is not said which rows are meant.
    #[error("say which rows are meant: give at least one condition")]
    NoCondition,
}

impl TableRows {
    /// The rows that are meant, by their numbers.
    pub fn matching<'r>(&'r self, filter: &'r RowFilter) -> impl Iterator<Item = &'r Arc<DataRow>> {
        self.rows.values().filter(move |row| filter.matches(row))
    }

    /// The rows that are asked for, and how many are meant in all.
    pub fn select(&self, question: &RowQuestion) -> (Vec<Arc<DataRow>>, usize) {
        let RowQuestion { filter, order, skip, limit } = question;
        let mut found: Vec<&Arc<DataRow>> = self.matching(filter).collect();
        if let Some(order) = order {
            found.sort_by(|one, other| order.compare(one, other));
        }
        let count = found.len();
        (found.into_iter().skip(*skip).take(*limit).cloned().collect(), count)
    }

    /// The rows that an event brought, as they came in; none for another event.
    pub fn inserted(event: &TableRowsEvent) -> Vec<Arc<DataRow>> {
        let TableRowsEvent::TableRowsInserted { first_id, rows, at_ms, .. } = event else { return Vec::new() };
        let numbered = (*first_id..).zip(rows);
        numbered.map(|(id, cells)| Arc::new(Self::row(id, cells, *at_ms))).collect()
    }

    fn row(id: u64, cells: &JsonObject, at_ms: i64) -> DataRow {
        let cells = cells.iter().filter(|(_, value)| !value.is_null());
        let cells = cells.map(|(column, value)| (column.clone(), value.clone())).collect();
        DataRow { id, created_at_ms: at_ms, updated_at_ms: at_ms, cells }
    }

    fn insert(
        &self,
        by: Option<&Arc<str>>,
        rows: Vec<Arc<JsonObject>>,
        at_ms: i64,
    ) -> Result<Vec<TableRowsEvent>, TableRowsRefusal> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        if rows.len() > ROWS_TOGETHER_MAX {
            return Err(TableRowsRefusal::TooManyTogether(rows.len()));
        }
        if self.rows.len() + rows.len() > ROWS_MAX {
            return Err(TableRowsRefusal::TooManyRows(self.rows.len() + rows.len()));
        }
        check_bytes(self.bytes + rows.iter().map(|row| bytes(row)).sum::<usize>())?;
        let (first_id, count) = (self.last_id + 1, rows.len() as u64);
        Ok(vec![TableRowsEvent::TableRowsInserted { by: by.cloned(), first_id, count, rows, at_ms }])
    }

    fn update(
        &self,
        by: Option<&Arc<str>>,
        ids: Vec<u64>,
        cells: &JsonObject,
        at_ms: i64,
    ) -> Result<Vec<TableRowsEvent>, TableRowsRefusal> {
        let rows = ids.iter().filter_map(|id| self.rows.get(id));
        let freed: usize = rows.map(|row| bytes(&row.cells)).sum();
        let rows = ids.iter().filter_map(|id| self.rows.get(id));
        let taken: usize = rows.map(|row| bytes(&row.updated(cells, at_ms).cells)).sum();
        check_bytes((self.bytes + taken).saturating_sub(freed))?;
        Ok(vec![TableRowsEvent::TableRowsUpdated { by: by.cloned(), ids, cells: cells.clone(), at_ms }])
    }

    fn put(&mut self, row: DataRow) {
        self.bytes += bytes(&row.cells);
        if let Some(earlier) = self.rows.insert(row.id, Arc::new(row)) {
            self.bytes = self.bytes.saturating_sub(bytes(&earlier.cells));
        }
    }
}

fn check_bytes(bytes: usize) -> Result<(), TableRowsRefusal> {
    if bytes > TABLE_BYTES_MAX { Err(TableRowsRefusal::TooLarge) } else { Ok(()) }
}

impl Aggregate for TableRows {
    const FOLD_VERSION: u32 = 1;

    type Event = TableRowsEvent;
    type Command = RowsCommand;
    type Refusal = TableRowsRefusal;

    fn apply(&mut self, event: &TableRowsEvent) {
        match event {
            TableRowsEvent::TableRowsInserted { first_id, count, rows, at_ms, .. } => {
                for (id, cells) in (*first_id..).zip(rows) {
                    self.put(Self::row(id, cells, *at_ms));
                }
                self.last_id = self.last_id.max(first_id.saturating_add(*count).saturating_sub(1));
            }
            TableRowsEvent::TableRowsUpdated { ids, cells, at_ms, .. } => {
                for id in ids {
                    // A row may have been erased since.
                    if let Some(row) = self.rows.get(id) {
                        self.put(row.updated(cells, *at_ms));
                    }
                }
            }
            TableRowsEvent::TableRowsDeleted { ids, .. } => {
                for row in ids.iter().filter_map(|id| self.rows.remove(id)) {
                    self.bytes = self.bytes.saturating_sub(bytes(&row.cells));
                }
            }
        }
    }

    fn decide(&self, command: &RowsCommand) -> Result<Vec<TableRowsEvent>, TableRowsRefusal> {
        match command {
            RowsCommand::Insert { by, rows, at_ms } => self.insert(by.as_ref(), rows.clone(), *at_ms),
            RowsCommand::Update { filter, .. } | RowsCommand::Delete { filter: Some(filter), .. }
                if filter.conditions.is_empty() =>
            {
                Err(TableRowsRefusal::NoCondition)
            }
            RowsCommand::Update { by, filter, cells, or_insert, at_ms } => {
                let ids: Vec<u64> = self.matching(filter).map(|row| row.id).collect();
                match (ids.is_empty(), or_insert) {
                    (true, false) => Ok(Vec::new()),
                    (true, true) => self.insert(by.as_ref(), vec![Arc::new(cells.clone())], *at_ms),
                    (false, _) => self.update(by.as_ref(), ids, cells, *at_ms),
                }
            }
            RowsCommand::Delete { by, filter, at_ms } => {
                let ids: Vec<u64> = match filter {
                    Some(filter) => self.matching(filter).map(|row| row.id).collect(),
                    None => self.rows.keys().copied().collect(),
                };
                if ids.is_empty() {
                    return Ok(Vec::new());
                }
                Ok(vec![TableRowsEvent::TableRowsDeleted { by: by.clone(), ids, at_ms: *at_ms }])
            }
        }
    }
}
