//! What can happen to a flag.

use serde::{Deserialize, Serialize};

use super::{Feature, Rollout};
use crate::event::Event;

/// A fact about one flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FeatureFlagEvent {
    /// From now on the feature is on for these.
    FeatureFlagSet {
        /// The feature.
        feature: Feature,
        /// For whom it is on.
        rollout: Rollout,
    },
    /// It is as it was before it was set last.
    FeatureFlagRolledBack {
        /// For whom it is on.
        rollout: Rollout,
    },
    /// There is no flag any more: the feature is on for everybody.
    FeatureFlagRemoved {},
}

impl Event for FeatureFlagEvent {
    const CATEGORY: &'static str = "feature-flag";
    const TYPES: &'static [(&'static str, u16)] =
        &[("FeatureFlagSet", 1), ("FeatureFlagRolledBack", 1), ("FeatureFlagRemoved", 1)];

    fn event_type(&self) -> &'static str {
        match self {
            Self::FeatureFlagSet { .. } => "FeatureFlagSet",
            Self::FeatureFlagRolledBack { .. } => "FeatureFlagRolledBack",
            Self::FeatureFlagRemoved {} => "FeatureFlagRemoved",
        }
    }
}
