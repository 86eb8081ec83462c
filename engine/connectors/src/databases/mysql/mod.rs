//! MySQL: runs statements, and reads and writes rows of a table. MariaDB is one to it.
//!
//! Values never become part of a statement's text: they go beside it. A connection that a run used is reset before another
//! run has it.

mod connection;
pub(super) mod parameters;
mod types;

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole};
use timeloom_domain::item::{Item, Items, JsonObject};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};
use timeloom_nodes::describe::{ONE_TO_ONE, palette};

use self::connection::{Account, Connection, Running};
use self::types::Style;
use super::batch::{Answer, Batching, Runner, Task};
use super::query::query_statements;
use super::sql::{Dialect, Statement, Writer, written};
use super::table::{self, Form, comma_separated, named};
use crate::pool::Pool;

/// MySQL.
#[derive(Default)]
pub(crate) struct MySql {
    pool: Pool<Connection>,
}

impl NodeType for MySql {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.mySql",
            display_name: "MySQL",
            description: "Runs SQL on a MySQL or MariaDB database, or reads and writes rows of a table.",
            versions: &[1.0, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: parameters::PARAMETERS,
            palette: palette(NodeGroup::Databases, "database", &["mariadb", "sql", "query", "table", "rows"]),
            credentials: parameters::CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

/// What a run asks for.
struct Asked {
    account: Account,
    style: Style,
    batching: Batching,
    tasks: Vec<Task>,
    /// What of an answer becomes items.
    telling: Telling,
}

#[derive(Clone, Copy)]
enum Telling {
    /// Rows.
    Rows,
    /// Rows, and what the database says where there are none.
    RowsOrOutcome,
    /// Each statement with what came of it.
    Everything,
}

impl Telling {
    fn told(self, statement: &Statement, answer: Answer) -> Vec<JsonObject> {
        let outcome = |answer: Answer| vec![answer.told];
        match self {
            Self::Rows => answer.rows,
            Self::RowsOrOutcome if answer.has_rows => answer.rows,
            Self::RowsOrOutcome => outcome(answer),
            Self::Everything => {
                let data = if answer.has_rows { json!(answer.rows) } else { Value::Object(answer.told) };
                let told = [("sql".to_owned(), json!(statement.text)), ("data".to_owned(), data)];
                vec![JsonObject::from_iter(told)]
            }
        }
    }
}

#[async_trait]
impl EffectNode for MySql {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        if items.is_empty() {
            return Ok(NodeOutput::single(Vec::new()));
        }
        let asked = if run.version() < 2.0 { legacy(run, &items).await? } else { asked(run, &items).await? };
        let runner =
            Runner { items: &items, batching: asked.batching, is_atomic: false, goes_on: run.continues_on_fail() };
        let mut lent = match Connection::lent(&self.pool, asked.account).await {
            Ok(lent) => lent,
            Err(error) if runner.goes_on => return Ok(NodeOutput::single(vec![run.failed_item(0, &error)])),
            Err(error) => return Err(error),
        };
        let mut running = Running::new(&mut lent.connection, asked.style);
        let telling = asked.telling;
        let told = move |statement: &Statement, answer: Answer| telling.told(statement, answer);
        let given = runner.run(&mut running, asked.tasks, &told).await;
        if running.is_sound() {
            self.pool.give_back(lent);
        }
        Ok(NodeOutput::single(given?))
    }
}

async fn asked(run: &mut NodeRun<'_>, items: &Items) -> Result<Asked, NodeError> {
    let operation = run.text("operation", 0, "insert")?;
    let style = Style {
        large_numbers_as_text: run.text("options.largeNumbersOutput", 0, "numbers")? == "text",
        decimals_as_numbers: run.boolean("options.decimalNumbers", 0, false)?,
    };
    let batching = Batching::read(run, "options.queryBatching")?;
    let is_detailed = run.boolean("options.detailedOutput", 0, false)?;
    let form = Form { dialect: Dialect::MySql, has_schema: false, has_mapper: false };
    let is_new = run.version() >= 2.2;
    let mut tasks = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let statements = match operation.as_str() {
            "executeQuery" => query_statements(run, Dialect::MySql, index),
            operation => table::statement(run, form, operation, item, index).map(|statement| vec![statement]),
        };
        let only_reads = statements.as_ref().is_ok_and(|all| all.iter().all(reads));
        tasks.push(Task { index, tells_success: !(is_new && only_reads), statements });
    }
    let (connect_ms, limit) = (whole(run, "options.connectionTimeoutMillis")?, whole(run, "options.connectionLimit")?);
    let account = Account::read(run, connect_ms, limit).await?;
    let telling = if is_detailed { Telling::Everything } else { Telling::Rows };
    Ok(Asked { account, style, batching, tasks, telling })
}

