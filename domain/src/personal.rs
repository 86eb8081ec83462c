//! Which fields of which events are about a person, and what stands in their place once the person is erased.
//!
//! The fields of an event that has a subject are sealed under the subject's key before the log has them, and everything else
//! of it stays as it is. Invariant: an event with what stands for erased fields is read and folded like any other. A path is
//! never taken out of a table, for events that were sealed by it stay; one may be added.

use crate::account::AccountEvent;
use crate::agent_memory::AgentMemoryEvent;
use crate::agent_run::AgentRunEvent;
use crate::data_table::TableRowsEvent;
use crate::evaluation_set::EvaluationSetEvent;
use crate::event::Event;
use crate::execution::ExecutionEvent;
use crate::inference::InferenceEvent;
use crate::model_call::ModelCallEvent;
use crate::session::SessionEvent;
use crate::subject::SubjectEvent;
use crate::vectors::VectorEvent;

/// What stands in place of an erased text. It is also how an erased thing is told from others.
pub const ERASED: &str = "[erased]";
/// The same as JSON.
const TEXT: &str = r#""[erased]""#;
/// What stands in place of an erased failure.
const ERROR: &str = r#"{"name":"Erased","message":"[erased]"}"#;
/// What stands in place of an erased answer.
const RESPONSE: &str = r#"{"status":410,"body":{"kind":"empty"}}"#;

/// A field of an event that is about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PersonalField {
    /// Where it is: names of fields from the outside in, with dots between them.
    pub path: &'static str,
    /// What stands in its place once it is erased, as JSON.
    pub erased: &'static str,
    /// Whether that stands there as well where the field was not: it is how an erased thing is told from others.
    pub marks: bool,
}

/// The fields of one type of events that are about a person.
pub type PersonalType = (&'static str, &'static [PersonalField]);

/// Which events of a category are about a person.
#[derive(Debug, Clone, Copy)]
pub struct Personal {
    /// Each type that has such fields.
    pub types: &'static [PersonalType],
    /// Whether a stream is about the person that its first event is about: whoever adds to it need not say so again.
    pub of_stream: bool,
    /// Whether it is made to last: it goes with whom it is about, and not with the time of what brought it.
    pub lasts: bool,
}

impl Personal {
    /// What of the events of `category` is about a person; `None` where nothing is.
    pub fn of(category: &str) -> Option<Self> {
        match category {
            ExecutionEvent::CATEGORY => Some(Self::of_streams(EXECUTION)),
            AccountEvent::CATEGORY => Some(Self::of_events(ACCOUNT)),
            SubjectEvent::CATEGORY => Some(Self::of_streams(SUBJECT)),
            ModelCallEvent::CATEGORY => Some(Self::of_events(MODEL_CALL)),
            InferenceEvent::CATEGORY => Some(Self::of_events(INFERENCE)),
            SessionEvent::CATEGORY => Some(Self::of_events(SESSION)),
            AgentRunEvent::CATEGORY => Some(Self::of_streams(AGENT_RUN)),
            AgentMemoryEvent::CATEGORY => Some(Self { lasts: true, ..Self::of_events(AGENT_MEMORY) }),
            TableRowsEvent::CATEGORY => Some(Self { lasts: true, ..Self::of_events(TABLE_ROWS) }),
            EvaluationSetEvent::CATEGORY => Some(Self { lasts: true, ..Self::of_events(EVALUATION_SET) }),
            VectorEvent::CATEGORY => Some(Self { lasts: true, ..Self::of_events(VECTORS) }),
            _ => None,
        }
    }

    const fn of_streams(types: &'static [PersonalType]) -> Self {
        Self { types, of_stream: true, lasts: false }
    }

    const fn of_events(types: &'static [PersonalType]) -> Self {
        Self { types, of_stream: false, lasts: false }
    }

    /// The fields of events of one type; none where it has none.
    pub fn fields(self, event_type: &str) -> &'static [PersonalField] {
        self.types.iter().find(|(known, _)| *known == event_type).map_or(&[], |(_, fields)| fields)
    }
}

const fn field(path: &'static str, erased: &'static str) -> PersonalField {
    PersonalField { path, erased, marks: false }
}

const fn mark(path: &'static str) -> PersonalField {
    PersonalField { path, erased: TEXT, marks: true }
}

