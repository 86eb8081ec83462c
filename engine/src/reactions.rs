//! What follows from the end of an execution: a failure starts the error workflow, and an execution that waited for a
//! sub-workflow takes it along.
//!
//! Any number of processes may follow the log for this: the id of an error workflow's execution follows from the one that
//! failed, and what has ended is not cancelled again. Invariant: the mark is saved only after everything up to it was
//! carried out or refused, so that nothing is forgotten when the process dies between the two.

mod error_workflow;
mod waited_for;

use std::sync::Arc;
use std::time::Duration;

use timeloom_commands::{CommandError, Commands, Directory};
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{ExecutionEvent, StartFacts};
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::trace::{ExecutionTrace, Sampling};
use timeloom_store::{
    Direction, EventLog, Filter, LogError, Position, RecordedEvent, Revision, StreamKey, Subscription,
    SubscriptionMessage, TenantScope, codec,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use error_workflow::failure_id;

use crate::node::SubWorkflows;
use timeloom_store::mark::Mark;

/// Events that may wait to be looked at.
const QUEUE_EVENTS_MAX: usize = 4_096;
/// The events from which something follows.
const FOLLOWED_TYPES: [&str; 2] = ["ExecutionFailed", "ExecutionCancelled"];
/// How often the mark is saved at most.
const MARK_INTERVAL: Duration = Duration::from_secs(2);
/// Pause before the log or a command that failed is tried again; it doubles each time.
const FAULT_PAUSE: Duration = Duration::from_millis(200);
/// Longest such pause.
const FAULT_PAUSE_MAX: Duration = Duration::from_secs(5);

/// What the reactions are made of.
pub struct ReactionsParts {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The way in for executions.
    pub commands: Commands,
    /// Who is meant by the name of an error workflow.
    pub directory: Directory,
    /// Runs of other workflows.
    pub sub_workflows: Arc<dyn SubWorkflows>,
    /// Remembers up to which position everything was carried out.
    pub mark: Arc<dyn Mark>,
    /// Which executions are traced, of those that nobody else has decided about.
    pub sampling: Sampling,
    /// Where this deployment is reached from outside, without a slash at the end.
    pub public_url: Arc<str>,
}

/// The reactions of one process. Cheap to clone.
#[derive(Clone)]
pub struct Reactions {
    parts: Arc<ReactionsParts>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// Why a reaction cannot be carried out now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReactionError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// An execution that ended, as its own stream and the first of its chain tell of it.
struct Ended {
    /// The event that ended it.
    event: Arc<RecordedEvent>,
    /// The execution that was started: the first of its streams.
    root: ExecutionId,
    /// How it began.
    start: StartFacts,
    /// Whether it goes on from an event of another execution: somebody looks at it, and nothing follows from its failure.
    is_fork: bool,
    /// Where it stands in traces.
    trace: ExecutionTrace,
}

impl Reactions {
    /// Reactions that follow nothing until [`Reactions::start`].
    pub fn new(parts: ReactionsParts) -> Self {
        Self { parts: Arc::new(parts), tasks: TaskTracker::new(), stopping: CancellationToken::new() }
    }

    /// Begins to follow the log, from the mark on. Without one, what was before is left alone.
    pub fn start(&self) {
        let reactions = self.clone();
        self.tasks.spawn(async move { reactions.stopping.run_until_cancelled(reactions.follow()).await });
    }

    /// Stops; what was not carried out yet is at the next start.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn follow(&self) {
        let mut from = self.begin().await;
        let mut saved = from;
        loop {
            let filter = Filter {
                categories: vec![ExecutionEvent::CATEGORY.into()],
                event_types: FOLLOWED_TYPES.map(Arc::from).to_vec(),
                stream: None,
            };
            let mut events = self.parts.log.subscribe(TenantScope::All, from, filter, QUEUE_EVENTS_MAX);
            if !self.take(&mut events, &mut from, &mut saved).await {
                return;
            }
        }
    }

    /// Takes what a subscription brings until it ends; false when the log is closed.
    async fn take(&self, events: &mut Subscription, from: &mut Position, saved: &mut Position) -> bool {
        loop {
            let message = if *from > *saved {
                match tokio::time::timeout(MARK_INTERVAL, events.next()).await {
                    Ok(message) => message,
                    Err(_) => {
                        self.save(*from, saved).await;
                        continue;
                    }
                }
            } else {
                events.next().await
            };
            match message {
                Some(SubscriptionMessage::Event(event)) => {
                    let position = event.position;
                    self.react(event).await;
                    *from = position;
                    self.save_often(*from, saved).await;
                }
                Some(SubscriptionMessage::Checkpoint(position) | SubscriptionMessage::CaughtUp(position)) => {
                    *from = position.max(*from);
                }
                Some(SubscriptionMessage::FellBehind(_)) => return true,
                Some(SubscriptionMessage::Failed(error)) => {
                    tracing::error!(%error, "failures cannot be followed in the log; trying again");
                    tokio::time::sleep(FAULT_PAUSE_MAX).await;
                    return true;
                }
                None => return false,
            }
        }
    }

    /// Where to begin. A log without a mark begins now: what failed before anybody followed it is left alone.
    async fn begin(&self) -> Position {
        let mut pause = FAULT_PAUSE;
        loop {
            let begun = match self.parts.mark.load().await {
                Ok(Some(position)) => return Position(position),
                Ok(None) => {
                    let head = self.parts.log.head();
                    self.parts.mark.save(head.0).await.map(|()| head)
                }
                Err(error) => Err(error),
            };
            match begun {
                Ok(head) => return head,
                Err(error) => {
                    tracing::warn!(%error, "the position up to which failures were served is not known; trying again");
                    wait_out(&mut pause).await;
                }
            }
        }
    }

    /// Saves the mark after many events at once, when no pause comes between them.
    async fn save_often(&self, from: Position, saved: &mut Position) {
        if from.0.saturating_sub(saved.0) >= QUEUE_EVENTS_MAX as u64 {
            self.save(from, saved).await;
        }
    }

    async fn save(&self, from: Position, saved: &mut Position) {
        match self.parts.mark.save(from.0).await {
            Ok(()) => *saved = from,
            Err(error) => tracing::warn!(%error, "the position up to which failures were served was not remembered"),
        }
    }

    /// Carries out what follows from one event, as often as it takes.
    async fn react(&self, event: Arc<RecordedEvent>) {
        let mut pause = FAULT_PAUSE;
        loop {
            match self.try_react(&event).await {
                Ok(()) => return,
                // What this build does not know, another one does.
                Err(ReactionError::Log(error @ (LogError::Corrupt { .. } | LogError::Unknown { .. }))) => {
                    tracing::error!(stream = %event.stream, %error, "what follows from the end of an execution is not known");
                    return;
                }
                Err(ReactionError::Command(CommandError::Refused(refusal))) => {
                    tracing::warn!(stream = %event.stream, %refusal, "what follows from a failure was refused");
                    return;
                }
                Err(error) => {
                    tracing::warn!(stream = %event.stream, %error, "what follows from a failure must wait; trying again");
                    wait_out(&mut pause).await;
                }
            }
        }
    }

    async fn try_react(&self, event: &Arc<RecordedEvent>) -> Result<(), ReactionError> {
        let Some(ended) = self.ended(event).await? else { return Ok(()) };
        waited_for::cancel(&self.parts, &ended).await?;
        if ended.is_fork {
            return Ok(());
        }
        if let ExecutionEvent::ExecutionFailed { node, error, .. } = codec::decode(event)? {
            error_workflow::start(&self.parts, &ended, node.as_deref(), &error).await?;
        }
        Ok(())
    }

    async fn ended(&self, event: &Arc<RecordedEvent>) -> Result<Option<Ended>, LogError> {
        let Some((first, traceparent)) = first_event(&self.parts.log, &event.stream).await? else { return Ok(None) };
        let Ok(own) = event.stream.id.parse::<ExecutionId>() else { return Ok(None) };
        let mut is_fork = false;
        let (root, start) = match first {
            ExecutionEvent::ExecutionStarted(start) => (own, Arc::unwrap_or_clone(start)),
            ExecutionEvent::ExecutionRetried(retry) => (own, retry.start),
            ExecutionEvent::ExecutionForked(fork) => {
                is_fork = true;
                (own, fork.start)
            }
            ExecutionEvent::ExecutionContinued(continuation) => {
                let root = StreamKey::new(event.stream.tenant, ExecutionEvent::CATEGORY, continuation.root.to_string());
                is_fork =
                    matches!(first_event(&self.parts.log, &root).await?, Some((ExecutionEvent::ExecutionForked(_), _)));
                (continuation.root, continuation.start)
            }
            _ => return Ok(None),
        };
        let trace = ExecutionTrace::of(root, traceparent.as_deref());
        Ok(Some(Ended { event: Arc::clone(event), root, start, is_fork, trace }))
    }
}

/// The event with which a stream begins, and under which span it came to be.
async fn first_event(
    log: &Arc<dyn EventLog>,
    stream: &StreamKey,
) -> Result<Option<(ExecutionEvent, Option<String>)>, LogError> {
    let first = log.read_stream(stream, Revision::default(), Direction::Forward, 1).await?;
    let Some(first) = first.first() else { return Ok(None) };
    Ok(Some((codec::decode(first)?, first.metadata.traceparent().map(str::to_owned))))
}

async fn wait_out(pause: &mut Duration) {
    tokio::time::sleep(*pause).await;
    *pause = (2 * *pause).min(FAULT_PAUSE_MAX);
}
