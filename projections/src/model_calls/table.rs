//! The table of calls and its questions. Every list walks an index by creation, the narrowest that there is.

use timeloom_domain::chat::Usage;
use timeloom_domain::event::Event;
use timeloom_domain::ids::{AgentRunId, ExecutionId, InferenceWorkerId, ModelCallId, TenantId, WorkflowId};
use timeloom_domain::model_call::{CallKind, ModelCallEvent};
use timeloom_domain::money::Money;
use timeloom_store::{Position, RecordedEvent};

use super::call::{self, Ended, ModelCallFilter, ModelCallRow, ModelCallStatus};
use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, blob, integer, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::stream_uuid;
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// The read model.
pub(crate) struct ModelCalls;

/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

static TABLE: Table = Table {
    name: "model_calls",
    key: &[blob("id")],
    classed: false,
    columns: &[
        blob("worker"),
        text("kind"),
        text("route"),
        integer("stream"),
        blob("workflow").optional(),
        blob("execution").optional(),
        text("node").optional(),
        text("agent").optional(),
        blob("agent_run").optional(),
        text("api_key").optional(),
        text("digest").optional(),
        text("status"),
        text("provider").optional(),
        text("model").optional(),
        text("finish").optional(),
        text("problem").optional(),
        text("reason").optional(),
        integer("retry_after_ms").optional(),
        integer("attempts"),
        integer("input_tokens").optional(),
        integer("output_tokens").optional(),
        integer("cached_input_tokens").optional(),
        integer("cache_write_tokens").optional(),
        integer("thinking_tokens").optional(),
        integer("cost").optional(),
        text("currency").optional(),
        integer("first_token_us").optional(),
        integer("took_us"),
        blob("cached_from").optional(),
        integer("at_ms"),
        // For questions: days since 1970.
        integer("day"),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[
        Index { name: "model_calls_created", columns: &["created_position"], closed: false },
        Index { name: "model_calls_route", columns: &["route", "created_position"], closed: false },
        Index { name: "model_calls_status", columns: &["status", "created_position"], closed: false },
        Index { name: "model_calls_workflow", columns: &["workflow", "created_position"], closed: false },
        Index { name: "model_calls_execution", columns: &["execution", "created_position"], closed: false },
        Index { name: "model_calls_agent_run", columns: &["agent_run", "created_position"], closed: false },
        Index { name: "model_calls_day", columns: &["day", "created_position"], closed: false },
    ],
    kept: None,
};

impl ReadModel for ModelCalls {
    const NAME: &'static str = "model_calls";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = ModelCallEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, ModelCallId);
    type Row = ModelCallRow;
    type Fact = (InferenceWorkerId, Ended);

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, Self::Fact)>, FoldError> {
        let worker = InferenceWorkerId(stream_uuid(event)?);
        let read = call::read(event)?;
        Ok(read.map(|(id, fact)| ((event.stream.tenant, id), (worker, fact))))
    }

    fn fold(
        current: Option<&ModelCallRow>,
        (worker, ended): Self::Fact,
        event: &RecordedEvent,
    ) -> Folded<ModelCallRow> {
        // A call ends once.
        if current.is_some() { Folded::Nothing } else { Folded::Version(call::row(worker, ended, event)) }
    }

    fn from(row: &ModelCallRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, id): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), (&id.0).into()]);
    }

    fn values<'a>(row: &'a ModelCallRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        let usage = row.usage.as_ref();
        values.extend([
            (&row.worker.0).into(),
            word(&KINDS, row.kind).into(),
            (&row.route).into(),
            row.stream.into(),
            row.workflow.as_ref().map(|id| &id.0).into(),
            row.execution.as_ref().map(|id| &id.0).into(),
            row.node.as_ref().into(),
            row.agent.as_ref().into(),
            row.agent_run.as_ref().map(|id| &id.0).into(),
            row.key.as_ref().into(),
            row.digest.as_ref().into(),
            word(&STATUSES, row.status).into(),
            row.provider.as_ref().into(),
            row.model.as_ref().into(),
            row.finish.as_ref().into(),
            row.problem.as_ref().into(),
            row.reason.as_ref().into(),
            row.retry_after_ms.into(),
            row.attempts.into(),
            usage.map(|usage| usage.input_tokens).into(),
            usage.map(|usage| usage.output_tokens).into(),
            usage.and_then(|usage| usage.cached_input_tokens).into(),
            usage.and_then(|usage| usage.cache_write_tokens).into(),
            usage.and_then(|usage| usage.thinking_tokens).into(),
            row.cost.map(|cost| cost.0).into(),
            row.currency.as_ref().into(),
            row.first_token_us.into(),
            row.took_us.into(),
            row.cached_from.as_ref().map(|id| &id.0).into(),
            row.at_ms.into(),
            row.at_ms.div_euclid(DAY_MS).into(),
        ]);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<ModelCallRow, StorageError> {
        read_row(cells)
    }
}

