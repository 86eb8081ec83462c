//! `timeloom table`: data tables and their rows.

mod source;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use self::source::Format;
use super::client::Client;
use super::moment::Moment;
use super::workflow::read_file;
use super::{Access, Failure, output};
use crate::config::Config;

/// Rows that are sent, or asked for, together.
const ROWS_TOGETHER: usize = 500;
/// Rows that are listed where nothing else is said.
const LIMIT: usize = 100;

const LIST: &str =
    "query($asOf: AsOf) { dataTables(asOf: $asOf) { id name columns { name type } rowCount createdAt } }";
const ROWS: &str = "query($table: String!, $asOf: AsOf, $conditions: [DataTableConditionInput!]!, $any: Boolean!,
  $orderBy: String, $descending: Boolean!, $first: Int!, $skip: Int!) { dataTable(table: $table, asOf: $asOf) {
  columns { name } rows(conditions: $conditions, any: $any, orderBy: $orderBy, descending: $descending, first: $first,
    skip: $skip) { count rows { id createdAt updatedAt cells } } } }";

#[derive(Debug, Subcommand)]
pub enum TableVerb {
    /// Make a table
    Create {
        /// Its name, which no other table has.
        name: String,
        /// A column and what it holds: NAME:string, NAME:number, NAME:boolean or NAME:date; may be repeated.
        #[arg(long = "column", value_name = "NAME:TYPE", required = true)]
        columns: Vec<Column>,
        #[command(flatten)]
        access: Access,
    },
    /// List the tables
    List {
        /// As they were at a moment: a position (17), a time (2026-01-31T12:00:00Z) or a day.
        #[arg(long, value_name = "MOMENT")]
        as_of: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
    /// Give a table another name
    Rename {
        /// Its id or its name.
        table: String,
        /// Its new name.
        name: String,
        #[command(flatten)]
        access: Access,
    },
    /// Give a table one more column, which is empty in the rows that are there
    AddColumn {
        /// Its id or its name.
        table: String,
        /// The column and what it holds: NAME:string, NAME:number, NAME:boolean or NAME:date.
        #[arg(value_name = "NAME:TYPE")]
        column: Column,
        #[command(flatten)]
        access: Access,
    },
    /// Give a column another name; what is in it stays
    RenameColumn {
        /// The table's id or its name.
        table: String,
        /// The column's name.
        column: String,
        /// Its new name.
        name: String,
        #[command(flatten)]
        access: Access,
    },
    /// Take a column out of a table with all that is in it
    RemoveColumn {
        /// The table's id or its name.
        table: String,
        /// The column's name.
        column: String,
        /// Do it: what is in the column is out of the table then.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        access: Access,
    },
    /// Delete a table with its rows
    Delete {
        /// Its id or its name.
        table: String,
        #[command(flatten)]
        access: Access,
    },
    /// List rows of a table, at any moment
    Rows {
        /// Its id or its name.
        table: String,
        #[command(flatten)]
        meant: Meant,
        /// The column in whose order they come; by id when absent.
        #[arg(long, value_name = "COLUMN")]
        order_by: Option<String>,
        /// Turn that order round.
        #[arg(long)]
        descending: bool,
        /// Most rows to list.
        #[arg(long, default_value_t = LIMIT)]
        limit: usize,
        /// As they were at a moment: a position (17), a time (2026-01-31T12:00:00Z) or a day.
        #[arg(long, value_name = "MOMENT")]
        as_of: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
    /// Put the rows of a file into a table: JSON Lines, a JSON array or CSV
    Insert {
        /// Its id or its name.
        table: String,
        /// The file; `-` reads standard input.
        file: PathBuf,
        /// How rows are written in it; CSV where its name ends in .csv, else JSON.
        #[arg(long)]
        format: Option<Format>,
        #[command(flatten)]
        access: Access,
    },
    /// Write cells of rows
    Update {
        /// Its id or its name.
        table: String,
        #[command(flatten)]
        meant: Meant,
        /// A cell to write; without a value it is emptied. May be repeated.
        #[arg(long = "set", value_name = "COLUMN=VALUE", required = true)]
        cells: Vec<Cell>,
        /// Put a row in where none is meant.
        #[arg(long)]
        or_insert: bool,
        #[command(flatten)]
        access: Access,
    },
    /// Take rows out
    DeleteRows {
        /// Its id or its name.
        table: String,
        #[command(flatten)]
        meant: Meant,
        #[command(flatten)]
        access: Access,
    },
    /// Take all rows out
    Clear {
        /// Its id or its name.
        table: String,
        #[command(flatten)]
        access: Access,
    },
}

/// Which rows are meant.
#[derive(Debug, Clone, Args)]
pub struct Meant {
    /// What is said of the rows, such as "orders gte 3", "name like A%" or "since isEmpty"; may be repeated.
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<Condition>,
    /// One condition is enough.
    #[arg(long)]
    any: bool,
}

impl Meant {
    fn shown(&self) -> Vec<Value> {
        self.conditions.iter().map(|Condition(condition)| condition.clone()).collect()
    }
}

/// A condition as GraphQL has it.
#[derive(Debug, Clone)]
pub struct Condition(Value);

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.trim().splitn(3, char::is_whitespace);
        let (Some(column), Some(word)) = (parts.next(), parts.next()) else {
            return Err("write a column, how it is compared and with what, such as \"orders gte 3\"".to_owned());
        };
        let condition = match word {
            "eq" | "neq" | "like" | "ilike" | "gt" | "gte" | "lt" | "lte" => word.to_uppercase(),
            "isEmpty" => "IS_EMPTY".to_owned(),
            "isNotEmpty" => "IS_NOT_EMPTY".to_owned(),
            "isTrue" => "IS_TRUE".to_owned(),
            "isFalse" => "IS_FALSE".to_owned(),
            other => {
                return Err(format!(
                    "'{other}' is no condition; these are: eq, neq, like, ilike, gt, gte, lt, lte, isEmpty, isNotEmpty, isTrue, isFalse"
                ));
            }
        };
        let value = parts.next().map(str::trim_start);
        Ok(Self(json!({ "column": column, "condition": condition, "value": value })))
    }
}

