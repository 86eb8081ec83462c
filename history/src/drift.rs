//! Recorded inferences as samples of what goes into a model and what comes out: found in the log, read, and made into
//! features.
//!
//! Nothing is written and no row is read. Invariant: what is found depends on the log alone, so that whoever looks again at
//! the same positions finds the same, but for what was erased meanwhile.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use timeloom_domain::drift::{DriftBaseline, DriftTarget, Profile, SAMPLES_MAX, Side};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{InferenceId, TenantId};
use timeloom_domain::inference::{
    InferenceAnswer, InferenceEvent, InferenceRequest, Tensor, TensorContent, TensorRecord,
};
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::subjects::is_erased;
use timeloom_store::{
    BlobError, BlobHash, BlobStore, Direction, EventLog, Filter, LogError, Position, RecordedEvent, TenantScope, codec,
};

/// Most events of inferences that are looked at for one side of a comparison, newest first.
pub const LOOKED_AT_EVENTS_MAX: usize = 200_000;
/// Most inferences whose answer is awaited, or whose request is looked for, at the same time: others are passed over.
const OPEN_MAX: usize = 10_000;
/// Longer tensors are not read: of them as many bytes as a feature looks at would be fewer.
const TENSOR_BYTES_MAX: u64 = 16 << 20;

/// An inference that was answered.
#[derive(Debug, Clone)]
pub struct Answered {
    /// What went in.
    inputs: Vec<TensorRecord>,
    /// What came out.
    outputs: Vec<TensorRecord>,
    /// Whether what it was about was erased.
    is_erased: bool,
    /// Position of the answer.
    pub position: Position,
    /// When the answer was recorded, in milliseconds since 1970.
    pub at_ms: i64,
}

/// Which answers are meant: those of positions after one and up to another, and of these the newest.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// After this position.
    pub after: Position,
    /// Up to and with this one.
    pub up_to: Position,
    /// Most of them, at most [`SAMPLES_MAX`].
    pub newest: usize,
}

/// Tells answers that are meant from other events, from old to new. It keeps nothing of what they hold.
#[derive(Debug)]
pub struct Follower {
    target: DriftTarget,
    /// Where every step is an event of its own, the request comes before its answer.
    open: HashSet<InferenceId>,
}

/// The events in which inferences are found.
pub fn filter() -> Filter {
    Filter { categories: vec![InferenceEvent::CATEGORY.into()], ..Filter::default() }
}

impl Range {
    /// The answers that make a baseline, of those up to a position.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn of_baseline(log: &dyn EventLog, baseline: &DriftBaseline, before: Position) -> Result<Self, LogError> {
        match *baseline {
            DriftBaseline::Newest { count } => {
                Ok(Self { after: Position::START, up_to: before, newest: count as usize })
            }
            DriftBaseline::Answered { from_ms, until_ms } => {
                let times = Self::of_times(log, from_ms, until_ms).await?;
                Ok(Self { up_to: times.up_to.min(before), ..times })
            }
        }
    }

    /// The answers of a time, in milliseconds since 1970; its end is not part of it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn of_times(log: &dyn EventLog, from_ms: i64, until_ms: i64) -> Result<Self, LogError> {
        let just_before = |at_ms: i64| at_ms.saturating_mul(1_000).saturating_sub(1);
        let after = log.position_at(just_before(from_ms)).await?;
        let up_to = log.position_at(just_before(until_ms)).await?;
        Ok(Self { after, up_to, newest: SAMPLES_MAX })
    }
}

impl Follower {
    /// Nothing yet.
    pub fn new(target: DriftTarget) -> Self {
        Self { target, open: HashSet::new() }
    }

    /// Takes an event in. Whether it is an answer that is meant.
    pub fn take(&mut self, event: &RecordedEvent) -> bool {
        // What a newer build wrote cannot be read by this one.
        let Ok(fact) = codec::decode::<InferenceEvent>(event) else { return false };
        match fact {
            InferenceEvent::InferenceRequested { inference, request } => {
                if self.open.len() < OPEN_MAX && self.target.takes(&request) {
                    self.open.insert(inference);
                }
                false
            }
            InferenceEvent::InferenceCompleted { request: Some(request), .. } => self.target.takes(&request),
            InferenceEvent::InferenceCompleted { inference, request: None, .. } => self.open.remove(&inference),
            InferenceEvent::InferenceFailed { inference, .. }
            | InferenceEvent::InferenceRejected { inference, .. }
            | InferenceEvent::InferenceCancelled { inference, .. } => {
                self.open.remove(&inference);
                false
            }
            InferenceEvent::InferenceStarted { .. } | InferenceEvent::InferenceWindowClosed(_) => false,
        }
    }
}

