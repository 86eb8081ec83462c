//! Merge by SQL: the inputs as tables `input1`, `input2` … of a database that lives for one query.
//!
//! The database is in memory and small, and its query cannot reach anything else: no file, no other database, no setting.
//! Rows, bytes and steps have limits.

use std::collections::{HashMap, HashSet};

use rusqlite::hooks::{AuthAction, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Connection, params_from_iter};
use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};

use super::{inputs, origins};
use crate::values;

/// The query of an author who wrote none.
pub(super) const QUERY: &str = "SELECT * FROM input1 LEFT JOIN input2 ON input1.name = input2.id";
/// Most rows that a query gives.
const ROWS_MAX: usize = 100_000;
/// Most bytes in all rows that a query gives.
const RESULT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Largest database, in pages of 4 KiB.
const PAGES_MAX: u32 = 32_768;
/// Most columns of a table.
const COLUMNS_MAX: usize = 1_000;
/// Longest text in the database, in bytes.
const VALUE_BYTES_MAX: i32 = 16 * 1024 * 1024;
/// Longest query, in bytes.
const QUERY_BYTES_MAX: i32 = 100_000;
/// Steps of SQLite's machine between two looks at the count.
const STEPS_AT_ONCE: i32 = 10_000;
/// Most steps of a query.
const STEPS_MAX: u64 = 50_000_000;
/// Most origins that a row names: all items of all inputs, where they are few.
const ORIGINS_MAX: usize = 100;
/// Stands for the columns of an input without items.
const NO_COLUMN: &str = "__no_column";
/// Declared type of the columns: the one by which SQLite changes no value.
const COLUMN_TYPE: &str = "BLOB";

/// The rows of the author's query.
pub(super) fn run(run: &mut NodeRun<'_>) -> Result<Vec<Item>, NodeError> {
    let query = run.text("query", 0, QUERY)?;
    let inputs = inputs(run);
    let default = if run.version() < 3.2 { "success" } else { "empty" };
    let when_empty = run.text("options.emptyQueryResult", 0, default)?;
    let mut database = Database::open()?;
    for (index, items) in inputs.iter().enumerate() {
        database.fill(&format!("input{}", index + 1), items)?;
    }
    database.close_off();
    let rows = database.ask(&query)?;
    let count: usize = inputs.iter().map(Vec::len).sum();
    let paired = if count <= ORIGINS_MAX { origins(inputs.iter().flatten()) } else { None };
    if rows.is_empty() && when_empty == "success" {
        let json = JsonObject::from_iter([("success".to_owned(), Value::Bool(true))]);
        return Ok(vec![Item { paired_item: paired, ..Item::new(json) }]);
    }
    Ok(rows.into_iter().map(|json| Item { paired_item: paired.clone(), ..Item::new(json) }).collect())
}

struct Database {
    connection: Connection,
    /// Lists and objects by their text, which stands for them in the tables.
    structures: HashMap<String, Value>,
    /// Columns that hold booleans and nothing else.
    booleans: HashSet<String>,
    /// Columns in which a null was written. In all others a null stands for a field that an item lacks.
    nulls: HashSet<String>,
}