const EXECUTION: &[PersonalType] = &[
    ("ExecutionStarted", &[field("items", "[]"), field("pins", "{}"), mark("subject")]),
    ("NodeCompleted", &[field("outputs", "[]"), field("memory", "null"), field("hints", "[]")]),
    ("NodeFailed", &[field("error", ERROR), field("outputs", "[]")]),
    ("NodeRetried", &[field("error", ERROR)]),
    ("NodeSkipped", &[field("reason", TEXT)]),
    ("ExecutionWaiting", &[field("resume", "null")]),
    ("ExecutionResumed", &[field("items", "null")]),
    ("ExecutionPaused", &[field("reason.reason", TEXT)]),
    ("ExecutionResponded", &[field("response", RESPONSE)]),
    ("ExecutionDataSaved", &[field("data", "{}")]),
    ("ExecutionRetried", &[field("start.items", "[]"), field("start.pins", "{}"), mark("start.subject")]),
    (
        "ExecutionForked",
        &[
            field("reason", TEXT),
            field("start.items", "[]"),
            field("start.pins", "{}"),
            mark("start.subject"),
            field("changes", "[]"),
        ],
    ),
    ("ExecutionDismissed", &[field("reason", TEXT)]),
    ("ExecutionCancelled", &[field("reason", TEXT)]),
    ("ExecutionFailed", &[field("error", ERROR)]),
    (
        "ExecutionContinued",
        &[
            field("start.items", "[]"),
            field("start.pins", "{}"),
            mark("start.subject"),
            field("due", "[]"),
            field("waiting", "[]"),
            field("memory", "{}"),
        ],
    ),
];

const ACCOUNT: &[PersonalType] = &[
    ("AccountCreated", &[field("name", TEXT), field("email", "null")]),
    ("AccountRenamed", &[field("name", TEXT), field("email", "null")]),
    ("IdentityLinked", &[field("subject", TEXT)]),
    ("IdentityUnlinked", &[field("subject", TEXT)]),
    ("ApiKeyMade", &[field("name", TEXT)]),
];

/// What stands in place of something that was said to a model, or by one.
const NOTHING: &str = r#""nothing""#;

const MODEL_CALL: &[PersonalType] = &[
    (
        "ModelCallCompleted",
        &[field("call.request.prompt", NOTHING), field("call.attempts", "[]"), field("answer.content", NOTHING)],
    ),
    ("ModelCallFailed", &[field("call.request.prompt", NOTHING), field("call.attempts", "[]"), field("reason", TEXT)]),
    ("ModelCallRefused", &[field("call.request.prompt", NOTHING), field("reason", TEXT)]),
    ("ModelCallCancelled", &[field("call.request.prompt", NOTHING), field("call.attempts", "[]")]),
];

const INFERENCE: &[PersonalType] = &[
    ("InferenceRequested", &[field("request.inputs", "[]")]),
    ("InferenceCompleted", &[field("request.inputs", "[]"), field("answer.outputs", "[]")]),
    ("InferenceFailed", &[field("request.inputs", "[]"), field("reason", TEXT)]),
    ("InferenceRejected", &[field("request.inputs", "[]")]),
];

const SESSION: &[PersonalType] = &[("SessionStarted", &[field("address", "null"), field("user_agent", "null")])];

const AGENT_RUN: &[PersonalType] = &[
    ("AgentRunStarted", &[field("plan.prompt", TEXT), field("input", "null"), field("session", "null")]),
    (
        "AgentRunForked",
        &[
            field("reason", TEXT),
            field("changes", "{}"),
            field("facts.plan.prompt", TEXT),
            field("facts.input", "null"),
            field("facts.session", "null"),
            field("carried", "{}"),
        ],
    ),
    ("AgentMemoryRead", &[field("exchanges", "[]")]),
    ("AgentModelAnswered", &[field("answer.parts", "[]")]),
    ("AgentModelFailed", &[field("message", TEXT)]),
    ("AgentOutputRejected", &[field("message", TEXT)]),
    ("AgentToolRefused", &[field("message", TEXT)]),
    ("AgentApprovalRequested", &[field("arguments", "{}")]),
    ("AgentApprovalGiven", &[field("note", TEXT)]),
    ("AgentApprovalDenied", &[field("reason", TEXT)]),
    ("AgentToolCalled", &[field("arguments", "{}")]),
    ("AgentToolAnswered", &[field("content", TEXT)]),
    ("AgentToolFailed", &[field("message", TEXT)]),
    ("AgentRunPaused", &[field("reason", TEXT)]),
    ("AgentRunCancelled", &[field("reason", TEXT)]),
    ("AgentRunCompleted", &[field("output", "null")]),
    ("AgentRunFailed", &[field("message", TEXT)]),
];

const AGENT_MEMORY: &[PersonalType] = &[(
    "AgentExchangeRemembered",
    &[field("session", TEXT), field("exchange.asked", TEXT), field("exchange.answered", TEXT)],
)];

const TABLE_ROWS: &[PersonalType] =
    &[("TableRowsInserted", &[field("rows", "[]")]), ("TableRowsUpdated", &[field("cells", "{}")])];

const EVALUATION_SET: &[PersonalType] = &[("EvaluationSetVersionAdded", &[field("cases", "[]"), mark("subject")])];

const VECTORS: &[PersonalType] = &[("VectorsAdded", &[field("rows", "[]")])];

const SUBJECT: &[PersonalType] =
    &[("ErasureRequested", &[field("subject", TEXT)]), ("LegalHoldPlaced", &[field("subject", TEXT)])];
