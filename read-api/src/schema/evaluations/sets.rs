//! Sets of cases: made, added to, read. Their cases are read from the log, where they are the event of a version.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;
use timeloom_commands::{AddEvaluationSetVersion, CommandError, CreateEvaluationSet, Outcome, RecordedCases};
use timeloom_domain::evaluation::CASES_MAX;
use timeloom_domain::evaluation_set::{
    CaseOrigin, EvaluationCase as Case, EvaluationSetEvent, EvaluationSetVersion as Version, cases_of_lines,
};
use timeloom_domain::ids::Slug;
use timeloom_projections::EvaluationSetRow;
use timeloom_store::Position;
use uuid::Uuid;

use super::recorded::{EvaluationExecutionsInput, EvaluationInferencesInput, of_executions, of_inferences};
use super::slug;
use crate::schema::faults::{bad_input, fault};
use crate::schema::history::History;
use crate::schema::paging::{Pages, Paging, page_cost};
use crate::schema::payloads::{UserError, Written, refused, settle, taken};
use crate::schema::reading::{Moment, rows, state};
use crate::schema::rows::{page, row_pages};
use crate::schema::scalars::{AsOf, PositionScalar};
use crate::state::ApiState;

/// How many cases come where nothing else is said.
const CASES_FIRST: u32 = 100;

/// A set of cases on which models, agents and workflows are tried.
#[derive(Debug, Clone)]
pub(crate) struct EvaluationSet {
    row: EvaluationSetRow,
}

/// One version of a set of cases; it never changes.
#[derive(Debug, Clone)]
pub(crate) struct EvaluationSetVersion {
    name: Slug,
    version: Version,
}

/// Where a case is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum EvaluationCaseOrigin {
    /// Somebody wrote it.
    Hand,
    /// An inference that was recorded.
    Inference,
    /// An execution that was recorded: the items it began with, and what its last node gave.
    Execution,
}

/// One case: what something is given, and what is to come out.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct EvaluationCase {
    /// Its id, which no other case of the version has.
    id: String,
    /// What is given.
    input: Value,
    /// What is to come out; absent where nobody said.
    expected: Option<Value>,
    /// Where it is from.
    origin: EvaluationCaseOrigin,
    /// The recorded inference that it is from.
    inference_id: Option<Uuid>,
    /// The recorded execution that it is from.
    execution_id: Option<Uuid>,
}

impl From<Case> for EvaluationCase {
    fn from(case: Case) -> Self {
        let (origin, inference_id, execution_id) = match case.from {
            CaseOrigin::Hand => (EvaluationCaseOrigin::Hand, None, None),
            CaseOrigin::Inference { inference } => (EvaluationCaseOrigin::Inference, Some(inference.0), None),
            CaseOrigin::Execution { execution } => (EvaluationCaseOrigin::Execution, None, Some(execution.0)),
        };
        Self { id: case.id, input: case.input, expected: case.expected, origin, inference_id, execution_id }
    }
}

#[Object]
impl EvaluationSet {
    /// Its name.
    async fn name(&self) -> &str {
        self.row.name.as_str()
    }

    /// What it is for.
    async fn description(&self) -> &str {
        &self.row.set.description
    }

    /// Its newest version.
    async fn newest_version(&self) -> u32 {
        self.row.set.newest()
    }

    /// Its versions, the first one first: at most 100.
    #[graphql(complexity = "10 * child_complexity + 1")]
    async fn versions(&self) -> Vec<EvaluationSetVersion> {
        let of = |version: &Version| EvaluationSetVersion { name: self.row.name.clone(), version: version.clone() };
        self.row.set.versions.iter().map(of).collect()
    }

    /// One of its versions, the newest where none is named; null when there is none.
    async fn version(&self, version: Option<u32>) -> Option<EvaluationSetVersion> {
        let wanted = version.unwrap_or_else(|| self.row.set.newest());
        let found = self.row.set.versions.iter().find(|known| known.version == wanted)?;
        Some(EvaluationSetVersion { name: self.row.name.clone(), version: found.clone() })
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.row.provenance.into()
    }
}

#[Object]
impl EvaluationSetVersion {
    /// Its number; 1 is the first.
    async fn version(&self) -> u32 {
        self.version.version
    }

    /// How many cases it has.
    async fn case_count(&self) -> u32 {
        self.version.cases
    }

    /// Bytes of its cases as JSON, about.
    async fn bytes(&self) -> u64 {
        self.version.bytes
    }