/// A whole number of at least 1; `None` where nothing is said.
fn whole(run: &mut NodeRun<'_>, path: &str) -> Result<Option<u64>, NodeError> {
    let number = run.number(path, 0, 0.0)?;
    let whole = (number >= 1.0).then_some(number as u64);
    Ok(whole)
}

/// Whether a statement only reads, by its first word.
fn reads(statement: &Statement) -> bool {
    let word = statement.text.trim_start().get(..6).unwrap_or_default();
    word.eq_ignore_ascii_case("select")
}

/// Version 1 of the node: items are rows, and columns are named in one text.
async fn legacy(run: &mut NodeRun<'_>, items: &Items) -> Result<Asked, NodeError> {
    let operation = run.text("operation", 0, "insert")?;
    let mut tasks = Vec::new();
    if operation == "insert" {
        let statements = legacy_insert(run, items).map(|statement| vec![statement]);
        tasks.push(Task { index: 0, tells_success: false, statements });
    } else {
        for (index, item) in items.iter().enumerate() {
            let statements = match operation.as_str() {
                "executeQuery" => run.text("query", index, "").and_then(|query| written(&query, &[], Dialect::MySql)),
                "update" => legacy_update(run, item, index).map(|statement| vec![statement]),
                other => Err(NodeError::operation(format!("the operation '{other}' is not known"))),
            };
            tasks.push(Task { index, tells_success: false, statements });
        }
    }
    let account = Account::read(run, None, None).await?;
    let (style, batching) = (Style::default(), Batching::Independently);
    Ok(Asked { account, style, batching, tasks, telling: Telling::RowsOrOutcome })
}

fn legacy_insert(run: &mut NodeRun<'_>, items: &Items) -> Result<Statement, NodeError> {
    let columns = comma_separated(&run.text("columns", 0, "")?);
    if columns.is_empty() {
        return Err(NodeError::operation("no columns are named: give their names in Columns"));
    }
    let ignores = run.boolean("options.ignore", 0, false)?;
    let priority = match run.text("options.priority", 0, "")?.as_str() {
        "" => "",
        "LOW_PRIORITY" => "LOW_PRIORITY ",
        "HIGH_PRIORITY" => "HIGH_PRIORITY ",
        other => return Err(NodeError::operation(format!("the priority '{other}' is not known"))),
    };
    let table = Dialect::MySql.table("", &named(run, "table", 0)?);
    let mut writer = Writer::new(Dialect::MySql);
    writer.push("INSERT ").push(priority).push(if ignores { "IGNORE INTO " } else { "INTO " }).push(&table);
    writer.push(" (").push(&Dialect::MySql.list(columns.iter().map(String::as_str))).push(") VALUES ");
    for (place, item) in items.iter().enumerate() {
        let row = columns.iter().map(|column| item.json.get(column).cloned().unwrap_or_default());
        writer.push(if place > 0 { ", (" } else { "(" }).values(row).push(")");
    }
    Ok(writer.finish())
}

fn legacy_update(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Statement, NodeError> {
    let key = run.text("updateKey", index, "id")?;
    let columns: Vec<String> =
        comma_separated(&run.text("columns", index, "")?).into_iter().filter(|column| *column != key).collect();
    if columns.is_empty() {
        return Err(NodeError::operation("no column would be changed: name some in Columns"));
    }
    let value = |name: &str| item.json.get(name).cloned().unwrap_or_default();
    let table = Dialect::MySql.table("", &named(run, "table", index)?);
    let mut writer = Writer::new(Dialect::MySql);
    writer.push("UPDATE ").push(&table).push(" SET ");
    for (place, column) in columns.iter().enumerate() {
        writer.push(if place > 0 { ", " } else { "" }).name(column).push(" = ").value(value(column));
    }
    writer.push(" WHERE ").name(&key).push(" = ").value(value(&key));
    Ok(writer.finish())
}
