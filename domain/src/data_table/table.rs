//! The tables of a tenant: their names and columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    CELL_BYTES_MAX, COLUMN_CHARACTERS_MAX, COLUMNS_MAX, CONDITIONS_MAX, ColumnType, DataColumn, DataRow,
    DataTableEvent, SYSTEM_COLUMNS, iso,
};
use crate::event::Aggregate;
use crate::ids::DataTableId;
use crate::item::JsonObject;

/// Most tables of a tenant.
pub const TABLES_MAX: usize = 200;
/// Longest name of a table, in characters.
pub const TABLE_NAME_CHARACTERS_MAX: usize = 128;
/// The id of the stream that tells the tables of a tenant.
pub const TABLES: &str = "tables";

/// The same bound of a cell, for messages.
const CELL_KIB_MAX: usize = CELL_BYTES_MAX >> 10;
/// Characters of a value that a message repeats.
const TOLD_CHARACTERS_MAX: usize = 60;

/// A table, without its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataTable {
    /// Its id.
    pub id: DataTableId,
    /// Its name, which no other table of the tenant has.
    pub name: Arc<str>,
    /// Its columns, in their order.
    pub columns: Vec<DataColumn>,
    /// Under which keys rows have the cells of columns, by the columns' names, where that is not the name itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) keys: BTreeMap<Arc<str>, Arc<str>>,
    /// How many columns were added since it came to be, with those that are gone again.
    #[serde(default, skip_serializing_if = "is_none_added")]
    pub(super) columns_added: u64,
    /// When it came to be, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When its name or its columns became what they are, in milliseconds since 1970.
    pub updated_at_ms: i64,
}

const fn is_none_added(columns: &u64) -> bool {
    *columns == 0
}

/// The tables of a tenant as their events tell them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataTables {
    /// The tables by their ids.
    pub tables: BTreeMap<DataTableId, Arc<DataTable>>,
}

/// A request to the tables of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataTableCommand {
    /// Make a table.
    Create {
        /// Its id.
        table: DataTableId,
        /// Its name.
        name: Arc<str>,
        /// Its columns, in their order.
        columns: Vec<DataColumn>,
        /// The time, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Give a table another name.
    Rename {
        /// The table.
        table: DataTableId,
        /// Its new name.
        name: Arc<str>,
        /// The time, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Give a table one more column. It is empty in the rows that are there.
    AddColumn {
        /// The table.
        table: DataTableId,
        /// The column.
        column: DataColumn,
        /// The time, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Give a column another name. What is in it stays.
    RenameColumn {
        /// The table.
        table: DataTableId,
        /// The column.
        column: Arc<str>,
        /// Its new name.
        name: Arc<str>,
        /// The time, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Take a column out of a table with all that is in it.
    RemoveColumn {
        /// The table.
        table: DataTableId,
        /// The column.
        column: Arc<str>,
        /// The time, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Delete a table. One that is not there is gone already.
    Delete {
        /// The table.
        table: DataTableId,
        /// The time, in milliseconds since 1970.
        at_ms: i64,
    },
}

impl DataTableCommand {
    /// The table that it is about.
    pub const fn table(&self) -> DataTableId {
        match self {
            Self::Create { table, .. }
            | Self::Rename { table, .. }
            | Self::AddColumn { table, .. }
            | Self::RenameColumn { table, .. }
            | Self::RemoveColumn { table, .. }
            | Self::Delete { table, .. } => *table,
        }
    }
}

/// Why the tables say no, or a table to what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataTableRefusal {
    /// There is no such table.
    #[error("there is no such data table: list the tables, or create it first")]
    NotFound,
    /// The name belongs to another table.
    #[error("there is a data table '{0}' already: use it, or choose another name")]
    NameTaken(Arc<str>),
    /// It is no name.
    #[error("a data table's name has 1 to {TABLE_NAME_CHARACTERS_MAX} characters, and no spaces at its ends")]
    InvalidName,
    /// Too many tables.
    #[error("there are {TABLES_MAX} data tables, the most of a tenant: delete one first")]
    TooManyTables,
    /// It is no name of a column.
    #[error(
        "'{0}' cannot be a column: use a letter, then letters, digits and '_', at most {COLUMN_CHARACTERS_MAX}; id, createdAt and updatedAt are there anyway"
    )]
    InvalidColumn(String),
    /// Two columns of one name.
    #[error("there are two columns '{0}': give one of them another name")]
    TwiceTheColumn(Arc<str>),
    /// The name belongs to another column of the table.
    #[error("the data table '{table}' has a column '{column}' already: choose another name")]
    ColumnTaken {
        /// The table.
        table: Arc<str>,
        /// The column.
        column: Arc<str>,
    },
    /// Too many columns, or none.
    #[error("a data table has 1 to {COLUMNS_MAX} columns, not {0}")]
    WrongCount(usize),
    /// The table has no such column.
    #[error("the data table '{table}' has no column '{column}'; it has: {known}")]
    UnknownColumn {
        /// The table.
        table: Arc<str>,
        /// What was asked for.
        column: String,
        /// What there is.
        known: String,
    },
    /// A value of another type.
    #[error("the column '{column}' holds a {column_type}, and {found} is none")]
    WrongValue {
        /// The column.
        column: String,
        /// What it holds.
        column_type: ColumnType,
        /// What was given.
        found: String,
    },
    /// Too much for a cell.
    #[error(
        "a cell has at most {CELL_KIB_MAX} KiB, the one for '{0}' has more: keep it elsewhere, and its address here"
    )]
    CellTooLarge(String),
    /// A condition that wants a value.
    #[error("the condition '{condition}' on '{column}' wants a value to compare with")]
    NoValue {
        /// The column.
        column: String,
        /// The condition.
        condition: String,
    },
    /// Too many conditions.
    #[error("there are {0} conditions, at most {CONDITIONS_MAX} are allowed: use fewer")]
    TooManyConditions(usize),
    /// A pattern for something that is no text.
    #[error("like and ilike compare texts: '{0}' or what it is compared with is none")]
    NotText(String),
    /// No word of conditions.
    #[error("'{found}' is no condition; these are: {known}")]
    UnknownCondition {
        /// What was given.
        found: String,
        /// What there is.
        known: &'static str,
    },
}

