//! A table of row versions as data, and every statement that is made of it.
//!
//! Columns are: the tenant and the rest of the key, `from_position`, `to_position`, perhaps `span_class`, then the table's
//! own. The newest version of a row, and only that, has no `to_position`. A build of a table has its generation's number
//! behind the name, `executions@3`, so that one is built while another serves.

use timeloom_domain::ids::TenantId;
use timeloom_store::Position;

use super::change::{Change, kinds, unnested};
use super::value::{Kind, Value, stored};
use super::{Dialect, Load, Query};
use crate::page::{AsOf, Page, Side};

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub optional: bool,
}

impl Column {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, optional: false }
    }

    /// The same, which may hold nothing.
    pub const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    fn schema(&self) -> String {
        let kind = match self.kind {
            Kind::Integer => "INTEGER",
            Kind::Text => "TEXT",
            Kind::Blob => "BLOB",
        };
        let optional = if self.optional { "" } else { " NOT NULL" };
        format!("{} {kind}{optional}", self.name)
    }
}

pub(crate) const fn integer(name: &'static str) -> Column {
    Column::new(name, Kind::Integer)
}

pub(crate) const fn text(name: &'static str) -> Column {
    Column::new(name, Kind::Text)
}

pub(crate) const fn blob(name: &'static str) -> Column {
    Column::new(name, Kind::Blob)
}

const TENANT: Column = integer("tenant");
const FROM: Column = integer("from_position");
const TO: Column = integer("to_position").optional();
const SPAN_CLASS: Column = integer("span_class").optional();

/// An index, after the tenant. One that begins with a column which may hold nothing holds the rows that have something
/// there: it serves who looks for that.
#[derive(Debug)]
pub(crate) struct Index {
    pub name: &'static str,
    pub columns: &'static [&'static str],
    /// Of the versions that ended; else of the newest ones.
    pub closed: bool,
}

/// A table beside the versions for what is kept of a row that no version shows, by the same key.
#[derive(Debug)]
pub(crate) struct Kept {
    pub name: &'static str,
    pub columns: &'static [Column],
}

impl Kept {
    fn all_columns(&self, table: &Table) -> Vec<Column> {
        [&table.full_key(), self.columns].concat()
    }
}

/// A table of row versions.
#[derive(Debug)]
pub(crate) struct Table {
    pub name: &'static str,
    /// What, with the tenant, finds a row.
    pub key: &'static [Column],
    /// Whether versions that ended are found by how long they held, see [`span_class`].
    pub classed: bool,
    pub columns: &'static [Column],
    pub indexes: &'static [Index],
    pub kept: Option<Kept>,
}

/// How long a closed version held, as the logarithm of its number of positions: closed versions of one class that held
/// at a position all began shortly before it, so that they are found by an index range.
fn span_class(from: Position, to: Position) -> u32 {
    to.0.saturating_sub(from.0).max(1).ilog2()
}

/// One build of a table in one database: what statements are rendered for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named {
    pub dialect: Dialect,
    pub table: &'static Table,
    pub generation: u32,
}

/// Which rows a page is made of.
pub(crate) struct Rows {
    /// Whose.
    pub tenant: TenantId,
    /// As of when.
    pub as_of: AsOf,
    /// Which of them.
    pub page: Page,
    /// The index to walk: it holds exactly the newest version of every row, by what the condition needs, then by creation.
    pub index: &'static str,
    /// Further conditions, over the aliases `newest` and `version`, each with one `?`.
    pub conditions: Vec<(&'static str, Value<'static>)>,
}

/// The last position that counts.
pub(crate) fn bound(as_of: AsOf) -> i64 {
    stored(as_of.unwrap_or(Position(u64::MAX)).0)
}

impl Table {
    /// What makes a version of it: rows made under another definition are built again.
    pub fn definition(&'static self) -> String {
        Named { dialect: Dialect::Sqlite, table: self, generation: 0 }.create()
    }

