//! Follows the log: which runs are open, and which of them are this process's to drive, when.

use std::sync::Arc;
use std::time::Duration;

use timeloom_domain::agent_run::AgentRunEvent;
use timeloom_domain::event::Event as _;
use timeloom_store::{Filter, RecordedEvent, StreamKey, SubscriptionMessage, TenantScope};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::drive::{Driver, Left};
use crate::look_back::{PAGES_WAITING_MAX, look_back};
use crate::open::{Driven, Open, OpenRuns};
use crate::runs::AgentRuns;

/// Events that may wait to be looked at.
const QUEUE_EVENTS_MAX: usize = 1_024;
/// Most runs that one process drives; more wait until one of them is over or stands still.
const DRIVEN_MAX: usize = 10_000;
/// Pause between looks at whose runs they are and at the clock, and before the log is asked again that failed.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);

pub(crate) const BEGINNINGS: [&str; 2] = ["AgentRunStarted", "AgentRunForked"];
pub(crate) const ENDS: [&str; 3] = ["AgentRunCompleted", "AgentRunFailed", "AgentRunCancelled"];
/// What people say, which a run may wait for.
const WORDS: [&str; 4] = ["AgentApprovalGiven", "AgentApprovalDenied", "AgentRunPaused", "AgentRunResumed"];

/// What drives a run came to its end: of which run, what it heard until then, and why.
type Ended = Result<(StreamKey, u64, Left), JoinError>;

/// Follows the log for what happens to runs.
pub(crate) struct Follower {
    runs: AgentRuns,
    open: OpenRuns,
    driving: JoinSet<(StreamKey, u64, Left)>,
}

impl Follower {
    pub(crate) fn new(runs: AgentRuns) -> Self {
        Self { runs, open: OpenRuns::default(), driving: JoinSet::new() }
    }

    pub(crate) async fn run(mut self) {
        let log = Arc::clone(&self.runs.inner.parts.log);
        let mut from = log.head();
        let (pages, mut left) = mpsc::channel(PAGES_WAITING_MAX);
        self.runs.inner.tasks.spawn(look_back(self.runs.clone(), from, pages));
        let mut looks = tokio::time::interval(PAUSE);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let types = BEGINNINGS.into_iter().chain(ENDS).chain(WORDS);
            let mut events = log.subscribe(TenantScope::All, from, filter(types), QUEUE_EVENTS_MAX);
            loop {
                let message = tokio::select! {
                    message = events.next() => message,
                    Some(ended) = self.driving.join_next() => {
                        self.left(ended);
                        continue;
                    }
                    Some(page) = left.recv() => {
                        page.iter().for_each(|event| self.begin(event));
                        continue;
                    }
                    _ = looks.tick(), if !self.open.is_empty() => {
                        self.drive_idle();
                        continue;
                    }
                };
                match message {
                    Some(SubscriptionMessage::Event(event)) => {
                        from = event.position;
                        self.take(&event);
                    }
                    Some(SubscriptionMessage::Checkpoint(position)) => from = from.max(position),
                    Some(SubscriptionMessage::CaughtUp(_)) => {}
                    Some(SubscriptionMessage::FellBehind(position)) => {
                        from = from.min(position);
                        break;
                    }
                    Some(SubscriptionMessage::Failed(error)) => {
                        tracing::error!(%error, "runs of agents cannot be followed in the log; trying again");
                        tokio::time::sleep(PAUSE).await;
                        break;
                    }
                    None => return,
                }
            }
        }
    }

    fn take(&mut self, event: &RecordedEvent) {
        let event_type = &*event.event_type;
        if BEGINNINGS.contains(&event_type) {
            self.begin(event);
        } else if ENDS.contains(&event_type) {
            self.open.end(&event.stream);
        } else {
            self.open.told(&event.stream);
            self.drive(&event.stream);
        }
    }

    fn begin(&mut self, event: &RecordedEvent) {
        if self.open.begin(event) {
            self.drive(&event.stream);
        }
    }

    fn left(&mut self, ended: Ended) {
        match ended {
            Ok((stream, heard, left)) => {
                self.open.left(&stream, heard, left);
                self.drive(&stream);
            }
            Err(error) => {
                tracing::error!(%error, "what drives a run of an agent broke down; it is begun again");
                self.open.forget_broken();
            }
        }
    }

    /// Drives the runs whose time has come, or that are this process's by now.
    fn drive_idle(&mut self) {
        let parts = &self.runs.inner.parts;
        for stream in self.open.due(parts.commands.clock().now_ms(), &parts.drives) {
            self.drive(&stream);
        }
    }

    /// Drives a run, where it is this process's to drive and nobody does.
    fn drive(&mut self, stream: &StreamKey) {
        let runs = &self.runs;
        if self.driving.len() >= DRIVEN_MAX || !(runs.inner.parts.drives)(&stream.id) {
            return;
        }
        let Some(Open { run, begun_by, correlation, heard, driven, .. }) = self.open.idle(stream) else { return };
        let mut driver = Driver {
            runs: runs.clone(),
            tenant: stream.tenant,
            run: *run,
            begun_by: *begun_by,
            correlation: *correlation,
            heard: heard.subscribe(),
        };
        let stream = stream.clone();
        let task = Box::pin(async move {
            let (heard, left) = driver.drive().await;
            (stream, heard, left)
        });
        *driven = Driven::ByTask(self.driving.spawn(runs.inner.tasks.track_future(task)));
    }
}

pub(crate) fn filter(types: impl Iterator<Item = &'static str>) -> Filter {
    let event_types = types.map(Arc::from).collect();
    Filter { categories: vec![AgentRunEvent::CATEGORY.into()], event_types, stream: None }
}