impl Database {
    fn open() -> Result<Self, NodeError> {
        let connection = Connection::open_in_memory().map_err(|error| failed(&error))?;
        connection.pragma_update(None, "max_page_count", PAGES_MAX).map_err(|error| failed(&error))?;
        connection.pragma_update(None, "temp_store", "MEMORY").map_err(|error| failed(&error))?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
        connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, QUERY_BYTES_MAX);
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0);
        Ok(Self { connection, structures: HashMap::new(), booleans: HashSet::new(), nulls: HashSet::new() })
    }

    fn fill(&mut self, table: &str, items: &[Item]) -> Result<(), NodeError> {
        let mut columns: Vec<&String> = Vec::new();
        let mut known = HashSet::new();
        for item in items {
            columns.extend(item.json.keys().filter(|name| known.insert(name.to_lowercase())));
        }
        if columns.len() > COLUMNS_MAX {
            let message = format!("the items of {table} have more than {COLUMNS_MAX} fields: take fewer");
            return Err(NodeError::operation(message));
        }
        let is_boolean = |name: &String| items.iter().filter_map(|item| item.json.get(name)).all(Value::is_boolean);
        self.booleans.extend(columns.iter().filter(|name| is_boolean(name)).map(|name| (*name).clone()));
        let is_null = |name: &String| items.iter().any(|item| item.json.get(name).is_some_and(Value::is_null));
        self.nulls.extend(columns.iter().filter(|name| is_null(name)).map(|name| (*name).clone()));
        let names: Vec<String> = match columns.is_empty() {
            true => vec![quoted(NO_COLUMN)],
            false => columns.iter().map(|name| format!("{} {COLUMN_TYPE}", quoted(name))).collect(),
        };
        let create = format!("CREATE TABLE {table} ({})", names.join(", "));
        self.connection.execute(&create, []).map_err(|error| failed(&error))?;
        if columns.is_empty() {
            return Ok(());
        }
        let marks = vec!["?"; columns.len()].join(", ");
        let insert = format!("INSERT INTO {table} VALUES ({marks})");
        let mut statement = self.connection.prepare(&insert).map_err(|error| failed(&error))?;
        for item in items {
            let row = columns.iter().map(|name| stored(item.json.get(*name), &mut self.structures));
            statement.execute(params_from_iter(row)).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// From now on the database is all that there is, and the query's steps are counted.
    fn close_off(&self) {
        self.connection.authorizer(Some(|context: rusqlite::hooks::AuthContext<'_>| match context.action {
            AuthAction::Attach { .. } | AuthAction::Detach { .. } | AuthAction::Pragma { .. } => Authorization::Deny,
            AuthAction::CreateVtable { .. } | AuthAction::DropVtable { .. } => Authorization::Deny,
            AuthAction::Function { function_name: "load_extension" | "fts3_tokenizer" } => Authorization::Deny,
            _ => Authorization::Allow,
        }));
        let mut left = STEPS_MAX / STEPS_AT_ONCE as u64;
        self.connection.progress_handler(
            STEPS_AT_ONCE,
            Some(move || {
                left = left.saturating_sub(1);
                left == 0
            }),
        );
    }

    /// The rows of the last statement that gives any.
    fn ask(&self, query: &str) -> Result<Vec<JsonObject>, NodeError> {
        let mut rows = Vec::new();
        let mut batch = rusqlite::Batch::new(&self.connection, query);
        while let Some(mut statement) = batch.next().map_err(|error| failed(&error))? {
            let columns = statement.columns();
            // What a query computes has no declared type: there a null is what came out.
            let names: Vec<(String, bool)> =
                columns.iter().map(|column| (column.name().to_owned(), column.decl_type().is_none())).collect();
            drop(columns);
            let mut found = statement.query([]).map_err(|error| failed(&error))?;
            let (mut own, mut bytes) = (Vec::new(), 0);
            while let Some(row) = found.next().map_err(|error| failed(&error))? {
                let mut object = JsonObject::new();
                let shown = names.iter().enumerate().filter(|(_, (name, _))| *name != NO_COLUMN);
                for (index, (name, is_computed)) in shown {
                    let value = row.get_ref(index).map_err(|error| failed(&error))?;
                    // Of two columns of that name the one with a value counts.
                    let is_lacking = !is_computed && !self.nulls.contains(name);
                    if value == ValueRef::Null && (is_lacking || object.contains_key(name)) {
                        continue;
                    }
                    bytes += name.len() + value.as_str().map_or(8, str::len);
                    object.insert(name.clone(), self.given(name, value));
                }
                own.push(object);
                if own.len() > ROWS_MAX || bytes > RESULT_BYTES_MAX {
                    let message = format!("the query gives more than {ROWS_MAX} rows or {RESULT_BYTES_MAX} bytes");
                    return Err(NodeError::operation(message).described("add a condition or a LIMIT"));
                }
            }
            if !names.is_empty() {
                rows = own;
            }
        }
        Ok(rows)
    }

    fn given(&self, name: &str, value: ValueRef<'_>) -> Value {
        match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number @ (0 | 1)) if self.booleans.contains(name) => Value::Bool(number == 1),
            ValueRef::Integer(number) => Value::from(number),
            ValueRef::Real(number) => values::number_value(number),
            ValueRef::Text(text) | ValueRef::Blob(text) => {
                let text = String::from_utf8_lossy(text).into_owned();
                self.structures.get(&text).cloned().unwrap_or(Value::String(text))
            }
        }
    }
}