/// A column to make.
#[derive(Debug, Clone)]
pub struct Column(Value);

impl FromStr for Column {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, column_type) = text.split_once(':').unwrap_or((text, "string"));
        match column_type {
            "string" | "number" | "boolean" | "date" => {
                Ok(Self(json!({ "name": name, "type": column_type.to_uppercase() })))
            }
            other => Err(format!("'{other}' is no type of a column: use string, number, boolean or date")),
        }
    }
}

/// A cell to write.
#[derive(Debug, Clone)]
pub struct Cell {
    column: String,
    value: Value,
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (column, value) = text.split_once('=').ok_or("write COLUMN=VALUE; nothing after = empties the cell")?;
        let value = if value.is_empty() { Value::Null } else { value.into() };
        Ok(Self { column: column.to_owned(), value })
    }
}

impl TableVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::List { as_of, access } => list(as_of, &access, config).await,
            Self::Rows { table, meant, order_by, descending, limit, as_of, access } => {
                let variables = json!({
                    "table": table, "conditions": meant.shown(), "any": meant.any, "orderBy": order_by,
                    "descending": descending, "asOf": as_of.map(Moment::as_of),
                });
                rows(&table, variables, limit, &access, config).await
            }
            Self::Insert { table, file, format, access } => insert(&table, &file, format, &access, config).await,
            Self::Create { name, columns, access } => {
                let columns: Vec<Value> = columns.into_iter().map(|Column(column)| column).collect();
                let input = json!({ "name": name, "columns": columns });
                change_table(("createDataTable", "CreateDataTableInput", "made"), &name, input, &access, config).await
            }
            Self::Rename { table, name, access } => {
                let input = json!({ "table": table, "name": name });
                let change = ("renameDataTable", "RenameDataTableInput", "renamed");
                change_table(change, &name, input, &access, config).await
            }
            Self::AddColumn { table, column: Column(column), access } => {
                let change = ("addDataTableColumn", "AddDataTableColumnInput", "changed");
                change_table(change, &table, json!({ "table": table, "column": column }), &access, config).await
            }
            Self::RenameColumn { table, column, name, access } => {
                let change = ("renameDataTableColumn", "RenameDataTableColumnInput", "changed");
                let input = json!({ "table": table, "column": column, "name": name });
                change_table(change, &table, input, &access, config).await
            }
            Self::RemoveColumn { table, column, yes: false, .. } => {
                output::error(&format!(
                    "what is in the column '{column}' of '{table}' would be out of the table: say so with --yes"
                ));
                Err(Failure::Refused)
            }
            Self::RemoveColumn { table, column, yes: true, access } => {
                let change = ("removeDataTableColumn", "RemoveDataTableColumnInput", "changed");
                change_table(change, &table, json!({ "table": table, "column": column }), &access, config).await
            }
            Self::Delete { table, access } => {
                let change = ("deleteDataTable", "DataTableInput", "deleted");
                change_table(change, &table, json!({ "table": table }), &access, config).await
            }
            Self::Update { table, meant, cells, or_insert, access } => {
                let cells: Map<String, Value> = cells.into_iter().map(|cell| (cell.column, cell.value)).collect();
                let input = json!({
                    "table": table, "conditions": meant.shown(), "any": meant.any, "cells": cells, "orInsert": or_insert,
                });
                change_rows(("updateTableRows", "UpdateTableRowsInput", "written"), input, &access, config).await
            }
            Self::DeleteRows { table, meant, access } => {
                let input = json!({ "table": table, "conditions": meant.shown(), "any": meant.any });
                change_rows(("deleteTableRows", "DeleteTableRowsInput", "deleted"), input, &access, config).await
            }
            Self::Clear { table, access } => {
                let change = ("clearDataTable", "DataTableInput", "deleted");
                change_rows(change, json!({ "table": table }), &access, config).await
            }
        }
    }
}

