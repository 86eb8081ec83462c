//! The aggregates of this build, by the category of their streams, and which events of them it knows.

use serde_json::Value;
use timeloom_domain::account::{Account, AccountEvent};
use timeloom_domain::agent::{Agent, AgentEvent};
use timeloom_domain::agent_memory::{AgentMemory, AgentMemoryEvent};
use timeloom_domain::agent_run::{AgentRun, AgentRunEvent};
use timeloom_domain::archive::{Archive, ArchiveEvent};
use timeloom_domain::audit::{Audit, AuditEvent};
use timeloom_domain::credential::{Credential, CredentialEvent};
use timeloom_domain::data_table::{DataTableEvent, DataTables, TableRows, TableRowsEvent};
use timeloom_domain::drift::{DriftWatch, DriftWatchEvent};
use timeloom_domain::evaluation::{Evaluation, EvaluationEvent};
use timeloom_domain::evaluation_set::{EvaluationSet, EvaluationSetEvent};
use timeloom_domain::event::Event;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::feature_flag::{FeatureFlag, FeatureFlagEvent};
use timeloom_domain::gateway::{GatewayConfiguration, GatewayEvent};
use timeloom_domain::inference::{InferenceEvent, InferenceWorker, InferenceWorkerEvent, Inferences};
use timeloom_domain::listener::{Listener, ListenerEvent};
use timeloom_domain::model::{Model, ModelEvent};
use timeloom_domain::model_call::{ModelCallEvent, ModelCalls};
use timeloom_domain::plugin::{Plugin, PluginEvent};
use timeloom_domain::recall::{Recall, RecallEvent};
use timeloom_domain::replay::{ReplayCheck, ReplayCheckEvent};
use timeloom_domain::retention::{Retention, RetentionEvent};
use timeloom_domain::session::{Session, SessionEvent};
use timeloom_domain::subject::{Subject, SubjectEvent};
use timeloom_domain::tenant::{Tenant, TenantEvent};
use timeloom_domain::test_case::{TestCaseEvent, TestCases};
use timeloom_domain::vectors::{VectorCollection, VectorEvent};
use timeloom_domain::workflow::{Workflow, WorkflowEvent};
use timeloom_store::RecordedEvent;

use crate::bare::BareExecution;
use crate::error::HistoryError;
use crate::fold::Folding;
use crate::part;

/// What a stream folds to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A workflow.
    Workflow,
    /// An execution.
    Execution,
    /// A plugin.
    Plugin,
    /// A model.
    Model,
    /// A credential, sealed.
    Credential,
    /// A replay check.
    ReplayCheck,
    /// The test cases of a workflow.
    TestCases,
    /// An evaluation.
    Evaluation,
    /// The watch over the drift of a model.
    DriftWatch,
    /// A set of cases, without the cases.
    EvaluationSet,
    /// An account, with digests of its keys and links.
    Account,
    /// A session.
    Session,
    /// A tenant.
    Tenant,
    /// For whom a feature is on.
    FeatureFlag,
    /// An agent.
    Agent,
    /// A run of an agent.
    AgentRun,
    /// What an agent remembers of a session.
    AgentMemory,
    /// A trigger that listens.
    Listener,
    /// What nodes remember from one execution to the next.
    Recall,
    /// Texts with their vectors.
    Vectors,
    /// The data tables of a tenant.
    DataTables,
    /// The rows of a data table.
    DataTable,
    /// Who looked, and who was not let in.
    Audit,
    /// A subject: what is decided about the data of a person.
    Subject,
    /// How long the data of a category is kept.
    Retention,
    /// The inferences of one worker, in sums.
    Inferences,
    /// An inference worker.
    InferenceWorker,
    /// The set-up of a tenant's gateway to language models.
    Gateway,
    /// The calls to language models of one worker, in sums.
    ModelCalls,
    /// The ranges of the log that are in the archive.
    Archive,
}

