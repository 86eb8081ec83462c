//! Spreadsheet File (older node): makes one file of all items, or items of a file's rows.

use timeloom_domain::catalogue::{Choice, Condition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{BinaryData, Item, JsonObject, PairedItem};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use super::convert::{csv_file, html_file, ods_file, xlsx_file};
use super::extract::{rows, sheet_rows, table};
use super::{attached, csv, for_each_item, kinds, sheet, text_of};
use crate::describe::{ONE_TO_ONE, choice, collection, is, options, palette, switch, text, told};

const READS: &[Condition] = &[is("operation", &["fromFile"])];
const WRITES: &[Condition] = &[is("operation", &["toFile"])];

const FILE_NAME: ParameterDefinition = text("fileName", "Name of the file.").like("orders.csv");
const HEADER: ParameterDefinition = switch("headerRow", "Whether the first row has the names of the fields.").or_true();

const PARAMETERS: &[ParameterDefinition] = &[
    options("operation", &[choice("fromFile", "Read from file"), choice("toFile", "Write to file")], "Which way.")
        .or_text("fromFile"),
    options("fileFormat", READ, "Kind of file.").or_text("autodetect").when(READS),
    options("fileFormat", WRITTEN, "Kind of file.").when(WRITES),
    text("binaryPropertyName", "Name of the attachment.").called("Input binary field").or_text("data").when(READS),
    text("binaryPropertyName", "Name of the attachment.")
        .called("Put output file in field")
        .or_text("data")
        .when(WRITES),
    collection("options", super::extract::ROWS, "What else to decide.")
        .when(&[is("fileFormat", &["csv"]), is("operation", &["fromFile"])])
        .since(2.0),
    collection("options", super::extract::SHEET, "What else to decide.")
        .when(&[is("fileFormat", &["autodetect", "html", "ods", "xls", "xlsx"]), is("operation", &["fromFile"])])
        .since(2.0),
    collection("options", super::extract::SHEET, "What else to decide.").when(READS).until(1.0),
    collection(
        "options",
        &[
            FILE_NAME,
            HEADER,
            text("delimiter", "What stands between the values of a row.")
                .or_text(",")
                .when(&[is("/fileFormat", &["csv"])]),
            text("sheetName", "Name of the sheet.").or_text("").when(&[is("/fileFormat", &["html", "ods", "xlsx"])]),
        ],
        "What else to decide.",
    )
    .when(WRITES),
];

const READ: &[Choice] = &[
    told("autodetect", "Autodetect", "By what is said of the attachment."),
    choice("csv", "CSV"),
    choice("html", "HTML"),
    choice("ods", "ODS"),
    choice("xls", "XLS"),
    choice("xlsx", "XLSX"),
];
const WRITTEN: &[Choice] =
    &[choice("csv", "CSV"), choice("html", "HTML"), choice("ods", "ODS"), choice("xlsx", "XLSX")];

/// The Spreadsheet File node.
pub(crate) struct SpreadsheetFile;

impl NodeType for SpreadsheetFile {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.spreadsheetFile",
            display_name: "Spreadsheet File",
            description: "Reads rows from a CSV, XLSX, XLS, ODS or HTML file, or writes them. Newer workflows use Extract from File.",
            versions: &[1.0, 2.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Older, "sheet", &["csv", "xlsx", "excel"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for SpreadsheetFile {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        if run.text("operation", 0, "fromFile")? == "toFile" {
            return to_file(run);
        }
        for_each_item(run, from_file)
    }
}

fn from_file(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Vec<Item>, NodeError> {
    let name = run.text("binaryPropertyName", index, "data")?;
    let file = attached(item, index, &name)?;
    let encoding = run.text("options.encoding", index, "utf8")?;
    let format = run.text("fileFormat", index, "autodetect")?;
    let format = if format == "autodetect" { detected(file) } else { format };
    match format.as_str() {
        // Version 1 took what looks like a number for one.
        "csv" if run.version() < 2.0 => {
            let delimiter = run.text("options.delimiter", index, ",")?.chars().next().unwrap_or(',');
            let records = csv::read(&text_of(run, file, &encoding, true)?, delimiter);
            let guessed = |record: Vec<String>| record.iter().map(|cell| sheet::guessed(cell)).collect();
            table(run, records.into_iter().map(guessed).collect(), index)
        }
        "csv" => rows(run, file, &encoding, index),
        "html" => {
            let page = text_of(run, file, &encoding, true)?;
            table(run, sheet::read_html(&page), index)
        }
        _ => sheet_rows(run, file, index),
    }
}

/// The kind of an attachment, from what is said of it.
fn detected(file: &BinaryData) -> String {
    let by_type = match file.mime_type.as_str() {
        "text/csv" => Some("csv"),
        "text/html" => Some("html"),
        _ => None,
    };
    let ending = file.file_extension.clone().or_else(|| file.file_name.as_deref().and_then(kinds::ending_of));
    by_type.map(str::to_owned).or(ending).unwrap_or_default()
}

fn to_file(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    let count = run.items().len();
    if count == 0 {
        return Ok(NodeOutput::single(Vec::new()));
    }
    let made = match run.text("fileFormat", 0, "xls")?.as_str() {
        "csv" => csv_file(run, "spreadsheet.csv"),
        "html" => html_file(run, "spreadsheet.html"),
        "ods" => ods_file(run, "spreadsheet.ods"),
        "xlsx" => xlsx_file(run, "spreadsheet.xlsx"),
        other => Err(NodeError::operation(format!("files of the kind '{other}' are not written here"))
            .described("write CSV, XLSX, ODS or HTML: every spreadsheet program opens them")),
    };
    let made = match made {
        Ok(made) => made,
        Err(error) if run.continues_on_fail() => {
            return Ok(NodeOutput::single(vec![run.failed_item(0, &error)]));
        }
        Err(error) => return Err(error),
    };
    let name = run.text("binaryPropertyName", 0, "data")?;
    let pairs = (0..count).map(PairedItem::index).collect();
    let item = Item {
        binary: Some([(name, made)].into()),
        paired_item: Some(PairedItem::Many(pairs)),
        ..Item::new(JsonObject::new())
    };
    Ok(NodeOutput::single(vec![item]))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Bench, pairs_of};

    fn there_and_back(format: &str, items: Value, version: f64, options: Value) -> Value {
        let write = json!({"operation": "toFile", "fileFormat": format, "options": options});
        let mut writing = Bench::new(&SpreadsheetFile, version, write).input(items);
        let written = writing.run().unwrap();
        let mut reading =
            Bench::new(&SpreadsheetFile, version, json!({"options": options})).input(json!(written.outputs[0]));
        reading.services = writing.services.clone();
        reading.output()
    }

    #[test]
    fn values_keep_their_kind_in_a_spreadsheet() {
        let items = json!([{"n": 1, "x": 2.5, "t": "a & <b>", "b": true}, {"n": 2, "late": "z"}]);
        assert_eq!(there_and_back("xlsx", items.clone(), 2.0, json!({"sheetName": "Mine"})), items);
        assert_eq!(there_and_back("html", items.clone(), 1.0, json!({})), items);
        assert_eq!(there_and_back("ods", items.clone(), 2.0, json!({"sheetName": "Mine & <yours>"})), items);
        let rows = there_and_back("xlsx", items, 2.0, json!({"headerRow": false}));
        assert_eq!(rows, json!([{"row": [1, 2.5, "a & <b>", true]}, {"row": [2, null, null, null, "z"]}]));
    }

    #[test]
    fn version_1_guesses_numbers_in_csv_and_version_2_does_not() {
        let file = json!({"data": "bixzCjEseA==", "mimeType": "text/csv"});
        let read = |version: f64| {
            let items = json!([{"json": {}, "binary": {"data": file}}]);
            Bench::new(&SpreadsheetFile, version, json!({})).input(items).output()
        };
        assert_eq!(read(1.0), json!([{"n": 1, "s": "x"}]));
        assert_eq!(read(2.0), json!([{"n": "1", "s": "x"}]));
    }

    #[test]
    fn ranges_cut_the_table_out() {
        let items = json!([{"a": 1, "b": 2, "c": 3}, {"a": 4, "b": 5, "c": 6}]);
        let write = json!({"operation": "toFile", "fileFormat": "xlsx"});
        let written = Bench::new(&SpreadsheetFile, 2.0, write).input(items).run().unwrap();
        assert_eq!(pairs_of(&written), json!([[{"item": 0}, {"item": 1}]]));
        let read = |range: Value| {
            let parameters = json!({"options": {"range": range, "headerRow": false}});
            Bench::new(&SpreadsheetFile, 2.0, parameters).input(json!(written.outputs[0])).run()
        };
        let rows = |range: Value| crate::testing::json_of(&read(range).unwrap(), 0);
        assert_eq!(rows(json!("B2:C3")), json!([{"row": [2, 3]}, {"row": [5, 6]}]));
        assert_eq!(rows(json!(2)), json!([{"row": [4, 5, 6]}]));
        assert_eq!(read(json!("B2")).unwrap_err().message, "'B2' is not a range of cells");
    }

    #[test]
    fn what_is_no_spreadsheet_is_refused() {
        let file = json!({"data": "aGVsbG8=", "mimeType": "application/octet-stream", "fileExtension": "xlsx"});
        let mut bench =
            Bench::new(&SpreadsheetFile, 2.0, json!({})).input(json!([{"json": {}, "binary": {"data": file}}]));
        assert!(bench.failure().starts_with("the file is not a spreadsheet that can be read"));
        let mut bench =
            Bench::new(&SpreadsheetFile, 2.0, json!({"operation": "toFile", "fileFormat": "rtf"})).input(json!([{}]));
        assert_eq!(bench.failure(), "files of the kind 'rtf' are not written here");
    }
}