/// A mutation: its field, the type of its input, and what was done then.
type Change = (&'static str, &'static str, &'static str);

async fn change_table(
    (field, kind, done): Change,
    name: &str,
    input: Value,
    access: &Access,
    config: &Config,
) -> Result<(), Failure> {
    let query = format!(
        "mutation($input: {kind}!) {{ {field}(input: $input) {{ tableId position revision errors {{ code message }} }} }}"
    );
    let client = Client::open(access, config).await?;
    let payload = client.change(field, &query, input, access.json).await;
    client.close().await;
    let payload = payload?;
    if access.json {
        output::json(&payload);
    } else {
        let [id, position] = ["/tableId", "/position"].map(|path| output::text(&payload, path));
        output::line(&format!("{done} data table '{name}' {id} at position {position}"));
    }
    Ok(())
}

fn rows_mutation(field: &str, kind: &str) -> String {
    format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ count position errors {{ code message }} }} }}")
}

async fn change_rows(
    (field, kind, done): Change,
    input: Value,
    access: &Access,
    config: &Config,
) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let payload = client.change(field, &rows_mutation(field, kind), input, access.json).await;
    client.close().await;
    let payload = payload?;
    if access.json {
        output::json(&payload);
    } else {
        output::line(&format!("{} rows {done}", output::text(&payload, "/count")));
    }
    Ok(())
}

async fn insert(
    table: &str,
    file: &Path,
    format: Option<Format>,
    access: &Access,
    config: &Config,
) -> Result<(), Failure> {
    let text = String::from_utf8(read_file(file)?).context("the file is no text in UTF-8")?;
    let rows = source::rows(&text, format.unwrap_or_else(|| Format::of(file)))?;
    let client = Client::open(access, config).await?;
    let sent = send(&client, table, &rows, access.json).await;
    client.close().await;
    let (inserted, failure) = sent;
    if access.json {
        output::json(&json!({ "count": inserted }));
    } else {
        output::line(&format!("{inserted} rows inserted"));
    }
    failure.map_or(Ok(()), Err)
}

