//! The FeatureFlag aggregate: for which tenants a feature is on, and how that was before.
//!
//! One stream a feature, in the first tenant, which runs the installation. A feature of which nothing is written is on for
//! everybody: a flag holds it back, or brings it to more and more tenants.

mod event;
mod feature;
mod state;

pub use event::FeatureFlagEvent;
pub use feature::{Feature, InvalidFeature};
pub use state::{FeatureFlag, FeatureFlagCommand, FeatureFlagRefusal, Rollout};

/// Most tenants that a flag names on each side.
pub const NAMED_TENANTS_MAX: usize = 1_000;
/// Most earlier roll-outs of a flag that can be gone back to.
pub const EARLIER_MAX: usize = 20;
/// Most flags of one log.
pub const FLAGS_MAX: usize = 1_000;