    /// When it was added.
    async fn added_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.version.at_ms)
    }

    /// Its cases, in their order.
    #[graphql(complexity = "10 * child_complexity + 20")]
    async fn cases(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many, at most 1,000; 100 where absent.")] first: Option<u32>,
        #[graphql(default, desc = "How many are left out before them.")] skip: u32,
    ) -> Result<Vec<EvaluationCase>> {
        let first = first.unwrap_or(CASES_FIRST) as usize;
        if first > CASES_MAX {
            return Err(bad_input(format!("at most {CASES_MAX} cases are given at once: ask for them in parts")));
        }
        let state = state(context)?;
        let read = state.commands().evaluation_cases(&state.context(None), &self.name, self.version.version).await;
        let (cases, _) = read.map_err(|error| match error {
            CommandError::Refused(refusal) => bad_input(refusal.message),
            error => fault(&error),
        })?;
        Ok(cases.into_iter().skip(skip as usize).take(first).map(Into::into).collect())
    }
}

async fn set(state: &ApiState, name: Slug, as_of: Option<Position>) -> Result<Option<EvaluationSet>> {
    let found = rows(state.read_models().evaluation_set(state.tenant(), &name, as_of).await)?;
    Ok(found.map(|row| EvaluationSet { row }))
}

/// What a command on an evaluation set came to.
#[derive(Debug, Default)]
pub(crate) struct EvaluationSetPayload {
    id: Option<Slug>,
    left_out: u32,
    written: Written,
}

#[Object]
impl EvaluationSetPayload {
    /// Which one was changed; absent when nothing was.
    async fn name(&self) -> Option<&str> {
        self.id.as_ref().map(Slug::as_str)
    }

    /// The set as it is now.
    #[graphql(complexity = "child_complexity + 5")]
    async fn evaluation_set(&self, context: &Context<'_>) -> Result<Option<EvaluationSet>> {
        let Some(name) = &self.id else { return Ok(None) };
        let state = state(context)?;
        self.written.visible(state).await?;
        set(state, name.clone(), None).await
    }

    /// How much of what was recorded became no case: it is about a subject, was erased or not kept, did not complete, or is
    /// too large.
    async fn left_out(&self) -> u32 {
        self.left_out
    }

    /// The position from which reads show it: give it as `waitFor`.
    async fn position(&self) -> Option<PositionScalar> {
        self.written.position()
    }

    /// Whether this command had been carried out before.
    async fn repeated(&self) -> bool {
        self.written.repeated
    }

    /// Why the command was not carried out; empty when it was.
    async fn errors(&self) -> &[UserError] {
        &self.written.errors
    }
}

impl From<UserError> for EvaluationSetPayload {
    fn from(error: UserError) -> Self {
        Self { written: Written { errors: vec![error], ..Written::default() }, ..Self::default() }
    }
}

impl EvaluationSetPayload {
    fn of(result: std::result::Result<Outcome<Slug>, CommandError>, left_out: u32) -> Result<Self> {
        let (id, written) = Written::of(settle(result)?);
        Ok(Self { id, left_out, written })
    }
}

/// A case that somebody writes.
#[derive(Debug, InputObject)]
pub(crate) struct EvaluationCaseInput {
    /// Its id, which no other case of the version has; absent = its place, counted from 1.
    id: Option<String>,
    /// What is given.
    input: Value,
    /// What is to come out; absent where nobody says.
    expected: Option<Value>,
}

/// A set of cases to make, with its first version.
#[derive(Debug, InputObject)]
pub(crate) struct CreateEvaluationSetInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// Its name: lower-case letters, digits, '-', '_', '.' and '/'.
    name: String,
    /// What it is for; at most 1,000 characters.
    #[graphql(default)]
    description: String,
    /// Cases as JSON Lines: an object a line with `input`, and `expected` and `id` where there are such.
    lines: Option<String>,
    /// Cases, after those of the lines; at most 1,000 together.
    #[graphql(default)]
    cases: Vec<EvaluationCaseInput>,
    /// Executions to make cases of.
    executions: Option<EvaluationExecutionsInput>,
    /// Inferences to make cases of.
    inferences: Option<EvaluationInferencesInput>,
    /// Whom the cases are about: they go when the data of this subject is erased.
    subject: Option<String>,
}

/// A version to add to a set of cases.
#[derive(Debug, InputObject)]
pub(crate) struct AddEvaluationSetVersionInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The set.
    name: String,
    /// The version that must be the newest; absent = whichever it is.
    after_version: Option<u32>,
    /// Whether the cases of the newest version come before these; else it has the cases that are given and no others.
    #[graphql(default)]
    keep: bool,
    /// Ids of cases of the newest version that are not kept; only with `keep`.
    #[graphql(default)]
    without: Vec<String>,
    /// Cases as JSON Lines: an object a line with `input`, and `expected` and `id` where there are such.
    lines: Option<String>,
    /// Cases, after those of the lines; at most 1,000 together.
    #[graphql(default)]
    cases: Vec<EvaluationCaseInput>,
    /// Executions to make cases of.
    executions: Option<EvaluationExecutionsInput>,
    /// Inferences to make cases of.
    inferences: Option<EvaluationInferencesInput>,
    /// Whom the cases are about: they go when the data of this subject is erased.
    subject: Option<String>,
}

