//! Anything that has an id, found by the id alone.
//!
//! The id of a workflow, an execution, a credential and an event is its UUID, which no two of them share; that of a thing
//! with a name of its own is its kind and its name, such as `plugin/pdf-tools`. Invariant: an id that was given out once
//! means the same thing for ever.

use async_graphql::{ID, Interface, Result};
use timeloom_domain::access::Permission;
use timeloom_domain::event;
use timeloom_domain::ids::{
    AccountId, CredentialId, EventId, ExecutionId, InferenceId, InferenceWorkerId, ModelLoadId, SessionId, Slug,
    TenantId, WorkflowId,
};
use timeloom_projections::{AsOf, NodeRunRange, Side};
use timeloom_store::{Position, TenantScope, Wanted};
use uuid::Uuid;

use super::access::{self, Account, ApiKey, Session, Tenant, Then};
use super::credentials::Credential;
use super::event::Event;
use super::execution::Execution;
use super::faults::{bad_input, fault};
use super::inference::{Inference, InferenceWindow, InferenceWorker, ModelLoad};
use super::models::Model;
use super::node_run::NodeRun;
use super::permitted::of_category;
use super::query::{model, plugin};
use super::reading::rows;
use super::registry::Plugin;
use super::workflow::Workflow;
use crate::state::ApiState;

/// Most ids that one field finds.
const NODES_MAX: usize = 100;
const PLUGIN: &str = "plugin";
const MODEL: &str = "model";
const NODE_RUN: &str = "nodeRun";
const API_KEY: &str = "apiKey";
const TENANT: &str = "tenant";
const INFERENCE_WINDOW: &str = "inferenceWindow";

/// Anything that has an id.
#[derive(Debug, Clone, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Its id, which nothing else has."))]
pub(crate) enum Node {
    /// A workflow.
    Workflow(Workflow),
    /// An execution.
    Execution(Execution),
    /// A run of a node.
    NodeRun(NodeRun),
    /// An event.
    Event(Event),
    /// A credential.
    Credential(Credential),
    /// A plugin.
    Plugin(Plugin),
    /// A model.
    Model(Model),
    /// An account.
    Account(Account),
    /// A key of an account.
    ApiKey(ApiKey),
    /// A session.
    Session(Session),
    /// A tenant.
    Tenant(Tenant),
    /// An inference.
    Inference(Inference),
    /// Sums over inferences.
    InferenceWindow(InferenceWindow),
    /// An inference worker.
    InferenceWorker(InferenceWorker),
    /// A version of a model in a worker's memory.
    ModelLoad(ModelLoad),
}

/// The id of a plugin.
pub(crate) fn plugin_id(name: &Slug) -> ID {
    ID(format!("{PLUGIN}/{}", name.as_str()))
}

/// The id of a model.
pub(crate) fn model_id(name: &Slug) -> ID {
    ID(format!("{MODEL}/{}", name.as_str()))
}

/// The id of a run of a node.
pub(crate) fn node_run_id(execution: ExecutionId, execution_index: u64) -> ID {
    ID(format!("{NODE_RUN}/{execution}/{execution_index}"))
}

/// The id of a key of an account.
pub(crate) fn api_key_id(account: AccountId, key: &str) -> ID {
    ID(format!("{API_KEY}/{account}/{key}"))
}

/// The id of a tenant.
pub(crate) fn tenant_id(number: TenantId) -> ID {
    ID(format!("{TENANT}/{}", number.0))
}

/// The id of the sums over inferences whose event is at a position.
pub(crate) fn inference_window_id(position: Position) -> ID {
    ID(format!("{INFERENCE_WINDOW}/{position}"))
}

/// What an id says it is of.
#[derive(Debug, Clone, PartialEq)]
enum Named {
    /// One of those that a UUID names.
    Uuid(Uuid),
    Plugin(Slug),
    Model(Slug),
    NodeRun(ExecutionId, u64),
    ApiKey(AccountId, String),
    Tenant(TenantId),
    InferenceWindow(Position),
}

fn read(id: &str) -> Option<Named> {
    let mut parts = id.split('/');
    let named = match (parts.next()?, parts.next(), parts.next()) {
        (uuid, None, None) => Named::Uuid(uuid.parse().ok()?),
        (PLUGIN, Some(name), None) => Named::Plugin(Slug::try_new(name).ok()?),
        (MODEL, Some(name), None) => Named::Model(Slug::try_new(name).ok()?),
        (NODE_RUN, Some(execution), Some(index)) => {
            Named::NodeRun(ExecutionId(execution.parse().ok()?), index.parse().ok()?)
        }
        (API_KEY, Some(account), Some(key)) => Named::ApiKey(AccountId(account.parse().ok()?), key.to_owned()),
        (TENANT, Some(number), None) => Named::Tenant(TenantId(number.parse().ok()?)),
        (INFERENCE_WINDOW, Some(position), None) => Named::InferenceWindow(Position(position.parse().ok()?)),
        _ => return None,
    };
    parts.next().is_none().then_some(named)
}

