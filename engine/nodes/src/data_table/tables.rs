//! What is done with tables themselves.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::data_table::{ColumnType, DataColumn, DataTable, TABLES_MAX, UnknownColumnType, iso};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun, RowsChange, TableChange};

use super::Tables;
use super::parameters::LIMIT;

/// Does for one item what is asked for; gives the items for it.
pub(super) async fn one(run: &mut NodeRun<'_>, tables: &mut Tables, index: usize) -> Result<Vec<Item>, NodeError> {
    match run.text("operation", index, "list")?.as_str() {
        "list" => list(run, tables, index),
        "create" => create(run, tables, index).await,
        "update" => {
            let (table, name) = (tables.named(run, index)?, run.text("newName", index, "")?);
            let change = TableChange::Rename { table: table.id, name: Arc::from(name.trim()) };
            tables.change(index, change).await?;
            Ok(vec![item(json!({ "success": true, "name": name.trim() }))])
        }
        "delete" => {
            let table = tables.named(run, index)?;
            tables.change(index, TableChange::Delete { table: table.id }).await?;
            Ok(vec![item(json!({ "success": true, "deletedTableId": table.id.to_string() }))])
        }
        "clear" => {
            let table = tables.named(run, index)?;
            let gone = tables.change_rows(index, &table, RowsChange::Delete(None)).await?;
            Ok(vec![item(json!({ "success": true, "deletedRows": gone.len() }))])
        }
        other => Err(NodeError::operation(format!(
            "'{other}' is no operation on tables: use create, list, update, clear or delete"
        ))),
    }
}

fn item(fields: Value) -> Item {
    match fields {
        Value::Object(fields) => Item::new(fields),
        _ => Item::new(JsonObject::new()),
    }
}

fn described(table: &DataTable) -> Item {
    let column = |(index, column): (usize, &DataColumn)| json!({ "name": &*column.name, "type": column.column_type.name(), "index": index });
    let columns: Vec<Value> = table.columns.iter().enumerate().map(column).collect();
    item(json!({
        "id": table.id.to_string(), "name": &*table.name, "columns": columns,
        "createdAt": iso(table.created_at_ms), "updatedAt": iso(table.updated_at_ms),
    }))
}

async fn create(run: &mut NodeRun<'_>, tables: &mut Tables, index: usize) -> Result<Vec<Item>, NodeError> {
    let name = run.text("tableName", index, "")?;
    let name = name.trim();
    if run.boolean("options.createIfNotExists", index, false)?
        && let Some(table) = tables.known.named(name)
    {
        return Ok(vec![described(table)]);
    }
    let listed = match run.parameter("columns.column", index)? {
        Some(Value::Array(listed)) => listed,
        _ => Vec::new(),
    };
    let text = |entry: &Value, field: &str, or: &str| entry.get(field).and_then(Value::as_str).unwrap_or(or).to_owned();
    let column = |entry: &Value| {
        let column_type: ColumnType = text(entry, "type", "string").parse()?;
        Ok::<_, UnknownColumnType>(DataColumn { name: Arc::from(text(entry, "name", "")), column_type })
    };
    let columns = listed.iter().map(column).collect::<Result<Vec<DataColumn>, _>>();
    let columns = columns.map_err(|error| NodeError::operation(error.to_string()))?;
    let made = tables.change(index, TableChange::Create { name: Arc::from(name), columns }).await?;
    Ok(tables.known.tables.get(&made).map(|table| described(table)).into_iter().collect())
}

fn list(run: &mut NodeRun<'_>, tables: &Tables, index: usize) -> Result<Vec<Item>, NodeError> {
    let limit = match run.boolean("returnAll", index, true)? {
        true => TABLES_MAX,
        false => run.number("limit", index, LIMIT)?.clamp(0.0, TABLES_MAX as f64) as usize,
    };
    let wanted = run.text("options.filterName", index, "")?.to_lowercase();
    let mut found: Vec<&Arc<DataTable>> =
        tables.known.tables.values().filter(|table| table.name.to_lowercase().contains(&wanted)).collect();
    match run.text("options.sortField", index, "name")?.as_str() {
        "name" => found.sort_by(|one, other| one.name.cmp(&other.name)),
        "createdAt" => found.sort_by_key(|table| table.created_at_ms),
        "updatedAt" => found.sort_by_key(|table| table.updated_at_ms),
        other => return Err(NodeError::operation(format!("'{other}' is nothing to sort by"))),
    }
    match run.text("options.sortDirection", index, "asc")?.as_str() {
        "asc" => {}
        "desc" => found.reverse(),
        other => return Err(NodeError::operation(format!("the direction '{other}' is not known"))),
    }
    Ok(found.into_iter().take(limit).map(|table| described(table)).collect())
}
