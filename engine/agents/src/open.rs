//! The runs that have not ended, and what keeps each from being driven.
//!
//! Every process knows all of them, a small entry each. One that waits for somebody costs nothing but its entry.

use std::collections::HashMap;

use timeloom_domain::ids::{AgentRunId, EventId};
use timeloom_store::{RecordedEvent, StreamKey};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::drive::Left;
use crate::runs::Drives;

/// The runs that have not ended.
#[derive(Default)]
pub(crate) struct OpenRuns(HashMap<StreamKey, Open>);

/// One of them.
pub(crate) struct Open {
    pub(crate) run: AgentRunId,
    pub(crate) begun_by: EventId,
    pub(crate) correlation: EventId,
    /// Told of what people say.
    pub(crate) heard: watch::Sender<u64>,
    pub(crate) driven: Driven,
}

/// Who drives a run.
pub(crate) enum Driven {
    /// Nobody here: it is another process's, or there was no room.
    No,
    /// A task of this process.
    ByTask(AbortHandle),
    /// Nobody before that time, in milliseconds since 1970, or before somebody says something.
    Rests(Option<i64>),
}

impl OpenRuns {
    /// Takes a run in; false when it is known.
    pub(crate) fn begin(&mut self, event: &RecordedEvent) -> bool {
        let Ok(run) = event.stream.id.parse() else { return false };
        if self.0.contains_key(&event.stream) {
            return false;
        }
        let correlation = event.metadata.correlation_id.unwrap_or(event.id);
        let (heard, driven) = (watch::Sender::default(), Driven::No);
        self.0.insert(event.stream.clone(), Open { run, begun_by: event.id, correlation, heard, driven });
        true
    }

    /// A run has ended.
    pub(crate) fn end(&mut self, stream: &StreamKey) {
        if let Some(open) = self.0.remove(stream) {
            open.heard.send_modify(|words| *words += 1);
        }
    }

    /// Somebody said something that a run may wait for.
    pub(crate) fn told(&mut self, stream: &StreamKey) {
        let Some(open) = self.0.get_mut(stream) else { return };
        open.heard.send_modify(|words| *words += 1);
        if let Driven::Rests(_) = open.driven {
            open.driven = Driven::No;
        }
    }

    /// A task that drove a run came to its end, having heard so many words.
    pub(crate) fn left(&mut self, stream: &StreamKey, heard: u64, left: Left) {
        let Some(open) = self.0.get_mut(stream) else { return };
        open.driven = match left {
            Left::Over => {
                self.0.remove(stream);
                return;
            }
            Left::Rests(until_ms) if *open.heard.borrow() == heard => Driven::Rests(until_ms),
            Left::Rests(_) | Left::Elsewhere => Driven::No,
        };
    }

    /// Lets those be driven again whose task broke down.
    pub(crate) fn forget_broken(&mut self) {
        for open in self.0.values_mut() {
            if matches!(&open.driven, Driven::ByTask(task) if task.is_finished()) {
                open.driven = Driven::No;
            }
        }
    }

    /// A run that is to be driven, and is not.
    pub(crate) fn idle(&mut self, stream: &StreamKey) -> Option<&mut Open> {
        self.0.get_mut(stream).filter(|open| matches!(open.driven, Driven::No))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of this process that are to be driven at a time, in milliseconds since 1970, and are not.
    pub(crate) fn due(&mut self, now_ms: i64, drives: &Drives) -> Vec<StreamKey> {
        let mut due = Vec::new();
        for (stream, open) in &mut self.0 {
            if matches!(open.driven, Driven::Rests(Some(until_ms)) if until_ms <= now_ms) {
                open.driven = Driven::No;
            }
            if matches!(open.driven, Driven::No) && drives(&stream.id) {
                due.push(stream.clone());
            }
        }
        due
    }
}