impl DataTable {
    /// What a column holds, one of those that every row has as well.
    ///
    /// # Errors
    /// [`DataTableRefusal::UnknownColumn`].
    pub fn type_of(&self, column: &str) -> Result<ColumnType, DataTableRefusal> {
        match column {
            "id" => Ok(ColumnType::Number),
            "createdAt" | "updatedAt" => Ok(ColumnType::Date),
            _ => self.column(column).map(|column| column.column_type),
        }
    }

    /// The cells of a row as they are kept, by the keys of their columns: what is not there and what is null is empty.
    ///
    /// # Errors
    /// [`DataTableRefusal`] for a column that the table does not have, and for a value that its column cannot hold.
    pub fn cells(&self, values: &JsonObject) -> Result<JsonObject, DataTableRefusal> {
        let mut cells = JsonObject::new();
        for (name, value) in values {
            let column_type = self.column(name)?.column_type;
            cells.insert(self.key(name).to_owned(), cell_of(name, column_type, value)?);
        }
        Ok(cells)
    }

    /// A row as it is shown: with every column, empty ones too.
    pub fn shown(&self, row: &DataRow) -> JsonObject {
        let mut shown = JsonObject::new();
        shown.insert("id".to_owned(), row.id.into());
        shown.insert("createdAt".to_owned(), iso(row.created_at_ms).into());
        shown.insert("updatedAt".to_owned(), iso(row.updated_at_ms).into());
        shown.extend(self.shown_cells(row));
        shown
    }

    /// The cells of a row by the names of their columns, empty ones too.
    pub fn shown_cells(&self, row: &DataRow) -> JsonObject {
        let cell = |column: &DataColumn| {
            (column.name.to_string(), row.cells.get(self.key(&column.name)).cloned().unwrap_or_default())
        };
        self.columns.iter().map(cell).collect()
    }

    pub(super) fn column(&self, name: &str) -> Result<&DataColumn, DataTableRefusal> {
        self.columns.iter().find(|column| &*column.name == name).ok_or_else(|| {
            let own = self.columns.iter().map(|column| &*column.name);
            let known: Vec<&str> = own.chain(SYSTEM_COLUMNS).collect();
            let column = name.chars().take(TOLD_CHARACTERS_MAX).collect();
            DataTableRefusal::UnknownColumn { table: Arc::clone(&self.name), column, known: known.join(", ") }
        })
    }
}

/// A value as the cells of a column hold it.
pub(super) fn cell_of(column: &str, column_type: ColumnType, value: &Value) -> Result<Value, DataTableRefusal> {
    match column_type.cell(value) {
        Some(Value::String(text)) if text.len() > CELL_BYTES_MAX => {
            Err(DataTableRefusal::CellTooLarge(column.to_owned()))
        }
        Some(cell) => Ok(cell),
        None => {
            let found = value.to_string().chars().take(TOLD_CHARACTERS_MAX).collect();
            Err(DataTableRefusal::WrongValue { column: column.to_owned(), column_type, found })
        }
    }
}

impl DataTables {
    /// The table of that name.
    pub fn named(&self, name: &str) -> Option<&Arc<DataTable>> {
        self.tables.values().find(|table| &*table.name == name)
    }

    /// The table that is meant by an id, else by a name.
    pub fn find(&self, reference: &str) -> Option<&Arc<DataTable>> {
        let by_id = reference.parse().ok().and_then(|id: DataTableId| self.tables.get(&id));
        by_id.or_else(|| self.named(reference))
    }

