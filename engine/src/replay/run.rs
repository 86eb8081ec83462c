//! One execution, run again in memory from its first event, with its effects answered from what it recorded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, ForkEffects, RunOptions, StartFacts};
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_domain::replay::{ReplayAgainst, ReplayRequest};
use timeloom_store::{Direction, LogError, Revision, StreamKey, codec};
use tokio_util::sync::CancellationToken;

use super::outcome::{Compared, Outcome};
use crate::burst::{Pause, Worker};
use crate::chain::stream_of;
use crate::drive::surroundings;
use crate::machine::Machine;
use crate::restore::{self, RestoreError};
use crate::runner::{Engine, Inner};
use crate::stub::{Recording, RecordingError, Stubs};

/// Longest time that one execution is run again.
const REPLAY_TIME_MAX: Duration = Duration::from_secs(60);

/// Why an execution cannot be run again.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplayError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error("it is not in the log, or runs another workflow")]
    NotThere,
    #[error("it waits for something that was not recorded")]
    Waits,
    #[error("it took longer than {} s", REPLAY_TIME_MAX.as_secs())]
    TimedOut,
    #[error("the computation was torn down: {0}")]
    Torn(#[from] tokio::task::JoinError),
}

/// Runs an execution again, and says how it differs.
pub(super) async fn replay(
    engine: &Engine,
    like: &StreamKey,
    request: &ReplayRequest,
    id: ExecutionId,
) -> Result<Compared, ReplayError> {
    let outcomes = outcomes(engine, like, (request.workflow_id, request.against), id).await?;
    Ok(outcomes.map_or(Compared::Skipped, |(before, now)| before.compared(id, &now)))
}

/// What an execution came to, and what it comes to when it is run again; `None` where the two cannot be held against each other.
pub(super) async fn outcomes(
    engine: &Engine,
    like: &StreamKey,
    (workflow_id, against): (WorkflowId, ReplayAgainst),
    id: ExecutionId,
) -> Result<Option<(Outcome, Outcome)>, ReplayError> {
    let inner = &engine.inner;
    let stream = stream_of(like, id);
    let first = inner.parts.log.read_stream(&stream, Revision::default(), Direction::Forward, 1).await?;
    let Some(first) = first.first() else { return Err(ReplayError::NotThere) };
    let first = [codec::decode::<ExecutionEvent>(first)?];
    let base = restore::machine(inner, &stream, &first).await?.ok_or(ReplayError::NotThere)?;
    if base.start().workflow_id != workflow_id {
        return Err(ReplayError::NotThere);
    }
    let mut before = Outcome::default();
    let recording = Recording::follow(&inner.parts.log, &stream, &first, &base, |event| before.take(event)).await?;
    if !before.is_comparable() {
        return Ok(None);
    }
    let changes = match &first[0] {
        ExecutionEvent::ExecutionForked(fork) => fork.changes.as_slice(),
        _ => &[],
    };
    let stubs = Stubs::new(Arc::new(recording), changes, ForkEffects::Stub);
    let machine = under(inner, &stream, base, against, stubs).await?;
    let surroundings = surroundings(inner, stream.tenant, &id.to_string(), &machine, None);
    let worker = Worker {
        machine,
        session: inner.parts.evaluator.session(),
        surroundings: Arc::new(surroundings),
        clock: Arc::clone(&inner.parts.clock),
        cancelled: CancellationToken::new(),
        deadline_ms: None,
    };
    let _permit = inner.bursts.acquire().await;
    let most = before.is_cut().then(|| before.runs());
    let now = tokio::task::spawn_blocking(move || run(worker, most)).await??;
    Ok(Some((before, now)))
}

/// The machine right after its first event, under what it is to be run.
async fn under(
    inner: &Inner,
    stream: &StreamKey,
    base: Machine,
    against: ReplayAgainst,
    stubs: Stubs,
) -> Result<Machine, ReplayError> {
    let mut start = StartFacts {
        options: RunOptions { breakpoints: Vec::new(), ..base.start().options.clone() },
        ..base.start().without_items()
    };
    let earlier_runs = base.runs_so_far();
    let plan = match against {
        ReplayAgainst::Same => Arc::clone(base.plan()),
        ReplayAgainst::Definition { workflow_revision, workflow_version } => {
            (start.workflow_revision, start.workflow_version) = (workflow_revision, workflow_version);
            let plan = restore::plan(inner, stream, &start).await?;
            if start.mode == ExecutionMode::Manual {
                start.pins = plan.definition.pin_data.clone();
            }
            plan
        }
    };
    let mut machine = base.retried(plan, &start, earlier_runs);
    machine.follow(stubs);
    Ok(machine)
}

/// Computes to the end, or where only the first node runs are wanted, until so `many` have ended or nothing more is recorded.
fn run(mut worker: Worker, many: Option<usize>) -> Result<Outcome, ReplayError> {
    let (began, mut outcome) = (Instant::now(), Outcome::default());
    loop {
        let (events, pause) = worker.run_burst(usize::MAX);
        events.iter().for_each(|event| outcome.take(event));
        match pause {
            Pause::Ended => return Ok(outcome),
            _ if many.is_some_and(|many| outcome.runs() >= many) => return Ok(outcome),
            Pause::Effect(_) | Pause::Rest(_) | Pause::Await if many.is_some() => return Ok(outcome),
            // Nobody waits between the attempts at what only computes.
            Pause::Flush | Pause::Retry(_) => {}
            Pause::Effect(_) | Pause::Rest(_) | Pause::Await => return Err(ReplayError::Waits),
        }
        if began.elapsed() > REPLAY_TIME_MAX {
            return Err(ReplayError::TimedOut);
        }
    }
}
