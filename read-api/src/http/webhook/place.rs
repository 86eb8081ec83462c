//! What calls of webhooks and visits to forms have in common: which addresses they are for, and how an execution begins
//! there.
//!
//! Invariant: nothing begins while this process does not know yet what is active, and a version that was replaced never
//! does, see [`WORKFLOW_NOT_ACTIVE`].

use std::sync::Arc;
use std::time::Duration;

use timeloom_commands::directory::{Listing, Route};
use timeloom_commands::{CommandError, Outcome, StartExecution, WORKFLOW_NOT_ACTIVE};
use timeloom_domain::execution::{ExecutionMode, TriggerFacts};
use timeloom_domain::ids::ExecutionId;
use uuid::Uuid;

use super::refusal::Refusal;
use crate::state::ApiState;

/// How often a request looks again which version is active.
const LOOKS_MAX: usize = 5;
/// How long it waits between two looks for the news to arrive.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Which addresses a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Those of active versions.
    Production,
    /// Those of drafts that listen.
    Test,
}

/// What came of beginning an execution.
pub(super) enum Begun {
    /// It has begun, now or when the same was asked before.
    Started(Outcome<ExecutionId>),
    /// The version is not active any more: there is news to wait for.
    Outdated,
    /// The draft has had the one request that it listened for.
    Taken,
}

impl Place {
    /// Whether what is at an address takes requests at this moment.
    pub(super) fn is_open(self, state: &ApiState, route: &Route) -> bool {
        let now_ms = state.commands().clock().now_ms();
        self == Self::Production || route.listening.is_some_and(|listening| now_ms < listening.until_ms)
    }

    /// An execution that a request with this method starts here; its id and its items are still to be said.
    pub(super) fn start(self, route: &Route, method: &str) -> StartExecution {
        let is_test = self == Self::Test;
        let (method, path) = (method.to_owned(), route.address.path.clone());
        StartExecution {
            mode: if is_test { ExecutionMode::Manual } else { ExecutionMode::Production },
            version: route.version,
            start_node: Some(route.node.name.clone()),
            ..StartExecution::by_trigger(route.workflow.id, TriggerFacts::Webhook { method, path, is_test })
        }
    }

    /// Begins the execution, durably.
    ///
    /// # Errors
    /// What the command was refused for, or a fault.
    pub(super) async fn begin(
        self,
        state: &ApiState,
        command_id: Uuid,
        start: StartExecution,
    ) -> Result<Begun, CommandError> {
        match state.commands().start_execution(&state.context(Some(command_id)), start).await {
            Err(CommandError::Refused(refusal)) if refusal.code == WORKFLOW_NOT_ACTIVE => Ok(Begun::Outdated),
            Err(CommandError::Refused(refusal)) if self == Self::Test && refusal.code == "EXECUTION_EXISTS" => {
                Ok(Begun::Taken)
            }
            other => Ok(Begun::Started(other?)),
        }
    }
}

/// The one execution of a draft that listens: whoever calls, one request begins it.
pub(super) fn test_execution(route: &Route) -> Option<ExecutionId> {
    route.listening.map(|listening| ExecutionId(Uuid::new_v5(&listening.event.0, b"test call")))
}

/// What is active, look by look: a request that met a version that was replaced looks again once there is news.
pub(super) struct Looks<'a> {
    state: &'a ApiState,
    seen: Option<Arc<Listing>>,
    left: usize,
}

impl<'a> Looks<'a> {
    /// # Errors
    /// A refusal while this process does not know yet what is active, or does not any more.
    pub(super) fn new(state: &'a ApiState) -> Result<Self, Refusal> {
        if state.closing().is_cancelled() || !state.commands().directory().is_caught_up() {
            return Err(Refusal::not_ready("the server starts or stops: try again", None));
        }
        Ok(Self { state, seen: None, left: LOOKS_MAX })
    }

    /// What is active now. From the second look on, news are waited for, but not long.
    ///
    /// # Errors
    /// A refusal when it has been looked often enough.
    pub(super) async fn next(&mut self) -> Result<Arc<Listing>, Refusal> {
        let directory = self.state.commands().directory();
        if self.left == 0 {
            return Err(Refusal::not_ready("the workflow is being published or deactivated: try again", None));
        }
        self.left -= 1;
        if let Some(seen) = self.seen.take() {
            let mut changes = directory.changes();
            let changed = changes.wait_for(|now| !Arc::ptr_eq(now, &seen));
            // Without news it is looked again all the same.
            let _ = tokio::time::timeout(LOOK_AGAIN_AFTER, changed).await;
        }
        let listing = directory.now();
        self.seen = Some(Arc::clone(&listing));
        Ok(listing)
    }
}