/// What has these ids, in their order, as of a moment; nothing where nothing has one, or nothing that whoever asks may
/// see.
pub(crate) async fn nodes(state: &ApiState, ids: &[ID], as_of: AsOf) -> Result<Vec<Option<Node>>> {
    if ids.len() > NODES_MAX {
        return Err(bad_input(format!("there are {} ids, at most {NODES_MAX} are allowed", ids.len())));
    }
    let named: Vec<Option<Named>> = ids.iter().map(|id| read(id)).collect();
    let uuids = named.iter().flatten().filter_map(|named| match named {
        Named::Uuid(uuid) => Some(*uuid),
        _ => None,
    });
    let found = by_uuid(state, uuids.collect(), as_of).await?;
    let may_see = |needed| state.require(needed).is_ok();
    let mut nodes = Vec::with_capacity(named.len());
    for named in named {
        nodes.push(match named {
            None => None,
            Some(Named::Uuid(uuid)) => found.iter().find(|(known, _)| *known == uuid).map(|(_, node)| node.clone()),
            Some(Named::Plugin(_) | Named::Model(_)) if !may_see(Permission::RegistryRead) => None,
            Some(Named::NodeRun(..) | Named::InferenceWindow(_)) if !may_see(Permission::ExecutionRead) => None,
            Some(Named::Plugin(name)) => plugin(state, name, as_of).await?.map(Node::Plugin),
            Some(Named::Model(name)) => model(state, name, as_of).await?.map(Node::Model),
            Some(Named::NodeRun(execution, index)) => node_run(state, execution, index, as_of).await?,
            Some(Named::ApiKey(account, key)) => api_key(state, account, key, as_of).await?,
            Some(Named::Tenant(number)) => access::seen_tenant(state, number, as_of).await?.map(Node::Tenant),
            Some(Named::InferenceWindow(position)) => {
                let row = rows(state.read_models().inference_window(state.tenant(), position, as_of).await)?;
                row.map(|row| Node::InferenceWindow(InferenceWindow { row, as_of }))
            }
        });
    }
    Ok(nodes)
}

/// What has these ids among all that a UUID names: a question for each kind, as long as some are not found.
async fn by_uuid(state: &ApiState, mut wanted: Vec<Uuid>, as_of: AsOf) -> Result<Vec<(Uuid, Node)>> {
    let (tenant, read_models) = (state.tenant(), state.read_models());
    let may_see = |needed| state.require(needed).is_ok();
    let mut found: Vec<(Uuid, Node)> = Vec::with_capacity(wanted.len());
    if may_see(Permission::ExecutionRead) {
        let ids: Vec<ExecutionId> = wanted.iter().copied().map(ExecutionId).collect();
        let executions = rows(read_models.executions_by_id(tenant, &ids, as_of).await)?;
        found.extend(executions.into_iter().map(|row| (row.id.0, Node::Execution(Execution::of(row, as_of)))));
        wanted.retain(|id| found.iter().all(|(known, _)| known != id));
    }
    if may_see(Permission::WorkflowRead) {
        let ids: Vec<WorkflowId> = wanted.iter().copied().map(WorkflowId).collect();
        let workflows = rows(read_models.workflows_by_id(tenant, &ids, as_of).await)?;
        found.extend(workflows.into_iter().map(|row| (row.id.0, Node::Workflow(Workflow { row, as_of }))));
        wanted.retain(|id| found.iter().all(|(known, _)| known != id));
    }
    if may_see(Permission::CredentialRead) {
        let ids: Vec<CredentialId> = wanted.iter().copied().map(CredentialId).collect();
        let credentials = rows(read_models.credentials_by_id(tenant, &ids, as_of).await)?;
        let usable = credentials.into_iter().filter(|row| !row.deleted);
        found.extend(usable.map(|row| (row.id.0, Node::Credential(Credential(row)))));
        wanted.retain(|id| found.iter().all(|(known, _)| known != id));
    }
    found.extend(who_computes(state, &wanted, as_of).await?);
    wanted.retain(|id| found.iter().all(|(known, _)| known != id));
    found.extend(who_has_access(state, &wanted, as_of).await?);
    wanted.retain(|id| found.iter().all(|(known, _)| known != id));
    if !wanted.is_empty() {
        let ids = Wanted::Ids(wanted.into_iter().map(EventId).collect());
        let events = state.log().look_up(TenantScope::One(tenant), &ids).await.map_err(|error| fault(&error))?;
        let by_then = events.into_iter().filter(|event| as_of.is_none_or(|as_of| event.position <= as_of));
        let by_then = by_then.filter(|event| may_see(of_category(&event.stream.category)));
        found.extend(by_then.map(|event| (event.id.0, Node::Event(Event(event)))));
    }
    Ok(found)
}

