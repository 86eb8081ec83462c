//! Workflows as the read models have them, with their definitions from the log.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use serde_json::Value;
use timeloom_commands::directory::{TriggerKind, WebhookAddress, WorkflowFacts};
use timeloom_domain::definition::{Gap, gaps};
use timeloom_domain::event::Event as _;
use timeloom_domain::workflow::{Workflow as Aggregate, WorkflowEvent};
use timeloom_projections::{ExecutionFilter, SettingsSummary, WorkflowRow};
use timeloom_store::{Filter, Position, StreamKey};

use super::drafts::{self, DraftProblem};
use super::event::{Event, EventList, Origins};
use super::execution::{Execution, ExecutionList};
use super::faults::fault;
use super::history::History;
use super::paging::{Pages, Paging, page_cost};
use super::reading::{not_there, state};
use super::rollouts::WorkflowRollout;
use super::scalars::{Direction, ExecutionStatus};
use super::versions::{WorkflowVersion, versions};

/// The settings that decide how a workflow runs.
#[derive(Debug, SimpleObject)]
struct WorkflowSettings {
    /// `v1`: depth first; absent or `v0`: breadth first.
    execution_order: Option<String>,
    /// IANA time zone; the deployment's when absent.
    timezone: Option<String>,
    /// Seconds after which an execution is stopped.
    execution_timeout: Option<f64>,
    /// Workflow to start when an execution fails.
    error_workflow: Option<String>,
    /// Most executions at once; more wait. Absent: as many as there is room for.
    concurrency: Option<u32>,
    /// Of those that wait for a place, the one with the highest priority is next; 0 when absent.
    priority: Option<i32>,
    /// Whether branches run at the same time; otherwise one after the other.
    parallel_branches: Option<bool>,
    /// What a step survives before the next begins; `STRICT` when absent.
    durability: Option<WorkflowDurability>,
}

/// What an acknowledged step of a workflow survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "timeloom_domain::definition::WorkflowDurability")]
enum WorkflowDurability {
    /// The loss of power.
    Strict,
    /// The end of the process; of the loss of power all but the last moments.
    Relaxed,
}

impl From<&SettingsSummary> for WorkflowSettings {
    fn from(settings: &SettingsSummary) -> Self {
        let settings = settings.clone();
        Self {
            execution_order: settings.execution_order,
            timezone: settings.timezone,
            execution_timeout: settings.execution_timeout,
            error_workflow: settings.error_workflow,
            concurrency: settings.concurrency,
            priority: settings.priority,
            parallel_branches: settings.parallel_branches,
            durability: settings.durability.map(Into::into),
        }
    }
}

/// A webhook of a workflow.
#[derive(Debug, SimpleObject)]
struct Webhook {
    /// Name of its node.
    node: String,
    /// The methods that it takes.
    methods: Vec<String>,
    /// Its path, as the node has it.
    path: String,
    /// Where it takes calls while the workflow is active.
    url: String,
    /// Where the draft takes a call while it listens.
    test_url: String,
    /// Whether it takes calls.
    active: bool,
}

/// A workflow.
#[derive(Debug, Clone)]
pub(crate) struct Workflow {
    pub row: WorkflowRow,
    /// As of when it was read; its parts are read as of the same moment.
    pub as_of: Option<Position>,
}

impl Workflow {
    /// The workflow itself, as of when it was read.
    async fn aggregate(&self, state: &crate::state::ApiState) -> Result<Option<Aggregate>> {
        let position = self.as_of.unwrap_or_else(|| state.log().head());
        let loaded = timeloom_history::workflow_at(state.past(), &self.stream(state), position).await;
        Ok(loaded.map_err(|error| not_there(&error))?.map(|(workflow, _)| workflow))
    }

    fn stream(&self, state: &crate::state::ApiState) -> StreamKey {
        StreamKey::new(state.tenant(), WorkflowEvent::CATEGORY, self.row.id.to_string())
    }
}

/// A node that this build cannot run.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct MissingNode {
    /// Name of the node.
    pub node: String,
    /// Its type.
    pub node_type: String,
    /// Its version.
    pub type_version: f64,
    /// The versions of the type that run here; empty when the type is not known.
    pub known_versions: Vec<f64>,
    /// What to do.
    pub message: String,
    /// The service that it talks to, where the table of services has it.
    pub service: Option<NodeService>,
    /// An HTTP Request to put in its place, where the table of services or the node itself says what it asks for.
    pub replacement: Option<Value>,
    /// What a person must still give for the replacement to work, such as a credential.
    pub needs: Vec<String>,
    /// The node's parameters that the replacement does not carry, by dotted path.
    pub dropped: Vec<String>,
    /// What is otherwise than with the node.
    pub differs: Vec<String>,
}

/// A service that a node talks to.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct NodeService {
    /// Its name.
    pub name: String,
    /// Where its interface begins.
    pub base_url: String,
    /// Where its interface is described.
    pub documentation: String,
    /// Why no HTTP Request is offered; absent where one is.
    pub refusal: Option<String>,
}

impl MissingNode {
    pub(crate) fn of(gap: Gap) -> Result<Self> {
        let Gap { node, node_type, type_version, known_versions, service, replacement, message } = gap;
        let service = service.map(|service| NodeService {
            name: service.name.to_owned(),
            base_url: service.base_url.to_owned(),
            documentation: service.documentation.to_owned(),
            refusal: service.refusal,
        });
        let (mut needs, mut dropped, mut differs) = (Vec::new(), Vec::new(), Vec::new());
        let replacement = match replacement {
            Some(made) => {
                (needs, dropped, differs) = (made.needs, made.dropped, made.differs);
                Some(serde_json::to_value(made.node).map_err(|error| fault(&error))?)
            }
            None => None,
        };
        Ok(Self {
            node,
            node_type,
            type_version,
            known_versions,
            message,
            service,
            replacement,
            needs,
            dropped,
            differs,
        })
    }
}

