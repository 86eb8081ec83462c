//! Tensors as they are written down: small ones within the event, others as blobs, and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use timeloom_domain::inference::{TensorContent, TensorRecord, hexadecimal};
use timeloom_inference::{Tensor, TensorError};
use timeloom_store::{BlobError, BlobHash, BlobStore};

/// Tensors of up to so many bytes are written into the event itself.
pub const INLINE_BYTES_MAX: usize = 2 << 10;

/// Why what was written down is no tensor.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    /// Only its digest was written down.
    #[error("only the digest of '{0}' was recorded: set the model to record everything to have it next time")]
    Omitted(String),
    /// Its bytes are not there.
    #[error("the bytes of '{name}' are not there: {error}")]
    Missing {
        /// The tensor.
        name: String,
        /// What the store of blobs said.
        #[source]
        error: BlobError,
    },
    /// What is there is something else.
    #[error("what is stored of '{name}' is not what was recorded: {why}")]
    Damaged {
        /// The tensor.
        name: String,
        /// How that shows.
        why: String,
    },
}

/// Writes tensors down; the blobs are durable when it returns.
///
/// # Errors
/// When a blob cannot be written.
pub async fn to_records(tensors: &[(String, Tensor)], blobs: &dyn BlobStore) -> Result<Vec<TensorRecord>, BlobError> {
    let mut records = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let mut record = known(name, tensor);
        if record.content == TensorContent::Omitted {
            record.content = TensorContent::Blob(blobs.put(tensor.data().clone()).await?.attachment_id());
        }
        records.push(record);
    }
    Ok(records)
}

/// A tensor as it is written down where nothing can be stored beside the event: of a large one, only its digest.
pub fn known(name: &str, tensor: &Tensor) -> TensorRecord {
    let is_small = tensor.data().len() <= INLINE_BYTES_MAX;
    TensorRecord {
        name: name.to_owned(),
        element: tensor.element(),
        shape: tensor.shape().iter().map(|length| *length as u64).collect(),
        digest: hexadecimal(&tensor.digest()),
        content: if is_small { TensorContent::Inline(STANDARD.encode(tensor.data())) } else { TensorContent::Omitted },
    }
}

/// Reads a tensor back, and proves by its digest that it is the one that was written down.
///
/// # Errors
/// When it is not there, or another one.
pub async fn read(record: &TensorRecord, blobs: &dyn BlobStore) -> Result<Tensor, NotRead> {
    let name = || record.name.clone();
    let damaged = |why: String| NotRead::Damaged { name: name(), why };
    let data = match &record.content {
        TensorContent::Inline(text) => Bytes::from(STANDARD.decode(text).map_err(|error| damaged(error.to_string()))?),
        TensorContent::Blob(id) => {
            let hash = BlobHash::of_attachment(id).ok_or_else(|| damaged(format!("'{id}' names no blob")))?;
            blobs.get(hash).await.map_err(|error| NotRead::Missing { name: name(), error })?
        }
        TensorContent::Omitted => return Err(NotRead::Omitted(name())),
    };
    let shape = record.shape.iter().map(|length| usize::try_from(*length)).collect::<Result<Vec<_>, _>>();
    let shape = shape.map_err(|_| damaged("a dimension is too large for this machine".to_owned()))?;
    let tensor = Tensor::new(record.element, shape, data).map_err(|error: TensorError| damaged(error.to_string()))?;
    if hexadecimal(&tensor.digest()) == record.digest {
        Ok(tensor)
    } else {
        Err(damaged("its digest is another one".to_owned()))
    }
}
