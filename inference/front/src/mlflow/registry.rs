//! What is behind the routes.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::HttpRequest;
use async_trait::async_trait;
use timeloom_domain::model::{Model, ModelVersion};

use super::refusal::Refusal;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To see models.
    See,
    /// To change which version answers under which name.
    Change,
}

/// A change of which version answers under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Let an alias name a version.
    SetAlias {
        /// The alias.
        alias: String,
        /// The version.
        version: u32,
    },
    /// Let an alias name nothing.
    RemoveAlias {
        /// The alias.
        alias: String,
    },
    /// Let a version answer requests that name none.
    Promote {
        /// The version.
        version: u32,
    },
}

/// A model.
#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    /// Its name.
    pub name: String,
    /// What it is now.
    pub model: Arc<Model>,
    /// When it was registered, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it last changed, in milliseconds since 1970.
    pub updated_ms: i64,
    /// When its versions were added, in milliseconds since 1970.
    pub added_ms: BTreeMap<u32, i64>,
}

impl Registered {
    /// When a version was added, in milliseconds since 1970.
    pub(super) fn added_ms(&self, version: &ModelVersion) -> i64 {
        self.added_ms.get(&version.version).copied().unwrap_or(self.created_ms)
    }
}

/// Knows the models.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Who asks.
    type Who: Send + Sync;

    /// Who sent a request, once they may do what it is for.
    ///
    /// # Errors
    /// When that is not known, or they may not.
    fn who(&self, request: &HttpRequest, purpose: Purpose) -> Result<Self::Who, Refusal>;

    /// All models that were not put away, in the order of their names.
    ///
    /// # Errors
    /// When they are not known.
    async fn models(&self, who: &Self::Who) -> Result<Vec<Registered>, Refusal>;

    /// One model that was not put away.
    ///
    /// # Errors
    /// When there is none.
    async fn model(&self, who: &Self::Who, name: &str) -> Result<Registered, Refusal>;

    /// Changes a model. Whoever looks afterwards sees it.
    ///
    /// # Errors
    /// When it is refused, or fails.
    async fn change(&self, who: &Self::Who, name: &str, change: Change) -> Result<(), Refusal>;
}
