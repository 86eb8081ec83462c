//! What is written down of those who look at the audit trail by this protocol: the first look of each at each part of it, and
//! one again after a while. Whoever polls would else fill the log with looks, and wait for an end that never comes.
//!
//! Invariant: a look that could not be written down is not answered.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use timeloom_commands::CommandContext;
use timeloom_domain::access::Principal;
use timeloom_domain::audit::AuditEvent;
use timeloom_domain::ids::CommandId;
use timeloom_store::RequestFacts;
use tokio::time::Instant;
use tonic::Status;

use crate::front::Front;

/// What is read, as the audit trail calls it.
const WHAT: &str = "events";
/// How long a look counts as written down.
const COUNTS_FOR: Duration = Duration::from_secs(600);
/// Looks that are remembered.
const REMEMBERED_MAX: usize = 10_000;

/// Who looked at what, and when that was written down.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<HashMap<(String, String), Instant>>);

impl Looks {
    fn count(&self, look: &(String, String)) -> bool {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.get(look).is_some_and(|at| at.elapsed() < COUNTS_FOR)
    }

    fn remember(&self, look: (String, String)) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= REMEMBERED_MAX {
            looks.retain(|_, at| at.elapsed() < COUNTS_FOR);
        }
        if looks.len() >= REMEMBERED_MAX {
            looks.clear();
        }
        looks.insert(look, Instant::now());
    }
}

impl Front {
    /// Writes down that somebody reads `which` of the events, where that is due.
    pub(crate) async fn look(&self, principal: &Principal, which: String) -> Result<(), Status> {
        let who =
            format!("{}/{}/{}", principal.tenant.0, principal.actor, principal.via.as_deref().unwrap_or_default());
        let look = (who, which);
        if self.inner.looks.count(&look) {
            return Ok(());
        }
        let facts = RequestFacts {
            on_behalf_of: principal.on_behalf_of.clone(),
            via: principal.via.as_deref().map(str::to_owned),
            ..RequestFacts::default()
        };
        let command_id = CommandId(self.inner.parts.ids.uuid());
        let context = CommandContext {
            permissions: principal.permissions,
            request: (facts != RequestFacts::default()).then(|| facts.into()),
            ..CommandContext::trusted(principal.tenant, principal.actor.clone(), command_id)
        };
        let event =
            AuditEvent::AuditTrailRead { what: WHAT.to_owned(), which: Some(format!("eventstoredb: {}", look.1)) };
        if let Err(error) = self.inner.parts.access.write_down(&context, event).await {
            tracing::error!(%error, "that somebody looked could not be written down, so nothing is answered");
            return Err(Status::unavailable(
                "who looks at this is written down first, which could not be done: try again",
            ));
        }
        self.inner.looks.remember(look);
        Ok(())
    }
}
