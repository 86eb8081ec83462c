//! What was asked or answered, as far as it was written down.

use async_graphql::{Context, Object, Result};
use timeloom_domain::model_call::CallContent;
use timeloom_store::BlobHash;

use crate::schema::budget::PayloadBudget;
use crate::schema::faults::fault;
use crate::schema::reading::state;

/// What was asked or answered. Secrets of credentials have marks in their place.
#[derive(Debug, Clone)]
pub(crate) struct ModelCallContent(pub CallContent);

#[Object]
impl ModelCallContent {
    /// Whether it was written down, and not only its digest.
    async fn recorded(&self) -> bool {
        matches!(self.0, CallContent::Inline(_) | CallContent::Blob(_))
    }

    /// It, as JSON in a text; absent where it was not written down.
    #[graphql(complexity = 10)]
    async fn text(&self, context: &Context<'_>) -> Result<Option<String>> {
        let text = match &self.0 {
            CallContent::Inline(text) => text.clone(),
            CallContent::Blob(id) => {
                let stored = state(context)?.stored().map(|stored| stored.blobs.clone());
                let (Some(blobs), Some(hash)) = (stored, BlobHash::of_attachment(id)) else { return Ok(None) };
                let bytes = blobs.get(hash).await.map_err(|error| fault(&error))?;
                String::from_utf8(bytes.to_vec()).map_err(|error| fault(&error))?
            }
            CallContent::Omitted { .. } | CallContent::Nothing => return Ok(None),
        };
        PayloadBudget::take(context, text.len())?;
        Ok(Some(text))
    }

    /// SHA-256, hexadecimal, where only that was written down.
    async fn digest(&self) -> Option<&str> {
        if let CallContent::Omitted { digest, .. } = &self.0 { Some(digest) } else { None }
    }

    /// How many bytes it has, where only its digest was written down.
    async fn bytes(&self) -> Option<u64> {
        if let CallContent::Omitted { bytes, .. } = &self.0 { Some(*bytes) } else { None }
    }
}
