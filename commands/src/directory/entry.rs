//! One workflow as the directory keeps it.

use std::sync::Arc;

use serde_json::Value;
use timeloom_domain::chat_trigger::CHAT_TRIGGER_TYPE;
use timeloom_domain::definition::{Node, Settings, WorkflowDefinition};
use timeloom_domain::form::FORM_TRIGGER_TYPE;
use timeloom_domain::ids::{EventId, TenantId, WorkflowId};
use timeloom_domain::listener;
use timeloom_domain::workflow::{Folder, Rollout, WorkflowEvent};
use timeloom_store::{Position, RecordedEvent};

/// What kind of thing starts a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TriggerKind {
    /// A request to a webhook, or a message to a chat, which is one.
    Webhook,
    /// A form that a person sends.
    Form,
    /// A schedule.
    Schedule,
    /// A message that it listens for.
    Message,
    /// The failure of another workflow's execution.
    Failure,
    /// A node of another workflow.
    SubWorkflow,
}

impl TriggerKind {
    /// The kind of trigger that a node type is; `None` for nodes that nothing outside starts.
    pub fn of(node_type: &str) -> Option<Self> {
        Some(match node_type {
            "n8n-nodes-base.webhook" | CHAT_TRIGGER_TYPE => Self::Webhook,
            FORM_TRIGGER_TYPE => Self::Form,
            "n8n-nodes-base.scheduleTrigger" | "n8n-nodes-base.cron" | "n8n-nodes-base.interval" => Self::Schedule,
            "n8n-nodes-base.errorTrigger" => Self::Failure,
            "n8n-nodes-base.executeWorkflowTrigger" => Self::SubWorkflow,
            other if listener::listens(other) => Self::Message,
            _ => return None,
        })
    }
}

/// A node that starts a workflow. Disabled ones are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerNode {
    /// What starts it.
    pub kind: TriggerKind,
    /// Name of the node.
    pub name: String,
    /// Type of the node.
    pub node_type: String,
    /// Version of its type.
    pub type_version: f64,
    /// Its parameters, as they are written.
    pub parameters: Value,
    /// Its credentials by type: references only.
    pub credentials: Option<Value>,
    /// Id under which a webhook listens.
    pub webhook_id: Option<String>,
}

impl TriggerNode {
    fn of(node: &Node) -> Option<Self> {
        let kind = TriggerKind::of(&node.node_type).filter(|_| !node.disabled)?;
        Some(Self::of_kind(kind, node))
    }

    /// What is known of a node that takes requests of that kind, whether it starts the workflow or waits in it.
    pub fn of_kind(kind: TriggerKind, node: &Node) -> Self {
        Self {
            kind,
            name: node.name.clone(),
            node_type: node.node_type.clone(),
            type_version: node.type_version,
            parameters: node.parameters.clone(),
            credentials: node.credentials.clone(),
            webhook_id: node.webhook_id.clone(),
        }
    }

    /// The node, as far as it is known.
    pub fn to_node(&self) -> Node {
        Node {
            name: self.name.clone(),
            node_type: self.node_type.clone(),
            type_version: self.type_version,
            parameters: self.parameters.clone(),
            credentials: self.credentials.clone(),
            webhook_id: self.webhook_id.clone(),
            ..Node::blank()
        }
    }

    /// Whether what it takes are messages of a chat.
    pub fn is_chat(&self) -> bool {
        self.node_type == CHAT_TRIGGER_TYPE
    }

    /// What of the node says where it is reached.
    pub(crate) fn address_field(&self) -> &'static str {
        if self.is_chat() { "webhookId" } else { "parameters.path" }
    }
}

/// What the directory keeps of a definition.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkflowFacts {
    /// Id that the workflow has in its file.
    pub file_id: Option<String>,
    /// Name that people gave it.
    pub name: String,
    /// Its settings.
    pub settings: Settings,
    /// The nodes that start it, in file order.
    pub triggers: Vec<Arc<TriggerNode>>,
}

impl WorkflowFacts {
    /// What is kept of `definition`.
    pub fn of(definition: &WorkflowDefinition) -> Self {
        Self {
            file_id: definition.id.clone(),
            name: definition.name.clone(),
            settings: definition.settings.clone(),
            triggers: definition.nodes.iter().filter_map(TriggerNode::of).map(Arc::new).collect(),
        }
    }

    /// Triggers of one kind.
    pub fn of_kind(&self, kind: TriggerKind) -> impl Iterator<Item = &Arc<TriggerNode>> {
        self.triggers.iter().filter(move |trigger| trigger.kind == kind)
    }
}

/// The version of a workflow that takes calls and schedules.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveVersion {
    /// Its number.
    pub version: u32,
    /// Position of the event that made it active: of two that want the same address, the one that was first has it.
    pub since: Position,
    /// The same as a time, in milliseconds since 1970. A version that takes the place of an active one keeps it.
    pub since_ms: i64,
    /// When this very version became active, in milliseconds since 1970.
    pub version_since_ms: i64,
    /// What is known of it.
    pub facts: Arc<WorkflowFacts>,
}

