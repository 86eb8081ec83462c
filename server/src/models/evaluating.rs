//! Evaluations: recorded inferences are computed by another version, or something is tried on the cases of a set, and a
//! report says what came of it.
//!
//! Nothing of it is served, and no inference of a model that is tried is recorded. Any number of processes follow the log for
//! this: the one that has the lease of an evaluation's shard does it, and the first report stands. Invariant: an evaluation
//! that was asked for ends with a report or with a reason, however often processes die meanwhile.

mod backtest;
mod judging;
mod recorded;
mod runs;
mod scoring;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use timeloom_commands::{CommandContext, CommandError};
use timeloom_domain::evaluation::{EvaluationCases, EvaluationEvent};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{Actor, CommandId};
use timeloom_store::leases::Shard;
use timeloom_store::{
    Direction, Filter, Leases, LogError, Position, RecordedEvent, SubscriptionMessage, TenantScope, codec,
};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) use self::recorded::cases as recorded_cases;
use super::Models;

/// Who evaluates.
const NAME: &str = "evaluation";
/// Events that may wait to be looked at.
const QUEUE_EVENTS_MAX: usize = 1_024;
/// The newest events of evaluations that are looked at to find those that were left: older ones were given up.
const LOOKED_BACK_EVENTS_MAX: usize = 10_000;
/// Events that are read at a time.
const PAGE_EVENTS: usize = 500;
/// Evaluations that one process does at the same time: one that waits for executions holds up no other.
const AT_ONCE_MAX: usize = 4;
/// Pause before the log or a command that failed is tried again, and between looks at whose evaluation it is.
const PAUSE: Duration = Duration::from_millis(500);

/// Does evaluations, until it is stopped.
pub struct Evaluating {
    stopping: CancellationToken,
    task: JoinSet<()>,
}

/// The evaluations that were asked for and have not ended, by the place of the request.
type Open = BTreeMap<Position, Arc<RecordedEvent>>;

#[derive(Clone)]
struct Follower {
    models: Models,
    leases: Arc<dyn Leases>,
}

/// What is being done: by the places of the requests.
#[derive(Default)]
struct Doing {
    begun: BTreeSet<Position>,
    tasks: JoinSet<(Position, bool)>,
}

impl Evaluating {
    /// Begins to follow the log; what was left undone comes first.
    pub fn start(models: Models, leases: &Arc<dyn Leases>) -> Self {
        let stopping = CancellationToken::new();
        let stopped = stopping.clone();
        let follower = Follower { models, leases: Arc::clone(leases) };
        let mut task = JoinSet::new();
        task.spawn(async move {
            stopped.run_until_cancelled(follower.follow()).await;
        });
        Self { stopping, task }
    }

    /// Stops; what is under way is done by the next who follows.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        if let Some(Err(error)) = self.task.join_next().await {
            tracing::error!(%error, "what does evaluations ended early");
        }
    }
}