#[Object]
impl Workflow {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        self.row.id.0.into()
    }

    /// Name of the draft.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// How many nodes the draft has.
    async fn node_count(&self) -> u64 {
        self.row.node_count
    }

    /// The settings of the draft that decide how it runs.
    async fn settings(&self) -> WorkflowSettings {
        WorkflowSettings::from(&self.row.settings)
    }

    /// The newest published version.
    async fn published_version(&self) -> Option<u32> {
        self.row.published_version
    }

    /// The version that takes calls and schedules.
    async fn active_version(&self) -> Option<u32> {
        self.row.active_version
    }

    /// Whether a version of it takes calls and schedules.
    async fn active(&self) -> bool {
        self.row.active_version.is_some()
    }

    /// The version that a part of the production executions runs beside the active one.
    async fn rollout(&self) -> Option<WorkflowRollout> {
        let (active, row) = (self.row.active_version?, self.row.rollout.clone()?);
        Some(WorkflowRollout { workflow_id: self.row.id, row, active, as_of: self.as_of })
    }

    /// The webhooks and forms of the active version, else of the draft.
    #[graphql(complexity = 20)]
    async fn webhooks(
        &self,
        context: &Context<'_>,
        #[graphql(default, desc = "Those of the draft, whatever is active.")] draft: bool,
    ) -> Result<Vec<Webhook>> {
        let state = state(context)?;
        let version = self.row.active_version.filter(|_| !draft);
        let Some(workflow) = self.aggregate(state).await? else { return Ok(Vec::new()) };
        let Some(definition) = workflow.definition(version) else { return Ok(Vec::new()) };
        let active = version.is_some();
        let facts = WorkflowFacts::of(definition);
        let public_url = state.callers_url();
        let listening = facts.of_kind(TriggerKind::Webhook).chain(facts.of_kind(TriggerKind::Form));
        let webhooks = listening.filter_map(|node| {
            let address = WebhookAddress::of(node).ok()?;
            let (methods, path) = (address.methods.clone(), address.proper_path());
            let place = if node.kind == TriggerKind::Form { "form" } else { "webhook" };
            let (url, test_url) = (format!("{public_url}/{place}/{path}"), format!("{public_url}/{place}-test/{path}"));
            Some(Webhook { node: node.name.clone(), methods, path: address.path, url, test_url, active })
        });
        Ok(webhooks.collect())
    }

    /// Where people keep it: names of folders with '/' between them; empty for none.
    async fn folder(&self) -> &str {
        self.row.folder.as_str()
    }

    /// Whether it was put away.
    async fn archived(&self) -> bool {
        self.row.archived
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.row.provenance.into()
    }

    /// Its definition in the shape of a workflow file: a published version, or the draft.
    #[graphql(complexity = 20)]
    async fn definition(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A published version; absent = the draft.")] version: Option<u32>,
    ) -> Result<Option<Value>> {
        let Some(workflow) = self.aggregate(state(context)?).await? else { return Ok(None) };
        let definition = workflow.definition(version).map(|definition| serde_json::to_value(&**definition));
        definition.transpose().map_err(|error| fault(&error))
    }

    /// The nodes of the draft that this build cannot run: as long as there are any, it is neither published nor run.
    #[graphql(complexity = 20)]
    async fn missing_nodes(&self, context: &Context<'_>) -> Result<Vec<MissingNode>> {
        let state = state(context)?;
        let Some(workflow) = self.aggregate(state).await? else { return Ok(Vec::new()) };
        let Some(draft) = workflow.definition(None) else { return Ok(Vec::new()) };
        gaps(draft, state.catalogue()).into_iter().map(MissingNode::of).collect()
    }

    /// What the draft lacks, what matters most first, at most 100. It is kept all the same; `hinders` says what is refused
    /// meanwhile.
    #[graphql(complexity = "20 + 20 * child_complexity")]
    async fn draft_problems(&self, context: &Context<'_>) -> Result<Vec<DraftProblem>> {
        let state = state(context)?;
        let Some(workflow) = self.aggregate(state).await? else { return Ok(Vec::new()) };
        match workflow.definition(None) {
            Some(draft) => drafts::problems(state, self.row.id, draft).await,
            None => Ok(Vec::new()),
        }
    }

    /// Its published versions, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn versions(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Pages<WorkflowVersion>> {
        let (state, paging) = (state(context)?, Paging::new(first, after, last, before));
        versions(state, self.stream(state), self.row.active_version, paging, self.as_of).await
    }

    /// Its executions, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn executions(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        status: Option<ExecutionStatus>,
    ) -> Result<Pages<Execution>> {
        let filter = ExecutionFilter {
            workflow_id: Some(self.row.id),
            status: status.map(Into::into),
            ..ExecutionFilter::default()
        };
        let list = ExecutionList { paging: Paging::new(first, after, last, before), filter, as_of: self.as_of };
        list.read(context).await
    }

    /// Its events, oldest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn events(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Pages<Event>> {
        let state = state(context)?;
        let filter = Filter { stream: Some(self.stream(state)), ..Filter::default() };
        EventList {
            origins: Origins::default(),
            filter,
            from: None,
            direction: Direction::Forward,
            paging: Paging::new(first, after, last, before),
            as_of: self.as_of,
        }
        .read(state)
        .await
    }
}
