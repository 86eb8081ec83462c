//! What happens to the tables of a tenant, and to the rows of one of them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::DataColumn;
use crate::event::Event;
use crate::execution::ExecutionEvent;
use crate::ids::{DataTableId, ExecutionId};
use crate::item::JsonObject;

/// Bytes of an id as text.
const UUID_BYTES: usize = 36;

/// A fact about the tables of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DataTableEvent {
    /// A table came to be.
    DataTableCreated {
        /// The table.
        table: DataTableId,
        /// Its name.
        name: Arc<str>,
        /// Its columns, in their order.
        columns: Vec<DataColumn>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A table got another name.
    DataTableRenamed {
        /// The table.
        table: DataTableId,
        /// Its new name.
        name: Arc<str>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A table got one more column, the last. Its cells are empty in the rows that are there.
    DataTableColumnAdded {
        /// The table.
        table: DataTableId,
        /// The column.
        column: DataColumn,
        /// Under which key rows have its cells: none that another column of the table ever had, so that what one that was
        /// removed left behind is not seen again.
        key: Arc<str>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A column got another name. Rows have its cells under the same key.
    DataTableColumnRenamed {
        /// The table.
        table: DataTableId,
        /// The column, by the name that it had.
        column: Arc<str>,
        /// Its new name.
        name: Arc<str>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A table lost a column, and the cells in it.
    DataTableColumnRemoved {
        /// The table.
        table: DataTableId,
        /// The column.
        column: Arc<str>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A table is no more, and its rows with it.
    DataTableDeleted {
        /// The table.
        table: DataTableId,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
}

impl Event for DataTableEvent {
    const CATEGORY: &'static str = "data-tables";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("DataTableCreated", 1),
        ("DataTableRenamed", 1),
        ("DataTableColumnAdded", 1),
        ("DataTableColumnRenamed", 1),
        ("DataTableColumnRemoved", 1),
        ("DataTableDeleted", 1),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::DataTableCreated { .. } => "DataTableCreated",
            Self::DataTableRenamed { .. } => "DataTableRenamed",
            Self::DataTableColumnAdded { .. } => "DataTableColumnAdded",
            Self::DataTableColumnRenamed { .. } => "DataTableColumnRenamed",
            Self::DataTableColumnRemoved { .. } => "DataTableColumnRemoved",
            Self::DataTableDeleted { .. } => "DataTableDeleted",
        }
    }
}

/// A fact about the rows of one table: one event for all rows of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TableRowsEvent {
    /// Rows came in.
    TableRowsInserted {
        /// The node run that brought them, by its idempotency key; absent where none did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
        /// The id of the first of them; the others follow.
        first_id: u64,
        /// How many they are: it is told though the rows may be erased, so that no id is given twice.
        count: u64,
        /// Their cells, each under the key of its column; one that is not there is empty.
        rows: Vec<Arc<JsonObject>>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Cells of rows were written.
    TableRowsUpdated {
        /// The node run that did, by its idempotency key; absent where none did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
        /// The rows.
        ids: Vec<u64>,
        /// What these cells hold now in all of them, each under the key of its column; null empties one.
        cells: JsonObject,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Rows were taken out.
    TableRowsDeleted {
        /// The node run that did, by its idempotency key; absent where none did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
        /// The rows.
        ids: Vec<u64>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
}

impl Event for TableRowsEvent {
    const CATEGORY: &'static str = "data-table";
    const TYPES: &'static [(&'static str, u16)] =
        &[("TableRowsInserted", 1), ("TableRowsUpdated", 1), ("TableRowsDeleted", 1)];

    /// The execution whose node wrote the cells: its id begins the key of the node run.
    fn subject_stream(&self) -> Option<(&'static str, String)> {
        let (Self::TableRowsInserted { by, .. } | Self::TableRowsUpdated { by, .. }) = self else { return None };
        let execution: ExecutionId = by.as_deref()?.get(..UUID_BYTES)?.parse().ok()?;
        Some((ExecutionEvent::CATEGORY, execution.to_string()))
    }

    fn event_type(&self) -> &'static str {
        match self {
            Self::TableRowsInserted { .. } => "TableRowsInserted",
            Self::TableRowsUpdated { .. } => "TableRowsUpdated",
            Self::TableRowsDeleted { .. } => "TableRowsDeleted",
        }
    }
}