impl Follower {
    async fn follow(&self) {
        let log = &self.models.inner.log;
        let mut doing = Doing::default();
        loop {
            let from = log.head();
            let mut open = match self.left(from).await {
                Ok(open) => open,
                Err(error) => {
                    tracing::warn!(%error, "the evaluations that were left are not known; trying again");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let mut events = log.subscribe(TenantScope::All, from, filter(), QUEUE_EVENTS_MAX);
            loop {
                self.begin(&open, &mut doing);
                // They are another process's, which may lose their shards; or wait until there is room.
                let is_some_left = open.keys().any(|position| !doing.begun.contains(position));
                let next = tokio::select! {
                    next = events.next() => next,
                    Some(done) = doing.tasks.join_next() => {
                        doing.took(done, &mut open);
                        continue;
                    }
                    () = tokio::time::sleep(PAUSE), if is_some_left => continue,
                };
                match next {
                    Some(SubscriptionMessage::Event(event)) => take(&mut open, event),
                    Some(SubscriptionMessage::Checkpoint(_) | SubscriptionMessage::CaughtUp(_)) => {}
                    Some(SubscriptionMessage::FellBehind(_)) => break,
                    Some(SubscriptionMessage::Failed(error)) => {
                        tracing::error!(%error, "evaluations cannot be followed in the log; trying again");
                        tokio::time::sleep(PAUSE).await;
                        break;
                    }
                    None => return,
                }
            }
        }
    }

    /// The evaluations that had not ended at a position.
    async fn left(&self, to: Position) -> Result<Open, LogError> {
        let (mut newest, mut last) = (Vec::new(), to);
        while newest.len() < LOOKED_BACK_EVENTS_MAX {
            let log = &self.models.inner.log;
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

    /// Begins the evaluations that are this process's to do, as far as there is room.
    fn begin(&self, open: &Open, doing: &mut Doing) {
        for (position, event) in open {
            if doing.tasks.len() >= AT_ONCE_MAX {
                return;
            }
            let is_own = self.leases.held().borrow().shards.contains_key(&Shard::of(&event.stream.id));
            if !is_own || !doing.begun.insert(*position) {
                continue;
            }
            let (follower, event, position) = (self.clone(), Arc::clone(event), *position);
            doing.tasks.spawn(async move { (position, follower.is_done(&event).await) });
        }
    }

    /// Does an evaluation; whether it needs to be looked at no more.
    async fn is_done(&self, event: &Arc<RecordedEvent>) -> bool {
        match self.evaluate(event).await {
            Ok(()) => true,
            Err(CommandError::Refused(refusal)) => {
                tracing::error!(evaluation = %event.stream, %refusal, "the report of an evaluation was refused");
                true
            }
            Err(error) => {
                tracing::warn!(evaluation = %event.stream, %error, "an evaluation must wait; trying again");
                tokio::time::sleep(PAUSE).await;
                false
            }
        }
    }

    async fn evaluate(&self, event: &Arc<RecordedEvent>) -> Result<(), CommandError> {
        let Ok(id) = event.stream.id.parse::<Uuid>() else { return Ok(()) };
        let EvaluationEvent::EvaluationRequested(request) = codec::decode(event)? else { return Ok(()) };
        let report = match &request.cases {
            EvaluationCases::Inferences(selection) => {
                Box::pin(backtest::report(&self.models, event, &request, selection)).await?
            }
            EvaluationCases::Set { set, version } => {
                Box::pin(scoring::report(&self.models, (id, event), &request, (set, *version))).await?
            }
        };
        let context = CommandContext {
            causation_id: Some(event.id),
            correlation_id: event.metadata.correlation_id.or(Some(event.id)),
            ..CommandContext::trusted(
                event.stream.tenant,
                Actor::System(NAME.to_owned()),
                CommandId(Uuid::new_v5(&id, b"report")),
            )
        };
        self.models.commands().end_evaluation(&context, id, report).await.map(|_| ())
    }
}

impl Doing {
    /// Takes in that one ended; one that is not done is begun again.
    fn took(&mut self, done: Result<(Position, bool), JoinError>, open: &mut Open) {
        match done {
            Ok((position, is_done)) => {
                self.begun.remove(&position);
                if is_done {
                    open.remove(&position);
                }
            }
            // Which one it was is not known: it is begun again by the next process, or the next start.
            Err(error) => tracing::error!(%error, "an evaluation ended early"),
        }
    }
}

fn filter() -> Filter {
    Filter { categories: vec![EvaluationEvent::CATEGORY.into()], ..Filter::default() }
}

/// Takes an event of an evaluation in.
fn take(open: &mut Open, event: Arc<RecordedEvent>) {
    if &*event.event_type == "EvaluationRequested" {
        open.insert(event.position, event);
    } else {
        open.retain(|_, request| request.stream != event.stream);
    }
}