/// One call as it was at `as_of`.
pub(super) fn one(named: &Named, tenant: TenantId, id: ModelCallId, as_of: AsOf) -> Query {
    named.one(tenant, id.0.into(), as_of)
}

/// Calls as they were at `as_of`, newest first.
pub(super) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: &ModelCallFilter) -> Query {
    let mut conditions: Vec<(&'static str, Value<'static>)> = Vec::new();
    let mut text = |condition, wanted: Option<&str>| {
        conditions.extend(wanted.map(|wanted| (condition, wanted.to_owned().into())));
    };
    text("newest.route = ?", filter.route.as_deref());
    text("newest.status = ?", filter.status.map(|status| word(&STATUSES, status)));
    text("newest.provider = ?", filter.provider.as_deref());
    text("newest.agent = ?", filter.agent.as_ref().map(timeloom_domain::ids::Slug::as_str));
    text("newest.api_key = ?", filter.key.as_deref());
    conditions.extend(filter.workflow.map(|id| ("newest.workflow = ?", id.0.into())));
    conditions.extend(filter.execution.map(|id| ("newest.execution = ?", id.0.into())));
    conditions.extend(filter.agent_run.map(|id| ("newest.agent_run = ?", id.0.into())));
    let index = if filter.agent_run.is_some() {
        "model_calls_agent_run"
    } else if filter.execution.is_some() {
        "model_calls_execution"
    } else if filter.status.is_some_and(|status| status != ModelCallStatus::Completed) {
        // Others are few.
        "model_calls_status"
    } else if filter.workflow.is_some() {
        "model_calls_workflow"
    } else if filter.route.is_some() {
        "model_calls_route"
    } else {
        "model_calls_created"
    };
    named.page(Rows { tenant, as_of, page: *page, index, conditions })
}

/// The words that the table holds for kinds.
const KINDS: [(CallKind, &str); 2] = [(CallKind::Chat, "chat"), (CallKind::Embed, "embed")];

/// The words that the table holds for statuses.
const STATUSES: [(ModelCallStatus, &str); 4] = [
    (ModelCallStatus::Completed, "completed"),
    (ModelCallStatus::Failed, "failed"),
    (ModelCallStatus::Refused, "refused"),
    (ModelCallStatus::Cancelled, "cancelled"),
];

fn word<T: PartialEq>(words: &[(T, &'static str)], value: T) -> &'static str {
    words.iter().find(|(known, _)| *known == value).map_or("", |(_, word)| word)
}

/// A row from its cells.
pub(super) fn read_row(cells: &mut Cells<'_>) -> Result<ModelCallRow, StorageError> {
    let id = ModelCallId(cells.take()?);
    let from = cells.take()?;
    let worker = InferenceWorkerId(cells.take()?);
    let kind = cells.take_word(&KINDS)?;
    let (route, stream) = (cells.take()?, cells.take()?);
    let workflow = cells.take::<Option<_>>()?.map(WorkflowId);
    let execution = cells.take::<Option<_>>()?.map(ExecutionId);
    let (node, agent) = (cells.take()?, cells.take()?);
    let agent_run = cells.take::<Option<_>>()?.map(AgentRunId);
    let (key, digest) = (cells.take()?, cells.take()?);
    let status = cells.take_word(&STATUSES)?;
    let (provider, model, finish) = (cells.take()?, cells.take()?, cells.take()?);
    let (problem, reason, retry_after_ms) = (cells.take()?, cells.take()?, cells.take()?);
    let attempts = cells.take()?;
    let usage = read_usage(cells)?;
    let cost = cells.take::<Option<_>>()?.map(Money);
    let (currency, first_token_us, took_us) = (cells.take()?, cells.take()?, cells.take()?);
    let cached_from = cells.take::<Option<_>>()?.map(ModelCallId);
    let at_ms = cells.take()?;
    let _: i64 = cells.take()?;
    Ok(ModelCallRow {
        id,
        worker,
        kind,
        route,
        stream,
        workflow,
        execution,
        node,
        agent,
        agent_run,
        key,
        digest,
        status,
        provider,
        model,
        finish,
        problem,
        reason,
        retry_after_ms,
        attempts,
        usage,
        cost,
        currency,
        first_token_us,
        took_us,
        cached_from,
        at_ms,
        provenance: Provenance::take(cells, from)?,
    })
}

fn read_usage(cells: &mut Cells<'_>) -> Result<Option<Usage>, StorageError> {
    let (input, output): (Option<u64>, Option<u64>) = (cells.take()?, cells.take()?);
    let (cached, written, thinking) = (cells.take()?, cells.take()?, cells.take()?);
    let (Some(input_tokens), Some(output_tokens)) = (input, output) else { return Ok(None) };
    Ok(Some(Usage {
        input_tokens,
        output_tokens,
        cached_input_tokens: cached,
        cache_write_tokens: written,
        thinking_tokens: thinking,
    }))
}
