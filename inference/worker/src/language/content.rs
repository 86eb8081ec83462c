//! What was said, as it is written down: without the secrets of credentials, small within the event, large beside it.

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use timeloom_commands::Finder;
use timeloom_domain::gateway::ContentRecording;
use timeloom_domain::inference::hexadecimal;
use timeloom_domain::model_call::CallContent;
use timeloom_store::{BlobError, BlobStore};

/// What has up to so many bytes is written into the event itself.
const INLINE_BYTES_MAX: usize = 8 << 10;

/// Something that was said, ready to be written down.
#[derive(Debug, Clone)]
pub(super) enum Said {
    /// As JSON, without secrets.
    Text(String),
    /// Only its digest.
    Digest {
        digest: String,
        bytes: u64,
    },
    Nothing,
}

impl Said {
    /// What is written down of it.
    pub fn new(value: &impl Serialize, recording: ContentRecording, finder: Option<&Finder>) -> Self {
        // Without anything to be hidden it is written at once.
        let text = match (recording, finder) {
            (ContentRecording::Recorded, Some(finder)) => serde_json::to_value(value).map(|mut value| {
                finder.hide_in_value(&mut value);
                value.to_string()
            }),
            _ => serde_json::to_string(value),
        };
        match (text, recording) {
            (Ok(text), ContentRecording::Recorded) => Self::Text(text),
            (Ok(text), ContentRecording::Digests) => Self::Text(text).digest(),
            (Err(_), _) => Self::Nothing,
        }
    }

    /// Only its digest.
    pub fn digest(self) -> Self {
        match self {
            Self::Text(text) => {
                let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
                Self::Digest { digest: hexadecimal(&digest), bytes: text.len() as u64 }
            }
            other => other,
        }
    }

    /// As it is written down; a blob is durable when it returns.
    pub async fn written(self, blobs: &dyn BlobStore) -> Result<CallContent, BlobError> {
        Ok(match self {
            Self::Text(text) if text.len() <= INLINE_BYTES_MAX => CallContent::Inline(text),
            Self::Text(text) => CallContent::Blob(blobs.put(Bytes::from(text)).await?.attachment_id()),
            Self::Digest { digest, bytes } => CallContent::Omitted { digest, bytes },
            Self::Nothing => CallContent::Nothing,
        })
    }
}
