//! The body of a request as it came, passed on without being written anew.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;
use timeloom_domain::chat::ChatRequest;

use super::decode_request;
use crate::wire::Misfit;

/// Most bytes of a request's body.
pub const BODY_BYTES_MAX: usize = 32 << 20;

/// A request as its client wrote it. Only what a route needs is read; everything else goes to a provider of the same
/// protocol byte by byte.
#[derive(Debug, Clone)]
pub struct ChatBody {
    bytes: Bytes,
    head: Head,
    /// Where the value of `model` is.
    model_at: (usize, usize),
}

/// What a route needs to know of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The model, or the route to one.
    pub model: String,
    /// Whether the answer is wanted piece by piece.
    pub stream: bool,
    /// Whether a stream is to end with the tokens it took.
    pub stream_usage: bool,
    /// Whether there is anything said of the stream at all.
    has_stream_options: bool,
    /// Most tokens of the answer.
    pub output_tokens_max: Option<u64>,
    /// How many answers are wanted.
    pub choices: Option<u64>,
    /// Whether it wants JSON of a schema.
    pub has_schema: bool,
    /// How freely words are chosen.
    pub temperature: Option<f64>,
}

#[derive(Deserialize)]
struct Read<'d> {
    #[serde(borrow)]
    model: &'d RawValue,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    max_completion_tokens: Option<u64>,
    #[serde(default)]
    n: Option<u64>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    response_format: Option<ResponseFormat>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct ResponseFormat {
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

/// Why a body is no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBody {
    /// It is too large.
    #[error("a body of {found} bytes is too large: {} MiB is the most", BODY_BYTES_MAX >> 20)]
    TooLarge {
        /// How large it is.
        found: usize,
    },
    /// It is not JSON, or not such an object.
    #[error("the body is no request for a chat: {0}")]
    Unreadable(String),
    /// A field is wrong.
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

impl ChatBody {
    /// Reads what a route needs of a request.
    ///
    /// # Errors
    /// [`InvalidBody`]
    pub fn new(bytes: Bytes) -> Result<Self, InvalidBody> {
        if bytes.len() > BODY_BYTES_MAX {
            return Err(InvalidBody::TooLarge { found: bytes.len() });
        }
        let unreadable = |error: serde_json::Error| InvalidBody::Unreadable(error.to_string());
        let text = std::str::from_utf8(&bytes).map_err(|error| InvalidBody::Unreadable(error.to_string()))?;
        let read: Read<'_> = serde_json::from_str(text).map_err(unreadable)?;
        let model: String = serde_json::from_str(read.model.get()).map_err(|_| Misfit::new("model", "a text"))?;
        let begin = read.model.get().as_ptr() as usize - text.as_ptr() as usize;
        let model_at = (begin, begin + read.model.get().len());
        let head = Head {
            model,
            stream: read.stream.unwrap_or(false),
            stream_usage: read.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false),
            has_stream_options: read.stream_options.is_some(),
            output_tokens_max: read.max_completion_tokens.or(read.max_tokens),
            choices: read.n,
            has_schema: read.response_format.is_some_and(|format| format.kind.as_deref() == Some("json_schema")),
            temperature: read.temperature,
        };
        Ok(Self { bytes, head, model_at })
    }

    /// What a route needs to know.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The bytes that came.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The whole request.
    ///
    /// # Errors
    /// [`InvalidBody`]
    pub fn decode(&self) -> Result<ChatRequest, InvalidBody> {
        let value = serde_json::from_slice(&self.bytes).map_err(|error| InvalidBody::Unreadable(error.to_string()))?;
        Ok(decode_request(value)?)
    }

    /// The same body for a provider that calls the model `model`, asked for the tokens that a stream takes if `usage`. Where
    /// nothing is to change, these are the bytes that came.
    pub fn for_model(&self, model: &str, usage: bool) -> Bytes {
        let ask = self.asks_usage(usage);
        if model == self.head.model && !ask {
            return self.bytes.clone();
        }
        let (begin, end) = self.model_at;
        let quoted = serde_json::Value::from(model).to_string();
        let mut body = BytesMut::with_capacity(self.bytes.len() + quoted.len() + USAGE_ASKED.len());
        body.put_slice(self.bytes.get(..begin).unwrap_or_default());
        body.put_slice(quoted.as_bytes());
        if ask {
            body.put_slice(USAGE_ASKED);
        }
        body.put_slice(self.bytes.get(end..).unwrap_or_default());
        body.freeze()
    }

    /// Whether [`Self::for_model`] asks for the tokens that a stream takes, which its client did not ask for and is not to
    /// see.
    pub fn asks_usage(&self, usage: bool) -> bool {
        usage && self.head.stream && !self.head.has_stream_options
    }
}

/// What is put after the model to ask a stream for the tokens that it takes.
const USAGE_ASKED: &[u8] = b",\"stream_options\":{\"include_usage\":true}";
