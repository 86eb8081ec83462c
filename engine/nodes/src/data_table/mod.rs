//! Data Table: rows of cells that are kept in the log, and the tables themselves.
//!
//! Every change is a step of the node run: a run that is computed again sends the same steps, which are carried out once.

mod parameters;
mod rows;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole};
use timeloom_domain::data_table::{DataRow, DataTable, DataTableRefusal, DataTables, RowQuestion};
use timeloom_domain::ids::{DataTableId, TenantId};
use timeloom_domain::item::Item;
use timeloom_engine::node::{
    Behaviour, DataTableError, DataTablePort, EffectNode, NodeError, NodeOutput, NodeRun, NodeType, RowsChange,
    TableChange, TableStep,
};

pub(crate) use self::parameters::PARAMETERS;
use crate::describe::{ONE_TO_ONE, palette};

/// The Data Table node.
pub(crate) struct DataTableNode;

impl NodeType for DataTableNode {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.dataTable",
            display_name: "Data table",
            description: "Keeps rows in tables of Timeloom itself, and finds, changes and deletes them.",
            versions: &[1.0, 1.1],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Databases, "sheet", &["rows", "columns", "database", "store", "spreadsheet"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for DataTableNode {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let count = run.items().len();
        if count == 0 {
            return Ok(NodeOutput::single(Vec::new()));
        }
        let (port, by) = (Arc::clone(&run.services.data_tables), run.idempotency_key.to_owned());
        let mut tables = Tables::open(port, run.tenant, by).await?;
        let resource = run.text("resource", 0, "row")?;
        let made = match resource.as_str() {
            "row" if run.text("operation", 0, "insert")? == "insert" => rows::insert(run, &tables, count).await?,
            "row" | "table" => {
                let mut made = Vec::new();
                for index in 0..count {
                    let done = match resource.as_str() {
                        "row" => rows::one(run, &tables, index).await,
                        _ => tables::one(run, &mut tables, index).await,
                    };
                    match done {
                        Ok(items) => made.extend(items.into_iter().map(|item| item.paired_with(index))),
                        Err(error) if run.continues_on_fail() => made.push(run.failed_item(index, &error)),
                        Err(error) => return Err(error.at_item(index)),
                    }
                }
                made
            }
            other => return Err(NodeError::operation(format!("'{other}' is no resource: use row or table"))),
        };
        Ok(NodeOutput::single(made))
    }
}

/// The tables of the tenant, and the way to them.
struct Tables {
    port: Arc<dyn DataTablePort>,
    tenant: TenantId,
    by: String,
    known: DataTables,
}

impl Tables {
    async fn open(port: Arc<dyn DataTablePort>, tenant: TenantId, by: String) -> Result<Self, NodeError> {
        let known = port.tables(tenant).await.map_err(not_done)?;
        Ok(Self { port, tenant, by, known })
    }

    /// The table that a node names, by its id or its name. One that was chosen elsewhere is found by the name that it had there.
    fn named(&self, run: &mut NodeRun<'_>, index: usize) -> Result<Arc<DataTable>, NodeError> {
        let given = run.parameter("dataTableId", index)?;
        let field = |name: &str| match &given {
            Some(Value::Object(chosen)) => chosen.get(name).and_then(Value::as_str).unwrap_or_default().to_owned(),
            Some(Value::String(reference)) if name == "value" => reference.clone(),
            _ => String::new(),
        };
        let (reference, elsewhere) = (field("value"), field("cachedResultName"));
        if reference.is_empty() {
            return Err(NodeError::operation("no data table is named: choose one in Data table"));
        }
        let found = self.known.find(&reference).or_else(|| self.known.named(&elsewhere)).cloned();
        found.ok_or_else(|| {
            let name = if elsewhere.is_empty() { &reference } else { &elsewhere };
            NodeError::operation(format!("there is no data table '{name}'"))
                .described("create it first, or choose another one in Data table")
        })
    }

    async fn select(&self, table: &DataTable, question: &RowQuestion) -> Result<Vec<Arc<DataRow>>, NodeError> {
        let (rows, _) = self.port.select(self.tenant, table.id, question).await.map_err(not_done)?;
        Ok(rows)
    }

    /// Changes rows in the step that item `index` is, or begins.
    async fn change_rows(
        &self,
        index: usize,
        table: &DataTable,
        change: RowsChange,
    ) -> Result<Vec<Arc<DataRow>>, NodeError> {
        self.port.change_rows(self.step(index), table, change).await.map_err(not_done)
    }

    /// Changes a table in the step that item `index` is.
    async fn change(&mut self, index: usize, change: TableChange) -> Result<DataTableId, NodeError> {
        let table = self.port.change(self.step(index), change).await.map_err(not_done)?;
        self.known = self.port.tables(self.tenant).await.map_err(not_done)?;
        Ok(table)
    }

    fn step(&self, number: usize) -> TableStep<'_> {
        TableStep { tenant: self.tenant, by: &self.by, number }
    }
}

fn not_done(error: DataTableError) -> NodeError {
    NodeError::operation(error.to_string())
}

fn refused(refusal: DataTableRefusal) -> NodeError {
    NodeError::operation(refusal.to_string())
}

/// Rows as items.
fn shown(table: &DataTable, rows: &[Arc<DataRow>]) -> Vec<Item> {
    rows.iter().map(|row| Item::new(table.shown(row))).collect()
}
