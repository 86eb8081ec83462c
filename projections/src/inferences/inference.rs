//! One inference: what its events say about it, folded into a row.

use serde::Deserialize;
use timeloom_domain::ids::{ExecutionId, InferenceId, InferenceWorkerId, ModelLoadId, Slug};
use timeloom_domain::inference::{FailureClass, InferenceEvent, Provider, RejectionClass};
use timeloom_store::{Position, RecordedEvent};

use crate::error::FoldError;
use crate::payload::{check_type, read_payload, shorten};
use crate::provenance::Provenance;

/// One inference.
#[derive(Debug, Clone, PartialEq)]
pub struct InferenceRow {
    /// Its id.
    pub id: InferenceId,
    /// Who computed it, or was to.
    pub worker: InferenceWorkerId,
    /// The model.
    pub model: Slug,
    /// The version that its name meant at that moment.
    pub version: u32,
    /// SHA-256 of that version's file, hexadecimal.
    pub digest: String,
    /// How it was named: `sentiment@prod`.
    pub asked: String,
    /// The execution that asked.
    pub execution: Option<ExecutionId>,
    /// The node of it that asked.
    pub node: Option<String>,
    /// When it came in, in milliseconds since 1970.
    pub asked_at_ms: i64,
    /// Until when it was wanted, in milliseconds since 1970.
    pub deadline_ms: i64,
    /// How far it is.
    pub status: InferenceStatus,
    /// Why it was not answered.
    pub unanswered: Option<Unanswered>,
    /// The same in words, where there are any.
    pub reason: Option<String>,
    /// When to ask again, in milliseconds, where that is known.
    pub retry_after_ms: Option<u64>,
    /// How long it waited, in microseconds.
    pub queue_us: Option<u64>,
    /// How it was answered.
    pub answer: Option<InferenceAnswerRow>,
    /// Position of the event that says what was asked.
    pub request_position: Position,
    /// Position of the event that ended it.
    pub ended_position: Option<Position>,
    /// Which events made it.
    pub provenance: Provenance,
}

/// How an inference was answered; the outputs are in the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferenceAnswerRow {
    /// Who computed, as it was seen.
    pub provider: Provider,
    /// The load of the model that computed.
    pub load: ModelLoadId,
    /// How long its batch was computed, in microseconds.
    pub compute_us: u64,
    /// Rows of its batch, those of other callers too.
    pub batch_rows: u32,
    /// Rows that were computed, those that only filled the batch up too.
    pub bucket: u32,
    /// Digest of its fingerprint, hexadecimal.
    pub fingerprint: String,
}

/// How far an inference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InferenceStatus {
    /// It was asked for.
    Requested,
    /// It is computed.
    Computing,
    /// It was answered.
    Completed,
    /// It could not be answered.
    Failed,
    /// It was not begun.
    Rejected,
    /// Nobody waited for it any more.
    Cancelled,
}

impl InferenceStatus {
    /// Whether nothing more happens to it.
    pub fn has_ended(self) -> bool {
        !matches!(self, Self::Requested | Self::Computing)
    }
}

/// Why an inference was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// It failed.
    Failed(FailureClass),
    /// It was not begun.
    Rejected(RejectionClass),
}

/// Which inferences to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct InferenceFilter {
    /// Only those of this model.
    pub model: Option<Slug>,
    /// Only those of a version with this number.
    pub version: Option<u32>,
    /// Only those that are so far.
    pub status: Option<InferenceStatus>,
    /// Only those for which this execution asked.
    pub execution: Option<ExecutionId>,
    /// Only those with this fingerprint: computed from the same bytes in the same way.
    pub fingerprint: Option<String>,
}

/// What rows need of a request.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    model: Slug,
    asked: String,
    version: u32,
    digest: String,
    execution: Option<ExecutionId>,
    node: Option<String>,
    at_ms: i64,
    deadline_ms: i64,
}

/// What rows need of an answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    provider: Provider,
    load: ModelLoadId,
    queue_us: u64,
    compute_us: u64,
    batch_rows: u32,
    bucket: u32,
    fingerprint: String,
}

/// What an event says about an inference.
#[derive(Debug)]
pub(crate) struct InferenceFact {
    id: InferenceId,
    request: Option<Box<Request>>,
    what: What,
}

#[derive(Debug)]
enum What {
    Requested,
    Started { queue_us: u64 },
    Completed(Box<Answer>),
    Failed { class: FailureClass, reason: String },
    Rejected { class: RejectionClass, retry_after_ms: Option<u64> },
    Cancelled,
}

