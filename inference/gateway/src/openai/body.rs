//! The body of a request as it came, passed on without being written anew.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use timeloom_domain::chat::ChatRequest;
use timeloom_domain::item::JsonObject;

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
    /// Where the value of `stream_options` is, and the value with the tokens asked for.
    options_at: Option<((usize, usize), String)>,
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
    #[serde(borrow, default, deserialize_with = "as_written")]
    stream_options: Option<&'d RawValue>,
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

/// A value that is there, be it null.
fn as_written<'d, D: Deserializer<'d>>(value: D) -> Result<Option<&'d RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
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
        let place = |value: &RawValue| {
            let begin = value.get().as_ptr() as usize - text.as_ptr() as usize;
            (begin, begin + value.get().len())
        };
        let model_at = place(read.model);
        let options: Option<StreamOptions> = match read.stream_options {
            Some(options) => serde_json::from_str(options.get()).map_err(unreadable)?,
            None => None,
        };
        let options_at = read.stream_options.map(|options| (place(options), with_usage(options.get())));
        let head = Head {
            model,
            stream: read.stream.unwrap_or(false),
            stream_usage: options.and_then(|options| options.include_usage).unwrap_or(false),
            output_tokens_max: read.max_completion_tokens.or(read.max_tokens),
            choices: read.n,
            has_schema: read.response_format.is_some_and(|format| format.kind.as_deref() == Some("json_schema")),
            temperature: read.temperature,
        };
        Ok(Self { bytes, head, model_at, options_at })
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
        let mut quoted = serde_json::Value::from(model).to_string();
        let options = self.options_at.as_ref().filter(|_| ask);
        if ask && options.is_none() {
            quoted.push_str(USAGE_ASKED);
        }
        let mut changes = vec![(self.model_at, quoted.as_str())];
        changes.extend(options.map(|(at, text)| (*at, text.as_str())));
        changes.sort_unstable();
        let longer: usize = changes.iter().map(|(_, text)| text.len()).sum();
        let mut body = BytesMut::with_capacity(self.bytes.len() + longer);
        let mut copied = 0;
        for ((begin, end), text) in changes {
            body.put_slice(self.bytes.get(copied..begin).unwrap_or_default());
            body.put_slice(text.as_bytes());
            copied = end;
        }
        body.put_slice(self.bytes.get(copied..).unwrap_or_default());
        body.freeze()
    }

    /// Whether [`Self::for_model`] asks for the tokens that a stream takes, which its client did not ask for and is not to
    /// see.
    pub fn asks_usage(&self, usage: bool) -> bool {
        usage && self.head.stream && !self.head.stream_usage
    }
}

/// What is put after the model to ask a stream for the tokens that it takes.
const USAGE_ASKED: &str = ",\"stream_options\":{\"include_usage\":true}";

/// What a client said of its stream, with the tokens asked for.
fn with_usage(options: &str) -> String {
    let mut fields: JsonObject = serde_json::from_str(options).unwrap_or_default();
    fields.insert("include_usage".to_owned(), true.into());
    serde_json::Value::Object(fields).to_string()
}
