//! What every aggregate's events have in common.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::account::AccountEvent;
use crate::agent::AgentEvent;
use crate::agent_memory::AgentMemoryEvent;
use crate::agent_run::AgentRunEvent;
use crate::archive::ArchiveEvent;
use crate::audit::AuditEvent;
use crate::credential::CredentialEvent;
use crate::data_table::{DataTableEvent, TableRowsEvent};
use crate::drift::DriftWatchEvent;
use crate::evaluation::EvaluationEvent;
use crate::evaluation_set::EvaluationSetEvent;
use crate::execution::ExecutionEvent;
use crate::feature_flag::FeatureFlagEvent;
use crate::gateway::GatewayEvent;
use crate::inference::{InferenceEvent, InferenceWorkerEvent};
use crate::listener::ListenerEvent;
use crate::model::ModelEvent;
use crate::model_call::ModelCallEvent;
use crate::plugin::PluginEvent;
use crate::recall::RecallEvent;
use crate::replay::ReplayCheckEvent;
use crate::retention::RetentionEvent;
use crate::session::SessionEvent;
use crate::subject::SubjectEvent;
use crate::tenant::TenantEvent;
use crate::test_case::TestCaseEvent;
use crate::vectors::VectorEvent;
use crate::workflow::WorkflowEvent;

/// The categories of all events here: only commands append to streams of these.
pub const OWN_CATEGORIES: [&str; 30] = [
    WorkflowEvent::CATEGORY,
    ExecutionEvent::CATEGORY,
    PluginEvent::CATEGORY,
    ModelEvent::CATEGORY,
    InferenceWorkerEvent::CATEGORY,
    InferenceEvent::CATEGORY,
    GatewayEvent::CATEGORY,
    ModelCallEvent::CATEGORY,
    CredentialEvent::CATEGORY,
    AgentEvent::CATEGORY,
    AgentRunEvent::CATEGORY,
    AgentMemoryEvent::CATEGORY,
    ListenerEvent::CATEGORY,
    RecallEvent::CATEGORY,
    VectorEvent::CATEGORY,
    DataTableEvent::CATEGORY,
    TableRowsEvent::CATEGORY,
    ReplayCheckEvent::CATEGORY,
    TestCaseEvent::CATEGORY,
    EvaluationEvent::CATEGORY,
    DriftWatchEvent::CATEGORY,
    EvaluationSetEvent::CATEGORY,
    AccountEvent::CATEGORY,
    SessionEvent::CATEGORY,
    TenantEvent::CATEGORY,
    FeatureFlagEvent::CATEGORY,
    AuditEvent::CATEGORY,
    ArchiveEvent::CATEGORY,
    SubjectEvent::CATEGORY,
    RetentionEvent::CATEGORY,
];

/// The categories that belong to the audit trail, with the types of their events: who has access, and what is decided about
/// people, secrets and features. Whoever reads them is written down.
pub const AUDITED: [(&str, &[(&str, u16)]); 8] = [
    (AccountEvent::CATEGORY, AccountEvent::TYPES),
    (SessionEvent::CATEGORY, SessionEvent::TYPES),
    (TenantEvent::CATEGORY, TenantEvent::TYPES),
    (FeatureFlagEvent::CATEGORY, FeatureFlagEvent::TYPES),
    (SubjectEvent::CATEGORY, SubjectEvent::TYPES),
    (RetentionEvent::CATEGORY, RetentionEvent::TYPES),
    (AuditEvent::CATEGORY, AuditEvent::TYPES),
    (CredentialEvent::CATEGORY, CredentialEvent::TYPES),
];

/// Whether the events of a category belong to the audit trail.
pub fn is_audited(category: &str) -> bool {
    AUDITED.iter().any(|(known, _)| *known == category)
}

/// A fact that happened to an aggregate. Serialised as a tagged enum: `{"type": "workflow_created", …}`.
pub trait Event: Sized {
    /// Category of the streams that hold these events, for example `workflow`.
    const CATEGORY: &'static str;

