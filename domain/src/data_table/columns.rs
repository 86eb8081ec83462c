//! Columns of a table that come, get another name, and go.
//!
//! Invariant: no two columns that a table ever had have one key. A column that the table was made with has its first name as its
//! key; one that was added has a key with a number, which cannot be a name.

use std::sync::Arc;

use super::table::check_column_name;
use super::{COLUMNS_MAX, DataColumn, DataTable, DataTableEvent, DataTableRefusal};

/// What stands between the first name of a column that was added and its number. No name has it.
const BEFORE_NUMBER: char = '#';

impl DataTable {
    /// Under which key rows have the cells of a column. It stays the same when the column gets another name. A column that is
    /// not among those of the table, such as `id`, is its own key.
    pub fn key<'k>(&'k self, column: &'k str) -> &'k str {
        self.keys.get(column).map_or(column, |key| &**key)
    }

    pub(super) fn add_column(&self, column: &DataColumn, at_ms: i64) -> Result<Vec<DataTableEvent>, DataTableRefusal> {
        self.check_free(&column.name)?;
        if self.columns.len() >= COLUMNS_MAX {
            return Err(DataTableRefusal::WrongCount(self.columns.len() + 1));
        }
        let key = Arc::from(format!("{}{BEFORE_NUMBER}{}", column.name, self.columns_added + 1));
        Ok(vec![DataTableEvent::DataTableColumnAdded { table: self.id, column: column.clone(), key, at_ms }])
    }

    pub(super) fn rename_column(
        &self,
        column: &Arc<str>,
        name: &Arc<str>,
        at_ms: i64,
    ) -> Result<Vec<DataTableEvent>, DataTableRefusal> {
        self.column(column)?;
        if column == name {
            return Ok(Vec::new());
        }
        self.check_free(name)?;
        let (column, name) = (Arc::clone(column), Arc::clone(name));
        Ok(vec![DataTableEvent::DataTableColumnRenamed { table: self.id, column, name, at_ms }])
    }

    /// A column that is not there is refused, other than a table that is not: a name that was mistyped would seem to be gone.
    pub(super) fn remove_column(&self, column: &Arc<str>, at_ms: i64) -> Result<Vec<DataTableEvent>, DataTableRefusal> {
        self.column(column)?;
        if self.columns.len() == 1 {
            return Err(DataTableRefusal::WrongCount(0));
        }
        Ok(vec![DataTableEvent::DataTableColumnRemoved { table: self.id, column: Arc::clone(column), at_ms }])
    }

    pub(super) fn added(&mut self, column: &DataColumn, key: &Arc<str>, at_ms: i64) {
        self.columns.push(column.clone());
        self.columns_added += 1;
        self.keep_as(&column.name, Arc::clone(key));
        self.updated_at_ms = at_ms;
    }

    pub(super) fn renamed(&mut self, column: &Arc<str>, name: &Arc<str>, at_ms: i64) {
        let key = self.keys.remove(column).unwrap_or_else(|| Arc::clone(column));
        if let Some(column) = self.columns.iter_mut().find(|known| known.name == *column) {
            column.name = Arc::clone(name);
        }
        self.keep_as(name, key);
        self.updated_at_ms = at_ms;
    }

    pub(super) fn removed(&mut self, column: &Arc<str>, at_ms: i64) {
        self.columns.retain(|known| known.name != *column);
        self.keys.remove(column);
        self.updated_at_ms = at_ms;
    }

    fn keep_as(&mut self, name: &Arc<str>, key: Arc<str>) {
        if key != *name {
            self.keys.insert(Arc::clone(name), key);
        }
    }

    fn check_free(&self, name: &Arc<str>) -> Result<(), DataTableRefusal> {
        check_column_name(name)?;
        match self.columns.iter().any(|known| known.name == *name) {
            true => Err(DataTableRefusal::ColumnTaken { table: Arc::clone(&self.name), column: Arc::clone(name) }),
            false => Ok(()),
        }
    }
}