impl Kind {
    /// The kind of the streams of a category; `None` for a category of somebody else.
    pub fn of_category(category: &str) -> Option<Self> {
        match category {
            WorkflowEvent::CATEGORY => Some(Self::Workflow),
            ExecutionEvent::CATEGORY => Some(Self::Execution),
            PluginEvent::CATEGORY => Some(Self::Plugin),
            ModelEvent::CATEGORY => Some(Self::Model),
            CredentialEvent::CATEGORY => Some(Self::Credential),
            ReplayCheckEvent::CATEGORY => Some(Self::ReplayCheck),
            TestCaseEvent::CATEGORY => Some(Self::TestCases),
            EvaluationEvent::CATEGORY => Some(Self::Evaluation),
            DriftWatchEvent::CATEGORY => Some(Self::DriftWatch),
            EvaluationSetEvent::CATEGORY => Some(Self::EvaluationSet),
            AccountEvent::CATEGORY => Some(Self::Account),
            SessionEvent::CATEGORY => Some(Self::Session),
            TenantEvent::CATEGORY => Some(Self::Tenant),
            FeatureFlagEvent::CATEGORY => Some(Self::FeatureFlag),
            AgentEvent::CATEGORY => Some(Self::Agent),
            AgentRunEvent::CATEGORY => Some(Self::AgentRun),
            AgentMemoryEvent::CATEGORY => Some(Self::AgentMemory),
            ListenerEvent::CATEGORY => Some(Self::Listener),
            RecallEvent::CATEGORY => Some(Self::Recall),
            VectorEvent::CATEGORY => Some(Self::Vectors),
            DataTableEvent::CATEGORY => Some(Self::DataTables),
            TableRowsEvent::CATEGORY => Some(Self::DataTable),
            AuditEvent::CATEGORY => Some(Self::Audit),
            SubjectEvent::CATEGORY => Some(Self::Subject),
            RetentionEvent::CATEGORY => Some(Self::Retention),
            InferenceEvent::CATEGORY => Some(Self::Inferences),
            InferenceWorkerEvent::CATEGORY => Some(Self::InferenceWorker),
            GatewayEvent::CATEGORY => Some(Self::Gateway),
            ModelCallEvent::CATEGORY => Some(Self::ModelCalls),
            ArchiveEvent::CATEGORY => Some(Self::Archive),
            _ => None,
        }
    }

    /// The category of its streams.
    pub fn category(self) -> &'static str {
        match self {
            Self::Workflow => WorkflowEvent::CATEGORY,
            Self::Execution => ExecutionEvent::CATEGORY,
            Self::Plugin => PluginEvent::CATEGORY,
            Self::Model => ModelEvent::CATEGORY,
            Self::Credential => CredentialEvent::CATEGORY,
            Self::ReplayCheck => ReplayCheckEvent::CATEGORY,
            Self::TestCases => TestCaseEvent::CATEGORY,
            Self::Evaluation => EvaluationEvent::CATEGORY,
            Self::DriftWatch => DriftWatchEvent::CATEGORY,
            Self::EvaluationSet => EvaluationSetEvent::CATEGORY,
            Self::Account => AccountEvent::CATEGORY,
            Self::Session => SessionEvent::CATEGORY,
            Self::Tenant => TenantEvent::CATEGORY,
            Self::FeatureFlag => FeatureFlagEvent::CATEGORY,
            Self::Agent => AgentEvent::CATEGORY,
            Self::AgentRun => AgentRunEvent::CATEGORY,
            Self::AgentMemory => AgentMemoryEvent::CATEGORY,
            Self::Listener => ListenerEvent::CATEGORY,
            Self::Recall => RecallEvent::CATEGORY,
            Self::Vectors => VectorEvent::CATEGORY,
            Self::DataTables => DataTableEvent::CATEGORY,
            Self::DataTable => TableRowsEvent::CATEGORY,
            Self::Audit => AuditEvent::CATEGORY,
            Self::Subject => SubjectEvent::CATEGORY,
            Self::Retention => RetentionEvent::CATEGORY,
            Self::Inferences => InferenceEvent::CATEGORY,
            Self::InferenceWorker => InferenceWorkerEvent::CATEGORY,
            Self::Gateway => GatewayEvent::CATEGORY,
            Self::ModelCalls => ModelCallEvent::CATEGORY,
            Self::Archive => ArchiveEvent::CATEGORY,
        }
    }
}

