//! What is done with rows.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::data_table::{
    CONDITIONS_MAX, DataRow, DataTable, ROWS_MAX, ROWS_TOGETHER_MAX, RowFilter, RowQuestion, SYSTEM_COLUMNS,
    TogetherBytes,
};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun, RowsChange};

use super::parameters::LIMIT;
use super::{Tables, refused, shown};

/// Does for one item what is asked for; gives the items for it.
pub(super) async fn one(run: &mut NodeRun<'_>, tables: &Tables, index: usize) -> Result<Vec<Item>, NodeError> {
    let table = tables.named(run, index)?;
    let dry = run.boolean("options.dryRun", index, false)?;
    match run.text("operation", index, "insert")?.as_str() {
        "get" => {
            let question = question(run, &table, index)?;
            Ok(shown(&table, &tables.select(&table, &question).await?))
        }
        operation @ ("rowExists" | "rowNotExists") => {
            let filter = needed_filter(run, &table, index)?;
            let question = RowQuestion { filter, limit: 1, ..RowQuestion::default() };
            let is_there = !tables.select(&table, &question).await?.is_empty();
            let passes = is_there == (operation == "rowExists");
            Ok(run.items().get(index).filter(|_| passes).cloned().into_iter().collect())
        }
        operation @ ("update" | "upsert") => {
            let (filter, cells) = (needed_filter(run, &table, index)?, cells(run, &table, index)?);
            let or_insert = operation == "upsert";
            if dry {
                let rows = meant(tables, &table, filter).await?;
                return Ok(written_dry(&table, &rows, &cells, or_insert));
            }
            let change = RowsChange::Update { filter, cells, or_insert };
            Ok(shown(&table, &tables.change_rows(index, &table, change).await?))
        }
        "deleteRows" => {
            let filter = needed_filter(run, &table, index)?;
            if dry {
                let rows = meant(tables, &table, filter).await?;
                return Ok(rows.iter().flat_map(|row| both(&table, Some(row), None)).collect());
            }
            Ok(shown(&table, &tables.change_rows(index, &table, RowsChange::Delete(Some(filter))).await?))
        }
        other => Err(NodeError::operation(format!(
            "'{other}' is no operation on rows: use insert, get, update, upsert, deleteRows, rowExists or rowNotExists"
        ))),
    }
}

/// Rows that come in together.
#[derive(Default)]
struct Batch {
    table: Option<Arc<DataTable>>,
    rows: Vec<(usize, Arc<JsonObject>)>,
    bytes: TogetherBytes,
}

impl Batch {
    /// Takes a row in where it belongs to these and there is room; gives it back otherwise.
    fn take(&mut self, table: &Arc<DataTable>, index: usize, row: Arc<JsonObject>) -> Option<Arc<JsonObject>> {
        let is_same = self.table.as_ref().is_none_or(|own| own.id == table.id);
        if !is_same || self.rows.len() >= ROWS_TOGETHER_MAX || !self.bytes.takes(&row) {
            return Some(row);
        }
        self.table = Some(Arc::clone(table));
        self.rows.push((index, row));
        None
    }
}

/// What came of the rows that were sent.
struct Sent {
    /// Whether it is only told how many came in.
    counts_only: bool,
    /// How many came in.
    inserted: usize,
    /// The items that are given, and for which.
    made: Vec<(usize, Item)>,
}

/// Puts a row in for each item: those of one table together.
pub(super) async fn insert(run: &mut NodeRun<'_>, tables: &Tables, count: usize) -> Result<Vec<Item>, NodeError> {
    let counts_only = run.boolean("options.optimizeBulk", 0, false)?;
    let mut sent = Sent { counts_only, inserted: 0, made: Vec::new() };
    let mut batch = Batch::default();
    for index in 0..count {
        match row_of(run, tables, index) {
            Ok((table, row)) => {
                if let Some(row) = batch.take(&table, index, row) {
                    sent.send(run, tables, std::mem::take(&mut batch)).await?;
                    batch.take(&table, index, row);
                }
            }
            Err(error) if run.continues_on_fail() => sent.made.push((index, run.failed_item(index, &error))),
            Err(error) => return Err(error.at_item(index)),
        }
    }
    sent.send(run, tables, batch).await?;
    if counts_only {
        let told = JsonObject::from_iter([
            ("success".to_owned(), Value::Bool(true)),
            ("insertedRows".to_owned(), json!(sent.inserted)),
        ]);
        sent.made.push((count, Item::new(told).paired_with(0)));
    }
    // What failed by itself was told before what came in with others.
    sent.made.sort_by_key(|(index, _)| *index);
    Ok(sent.made.into_iter().map(|(_, item)| item).collect())
}

fn row_of(
    run: &mut NodeRun<'_>,
    tables: &Tables,
    index: usize,
) -> Result<(Arc<DataTable>, Arc<JsonObject>), NodeError> {
    let table = tables.named(run, index)?;
    let row = cells(run, &table, index)?;
    Ok((table, Arc::new(row)))
}

impl Sent {
    /// Sends rows together, and takes down what came of them.
    #[expect(clippy::needless_pass_by_ref_mut, reason = "a shared one is not held across an await: it is not `Sync`")]
    async fn send(&mut self, run: &mut NodeRun<'_>, tables: &Tables, batch: Batch) -> Result<(), NodeError> {
        let (Some(table), Some((first, _))) = (&batch.table, batch.rows.first()) else { return Ok(()) };
        let rows = batch.rows.iter().map(|(_, row)| Arc::clone(row)).collect();
        match tables.change_rows(*first, table, RowsChange::Insert(rows)).await {
            Ok(rows) => {
                self.inserted += rows.len();
                let given = if self.counts_only { Vec::new() } else { shown(table, &rows) };
                let of_items = batch.rows.iter().zip(given);
                self.made.extend(of_items.map(|((index, _), item)| (*index, item.paired_with(*index))));
            }
            Err(error) if run.continues_on_fail() => {
                self.made.extend(batch.rows.iter().map(|(index, _)| (*index, run.failed_item(*index, &error))));
            }
            Err(error) => return Err(error.at_item(*first)),
        }
        Ok(())
    }
}

