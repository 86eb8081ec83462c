//! The port: the GraphQL API as one caller sees it.

use async_trait::async_trait;
use serde_json::Value;

/// One question to the API.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The document: one of those that this crate has.
    pub document: &'static str,
    /// Its variables, an object.
    pub variables: Value,
    /// By which a change is known when it is sent again: 1 to 255 visible ASCII characters.
    pub key: Option<String>,
}

/// There is no answer. The message is told to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// Whoever answers GraphQL, for one caller.
#[async_trait]
pub trait Api: Send + Sync {
    /// The whole answer: an object with `data`, `errors` or both.
    ///
    /// # Errors
    /// [`Unreachable`] when there is none.
    async fn ask(&self, question: Question) -> Result<Value, Unreachable>;
}