    fn known(&self, table: &DataTableId) -> Result<&Arc<DataTable>, DataTableRefusal> {
        self.tables.get(table).ok_or(DataTableRefusal::NotFound)
    }

    fn check_name(&self, table: DataTableId, name: &Arc<str>) -> Result<(), DataTableRefusal> {
        let length = name.chars().count();
        if length == 0 || length > TABLE_NAME_CHARACTERS_MAX || name.trim() != &**name {
            return Err(DataTableRefusal::InvalidName);
        }
        match self.named(name) {
            Some(holder) if holder.id != table => Err(DataTableRefusal::NameTaken(Arc::clone(name))),
            _ => Ok(()),
        }
    }
}

/// Whether a column may be called that.
pub(super) fn check_column_name(name: &str) -> Result<(), DataTableRefusal> {
    if DataColumn::is_name(name) {
        return Ok(());
    }
    Err(DataTableRefusal::InvalidColumn(name.chars().take(COLUMN_CHARACTERS_MAX).collect()))
}

fn check_columns(columns: &[DataColumn]) -> Result<(), DataTableRefusal> {
    if columns.is_empty() || columns.len() > COLUMNS_MAX {
        return Err(DataTableRefusal::WrongCount(columns.len()));
    }
    for (place, column) in columns.iter().enumerate() {
        check_column_name(&column.name)?;
        if columns[..place].iter().any(|earlier| earlier.name == column.name) {
            return Err(DataTableRefusal::TwiceTheColumn(Arc::clone(&column.name)));
        }
    }
    Ok(())
}

impl Aggregate for DataTables {
    const FOLD_VERSION: u32 = 1;

    type Event = DataTableEvent;
    type Command = DataTableCommand;
    type Refusal = DataTableRefusal;

    fn apply(&mut self, event: &DataTableEvent) {
        match event {
            DataTableEvent::DataTableCreated { table, name, columns, at_ms } => {
                let made = DataTable {
                    id: *table,
                    name: Arc::clone(name),
                    columns: columns.clone(),
                    keys: BTreeMap::new(),
                    columns_added: 0,
                    created_at_ms: *at_ms,
                    updated_at_ms: *at_ms,
                };
                self.tables.insert(*table, Arc::new(made));
            }
            DataTableEvent::DataTableRenamed { table, name, at_ms } => {
                if let Some(table) = self.tables.get_mut(table).map(Arc::make_mut) {
                    table.name = Arc::clone(name);
                    table.updated_at_ms = *at_ms;
                }
            }
            DataTableEvent::DataTableColumnAdded { table, column, key, at_ms } => {
                if let Some(table) = self.tables.get_mut(table).map(Arc::make_mut) {
                    table.added(column, key, *at_ms);
                }
            }
            DataTableEvent::DataTableColumnRenamed { table, column, name, at_ms } => {
                if let Some(table) = self.tables.get_mut(table).map(Arc::make_mut) {
                    table.renamed(column, name, *at_ms);
                }
            }
            DataTableEvent::DataTableColumnRemoved { table, column, at_ms } => {
                if let Some(table) = self.tables.get_mut(table).map(Arc::make_mut) {
                    table.removed(column, *at_ms);
                }
            }
            DataTableEvent::DataTableDeleted { table, .. } => {
                self.tables.remove(table);
            }
        }
    }

    fn decide(&self, command: &DataTableCommand) -> Result<Vec<DataTableEvent>, DataTableRefusal> {
        match command {
            DataTableCommand::Create { table, name, columns, at_ms } => {
                if self.tables.contains_key(table) {
                    return Ok(Vec::new());
                }
                self.check_name(*table, name)?;
                check_columns(columns)?;
                if self.tables.len() >= TABLES_MAX {
                    return Err(DataTableRefusal::TooManyTables);
                }
                let (name, columns) = (Arc::clone(name), columns.clone());
                Ok(vec![DataTableEvent::DataTableCreated { table: *table, name, columns, at_ms: *at_ms }])
            }
            DataTableCommand::Rename { table, name, at_ms } => {
                let known = self.known(table)?;
                self.check_name(*table, name)?;
                if known.name == *name {
                    return Ok(Vec::new());
                }
                Ok(vec![DataTableEvent::DataTableRenamed { table: *table, name: Arc::clone(name), at_ms: *at_ms }])
            }
            DataTableCommand::AddColumn { table, column, at_ms } => self.known(table)?.add_column(column, *at_ms),
            DataTableCommand::RenameColumn { table, column, name, at_ms } => {
                self.known(table)?.rename_column(column, name, *at_ms)
            }
            DataTableCommand::RemoveColumn { table, column, at_ms } => self.known(table)?.remove_column(column, *at_ms),
            DataTableCommand::Delete { table, .. } if !self.tables.contains_key(table) => Ok(Vec::new()),
            DataTableCommand::Delete { table, at_ms } => {
                Ok(vec![DataTableEvent::DataTableDeleted { table: *table, at_ms: *at_ms }])
            }
        }
    }
}
