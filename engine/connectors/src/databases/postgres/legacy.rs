//! Version 1 of the node: items are rows, and columns are named in one text.

use serde_json::{Value, json};
use timeloom_domain::item::{Item, Items};
use timeloom_engine::node::{NodeError, NodeRun};

use super::Asked;
use super::connection::Account;
use super::types::Style;
use crate::databases::batch::{Batching, Task};
use crate::databases::sql::{Dialect, Statement, Writer, written};
use crate::databases::table::comma_separated;

/// What a run of version 1 asks for.
pub(super) async fn asked(run: &mut NodeRun<'_>, items: &Items) -> Result<Asked, NodeError> {
    let operation = run.text("operation", 0, "insert")?;
    let style = Style { large_numbers: run.text("additionalFields.largeNumbersOutput", 0, "text")? == "numbers" };
    let batching = Batching::read(run, "additionalFields.mode")?;
    let mut tasks = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let statements = match operation.as_str() {
            "executeQuery" => query(run, item, index),
            "insert" => insert(run, item, index).map(|statement| vec![statement]),
            "update" => update(run, item, index).map(|statement| vec![statement]),
            other => Err(NodeError::operation(format!("the operation '{other}' is not known"))),
        };
        tasks.push(Task { index, tells_success: false, statements });
    }
    let account = Account::read(run, None).await?;
    Ok(Asked { account, style, batching, tasks })
}

fn query(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Vec<Statement>, NodeError> {
    let names = comma_separated(&run.text("additionalFields.queryParams", index, "")?);
    let values: Vec<Value> = names.iter().map(|name| item.json.get(name).cloned().unwrap_or_default()).collect();
    written(&run.text("query", index, "")?, &values, Dialect::Postgres)
}

/// A column and the type that its value is cast to.
struct Column {
    name: String,
    cast: Option<String>,
}

impl Column {
    fn listed(run: &mut NodeRun<'_>, path: &str, default: &str, index: usize) -> Result<Vec<Self>, NodeError> {
        let listed = comma_separated(&run.text(path, index, default)?);
        listed.into_iter().map(|column| Self::read(&column)).collect()
    }

    fn read(column: &str) -> Result<Self, NodeError> {
        let Some((name, cast)) = column.split_once(':') else {
            return Ok(Self { name: column.to_owned(), cast: None });
        };
        // A type is part of the statement's text: names of types have these characters.
        if !cast.chars().all(|letter| letter.is_ascii_alphanumeric() || "_ ()[],".contains(letter)) {
            return Err(NodeError::operation(format!("'{cast}' is no type of a column")));
        }
        Ok(Self { name: name.to_owned(), cast: Some(cast.to_owned()) })
    }

    fn write(&self, item: &Item, writer: &mut Writer) {
        writer.value(item.json.get(&self.name).cloned().unwrap_or_default());
        if let Some(cast) = &self.cast {
            writer.push("::").push(cast);
        }
    }
}

fn table(run: &mut NodeRun<'_>, index: usize) -> Result<String, NodeError> {
    let name = run.text("table", index, "")?;
    if name.is_empty() {
        return Err(NodeError::operation("no table is named: give its name in Table"));
    }
    Ok(Dialect::Postgres.table(&run.text("schema", index, "public")?, &name))
}

fn returning(run: &mut NodeRun<'_>, index: usize, writer: &mut Writer) -> Result<(), NodeError> {
    let names = comma_separated(&run.text("returnFields", index, "*")?);
    let columns = match names.as_slice() {
        [] => "*".to_owned(),
        [all] if all == "*" => "*".to_owned(),
        names => Dialect::Postgres.list(names.iter().map(String::as_str)),
    };
    writer.push(" RETURNING ").push(&columns);
    Ok(())
}

fn insert(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Statement, NodeError> {
    let columns = Column::listed(run, "columns", "", index)?;
    let mut writer = Writer::new(Dialect::Postgres);
    writer.push("INSERT INTO ").push(&table(run, index)?);
    if columns.is_empty() {
        writer.push(" DEFAULT VALUES");
    } else {
        let names = Dialect::Postgres.list(columns.iter().map(|column| column.name.as_str()));
        writer.push(" (").push(&names).push(") VALUES (");
        for (place, column) in columns.iter().enumerate() {
            writer.push(if place > 0 { ", " } else { "" });
            column.write(item, &mut writer);
        }
        writer.push(")");
    }
    returning(run, index, &mut writer)?;
    Ok(writer.finish())
}

fn update(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Statement, NodeError> {
    let keys = Column::listed(run, "updateKey", "id", index)?;
    let columns = Column::listed(run, "columns", "", index)?;
    let changed: Vec<&Column> =
        columns.iter().filter(|column| !keys.iter().any(|key| key.name == column.name)).collect();
    if changed.is_empty() || keys.is_empty() {
        return Err(NodeError::operation("no column would be changed: name some in Columns, and others in Update Key"));
    }
    let mut writer = Writer::new(Dialect::Postgres);
    writer.push("UPDATE ").push(&table(run, index)?).push(" SET ");
    for (place, column) in changed.into_iter().enumerate() {
        writer.push(if place > 0 { ", " } else { "" }).name(&column.name).push(" = ");
        column.write(item, &mut writer);
    }
    for (place, key) in keys.iter().enumerate() {
        if !item.json.contains_key(&key.name) {
            let message = format!("the item has no field '{}', by which rows are found", key.name);
            return Err(NodeError { data: Some(json!({"key": key.name})), ..NodeError::operation(message) });
        }
        writer.push(if place > 0 { " AND " } else { " WHERE " }).name(&key.name).push(" = ");
        key.write(item, &mut writer);
    }
    returning(run, index, &mut writer)?;
    Ok(writer.finish())
}
