//! Which node types a tenant has.

use std::fmt;

use timeloom_commands::{FlagListing, Live};
use timeloom_domain::feature_flag::Feature;
use timeloom_domain::ids::TenantId;

/// Tells which node types a tenant has at this moment.
pub trait FeaturePort: fmt::Debug + Send + Sync {
    /// Whether nodes of a type are run for a tenant.
    fn has_node(&self, tenant: TenantId, node_type: &str) -> bool;
}

/// Everybody has everything.
#[derive(Debug, Clone, Copy)]
pub struct AllFeatures;

impl FeaturePort for AllFeatures {
    fn has_node(&self, _tenant: TenantId, _node_type: &str) -> bool {
        true
    }
}

/// As the flags in the log say.
impl FeaturePort for Live<FlagListing> {
    fn has_node(&self, tenant: TenantId, node_type: &str) -> bool {
        let flags = self.now();
        // Nobody makes a name for a question that has one answer.
        flags.is_empty() || flags.is_on(&Feature::node(node_type), tenant)
    }
}
