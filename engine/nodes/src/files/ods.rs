//! Spreadsheets of OpenDocument, written: one sheet in the least that the format asks for.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use serde_json::Value;
use timeloom_engine::node::NodeError;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

use super::sheet::{SHEET_NAME, escaped};
use crate::conversion::as_text;

const MEDIA_TYPE: &str = "application/vnd.oasis.opendocument.spreadsheet";

/// A workbook with one sheet of these rows. The same rows are the same file.
///
/// # Errors
/// [`NodeError`] when it cannot be packed.
pub(super) fn write(rows: &[Vec<Value>], sheet: &str) -> Result<Vec<u8>, NodeError> {
    let refused = |error: String| NodeError::operation(format!("the spreadsheet cannot be written: {error}"));
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().last_modified_time(DateTime::default());
    // The type comes first and as it is, so that programs can tell it by the bytes of the file.
    let parts = [
        ("mimetype", MEDIA_TYPE.to_owned(), CompressionMethod::Stored),
        ("META-INF/manifest.xml", manifest(), CompressionMethod::Deflated),
        ("content.xml", content(rows, sheet), CompressionMethod::Deflated),
    ];
    for (name, text, method) in parts {
        archive.start_file(name, options.compression_method(method)).map_err(|error| refused(error.to_string()))?;
        archive.write_all(text.as_bytes()).map_err(|error| refused(error.to_string()))?;
    }
    Ok(archive.finish().map_err(|error| refused(error.to_string()))?.into_inner())
}

fn manifest() -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <manifest:manifest xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\" manifest:version=\"1.3\">\
         <manifest:file-entry manifest:full-path=\"/\" manifest:version=\"1.3\" manifest:media-type=\"{MEDIA_TYPE}\"/>\
         <manifest:file-entry manifest:full-path=\"content.xml\" manifest:media-type=\"text/xml\"/>\
         </manifest:manifest>"
    )
}

fn content(rows: &[Vec<Value>], sheet: &str) -> String {
    let name = attribute(if sheet.is_empty() { SHEET_NAME } else { sheet });
    let mut content = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <office:document-content xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" \
         xmlns:table=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\" \
         xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\" office:version=\"1.3\">\
         <office:body><office:spreadsheet><table:table table:name=\"{name}\">"
    );
    for row in rows {
        content.push_str("<table:table-row>");
        row.iter().for_each(|value| cell(&mut content, value));
        content.push_str("</table:table-row>");
    }
    content.push_str("</table:table></office:spreadsheet></office:body></office:document-content>");
    content
}

fn cell(content: &mut String, value: &Value) {
    let kind = match value {
        Value::Null => {
            content.push_str("<table:table-cell/>");
            return;
        }
        Value::Bool(truth) => format!("boolean\" office:boolean-value=\"{truth}"),
        Value::Number(number) => format!("float\" office:value=\"{number}"),
        _ => "string".to_owned(),
    };
    let text = allowed(&as_text(value));
    // Writing to a text cannot fail.
    let _ = write!(content, "<table:table-cell office:value-type=\"{kind}\">");
    for paragraph in text.split('\n') {
        let _ = write!(content, "<text:p>{}</text:p>", escaped(paragraph));
    }
    content.push_str("</table:table-cell>");
}

fn attribute(text: &str) -> String {
    escaped(&allowed(text).replace('\n', " "))
}

/// What XML can hold.
fn allowed(text: &str) -> String {
    text.chars().filter(|character| !character.is_control() || matches!(character, '\t' | '\n')).collect()
}
