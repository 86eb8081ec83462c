//! Every read. Each can be taken as of an earlier moment, and can wait for a position first.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_domain::credential::CredentialEvent;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::{CredentialId, ExecutionId, Slug, WorkflowId};
use timeloom_domain::model::ModelEvent;
use timeloom_domain::plugin::PluginEvent;
use timeloom_domain::workflow::{Folder, WorkflowEvent};
use timeloom_projections::{AsOf as RowsAsOf, ExecutionFilter, FailureFilter, WorkflowFilter};
use timeloom_store::{Direction as Order, Filter, Position, TenantScope};
use uuid::Uuid;

use super::access::{look, look_at_events, look_at_stream};
use super::archive::{LogArchive, LogSegmentCheck, check_segment, log_archive};
use super::catalogue::{NodeType, node_types};
use super::credentials::{Credential, CredentialType, credential, credential_types};
use super::event::{Event, EventFilter, EventList, StreamInput};
use super::execution::{self, Execution, ExecutionList};
use super::execution_facts::{ExecutionTrigger, SavedFact};
use super::execution_order::{ExecutionOrder, unresolved_first};
use super::execution_search::{began_within, search};
use super::faults::{bad_input, fault};
use super::group::{ExecutionGroup, ExecutionGroupBy, groups};
use super::models::Model;
use super::node::{Node, is_audited, nodes};
use super::paging::{Pages, Paging, page_cost};
use super::projections::{ParkedEvent, Projection, parked_events, projections_now};
use super::reading::{Moment, rows, state};
use super::redrive::DeadLetterFilter;
use super::registry::Plugin;
use super::rows::{page, row_pages};
use super::scalars::{AsOf, Direction, ExecutionStatus, PositionScalar};
use super::search::{PayloadHits, Search};
use super::state_at::{
    EntityInput, StateComparison, StateDiff, StateView, asked_stream, compare, state_at, state_diff,
};
use super::worker::{Worker, workers_now};
use super::workflow::Workflow;
use crate::state::ApiState;

/// Longest text that names of workflows are searched for, in characters.
const NAME_CHARACTERS_MAX: usize = 200;

/// The newest event of the log.
#[derive(Debug, SimpleObject)]
struct Head {
    /// Its position; 0 when the log is empty.
    position: PositionScalar,
    /// When it was recorded.
    recorded_at: Option<DateTime<Utc>>,
    /// How far the read models are.
    read_models: PositionScalar,
}

/// One workflow as of a moment.
pub(crate) async fn workflow(state: &ApiState, id: WorkflowId, as_of: RowsAsOf) -> Result<Option<Workflow>> {
    let row = rows(state.read_models().workflow(state.tenant(), id, as_of).await)?;
    Ok(row.map(|row| Workflow { row, as_of }))
}

/// One plugin as of a moment.
pub(crate) async fn plugin(state: &ApiState, name: Slug, as_of: RowsAsOf) -> Result<Option<Plugin>> {
    Ok(rows(state.read_models().plugin(state.tenant(), &name, as_of).await)?.map(Plugin))
}

/// One model as of a moment.
pub(crate) async fn model(state: &ApiState, name: Slug, as_of: RowsAsOf) -> Result<Option<Model>> {
    Ok(rows(state.read_models().model(state.tenant(), &name, as_of).await)?.map(|row| Model { row, as_of }))
}

/// Writes down that things were looked up by their ids, where that is to be.
async fn look_at_nodes(context: &Context<'_>, state: &ApiState, found: &[Option<Node>]) -> Result<()> {
    if !found.iter().flatten().any(|node| is_audited(state, node)) {
        return Ok(());
    }
    look(context, state, "node", None).await
}

/// The root of all reads.
#[derive(Debug)]
pub struct Query;

#[Object(name = "GeneralQuery")]
impl Query {
    /// The newest event of the log.
    async fn head(&self, context: &Context<'_>, as_of: Option<AsOf>, wait_for: Option<PositionScalar>) -> Result<Head> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_log(state).await?;
        let position = as_of.unwrap_or_else(|| state.log().head());
        let scope = TenantScope::All;
        let newest = state.log().read_all(scope, position, Order::Backward, &Filter::default(), 1).await;
        let recorded_at = newest.map_err(|error| fault(&error))?.first().map(|event| event.recorded_at);
        let read_models = PositionScalar(state.read_models().position());
        Ok(Head { position: PositionScalar(position), recorded_at, read_models })
    }

