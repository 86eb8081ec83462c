//! Convert to File: makes an attachment of items' data, as rows, a calendar, JSON, text or decoded base64.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use timeloom_domain::catalogue::{Choice, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{BinaryData, Item, JsonObject, PairedItem};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use super::{BYTE_ORDER_MARK, ENCODINGS, bytes_of, csv, event, kept, kinds, ods, sheet};
use crate::conversion::as_text;
use crate::describe::{ONE_TO_ONE, choice, collection, is, off, options, palette, switch, text, told};
use crate::values;

const OPERATIONS: &[Choice] = &[
    told("csv", "Convert to CSV", "A row for each item."),
    told("html", "Convert to HTML", "A table with a row for each item."),
    told("iCal", "Convert to ICS", "An event of a calendar for each item."),
    told("toJson", "Convert to JSON", "The JSON of items."),
    told("ods", "Convert to ODS", "A sheet with a row for each item."),
    told("toText", "Convert to text file", "The text of a field."),
    told("xlsx", "Convert to XLSX", "A sheet with a row for each item."),
    told("toBinary", "Move base64 string to file", "The bytes that a field holds as base64."),
];

const FILE_NAME: ParameterDefinition = text("fileName", "Name of the file.");
const MEDIA_TYPE: ParameterDefinition =
    text("mimeType", "Media type of the file.").called("MIME type").like("text/plain");
const ENCODING: ParameterDefinition = options("encoding", ENCODINGS, "How the text is written.").or_text("utf8");
const MARK: ParameterDefinition =
    switch("addBOM", "Whether a mark stands at the beginning.").called("Add byte order mark (BOM)").or_false();
const HEADER: ParameterDefinition =
    switch("headerRow", "Whether the first row has the names of the fields.").called("Header row").or_true();
const SHEET: ParameterDefinition = text("sheetName", "Name of the sheet.").or_text("");

const SOURCE: ParameterDefinition = text("sourceProperty", "The field with the data.");

const PARAMETERS: &[ParameterDefinition] = &[
    options("operation", OPERATIONS, "Kind of file.").or_text("csv"),
    options(
        "mode",
        &[choice("once", "All items to one file"), choice("each", "Each item to separate file")],
        "One file for all items, or one for each.",
    )
    .or_text("once")
    .when(&[is("operation", &["toJson"])]),
    SOURCE.called("Text input field").like("text").when(&[is("operation", &["toText"])]),
    SOURCE.called("Base64 input field").like("data").when(&[is("operation", &["toBinary"])]),
    text("binaryPropertyName", "Name of the attachment.").called("Put output file in field").or_text("data"),
    collection(
        "options",
        &[
            text("delimiter", "What stands between the values of a row.").or_text(","),
            FILE_NAME.or_text("File.csv"),
            HEADER,
        ],
        "What else to decide.",
    )
    .when(&[is("operation", &["csv"])]),
    collection("options", &[FILE_NAME.or_text("File.html"), HEADER, SHEET], "What else to decide.")
        .when(&[is("operation", &["html"])]),
    collection("options", &[FILE_NAME.or_text("File.xlsx"), HEADER, SHEET], "What else to decide.")
        .when(&[is("operation", &["xlsx"])]),
    collection("options", &[FILE_NAME.or_text("File.ods"), HEADER, SHEET], "What else to decide.")
        .when(&[is("operation", &["ods"])]),
    event::TITLE,
    event::START,
    event::END,
    event::ALL_DAY,
    event::MORE,
    collection(
        "options",
        &[
            MARK,
            ENCODING,
            FILE_NAME.or_text("file.json"),
            switch("format", "Whether the JSON is written over several lines.").or_false(),
        ],
        "What else to decide.",
    )
    .when(&[is("operation", &["toJson"])]),
    collection(
        "options",
        &[MARK, ENCODING, FILE_NAME.or_text("file.txt"), MEDIA_TYPE.or_text("text/plain")],
        "What else to decide.",
    )
    .when(&[is("operation", &["toText"])]),
    collection(
        "options",
        &[
            switch("dataIsBase64", "Whether the field holds base64; its text is written otherwise.")
                .called("Data is base64")
                .or_true(),
            ENCODING.when(&[off("dataIsBase64")]),
            MARK.when(&[off("dataIsBase64")]),
            FILE_NAME,
            MEDIA_TYPE,
        ],
        "What else to decide.",
    )
    .when(&[is("operation", &["toBinary"])]),
];

/// The Convert to File node.
pub(crate) struct ConvertToFile;