/// That a draft takes one call at its test address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestListening {
    /// Until when, in milliseconds since 1970.
    pub until_ms: i64,
    /// The event that said so: the call's execution has an id that follows from it, so that only one call wins.
    pub event: EventId,
}

/// A version that is tried out beside the active one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutEntry {
    /// Which, and for what part of the executions.
    pub rollout: Rollout,
    /// Position of the event that began it: what began after it counts.
    pub since: Position,
    /// That event: the command that rolls it back for its guard has an id that follows from it.
    pub event: EventId,
}

/// One workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowEntry {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its id.
    pub id: WorkflowId,
    /// What is known of its draft.
    pub draft: Arc<WorkflowFacts>,
    /// The version that takes calls and schedules.
    pub active: Option<ActiveVersion>,
    /// The version that is tried out beside it.
    pub rollout: Option<RolloutEntry>,
    /// Whether its draft takes a call at its test address.
    pub listening: Option<TestListening>,
    /// Where people keep it.
    pub folder: Folder,
    /// Whether it was put away.
    pub archived: bool,
    /// Position of its last event.
    pub position: Position,
    /// Every published version, oldest first; those with the same triggers share what is known.
    versions: Vec<(u32, Arc<WorkflowFacts>)>,
}

impl WorkflowEntry {
    /// The newest published version.
    pub fn published_version(&self) -> Option<u32> {
        self.versions.last().map(|(version, _)| *version)
    }

    /// What is known of a published version.
    pub fn version(&self, wanted: u32) -> Option<&Arc<WorkflowFacts>> {
        self.versions.iter().find(|(version, _)| *version == wanted).map(|(_, facts)| facts)
    }

    /// A workflow that has just come to be.
    pub(super) fn new(tenant: TenantId, id: WorkflowId) -> Self {
        Self {
            tenant,
            id,
            draft: Arc::default(),
            active: None,
            rollout: None,
            listening: None,
            folder: Folder::default(),
            archived: false,
            position: Position::START,
            versions: Vec::new(),
        }
    }

    /// Folds one event in. Says whether anything that starts it changed.
    pub(super) fn apply(&mut self, event: &WorkflowEvent, recorded: &RecordedEvent) {
        self.position = recorded.position;
        match event {
            WorkflowEvent::WorkflowCreated { definition } | WorkflowEvent::WorkflowUpdated { definition } => {
                let facts = WorkflowFacts::of(definition);
                if *self.draft != facts {
                    self.draft = Arc::new(facts);
                }
            }
            WorkflowEvent::WorkflowSettingsChanged { settings } => {
                Arc::make_mut(&mut self.draft).settings = settings.clone();
            }
            WorkflowEvent::WorkflowVersionPublished { version } => {
                self.versions.push((*version, Arc::clone(&self.draft)));
            }
            WorkflowEvent::WorkflowActivated { version } => {
                let version_since_ms = recorded.recorded_at.timestamp_millis();
                let begins = (recorded.position, version_since_ms);
                let (since, since_ms) = self.active.as_ref().map_or(begins, |active| (active.since, active.since_ms));
                let facts = self.version(*version).cloned();
                let active = |facts| ActiveVersion { version: *version, since, since_ms, version_since_ms, facts };
                self.active = facts.map(active);
                self.rollout = None;
            }
            WorkflowEvent::WorkflowDeactivated {} => (self.active, self.rollout) = (None, None),
            WorkflowEvent::WorkflowTestListeningStarted { until_ms } => {
                self.listening = Some(TestListening { until_ms: *until_ms, event: recorded.id });
            }
            WorkflowEvent::WorkflowMoved { folder } => self.folder = folder.clone(),
            WorkflowEvent::WorkflowArchived {} => {
                self.archived = true;
                (self.active, self.rollout) = (None, None);
                self.listening = None;
            }
            WorkflowEvent::WorkflowUnarchived {} => self.archived = false,
            WorkflowEvent::WorkflowRolloutStarted { rollout, version, percent, guard } => {
                let rollout = Rollout { number: *rollout, version: *version, percent: *percent, guard: *guard };
                self.rollout = Some(RolloutEntry { rollout, since: recorded.position, event: recorded.id });
            }
            WorkflowEvent::WorkflowRolloutChanged { percent, .. } => {
                if let Some(entry) = &mut self.rollout {
                    entry.rollout.percent = *percent;
                }
            }
            WorkflowEvent::WorkflowRolloutPromoted { .. } | WorkflowEvent::WorkflowRolloutRolledBack { .. } => {
                self.rollout = None;
            }
            WorkflowEvent::WorkflowPinsChanged { .. } => {}
        }
    }
}
