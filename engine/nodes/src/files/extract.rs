//! Extract from File: reads an attachment as rows, a calendar, JSON, text or base64.

use serde_json::Value;
use timeloom_domain::catalogue::{Choice, Condition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{BinaryData, Item, JsonObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PdfQuestion, PureNode};

use super::{attached, base64_of, calendar, csv, for_each_item, rtf, sheet, text_of};
use crate::describe::{ONE_TO_ONE, choice, collection, is, number, options, palette, switch, text, told};
use crate::values;

const OPERATIONS: &[Choice] = &[
    choice("csv", "Extract from CSV"),
    choice("html", "Extract from HTML"),
    told("fromIcs", "Extract from ICS", "The events of a calendar."),
    choice("fromJson", "Extract from JSON"),
    choice("ods", "Extract from ODS"),
    told("pdf", "Extract from PDF", "The text of its pages, and what it says of itself."),
    told("rtf", "Extract from RTF", "The rows of its tables, or its paragraphs where it has none."),
    choice("text", "Extract from text file"),
    choice("xls", "Extract from XLS"),
    choice("xlsx", "Extract from XLSX"),
    choice("xml", "Extract from XML"),
    told("binaryToPropery", "Move file to base64 string", "The bytes of the attachment, as base64."),
];

const SHEETS: &[Condition] = &[is("operation", &["ods", "rtf", "xls", "xlsx"])];
const TEXTS: &[Condition] = &[is("operation", &["fromIcs", "fromJson", "text", "xml"])];

const ENCODING: ParameterDefinition = options("encoding", super::ENCODINGS, "How the text is written.").or_text("utf8");
const HEADER: ParameterDefinition =
    switch("headerRow", "Whether the first row has the names of the fields.").called("Header row").or_true();
const EMPTY: ParameterDefinition = switch("includeEmptyCells", "Whether empty cells are given.").or_false();
const RANGE: ParameterDefinition =
    text("range", "Cells such as A2:C9, or the number of the first row.").like("A2:C9").or_text("");
const AS_TEXT: ParameterDefinition =
    switch("readAsString", "Whether all values are texts.").called("Read as string").or_false();
const KEEP: ParameterDefinition = options(
    "keepSource",
    &[choice("json", "JSON"), choice("binary", "Binary"), choice("both", "Both")],
    "What of the input is kept.",
);
const STRIP: ParameterDefinition =
    switch("stripBOM", "Whether a mark at the beginning is left out.").called("Strip BOM").or_true();

/// Options of tables that are read as rows of text.
pub(super) const ROWS: &[ParameterDefinition] = &[
    text("delimiter", "What stands between the values of a row.").or_text(","),
    ENCODING,
    switch("enableBOM", "Whether a mark at the beginning is left out.")
        .called("Exclude byte order mark (BOM)")
        .or_false(),
    number("fromLine", "How many rows are left out at the beginning.").called("Starting line").or_number(0.0),
    HEADER,
    EMPTY,
    number("maxRowCount", "Most rows that are read; -1 for all.").called("Max number of rows to load").or_number(-1.0),
];
/// Options of sheets.
pub(super) const SHEET: &[ParameterDefinition] =
    &[HEADER, EMPTY, RANGE, AS_TEXT, text("sheetName", "The sheet; the first when empty.").or_text("")];

const PARAMETERS: &[ParameterDefinition] = &[
    options("operation", OPERATIONS, "Kind of file.").or_text("csv"),
    text("binaryPropertyName", "Name of the attachment.").called("Input binary field").or_text("data"),
    text("destinationKey", "Field that gets the data; dots lead into objects.")
        .called("Destination output field")
        .or_text("data")
        .when(&[is("operation", &["fromIcs", "fromJson", "text", "xml", "binaryToPropery"])]),
    collection("options", ROWS, "What else to decide.").when(&[is("operation", &["csv"])]),
    collection("options", SHEET, "What else to decide.").when(SHEETS),
    collection("options", &[ENCODING, HEADER, EMPTY, RANGE, AS_TEXT], "What else to decide.")
        .when(&[is("operation", &["html"])]),
    collection("options", &[ENCODING, STRIP.when(&[is("/operation", &["text", "xml"])]), KEEP], "What else to decide.")
        .when(TEXTS),
    collection("options", &[KEEP], "What else to decide.").when(&[is("operation", &["binaryToPropery"])]),
    collection(
        "options",
        &[
            switch("joinPages", "Whether the text of all pages is one text; a list otherwise.")
                .called("Join pages")
                .or_true(),
            KEEP,
            number("maxPages", "Most pages that are read; 0 for all.").called("Max pages").or_number(0.0),
            text("password", "What opens the file.").or_text(""),
        ],
        "What else to decide.",
    )
    .when(&[is("operation", &["pdf"])]),
];

/// The Extract from File node.
pub(crate) struct ExtractFromFile;

impl NodeType for ExtractFromFile {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.extractFromFile",
            display_name: "Extract from File",
            description: "Reads an attachment as CSV, spreadsheet, HTML or RTF table, calendar, PDF, JSON, XML, text or base64.",
            versions: &[1.0, 1.1],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(
                NodeGroup::HttpAndFiles,
                "file-input",
                &["csv", "xlsx", "excel", "ics", "json", "import", "parse", "pdf", "read"],
            ),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for ExtractFromFile {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        for_each_item(run, extract)
    }
}

fn extract(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Vec<Item>, NodeError> {
    let name = run.text("binaryPropertyName", index, "data")?;
    let file = attached(item, index, &name)?;
    let encoding = run.text("options.encoding", index, "utf8")?;
    let value = match run.text("operation", index, "csv")?.as_str() {
        "csv" => return rows(run, file, &encoding, index),
        "xls" | "xlsx" | "ods" => return sheet_rows(run, file, index),
        "html" => {
            let page = text_of(run, file, &encoding, true)?;
            return table(run, sheet::read_html(&page), index);
        }
        "pdf" => return pdf(run, item, (&name, file), index),
        "rtf" => {
            let content = run.binaries().read_blocking(file)?;
            return table(run, rtf::read(&content)?, index);
        }
        "fromIcs" => calendar::read(&text_of(run, file, &encoding, true)?, run.scope.timezone)?,
        "text" | "xml" => {
            let strip_mark = run.boolean("options.stripBOM", index, true)?;
            Value::String(text_of(run, file, &encoding, strip_mark)?)
        }
        "fromJson" => serde_json::from_str(&text_of(run, file, &encoding, true)?)
            .map_err(|error| NodeError::operation(format!("'{name}' does not hold JSON: {error}")))?,
        "binaryToPropery" => Value::String(base64_of(run, file)?),
        other => {
            return Err(NodeError::operation(format!("files of the kind '{other}' are not supported here"))
                .described("extract from CSV, XLSX, XLS, ODS, HTML, RTF, ICS, PDF, JSON, XML or text"));
        }
    };
    let destination = run.text("destinationKey", index, "data")?;
    let mut made = kept_source(run, item, &name, index)?;
    values::set(&mut made.json, &destination, value, true);
    Ok(vec![made])
}

/// What the options say is kept of an item whose attachment `name` was read.
fn kept_source(run: &mut NodeRun<'_>, item: &Item, name: &str, index: usize) -> Result<Item, NodeError> {
    let keep = run.text("options.keepSource", index, "")?;
    let mut made = Item::default();
    if matches!(keep.as_str(), "json" | "both") {
        made.json.clone_from(&item.json);
    }
    made.binary.clone_from(&item.binary);
    if !matches!(keep.as_str(), "binary" | "both")
        && let Some(binary) = &mut made.binary
    {
        binary.remove(name);
        made.binary = made.binary.take().filter(|binary| !binary.is_empty());
    }
    Ok(made)
}

/// The item of a PDF file: its text, how many pages it has and how many were read, and what it says of itself.
fn pdf(
    run: &mut NodeRun<'_>,
    item: &Item,
    (name, file): (&str, &BinaryData),
    index: usize,
) -> Result<Vec<Item>, NodeError> {
    let password = Some(run.text("options.password", index, "")?).filter(|password| !password.is_empty());
    let pages_max = run.number("options.maxPages", index, 0.0)?;
    let pages_max = (pages_max >= 1.0).then_some(pages_max as usize);
    let content = run.binaries().read_blocking(file)?;
    let read = run.services.documents.pdf(&content, &PdfQuestion { password, pages_max })?;
    let joined = run.boolean("options.joinPages", index, true)?;
    let mut made = kept_source(run, item, name, index)?;
    let fields = [
        ("numpages", Value::from(read.page_count)),
        ("numrender", Value::from(read.pages.len())),
        ("info", Value::Object(read.info.into_iter().collect())),
        ("text", if joined { Value::String(read.pages.join("\n\n")) } else { Value::from(read.pages) }),
        ("version", Value::String(read.version)),
    ];
    made.json.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    Ok(vec![made])
}

/// An item for each row of a sheet.
pub(super) fn sheet_rows(run: &mut NodeRun<'_>, file: &BinaryData, index: usize) -> Result<Vec<Item>, NodeError> {
    let name = run.text("options.sheetName", index, "")?;
    let content = run.binaries().read_blocking(file)?;
    table(run, sheet::read(content, &name)?, index)
}

/// An item for each row of a table, as the options say.
pub(super) fn table(run: &mut NodeRun<'_>, rows: Vec<Vec<Value>>, index: usize) -> Result<Vec<Item>, NodeError> {
    let with_header = run.boolean("options.headerRow", index, true)?;
    let with_empty = run.boolean("options.includeEmptyCells", index, false)?;
    // A range is the row from which the table is read, or cells such as `A2:C9`.
    let range = run.text("options.range", index, "")?;
    let rows = sheet::within(rows, &range)?;
    let as_text = run.boolean("options.readAsString", index, false)?;
    let mut items = sheet::items(rows, with_header, with_empty);
    if as_text {
        for value in items.iter_mut().flat_map(JsonObject::values_mut).filter(|value| !value.is_array()) {
            *value = Value::String(values::text(value));
        }
    }
    Ok(items.into_iter().map(Item::new).collect())
}

/// An item for each row.
pub(super) fn rows(
    run: &mut NodeRun<'_>,
    file: &BinaryData,
    encoding: &str,
    index: usize,
) -> Result<Vec<Item>, NodeError> {
    let delimiter = run.text("options.delimiter", index, ",")?.chars().next().unwrap_or(',');
    let with_header = run.boolean("options.headerRow", index, true)?;
    let with_empty = run.boolean("options.includeEmptyCells", index, false)?;
    let skipped = run.number("options.fromLine", index, 0.0)?.max(0.0) as usize;
    let most = run.number("options.maxRowCount", index, -1.0)?;
    let most = if most > 0.0 { most as usize } else { usize::MAX };
    let strip_mark = run.boolean("options.enableBOM", index, false)?;
    let mut records = csv::read(&text_of(run, file, encoding, strip_mark)?, delimiter).into_iter().skip(skipped);
    let header = if with_header { records.next().unwrap_or_default() } else { Vec::new() };
    let item = |record: Vec<String>| {
        if !with_header {
            // Without names the cells go by their place, which leaves room for those that are empty.
            let cells = record.into_iter().enumerate().filter(|(_, cell)| with_empty || !cell.is_empty());
            let row: JsonObject = cells.map(|(place, cell)| (place.to_string(), Value::String(cell))).collect();
            return Item::new(JsonObject::from_iter([("row".to_owned(), Value::Object(row))]));
        }
        let cells = header.iter().cloned().zip(record).filter(|(_, cell)| with_empty || !cell.is_empty());
        Item::new(cells.map(|(name, cell)| (name, Value::String(cell))).collect::<JsonObject>())
    };
    Ok(records.take(most).map(item).collect())
}
