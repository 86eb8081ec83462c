//! The table of inferences and its questions.
//!
//! Every list walks an index of newest versions, the narrowest that there is, and passes over what does not meet the rest.
//! As of a position, one by an ended status does so too, since such a status never changes; one by a status that passes
//! looks only through what was written down step by step, newest first.

use timeloom_domain::event::Event;
use timeloom_domain::ids::{ExecutionId, InferenceId, InferenceWorkerId, ModelLoadId, Slug, TenantId};
use timeloom_domain::inference::{FailureClass, InferenceEvent, Provider, RejectionClass};
use timeloom_store::{Position, RecordedEvent};

use super::inference::{
    self, InferenceAnswerRow, InferenceFact, InferenceFilter, InferenceRow, InferenceStatus, Unanswered,
};
use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, blob, damaged, integer, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::stream_uuid;
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// The read model.
pub(crate) struct Inferences;

static TABLE: Table = Table {
    name: "inferences",
    key: &[blob("id")],
    classed: false,
    columns: &[
        blob("worker"),
        text("model"),
        integer("version"),
        text("digest"),
        text("asked"),
        blob("execution").optional(),
        text("node").optional(),
        integer("asked_at_ms"),
        integer("deadline_ms"),
        text("status"),
        text("unanswered").optional(),
        text("reason").optional(),
        integer("retry_after_ms").optional(),
        integer("queue_us").optional(),
        text("provider").optional(),
        blob("load").optional(),
        integer("compute_us").optional(),
        integer("batch_rows").optional(),
        integer("bucket").optional(),
        text("fingerprint").optional(),
        integer("request_position"),
        integer("ended_position").optional(),
        // For questions: what was asked was written down before it ended.
        integer("in_steps").optional(),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[
        Index { name: "inferences_created", columns: &["created_position"], closed: false },
        Index { name: "inferences_model", columns: &["model", "created_position"], closed: false },
        Index { name: "inferences_status", columns: &["status", "created_position"], closed: false },
        Index { name: "inferences_execution", columns: &["execution", "created_position"], closed: false },
        Index { name: "inferences_fingerprint", columns: &["fingerprint", "created_position"], closed: false },
        Index { name: "inferences_in_steps", columns: &["in_steps", "created_position"], closed: false },
    ],
    kept: None,
};

impl ReadModel for Inferences {
    const NAME: &'static str = "inferences";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = InferenceEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, InferenceId);
    type Row = InferenceRow;
    type Fact = (InferenceWorkerId, InferenceFact);

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, Self::Fact)>, FoldError> {
        let worker = InferenceWorkerId(stream_uuid(event)?);
        let read = inference::read(event)?;
        Ok(read.map(|(id, fact)| ((event.stream.tenant, id), (worker, fact))))
    }

    fn fold(current: Option<&InferenceRow>, (worker, fact): Self::Fact, event: &RecordedEvent) -> Folded<InferenceRow> {
        match current {
            // It ended, or another worker has it: a row is of one stream alone.
            Some(row) if row.status.has_ended() || row.worker != worker => Folded::Nothing,
            _ => inference::fold(current, worker, fact, event).map_or(Folded::Nothing, Folded::Version),
        }
    }

    fn from(row: &InferenceRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, id): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), (&id.0).into()]);
    }

    fn values<'a>(row: &'a InferenceRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        let answer = row.answer.as_ref();
        values.extend([
            (&row.worker.0).into(),
            row.model.as_str().into(),
            row.version.into(),
            (&row.digest).into(),
            (&row.asked).into(),
            row.execution.as_ref().map(|id| &id.0).into(),
            row.node.as_ref().into(),
            row.asked_at_ms.into(),
            row.deadline_ms.into(),
            word(&STATUSES, row.status).into(),
            row.unanswered.map(|why| word(&UNANSWERED, why)).into(),
            row.reason.as_ref().into(),
            row.retry_after_ms.into(),
            row.queue_us.into(),
            answer.map(|answer| word(&PROVIDERS, answer.provider)).into(),
            answer.map(|answer| &answer.load.0).into(),
            answer.map(|answer| answer.compute_us).into(),
            answer.map(|answer| answer.batch_rows).into(),
            answer.map(|answer| answer.bucket).into(),
            answer.map(|answer| &answer.fingerprint).into(),
            row.request_position.into(),
            row.ended_position.into(),
            (row.ended_position != Some(row.request_position)).then_some(true).into(),
        ]);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<InferenceRow, StorageError> {
        read_row(cells)
    }
}

/// One inference as it was at `as_of`.
pub(super) fn one(named: &Named, tenant: TenantId, id: InferenceId, as_of: AsOf) -> Query {
    named.one(tenant, id.0.into(), as_of)
}

