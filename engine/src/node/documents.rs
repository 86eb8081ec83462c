//! Documents that are read by other means than the nodes' own.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};
use timeloom_domain::item::JsonObject;

use super::NodeError;

/// What is asked of a PDF file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PdfQuestion {
    /// The password that opens it, where it has one.
    pub password: Option<String>,
    /// Most pages that are read; all where it is absent.
    pub pages_max: Option<usize>,
}

/// What is in a PDF file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PdfText {
    /// The version of the format.
    pub version: String,
    /// How many pages it has.
    pub page_count: usize,
    /// What it says of itself: `Title`, `Author`, `CreationDate` …
    pub info: JsonObject,
    /// The text of each page that was read.
    pub pages: Vec<String>,
}

/// Reads documents. The calls block.
pub trait DocumentPort: Debug + Send + Sync {
    /// Reads a PDF file.
    ///
    /// # Errors
    /// [`NodeError`] when it cannot be read, saying why.
    fn pdf(&self, content: &[u8], question: &PdfQuestion) -> Result<PdfText, NodeError>;
}

/// Reads none: what runs without a program that could be started again.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDocuments;

impl DocumentPort for NoDocuments {
    fn pdf(&self, _: &[u8], _: &PdfQuestion) -> Result<PdfText, NodeError> {
        Err(NodeError::operation("PDF files are not read here"))
    }
}
