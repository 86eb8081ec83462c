//! What the gateway is asked, and what it answers.

use std::sync::Arc;

use timeloom_domain::chat::EmbedRequest;
use timeloom_domain::chat::ErrorClass;

use super::stream::ReplyStream;
use crate::cache::CacheUse;
use crate::error::CallError;
use crate::facts::Sink;
use crate::limits::{Holder, LimitReached};
use crate::route::RouteError;
use crate::schema::InvalidSchema;
use crate::upstream::{Answered, Prompt};

/// A chat for which an answer is wanted.
pub struct Ask {
    /// The caller's name for the call.
    pub call_id: String,
    /// What is asked.
    pub prompt: Prompt,
    /// By which route; that which the prompt names as its model if nothing is said.
    pub route: Option<String>,
    /// For whom.
    pub holders: Vec<Holder>,
    /// Decides splits: the same key, the same target.
    pub key: Option<String>,
    /// Whether the answer is kept, if not as the route says.
    pub cache: Option<CacheUse>,
    /// Takes what is told of the call.
    pub sink: Arc<dyn Sink>,
}

/// Texts for which vectors are wanted.
pub struct AskEmbed {
    /// The caller's name for the call.
    pub call_id: String,
    /// The texts, and by which route.
    pub request: EmbedRequest,
    /// For whom.
    pub holders: Vec<Holder>,
    /// Decides splits: the same key, the same target.
    pub key: Option<String>,
    /// Whether the vectors are kept, if not as the route says.
    pub cache: Option<CacheUse>,
    /// Takes what is told of the call.
    pub sink: Arc<dyn Sink>,
}

/// An answer.
#[derive(Debug)]
pub enum Reply {
    /// As a whole.
    Whole(Box<Answered>),
    /// Piece by piece.
    Stream(ReplyStream),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// There is no such route.
    #[error("there is no route '{0}': name one of those that there are as the model")]
    NoRoute(String),
    /// The request is wrong.
    #[error(transparent)]
    Invalid(CallError),
    /// The schema is refused.
    #[error(transparent)]
    Schema(#[from] InvalidSchema),
    /// A limit holds it back.
    #[error(transparent)]
    Limit(#[from] LimitReached),
    /// No target answered.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The model's answer does not fit the schema, and did not the second time if it was asked again.
    #[error("the model's answer does not fit the schema: {}", violations.join("; "))]
    Violated {
        /// In which ways.
        violations: Vec<String>,
    },
}

impl GatewayError {
    /// What kind of failure it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NoRoute(_) => ErrorClass::NotFound,
            Self::Invalid(error) | Self::Route(RouteError::Failed { error, .. }) => error.class,
            Self::Schema(_) | Self::Limit(LimitReached::TooMuch { .. } | LimitReached::NoPrice { .. }) => {
                ErrorClass::BadRequest
            }
            Self::Limit(_) => ErrorClass::RateLimited,
            Self::Route(RouteError::NoneLeft { .. }) => ErrorClass::Overloaded,
            Self::Violated { .. } => ErrorClass::Garbage,
        }
    }

    /// After how many milliseconds it is worth asking again, if it is known.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Limit(reached) => reached.retry_after_ms(),
            Self::Route(RouteError::Failed { error, .. }) => error.retry_after_ms,
            Self::Route(RouteError::NoneLeft { retry_after_ms }) => Some(*retry_after_ms),
            Self::NoRoute(_) | Self::Invalid(_) | Self::Schema(_) | Self::Violated { .. } => None,
        }
    }

    /// The status of HTTP that says it to a caller. That a provider does not let us in is not the caller's fault.
    pub fn status(&self) -> u16 {
        match self.class() {
            ErrorClass::BadRequest | ErrorClass::Unsupported | ErrorClass::ContentFiltered | ErrorClass::TooLong => 400,
            ErrorClass::NotFound if matches!(self, Self::NoRoute(_)) => 404,
            ErrorClass::RateLimited => 429,
            ErrorClass::Overloaded => 503,
            ErrorClass::Timeout => 504,
            ErrorClass::NotFound
            | ErrorClass::Unauthorized
            | ErrorClass::OutOfCredit
            | ErrorClass::Unreachable
            | ErrorClass::Server
            | ErrorClass::Garbage => 502,
        }
    }
}