/// Sends rows part by part; answers how many came in, and why not all did.
async fn send(client: &Client, table: &str, rows: &[Value], json: bool) -> (u64, Option<Failure>) {
    let field = "insertTableRows";
    let query = rows_mutation(field, "InsertTableRowsInput");
    let mut inserted = 0;
    for part in rows.chunks(ROWS_TOGETHER) {
        match client.change(field, &query, json!({ "table": table, "rows": part }), json).await {
            Ok(payload) => inserted += payload.get("count").and_then(Value::as_u64).unwrap_or_default(),
            Err(failure) => return (inserted, Some(failure)),
        }
    }
    (inserted, None)
}

async fn list(as_of: Option<Moment>, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let found = client.ask(LIST, json!({ "asOf": as_of.map(Moment::as_of) })).await;
    client.close().await;
    let found = found?.get("dataTables").and_then(Value::as_array).cloned().unwrap_or_default();
    if access.json {
        output::json(&Value::Array(found));
        return Ok(());
    }
    let cells = |table: &Value| {
        let columns = table.get("columns").and_then(Value::as_array).cloned().unwrap_or_default();
        let column = |column: &Value| {
            format!("{}:{}", output::text(column, "/name"), output::text(column, "/type").to_lowercase())
        };
        let [id, name, rows, created] =
            ["/id", "/name", "/rowCount", "/createdAt"].map(|path| output::text(table, path));
        vec![id, name, columns.iter().map(column).collect::<Vec<_>>().join(", "), rows, created]
    };
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    output::table(&["ID", "NAME", "COLUMNS", "ROWS", "CREATED"], &rows);
    Ok(())
}

async fn rows(table: &str, variables: Value, limit: usize, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let found = pages(&client, variables, limit).await;
    client.close().await;
    let Some((columns, rows)) = found? else {
        output::error(&format!("there is no data table '{table}': list them with 'timeloom table list'"));
        return Err(Failure::Refused);
    };
    if access.json {
        output::json(&Value::Array(rows));
        return Ok(());
    }
    let cells = |row: &Value| {
        let id = [output::text(row, "/id")];
        id.into_iter().chain(columns.iter().map(|column| output::text(row, &format!("/cells/{column}")))).collect()
    };
    let shown: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let headings: Vec<&str> = std::iter::once("id").chain(columns.iter().map(String::as_str)).collect();
    output::table(&headings, &shown);
    Ok(())
}

/// The columns of a table and the rows that are meant, page by page; `None` where there is no such table.
async fn pages(
    client: &Client,
    mut variables: Value,
    limit: usize,
) -> anyhow::Result<Option<(Vec<String>, Vec<Value>)>> {
    let mut rows: Vec<Value> = Vec::new();
    loop {
        let first = (limit - rows.len()).min(ROWS_TOGETHER);
        (variables["first"], variables["skip"]) = (json!(first), json!(rows.len()));
        let data = client.ask(ROWS, variables.clone()).await?;
        let Some(table) = data.get("dataTable").filter(|table| !table.is_null()) else { return Ok(None) };
        let page = table.pointer("/rows/rows").and_then(Value::as_array).cloned().unwrap_or_default();
        let is_last = page.len() < ROWS_TOGETHER;
        rows.extend(page);
        if is_last || rows.len() >= limit {
            let columns = table.get("columns").and_then(Value::as_array).cloned().unwrap_or_default();
            return Ok(Some((columns.iter().map(|column| output::text(column, "/name")).collect(), rows)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_columns_and_cells_are_read_as_people_write_them() {
        let condition = |text: &str| text.parse::<Condition>().map(|Condition(condition)| condition);
        let expected = json!({ "column": "name", "condition": "LIKE", "value": "A b%" });
        assert_eq!(condition("name like A b%"), Ok(expected));
        let expected = json!({ "column": "since", "condition": "IS_EMPTY", "value": null });
        assert_eq!(condition(" since isEmpty "), Ok(expected));
        assert!(condition("name").is_err() && condition("name about x").is_err());
        assert!("a:text".parse::<Column>().is_err() && "no value".parse::<Cell>().is_err());
        assert_eq!("a".parse::<Column>().unwrap().0, json!({ "name": "a", "type": "STRING" }));
        assert_eq!("a=1=2".parse::<Cell>().unwrap().value, json!("1=2"));
        assert_eq!("a=".parse::<Cell>().unwrap().value, Value::Null);
    }
}