fn stored(value: Option<&Value>, structures: &mut HashMap<String, Value>) -> SqlValue {
    match value {
        None | Some(Value::Null) => SqlValue::Null,
        Some(Value::Bool(truth)) => SqlValue::Integer(i64::from(*truth)),
        Some(Value::Number(number)) => match number.as_i64() {
            Some(whole) => SqlValue::Integer(whole),
            None => SqlValue::Real(number.as_f64().unwrap_or(f64::NAN)),
        },
        Some(Value::String(text)) => SqlValue::Text(text.clone()),
        Some(structure) => {
            let text = values::stringify(structure);
            structures.insert(text.clone(), structure.clone());
            SqlValue::Text(text)
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn failed(error: &rusqlite::Error) -> NodeError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::OperationInterrupted) => NodeError::operation("the query takes too many steps")
            .described("join on fields that are equal, and add conditions"),
        Some(rusqlite::ErrorCode::AuthorizationForStatementDenied) => {
            NodeError::operation("the query wants something that is not allowed: it may use the inputs alone")
        }
        Some(rusqlite::ErrorCode::DiskFull) => {
            NodeError::operation(format!("the tables have more than {} MiB", PAGES_MAX / 256))
        }
        _ => NodeError::operation(format!("the query failed: {error}"))
            .described("the tables are input1, input2 …; put names with blanks between double quotes"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::merge::Merge;
    use crate::testing::{Bench, pairs_of};

    fn bench(version: f64, query: &str) -> Bench<'static> {
        let people = json!([
            {"id": 1, "name": "Ada", "tags": ["x"], "ok": true},
            {"id": 2, "name": "Bob", "ok": false, "weight": 1.5},
        ]);
        let towns = json!([{"person": 2, "Home Town": "Rome"}, {"person": 2, "Home Town": "Oslo"}]);
        let parameters = json!({"mode": "combineBySql", "query": query});
        Bench::new(&Merge, version, parameters).input(people).input(towns)
    }

    #[test]
    fn queries_see_the_inputs_as_tables() {
        let query =
            "SELECT name, \"Home Town\" AS town FROM input1 LEFT JOIN input2 ON id = person ORDER BY name, town";
        let expected = json!([
            {"name": "Ada"}, {"name": "Bob", "town": "Oslo"}, {"name": "Bob", "town": "Rome"},
        ]);
        assert_eq!(bench(3.2, query).output(), expected);
        let whole = bench(3.0, "SELECT * FROM input1; ").output();
        assert_eq!(whole[0], json!({"id": 1, "name": "Ada", "tags": ["x"], "ok": true}));
        assert_eq!(whole[1]["ok"], json!(false));
        let counted = bench(3.1, "SELECT count(*) AS n, sum(id) AS s FROM input1").output();
        assert_eq!(counted, json!([{"n": 2, "s": 3}]));
        let pairs = pairs_of(&bench(3.2, "SELECT 1 AS a").run().unwrap());
        assert_eq!(pairs[0].as_array().unwrap().len(), 4);
    }

    #[test]
    fn a_null_is_kept_and_a_field_that_is_missing_stays_away() {
        let parameters =
            json!({"mode": "combineBySql", "query": "SELECT * FROM input1 LEFT JOIN input2 ON input1.id = input2.id"});
        let first = json!([{"id": 1, "a": null}, {"id": 2, "b": 5}]);
        let mut bench = Bench::new(&Merge, 3.2, parameters).input(first).input(json!([{"id": 2, "c": 7}]));
        assert_eq!(bench.output(), json!([{"id": 1, "a": null}, {"id": 2, "a": null, "b": 5, "c": 7}]));
    }

    #[test]
    fn no_rows_and_no_items_are_no_failure() {
        assert_eq!(bench(3.2, "SELECT * FROM input1 WHERE 0").output(), json!([]));
        assert_eq!(bench(3.1, "SELECT * FROM input1 WHERE 0").output(), json!([{"success": true}]));
        let parameters = json!({"mode": "combineBySql", "query": "SELECT * FROM input1 LEFT JOIN input2"});
        let mut bench = Bench::new(&Merge, 3.2, parameters).input(json!([{"a": 1}])).input(json!([]));
        assert_eq!(bench.output(), json!([{"a": 1}]));
    }

    #[test]
    fn queries_reach_nothing_else_and_come_to_an_end() {
        for (query, part) in [
            ("ATTACH 'x.db' AS x", "not allowed"),
            ("PRAGMA database_list", "not allowed"),
            ("SELECT load_extension('x')", "query"),
            ("CREATE VIRTUAL TABLE t USING fts5(a)", "query"),
            ("VACUUM INTO 'x.db'", "query"),
            (
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
                "too many steps",
            ),
            (
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
                "more than 100000 rows",
            ),
            ("SELECT hex(zeroblob(1000000000))", "query failed"),
            ("SELECT missing", "no such column"),
            ("SELEC", "syntax error"),
        ] {
            let failure = bench(3.2, query).failure();
            assert!(failure.contains(part), "{query}: {failure}");
        }
        assert!(!std::path::Path::new("x.db").exists());
    }
}
