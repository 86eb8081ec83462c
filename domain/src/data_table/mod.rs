//! Data tables: rows of cells that workflows and people keep in Timeloom itself.
//!
//! The tables of a tenant are one aggregate, [`DataTables`], so that their names are its own; the rows of each table are another,
//! [`TableRows`], so that writers of different tables never meet. All of both is in their events: a fold gives the same rows,
//! also as of an earlier moment. Invariant: a row's id is never given to another row of the table; what a cell holds has the
//! type of its column, and everything is bounded.
//!
//! Rows have cells under the keys of their columns, which never change, while a name may: so a column is renamed or removed by one
//! event though a table has thousands of rows, and rows that were written before are read with the columns of the moment.

mod column;
mod columns;
mod event;
mod filter;
mod rows;
mod table;

pub use column::{
    CELL_BYTES_MAX, COLUMN_CHARACTERS_MAX, COLUMNS_MAX, ColumnType, DataColumn, SYSTEM_COLUMNS, UnknownColumnType, iso,
};
pub use event::{DataTableEvent, TableRowsEvent};
pub use filter::{CONDITIONS_MAX, RowCondition, RowFilter, RowOrder, RowQuestion};
pub use rows::{
    DataRow, ROWS_MAX, ROWS_TOGETHER_MAX, RowsCommand, TABLE_BYTES_MAX, TableRows, TableRowsRefusal, TogetherBytes,
};
pub use table::{
    DataTable, DataTableCommand, DataTableRefusal, DataTables, TABLE_NAME_CHARACTERS_MAX, TABLES, TABLES_MAX,
};
