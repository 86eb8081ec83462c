//! Files as attachments: text in several encodings, and the nodes that make files of items and read them.

mod calendar;
mod convert;
mod csv;
mod event;
mod extract;
pub(crate) mod kinds;
mod ods;
mod rtf;
mod sheet;
mod spreadsheet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use timeloom_domain::catalogue::Choice;
use timeloom_domain::item::{BinaryData, Item};
use timeloom_engine::node::{NodeError, NodeOutput, NodeRun};

use crate::describe::choice;

pub(crate) use convert::ConvertToFile;
pub(crate) use extract::ExtractFromFile;
pub(crate) use spreadsheet::SpreadsheetFile;

/// The encodings that are read and written.
pub(crate) const ENCODINGS: &[Choice] =
    &[choice("utf8", "UTF-8"), choice("utf16le", "UTF-16 LE"), choice("latin1", "Latin 1"), choice("ascii", "ASCII")];

/// The character that marks Unicode text at its beginning.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// An attachment of base64 text.
pub(crate) fn attachment(data: String, mime_type: &str, file_name: String) -> BinaryData {
    BinaryData {
        data,
        mime_type: mime_type.to_owned(),
        file_extension: file_name.rsplit_once('.').map(|(_, extension)| extension.to_owned()),
        file_name: Some(file_name),
        ..BinaryData::default()
    }
}

/// An attachment of these bytes.
///
/// # Errors
/// [`NodeError`] when they cannot be stored.
pub(crate) fn kept(
    run: &NodeRun<'_>,
    content: Vec<u8>,
    mime_type: &str,
    file_name: String,
) -> Result<BinaryData, NodeError> {
    run.binaries().keep_blocking(content, kinds::described(Some(file_name), mime_type))
}

/// The base64 text of an attachment.
///
/// # Errors
/// [`NodeError`] when its bytes cannot be read.
pub(crate) fn base64_of(run: &NodeRun<'_>, attachment: &BinaryData) -> Result<String, NodeError> {
    Ok(STANDARD.encode(run.binaries().read_blocking(attachment)?))
}

/// The text of an attachment.
///
/// # Errors
/// [`NodeError`] when its bytes cannot be read or the encoding is unknown.
pub(crate) fn text_of(
    run: &NodeRun<'_>,
    attachment: &BinaryData,
    encoding: &str,
    strip_mark: bool,
) -> Result<String, NodeError> {
    let bytes = run.binaries().read_blocking(attachment)?;
    let text = match encoding {
        "utf8" | "utf-8" | "ascii" => String::from_utf8_lossy(&bytes).into_owned(),
        "latin1" | "binary" => bytes.iter().map(|byte| char::from(*byte)).collect(),
        "utf16le" => {
            let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        other => return Err(unknown_encoding(other)),
    };
    match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(stripped) if strip_mark => Ok(stripped.to_owned()),
        _ => Ok(text),
    }
}

/// The bytes of a text.
///
/// # Errors
/// [`NodeError`] when the encoding is unknown.
pub(crate) fn bytes_of(text: &str, encoding: &str, add_mark: bool) -> Result<Vec<u8>, NodeError> {
    let marked = if add_mark { format!("{BYTE_ORDER_MARK}{text}") } else { text.to_owned() };
    Ok(match encoding {
        "utf8" | "utf-8" => marked.into_bytes(),
        "ascii" | "latin1" | "binary" => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
        "utf16le" => marked.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        other => return Err(unknown_encoding(other)),
    })
}

fn unknown_encoding(name: &str) -> NodeError {
    NodeError::operation(format!("the encoding '{name}' is not supported here"))
        .described("use utf8, utf16le, latin1 or ascii")
}

/// What `make` makes of each item; one that fails is passed on as such where the node goes on.
///
/// # Errors
/// The first failure, where the node does not go on.
pub(crate) fn for_each_item(
    run: &mut NodeRun<'_>,
    make: impl Fn(&mut NodeRun<'_>, &Item, usize) -> Result<Vec<Item>, NodeError>,
) -> Result<NodeOutput, NodeError> {
    let items = run.items();
    let mut output = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match make(run, item, index) {
            Ok(made) => output.extend(made.into_iter().map(|made| made.paired_with(index))),
            Err(error) if run.continues_on_fail() => output.push(run.failed_item(index, &error)),
            Err(error) => return Err(error.at_item(index)),
        }
    }
    Ok(NodeOutput::single(output))
}

/// The attachment of that name.
pub(crate) fn attached<'i>(item: &'i Item, index: usize, name: &str) -> Result<&'i BinaryData, NodeError> {
    item.binary.as_ref().and_then(|binary| binary.get(name)).ok_or_else(|| {
        NodeError::operation(format!("item {index} has no attachment '{name}'"))
            .described("name the attachment that the node before gives")
    })
}

#[cfg(test)]
mod tests;