fn answered(inputs: Vec<TensorRecord>, answer: InferenceAnswer, is_erased: bool, event: &RecordedEvent) -> Answered {
    let at_ms = event.recorded_at.timestamp_millis();
    Answered { inputs, outputs: answer.outputs, is_erased, position: event.position, at_ms }
}

/// An answer whose request is further back.
type Open = HashMap<InferenceId, (InferenceAnswer, bool, Arc<RecordedEvent>)>;

/// The inferences of a range, the newest first.
///
/// # Errors
/// When the log cannot be read.
pub async fn newest(
    log: &dyn EventLog,
    tenant: TenantId,
    target: &DriftTarget,
    range: Range,
) -> Result<Vec<Answered>, LogError> {
    let Range { after, up_to, newest } = range;
    let newest = newest.min(SAMPLES_MAX);
    let (mut found, mut before, mut looked_at) = (Vec::new(), up_to, 0);
    let mut open = Open::new();
    while found.len() < newest && before > Position::START && looked_at < LOOKED_AT_EVENTS_MAX {
        // A request may have come before the range whose answer is in it.
        if before <= after && open.is_empty() {
            break;
        }
        let scope = TenantScope::One(tenant);
        let page = log.read_all(scope, before, Direction::Backward, &filter(), READ_EVENTS_MAX).await?;
        let Some(last) = page.last() else { break };
        before = Position(last.position.0.saturating_sub(1));
        looked_at += page.len();
        for event in &page {
            let is_meant = |request: &InferenceRequest| target.takes(request);
            let erased = is_erased(&event.payload);
            let Ok(fact) = codec::decode::<InferenceEvent>(event) else { continue };
            match fact {
                InferenceEvent::InferenceCompleted { request: Some(request), answer, .. }
                    if event.position > after && is_meant(&request) =>
                {
                    found.push(answered(request.inputs, *answer, erased, event));
                }
                InferenceEvent::InferenceCompleted { inference, request: None, answer }
                    if event.position > after && open.len() < OPEN_MAX =>
                {
                    open.insert(inference, (*answer, erased, Arc::clone(event)));
                }
                InferenceEvent::InferenceRequested { inference, request } => {
                    if let Some((answer, also, of)) = open.remove(&inference)
                        && is_meant(&request)
                    {
                        found.push(answered(request.inputs, answer, erased || also, &of));
                    }
                }
                _ => {}
            }
        }
    }
    // Where requests are events of their own, they are found in another order than their answers.
    found.sort_by_key(|answered| std::cmp::Reverse(answered.position));
    found.truncate(newest);
    Ok(found)
}

/// What inferences show of their features. Without blobs, what is beside the log counts as not kept.
///
/// # Errors
/// When the log or its blobs cannot be read.
pub async fn profile(answered: &[Answered], blobs: Option<&dyn BlobStore>) -> Result<Profile, LogError> {
    let mut profile = Profile::default();
    for one in answered {
        profile.counts.inferences += 1;
        if one.is_erased {
            profile.counts.erased += 1;
            continue;
        }
        let inputs = one.inputs.iter().map(|record| (Side::Input, record));
        let outputs = one.outputs.iter().map(|record| (Side::Output, record));
        let mut is_whole = true;
        for (side, record) in inputs.chain(outputs) {
            if bytes_of(record).is_some_and(|bytes| bytes > TENSOR_BYTES_MAX) {
                continue;
            }
            match tensor(record, blobs).await? {
                Some(tensor) => profile.take(side, &record.name, &tensor),
                None => is_whole = false,
            }
        }
        profile.counts.not_kept += u32::from(!is_whole);
    }
    Ok(profile)
}

/// How many bytes a tensor has, where its elements have one length.
fn bytes_of(record: &TensorRecord) -> Option<u64> {
    let each = record.element.bytes()? as u64;
    Some(record.shape.iter().fold(each, |bytes, length| bytes.saturating_mul(*length)))
}

/// A tensor as it was written down; `None` where it was not, or is not there any more.
async fn tensor(record: &TensorRecord, blobs: Option<&dyn BlobStore>) -> Result<Option<Tensor>, LogError> {
    let data = match (&record.content, blobs) {
        (TensorContent::Inline(text), _) => STANDARD.decode(text).ok().map(Bytes::from),
        (TensorContent::Blob(id), Some(blobs)) => match BlobHash::of_attachment(id) {
            Some(hash) => match blobs.get(hash).await {
                Ok(data) => Some(data),
                Err(BlobError::Log(error)) => return Err(error),
                Err(_) => None,
            },
            None => None,
        },
        (TensorContent::Blob(_) | TensorContent::Omitted, _) => None,
    };
    let shape: Option<Vec<usize>> = record.shape.iter().map(|length| usize::try_from(*length).ok()).collect();
    Ok(data.zip(shape).and_then(|(data, shape)| Tensor::new(record.element, shape, data).ok()))
}