    /// Every event type of this category with the version in which it is written now. Frozen once released: a change of
    /// shape is a new version with an upcaster, and a golden file of each.
    const TYPES: &'static [(&'static str, u16)];

    /// Name of this event's type, for example `WorkflowCreated`. Frozen once released.
    fn event_type(&self) -> &'static str;

    /// Whom the personal fields of this event are about, which is in the stream with this id: the name of a subject. `None`
    /// where it says nothing of that; see [`crate::personal`].
    fn subject(&self, stream_id: &str) -> Option<String> {
        let _ = stream_id;
        None
    }

    /// The stream, by its category and id, which says whom the personal fields of this event are about, where neither the
    /// event nor its own stream does.
    fn subject_stream(&self) -> Option<(&'static str, String)> {
        None
    }

    /// Version of this event's shape.
    fn event_version(&self) -> u16 {
        Self::current_version(self.event_type()).unwrap_or(1)
    }

    /// The version in which events of that type are written now; `None` when the type is unknown.
    fn current_version(event_type: &str) -> Option<u16> {
        Self::TYPES.iter().find(|(known, _)| *known == event_type).map(|(_, version)| *version)
    }

    /// Reads a payload of the current version.
    ///
    /// # Errors
    /// When the payload does not have the shape of the type that it names.
    fn read(payload: &str) -> Result<Self, serde_json::Error>
    where
        Self: DeserializeOwned,
    {
        serde_json::from_str(payload)
    }

    /// Reads a payload of the current version without the data in it, which the aggregate keeps and nothing else of its fold
    /// depends on; `None` where that is not told apart, or the payload is not as it should be.
    fn read_bare(payload: &str) -> Option<Self> {
        let _ = payload;
        None
    }

    /// Whether payloads of that older version can be read as they are: since then only optional fields were added.
    fn reads_as_current(event_type: &str, version: u16) -> bool {
        let _ = (event_type, version);
        false
    }

    /// About how many bytes its payload has, where that may be many and is quickly told; else 0.
    fn text_room(&self) -> usize {
        0
    }

    /// Lifts a payload of an older version to the current one.
    ///
    /// # Errors
    /// When no upcaster from that version exists; the text says so.
    fn upcast(event_type: &str, version: u16, payload: Value) -> Result<Value, String> {
        if Self::reads_as_current(event_type, version) {
            return Ok(payload);
        }
        Err(format!("no upcaster from version {version} of event type '{event_type}'"))
    }
}

/// State that is folded from events. `apply` cannot fail: an event is a fact.
///
/// ```
/// use timeloom_domain::event::Aggregate;
/// use timeloom_domain::ids::Slug;
/// use timeloom_domain::plugin::{Plugin, PluginCommand};
///
/// let mut plugin = Plugin::default();
/// let register = PluginCommand::Register { name: Slug::try_new("acme/mailer")?, description: String::new() };
/// for event in plugin.decide(&register)? {
///     plugin.apply(&event);
/// }
/// let refusal = plugin.decide(&register).unwrap_err();
/// assert_eq!(refusal.to_string(), "a plugin with this name is registered already: add a version to it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Aggregate: Default {
    /// Version of the fold: raised whenever `apply` comes to another state, or the state is written down otherwise. What
    /// was kept of an older fold is then thrown away and folded anew from the events.
    const FOLD_VERSION: u32;

    /// What happens to it.
    type Event: Event;
    /// What may be asked of it.
    type Command;
    /// Why it says no.
    type Refusal: std::error::Error;

    /// Folds one event in.
    fn apply(&mut self, event: &Self::Event);

    /// Decides on a command: events, or a refusal. No events means that the command had already happened.
    ///
    /// # Errors
    /// The refusal, whose message says what to do next.
    fn decide(&self, command: &Self::Command) -> Result<Vec<Self::Event>, Self::Refusal>;
}
