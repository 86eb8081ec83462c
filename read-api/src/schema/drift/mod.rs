//! Drift of models: recorded inferences compared with others, on demand and again and again by a watch. A keeper judges for
//! watches; nothing is judged here.

mod shown;

use async_graphql::{Context, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use timeloom_commands::StartDriftWatch;
use timeloom_domain::access::Permission;
use timeloom_domain::drift::{
    DriftBaseline, DriftBounds, DriftTarget, DriftWatchEvent, Profile, SAMPLES_MAX, SAMPLES_MIN, compare,
};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::Slug;
use timeloom_history::drift::{Answered, Range, newest, profile};
use timeloom_history::{self as history, HistoryError};
use timeloom_projections::AsOf as RowsAsOf;
use timeloom_store::{LogError, Position, StreamKey};
use uuid::Uuid;

pub(crate) use self::shown::DriftWatch;
use self::shown::ModelDrift;
use super::faults::{bad_input, fault};
use super::models::Model;
use super::payloads::{UserError, payload, refused};
use super::query::model;
use super::reading::{Moment, not_there, state};
use super::scalars::{AsOf, PositionScalar};
use crate::state::ApiState;

/// Inferences of a baseline, and of each side of a comparison, where nothing is said.
const NEWEST: u32 = 500;
/// Inferences of a window where nothing is said.
const WINDOW: u32 = 200;

/// A time.
#[derive(Debug, Clone, Copy, InputObject)]
pub(crate) struct DriftTimesInput {
    /// Its beginning.
    from: DateTime<Utc>,
    /// Its end, which is not part of it.
    until: DateTime<Utc>,
}

/// What counts as drift.
#[derive(Debug, Clone, Copy, InputObject)]
pub(crate) struct DriftBoundsInput {
    /// A population stability index of so much or more is moderate.
    #[graphql(default = 0.1)]
    moderate: f64,
    /// One of so much or more is drift.
    #[graphql(default = 0.25)]
    drifted: f64,
    /// Neither where chance brings it this often or more, from 0 to 1, over all features together.
    #[graphql(default = 0.05)]
    p: f64,
}

/// How a model is to be watched.
#[derive(Debug, InputObject)]
pub(crate) struct StartDriftWatchInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The model.
    name: String,
    /// Only what this version answers; absent = every version.
    version: Option<u32>,
    /// Only what names this alias.
    alias: Option<String>,
    /// What was answered in this time is the baseline; absent = the newest before the watch.
    baseline: Option<DriftTimesInput>,
    /// How many of the newest before the watch are the baseline, 20 to 2,000; not with a time.
    baseline_newest: Option<u32>,
    /// How many inferences make a window, 20 to 2,000.
    #[graphql(default_with = "WINDOW")]
    window: u32,
    /// What counts as drift; absent = the usual bounds.
    bounds: Option<DriftBoundsInput>,
    /// Whether a watch that is under way is ended, and this one begins in its place; refused otherwise.
    #[graphql(default)]
    replace: bool,
}

/// A model that is to be watched no more.
#[derive(Debug, InputObject)]
pub(crate) struct StopDriftWatchInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The model.
    name: String,
}

payload! {
    /// What a command on the watch over a model came to.
    DriftWatchPayload {
        name: Slug => String,
        /// The model, from the read models: asking for it waits until they show `position`.
        model: Model = model
    }
}

impl From<DriftTimesInput> for DriftBaseline {
    fn from(times: DriftTimesInput) -> Self {
        Self::Answered { from_ms: times.from.timestamp_millis(), until_ms: times.until.timestamp_millis() }
    }
}

impl From<DriftBoundsInput> for DriftBounds {
    fn from(bounds: DriftBoundsInput) -> Self {
        let DriftBoundsInput { moderate, drifted, p } = bounds;
        Self { moderate, drifted, p }
    }
}

/// The two sides of a comparison.
struct Sides {
    baseline: Vec<Answered>,
    window: Vec<Answered>,
}

/// The reads of drift.
#[derive(Debug, Default)]
pub struct DriftQuery;

