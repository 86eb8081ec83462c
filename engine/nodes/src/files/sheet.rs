//! Spreadsheets as tables of values: read from XLSX, XLS, ODS and HTML, written as XLSX and HTML (ODS: the module beside).
//!
//! What a file claims of its size is not believed: rows and cells are bounded.

use std::fmt::Write as _;
use std::io::Cursor;

use bytes::Bytes;
use calamine::{Data, Range, Reader as _, Sheets, open_workbook_auto_from_rs};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, XlsxError};
use serde_json::{Number, Value};
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::NodeError;

use crate::conversion::as_text;

/// Most cells of one sheet.
const CELLS_MAX: usize = 5_000_000;
/// Name of a sheet that nobody named.
pub(super) const SHEET_NAME: &str = "Sheet";

/// The cells of a workbook's sheet, row by row; empty ones are `null`.
///
/// # Errors
/// [`NodeError`] when the file is none, or has no such sheet.
pub(super) fn read(content: Bytes, sheet: &str) -> Result<Vec<Vec<Value>>, NodeError> {
    let unreadable = |error: calamine::Error| {
        NodeError::operation(format!("the file is not a spreadsheet that can be read: {error}"))
    };
    let mut workbook: Sheets<Cursor<Bytes>> = open_workbook_auto_from_rs(Cursor::new(content)).map_err(unreadable)?;
    let names = workbook.sheet_names();
    let name =
        if sheet.is_empty() { names.first().cloned() } else { names.iter().find(|name| *name == sheet).cloned() };
    let name = name.ok_or_else(|| {
        NodeError::operation(format!("the spreadsheet has no sheet '{sheet}'"))
            .described(format!("it has these: {}", names.join(", ")))
    })?;
    rows(&workbook.worksheet_range(&name).map_err(unreadable)?)
}

fn rows(range: &Range<Data>) -> Result<Vec<Vec<Value>>, NodeError> {
    let (height, width) = range.get_size();
    if height.saturating_mul(width) > CELLS_MAX {
        return Err(NodeError::operation(format!("the sheet has more than {CELLS_MAX} cells")));
    }
    Ok(range.rows().map(|row| row.iter().map(value).collect()).collect())
}

fn value(cell: &Data) -> Value {
    match cell {
        Data::Empty => Value::Null,
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => Value::String(text.clone()),
        Data::Int(number) => Value::from(*number),
        Data::Float(number) => number_value(*number),
        Data::Bool(truth) => Value::Bool(*truth),
        // As the sheet has it: days since the end of 1899.
        Data::DateTime(time) => number_value(time.as_f64()),
        Data::Error(error) => Value::String(error.to_string()),
    }
}

/// A number as JSON writes it: without a point where it is whole.
fn number_value(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 9.0e15 {
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// A text as a spreadsheet takes it: numbers and truths for what looks like them.
pub(super) fn guessed(text: &str) -> Value {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Value::Null;
    }
    if trimmed.eq_ignore_ascii_case("true") || trimmed.eq_ignore_ascii_case("false") {
        return Value::Bool(trimmed.eq_ignore_ascii_case("true"));
    }
    let numeric = trimmed.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    match trimmed.parse::<f64>() {
        Ok(number) if numeric && number.is_finite() => number_value(number),
        _ => Value::String(text.to_owned()),
    }
}

/// The rows of the first table in a page.
pub(super) fn read_html(page: &str) -> Vec<Vec<Value>> {
    let lower = page.to_ascii_lowercase();
    let Some(begin) = lower.find("<table") else { return Vec::new() };
    let end = lower[begin..].find("</table").map_or(page.len(), |length| begin + length);
    let mut rows = Vec::new();
    let mut rest = begin..end;
    while let Some(row) = element(page, &lower, rest.clone(), &["tr"]) {
        let mut cells = Vec::new();
        let mut inner = row.clone();
        while let Some(cell) = element(page, &lower, inner.clone(), &["td", "th"]) {
            inner.start = cell.end;
            cells.push(guessed(&plain_text(&page[cell])));
        }
        rest.start = row.end.max(rest.start + 1);
        rows.push(cells);
    }
    rows
}

/// The inside of the next element of one of these names.
fn element(page: &str, lower: &str, within: std::ops::Range<usize>, names: &[&str]) -> Option<std::ops::Range<usize>> {
    let mut from = within.start;
    loop {
        let at = from + lower.get(from..within.end)?.find('<')?;
        let name = names.iter().find(|name| {
            lower[at + 1..].starts_with(**name)
                && lower[at + 1 + name.len()..].starts_with(|c: char| c == '>' || c == '/' || c.is_ascii_whitespace())
        });
        let Some(name) = name else {
            from = at + 1;
            continue;
        };
        let open = at + lower.get(at..within.end)?.find('>')? + 1;
        let close = lower.get(open..within.end)?.find(&format!("</{name}")).map_or(within.end, |length| open + length);
        return page.is_char_boundary(close).then_some(open..close);
    }
}

/// The text of markup: without tags, with the few entities that tables are written with.
fn plain_text(markup: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for character in markup.chars() {
        match character {
            '<' => in_tag = true,
            '>' if in_tag => in_tag = false,
            other if !in_tag => text.push(other),
            _ => {}
        }
    }
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        ("&#x000A;", "\n"),
        ("&amp;", "&"),
    ];
    entities.iter().fold(text, |text, (entity, character)| text.replace(entity, character)).trim().to_owned()
}

