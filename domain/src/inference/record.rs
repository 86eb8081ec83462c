//! What happens to inferences: each is one model's answer to one request, and is written into the stream of the worker
//! that computed it.

use serde::{Deserialize, Serialize};

use super::{ElementType, OutputComparison, Provider};
use crate::event::{Aggregate, Event};
use crate::execution::ExecutionEvent;
use crate::ids::{ExecutionId, InferenceId, ModelLoadId, Slug, WorkflowId};
use crate::model::RolloutArm;

/// A fact about an inference, or about many that were sampled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InferenceEvent {
    /// It was asked for. Written by itself only where everything is recorded; else the event that ends it holds the request.
    InferenceRequested {
        /// The inference.
        inference: InferenceId,
        /// What was asked.
        request: Box<InferenceRequest>,
    },
    /// It began to be computed. Written only where everything is recorded.
    InferenceStarted {
        /// The inference.
        inference: InferenceId,
        /// How long it waited, in microseconds.
        queue_us: u64,
    },
    /// It was answered.
    InferenceCompleted {
        /// The inference.
        inference: InferenceId,
        /// What was asked, where no event of its own says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Box<InferenceRequest>>,
        /// The answer.
        answer: Box<InferenceAnswer>,
    },
    /// It could not be answered.
    InferenceFailed {
        /// The inference.
        inference: InferenceId,
        /// What was asked, where no event of its own says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Box<InferenceRequest>>,
        /// What kind of failure.
        class: FailureClass,
        /// Why, in words.
        reason: String,
    },
    /// It was not begun.
    InferenceRejected {
        /// The inference.
        inference: InferenceId,
        /// What was asked, where no event of its own says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Box<InferenceRequest>>,
        /// Why.
        class: RejectionClass,
        /// When to ask again, in milliseconds, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// Nobody waited for it any more.
    InferenceCancelled {
        /// The inference.
        inference: InferenceId,
        /// What was asked, where no event of its own says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Box<InferenceRequest>>,
    },
    /// Sums over the inferences of a time that were not written down one by one.
    InferenceWindowClosed(Box<InferenceWindow>),
}

/// What was asked of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InferenceRequest {
    /// The model.
    pub model: Slug,
    /// How it was named: `sentiment@prod`. Which version that was is told by `version`.
    pub asked: String,
    /// The version that the name meant at that moment.
    pub version: u32,
    /// On which side of a trial it was; absent where none was under way for that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<RolloutArm>,
    /// SHA-256 of that version's file, hexadecimal.
    pub digest: String,
    /// The inputs, in the order of the model's signature.
    pub inputs: Vec<TensorRecord>,
    /// The workflow that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowId>,
    /// The execution that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionId>,
    /// The node of it that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The agent that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Slug>,
    /// The key under which the caller may ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The inference that it is a copy of: a version that is tried on copies computed it, and nobody got its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow_of: Option<InferenceId>,
    /// When it came in, in milliseconds since 1970.
    pub at_ms: i64,
    /// Until when it was wanted, in milliseconds since 1970.
    pub deadline_ms: i64,
}

/// What a model answered, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InferenceAnswer {
    /// The outputs, in the order of the model's signature.
    pub outputs: Vec<TensorRecord>,
    /// Who computed, as it was seen.
    pub provider: Provider,
    /// The load of the model that computed: the event of that load tells the options, the runtime and the machine.
    pub load: ModelLoadId,
    /// How long it waited, in microseconds.
    pub queue_us: u64,
    /// How long its batch was computed, in microseconds.
    pub compute_us: u64,
    /// Rows of its batch, those of other callers too.
    pub batch_rows: u32,
    /// Rows that were computed, those that only filled the batch up too.
    pub bucket: u32,
    /// Digest of its fingerprint, hexadecimal: see [`super::Fingerprint`].
    pub fingerprint: String,
    /// Of a copy: how it compares with the answer that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<OutputComparison>,
}

/// A tensor as it is written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorRecord {
    /// Its name in the model's signature.
    pub name: String,
    /// What it is made of.
    pub element: ElementType,
    /// Its dimensions.
    pub shape: Vec<u64>,
    /// SHA-256 over its type, shape and bytes, hexadecimal.
    pub digest: String,
    /// Its bytes.
    pub content: TensorContent,
}

/// The bytes of a tensor as they are written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TensorContent {
    /// They are here, as base64.
    Inline(String),
    /// They are a blob: `blob:` and its hash.
    Blob(String),
    /// Only their digest is known: what is recorded of the model leaves them out.
    Omitted,
}

/// Why an inference failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The inputs do not fit the model.
    Unfit,
    /// Memory ran out.
    OutOfMemory,
    /// The model could not be loaded.
    NotLoaded,
    /// The runtime failed.
    Runtime,
}

/// Why an inference was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionClass {
    /// Too many wait.
    QueueFull,
    /// It was not wanted any more when it would have been begun.
    DeadlineMissed,
    /// The worker ends.
    Draining,
}

/// How many inferences were not begun, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedCounts {
    /// Too many waited.
    pub queue_full: u64,
    /// They were not wanted any more when they would have been begun.
    pub deadline_missed: u64,
    /// The worker ended.
    pub draining: u64,
}