/// The inferences, inference workers and loads of models among these, as far as whoever asks may see them.
async fn who_computes(state: &ApiState, wanted: &[Uuid], as_of: AsOf) -> Result<Vec<(Uuid, Node)>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let (tenant, read_models) = (state.tenant(), state.read_models());
    let mut found = Vec::new();
    if state.require(Permission::ExecutionRead).is_ok() {
        let ids: Vec<InferenceId> = wanted.iter().copied().map(InferenceId).collect();
        let inferences = rows(read_models.inferences_by_id(tenant, &ids, as_of).await)?;
        found.extend(inferences.into_iter().map(|row| (row.id.0, Node::Inference(Inference { row, as_of }))));
    }
    if state.require(Permission::RegistryRead).is_ok() {
        let ids: Vec<InferenceWorkerId> = wanted.iter().copied().map(InferenceWorkerId).collect();
        let workers = rows(read_models.inference_workers_by_id(tenant, &ids, as_of).await)?;
        found.extend(workers.into_iter().map(|row| (row.id.0, Node::InferenceWorker(InferenceWorker { row, as_of }))));
        let ids: Vec<ModelLoadId> = wanted.iter().copied().map(ModelLoadId).collect();
        let loads = rows(read_models.model_loads_by_id(tenant, &ids, as_of).await)?;
        found.extend(loads.into_iter().map(|row| (row.load.load.0, Node::ModelLoad(ModelLoad { row, as_of }))));
    }
    Ok(found)
}

/// The accounts and sessions among these, as far as whoever asks may see them: everybody their own.
async fn who_has_access(state: &ApiState, wanted: &[Uuid], as_of: AsOf) -> Result<Vec<(Uuid, Node)>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let (tenant, read_models) = (state.tenant(), state.read_models());
    let then = Then::at(state, as_of).await?;
    let may_see = |account| access::is_own(state, account) || state.require(Permission::AccountRead).is_ok();
    let ids: Vec<AccountId> = wanted.iter().copied().map(AccountId).collect();
    let accounts = rows(read_models.accounts_by_id(tenant, &ids, as_of).await)?;
    let accounts = accounts.into_iter().filter(|row| may_see(row.id));
    let mut found: Vec<(Uuid, Node)> = accounts.map(|row| (row.id.0, Node::Account(Account { row, then }))).collect();
    let ids: Vec<SessionId> = wanted.iter().copied().map(SessionId).collect();
    let sessions = rows(read_models.sessions_by_id(tenant, &ids, as_of).await)?;
    let sessions = sessions.into_iter().filter(|row| may_see(row.account));
    found.extend(sessions.map(|row| (row.id.0, Node::Session(Session { row, then }))));
    Ok(found)
}

async fn api_key(state: &ApiState, account: AccountId, key: String, as_of: AsOf) -> Result<Option<Node>> {
    if !access::is_own(state, account) && state.require(Permission::AccountRead).is_err() {
        return Ok(None);
    }
    let then = Then::at(state, as_of).await?;
    let found = rows(state.read_models().api_keys_by_id(state.tenant(), &[(account, key)], as_of).await)?;
    Ok(found.into_iter().next().map(|row| Node::ApiKey(ApiKey { row, then })))
}

/// Whether somebody who sees it reads the audit trail, or who else has access.
pub(crate) fn is_audited(state: &ApiState, node: &Node) -> bool {
    match node {
        Node::Event(event) => event::is_audited(&event.0.stream.category),
        Node::Account(account) => !access::is_own(state, account.row.id),
        Node::ApiKey(key) => !access::is_own(state, key.row.account),
        Node::Session(session) => !access::is_own(state, session.row.account),
        _ => false,
    }
}

async fn node_run(state: &ApiState, execution: ExecutionId, index: u64, as_of: AsOf) -> Result<Option<Node>> {
    let range = NodeRunRange { from: index, to: index.saturating_add(1), limit: 1, side: Side::First };
    let found = rows(state.read_models().node_runs_in(state.tenant(), execution, as_of, range).await)?;
    Ok(found.into_iter().next().map(|row| Node::NodeRun(NodeRun(row))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_what_it_is_of() {
        let uuid = Uuid::from_u128(7);
        assert_eq!(read(&uuid.to_string()), Some(Named::Uuid(uuid)));
        let name = Slug::try_new("pdf-tools").unwrap();
        assert_eq!(read(&plugin_id(&name)), Some(Named::Plugin(name.clone())));
        assert_eq!(read(&model_id(&name)), Some(Named::Model(name)));
        let execution = ExecutionId(uuid);
        assert_eq!(read(&node_run_id(execution, 3)), Some(Named::NodeRun(execution, 3)));
        let account = AccountId(uuid);
        assert_eq!(read(&api_key_id(account, "3Fa9")), Some(Named::ApiKey(account, "3Fa9".to_owned())));
        assert_eq!(read(&tenant_id(TenantId(7))), Some(Named::Tenant(TenantId(7))));
        assert_eq!(read(&inference_window_id(Position(7))), Some(Named::InferenceWindow(Position(7))));
        for nothing in [
            "",
            "no-such-id",
            "plugin",
            "plugin/",
            "plugin/a/b",
            "nodeRun/x/1",
            "nodeRun/1",
            "//",
            "workflow/1",
            "tenant/x",
            "apiKey/1",
        ] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }
}