/// The rows that a range names: from a row on (0 is the first), or cells such as `A2:C9`.
///
/// # Errors
/// [`NodeError`] when it is neither.
pub(super) fn within(rows: Vec<Vec<Value>>, range: &str) -> Result<Vec<Vec<Value>>, NodeError> {
    let range = range.trim();
    if range.is_empty() {
        return Ok(rows);
    }
    if let Ok(first) = range.parse::<usize>() {
        return Ok(rows.into_iter().skip(first).collect());
    }
    let corners: Option<Vec<(usize, usize)>> = range.split(':').map(cell_of).collect();
    let Some([(left, top), (right, bottom)]) = corners.as_deref() else {
        return Err(NodeError::operation(format!("'{range}' is not a range of cells"))
            .described("write it as A2:C9, or give the number of the first row"));
    };
    let cut = |row: Vec<Value>| row.into_iter().take(right + 1).skip(*left).collect();
    Ok(rows.into_iter().take(bottom + 1).skip(*top).map(cut).collect())
}

/// Column and row of a cell such as `B2`, both from 0.
fn cell_of(name: &str) -> Option<(usize, usize)> {
    let name = name.replace('$', "").to_ascii_uppercase();
    let (letters, digits) = name.split_at(name.find(|c: char| c.is_ascii_digit())?);
    let column = letters.bytes().try_fold(0_usize, |column, letter| {
        let number = letter.checked_sub(b'A').filter(|number| *number < 26)?;
        column.checked_mul(26)?.checked_add(usize::from(number) + 1)
    })?;
    Some((column.checked_sub(1)?, digits.parse::<usize>().ok()?.checked_sub(1)?))
}

/// Rows as items: the first names the fields, or each is a list `row`.
pub(super) fn items(mut rows: Vec<Vec<Value>>, header: bool, with_empty: bool) -> Vec<JsonObject> {
    if !header {
        let row = |cells: Vec<Value>| JsonObject::from_iter([("row".to_owned(), Value::Array(trimmed(cells)))]);
        return rows.into_iter().map(row).collect();
    }
    if rows.is_empty() {
        return Vec::new();
    }
    let names = field_names(&rows.remove(0));
    let item = |cells: Vec<Value>| {
        let mut fields = JsonObject::new();
        let cells = cells.into_iter().chain(std::iter::repeat(Value::Null));
        for (name, cell) in names.iter().zip(cells) {
            match cell {
                Value::Null if with_empty => fields.insert(name.clone(), Value::String(String::new())),
                Value::Null => None,
                cell => fields.insert(name.clone(), cell),
            };
        }
        fields
    };
    let is_blank = |cells: &Vec<Value>| cells.iter().all(Value::is_null);
    rows.into_iter().filter(|cells| with_empty || !is_blank(cells)).map(item).collect()
}

fn trimmed(mut cells: Vec<Value>) -> Vec<Value> {
    while cells.last().is_some_and(Value::is_null) {
        cells.pop();
    }
    cells
}

/// Names of fields from a header: one that comes again is numbered, one that is missing is named for it.
fn field_names(header: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for cell in header {
        let base = if cell.is_null() { "__EMPTY".to_owned() } else { as_text(cell) };
        let mut name = base.clone();
        let mut number = 0;
        while names.contains(&name) {
            number += 1;
            name = format!("{base}_{number}");
        }
        names.push(name);
    }
    names
}

/// A workbook with one sheet of these rows.
///
/// # Errors
/// [`NodeError`] when a sheet cannot have that name or so many rows.
pub(super) fn write_xlsx(rows: &[Vec<Value>], sheet: &str) -> Result<Vec<u8>, NodeError> {
    let refused = |error: XlsxError| NodeError::operation(format!("the spreadsheet cannot be written: {error}"));
    let mut workbook = Workbook::new();
    // The same rows are the same file, whenever it is written: this node reads no clock.
    let made = ExcelDateTime::from_ymd(2000, 1, 1).map_err(refused)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&made));
    let worksheet = workbook.add_worksheet();
    worksheet.set_name(if sheet.is_empty() { SHEET_NAME } else { sheet }).map_err(refused)?;
    for (row, cells) in (0_u32..).zip(rows) {
        for (column, cell) in (0_u16..).zip(cells) {
            match cell {
                Value::Null => {}
                Value::Bool(truth) => {
                    worksheet.write_boolean(row, column, *truth).map_err(refused)?;
                }
                Value::Number(number) => {
                    worksheet.write_number(row, column, number.as_f64().unwrap_or_default()).map_err(refused)?;
                }
                other => {
                    worksheet.write_string(row, column, as_text(other)).map_err(refused)?;
                }
            }
        }
    }
    workbook.save_to_buffer().map_err(refused)
}

/// A page with one table of these rows.
pub(super) fn write_html(rows: &[Vec<Value>], title: &str) -> String {
    let mut page = format!(
        "<html><head><meta charset=\"utf-8\"/><title>{}</title></head><body><table>",
        escaped(if title.is_empty() { SHEET_NAME } else { title })
    );
    for row in rows {
        page.push_str("<tr>");
        for cell in row {
            let text = if cell.is_null() { String::new() } else { escaped(&as_text(cell)) };
            // Writing to a text cannot fail.
            let _ = write!(page, "<td>{text}</td>");
        }
        page.push_str("</tr>");
    }
    page.push_str("</table></body></html>");
    page
}

/// A text as markup.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
