//! SQLite: a database in a file below the folder that the operator named.
//!
//! Never reaches another file: databases cannot be attached, and no statement writes one elsewhere.

use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use cap_std::fs::Dir;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{Value as Stored, ValueRef};
use rusqlite::{Connection, InterruptHandle, OpenFlags, params_from_iter};
use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};
use timeloom_nodes::describe::{ONE_TO_ONE, collection, is, palette, text};
use timeloom_nodes::values;

use super::batch::{Answer, Batching, Budget, Runner, Session, Task};
use super::described::{
    COLUMN_TO_MATCH_ON, COMBINATION, CONDITIONS, DATA_MODE, DELETE_COMMAND, LIMIT, ON_TABLE, OPERATION, OUTPUT_COLUMNS,
    QUERY, QUERY_BATCHING, QUERY_REPLACEMENT, REPLACE_EMPTY_STRINGS, RETURN_ALL, SELECT, SKIP_ON_CONFLICT, SOME_ROWS,
    SORT, VALUE_TO_MATCH_ON, VALUES_TO_SEND,
};
use super::query::query_statements;
use super::sql::{Dialect, Statement};
use super::table::{self, Form};
use crate::Settings;
use crate::root::{Root, failure};

/// How long a statement waits for others that write.
const BUSY_TIME: Duration = Duration::from_secs(10);
/// Most bytes of a blob that become a list of numbers in JSON.
const BUFFER_BYTES_MAX: usize = 1 << 20;

const PARAMETERS: &[ParameterDefinition] = &[
    text("database", "The file, from the folder for files on; it is made where there is none.")
        .like("crm/customers.db")
        .needed(),
    OPERATION.or_text("executeQuery"),
    QUERY,
    text("table", "The table.").needed().when(ON_TABLE),
    DELETE_COMMAND,
    CONDITIONS.when(SOME_ROWS),
    COMBINATION.when(SOME_ROWS),
    DATA_MODE,
    COLUMN_TO_MATCH_ON,
    VALUE_TO_MATCH_ON,
    VALUES_TO_SEND,
    RETURN_ALL,
    LIMIT,
    CONDITIONS.when(SELECT),
    COMBINATION.when(SELECT),
    SORT.when(SELECT),
    collection(
        "options",
        &[
            QUERY_BATCHING,
            QUERY_REPLACEMENT,
            OUTPUT_COLUMNS.when(&[is("/operation", &["insert", "select", "update", "upsert"])]),
            SKIP_ON_CONFLICT,
            REPLACE_EMPTY_STRINGS,
        ],
        "More that can be said.",
    ),
];

/// SQLite.
pub(crate) struct Sqlite {
    root: Root,
}

impl Sqlite {
    pub fn new(settings: &Settings) -> Self {
        Self { root: Root::new(settings) }
    }
}

impl NodeType for Sqlite {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.sqlite",
            display_name: "SQLite",
            description: "Runs SQL on a SQLite database in a file, or reads and writes rows of a table.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Databases, "database", &["sql", "query", "table", "rows", "file"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for Sqlite {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        if items.is_empty() {
            return Ok(NodeOutput::single(Vec::new()));
        }
        let operation = run.text("operation", 0, "executeQuery")?;
        let batching = Batching::read(run, "options.queryBatching")?;
        let form = Form { dialect: Dialect::Sqlite, has_schema: false, has_mapper: false };
        let mut tasks = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let statements = match operation.as_str() {
                "executeQuery" => query_statements(run, Dialect::Sqlite, index),
                operation => table::statement(run, form, operation, item, index).map(|statement| vec![statement]),
            };
            tasks.push(Task { index, tells_success: operation != "select", statements });
        }
        let path = self.root.relative(&run.text("database", 0, "")?)?;
        let folder = self.root.open()?;
        let policy = &run.services.outbound;
        let mut running = Running::open(folder, path, policy.response_bytes_max, policy.request_time_max).await?;
        let runner = Runner { items: &items, batching, is_atomic: true, goes_on: run.continues_on_fail() };
        let rows = |_: &Statement, answer: Answer| answer.rows;
        Ok(NodeOutput::single(runner.run(&mut running, tasks, &rows).await?))
    }
}

/// A database as one run uses it.
struct Running {
    /// Away while a thread works on it.
    connection: Option<Connection>,
    interrupt: InterruptHandle,
    budget: Option<Budget>,
    within: Duration,
}

impl Running {
    async fn open(folder: Dir, path: PathBuf, bytes_max: usize, within: Duration) -> Result<Self, NodeError> {
        let connection = blocking(move || open(&folder, &path, bytes_max)).await??;
        let interrupt = connection.get_interrupt_handle();
        Ok(Self { connection: Some(connection), interrupt, budget: Some(Budget::new(bytes_max)), within })
    }

