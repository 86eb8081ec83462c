//! Tensors as they were written down: small ones are answered, others are downloaded.

use async_graphql::{Context, Enum, Object, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use timeloom_domain::ids::InferenceId;
use timeloom_domain::inference::{TensorContent, TensorRecord};
use timeloom_store::{BlobError, BlobHash};

use crate::schema::budget::PayloadBudget;
use crate::schema::faults::{coded, fault};
use crate::schema::reading::state;

/// Longest tensor that is answered from a blob, in bytes; longer ones are downloaded.
const CONTENT_BYTES_MAX: u64 = 64 << 10;

/// Which tensors of an inference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// What was asked.
    Inputs,
    /// What was answered.
    Outputs,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Outputs => "outputs",
        }
    }
}

/// How much of a tensor was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum TensorKept {
    /// Its bytes, in the event.
    Inline,
    /// Its bytes, beside the log.
    Blob,
    /// Its digest alone.
    DigestOnly,
}

/// A tensor as it was written down.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    inference: InferenceId,
    side: Side,
    record: TensorRecord,
}

impl Tensor {
    /// All of one side of an inference.
    pub(crate) fn all(inference: InferenceId, side: Side, records: Vec<TensorRecord>) -> Vec<Self> {
        records.into_iter().map(|record| Self { inference, side, record }).collect()
    }
}

/// How many bytes a tensor has, where its elements have one length.
fn bytes(record: &TensorRecord) -> Option<u64> {
    let each = record.element.bytes()? as u64;
    record.shape.iter().try_fold(each, |bytes, length| bytes.checked_mul(*length))
}

#[Object(name = "TensorRecord")]
impl Tensor {
    /// Its name in the model's signature.
    async fn name(&self) -> &str {
        &self.record.name
    }

    /// What it is made of, by the names of the Open Inference Protocol: `FP32`, `INT64`, `BYTES` and others.
    async fn element(&self) -> &'static str {
        self.record.element.name()
    }

    /// Its dimensions.
    async fn shape(&self) -> &[u64] {
        &self.record.shape
    }

    /// SHA-256 over its type, shape and bytes, hexadecimal.
    async fn digest(&self) -> &str {
        &self.record.digest
    }

    /// How much of it was written down.
    async fn kept(&self) -> TensorKept {
        match self.record.content {
            TensorContent::Inline(_) => TensorKept::Inline,
            TensorContent::Blob(_) => TensorKept::Blob,
            TensorContent::Omitted => TensorKept::DigestOnly,
        }
    }

    /// Its bytes as base64, up to 64 KiB; absent where there are more, or none were written down.
    #[graphql(complexity = 5)]
    async fn content(&self, context: &Context<'_>) -> Result<Option<String>> {
        match &self.record.content {
            TensorContent::Inline(text) => Ok(Some(text.clone())),
            TensorContent::Omitted => Ok(None),
            TensorContent::Blob(id) => {
                let Some(stored) = state(context)?.stored() else { return Ok(None) };
                if bytes(&self.record).is_none_or(|bytes| bytes > CONTENT_BYTES_MAX) {
                    return Ok(None);
                }
                let hash = BlobHash::of_attachment(id);
                let hash = hash.ok_or_else(|| coded("BLOB_DAMAGED", format!("'{id}' names no blob")))?;
                let content = stored.blobs.get(hash).await.map_err(|error| match error {
                    gone @ BlobError::Missing(_) => coded("BLOB_MISSING", gone.to_string()),
                    damaged @ BlobError::Damaged(_) => coded("BLOB_DAMAGED", damaged.to_string()),
                    other => fault(&other),
                })?;
                PayloadBudget::take(context, content.len())?;
                Ok(Some(STANDARD.encode(content)))
            }
        }
    }

    /// Where its bytes are downloaded, behind the address of the server; absent where none were written down.
    async fn path(&self) -> Option<String> {
        if self.record.content == TensorContent::Omitted {
            return None;
        }
        let name = utf8_percent_encode(&self.record.name, NON_ALPHANUMERIC);
        Some(format!("/tensor/{}?side={}&name={name}", self.inference, self.side.word()))
    }
}