#[Object]
impl DriftQuery {
    /// Recorded inferences of a model compared with others of it, feature by feature; null when there is no such model.
    /// Without times, the newest `last` are compared with the `last` before them.
    #[graphql(complexity = "child_complexity + 200")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn model_drift(
        &self,
        context: &Context<'_>,
        name: String,
        #[graphql(desc = "Only what this version answered.")] version: Option<u32>,
        #[graphql(desc = "Only what named this alias.")] alias: Option<String>,
        #[graphql(desc = "What was answered in this time is compared with; goes with `window`.")] baseline: Option<
            DriftTimesInput,
        >,
        #[graphql(desc = "What was answered in this time is compared; goes with `baseline`.")] window: Option<
            DriftTimesInput,
        >,
        #[graphql(desc = "How many on each side where no times are named, 20 to 1,000.", default_with = "NEWEST")]
        last: u32,
        #[graphql(desc = "What counts as drift; absent = the usual bounds.")] bounds: Option<DriftBoundsInput>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<ModelDrift>> {
        let state = state(context)?;
        let up_to = Moment::new(as_of, wait_for).of_rows(state).await?;
        let slug = |name: String| Slug::try_new(name).map_err(|error| bad_input(error.to_string()));
        let target = DriftTarget { model: slug(name)?, version, alias: alias.map(slug).transpose()? };
        if model(state, target.model.clone(), up_to).await?.is_none() {
            return Ok(None);
        }
        let bounds = bounds.map(DriftBounds::from).unwrap_or_default();
        bounds.check().map_err(|error| bad_input(error.to_string()))?;
        let times = match (baseline, window) {
            (Some(baseline), Some(window)) => Some((baseline.into(), window.into())),
            (None, None) => None,
            _ => return Err(bad_input("a comparison by times needs both: give `baseline` and `window`, or neither")),
        };
        // One at a time and few at once: each may hold as much as a fold.
        let _turn = state.turn_to_fold().await;
        let sides = sides(state, &target, times, last, up_to.unwrap_or_else(|| state.log().head())).await?;
        let (before, now) = (observed(state, &sides.baseline).await?, observed(state, &sides.window).await?);
        let report = tokio::task::spawn_blocking(move || compare(&before, &now, &bounds)).await;
        let report = report.map_err(|error| fault(&error))?;
        Ok(Some(ModelDrift { target, report }))
    }
}

/// The inferences that are to be compared, of those up to a position.
async fn sides(
    state: &ApiState,
    target: &DriftTarget,
    times: Option<(DriftBaseline, DriftBaseline)>,
    last: u32,
    up_to: Position,
) -> Result<Sides> {
    let (log, tenant) = (state.log(), state.tenant());
    let failed = |error: LogError| fault(&error);
    if let Some((baseline, window)) = times {
        let mut sides = Vec::new();
        for side in [baseline, window] {
            side.check().map_err(|error| bad_input(error.to_string()))?;
            let range = Range::of_baseline(log, &side, up_to).await.map_err(failed)?;
            sides.push(newest(log, tenant, target, range).await.map_err(failed)?);
        }
        let window = sides.pop().unwrap_or_default();
        return Ok(Sides { baseline: sides.pop().unwrap_or_default(), window });
    }
    let last = last as usize;
    let most = SAMPLES_MAX / 2;
    if !(SAMPLES_MIN..=most).contains(&last) {
        return Err(bad_input(format!(
            "last is {last}: {SAMPLES_MIN} to {most} inferences can be compared with others"
        )));
    }
    let range = Range { after: Position::START, up_to, newest: 2 * last };
    let mut window = newest(log, tenant, target, range).await.map_err(failed)?;
    let baseline = window.split_off(last.min(window.len()));
    Ok(Sides { baseline, window })
}

async fn observed(state: &ApiState, answered: &[Answered]) -> Result<Profile> {
    let blobs = state.stored().map(|stored| &*stored.blobs);
    profile(answered, blobs).await.map_err(|error| fault(&error))
}

