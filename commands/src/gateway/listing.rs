//! All set-ups of gateways at a glance.
//!
//! A set-up with an event that this build does not know is not known from then on: nothing is asked by it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use timeloom_domain::credential::CredentialEvent;
use timeloom_domain::event::{Aggregate as _, Event as _};
use timeloom_domain::gateway::{GatewayConfiguration, GatewayEvent};
use timeloom_domain::ids::TenantId;
use timeloom_store::{Position, RecordedEvent, codec};

use crate::live::Listing;

/// All set-ups, as they are at [`Self::position`].
#[derive(Debug, Clone, Default)]
pub struct GatewayListing {
    configurations: BTreeMap<TenantId, Arc<GatewayConfiguration>>,
    unknown: BTreeSet<TenantId>,
    /// Where something of a tenant's credentials was changed last.
    credentials: BTreeMap<TenantId, Position>,
    position: Position,
    is_caught_up: bool,
}

impl GatewayListing {
    /// A tenant's set-up; `None` where there is none, or this build does not know what it has become.
    pub fn configuration(&self, tenant: TenantId) -> Option<&Arc<GatewayConfiguration>> {
        self.configurations.get(&tenant)
    }

    /// Where something of a tenant's credentials was changed last: until then, what was read of them holds.
    pub fn credentials_changed(&self, tenant: TenantId) -> Position {
        self.credentials.get(&tenant).copied().unwrap_or_default()
    }
}

impl Listing for GatewayListing {
    const NAME: &'static str = "gateways";

    fn categories() -> Vec<Arc<str>> {
        vec![GatewayEvent::CATEGORY.into(), CredentialEvent::CATEGORY.into()]
    }

    fn position(&self) -> Position {
        self.position
    }

    fn is_caught_up(&self) -> bool {
        self.is_caught_up
    }

    fn apply(&mut self, recorded: &RecordedEvent) {
        self.passed(recorded.position);
        let tenant = recorded.stream.tenant;
        if &*recorded.stream.category == CredentialEvent::CATEGORY {
            self.credentials.insert(tenant, recorded.position);
            return;
        }
        if self.unknown.contains(&tenant) {
            return;
        }
        match codec::decode::<GatewayEvent>(recorded) {
            Ok(event) => Arc::make_mut(self.configurations.entry(tenant).or_default()).apply(&event),
            Err(error) => {
                tracing::error!(tenant = tenant.0, %error, "the set-up of a gateway is not known: nothing is asked by it");
                self.configurations.remove(&tenant);
                self.unknown.insert(tenant);
            }
        }
    }

    fn passed(&mut self, position: Position) {
        self.position = self.position.max(position);
    }

    fn caught_up_at(&mut self, position: Position) {
        self.passed(position);
        self.is_caught_up = true;
    }
}