impl RejectedCounts {
    /// One more.
    pub fn add(&mut self, class: RejectionClass) {
        let count = match class {
            RejectionClass::QueueFull => &mut self.queue_full,
            RejectionClass::DeadlineMissed => &mut self.deadline_missed,
            RejectionClass::Draining => &mut self.draining,
        };
        *count += 1;
    }

    /// All of them.
    pub fn all(&self) -> u64 {
        self.queue_full + self.deadline_missed + self.draining
    }
}

/// Sums over inferences of one version of a model that were not written down one by one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InferenceWindow {
    /// The model.
    pub model: Slug,
    /// The version.
    pub version: u32,
    /// The load of the model that computed them.
    pub load: ModelLoadId,
    /// From when, in milliseconds since 1970.
    pub from_ms: i64,
    /// Until when, in milliseconds since 1970.
    pub until_ms: i64,
    /// How many were answered and not written down.
    pub completed: u64,
    /// How many were cancelled and not written down.
    pub cancelled: u64,
    /// How many were not begun and not written down.
    #[serde(default)]
    pub rejected: RejectedCounts,
    /// Sum of the times that they were computed for, in microseconds.
    pub compute_us: u64,
    /// Sum of the times that they waited, in microseconds.
    pub queue_us: u64,
    /// How many took up to 2^n microseconds from their coming in to their answer, and longer than for n-1; the first is n = 0.
    pub latency_log2_us: Vec<u64>,
    /// SHA-256 over the fingerprints and the digests of the outputs of all of them in the order of their answers,
    /// hexadecimal: whoever kept answers can prove that they belong to it.
    pub chain: String,
}

impl Event for InferenceEvent {
    const CATEGORY: &'static str = "inference";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("InferenceRequested", 2),
        ("InferenceStarted", 1),
        ("InferenceCompleted", 2),
        ("InferenceFailed", 2),
        ("InferenceRejected", 2),
        ("InferenceCancelled", 2),
        ("InferenceWindowClosed", 2),
    ];

    fn reads_as_current(event_type: &str, version: u16) -> bool {
        version == 1 && event_type != "InferenceStarted"
    }

    /// The execution that asked.
    fn subject_stream(&self) -> Option<(&'static str, String)> {
        let request = match self {
            Self::InferenceRequested { request, .. } => Some(request),
            Self::InferenceCompleted { request, .. }
            | Self::InferenceFailed { request, .. }
            | Self::InferenceRejected { request, .. } => request.as_ref(),
            _ => None,
        };
        Some((ExecutionEvent::CATEGORY, request?.execution?.to_string()))
    }

    fn event_type(&self) -> &'static str {
        match self {
            Self::InferenceRequested { .. } => "InferenceRequested",
            Self::InferenceStarted { .. } => "InferenceStarted",
            Self::InferenceCompleted { .. } => "InferenceCompleted",
            Self::InferenceFailed { .. } => "InferenceFailed",
            Self::InferenceRejected { .. } => "InferenceRejected",
            Self::InferenceCancelled { .. } => "InferenceCancelled",
            Self::InferenceWindowClosed(_) => "InferenceWindowClosed",
        }
    }
}

/// The inferences of one worker, in sums: each of them is an event, and no event changes another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inferences {
    /// How many were asked for by an event of their own and have not ended.
    pub open: u64,
    /// How many were answered.
    pub completed: u64,
    /// How many failed.
    pub failed: u64,
    /// How many were not begun.
    pub rejected: u64,
    /// How many were cancelled.
    pub cancelled: u64,
}

impl Inferences {
    fn ended(&mut self, had_own_request: bool) {
        if had_own_request {
            self.open = self.open.saturating_sub(1);
        }
    }
}

/// Nothing is refused: what a worker did is a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InferenceRefusal {}

impl Aggregate for Inferences {
    const FOLD_VERSION: u32 = 2;

    type Event = InferenceEvent;
    type Command = Vec<InferenceEvent>;
    type Refusal = InferenceRefusal;

    fn apply(&mut self, event: &InferenceEvent) {
        match event {
            InferenceEvent::InferenceRequested { .. } => self.open += 1,
            InferenceEvent::InferenceStarted { .. } => {}
            InferenceEvent::InferenceCompleted { request, .. } => {
                self.ended(request.is_none());
                self.completed += 1;
            }
            InferenceEvent::InferenceFailed { request, .. } => {
                self.ended(request.is_none());
                self.failed += 1;
            }
            InferenceEvent::InferenceRejected { request, .. } => {
                self.ended(request.is_none());
                self.rejected += 1;
            }
            InferenceEvent::InferenceCancelled { request, .. } => {
                self.ended(request.is_none());
                self.cancelled += 1;
            }
            InferenceEvent::InferenceWindowClosed(window) => {
                self.completed += window.completed;
                self.cancelled += window.cancelled;
                self.rejected += window.rejected.all();
            }
        }
    }

    fn decide(&self, command: &Vec<InferenceEvent>) -> Result<Vec<InferenceEvent>, InferenceRefusal> {
        Ok(command.clone())
    }
}