#[derive(Deserialize)]
struct Requested {
    inference: InferenceId,
    request: Box<Request>,
}

#[derive(Deserialize)]
struct Started {
    inference: InferenceId,
    queue_us: u64,
}

#[derive(Deserialize)]
struct Completed {
    inference: InferenceId,
    request: Option<Box<Request>>,
    answer: Box<Answer>,
}

#[derive(Deserialize)]
struct Failed {
    inference: InferenceId,
    request: Option<Box<Request>>,
    class: FailureClass,
    reason: String,
}

#[derive(Deserialize)]
struct Rejected {
    inference: InferenceId,
    request: Option<Box<Request>>,
    class: RejectionClass,
    retry_after_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Cancelled {
    inference: InferenceId,
    request: Option<Box<Request>>,
}

/// What an event says about which inference; `None` when it is about none. Tensors are passed over.
pub(crate) fn read(event: &RecordedEvent) -> Result<Option<(InferenceId, InferenceFact)>, FoldError> {
    let (id, request, what) = match &*event.event_type {
        "InferenceRequested" => {
            let Requested { inference, request } = read_payload::<InferenceEvent, _>(event)?;
            (inference, Some(request), What::Requested)
        }
        "InferenceStarted" => {
            let Started { inference, queue_us } = read_payload::<InferenceEvent, _>(event)?;
            (inference, None, What::Started { queue_us })
        }
        "InferenceCompleted" => {
            let Completed { inference, request, answer } = read_payload::<InferenceEvent, _>(event)?;
            (inference, request, What::Completed(answer))
        }
        "InferenceFailed" => {
            let Failed { inference, request, class, reason } = read_payload::<InferenceEvent, _>(event)?;
            (inference, request, What::Failed { class, reason })
        }
        "InferenceRejected" => {
            let Rejected { inference, request, class, retry_after_ms } = read_payload::<InferenceEvent, _>(event)?;
            (inference, request, What::Rejected { class, retry_after_ms })
        }
        "InferenceCancelled" => {
            let Cancelled { inference, request } = read_payload::<InferenceEvent, _>(event)?;
            (inference, request, What::Cancelled)
        }
        _ => {
            check_type::<InferenceEvent>(event)?;
            return Ok(None);
        }
    };
    Ok(Some((id, InferenceFact { id, request, what })))
}

/// The row after what an event says; `None` when nobody knows what was asked.
pub(crate) fn fold(
    current: Option<&InferenceRow>,
    worker: InferenceWorkerId,
    fact: InferenceFact,
    event: &RecordedEvent,
) -> Option<InferenceRow> {
    let InferenceFact { id, request, what } = fact;
    let mut row = match (current, request) {
        (Some(current), _) => InferenceRow { provenance: current.provenance.updated_by(event), ..current.clone() },
        (None, Some(request)) => begin(id, worker, *request, event),
        (None, None) => return None,
    };
    row.status = match what {
        What::Requested => row.status,
        What::Started { queue_us } => {
            row.queue_us = Some(queue_us);
            InferenceStatus::Computing
        }
        What::Completed(answer) => {
            let Answer { provider, load, queue_us, compute_us, batch_rows, bucket, fingerprint } = *answer;
            row.queue_us = Some(queue_us);
            row.answer = Some(InferenceAnswerRow { provider, load, compute_us, batch_rows, bucket, fingerprint });
            InferenceStatus::Completed
        }
        What::Failed { class, reason } => {
            row.unanswered = Some(Unanswered::Failed(class));
            row.reason = Some(shorten(reason));
            InferenceStatus::Failed
        }
        What::Rejected { class, retry_after_ms } => {
            row.unanswered = Some(Unanswered::Rejected(class));
            row.retry_after_ms = retry_after_ms;
            InferenceStatus::Rejected
        }
        What::Cancelled => InferenceStatus::Cancelled,
    };
    if row.status.has_ended() {
        row.ended_position.get_or_insert(event.position);
    }
    Some(row)
}

fn begin(id: InferenceId, worker: InferenceWorkerId, request: Request, event: &RecordedEvent) -> InferenceRow {
    let Request { model, asked, version, digest, execution, node, at_ms, deadline_ms } = request;
    InferenceRow {
        id,
        worker,
        model,
        version,
        digest,
        asked,
        execution,
        node,
        asked_at_ms: at_ms,
        deadline_ms,
        status: InferenceStatus::Requested,
        unanswered: None,
        reason: None,
        retry_after_ms: None,
        queue_us: None,
        answer: None,
        request_position: event.position,
        ended_position: None,
        provenance: Provenance::created_by(event),
    }
}
