//! The text of a PDF file, page by page, and what the file says of itself.

use pdf_extract::{Dictionary, Document, Object, PlainTextOutput, output_doc_page};
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{PdfQuestion, PdfText};

/// What the file may say of itself, in the names of the format.
const INFO: [&str; 8] = ["Title", "Author", "Subject", "Keywords", "Creator", "Producer", "CreationDate", "ModDate"];

/// Reads a file.
///
/// # Errors
/// Why it cannot be read, in words for whoever made the workflow.
pub(crate) fn read(content: &[u8], question: &PdfQuestion) -> Result<PdfText, String> {
    let mut document = Document::load_mem(content).map_err(|error| error.to_string())?;
    if document.is_encrypted() {
        let password = question.password.as_deref().unwrap_or_default();
        document.decrypt(password).map_err(|error| match password {
            "" => "it is encrypted: give its password".to_owned(),
            _ => format!("it does not open with this password: {error}"),
        })?;
    }
    let numbers: Vec<u32> = document.get_pages().into_keys().collect();
    let wanted = question.pages_max.unwrap_or(numbers.len());
    let pages = numbers.iter().take(wanted).map(|number| page(&document, *number)).collect::<Result<_, _>>()?;
    Ok(PdfText { version: document.version.clone(), page_count: numbers.len(), info: info(&document), pages })
}

fn page(document: &Document, number: u32) -> Result<String, String> {
    let mut text = String::new();
    output_doc_page(document, &mut PlainTextOutput::new(&mut text), number)
        .map_err(|error| format!("page {number}: {error}"))?;
    Ok(text.trim().to_owned())
}

fn info(document: &Document) -> JsonObject {
    let named = document.trailer.get(b"Info").ok();
    let found: Option<&Dictionary> = match named {
        Some(Object::Reference(id)) => document.get_dictionary(*id).ok(),
        Some(Object::Dictionary(inline)) => Some(inline),
        _ => None,
    };
    let Some(found) = found else { return JsonObject::new() };
    let text = |name: &str| pdf_extract::decode_text_string(found.get(name.as_bytes()).ok()?).ok();
    INFO.iter().filter_map(|name| Some(((*name).to_owned(), text(name)?.into()))).collect()
}