    /// Lets a thread work on the database, for as long as it may take.
    async fn work<T: Send + 'static>(
        &mut self,
        what: impl FnOnce(&mut Connection, &mut Budget) -> Result<T, NodeError> + Send + 'static,
    ) -> Result<T, NodeError> {
        let (Some(mut connection), Some(mut budget)) = (self.connection.take(), self.budget.take()) else {
            return Err(NodeError::operation("the database was given up after a statement that was cut off"));
        };
        let working = blocking(move || {
            let done = what(&mut connection, &mut budget);
            (done, connection, budget)
        });
        tokio::pin!(working);
        let (done, connection, budget) = match tokio::time::timeout(self.within, &mut working).await {
            Ok(worked) => worked?,
            Err(_) => {
                self.interrupt.interrupt();
                let (_, connection, budget) = working.await?;
                let slow = format!("the statement did not end within {} ms", self.within.as_millis());
                (Err(NodeError::operation(slow).described("let it do less")), connection, budget)
            }
        };
        self.connection = Some(connection);
        self.budget = Some(budget);
        done
    }

    async fn say(&mut self, words: &'static str) -> Result<(), NodeError> {
        self.work(move |connection, _| connection.execute_batch(words).map_err(|error| failed(&error))).await
    }
}

/// A statement that nobody waits for any more stops.
impl Drop for Running {
    fn drop(&mut self) {
        if self.connection.is_none() {
            self.interrupt.interrupt();
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, NodeError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| NodeError::operation("the work on the database was cut off"))
}

fn open(folder: &Dir, path: &std::path::Path, bytes_max: usize) -> Result<Connection, NodeError> {
    let failure = |error: std::io::Error| failure(&error, path);
    let name = path.file_name().ok_or_else(|| NodeError::operation("no database is named: give its file"))?;
    let parent = match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => folder.open_dir(parent).map_err(failure)?,
        None => folder.try_clone().map_err(failure)?,
    };
    if parent.symlink_metadata(name).is_ok_and(|known| known.is_symlink()) {
        return Err(NodeError::operation(format!("the database '{}' is refused: it is a link", path.display())));
    }
    // The folder as it was opened, whatever becomes of its path.
    let place = PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd())).join(name);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(place, flags).map_err(|error| failed(&error))?;
    connection.busy_timeout(BUSY_TIME).map_err(|error| failed(&error))?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(bytes_max).unwrap_or(i32::MAX));
    connection.authorizer(Some(allowed));
    Ok(connection)
}

/// Whether a part of a statement stays within the database.
fn allowed(asked: AuthContext<'_>) -> Authorization {
    match asked.action {
        // What is put in order anew goes through a database without a file.
        AuthAction::Attach { filename } if !filename.is_empty() => Authorization::Deny,
        // So is one whose name is computed.
        AuthAction::Unknown { .. } => Authorization::Deny,
        AuthAction::Pragma { pragma_name, .. } if pragma_name.ends_with("_store_directory") => Authorization::Deny,
        AuthAction::Function { function_name } if function_name.eq_ignore_ascii_case("load_extension") => {
            Authorization::Deny
        }
        _ => Authorization::Allow,
    }
}

#[async_trait]
impl Session for Running {
    async fn run(&mut self, statement: &Statement) -> Result<Answer, NodeError> {
        let statement = statement.clone();
        self.work(move |connection, budget| ask(connection, &statement, budget)).await
    }

    async fn begin(&mut self) -> Result<(), NodeError> {
        self.say("BEGIN IMMEDIATE").await
    }

    async fn end(&mut self, done: bool) -> Result<(), NodeError> {
        self.say(if done { "COMMIT" } else { "ROLLBACK" }).await
    }
}

fn ask(connection: &Connection, statement: &Statement, budget: &mut Budget) -> Result<Answer, NodeError> {
    let failed = |error: rusqlite::Error| failed(&error);
    let mut prepared = connection.prepare(&statement.text).map_err(failed)?;
    let names: Vec<String> = prepared.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = prepared.query(params_from_iter(statement.values.iter().map(stored))).map_err(failed)?;
    let mut answer = Answer { has_rows: !names.is_empty(), ..Answer::default() };
    while let Some(row) = rows.next().map_err(failed)? {
        let mut object = JsonObject::new();
        for (place, name) in names.iter().enumerate() {
            let value = row.get_ref(place).map_err(failed)?;
            object.insert(name.clone(), told_value(value, name)?);
        }
        budget.take(&object)?;
        answer.rows.push(object);
    }
    Ok(answer)
}

fn told_value(value: ValueRef<'_>, column: &str) -> Result<Value, NodeError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => json!(number),
        ValueRef::Real(number) => values::number_value(number),
        ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) if bytes.len() > BUFFER_BYTES_MAX => {
            let count = bytes.len();
            return Err(NodeError::operation(format!("the column '{column}' has {count} bytes in one value"))
                .described("select it as text, `hex(column)`"));
        }
        ValueRef::Blob(bytes) => json!({"type": "Buffer", "data": bytes}),
    })
}

fn stored(value: &Value) -> Stored {
    match value {
        Value::Null => Stored::Null,
        Value::Bool(truth) => Stored::Integer((*truth).into()),
        Value::String(text) => Stored::Text(text.clone()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Stored::Integer(number),
            (_, Some(number)) => Stored::Real(number),
            _ => Stored::Text(number.to_string()),
        },
        Value::Array(_) | Value::Object(_) => Stored::Text(value.to_string()),
    }
}

fn failed(error: &rusqlite::Error) -> NodeError {
    let Some(code) = error.sqlite_error_code() else { return NodeError::api(error.to_string()) };
    let retryable = matches!(code, rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked);
    NodeError {
        data: Some(json!({"code": format!("{code:?}"), "retryable": retryable})),
        ..NodeError::api(error.to_string())
    }
}
