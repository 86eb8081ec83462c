//! Which permission each part of the schema needs, and the refusal of whoever does not have it.
//!
//! What is seen is refused by its kind, wherever a path through the schema leads to it, so that no edge is a way around.
//! Invariant: a field of the root that is not told of here is refused to everybody who may not do everything.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo};
use async_graphql::{
    Error, ErrorExtensions, PathSegment, QueryPathNode, QueryPathSegment, ServerError, ServerResult, Value,
};
use timeloom_domain::access::{Forbidden, Permission, Permissions};
use timeloom_domain::agent::AgentEvent;
use timeloom_domain::agent_memory::AgentMemoryEvent;
use timeloom_domain::agent_run::AgentRunEvent;
use timeloom_domain::data_table::{DataTableEvent, TableRowsEvent};
use timeloom_domain::drift::DriftWatchEvent;
use timeloom_domain::evaluation::EvaluationEvent;
use timeloom_domain::evaluation_set::EvaluationSetEvent;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::gateway::GatewayEvent;
use timeloom_domain::inference::{InferenceEvent, InferenceWorkerEvent};
use timeloom_domain::listener::ListenerEvent;
use timeloom_domain::model::ModelEvent;
use timeloom_domain::model_call::ModelCallEvent;
use timeloom_domain::plugin::PluginEvent;
use timeloom_domain::recall::RecallEvent;
use timeloom_domain::replay::ReplayCheckEvent;
use timeloom_domain::test_case::TestCaseEvent;
use timeloom_domain::vectors::VectorEvent;
use timeloom_domain::workflow::WorkflowEvent;

use super::faults::coded;
use crate::state::ApiState;

/// The code of a refusal.
const FORBIDDEN: &str = "FORBIDDEN";

/// What a field of the root of reads needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Nothing: it tells whoever asks about themselves or the product, and sees by itself to what it tells of others.
    Nothing,
    /// Any permission: which one follows from what is asked for, and the field sees to it by itself.
    Any,
    /// What the kind of its answer needs.
    Kind,
}

/// What a field of the root of reads needs.
fn of_root(field: &str) -> Needs {
    match field {
        "viewer" | "serverInfo" | "templates" | "account" | "apiKeys" | "sessions" | "tenant" => Needs::Nothing,
        "head" | "inForce" | "node" | "nodes" | "events" | "searchPayloads" | "stateAt" | "stateDiff"
        | "stateComparison" | "accounts" | "tenants" | "accessReview" | "erasures" | "erasurePreview"
        | "retentions" | "subjectKeyBackup" => Needs::Any,
        _ => Needs::Kind,
    }
}

/// The permission that a kind of thing needs to be seen; `None` where it is a part of something that was seen already.
fn of_kind(kind: &str) -> Option<Permission> {
    let kind = kind.strip_suffix("Connection").or_else(|| kind.strip_suffix("Edge")).unwrap_or(kind);
    match kind {
        "Workflow" | "WorkflowFolder" | "WorkflowTestCase" | "NodeType" | "CheckedWorkflow" | "ListeningTrigger" => {
            Some(Permission::WorkflowRead)
        }
        "Execution"
        | "Bisection"
        | "ChangesBetween"
        | "ExecutionChange"
        | "ExecutionComparison"
        | "ExecutionEvent"
        | "ExecutionGroup"
        | "ExpressionPreview"
        | "ForkPreview"
        | "Inference"
        | "InferenceWindow"
        | "AgentRun"
        | "AgentRunReplay"
        | "AgentSession"
        | "ModelCall"
        | "ModelDrift"
        | "ModelSpend"
        | "NodeRun"
        | "ReplayCheck"
        | "Evaluation"
        | "EvaluationComparison"
        | "EvaluationSet"
        | "EvaluationSetVersion"
        | "ValueExplanation"
        | "WatchedExecution" => Some(Permission::ExecutionRead),
        "DataTable" | "DataTableRow" | "DataTableRows" => Some(Permission::TableRead),
        "Credential" | "CredentialType" => Some(Permission::CredentialRead),
        "Agent" | "Plugin" | "Model" | "ModelVersion" | "DriftWatch" | "ResolvedModel" | "InferenceWorker"
        | "ModelLoad" | "GatewayProvider" | "GatewayRoute" | "GatewayLimit" | "GatewayPrices" => {
            Some(Permission::RegistryRead)
        }
        "AuditCheckpoint" | "AuditKey" | "AuditRecord" | "ConsistencyProof" | "InclusionProof" => {
            Some(Permission::AuditRead)
        }
        "FeatureFlag" => Some(Permission::TenantWrite),
        "LogArchive" | "LogBackup" | "ParkedEvent" | "Projection" | "Worker" => Some(Permission::SystemRead),
        _ => None,
    }
}