/// Where the cases of a version come from, one after the other.
struct Sources {
    lines: Option<String>,
    cases: Vec<EvaluationCaseInput>,
    executions: Option<EvaluationExecutionsInput>,
    inferences: Option<EvaluationInferencesInput>,
}

impl Sources {
    async fn read(self, state: &ApiState) -> Result<std::result::Result<RecordedCases, UserError>> {
        let mut cases = match cases_of_lines(self.lines.as_deref().unwrap_or_default()) {
            Ok(cases) => cases,
            Err(bad) => return Ok(Err(refused("INVALID_CASE", bad.to_string()))),
        };
        cases.extend(self.cases.into_iter().map(|case| {
            let expected = case.expected.filter(|expected| !expected.is_null());
            Case::by_hand(case.id.unwrap_or_default(), case.input, expected)
        }));
        let mut all = RecordedCases { cases, left_out: 0 };
        let mut add = |recorded: RecordedCases| {
            all.cases.extend(recorded.cases);
            all.left_out += recorded.left_out;
        };
        if let Some(executions) = self.executions {
            match of_executions(state, executions).await? {
                Ok(recorded) => add(recorded),
                Err(error) => return Ok(Err(error)),
            }
        }
        if let Some(inferences) = self.inferences {
            match of_inferences(state, inferences).await? {
                Ok(recorded) => add(recorded),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(all))
    }
}

/// The reads of sets of cases.
#[derive(Debug, Default)]
pub struct EvaluationSetQuery;

#[Object]
impl EvaluationSetQuery {
    /// A set of cases on which models, agents and workflows are tried; null when there is none.
    #[graphql(complexity = "child_complexity + 1")]
    async fn evaluation_set(
        &self,
        context: &Context<'_>,
        name: String,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<EvaluationSet>> {
        let state = state(context)?;
        let Ok(name) = Slug::try_new(name) else { return Ok(None) };
        let moment = Moment::new(as_of, wait_for).of_stream::<EvaluationSetEvent>(state, name.as_str());
        let as_of = moment.of_rows(state).await?;
        set(state, name, as_of).await
    }

    /// Sets of cases, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn evaluation_sets(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<EvaluationSet>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let page = page(&Paging::new(first, after, last, before))?;
        let found = rows(state.read_models().evaluation_sets(state.tenant(), as_of, &page).await)?;
        Ok(row_pages(found, |row| (row.provenance.created_position, EvaluationSet { row })))
    }
}

/// The changes of sets of cases.
#[derive(Debug, Default)]
pub struct EvaluationSetMutation;

#[Object]
impl EvaluationSetMutation {
    /// Makes a set of cases, with its first version.
    async fn create_evaluation_set(
        &self,
        context: &Context<'_>,
        input: CreateEvaluationSetInput,
    ) -> Result<EvaluationSetPayload> {
        let state = state(context)?;
        let CreateEvaluationSetInput { command_id, description, subject, .. } = input;
        let name = taken!(EvaluationSetPayload, slug(input.name));
        let (lines, cases, executions, inferences) = (input.lines, input.cases, input.executions, input.inferences);
        let sources = Sources { lines, cases, executions, inferences };
        let RecordedCases { cases, left_out } = taken!(EvaluationSetPayload, sources.read(state).await?);
        let create = CreateEvaluationSet { name, description, cases, subject };
        let result = state.commands().create_evaluation_set(&state.context(command_id), create).await;
        EvaluationSetPayload::of(result, left_out)
    }

    /// Adds a version to a set of cases. The versions before it stay as they are.
    async fn add_evaluation_set_version(
        &self,
        context: &Context<'_>,
        input: AddEvaluationSetVersionInput,
    ) -> Result<EvaluationSetPayload> {
        let state = state(context)?;
        let AddEvaluationSetVersionInput { command_id, after_version: after, keep: keeps, without, subject, .. } =
            input;
        let name = taken!(EvaluationSetPayload, slug(input.name));
        let (lines, cases, executions, inferences) = (input.lines, input.cases, input.executions, input.inferences);
        let sources = Sources { lines, cases, executions, inferences };
        let RecordedCases { cases, left_out } = taken!(EvaluationSetPayload, sources.read(state).await?);
        let add = AddEvaluationSetVersion { name, after, keeps, without, cases, subject };
        let result = state.commands().add_evaluation_set_version(&state.context(command_id), add).await;
        EvaluationSetPayload::of(result, left_out)
    }
}