/// Whether this build can read the event: it knows the category, the type, and the version or a newer one.
pub fn is_known(event: &RecordedEvent) -> bool {
    match Kind::of_category(&event.stream.category) {
        None => false,
        Some(Kind::Workflow) => knows::<WorkflowEvent>(event),
        Some(Kind::Execution) => knows::<ExecutionEvent>(event),
        Some(Kind::Plugin) => knows::<PluginEvent>(event),
        Some(Kind::Model) => knows::<ModelEvent>(event),
        Some(Kind::Credential) => knows::<CredentialEvent>(event),
        Some(Kind::ReplayCheck) => knows::<ReplayCheckEvent>(event),
        Some(Kind::TestCases) => knows::<TestCaseEvent>(event),
        Some(Kind::Evaluation) => knows::<EvaluationEvent>(event),
        Some(Kind::DriftWatch) => knows::<DriftWatchEvent>(event),
        Some(Kind::EvaluationSet) => knows::<EvaluationSetEvent>(event),
        Some(Kind::Account) => knows::<AccountEvent>(event),
        Some(Kind::Session) => knows::<SessionEvent>(event),
        Some(Kind::Tenant) => knows::<TenantEvent>(event),
        Some(Kind::FeatureFlag) => knows::<FeatureFlagEvent>(event),
        Some(Kind::Agent) => knows::<AgentEvent>(event),
        Some(Kind::AgentRun) => knows::<AgentRunEvent>(event),
        Some(Kind::AgentMemory) => knows::<AgentMemoryEvent>(event),
        Some(Kind::Listener) => knows::<ListenerEvent>(event),
        Some(Kind::Recall) => knows::<RecallEvent>(event),
        Some(Kind::Vectors) => knows::<VectorEvent>(event),
        Some(Kind::DataTables) => knows::<DataTableEvent>(event),
        Some(Kind::DataTable) => knows::<TableRowsEvent>(event),
        Some(Kind::Audit) => knows::<AuditEvent>(event),
        Some(Kind::Subject) => knows::<SubjectEvent>(event),
        Some(Kind::Retention) => knows::<RetentionEvent>(event),
        Some(Kind::Inferences) => knows::<InferenceEvent>(event),
        Some(Kind::InferenceWorker) => knows::<InferenceWorkerEvent>(event),
        Some(Kind::Gateway) => knows::<GatewayEvent>(event),
        Some(Kind::ModelCalls) => knows::<ModelCallEvent>(event),
        Some(Kind::Archive) => knows::<ArchiveEvent>(event),
    }
}

/// Whether the event is one of `E`, in a version from the first to the current one.
pub(crate) fn knows<E: Event>(event: &RecordedEvent) -> bool {
    E::current_version(&event.event_type).is_some_and(|current| (1..=current).contains(&event.event_version))
}

/// What a stream came to, where it can be shown.
pub(crate) trait Shown: Folding {
    /// Whether its state keeps the data of its events, so that it grows with them.
    const KEEPS_DATA: bool;

    /// In one word how it is.
    fn status(&self) -> &'static str;

    /// Two states as JSON, to be compared: what both have alike may be something else instead, the same in both.
    fn differing(one: &Self, other: &Self) -> Result<(Value, Value), HistoryError> {
        Ok((one.json()?, other.json()?))
    }

    /// The value at a JSON pointer into the state.
    fn part(&self, path: &str) -> Result<Option<Value>, HistoryError> {
        Ok(self.json()?.pointer(path).cloned())
    }

    /// Whether an event can have changed the value at a path.
    fn concerns(&self, event: &Self::Event, path: &str) -> bool {
        let _ = (event, path);
        true
    }
}

impl Shown for Workflow {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        match (self.archived, self.versions.is_empty()) {
            (true, _) => "archived",
            (false, true) => "draft",
            (false, false) => "published",
        }
    }
}

impl Shown for BareExecution {
    const KEEPS_DATA: bool = true;

    fn differing(one: &Self, other: &Self) -> Result<(Value, Value), HistoryError> {
        part::differing(one, other)
    }

    fn status(&self) -> &'static str {
        self.execution.status.name()
    }

    fn part(&self, path: &str) -> Result<Option<Value>, HistoryError> {
        part::of_execution(self, path)
    }

    fn concerns(&self, event: &ExecutionEvent, path: &str) -> bool {
        part::concerns(self, event, path)
    }
}