/// Inferences as they were at `as_of`, newest first.
pub(super) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: &InferenceFilter) -> Query {
    let mut conditions: Vec<(&'static str, Value<'static>)> = Vec::new();
    if let Some(model) = &filter.model {
        conditions.push(("newest.model = ?", model.as_str().to_owned().into()));
    }
    if let Some(version) = filter.version {
        conditions.push(("newest.version = ?", version.into()));
    }
    if let Some(execution) = filter.execution {
        conditions.push(("newest.execution = ?", execution.0.into()));
    }
    if let Some(fingerprint) = &filter.fingerprint {
        conditions.push(("newest.fingerprint = ?", fingerprint.clone().into()));
    }
    // A fingerprint is there once it was answered.
    let is_by_end = filter.fingerprint.is_some() || filter.status.is_some_and(InferenceStatus::has_ended);
    if let Some(position) = as_of.filter(|_| is_by_end) {
        conditions.push(("newest.ended_position <= ?", position.into()));
    }
    let passes = filter.status.is_some_and(|status| !status.has_ended());
    if let Some(status) = filter.status {
        let condition = if passes { "version.status = ?" } else { "newest.status = ?" };
        conditions.push((condition, word(&STATUSES, status).into()));
    }
    let index = match filter.status {
        _ if filter.fingerprint.is_some() => "inferences_fingerprint",
        _ if filter.execution.is_some() => "inferences_execution",
        // Failures are few and models are asked often.
        Some(status) if status.has_ended() && status != InferenceStatus::Completed => "inferences_status",
        // Those of now have it as their newest version.
        Some(_) if passes && as_of.is_none() => "inferences_status",
        _ if filter.model.is_some() => "inferences_model",
        Some(_) if passes => {
            conditions.push(("newest.in_steps = ?", true.into()));
            "inferences_in_steps"
        }
        Some(_) => "inferences_status",
        None => "inferences_created",
    };
    named.page(Rows { tenant, as_of, page: *page, index, conditions })
}

/// The words that the table holds for statuses.
const STATUSES: [(InferenceStatus, &str); 6] = [
    (InferenceStatus::Requested, "requested"),
    (InferenceStatus::Computing, "computing"),
    (InferenceStatus::Completed, "completed"),
    (InferenceStatus::Failed, "failed"),
    (InferenceStatus::Rejected, "rejected"),
    (InferenceStatus::Cancelled, "cancelled"),
];

/// The words that the table holds for why there is no answer.
const UNANSWERED: [(Unanswered, &str); 7] = [
    (Unanswered::Failed(FailureClass::Unfit), "unfit"),
    (Unanswered::Failed(FailureClass::OutOfMemory), "out_of_memory"),
    (Unanswered::Failed(FailureClass::NotLoaded), "not_loaded"),
    (Unanswered::Failed(FailureClass::Runtime), "runtime"),
    (Unanswered::Rejected(RejectionClass::QueueFull), "queue_full"),
    (Unanswered::Rejected(RejectionClass::DeadlineMissed), "deadline_missed"),
    (Unanswered::Rejected(RejectionClass::Draining), "draining"),
];

/// The words that the table holds for providers.
const PROVIDERS: [(Provider, &str); 2] = [(Provider::Cpu, "cpu"), (Provider::Cuda, "cuda")];

fn word<T: PartialEq>(words: &[(T, &'static str)], value: T) -> &'static str {
    words.iter().find(|(known, _)| *known == value).map_or("", |(_, word)| word)
}

/// A row from its cells.
pub(super) fn read_row(cells: &mut Cells<'_>) -> Result<InferenceRow, StorageError> {
    let id = InferenceId(cells.take()?);
    let from = cells.take()?;
    let worker = InferenceWorkerId(cells.take()?);
    let model = Slug::try_new(cells.take::<String>()?).map_err(damaged)?;
    let (version, digest, asked) = (cells.take()?, cells.take()?, cells.take()?);
    let execution = cells.take::<Option<_>>()?.map(ExecutionId);
    let (node, asked_at_ms, deadline_ms) = (cells.take()?, cells.take()?, cells.take()?);
    let status = cells.take_word(&STATUSES)?;
    let unanswered = cells.take_optional_word(&UNANSWERED)?;
    let (reason, retry_after_ms, queue_us) = (cells.take()?, cells.take()?, cells.take()?);
    let answer = read_answer(cells)?;
    let (request_position, ended_position) = (cells.take()?, cells.take()?);
    let _: Option<bool> = cells.take()?;
    Ok(InferenceRow {
        id,
        worker,
        model,
        version,
        digest,
        asked,
        execution,
        node,
        asked_at_ms,
        deadline_ms,
        status,
        unanswered,
        reason,
        retry_after_ms,
        queue_us,
        answer,
        request_position,
        ended_position,
        provenance: Provenance::take(cells, from)?,
    })
}

fn read_answer(cells: &mut Cells<'_>) -> Result<Option<InferenceAnswerRow>, StorageError> {
    let provider = cells.take_optional_word(&PROVIDERS)?;
    let load = cells.take::<Option<_>>()?.map(ModelLoadId);
    let (compute_us, batch_rows, bucket): (Option<_>, Option<_>, Option<_>) =
        (cells.take()?, cells.take()?, cells.take()?);
    let fingerprint: Option<String> = cells.take()?;
    let (Some(provider), Some(load), Some(fingerprint)) = (provider, load, fingerprint) else { return Ok(None) };
    Ok(Some(InferenceAnswerRow {
        provider,
        load,
        compute_us: compute_us.unwrap_or(0),
        batch_rows: batch_rows.unwrap_or(0),
        bucket: bucket.unwrap_or(0),
        fingerprint,
    }))
}