/// The cells that an item or the node gives.
fn cells(run: &mut NodeRun<'_>, table: &DataTable, index: usize) -> Result<JsonObject, NodeError> {
    let values = match run.text("columns.mappingMode", index, "defineBelow")?.as_str() {
        "autoMapInputData" => {
            let mut values = run.items().get(index).map(|item| item.json.to_object()).unwrap_or_default();
            // So that rows of a table can go into another one.
            values.retain(|name, _| !SYSTEM_COLUMNS.contains(&name.as_str()));
            values
        }
        "defineBelow" => match run.parameter("columns.value", index)? {
            Some(Value::Object(values)) => values,
            None | Some(Value::Null) => JsonObject::new(),
            Some(_) => return Err(NodeError::operation("the values of columns are no object: give some in Columns")),
        },
        other => return Err(NodeError::operation(format!("the mapping mode '{other}' is not known"))),
    };
    table.cells(&values).map_err(refused)
}

/// Which rows are meant.
fn filter(run: &mut NodeRun<'_>, table: &DataTable, index: usize) -> Result<RowFilter, NodeError> {
    let all = match run.text("matchType", index, "anyCondition")?.as_str() {
        "anyCondition" => false,
        "allConditions" => true,
        other => return Err(NodeError::operation(format!("the match type '{other}' is not known"))),
    };
    let listed = match run.parameter("filters.conditions", index)? {
        Some(Value::Array(listed)) => listed,
        _ => Vec::new(),
    };
    if listed.len() > CONDITIONS_MAX {
        let message = format!("there are {} conditions, at most {CONDITIONS_MAX} are allowed", listed.len());
        return Err(NodeError::operation(message));
    }
    let text = |entry: &Value, name: &str, or: &str| entry.get(name).and_then(Value::as_str).unwrap_or(or).to_owned();
    let condition = |entry: &Value| {
        let (column, word) = (text(entry, "keyName", "id"), text(entry, "condition", "eq"));
        table.condition(&column, &word, entry.get("keyValue").unwrap_or(&Value::Null))
    };
    let conditions = listed.iter().map(condition).collect::<Result<_, _>>().map_err(refused)?;
    Ok(RowFilter { all, conditions })
}

/// The same, where it has to be said.
fn needed_filter(run: &mut NodeRun<'_>, table: &DataTable, index: usize) -> Result<RowFilter, NodeError> {
    let filter = filter(run, table, index)?;
    if filter.conditions.is_empty() {
        return Err(NodeError::operation("it is not said which rows are meant: give at least one condition"));
    }
    Ok(filter)
}

fn question(run: &mut NodeRun<'_>, table: &DataTable, index: usize) -> Result<RowQuestion, NodeError> {
    let filter = filter(run, table, index)?;
    let limit = match run.boolean("returnAll", index, false)? {
        true => ROWS_MAX,
        false => run.number("limit", index, LIMIT)?.clamp(0.0, ROWS_MAX as f64) as usize,
    };
    let order = match run.boolean("orderBy", index, false)? {
        true => {
            let column = run.text("orderByColumn", index, "createdAt")?;
            let descending = match run.text("orderByDirection", index, "DESC")?.as_str() {
                "DESC" => true,
                "ASC" => false,
                other => return Err(NodeError::operation(format!("the direction '{other}' is not known"))),
            };
            Some(table.order(&column, descending).map_err(refused)?)
        }
        false => None,
    };
    Ok(RowQuestion { filter, order, skip: 0, limit })
}

async fn meant(tables: &Tables, table: &DataTable, filter: RowFilter) -> Result<Vec<Arc<DataRow>>, NodeError> {
    tables.select(table, &RowQuestion { filter, limit: ROWS_MAX, ..RowQuestion::default() }).await
}

/// Rows as they are and as they would be with these cells.
fn written_dry(table: &DataTable, rows: &[Arc<DataRow>], cells: &JsonObject, or_insert: bool) -> Vec<Item> {
    if rows.is_empty() && or_insert {
        let row = DataRow { id: 0, created_at_ms: 0, updated_at_ms: 0, cells: cells.clone() };
        return both(table, None, Some(&row)).into();
    }
    let would_be = |row: &Arc<DataRow>| both(table, Some(row), Some(&row.updated(cells, row.updated_at_ms)));
    rows.iter().flat_map(would_be).collect()
}

/// A row as it is and as it would be; where there is none, or one that has no number yet, that is empty.
fn both(table: &DataTable, before: Option<&DataRow>, after: Option<&DataRow>) -> [Item; 2] {
    [(before, "before"), (after, "after")].map(|(row, state)| {
        let blank = DataRow { id: 0, created_at_ms: 0, updated_at_ms: 0, cells: JsonObject::new() };
        let row = row.unwrap_or(&blank);
        let mut shown = table.shown(row);
        if row.id == 0 {
            SYSTEM_COLUMNS.iter().for_each(|column| {
                shown.insert((*column).to_owned(), Value::Null);
            });
        }
        shown.insert("dryRunState".to_owned(), state.into());
        Item::new(shown)
    })
}