    /// Whatever has an id; null when nothing has it.
    #[graphql(complexity = "child_complexity + 5")]
    async fn node(
        &self,
        context: &Context<'_>,
        id: ID,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<Node>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let found = nodes(state, std::slice::from_ref(&id), as_of).await?;
        look_at_nodes(context, state, &found).await?;
        Ok(found.into_iter().next().flatten())
    }

    /// Whatever has these ids, at most a hundred, in their order; null where nothing has one.
    #[graphql(complexity = "ids.len() * child_complexity + 5")]
    async fn nodes(
        &self,
        context: &Context<'_>,
        ids: Vec<ID>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Vec<Option<Node>>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let found = nodes(state, &ids, as_of).await?;
        look_at_nodes(context, state, &found).await?;
        Ok(found)
    }

    /// A workflow; null when there is none.
    #[graphql(complexity = "child_complexity + 1")]
    async fn workflow(
        &self,
        context: &Context<'_>,
        id: Uuid,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<Workflow>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_stream::<WorkflowEvent>(state, id).of_rows(state).await?;
        workflow(state, WorkflowId(id), as_of).await
    }

    /// Workflows, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    pub(crate) async fn workflows(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Only those put away, or only those not; absent = both.")] archived: Option<bool>,
        #[graphql(desc = "Only those with this in their names, in whatever case; at most 200 characters.")]
        name: Option<String>,
        #[graphql(desc = "Only those in this folder, or in folders within it.")] folder: Option<String>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<Workflow>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let page = page(&Paging::new(first, after, last, before))?;
        if name.as_ref().is_some_and(|name| name.chars().count() > NAME_CHARACTERS_MAX) {
            return Err(bad_input(format!("name has to have at most {NAME_CHARACTERS_MAX} characters")));
        }
        let folder = folder.map(Folder::try_new).transpose().map_err(|error| bad_input(error.to_string()))?;
        let filter = WorkflowFilter { archived, name, folder };
        let found = rows(state.read_models().workflows(state.tenant(), as_of, &page, &filter).await)?;
        Ok(row_pages(found, |row| (row.provenance.created_position, Workflow { row, as_of })))
    }

    /// An execution; null when there is none.
    #[graphql(complexity = "child_complexity + 1")]
    async fn execution(
        &self,
        context: &Context<'_>,
        id: Uuid,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<Execution>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_stream::<ExecutionEvent>(state, id).of_rows(state).await?;
        execution::execution(state, ExecutionId(id), as_of).await
    }

    /// Executions, newest first where nothing else is said.
    #[graphql(complexity = "page_cost(first, last, child_complexity) + if text.is_some() { 500 } else { 0 }")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn executions(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        workflow_id: Option<Uuid>,
        status: Option<ExecutionStatus>,
        #[graphql(desc = "Started by this only.")] trigger: Option<ExecutionTrigger>,
        #[graphql(default, desc = "Only dead letters: failures of production runs, neither retried nor dismissed.")]
        unresolved: bool,
        #[graphql(desc = "Only those about which this was saved.")] saved: Option<SavedFact>,
        #[graphql(desc = "Only failures of this `errorFingerprint`.")] error_fingerprint: Option<String>,
        #[graphql(desc = "Only those that began at or after this time.")] started_from: Option<DateTime<Utc>>,
        #[graphql(desc = "Only those that began before this time.")] started_to: Option<DateTime<Utc>>,
        #[graphql(
            desc = "Only those with this, in whatever case, in their workflow's name as it is now, in their error or \
                          the name of the node to blame; or whose id or workflow's id begins with it. At most 10,000 \
                          executions are looked at for a page."
        )]
        text: Option<String>,
        #[graphql(default)] order: ExecutionOrder,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<Execution>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let mut filter = ExecutionFilter {
            workflow_id: workflow_id.map(WorkflowId),
            status: status.map(Into::into),
            trigger: trigger.map(Into::into),
            unresolved: unresolved.then_some(true),
            saved: saved.map(Into::into),
            error_fingerprint,
            ..ExecutionFilter::default()
        };
        began_within(state, &mut filter, started_from, started_to).await?;
        let paging = Paging::new(first, after, last, before);
        match (text, order) {
            (Some(_), ExecutionOrder::UnresolvedFirst) => {
                Err(bad_input("what is found by a text comes newest first: leave out order, or set unresolved"))
            }
            (Some(text), ExecutionOrder::Newest) => search(context, state, &paging, filter, as_of, &text).await,
            (None, ExecutionOrder::UnresolvedFirst) => unresolved_first(context, state, &paging, filter, as_of).await,
            (None, ExecutionOrder::Newest) => ExecutionList { paging, filter, as_of }.read(context).await,
        }
    }

    /// Failures of production runs that nobody has looked after: neither retried nor dismissed. Newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn dead_letters(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default)] filter: DeadLetterFilter,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<Execution>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        ExecutionList { paging: Paging::new(first, after, last, before), filter: filter.into(), as_of }
            .read(context)
            .await
    }

    /// Executions with something in common, those with the newest one first: of the newest 10,000 failures.
    #[graphql(complexity = "page_cost(first, last, child_complexity) + 100")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn execution_groups(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What they have in common.", default_with = "ExecutionGroupBy::ErrorFingerprint")]
        by: ExecutionGroupBy,
        #[graphql(desc = "Of this workflow only.")] workflow_id: Option<Uuid>,
        #[graphql(default, desc = "Only dead letters: failures of production runs, neither retried nor dismissed.")]
        unresolved: bool,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<ExecutionGroup>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let filter = FailureFilter { workflow_id: workflow_id.map(WorkflowId), unresolved };
        match by {
            ExecutionGroupBy::ErrorFingerprint => {
                groups(state, as_of, &Paging::new(first, after, last, before), filter).await
            }
        }
    }

    /// A plugin; null when there is none.
    #[graphql(complexity = "child_complexity + 1")]
    async fn plugin(
        &self,
        context: &Context<'_>,
        name: String,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<Plugin>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_stream::<PluginEvent>(state, &name).of_rows(state).await?;
        let Ok(name) = Slug::try_new(name) else { return Ok(None) };
        plugin(state, name, as_of).await
    }

    /// Plugins, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn plugins(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<Plugin>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let page = page(&Paging::new(first, after, last, before))?;
        let found = rows(state.read_models().plugins(state.tenant(), as_of, &page).await)?;
        Ok(row_pages(found, |row| (row.provenance.created_position, Plugin(row))))
    }

    /// A model; null when there is none.
    #[graphql(complexity = "child_complexity + 1")]
    async fn model(
        &self,
        context: &Context<'_>,
        name: String,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<Model>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_stream::<ModelEvent>(state, &name).of_rows(state).await?;
        let Ok(name) = Slug::try_new(name) else { return Ok(None) };
        model(state, name, as_of).await
    }

    /// Models, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    pub(crate) async fn models(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<Model>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let page = page(&Paging::new(first, after, last, before))?;
        let found = rows(state.read_models().models(state.tenant(), as_of, &page).await)?;
        Ok(row_pages(found, |row| (row.provenance.created_position, Model { row, as_of })))
    }

    /// A credential; null when there is none, or it was deleted.
    #[graphql(complexity = "child_complexity + 1")]
    async fn credential(
        &self,
        context: &Context<'_>,
        id: Uuid,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<Credential>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_stream::<CredentialEvent>(state, id).of_rows(state).await?;
        credential(state, CredentialId(id), as_of).await
    }

    /// Credentials, newest first. Their values are never answered.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    pub(crate) async fn credentials(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<Credential>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let page = page(&Paging::new(first, after, last, before))?;
        let found = rows(state.read_models().credentials(state.tenant(), as_of, &page).await)?;
        Ok(row_pages(found, |row| (row.provenance.created_position, Credential(row))))
    }

    /// The types of credentials that nodes of this build use. Credentials of other types can be saved too.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn credential_types(&self, context: &Context<'_>) -> Result<Vec<CredentialType>> {
        Ok(credential_types(&state(context)?.webhooks().public_url))
    }

    /// Events of the log.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn events(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Only events after this position.")] from: Option<PositionScalar>,
        #[graphql(default)] filter: EventFilter,
        #[graphql(default_with = "Direction::Forward")] direction: Direction,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<Event>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_log(state).await?;
        let (origins, filter) = (filter.origins()?, filter.into_store(state)?);
        let paging = Paging::new(first, after, last, before);
        // What was asked about is how it was then: that somebody looked comes after it.
        let as_of = Some(as_of.unwrap_or_else(|| state.log().head()));
        look_at_events(context, state, "events", &filter).await?;
        EventList { filter, origins, from, direction, paging, as_of }.read(state).await
    }

    /// Events whose payload holds a text, the newest first. One search looks at a bounded number of events; `extent` tells
    /// how far it came.
    #[graphql(complexity = "page_cost(first, last, child_complexity) + 500")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn search_payloads(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The text, as it is: 2 to 200 characters.")] query: String,
        #[graphql(default)] filter: EventFilter,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<PayloadHits> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_log(state).await?;
        let paging = Paging::new(first, after, last, before);
        let (origins, filter) = (filter.origins()?, filter.into_store(state)?);
        let as_of = Some(as_of.unwrap_or_else(|| state.log().head()));
        look_at_events(context, state, "payload search", &filter).await?;
        Search { text: query, filter, origins, paging, as_of }.run(state).await
    }

    /// The exact state of anything right after any event; null when it had not come to be.
    #[graphql(complexity = "child_complexity + 50")]
    async fn state_at(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What it is about; or give `stream`.")] entity: Option<EntityInput>,
        #[graphql(desc = "The stream that it is about, of whatever category.")] stream: Option<StreamInput>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<StateView>> {
        let state = state(context)?;
        let stream = asked_stream(state, entity, stream)?;
        look_at_stream(context, state, &stream).await?;
        state_at(state, &stream, Moment::new(as_of, wait_for)).await
    }

    /// What changed in anything between two moments.
    #[graphql(complexity = "child_complexity + 100")]
    async fn state_diff(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What it is about; or give `stream`.")] entity: Option<EntityInput>,
        #[graphql(desc = "The stream that it is about, of whatever category.")] stream: Option<StreamInput>,
        #[graphql(desc = "The moment that the changes lead from.")] from: AsOf,
        #[graphql(desc = "The moment that they lead to; absent = now.")] to: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<StateDiff> {
        let state = state(context)?;
        let stream = asked_stream(state, entity, stream)?;
        look_at_stream(context, state, &stream).await?;
        let from = Moment::new(Some(from), wait_for);
        state_diff(context, state, &stream, from, Moment::new(to, None)).await
    }

    /// How two things of the same kind differ, such as two executions of a workflow.
    #[graphql(complexity = "child_complexity + 100")]
    async fn state_comparison(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The one.")] left: StreamInput,
        #[graphql(desc = "The moment of the one; absent = now.")] left_as_of: Option<AsOf>,
        #[graphql(desc = "The other.")] right: StreamInput,
        #[graphql(desc = "The moment of the other; absent = now.")] right_as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<StateComparison> {
        let state = state(context)?;
        let left = asked_stream(state, None, Some(left))?;
        let right = asked_stream(state, None, Some(right))?;
        look_at_stream(context, state, &left).await?;
        look_at_stream(context, state, &right).await?;
        let moments = (Moment::new(left_as_of, wait_for), Moment::new(right_as_of, None));
        compare(context, state, (left, moments.0), (right, moments.1)).await
    }

    /// The processes of the log, in the order in which they started. One that died is listed for a minute; a log in a data
    /// folder has one.
    #[graphql(complexity = "20 * child_complexity + 1")]
    async fn workers(&self, context: &Context<'_>) -> Result<Vec<Worker>> {
        workers_now(state(context)?).await
    }

    /// How far the log is archived, and in which segments; null where it cannot be.
    #[graphql(complexity = "first * child_complexity + 1")]
    async fn log_archive(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Segments that end after this position; absent = from the beginning.")] after: Option<
            PositionScalar,
        >,
        #[graphql(desc = "At most so many segments, at most 1,000.", default = 100)] first: usize,
    ) -> Result<Option<LogArchive>> {
        log_archive(state(context)?, after.map_or(Position::START, |after| after.0), first).await
    }

    /// Reads a whole segment of the archive and compares it with what the log tells of it. It takes some seconds.
    #[graphql(complexity = "5_000 + child_complexity")]
    async fn log_segment_check(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Position of its first event.")] first: PositionScalar,
    ) -> Result<LogSegmentCheck> {
        check_segment(state(context)?, first.0).await
    }

    /// How far each projection is, and what keeps it, now: what is told here is no event, so that there is no past of it.
    async fn projections(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Answer once the rows show this position.")] wait_for: Option<PositionScalar>,
    ) -> Result<Vec<Projection>> {
        let state = state(context)?;
        Moment::new(None, wait_for).of_rows(state).await?;
        projections_now(state)
    }

    /// What a projection could not fold and has set aside, in the order of the log, as it is now: an event that was tried again is
    /// parked no more, and never was in rows that are built anew.
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn parked_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Name of the projection.")] projection: String,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Answer once the rows show this position.")] wait_for: Option<PositionScalar>,
    ) -> Result<Pages<ParkedEvent>> {
        let state = state(context)?;
        Moment::new(None, wait_for).of_rows(state).await?;
        parked_events(state, &projection, &Paging::new(first, after, last, before)).await
    }

    /// The node types that workflows can use here.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn node_catalogue(
        &self,
        context: &Context<'_>,
        #[graphql(name = "type", desc = "Only this type.")] node_type: Option<String>,
    ) -> Result<Vec<NodeType>> {
        Ok(node_types(state(context)?.catalogue(), node_type.as_deref()))
    }
}
