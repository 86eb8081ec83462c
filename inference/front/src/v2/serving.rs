//! What the routes need behind them: who asks, what there is to ask, and who computes it.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use async_trait::async_trait;
use timeloom_domain::inference::Signature;
use timeloom_inference::pool::{Ask, NotComputed, Priority};
use timeloom_inference::{NotTheInputs, Tensor};

use super::error::ProtocolError;
use super::model::{Gathering, IndexEntry, LoadRequest};
use super::statistics::ModelStatistics;

/// What a request is for: who sends it has to be allowed that before its body is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To see what there is.
    See,
    /// To have something computed.
    Ask,
    /// To load or unload.
    Load,
}

/// Serves models to those who ask by the protocol.
#[async_trait]
pub trait Serving: Send + Sync + 'static {
    /// Who asks.
    type Who: Send + Sync;

    /// Tells who sends a request. Nothing else of it is looked at before, and its body is not taken in.
    ///
    /// # Errors
    /// When nobody knows, or whoever it is may not do that.
    fn who(&self, request: &HttpRequest, purpose: Purpose) -> Result<Self::Who, Refusal>;

    /// Whether models can be asked at all now.
    fn is_ready(&self) -> bool;

    /// Describes a version of a model, or the one that the name means now.
    ///
    /// # Errors
    /// When it is not loaded, or not to be seen by who asks.
    async fn describe(&self, who: &Self::Who, model: &str, version: Option<&str>) -> Result<Described, Refusal>;

    /// Computes. During a trial of a version the same `key` is answered by the same one.
    ///
    /// # Errors
    /// When nothing was computed.
    async fn infer(
        &self,
        who: &Self::Who,
        model: &str,
        version: Option<&str>,
        inputs: Vec<(String, Tensor)>,
        ask: Ask,
        key: Option<String>,
    ) -> Result<Computed, Refusal>;

    /// Lists the versions of all models.
    ///
    /// # Errors
    /// When who asks may not see them.
    async fn index(&self, who: &Self::Who) -> Result<Vec<IndexEntry>, Refusal>;

    /// Loads a model.
    ///
    /// # Errors
    /// When it is not loaded.
    async fn load(&self, who: &Self::Who, model: &str, request: LoadRequest) -> Result<(), Refusal>;

    /// Unloads a model.
    ///
    /// # Errors
    /// When it is not unloaded.
    async fn unload(&self, who: &Self::Who, model: &str) -> Result<(), Refusal>;

    /// The numbers of one version, of all of a model, or of all models.
    ///
    /// # Errors
    /// When it is not loaded, or not to be seen by who asks.
    async fn statistics(
        &self,
        who: &Self::Who,
        model: Option<&str>,
        version: Option<&str>,
    ) -> Result<Vec<ModelStatistics>, Refusal>;
}

/// What is known of a model that can be asked.
#[derive(Debug, Clone)]
pub struct Described {
    /// Versions that can be asked.
    pub versions: Vec<String>,
    /// What computes it, as it was seen to be.
    pub platform: String,
    /// What goes in and comes out.
    pub signature: Arc<Signature>,
    /// How its requests are gathered.
    pub gathering: Gathering,
    /// Whether it can compute now.
    pub ready: bool,
}

/// What was computed.
#[derive(Debug, Clone)]
pub struct Computed {
    /// The version that computed.
    pub version: String,
    /// The outputs of that version with their names, in its order.
    pub outputs: Vec<(String, Tensor)>,
}

/// Of which kind a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// What is asked is not sound.
    Invalid,
    /// It is not known who asks.
    Unauthenticated,
    /// Who asks may not.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// It does not go with how things are.
    Conflict,
    /// Too much is asked by who asks.
    Limited,
    /// It could be done later.
    Unavailable,
    /// It took too long.
    Late,
    /// Our failure.
    Fault,
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Of which kind it is.
    pub kind: RefusalKind,
    /// What is told.
    pub message: String,
    /// When to ask again.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal of that kind.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }
}

impl From<ProtocolError> for Refusal {
    fn from(error: ProtocolError) -> Self {
        Self::new(RefusalKind::Invalid, error.to_string())
    }
}

impl From<NotComputed> for Refusal {
    fn from(why: NotComputed) -> Self {
        let kind = match &why {
            NotComputed::Unfit(_) => RefusalKind::Invalid,
            NotComputed::QueueFull { .. } | NotComputed::OutOfMemory => RefusalKind::Unavailable,
            NotComputed::DeadlineMissed | NotComputed::Cancelled => RefusalKind::Late,
            NotComputed::Unloaded => RefusalKind::Unavailable,
            NotComputed::Failed(_) => RefusalKind::Fault,
        };
        let retry_after = if let NotComputed::QueueFull { retry_after } = why { Some(retry_after) } else { None };
        Self { kind, message: why.to_string(), retry_after }
    }
}

impl From<NotTheInputs> for Refusal {
    fn from(why: NotTheInputs) -> Self {
        Self::new(RefusalKind::Invalid, why.to_string())
    }
}

/// How the protocol's priority and time-out are asked of the pool. In the protocol 1 is the highest, and 0 no other than
/// usual; nobody asks for [`Priority::Shadow`], which is for copies of our own.
pub fn ask(priority: Option<u64>, timeout_us: Option<u64>) -> Ask {
    let priority = match priority {
        None | Some(0 | 2) => Priority::Standard,
        Some(1) => Priority::Interactive,
        Some(_) => Priority::Bulk,
    };
    // As in Triton, no time at all is no limit.
    let within = timeout_us.filter(|timeout| *timeout > 0).map(Duration::from_micros);
    Ask { priority, within }
}
