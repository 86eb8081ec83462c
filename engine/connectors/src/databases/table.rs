//! What the operations on a table ask for, as authors say it in parameters, made into statements.
//!
//! The parameters are the same for every database; how statements are written is its [`Dialect`]'s affair.

use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};

use super::sql::{Dialect, Statement, Writer};

/// Where a node's parameters are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// Whose words statements are in.
    pub dialect: Dialect,
    /// Whether a table lies in a schema that is named.
    pub has_schema: bool,
    /// Whether columns are mapped by the parameter `columns`, or by older ones.
    pub has_mapper: bool,
}

/// Rows of `select` when nothing is said.
const LIMIT: f64 = 50.0;

/// The statement of an operation on a table for one item.
///
/// # Errors
/// [`NodeError`] when the parameters or the item are not what the operation needs.
pub(crate) fn statement(
    run: &mut NodeRun<'_>,
    form: Form,
    operation: &str,
    item: &Item,
    index: usize,
) -> Result<Statement, NodeError> {
    let table = table(run, form, index)?;
    let mut writer = Writer::new(form.dialect);
    match operation {
        "deleteTable" => delete(run, form, &table, index, &mut writer)?,
        "select" => select(run, form, &table, index, &mut writer)?,
        "insert" => {
            let row = row(run, form, item, index)?;
            let skips = run.boolean("options.skipOnConflict", index, false)?;
            insert(form.dialect, &table, &row, skips, &mut writer);
            returning(run, form, index, &mut writer)?;
        }
        "update" => {
            let (row, matched) = matching(run, form, item, index)?;
            update(&table, row, matched, &mut writer)?;
            returning(run, form, index, &mut writer)?;
        }
        "upsert" => {
            let (row, matched) = matching(run, form, item, index)?;
            upsert(form.dialect, &table, row, &matched, &mut writer);
            returning(run, form, index, &mut writer)?;
        }
        other => return Err(NodeError::operation(format!("the operation '{other}' is not known"))),
    }
    Ok(writer.finish())
}

/// A name that is written or chosen: `"name"`, or `{"__rl": true, "mode", "value"}`.
pub(crate) fn named(run: &mut NodeRun<'_>, path: &str, index: usize) -> Result<String, NodeError> {
    Ok(match run.parameter(path, index)? {
        Some(Value::String(name)) => name,
        Some(Value::Object(chosen)) => match chosen.get("value") {
            Some(Value::String(name)) => name.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        },
        _ => String::new(),
    })
}

fn table(run: &mut NodeRun<'_>, form: Form, index: usize) -> Result<String, NodeError> {
    let name = named(run, "table", index)?;
    if name.is_empty() {
        return Err(NodeError::operation("no table is named: give its name in Table"));
    }
    let schema = if form.has_schema { named(run, "schema", index)? } else { String::new() };
    Ok(form.dialect.table(&schema, &name))
}

/// The columns of a row with their values.
fn row(run: &mut NodeRun<'_>, form: Form, item: &Item, index: usize) -> Result<JsonObject, NodeError> {
    let mut row = if form.has_mapper { mapped(run, item, index)? } else { sent(run, item, index)? };
    if run.boolean("options.replaceEmptyStrings", index, false)? {
        row.values_mut().filter(|value| value.as_str() == Some("")).for_each(|value| *value = Value::Null);
    }
    Ok(row)
}