impl Shown for Plugin {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        match (self.retired, &self.enabled_version) {
            (true, _) => "retired",
            (false, Some(_)) => "enabled",
            (false, None) => "disabled",
        }
    }
}

impl Shown for Model {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        match (self.retired, self.disabled) {
            (true, _) => "retired",
            (false, true) => "disabled",
            (false, false) => "enabled",
        }
    }
}

impl Shown for Credential {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        if self.sealed.is_some() { "saved" } else { "deleted" }
    }
}

impl Shown for Evaluation {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        self.status.name()
    }
}

impl Shown for DriftWatch {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        if self.running().is_some() { "running" } else { "stopped" }
    }
}

impl Shown for EvaluationSet {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        if self.versions.is_empty() { "empty" } else { "filled" }
    }
}

impl Shown for ReplayCheck {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        match (&self.request, &self.bisection) {
            (None, Some(bisection)) => bisection.status(),
            _ => self.status.name(),
        }
    }
}

impl Shown for TestCases {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        if self.cases.is_empty() { "empty" } else { "filled" }
    }
}

impl Shown for Account {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        if self.disabled { "disabled" } else { "enabled" }
    }
}

impl Shown for Session {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        if self.ended.is_some() { "ended" } else { "started" }
    }
}

impl Shown for Subject {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        match (&self.request, self.erased_at_ms) {
            (_, Some(_)) => "erased",
            (Some(_), None) => "erasure requested",
            (None, None) if !self.holds.is_empty() => "on hold",
            (None, None) => "kept",
        }
    }
}

impl Shown for FeatureFlag {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        if self.feature.is_some() { "set" } else { "removed" }
    }
}

impl Shown for Retention {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        match (self.days, self.holds.is_empty()) {
            (_, false) => "on hold",
            (Some(_), true) => "limited",
            (None, true) => "for ever",
        }
    }
}

impl Shown for Tenant {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        if self.suspended { "suspended" } else { "active" }
    }
}

impl Shown for Agent {
    const KEEPS_DATA: bool = true;

    fn status(&self) -> &'static str {
        self.state().name()
    }
}

impl Shown for AgentRun {
    const KEEPS_DATA: bool = true;

    fn status(&self) -> &'static str {
        self.status.name()
    }
}

impl Shown for AgentMemory {
    const KEEPS_DATA: bool = true;

    fn status(&self) -> &'static str {
        if self.exchanges.is_empty() { "empty" } else { "remembering" }
    }
}

impl Shown for Listener {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        match (&self.worker, &self.error) {
            (Some(_), _) => "listening",
            (None, Some(_)) => "failing",
            (None, None) => "new",
        }
    }
}

impl Shown for Recall {
    const KEEPS_DATA: bool = true;

    fn status(&self) -> &'static str {
        if self.keys.is_empty() && self.mark.is_none() { "empty" } else { "remembering" }
    }
}

impl Shown for VectorCollection {
    const KEEPS_DATA: bool = true;

    fn status(&self) -> &'static str {
        if self.rows.is_empty() { "empty" } else { "filled" }
    }
}

impl Shown for DataTables {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        if self.tables.is_empty() { "empty" } else { "filled" }
    }
}

impl Shown for TableRows {
    const KEEPS_DATA: bool = true;

    fn status(&self) -> &'static str {
        if self.rows.is_empty() { "empty" } else { "filled" }
    }
}

impl Shown for Audit {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        "written"
    }
}

impl Shown for Archive {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        "archived"
    }
}

impl Shown for Inferences {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        if self.open > 0 { "computing" } else { "idle" }
    }
}

impl Shown for InferenceWorker {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        match (self.stopped, self.draining) {
            (true, _) => "stopped",
            (false, true) => "draining",
            (false, false) => "working",
        }
    }
}

impl Shown for GatewayConfiguration {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        if self.routes.is_empty() { "empty" } else { "set up" }
    }
}

impl Shown for ModelCalls {
    const KEEPS_DATA: bool = false;

    fn status(&self) -> &'static str {
        "written"
    }
}
