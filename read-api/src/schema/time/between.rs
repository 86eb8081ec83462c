//! What was changed between two executions of a workflow: what a search for the change that did it goes through.

use async_graphql::{Context, Enum, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_domain::access::Permission;
use timeloom_history::{self as history, Between, ChangeBetween, PluginChange, changes_between};
use uuid::Uuid;

use super::stream;
use crate::schema::event::Actor;
use crate::schema::permitted::check;
use crate::schema::reading::{not_there, state};
use crate::schema::scalars::PositionScalar;

/// What a change is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "timeloom_history::ChangedKind")]
pub(crate) enum ChangedKind {
    /// The workflow's definition.
    Workflow,
    /// A model: which version answers, or how.
    Model,
    /// A plugin.
    Plugin,
}

/// What was changed between two executions of a workflow.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ChangesBetween {
    /// The workflow that both ran.
    pub workflow_id: Uuid,
    /// The revision of the workflow whose draft is what the earlier one ran.
    pub from_revision: u64,
    /// The revision of the workflow whose draft is what the later one ran.
    pub to_revision: u64,
    /// The changes, in the order of the log, at most ten thousand. Those of models and plugins are for whoever may read the
    /// registry.
    pub changes: Vec<ChangeOfBetween>,
}

/// One change between two executions.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "ChangeBetween")]
pub(crate) struct ChangeOfBetween {
    /// Of what.
    pub kind: ChangedKind,
    /// Kind of aggregate that was changed.
    pub category: String,
    /// Its id.
    pub stream_id: String,
    /// Place of the change in the log.
    pub position: PositionScalar,
    /// Its place among the events of what was changed.
    pub revision: u64,
    /// When.
    pub recorded_at: DateTime<Utc>,
    /// By whom.
    pub actor: Actor,
    /// Name of the event's type.
    #[graphql(name = "type")]
    pub event_type: String,
    /// What is other, in a few words.
    pub what: String,
    /// Of a plugin: the version that workflows could use before; null where that was none.
    pub from_version: Option<String>,
    /// Of a plugin: the version that workflows can use after it; null where that is none.
    pub to_version: Option<String>,
    /// Of a plugin: its node types that a definition between the two executions has switched on, at most a hundred. A node type
    /// is a plugin's whose name comes before its last dot. Whether this build runs it says the catalogue of nodes.
    pub node_types: Vec<String>,
}

impl From<ChangeBetween> for ChangeOfBetween {
    fn from(change: ChangeBetween) -> Self {
        let PluginChange { from, to, node_types } = change.plugin.unwrap_or_default();
        Self {
            kind: change.kind.into(),
            category: change.stream.category.to_string(),
            stream_id: change.stream.id.to_string(),
            position: PositionScalar(change.position),
            revision: change.revision.0,
            recorded_at: change.recorded_at,
            actor: Actor::from(&change.actor),
            event_type: change.event_type.to_string(),
            what: change.what,
            from_version: from,
            to_version: to,
            node_types,
        }
    }
}

/// Finds them.
pub(super) async fn between(context: &Context<'_>, earlier: Uuid, later: Uuid) -> Result<ChangesBetween> {
    let state = state(context)?;
    check(state, Permission::WorkflowRead)?;
    let _turn = state.turn_to_fold().await;
    let (earlier, later) = (stream(state, earlier), stream(state, later));
    let found = changes_between(state.past(), &earlier, &later).await.map_err(|error| not_there(&error))?;
    let Between { workflow, from, to, changes } = found;
    let sees_registry = check(state, Permission::RegistryRead).is_ok();
    let is_seen = |change: &ChangeBetween| sees_registry || change.kind == history::ChangedKind::Workflow;
    let changes = changes.into_iter().filter(is_seen).map(ChangeOfBetween::from).collect();
    Ok(ChangesBetween { workflow_id: workflow.0, from_revision: from.0, to_revision: to.0, changes })
}