fn mapped(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<JsonObject, NodeError> {
    match run.text("columns.mappingMode", index, "defineBelow")?.as_str() {
        "autoMapInputData" => Ok(whole(item)),
        "defineBelow" => match run.parameter("columns.value", index)? {
            Some(Value::Object(fields)) => Ok(fields),
            _ => Err(NodeError::operation("no values are given for the columns: give some in Columns")),
        },
        other => Err(NodeError::operation(format!("the mapping mode '{other}' is not known"))),
    }
}

fn sent(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<JsonObject, NodeError> {
    match run.text("dataMode", index, "autoMapInputData")?.as_str() {
        "autoMapInputData" => Ok(whole(item)),
        "defineBelow" => {
            let entries = entries(run, "valuesToSend.values", index)?;
            let pairs = entries.into_iter().map(|mut entry| {
                let name = entry.get("column").and_then(Value::as_str).unwrap_or_default().to_owned();
                (name, entry.remove("value").unwrap_or_default())
            });
            Ok(pairs.filter(|(name, _)| !name.is_empty()).collect())
        }
        other => Err(NodeError::operation(format!("the data mode '{other}' is not known"))),
    }
}

fn whole(item: &Item) -> JsonObject {
    item.json.to_object()
}

/// The columns of a row, and those of them by which rows are found.
fn matching(
    run: &mut NodeRun<'_>,
    form: Form,
    item: &Item,
    index: usize,
) -> Result<(JsonObject, JsonObject), NodeError> {
    let mut row = row(run, form, item, index)?;
    let names: Vec<String> = if form.has_mapper {
        match run.parameter("columns.matchingColumns", index)? {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    } else {
        let name = named(run, "columnToMatchOn", index)?;
        if run.text("dataMode", index, "autoMapInputData")? == "defineBelow"
            && let Some(value) = run.parameter("valueToMatchOn", index)?
        {
            row.insert(name.clone(), value);
        }
        vec![name]
    };
    let names: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        return Err(NodeError::operation("no column is named by which rows are found: choose one to match on"));
    }
    let mut matched = JsonObject::new();
    for name in names {
        let value = row.remove(&name).ok_or_else(|| {
            NodeError::operation(format!("there is no value for the column '{name}', by which rows are found"))
                .described("give the item a field of that name, or a value below")
        })?;
        matched.insert(name, value);
    }
    Ok((row, matched))
}

fn insert(dialect: Dialect, table: &str, row: &JsonObject, skips: bool, writer: &mut Writer) {
    let ignores = skips && dialect == Dialect::MySql;
    writer.push(if ignores { "INSERT IGNORE INTO " } else { "INSERT INTO " }).push(table);
    match (row.is_empty(), dialect) {
        (true, Dialect::MySql) => {
            writer.push(" () VALUES ()");
        }
        (true, _) => {
            writer.push(" DEFAULT VALUES");
        }
        (false, _) => {
            let names = dialect.list(row.keys().map(String::as_str));
            writer.push(" (").push(&names).push(") VALUES (").values(row.values().cloned()).push(")");
        }
    }
    if skips && !ignores {
        writer.push(" ON CONFLICT DO NOTHING");
    }
}

fn update(table: &str, row: JsonObject, matched: JsonObject, writer: &mut Writer) -> Result<(), NodeError> {
    if row.is_empty() {
        return Err(NodeError::operation("no column would be changed: give values for others than those to match on"));
    }
    writer.push("UPDATE ").push(table).push(" SET ");
    for (place, (name, value)) in row.into_iter().enumerate() {
        writer.push(if place > 0 { ", " } else { "" }).name(&name).push(" = ").value(value);
    }
    for (place, (name, value)) in matched.into_iter().enumerate() {
        writer.push(if place > 0 { " AND " } else { " WHERE " }).name(&name);
        match value {
            Value::Null => writer.push(" IS NULL"),
            value => writer.push(" = ").value(value),
        };
    }
    Ok(())
}

fn upsert(dialect: Dialect, table: &str, row: JsonObject, matched: &JsonObject, writer: &mut Writer) {
    let changed: Vec<String> = row.keys().cloned().collect();
    let whole: JsonObject = matched.clone().into_iter().chain(row).collect();
    insert(dialect, table, &whole, changed.is_empty() && dialect == Dialect::MySql, writer);
    if dialect == Dialect::MySql {
        for (place, name) in changed.iter().enumerate() {
            writer.push(if place > 0 { ", " } else { " ON DUPLICATE KEY UPDATE " });
            writer.name(name).push(" = VALUES(").name(name).push(")");
        }
        return;
    }
    let names = dialect.list(matched.keys().map(String::as_str));
    writer.push(" ON CONFLICT (").push(&names).push(if changed.is_empty() {
        ") DO NOTHING"
    } else {
        ") DO UPDATE SET "
    });
    for (place, name) in changed.iter().enumerate() {
        writer.push(if place > 0 { ", " } else { "" }).name(name).push(" = EXCLUDED.").name(name);
    }
}

fn select(run: &mut NodeRun<'_>, form: Form, table: &str, index: usize, writer: &mut Writer) -> Result<(), NodeError> {
    let is_distinct = run.boolean("options.selectDistinct", index, false)?;
    let columns = columns(run, form.dialect, index)?;
    writer.push(if is_distinct { "SELECT DISTINCT " } else { "SELECT " }).push(&columns).push(" FROM ").push(table);
    conditions(run, index, writer)?;
    for (place, entry) in entries(run, "sort.values", index)?.into_iter().enumerate() {
        let column = entry.get("column").and_then(Value::as_str).unwrap_or_default();
        let direction = match entry.get("direction").and_then(Value::as_str) {
            Some("DESC") => " DESC",
            Some("ASC") | None => " ASC",
            Some(other) => return Err(NodeError::operation(format!("the direction '{other}' is not known"))),
        };
        writer.push(if place > 0 { ", " } else { " ORDER BY " }).name(column).push(direction);
    }
    if !run.boolean("returnAll", index, false)? {
        let limit = run.number("limit", index, LIMIT)?.max(0.0);
        writer.push(&format!(" LIMIT {limit:.0}"));
    }
    Ok(())
}

fn delete(run: &mut NodeRun<'_>, form: Form, table: &str, index: usize, writer: &mut Writer) -> Result<(), NodeError> {
    let cascades = run.boolean("options.cascade", index, false)? && form.dialect == Dialect::Postgres;
    match run.text("deleteCommand", index, "truncate")?.as_str() {
        "truncate" if form.dialect == Dialect::Sqlite => {
            writer.push("DELETE FROM ").push(table);
        }
        "truncate" => {
            writer.push("TRUNCATE TABLE ").push(table);
            if form.dialect == Dialect::Postgres && run.boolean("restartSequences", index, false)? {
                writer.push(" RESTART IDENTITY");
            }
        }
        "delete" => {
            writer.push("DELETE FROM ").push(table);
            return conditions(run, index, writer);
        }
        "drop" => {
            writer.push("DROP TABLE IF EXISTS ").push(table);
        }
        other => return Err(NodeError::operation(format!("the command '{other}' is not known"))),
    }
    if cascades {
        writer.push(" CASCADE");
    }
    Ok(())
}

/// The conditions of `where`.
fn conditions(run: &mut NodeRun<'_>, index: usize, writer: &mut Writer) -> Result<(), NodeError> {
    let joint = match run.text("combineConditions", index, "AND")?.as_str() {
        "OR" => " OR ",
        "AND" => " AND ",
        other => return Err(NodeError::operation(format!("the combination '{other}' is not known"))),
    };
    for (place, mut entry) in entries(run, "where.values", index)?.into_iter().enumerate() {
        let column = entry.get("column").and_then(Value::as_str).unwrap_or_default().to_owned();
        let condition = entry.get("condition").and_then(Value::as_str).unwrap_or("equal").to_owned();
        writer.push(if place > 0 { joint } else { " WHERE " }).name(&column);
        let operator = match condition.as_str() {
            "equal" | "=" => "=",
            word @ ("!=" | "LIKE" | ">" | "<" | ">=" | "<=") => word,
            word @ ("IS NULL" | "IS NOT NULL") => {
                writer.push(" ").push(word);
                continue;
            }
            other => return Err(NodeError::operation(format!("the condition '{other}' is not known"))),
        };
        writer.push(" ").push(operator).push(" ").value(entry.remove("value").unwrap_or_default());
    }
    Ok(())
}

/// What a statement that changes rows gives of them.
fn returning(run: &mut NodeRun<'_>, form: Form, index: usize, writer: &mut Writer) -> Result<(), NodeError> {
    if form.dialect != Dialect::MySql {
        let columns = columns(run, form.dialect, index)?;
        writer.push(" RETURNING ").push(&columns);
    }
    Ok(())
}

fn columns(run: &mut NodeRun<'_>, dialect: Dialect, index: usize) -> Result<String, NodeError> {
    let names = match run.parameter("options.outputColumns", index)? {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(names)) => comma_separated(&names),
        _ => Vec::new(),
    };
    if names.is_empty() || names.iter().any(|name| name == "*") {
        return Ok("*".to_owned());
    }
    Ok(dialect.list(names.iter().map(String::as_str)))
}

/// The parts between commas that are not blank, trimmed.
pub(crate) fn comma_separated(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The objects of a list.
pub(crate) fn entries(run: &mut NodeRun<'_>, path: &str, index: usize) -> Result<Vec<JsonObject>, NodeError> {
    let Some(Value::Array(entries)) = run.parameter(path, index)? else { return Ok(Vec::new()) };
    Ok(entries
        .into_iter()
        .filter_map(|entry| match entry {
            Value::Object(fields) => Some(fields),
            _ => None,
        })
        .collect())
}
