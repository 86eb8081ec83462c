//! Which runs are open, and who drives them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use timeloom_domain::agent_run::AgentRunEvent;
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{AgentRunId, EventId};
use timeloom_store::{
    Direction, Filter, LogError, Position, RecordedEvent, StreamKey, SubscriptionMessage, TenantScope,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::drive::Driver;
use crate::runs::AgentRuns;

/// Events that may wait to be looked at.
const QUEUE_EVENTS_MAX: usize = 1_024;
/// The newest beginnings and ends that are looked at to find runs that were left.
const LOOKED_BACK_EVENTS_MAX: usize = 100_000;
/// Events that are read at a time.
const PAGE_EVENTS: usize = 500;
/// Most runs that one process drives; more wait until one of them is over.
const DRIVEN_MAX: usize = 10_000;
/// Pause between looks at whose runs they are, and before the log is asked again that failed.
const PAUSE: Duration = Duration::from_millis(500);

const BEGINNINGS: [&str; 2] = ["AgentRunStarted", "AgentRunForked"];
const ENDS: [&str; 3] = ["AgentRunCompleted", "AgentRunFailed", "AgentRunCancelled"];
/// What people say, which a run may wait for.
const WORDS: [&str; 4] = ["AgentApprovalGiven", "AgentApprovalDenied", "AgentRunPaused", "AgentRunResumed"];

/// A run that has not ended.
struct Open {
    run: AgentRunId,
    begun_by: EventId,
    correlation: EventId,
    /// Told of what people say.
    heard: watch::Sender<u64>,
    driven: Option<JoinHandle<()>>,
}

/// Follows the log for what happens to runs.
pub(crate) struct Follower {
    runs: AgentRuns,
    open: HashMap<StreamKey, Open>,
}

impl Follower {
    pub(crate) fn new(runs: AgentRuns) -> Self {
        Self { runs, open: HashMap::new() }
    }

    pub(crate) async fn run(mut self) {
        let log = Arc::clone(&self.runs.inner.parts.log);
        loop {
            let from = log.head();
            if let Err(error) = self.look_back(from).await {
                tracing::warn!(%error, "the runs of agents that were left are not known; trying again");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let types = BEGINNINGS.into_iter().chain(ENDS).chain(WORDS);
            let mut events = log.subscribe(TenantScope::All, from, filter(types), QUEUE_EVENTS_MAX);
            loop {
                self.drive();
                let next = match self.open.values().all(|open| open.driven.is_some()) {
                    true => events.next().await,
                    // They are another process's, which may lose its shards.
                    false => match tokio::time::timeout(PAUSE, events.next()).await {
                        Ok(next) => next,
                        Err(_) => continue,
                    },
                };
                match next {
                    Some(SubscriptionMessage::Event(event)) => self.take(&event),
                    Some(SubscriptionMessage::Checkpoint(_) | SubscriptionMessage::CaughtUp(_)) => {}
                    Some(SubscriptionMessage::FellBehind(_)) => break,
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

    /// Finds the runs that had not ended at a position.
    async fn look_back(&mut self, to: Position) -> Result<(), LogError> {
        let (mut newest, mut last) = (Vec::new(), to);
        let filter = filter(BEGINNINGS.into_iter().chain(ENDS));
        while newest.len() < LOOKED_BACK_EVENTS_MAX {
            let log = &self.runs.inner.parts.log;
            let page = log.read_all(TenantScope::All, last, Direction::Backward, &filter, PAGE_EVENTS).await?;
            let is_last = page.len() < PAGE_EVENTS;
            last = page.last().map_or(last, |oldest| Position(oldest.position.0.saturating_sub(1)));
            newest.extend(page);
            if is_last {
                break;
            }
        }
        newest.iter().rev().for_each(|event| self.take(event));
        // Something may have been said meanwhile.
        self.open.values().for_each(|open| open.heard.send_modify(|words| *words += 1));
        Ok(())
    }

    fn take(&mut self, event: &RecordedEvent) {
        let event_type = &*event.event_type;
        if BEGINNINGS.contains(&event_type) {
            let Ok(run) = event.stream.id.parse() else { return };
            let correlation = event.metadata.correlation_id.unwrap_or(event.id);
            self.open.entry(event.stream.clone()).or_insert_with(|| Open {
                run,
                begun_by: event.id,
                correlation,
                heard: watch::Sender::default(),
                driven: None,
            });
        } else if ENDS.contains(&event_type) {
            if let Some(open) = self.open.remove(&event.stream) {
                open.heard.send_modify(|words| *words += 1);
            }
        } else if let Some(open) = self.open.get(&event.stream) {
            open.heard.send_modify(|words| *words += 1);
        }
    }

    /// Drives what is this process's to drive.
    fn drive(&mut self) {
        let runs = &self.runs;
        let mut driven = 0;
        for open in self.open.values_mut() {
            // A task ends early where the run is not this process's any more.
            open.driven.take_if(|task| task.is_finished());
            driven += usize::from(open.driven.is_some());
        }
        for (stream, open) in &mut self.open {
            if open.driven.is_some() || driven >= DRIVEN_MAX || !(runs.inner.parts.drives)(&stream.id) {
                continue;
            }
            let driver = Driver {
                runs: runs.clone(),
                tenant: stream.tenant,
                run: open.run,
                begun_by: open.begun_by,
                correlation: open.correlation,
                heard: open.heard.subscribe(),
            };
            let stopping = runs.inner.stopping.clone();
            let task = async move { stopping.run_until_cancelled(Box::pin(driver.drive())).await.unwrap_or_default() };
            open.driven = Some(runs.inner.tasks.spawn(task));
            driven += 1;
        }
    }
}

fn filter(types: impl Iterator<Item = &'static str>) -> Filter {
    let event_types = types.map(Arc::from).collect();
    Filter { categories: vec![AgentRunEvent::CATEGORY.into()], event_types, stream: None }
}