    /// Its names, and that of the table beside it.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [Some(self.name), self.kept.as_ref().map(|kept| kept.name)].into_iter().flatten()
    }

    fn full_key(&self) -> Vec<Column> {
        [&[TENANT], self.key].concat()
    }

    /// The column with which an index begins, if it may hold nothing.
    fn rare(&self, index: &Index) -> Option<&'static str> {
        let first = index.columns.first()?;
        self.columns.iter().find(|column| column.name == *first && column.optional).map(|column| column.name)
    }

    fn interval(&self) -> &'static [Column] {
        if self.classed { &[FROM, TO, SPAN_CLASS] } else { &[FROM, TO] }
    }

    fn all_columns(&self) -> Vec<Column> {
        [&self.full_key(), self.interval(), self.columns].concat()
    }
}

/// In which order a page is found, of a list with the newest first.
pub(crate) fn order(page: &Page) -> &'static str {
    match page.side {
        Side::First => "DESC",
        Side::Last => "ASC",
    }
}

/// The name of a build of a table or an index, quoted.
pub(crate) fn quoted(name: &str, generation: u32) -> String {
    format!("\"{name}@{generation}\"")
}

/// The parts with something between them.
pub(super) fn join<T: AsRef<str>>(parts: impl IntoIterator<Item = T>, between: &str) -> String {
    let mut joined = String::new();
    for part in parts {
        if !joined.is_empty() {
            joined.push_str(between);
        }
        joined.push_str(part.as_ref());
    }
    joined
}

/// The names of columns, as a list.
pub(super) fn names(columns: &[Column]) -> String {
    join(columns.iter().map(|column| column.name), ", ")
}

/// `left.a = right.a AND left.b = right.b`.
fn equal(left: &str, right: &str, columns: &[Column]) -> String {
    join(columns.iter().map(|Column { name, .. }| format!("{left}.{name} = {right}.{name}")), " AND ")
}

/// Making and writing.
impl Named {
    fn name(&self) -> String {
        quoted(self.table.name, self.generation)
    }

    /// Makes the tables, without rows.
    pub fn create(&self) -> String {
        let table = self.table;
        let schema = |columns: &[Column]| join(columns.iter().map(Column::schema), ", ");
        let (name, columns, key) = (self.name(), schema(&table.all_columns()), names(&table.full_key()));
        let mut created =
            format!("CREATE TABLE {name} ({columns}, PRIMARY KEY ({key}, from_position)) STRICT, WITHOUT ROWID;");
        for index in table.indexes {
            let (quoted, columns) = (quoted(index.name, self.generation), join(index.columns, ", "));
            let which = if index.closed { "IS NOT NULL" } else { "IS NULL" };
            let filled = table.rare(index).map_or(String::new(), |column| format!(" AND {column} IS NOT NULL"));
            let sql = format!("CREATE INDEX {quoted} ON {name} (tenant, {columns}) WHERE to_position {which}{filled};");
            created.push_str(&sql);
        }
        if let Some(kept) = &table.kept {
            let (name, columns) = (quoted(kept.name, self.generation), schema(&kept.all_columns(table)));
            created.push_str(&format!("CREATE TABLE {name} ({columns}, PRIMARY KEY ({key})) STRICT, WITHOUT ROWID;"));
        }
        self.dialect.schema(&created)
    }

    /// Looks over the rows, so that the planner of questions knows them.
    pub fn analyze(&self) -> String {
        let analyze = |name| format!("ANALYZE {};", quoted(name, self.generation));
        match self.dialect {
            // Its questions name the index that they walk.
            Dialect::Sqlite => String::new(),
            Dialect::Postgres => join(self.table.names().map(analyze), ""),
        }
    }

    /// Gives the plain names to this build, for people who look into the database.
    pub fn show(&self) -> String {
        let show = |name| {
            let select = format!("VIEW {name} AS SELECT * FROM {};", quoted(name, self.generation));
            match self.dialect {
                Dialect::Sqlite => format!("DROP VIEW IF EXISTS {name}; CREATE {select}"),
                // Replaced, people's own views over it stay; with other columns it has to go.
                Dialect::Postgres => format!(
                    "DO $$ BEGIN CREATE OR REPLACE {select} EXCEPTION WHEN invalid_table_definition THEN \
                     DROP VIEW {name}; CREATE {select} END $$;"
                ),
            }
        };
        join(self.table.names().map(show), "")
    }