/// The permission that the events of a category need to be seen. Who has access, what is audited, and whatever others
/// write into the log, is for those who may read the audit trail.
pub(crate) fn of_category(category: &str) -> Permission {
    match category {
        WorkflowEvent::CATEGORY | TestCaseEvent::CATEGORY | ListenerEvent::CATEGORY => Permission::WorkflowRead,
        ExecutionEvent::CATEGORY
        | AgentRunEvent::CATEGORY
        | AgentMemoryEvent::CATEGORY
        | ReplayCheckEvent::CATEGORY
        | EvaluationEvent::CATEGORY
        | EvaluationSetEvent::CATEGORY
        | RecallEvent::CATEGORY
        | VectorEvent::CATEGORY
        | InferenceEvent::CATEGORY
        | ModelCallEvent::CATEGORY => Permission::ExecutionRead,
        DataTableEvent::CATEGORY | TableRowsEvent::CATEGORY => Permission::TableRead,
        AgentEvent::CATEGORY
        | PluginEvent::CATEGORY
        | ModelEvent::CATEGORY
        | DriftWatchEvent::CATEGORY
        | InferenceWorkerEvent::CATEGORY
        | GatewayEvent::CATEGORY => Permission::RegistryRead,
        _ => Permission::AuditRead,
    }
}

/// Refuses whoever may not see events of these categories. Without any, all are meant.
pub(crate) fn check_categories<'a>(
    state: &ApiState,
    categories: impl IntoIterator<Item = &'a str>,
) -> async_graphql::Result<()> {
    let mut categories = categories.into_iter().peekable();
    if categories.peek().is_none() {
        return check(state, Permission::AuditRead);
    }
    categories.try_for_each(|category| check(state, of_category(category)))
}

/// Refuses whoever may not do what needs `permission`.
pub(crate) fn check(state: &ApiState, permission: Permission) -> async_graphql::Result<()> {
    state.require(permission).map_err(forbidden)
}

/// A refusal, as clients see it.
pub(crate) fn forbidden(forbidden: Forbidden) -> Error {
    let error = coded(FORBIDDEN, forbidden.to_string());
    error.extend_with(|_, extensions| extensions.set("permission", forbidden.needed.name()))
}

/// Sees to it that nobody gets what they may not see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permitted;

impl ExtensionFactory for Permitted {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Permitted {
    async fn resolve(
        &self,
        context: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let permissions = context.data_opt::<ApiState>().map(|state| state.principal().permissions);
        let permissions = permissions.unwrap_or(Permissions::NONE);
        if permissions != Permissions::ALL
            && !info.is_for_introspection
            && let Err(needed) = may_see(permissions, info.parent_type, info.name, info.return_type)
        {
            return Err(refusal(needed, info.path_node));
        }
        next.run(context, info).await
    }
}

/// Whether somebody with these permissions may see what a field answers.
fn may_see(permissions: Permissions, parent: &str, field: &str, answer: &str) -> Result<(), Forbidden> {
    let kind = of_kind(answer.trim_matches(['[', ']', '!']));
    let needs = if parent == "Query" { of_root(field) } else { Needs::Nothing };
    match (kind, needs) {
        (Some(needed), _) => permissions.require(needed),
        (None, Needs::Nothing) => Ok(()),
        (None, Needs::Any) if !permissions.is_empty() => Ok(()),
        (None, Needs::Any) => Err(Forbidden { needed: Permission::WorkflowRead }),
        // Nobody has thought about who may see it.
        (None, Needs::Kind) => Err(Forbidden { needed: Permission::TenantWrite }),
    }
}

fn refusal(needed: Forbidden, path: &QueryPathNode<'_>) -> ServerError {
    let mut error = forbidden(needed).into_server_error(async_graphql::Pos::default());
    error.locations.clear();
    error.path = std::iter::once(path)
        .chain(path.parents())
        .map(|node| match node.segment {
            QueryPathSegment::Name(name) => PathSegment::Field(name.to_owned()),
            QueryPathSegment::Index(index) => PathSegment::Index(index),
        })
        .collect();
    error.path.reverse();
    error
}

#[cfg(test)]
mod tests {
    use timeloom_domain::access::Role;
    use timeloom_domain::event::OWN_CATEGORIES;

    use super::*;

    #[test]
    fn a_kind_needs_the_same_wherever_it_is_seen() {
        let viewer = Role::Viewer.permissions();
        for answer in ["Credential", "[Credential!]!", "CredentialConnection!", "[CredentialEdge!]!"] {
            let refused = may_see(viewer, "Workflow", "whatever", answer);
            assert_eq!(refused, Err(Forbidden { needed: Permission::CredentialRead }), "{answer}");
        }
        assert_eq!(may_see(viewer, "Query", "executions", "ExecutionConnection!"), Ok(()));
        assert_eq!(may_see(viewer, "Execution", "status", "ExecutionStatus!"), Ok(()));
    }

    #[test]
    fn a_field_of_which_nobody_has_thought_is_refused() {
        assert!(may_see(Role::Admin.permissions(), "Query", "somethingNew", "SomethingNew!").is_err());
    }

    #[test]
    fn who_has_access_is_for_those_who_read_the_audit_trail() {
        let open: Vec<&str> =
            OWN_CATEGORIES.into_iter().filter(|category| of_category(category) != Permission::AuditRead).collect();
        assert_eq!(open.len(), 21, "{open:?}");
        for audited in ["account", "audit", "credential", "session", "tenant", "orders"] {
            assert_eq!(of_category(audited), Permission::AuditRead, "{audited}");
        }
    }
}