impl NodeType for ConvertToFile {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.convertToFile",
            display_name: "Convert to File",
            description: "Makes a file of items' data: CSV, XLSX, ODS, HTML, a calendar's event, JSON, text, or bytes from base64.",
            versions: &[1.0, 1.1],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(
                NodeGroup::HttpAndFiles,
                "file-output",
                &["csv", "xlsx", "excel", "ics", "json", "export", "binary"],
            ),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for ConvertToFile {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let operation = run.text("operation", 0, "csv")?;
        let made = match operation.as_str() {
            "csv" => csv_file(run, "File.csv")?,
            "html" => html_file(run, "File.html")?,
            "xlsx" => xlsx_file(run, "File.xlsx")?,
            "ods" => ods_file(run, "File.ods")?,
            "toJson" if run.text("mode", 0, "once")? == "once" => json_file(run)?,
            "iCal" | "toJson" | "toText" | "toBinary" => return one_each(run, &operation),
            other => {
                return Err(NodeError::operation(format!("files of the kind '{other}' are not supported here"))
                    .described("convert to CSV, XLSX, ODS, HTML, ICS, JSON or text"));
            }
        };
        let count = run.items().len();
        let pairs = (0..count).map(PairedItem::index).collect();
        let item = Item { paired_item: Some(PairedItem::Many(pairs)), ..with_file(run, made, 0)? };
        Ok(NodeOutput::single(if count == 0 { Vec::new() } else { vec![item] }))
    }
}

fn one_each(run: &mut NodeRun<'_>, operation: &str) -> Result<NodeOutput, NodeError> {
    let items = run.items();
    let mut output = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let made = file_of(run, item, index, operation).and_then(|file| with_file(run, file, index));
        match made {
            Ok(made) => output.push(made.paired_with(index)),
            Err(error) if run.continues_on_fail() => output.push(run.failed_item(index, &error)),
            Err(error) => return Err(error.at_item(index)),
        }
    }
    Ok(NodeOutput::single(output))
}

fn with_file(run: &mut NodeRun<'_>, file: BinaryData, index: usize) -> Result<Item, NodeError> {
    let name = run.text("binaryPropertyName", index, "data")?;
    let mut item = Item::new(JsonObject::new());
    item.binary.get_or_insert_default().insert(name, file);
    Ok(item)
}

fn file_of(run: &mut NodeRun<'_>, item: &Item, index: usize, operation: &str) -> Result<BinaryData, NodeError> {
    if operation == "iCal" {
        return event::file(run, index);
    }
    if operation == "toJson" {
        return json_attachment(run, &item.json.to_value(), index);
    }
    let field = run.text("sourceProperty", index, "")?;
    let value = values::get(&item.json, &field, true).filter(|value| !value.is_null());
    let value = value.ok_or_else(|| {
        NodeError::operation(format!("item {index} has no value in '{field}'")).described("name a field that is set")
    })?;
    if operation == "toBinary" && run.boolean("options.dataIsBase64", index, true)? {
        let name = run.text("options.fileName", index, "file")?;
        let mime_type = run.text("options.mimeType", index, "")?;
        let content = STANDARD
            .decode(values::text(value).trim().as_bytes())
            .map_err(|_| NodeError::operation(format!("item {index} has no base64 in '{field}'")))?;
        let found = || type_of_name(&name).unwrap_or_else(|| type_of_content(&content));
        let mime_type = if mime_type.is_empty() { found() } else { &mime_type };
        return kept(run, content, mime_type, name);
    }
    let data = encoded(run, &as_text(value), index)?;
    let name = run.text("options.fileName", index, "file.txt")?;
    let mime_type = run.text("options.mimeType", index, "text/plain")?;
    kept(run, data, &mime_type, name)
}

fn json_file(run: &mut NodeRun<'_>) -> Result<BinaryData, NodeError> {
    let all = run.items().iter().map(|item| item.json.to_value()).collect();
    json_attachment(run, &all, 0)
}

fn json_attachment(run: &mut NodeRun<'_>, value: &Value, index: usize) -> Result<BinaryData, NodeError> {
    let pretty = run.boolean("options.format", index, false)?;
    let text = if pretty { format!("{value:#}") } else { values::stringify(value) };
    let name = run.text("options.fileName", index, "file.json")?;
    let content = encoded(run, &text, index)?;
    kept(run, content, "application/json", name)
}

fn encoded(run: &mut NodeRun<'_>, text: &str, index: usize) -> Result<Vec<u8>, NodeError> {
    let encoding = run.text("options.encoding", index, "utf8")?;
    let mark = run.boolean("options.addBOM", index, false)?;
    bytes_of(text, &encoding, mark)
}

