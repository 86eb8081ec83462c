//! What answers behind the routes.

use actix_web::HttpRequest;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use timeloom_domain::chat::{EmbedAnswer, EmbedRequest};
use timeloom_gateway::CallError;
use timeloom_gateway::limits::Standing;
use timeloom_gateway::openai::ChatBody;
use timeloom_gateway::upstream::Piece;

use super::refusal::Refusal;

/// A request, and what its headers say.
pub struct Asked<T> {
    /// The request.
    pub request: T,
    /// The key under which the same is asked again.
    pub key: Option<String>,
}

/// An answer to a chat, and the call by which it is found.
pub enum Said {
    /// As a whole: the body.
    Whole {
        /// The call.
        call: String,
        /// The body.
        body: Bytes,
    },
    /// Piece by piece; dropping it cancels the call.
    Stream {
        /// The call.
        call: String,
        /// Seconds since 1970 at which it began.
        now_s: i64,
        /// Whether it is to end with the tokens that it took, where these are written anew.
        usage: bool,
        /// The pieces. It ends with the first error.
        pieces: BoxStream<'static, Result<Piece, CallError>>,
    },
}

/// Answers what is asked by the protocol.
#[async_trait]
pub trait Speaking: Send + Sync + 'static {
    /// Who asks.
    type Who: Send + Sync;

    /// Who sent a request, once they may ask language models.
    ///
    /// # Errors
    /// When that is not known, or they may not.
    fn who(&self, request: &HttpRequest) -> Result<Self::Who, Refusal>;

    /// Answers a chat.
    ///
    /// # Errors
    /// When there is no answer.
    async fn chat(&self, who: &Self::Who, asked: Asked<ChatBody>) -> Result<Said, Refusal>;

    /// Gives the vectors of texts, and names the call.
    ///
    /// # Errors
    /// When there are none.
    async fn embed(&self, who: &Self::Who, asked: Asked<EmbedRequest>) -> Result<(String, EmbedAnswer), Refusal>;

    /// What can be named as the model.
    ///
    /// # Errors
    /// When it is not known.
    async fn models(&self, who: &Self::Who) -> Result<Vec<String>, Refusal>;

    /// How much is left of the limits of whoever asks.
    fn standing(&self, who: &Self::Who) -> Vec<Standing>;
}
