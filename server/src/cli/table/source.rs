//! Rows from a file: JSON Lines, a JSON array, or CSV with the columns in its first line.

use std::path::Path;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use serde_json::{Map, Value};

/// How rows are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A JSON object a line, or one array of them.
    Json,
    /// Columns in the first line, cells in the others; an empty cell is empty.
    Csv,
}

impl Format {
    /// What the name of a file says.
    pub fn of(file: &Path) -> Self {
        let is_csv = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        if is_csv { Self::Csv } else { Self::Json }
    }
}

/// The rows that a text has.
///
/// # Errors
/// When it is not what the format says; the message names the line.
pub fn rows(text: &str, format: Format) -> anyhow::Result<Vec<Value>> {
    match format {
        Format::Json => json_rows(text),
        Format::Csv => csv_rows(text),
    }
}

fn json_rows(text: &str) -> anyhow::Result<Vec<Value>> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).context("this is no JSON array of rows");
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let row = serde_json::from_str(line);
            row.with_context(|| format!("line {} is no JSON object: write one a line", number + 1))
        })
        .collect()
}

fn csv_rows(text: &str) -> anyhow::Result<Vec<Value>> {
    let mut lines = records(text.strip_prefix('\u{feff}').unwrap_or(text))?.into_iter();
    let Some((_, columns)) = lines.next() else { bail!("there is no first line with the names of columns") };
    let mut rows = Vec::new();
    for (number, cells) in lines {
        if cells.len() != columns.len() {
            bail!("line {number} has {} cells, the first line names {} columns", cells.len(), columns.len());
        }
        let filled = columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
        let row: Map<String, Value> = filled.map(|(column, cell)| (column.trim().to_owned(), cell.into())).collect();
        rows.push(Value::Object(row));
    }
    Ok(rows)
}

/// The records of CSV as RFC 4180 has it, with the line at which each begins. Empty lines are none.
fn records(text: &str) -> anyhow::Result<Vec<(usize, Vec<String>)>> {
    let (mut records, mut record, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut begun_at, mut is_quoted, mut was_quoted) = (1, 1, false, false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        line += usize::from(letter == '\n');
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' if is_quoted => is_quoted = false,
            other if is_quoted => cell.push(other),
            '"' if cell.is_empty() => (is_quoted, was_quoted) = (true, true),
            ',' => record.push(std::mem::take(&mut cell)),
            '\r' if letters.peek() == Some(&'\n') => {}
            '\n' => {
                if !record.is_empty() || !cell.is_empty() || was_quoted {
                    record.push(std::mem::take(&mut cell));
                    records.push((begun_at, std::mem::take(&mut record)));
                }
                (begun_at, was_quoted) = (line, false);
            }
            other => cell.push(other),
        }
    }
    if is_quoted {
        bail!("the cell in quotation marks that begins in the row of line {begun_at} does not end");
    }
    if !record.is_empty() || !cell.is_empty() || was_quoted {
        record.push(cell);
        records.push((begun_at, record));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_of_each_format_are_read() {
        let expected = vec![json!({"name": "Ada", "note": "a, \"b\"\nc"}), json!({"name": "Bob"})];
        let csv = "\u{feff}name,note\r\nAda,\"a, \"\"b\"\"\nc\"\r\n\r\nBob,\r\n";
        assert_eq!(rows(csv, Format::Csv).unwrap(), expected);
        let lines = "{\"name\":\"Ada\",\"note\":\"a, \\\"b\\\"\\nc\"}\n\n{\"name\":\"Bob\"}\n";
        assert_eq!(rows(lines, Format::Json).unwrap(), expected);
        assert_eq!(rows(&json!(expected).to_string(), Format::Json).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_with_a_file_names_the_line() {
        for (text, format, expected) in [
            ("{}\nnonsense", Format::Json, "line 2 is no JSON object"),
            ("a,b\n1,2\n3", Format::Csv, "line 3 has 1 cells"),
            ("a\n\"1", Format::Csv, "line 2 does not end"),
            ("", Format::Csv, "no first line"),
        ] {
            let error = rows(text, format).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
