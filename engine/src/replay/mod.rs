//! Replay checks: executions and test cases are run again in memory, and a report says which of them did something else.
//!
//! No effect happens and nothing of these runs is written. Any number of processes may follow the log for this: the one that
//! has the lease of a check's shard does it, and the first report stands. Invariant: a check that was asked for ends with a
//! report or with a reason, however often processes die meanwhile.

mod case;
mod once;
mod outcome;
mod run;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use timeloom_commands::{CommandContext, CommandError, Commands};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{Actor, CommandId, ExecutionId};
use timeloom_domain::replay::{
    REPORTED_MAX, ReplayAgainst, ReplayCheckEvent, ReplayReport, ReplayRequest, ReplayedCase,
};
use timeloom_domain::workflow::WorkflowEvent;
use timeloom_store::leases::Shard;
use timeloom_store::{
    Direction, Filter, LogError, Position, RecordedEvent, StreamKey, SubscriptionMessage, TenantScope, codec,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use self::once::{Came, CameRun, Failure, Replay, ReplayOnceError, Replayed, replay_once};
use self::outcome::Compared;
use crate::restore::{self, RestoreError};
use crate::runner::Engine;
use crate::writer::ENGINE_ACTOR;

/// Events that may wait to be looked at.
const QUEUE_EVENTS_MAX: usize = 1_024;
/// The newest events of checks that are looked at to find those that were left: older ones were given up.
const LOOKED_BACK_EVENTS_MAX: usize = 10_000;
/// Events that are read at a time.
const PAGE_EVENTS: usize = 500;
/// Executions of one check that are run again at the same time.
const AT_ONCE_MAX: usize = 4;
/// Pause before the log or a command that failed is tried again, and between looks at whose check it is.
const PAUSE: Duration = Duration::from_millis(500);

/// The replay checks of one process. Cheap to clone.
#[derive(Clone)]
pub struct ReplayChecks {
    engine: Engine,
    commands: Commands,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// The checks that were asked for and have not ended, by the place of the request.
type Open = BTreeMap<Position, Arc<RecordedEvent>>;

impl ReplayChecks {
    /// Checks that follow nothing until [`ReplayChecks::start`].
    pub fn new(engine: Engine, commands: Commands) -> Self {
        Self { engine, commands, tasks: TaskTracker::new(), stopping: CancellationToken::new() }
    }

    /// Begins to follow the log; what was left undone comes first.
    pub fn start(&self) {
        self.begin(false);
    }

    /// The same for a process that drives no executions: it does every check.
    pub fn start_alone(&self) {
        self.begin(true);
    }

    fn begin(&self, is_alone: bool) {
        let checks = self.clone();
        self.tasks.spawn(async move { checks.stopping.run_until_cancelled(checks.follow(is_alone)).await });
    }

    /// Stops; what is under way is done by the next who follows.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn follow(&self, is_alone: bool) {
        let log = &self.engine.inner.parts.log;
        loop {
            let from = log.head();
            let mut open = match self.left(from).await {
                Ok(open) => open,
                Err(error) => {
                    tracing::warn!(%error, "the replay checks that were left are not known; trying again");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let mut events = log.subscribe(TenantScope::All, from, filter(), QUEUE_EVENTS_MAX);
            loop {
                self.work_off(&mut open, is_alone).await;
                let next = match open.is_empty() {
                    true => events.next().await,
                    // They are another process's: it may lose their shards.
                    false => match tokio::time::timeout(PAUSE, events.next()).await {
                        Ok(next) => next,
                        Err(_) => continue,
                    },
                };
                match next {
                    Some(SubscriptionMessage::Event(event)) => take(&mut open, event),
                    Some(SubscriptionMessage::Checkpoint(_) | SubscriptionMessage::CaughtUp(_)) => {}
                    Some(SubscriptionMessage::FellBehind(_)) => break,
                    Some(SubscriptionMessage::Failed(error)) => {
                        tracing::error!(%error, "replay checks cannot be followed in the log; trying again");
                        tokio::time::sleep(PAUSE).await;
                        break;
                    }
                    None => return,
                }
            }
        }
    }

    /// The checks that had not ended at a position.
    async fn left(&self, to: Position) -> Result<Open, LogError> {
        let (mut newest, mut last) = (Vec::new(), to);
        while newest.len() < LOOKED_BACK_EVENTS_MAX {
            let log = &self.engine.inner.parts.log;
            let page = log.read_all(TenantScope::All, last, Direction::Backward, &filter(), PAGE_EVENTS).await?;
            let complete = page.len() < PAGE_EVENTS;
            last = page.last().map_or(last, |oldest| Position(oldest.position.0.saturating_sub(1)));
            newest.extend(page);
            if complete {
                break;
            }
        }
        let mut open = Open::new();
        newest.into_iter().rev().for_each(|event| take(&mut open, event));
        Ok(open)
    }

    /// Does the checks that are this process's to do.
    async fn work_off(&self, open: &mut Open, is_alone: bool) {
        for position in open.keys().copied().collect::<Vec<_>>() {
            let Some(event) = open.get(&position) else { continue };
            let inner = &self.engine.inner;
            if !is_alone && inner.lock_shards().hold(Shard::of(&event.stream.id)).is_none() {
                continue;
            }
            match self.check(event).await {
                Ok(()) => {
                    open.remove(&position);
                }
                Err(CommandError::Refused(refusal)) => {
                    tracing::error!(check = %event.stream, %refusal, "the report of a replay check was refused");
                    open.remove(&position);
                }
                Err(error) => tracing::warn!(check = %event.stream, %error, "a replay check must wait; trying again"),
            }
        }
    }

    async fn check(&self, event: &Arc<RecordedEvent>) -> Result<(), CommandError> {
        let Ok(id) = event.stream.id.parse::<Uuid>() else { return Ok(()) };
        let ReplayCheckEvent::ReplayCheckRequested(request) = codec::decode(event)? else { return Ok(()) };
        let report = self.report(&event.stream, &request).await.map_err(|error| error.to_string());
        let context = CommandContext {
            causation_id: Some(event.id),
            correlation_id: event.metadata.correlation_id.or(Some(event.id)),
            ..CommandContext::trusted(
                event.stream.tenant,
                Actor::System(ENGINE_ACTOR.to_owned()),
                CommandId(Uuid::new_v5(&id, b"report")),
            )
        };
        self.commands.end_replay_check(&context, id, report).await.map(|_| ())
    }

    /// Runs all of them again.
    async fn report(&self, like: &StreamKey, request: &ReplayRequest) -> Result<ReplayReport, RestoreError> {
        let run = |execution| self.replay(like, request, execution).boxed();
        let runs: Vec<BoxFuture<'_, _>> = request.executions.iter().copied().map(run).collect();
        let mut compared = stream::iter(runs).buffered(AT_ONCE_MAX);
        let mut report = ReplayReport::default();
        while let Some(compared) = compared.next().await {
            match compared? {
                Compared::Same => report.same += 1,
                Compared::Skipped => report.skipped += 1,
                Compared::Differs(difference) => {
                    report.differ += 1;
                    if report.differences.len() < REPORTED_MAX {
                        report.differences.push(*difference);
                    }
                }
            }
        }
        report.cases = self.cases(like, request).await?;
        Ok(report)
    }

    /// Runs the test cases, one after the other: each may be large.
    async fn cases(&self, like: &StreamKey, request: &ReplayRequest) -> Result<Vec<ReplayedCase>, RestoreError> {
        if request.cases.is_empty() {
            return Ok(Vec::new());
        }
        let definition = match request.against {
            ReplayAgainst::Same => None,
            ReplayAgainst::Definition { workflow_revision, workflow_version } => {
                let stream = StreamKey::new(like.tenant, WorkflowEvent::CATEGORY, request.workflow_id.to_string());
                Some(restore::definition(&self.engine.inner, &stream, workflow_revision, workflow_version).await?)
            }
        };
        let (mut cases, mut told) = (Vec::new(), 0);
        for case in &request.cases {
            let replayed = case::replay(&self.engine, request.workflow_id, definition.as_deref(), case);
            let mut replayed = replayed.boxed().await?;
            if let Some(difference) = &mut replayed.difference {
                told += 1;
                if told > REPORTED_MAX {
                    difference.changes.clear();
                }
            }
            cases.push(replayed);
        }
        Ok(cases)
    }

    async fn replay(&self, like: &StreamKey, request: &ReplayRequest, id: ExecutionId) -> Result<Compared, LogError> {
        match run::replay(&self.engine, like, request, id).await {
            Ok(compared) => Ok(compared),
            Err(run::ReplayError::Log(error @ LogError::Storage(_))) => Err(error),
            Err(error) => {
                tracing::info!(execution = %id, %error, "an execution cannot be run again");
                Ok(Compared::Skipped)
            }
        }
    }
}

fn filter() -> Filter {
    // Searches for the change that made a run bad are in the same category, and many.
    let types = ["ReplayCheckRequested", "ReplayCheckCompleted", "ReplayCheckFailed"];
    Filter {
        categories: vec![ReplayCheckEvent::CATEGORY.into()],
        event_types: types.map(Arc::from).to_vec(),
        ..Filter::default()
    }
}

/// Takes an event of a check in.
fn take(open: &mut Open, event: Arc<RecordedEvent>) {
    if &*event.event_type == "ReplayCheckRequested" {
        open.insert(event.position, event);
    } else {
        open.retain(|_, request| request.stream != event.stream);
    }
}