    /// The change that writes versions: a row is its key, its interval, its columns.
    pub fn insert<'a>(&self) -> Change<'a> {
        Change::insert(self.dialect, &self.name(), &self.table.all_columns(), "")
    }

    /// The change that ends newest versions: a row is its key and its interval.
    pub fn close<'a>(&self) -> Change<'a> {
        let (from, to) = self.table.interval().split_at(1);
        Change::update(self.dialect, &self.name(), &[&self.table.full_key(), from].concat(), to)
    }

    /// The changes that write and remove what is kept unseen: a row is its key and the columns, or its key.
    pub fn keep<'a>(&self, kept: &Kept) -> (Change<'a>, Change<'a>) {
        let (name, key) = (quoted(kept.name, self.generation), self.table.full_key());
        let set = kept.columns.iter().map(|Column { name, .. }| format!("{name} = excluded.{name}"));
        let update = format!(" ON CONFLICT ({}) DO UPDATE SET {}", names(&key), join(set, ", "));
        let upsert = Change::insert(self.dialect, &name, &kept.all_columns(self.table), &update);
        (upsert, Change::delete(self.dialect, &name, &key))
    }

    /// How newest versions are found by their keys, with what is kept of them behind the columns.
    pub fn load(&self) -> Load {
        let (name, key) = (self.name(), self.table.full_key());
        let (mut selected, mut beside) = (self.selected(), String::new());
        if let Some(kept) = &self.table.kept {
            let columns = join(kept.columns.iter().map(|column| format!("kept.{}", column.name)), ", ");
            selected = format!("{selected}, {columns}");
            let kept = quoted(kept.name, self.generation);
            beside = format!("LEFT JOIN {kept} AS kept ON {}", equal("kept", "version", &key));
        }
        let kinds = kinds(&key);
        let sql = match self.dialect {
            Dialect::Sqlite => {
                let wanted =
                    key.iter().enumerate().map(|(place, column)| format!("version.{} = ?{}", column.name, place + 1));
                // The last version is the newest.
                format!(
                    "SELECT {selected} FROM {name} AS version {beside} WHERE {} \
                     ORDER BY version.from_position DESC LIMIT 1",
                    join(wanted, " AND ")
                )
            }
            // Asked this way there is one index that can be used, whatever the planner thinks of a table that has just been
            // made.
            Dialect::Postgres => format!(
                "SELECT wanted.place, {selected} FROM {} WITH ORDINALITY AS wanted ({}, place) \
                 CROSS JOIN LATERAL (SELECT * FROM {name} AS version WHERE {} \
                 ORDER BY version.from_position DESC LIMIT 1) AS version {beside}",
                unnested(&kinds),
                names(&key),
                equal("version", "wanted", &key),
            ),
        };
        Load { sql, kinds }
    }
}

/// The interval of a version as values.
pub(crate) fn interval<'a>(table: &Table, from: Position, to: Option<Position>, values: &mut Vec<Value<'a>>) {
    values.extend([from.into(), to.into()]);
    if table.classed {
        values.push(to.map(|to| span_class(from, to)).into());
    }
}

/// The questions that every table answers the same way: one row, and a page of rows newest first. Both as of any
/// position, in time that does not depend on how many rows or versions there are: a page walks the index of newest
/// versions by creation, and finds each row's version at the asked position by the primary key.
impl Named {
    /// The version of one row that held at `as_of`; the key has one column.
    pub fn one(&self, tenant: TenantId, key: Value<'static>, as_of: AsOf) -> Query {
        let key_name = self.key_name();
        let sql = format!(
            "SELECT {} FROM {} AS version WHERE tenant = ?1 AND {key_name} = ?2 AND from_position <= ?3 \
             ORDER BY from_position DESC LIMIT 1",
            self.selected(),
            self.name(),
        );
        Query::new(self.dialect, sql, vec![tenant.into(), key, bound(as_of).into()])
    }

