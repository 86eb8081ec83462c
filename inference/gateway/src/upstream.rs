//! The seam between a route and what answers: a provider over HTTP, or a model on this machine.

use std::sync::OnceLock;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::chat::{ChatAnswer, ChatRequest, Delta, EmbedAnswer, EmbedRequest};

use crate::error::CallError;
use crate::openai::{self, ChatBody, LeftOut};

/// Most bytes of a body whose tokens are guessed from its length alone.
const SMALL_BODY_BYTES_MAX: usize = 16 << 10;

/// What answers. Dropping a future or a stream of it cancels the call.
pub trait Upstream: Send + Sync {
    /// Answers a chat as a whole.
    fn chat<'a>(&'a self, prompt: &'a Prompt, model: &'a str) -> BoxFuture<'a, Result<Answered, CallError>>;

    /// Answers a chat piece by piece. The future is ready when the first piece with content is there.
    fn stream<'a>(&'a self, prompt: &'a Prompt, model: &'a str) -> BoxFuture<'a, Result<Streamed, CallError>>;

    /// Embeds texts.
    fn embed<'a>(&'a self, request: &'a EmbedRequest, model: &'a str) -> BoxFuture<'a, Result<Embedded, CallError>>;
}

/// What is asked: in our words, or as a client of OpenAI's protocol wrote it.
#[derive(Debug)]
pub struct Prompt {
    body: Option<ChatBody>,
    words: OnceLock<Result<ChatRequest, CallError>>,
}

impl Prompt {
    /// A request in our words.
    pub fn words(request: ChatRequest) -> Self {
        Self { body: None, words: OnceLock::from(Ok(request)) }
    }

    /// A request as its client wrote it. It is taken apart only where that is needed.
    pub fn body(body: ChatBody) -> Self {
        Self { body: Some(body), words: OnceLock::new() }
    }

    /// The bytes of the client, if it came so.
    pub fn as_body(&self) -> Option<&ChatBody> {
        self.body.as_ref()
    }

    /// The request in our words.
    ///
    /// # Errors
    /// [`CallError`] of the class of bad requests.
    pub fn as_words(&self) -> Result<&ChatRequest, CallError> {
        let words = self.words.get_or_init(|| match &self.body {
            Some(body) => body.decode().map_err(|error| CallError::new(ErrorClass::BadRequest, error.to_string())),
            None => Ok(ChatRequest::default()),
        });
        words.as_ref().map_err(Clone::clone)
    }

    /// The model, or the route to one.
    pub fn model(&self) -> &str {
        match &self.body {
            Some(body) => &body.head().model,
            None => self.as_words().map_or("", |request| &request.model),
        }
    }

    /// Whether the answer is wanted piece by piece.
    pub fn is_stream(&self) -> bool {
        match &self.body {
            Some(body) => body.head().stream,
            None => self.as_words().is_ok_and(|request| request.stream),
        }
    }

    /// Whether the same request gets the same answer, as far as the request decides it.
    pub fn is_deterministic(&self) -> bool {
        match &self.body {
            Some(body) => {
                let head = body.head();
                head.temperature == Some(0.0) && head.choices.is_none_or(|choices| choices <= 1)
            }
            None => self.as_words().is_ok_and(ChatRequest::is_deterministic),
        }
    }

    /// Bytes from which the tokens are guessed that the model reads.
    pub fn text_bytes(&self) -> u64 {
        match &self.body {
            // A small body holds little beside its texts; a large one may hold pictures.
            Some(body) if body.bytes().len() <= SMALL_BODY_BYTES_MAX => body.bytes().len() as u64,
            Some(body) => self.as_words().map_or(body.bytes().len() as u64, ChatRequest::text_bytes),
            None => self.as_words().map_or(0, ChatRequest::text_bytes),
        }
    }

    /// Most tokens that the model may write, all its answers together, if it was said.
    pub fn output_tokens_max(&self) -> Option<u64> {
        let (each, choices) = match &self.body {
            Some(body) => (body.head().output_tokens_max, body.head().choices),
            None => {
                let request = self.as_words().ok()?;
                (request.sampling.output_tokens_max, request.sampling.choices)
            }
        };
        Some(each?.saturating_mul(choices.unwrap_or(1).max(1)))
    }

    /// Whether it wants JSON of a schema.
    pub fn has_schema(&self) -> bool {
        match &self.body {
            Some(body) => body.head().has_schema,
            None => self
                .as_words()
                .is_ok_and(|request| matches!(request.format, Some(timeloom_domain::chat::Format::Schema { .. }))),
        }
    }
}

/// What a call tells beside its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallNotes {
    /// The provider's name for the request.
    pub request_id: Option<String>,
    /// What was asked and the protocol has no word for.
    pub left_out: LeftOut,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The answer.
    pub answer: ChatAnswer,
    /// The bytes that it came in, where client and provider speak OpenAI's protocol.
    pub raw: Option<Bytes>,
    /// What there is to tell beside it.
    pub notes: CallNotes,
}

impl Answered {
    /// The body for a client of OpenAI's protocol: the bytes that came, or the answer written anew. Answers without a name
    /// or a time get `id` and `now_s`, seconds since 1970.
    pub fn openai_body(&self, id: &str, now_s: i64) -> Bytes {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let mut value = openai::encode_answer(&self.answer);
        if self.answer.id.is_empty() {
            value["id"] = id.into();
        }
        if self.answer.created_s.is_none() {
            value["created"] = now_s.into();
        }
        value.to_string().into()
    }
}

/// An answer that comes piece by piece.
pub struct Streamed {
    /// The pieces. It ends with the first error.
    pub pieces: BoxStream<'static, Result<Piece, CallError>>,
    /// What there is to tell beside it.
    pub notes: CallNotes,
}

impl std::fmt::Debug for Streamed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Streamed").field("notes", &self.notes).finish_non_exhaustive()
    }
}

/// What came of a stream at a time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Piece {
    /// What it says.
    pub deltas: Vec<Delta>,
    /// The bytes that it came in, where client and provider speak OpenAI's protocol.
    pub raw: Option<Bytes>,
}

/// Vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// The vectors.
    pub answer: EmbedAnswer,
    /// What there is to tell beside them.
    pub notes: CallNotes,
}
