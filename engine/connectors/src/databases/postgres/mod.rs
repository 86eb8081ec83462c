//! Postgres: runs statements, and reads and writes rows of a table.
//!
//! Values never become part of a statement's text: they go beside it. A connection that a run used is reset before another
//! run has it.

mod binary;
mod connection;
mod errors;
mod legacy;
pub(super) mod parameters;
mod types;

use async_trait::async_trait;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole};
use timeloom_domain::item::Items;
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};
use timeloom_nodes::describe::{ONE_TO_ONE, palette};

use self::connection::{Account, Connection, Running};
use self::types::Style;
use super::batch::{Answer, Batching, Runner, Task};
use super::query::query_statements;
use super::sql::{Dialect, Statement};
use super::table::{self, Form};
use crate::pool::Pool;

/// Postgres.
#[derive(Default)]
pub(crate) struct Postgres {
    pool: Pool<Connection>,
}

impl NodeType for Postgres {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.postgres",
            display_name: "Postgres",
            description: "Runs SQL on a PostgreSQL database, or reads and writes rows of a table.",
            versions: &[1.0, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: parameters::PARAMETERS,
            palette: palette(NodeGroup::Databases, "database", &["postgresql", "sql", "query", "table", "rows"]),
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
}

#[async_trait]
impl EffectNode for Postgres {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        if items.is_empty() {
            return Ok(NodeOutput::single(Vec::new()));
        }
        let asked = if run.version() < 2.0 { legacy::asked(run, &items).await? } else { asked(run, &items).await? };
        let runner =
            Runner { items: &items, batching: asked.batching, is_atomic: true, goes_on: run.continues_on_fail() };
        let mut lent = match Connection::lent(&self.pool, asked.account).await {
            Ok(lent) => lent,
            Err(error) if runner.goes_on => {
                return Ok(NodeOutput::single(vec![run.failed_item(0, &error)]));
            }
            Err(error) => return Err(error),
        };
        let mut running = Running::new(&mut lent.connection, asked.style);
        let rows = |_: &Statement, answer: Answer| answer.rows;
        let given = runner.run(&mut running, asked.tasks, &rows).await;
        if running.is_sound() {
            self.pool.give_back(lent);
        }
        Ok(NodeOutput::single(given?))
    }
}

async fn asked(run: &mut NodeRun<'_>, items: &Items) -> Result<Asked, NodeError> {
    let operation = run.text("operation", 0, "insert")?;
    let style = Style { large_numbers: run.text("options.largeNumbersOutput", 0, "text")? == "numbers" };
    let batching = Batching::read(run, "options.queryBatching")?;
    let form = Form { dialect: Dialect::Postgres, has_schema: true, has_mapper: run.version() >= 2.2 };
    let mut tasks = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let statements = match operation.as_str() {
            "executeQuery" => query_statements(run, Dialect::Postgres, index),
            operation => table::statement(run, form, operation, item, index).map(|statement| vec![statement]),
        };
        tasks.push(Task { index, tells_success: operation != "select", statements });
    }
    // What is whole seconds and positive; anything else is what a connection has by itself.
    let seconds = run.number("options.connectionTimeout", 0, 0.0)?;
    let seconds = (seconds >= 1.0).then_some(seconds as u64);
    let account = Account::read(run, seconds).await?;
    Ok(Asked { account, style, batching, tasks })
}