    /// A page of rows, newest first; the last rows of a list are found in the other order.
    pub fn page(&self, rows: Rows) -> Query {
        let mut values = Vec::with_capacity(rows.conditions.len() + 5);
        let version = match rows.as_of {
            None => String::new(),
            Some(as_of) => {
                values.push(as_of.into());
                self.version_join()
            }
        };
        // Without a moment the newest version is the one wanted, and has both names.
        let newest = if rows.as_of.is_some() { "newest" } else { "version" };
        values.extend([rows.tenant.into(), rows.page.newest(rows.as_of).into(), rows.page.oldest().into()]);
        let mut sql = format!(
            "SELECT {} FROM {} AS {newest} {} {version} WHERE {newest}.tenant = ?{} \
             AND {newest}.to_position IS NULL AND {newest}.created_position <= ?{} AND {newest}.created_position >= ?{}",
            self.selected(),
            self.name(),
            self.indexed_by(rows.index),
            values.len() - 2,
            values.len() - 1,
            values.len(),
        );
        for (condition, value) in rows.conditions {
            values.push(value);
            let condition = condition.replace("newest.", &format!("{newest}."));
            sql.push_str(&format!(" AND {}", condition.replace('?', &format!("?{}", values.len()))));
        }
        values.push((rows.page.limit() as u64).into());
        let order = order(&rows.page);
        sql.push_str(&format!(" ORDER BY {newest}.created_position {order} LIMIT ?{}", values.len()));
        Query::new(self.dialect, sql, values)
    }

    fn version_join(&self) -> String {
        let (name, key) = (self.name(), self.key_name());
        match self.dialect {
            Dialect::Sqlite => format!(
                "CROSS JOIN {name} AS version ON version.tenant = newest.tenant AND version.{key} = newest.{key} \
                 AND version.from_position = (SELECT max(earlier.from_position) FROM {name} AS earlier \
                 WHERE earlier.tenant = newest.tenant AND earlier.{key} = newest.{key} AND earlier.from_position <= ?1)"
            ),
            Dialect::Postgres => format!(
                "CROSS JOIN LATERAL (SELECT * FROM {name} AS version WHERE version.tenant = newest.tenant \
                 AND version.{key} = newest.{key} AND version.from_position <= ?1 \
                 ORDER BY version.from_position DESC LIMIT 1) AS version"
            ),
        }
    }

    /// Versions that meet conditions which depend on a row of `each`, looked up for one row after the other.
    pub fn looked_up_for(&self, each: &str, index: &str, conditions: &str) -> String {
        let (columns, name) = (self.selected(), self.name());
        match self.dialect {
            Dialect::Sqlite => {
                let index = self.indexed_by(index);
                format!("SELECT {columns} FROM {each} CROSS JOIN {name} AS version {index} WHERE {conditions}")
            }
            // With an offset it is not taken apart and joined in another order.
            Dialect::Postgres => format!(
                "SELECT {columns} FROM {each} CROSS JOIN LATERAL \
                 (SELECT * FROM {name} AS version WHERE {conditions} OFFSET 0) AS version"
            ),
        }
    }

    /// Names the index of the versions that a walk is over, where the database lets itself be told.
    pub fn indexed_by(&self, index: &str) -> String {
        match self.dialect {
            Dialect::Sqlite => format!("INDEXED BY {}", quoted(index, self.generation)),
            Dialect::Postgres => String::new(),
        }
    }

    /// The name of this build, for statements of a table's own.
    pub fn build(&self) -> String {
        self.name()
    }

    fn key_name(&self) -> &'static str {
        self.table.key.first().map_or("tenant", |column| column.name)
    }

    /// What readers get, of the alias `version`: the key without the tenant, `from_position`, the table's columns.
    pub fn selected(&self) -> String {
        let columns = [self.table.key, &[FROM], self.table.columns].concat();
        join(columns.iter().map(|column| format!("version.{}", column.name)), ", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_class_holds_lengths_up_to_twice_its_shortest() {
        let class = |length: u64| span_class(Position(10), Position(10 + length));
        assert_eq!([1, 2, 3, 4, 7, 8].map(class), [0, 1, 1, 2, 2, 3]);
    }
}
