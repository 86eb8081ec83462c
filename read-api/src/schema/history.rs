//! What every row says about the events that made it.

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};
use timeloom_projections::Provenance;

use super::scalars::PositionScalar;

/// Which events made something what it is.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct History {
    /// Position of its first event.
    pub created_position: PositionScalar,
    /// When that was recorded.
    pub created_at: DateTime<Utc>,
    /// Position of the event that gave it its present form.
    pub updated_position: PositionScalar,
    /// When that was recorded.
    pub updated_at: DateTime<Utc>,
    /// Revision of that event in its stream.
    pub revision: u64,
}

impl From<Provenance> for History {
    fn from(provenance: Provenance) -> Self {
        Self {
            created_position: PositionScalar(provenance.created_position),
            created_at: provenance.created_at,
            updated_position: PositionScalar(provenance.updated_position),
            updated_at: provenance.updated_at,
            revision: provenance.revision.0,
        }
    }
}