/// The watch over a model as of a moment; `None` where there was none by then.
pub(crate) async fn drift_watch(state: &ApiState, model: &Slug, as_of: RowsAsOf) -> Result<Option<DriftWatch>> {
    let stream = StreamKey::new(state.tenant(), DriftWatchEvent::CATEGORY, model.to_string());
    let moment = as_of.map_or(history::Moment::Newest, history::Moment::Position);
    match history::state_at(state.past(), &stream, moment).await {
        Ok(found) => {
            let watch = serde_json::from_value(found.state).map_err(|error| fault(&error))?;
            Ok(Some(DriftWatch { watch }))
        }
        Err(HistoryError::UnknownStream(_) | HistoryError::NotYet { .. }) => Ok(None),
        Err(error) => Err(not_there(&error)),
    }
}

/// What starts and stops watches.
#[derive(Debug, Default)]
pub struct DriftMutation;

#[Object]
impl DriftMutation {
    /// Watches whether a model drifts: every so many of its inferences are compared with a baseline, and each feature that is
    /// not what it was is an event. Refused where too little of the baseline was kept.
    async fn start_drift_watch(&self, context: &Context<'_>, input: StartDriftWatchInput) -> Result<DriftWatchPayload> {
        let state = state(context)?;
        let asked = state.context(input.command_id);
        if let Err(forbidden) = asked.require(Permission::RegistryWrite) {
            return DriftWatchPayload::of(Err(forbidden.into()));
        }
        let start = match wanted(input) {
            Ok(start) => start,
            Err(error) => return Ok(error.into()),
        };
        let listing = state.commands().models().caught_up().await.map_err(|error| fault(&error))?;
        // What is wrong with the rest, and that there is no such model, is refused by the command.
        if start.baseline.check().is_ok()
            && listing.model(state.tenant(), &start.target.model).is_some()
            && let Some(error) = too_small(state, &start).await?
        {
            return Ok(error.into());
        }
        DriftWatchPayload::of(state.commands().start_drift_watch(&asked, start).await)
    }

    /// Watches a model no more. What was found stays.
    async fn stop_drift_watch(&self, context: &Context<'_>, input: StopDriftWatchInput) -> Result<DriftWatchPayload> {
        let state = state(context)?;
        let name = match Slug::try_new(input.name) {
            Ok(name) => name,
            Err(error) => return Ok(refused("INVALID_NAME", error.to_string()).into()),
        };
        DriftWatchPayload::of(state.commands().stop_drift_watch(&state.context(input.command_id), name).await)
    }
}

/// What is asked for, in the words of commands.
fn wanted(input: StartDriftWatchInput) -> std::result::Result<StartDriftWatch, UserError> {
    let slug = |name: String| Slug::try_new(name).map_err(|error| refused("INVALID_NAME", error.to_string()));
    let baseline = match (input.baseline, input.baseline_newest) {
        (Some(_), Some(_)) => {
            let message = "a baseline is a time or a number of inferences: give one of `baseline` and `baselineNewest`";
            return Err(refused("BASELINE_OUT_OF_RANGE", message));
        }
        (Some(times), None) => times.into(),
        (None, count) => DriftBaseline::Newest { count: count.unwrap_or(NEWEST) },
    };
    Ok(StartDriftWatch {
        target: DriftTarget {
            model: slug(input.name)?,
            version: input.version,
            alias: input.alias.map(slug).transpose()?,
        },
        baseline,
        window: input.window,
        bounds: input.bounds.map(DriftBounds::from).unwrap_or_default(),
        replaces: input.replace,
    })
}

/// Why a baseline is none: there is too little of it.
async fn too_small(state: &ApiState, start: &StartDriftWatch) -> Result<Option<UserError>> {
    let failed = |error: LogError| fault(&error);
    let log = state.log();
    let range = Range::of_baseline(log, &start.baseline, log.head()).await.map_err(failed)?;
    let answered = newest(log, state.tenant(), &start.target, range).await.map_err(failed)?;
    let counts = observed(state, &answered).await?.counts;
    if counts.whole() as usize >= SAMPLES_MIN {
        return Ok(None);
    }
    let message = format!(
        "the baseline has {} inferences, of which {} were kept whole: {SAMPLES_MIN} are the fewest; ask the model more, or \
         let it record everything",
        counts.inferences,
        counts.whole()
    );
    Ok(Some(refused("BASELINE_TOO_SMALL", message)))
}