/// One CSV file of all items: a column for each field, those of objects with dots in their names.
pub(super) fn csv_file(run: &mut NodeRun<'_>, named: &str) -> Result<BinaryData, NodeError> {
    let delimiter = run.text("options.delimiter", 0, ",")?.chars().next().unwrap_or(',');
    let with_header = run.boolean("options.headerRow", 0, true)?;
    let rows: Vec<JsonObject> = run.items().iter().map(|item| flat(&item.json)).collect();
    let columns = columns(&rows);
    let cells = |row: &JsonObject| columns.iter().map(|column| cell(row.get(column))).collect();
    let mut records: Vec<Vec<String>> = if with_header { vec![columns.clone()] } else { Vec::new() };
    records.extend(rows.iter().map(cells));
    // Spreadsheet programs take a file for UTF-8 only by this mark.
    let text = format!("{BYTE_ORDER_MARK}{}", csv::write(&records, delimiter));
    let name = run.text("options.fileName", 0, named)?;
    let kind = type_of_name(&name).unwrap_or("text/plain");
    kept(run, text.into_bytes(), kind, name)
}

/// One sheet of all items.
pub(super) fn xlsx_file(run: &mut NodeRun<'_>, named: &str) -> Result<BinaryData, NodeError> {
    let sheet_name = run.text("options.sheetName", 0, "")?;
    let content = sheet::write_xlsx(&table(run)?, &sheet_name)?;
    let name = run.text("options.fileName", 0, named)?;
    let kind = type_of_name(&name).or_else(|| kinds::type_of("xlsx")).unwrap_or_default();
    kept(run, content, kind, name)
}

/// One sheet of all items, as OpenDocument has it.
pub(super) fn ods_file(run: &mut NodeRun<'_>, named: &str) -> Result<BinaryData, NodeError> {
    let sheet_name = run.text("options.sheetName", 0, "")?;
    let content = ods::write(&table(run)?, &sheet_name)?;
    let name = run.text("options.fileName", 0, named)?;
    let kind = type_of_name(&name).or_else(|| kinds::type_of("ods")).unwrap_or_default();
    kept(run, content, kind, name)
}

/// One page with a table of all items.
pub(super) fn html_file(run: &mut NodeRun<'_>, named: &str) -> Result<BinaryData, NodeError> {
    let sheet_name = run.text("options.sheetName", 0, "")?;
    let page = sheet::write_html(&table(run)?, &sheet_name);
    let name = run.text("options.fileName", 0, named)?;
    let kind = type_of_name(&name).unwrap_or("text/plain");
    kept(run, page.into_bytes(), kind, name)
}

/// The media type that a file's name stands for.
fn type_of_name(name: &str) -> Option<&'static str> {
    kinds::ending_of(name).as_deref().and_then(kinds::type_of)
}

/// The media type of bytes, by how they begin; what is not known counts as text.
fn type_of_content(content: &[u8]) -> &'static str {
    const BEGINNINGS: [(&[u8], &str); 3] =
        [(b"%PDF-", "application/pdf"), (b"PK\x03\x04", "application/zip"), (b"\x1f\x8b", "application/gzip")];
    let known = BEGINNINGS.iter().find(|(beginning, _)| content.starts_with(beginning)).map(|(_, kind)| *kind);
    let picture = || image::guess_format(content).ok().map(|format| format.to_mime_type());
    known.or_else(picture).unwrap_or("text/plain")
}

/// All items as rows of a table, with their names first where these are wanted.
fn table(run: &mut NodeRun<'_>) -> Result<Vec<Vec<Value>>, NodeError> {
    let with_header = run.boolean("options.headerRow", 0, true)?;
    let rows: Vec<JsonObject> = run.items().iter().map(|item| flat(&item.json)).collect();
    let columns = columns(&rows);
    let header = || columns.iter().cloned().map(Value::String).collect();
    let mut table: Vec<Vec<Value>> = if with_header { vec![header()] } else { Vec::new() };
    let cells = |row: &JsonObject| columns.iter().map(|column| row.get(column).cloned().unwrap_or_default()).collect();
    table.extend(rows.iter().map(cells));
    Ok(table)
}

/// The names of all fields, in the order in which they come first.
fn columns(rows: &[JsonObject]) -> Vec<String> {
    let mut known = HashSet::new();
    rows.iter().flat_map(JsonObject::keys).filter(|key| known.insert(key.as_str())).cloned().collect()
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::Bool(truth)) => if *truth { "TRUE" } else { "FALSE" }.to_owned(),
        Some(value) => as_text(value),
    }
}

fn flat(fields: &JsonObject) -> JsonObject {
    let mut flattened = JsonObject::new();
    for (key, value) in fields {
        match value {
            Value::Object(inner) => {
                flattened.extend(flat(inner).into_iter().map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            value => {
                flattened.insert(key.clone(), value.clone());
            }
        }
    }
    flattened
}
