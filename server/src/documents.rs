//! Reading documents in processes of their own: this program, started again with a hidden verb.

use std::sync::Arc;

use timeloom_documents::{DocumentReader, Limits, Program};
use timeloom_engine::node::{DocumentPort, NoDocuments};

/// The verb with which this program is started again to read a document.
pub const READ_VERB: &str = "document-read";

/// What reads documents, where this program knows its own file.
pub fn reader() -> Arc<dyn DocumentPort> {
    match std::env::current_exe() {
        Ok(path) => {
            let program = Program { path, arguments: vec![READ_VERB.to_owned()] };
            Arc::new(DocumentReader { program, limits: Limits::default() })
        }
        Err(error) => {
            tracing::warn!(%error, "this program's own file is not known: PDF files are not read");
            Arc::new(NoDocuments)
        }
    }
}
