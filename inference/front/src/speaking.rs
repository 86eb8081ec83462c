//! What answers behind the routes at which language models are asked, whatever protocol they speak.

use actix_web::HttpRequest;
use async_trait::async_trait;
use futures::stream::BoxStream;
use timeloom_domain::chat::{EmbedAnswer, EmbedRequest};
use timeloom_gateway::CallError;
use timeloom_gateway::limits::Standing;
use timeloom_gateway::upstream::{Answered, Piece, Prompt};

use crate::refused::Refused;

/// A request, and what its headers say.
pub struct Asked<T> {
    /// The request.
    pub request: T,
    /// The key under which the same is asked again.
    pub key: Option<String>,
}

/// An answer to a chat, and the call by which it is found.
pub enum Said {
    /// As a whole.
    Whole {
        /// The call.
        call: String,
        /// The answer.
        answered: Box<Answered>,
    },
    /// Piece by piece; dropping it cancels the call.
    Stream {
        /// The call.
        call: String,
        /// The pieces. It ends with the first error.
        pieces: BoxStream<'static, Result<Piece, CallError>>,
    },
}

/// What can be named as the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its name.
    pub name: String,
    /// What it can be asked for.
    pub skill: Skill,
    /// SHA-256 of its file, hexadecimal, where it is a model of this machine.
    pub digest: Option<String>,
    /// Length of its files in bytes, where it is a model of this machine.
    pub bytes: Option<u64>,
    /// Whether it is in memory here.
    pub loaded: bool,
}

/// What a model can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skill {
    /// Whatever its providers can: it is a route to models elsewhere.
    Any,
    /// To go on with chats.
    Chat,
    /// To make vectors of texts.
    Embedding,
}

/// Answers what is asked.
#[async_trait]
pub trait Speaking: Send + Sync + 'static {
    /// Who asks.
    type Who: Send + Sync;

    /// Who sent a request, once they may ask language models.
    ///
    /// # Errors
    /// When that is not known, or they may not.
    fn who(&self, request: &HttpRequest) -> Result<Self::Who, Refused>;

    /// Answers a chat.
    ///
    /// # Errors
    /// When there is no answer.
    async fn chat(&self, who: &Self::Who, asked: Asked<Prompt>) -> Result<Said, Refused>;

    /// Gives the vectors of texts, and names the call.
    ///
    /// # Errors
    /// When there are none.
    async fn embed(&self, who: &Self::Who, asked: Asked<EmbedRequest>) -> Result<(String, EmbedAnswer), Refused>;

    /// What can be named as the model, in the order of their names.
    ///
    /// # Errors
    /// When it is not known.
    async fn models(&self, who: &Self::Who) -> Result<Vec<Offered>, Refused>;

    /// How much is left of the limits of whoever asks.
    fn standing(&self, who: &Self::Who) -> Vec<Standing>;

    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;
}

/// The model of that name.
///
/// # Errors
/// When there is none, in words that say where those are listed that there are.
pub(crate) async fn model_of<S: Speaking>(
    speaking: &S,
    who: &S::Who,
    name: &str,
    listed_at: &str,
) -> Result<Offered, Refused> {
    let all = speaking.models(who).await?;
    let found = all.into_iter().find(|model| model.name == name);
    found.ok_or_else(|| {
        let name: String = name.chars().take(200).collect();
        Refused::not_found(&format!("there is no route '{name}': {listed_at} lists those that there are"))
    })
}
