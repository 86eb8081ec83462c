//! All listeners at a glance: a live fold of the log.
//!
//! It tells what listeners wrote down. Whether a trigger still is to listen says the directory of workflows.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{ListenerId, TenantId};
use timeloom_domain::listener::{ListenerEvent, ListenerFacts, REFUSED_KEPT_MAX, RefusedMessage};
use timeloom_store::{Position, RecordedEvent, codec};

use crate::live;

/// Whether a trigger listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerStatus {
    /// It listens.
    Listening,
    /// It tries to, and fails.
    Failing,
}

/// A message that could not start an execution.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The message.
    pub message: RefusedMessage,
    /// When it was refused, in milliseconds since 1970.
    pub at_ms: i64,
    /// The event that says so.
    pub position: Position,
}

/// One listener.
#[derive(Debug, Clone)]
pub struct ListenerEntry {
    /// Which trigger, and where it listens.
    pub facts: ListenerFacts,
    /// Whether it listens.
    pub status: ListenerStatus,
    /// Since when it listens or fails, in milliseconds since 1970.
    pub since_ms: i64,
    /// The worker that listens.
    pub worker: Option<String>,
    /// When it took messages last, in milliseconds since 1970, to about ten seconds.
    pub last_message_ms: Option<i64>,
    /// How many messages have started executions.
    pub messages: u64,
    /// How many attempts in a row have failed, as far as they were written down.
    pub attempts: u32,
    /// Why it failed last; kept when it listens again.
    pub error: Option<String>,
    /// When, in milliseconds since 1970.
    pub error_ms: Option<i64>,
    /// How many messages were refused.
    pub refused: u64,
    /// The newest of these, oldest first.
    pub newest_refused: VecDeque<Refused>,
}

/// All listeners, as they are at [`live::Listing::position`].
#[derive(Debug, Clone, Default)]
pub struct ListenerListing {
    entries: Arc<HashMap<(TenantId, ListenerId), Arc<ListenerEntry>>>,
    position: Position,
    is_caught_up: bool,
}

impl ListenerListing {
    /// The listener of that id; `None` where it never tried.
    pub fn entry(&self, tenant: TenantId, id: ListenerId) -> Option<&Arc<ListenerEntry>> {
        self.entries.get(&(tenant, id))
    }

    fn change(&mut self, key: (TenantId, ListenerId), event: ListenerEvent, recorded: &RecordedEvent) {
        let known = self.entries.get(&key).map(|entry| ListenerEntry::clone(entry));
        let at_ms = recorded.recorded_at.timestamp_millis();
        let entry = match (event, known) {
            (ListenerEvent::ListenerOpened { facts, worker }, known) => {
                let before = known.unwrap_or_else(|| ListenerEntry::new(facts.clone(), at_ms));
                let (status, worker) = (ListenerStatus::Listening, Some(worker));
                ListenerEntry { facts, status, worker, since_ms: at_ms, attempts: 0, ..before }
            }
            (ListenerEvent::ListenerFailed { facts, attempts, error }, known) => {
                let before = known.unwrap_or_else(|| ListenerEntry::new(facts.clone(), at_ms));
                let was_failing = before.status == ListenerStatus::Failing && before.error.is_some();
                let since_ms = if was_failing { before.since_ms } else { at_ms };
                let (error, error_ms) = (Some(error), Some(at_ms));
                let status = ListenerStatus::Failing;
                ListenerEntry { facts, status, worker: None, since_ms, attempts, error, error_ms, ..before }
            }
            (ListenerEvent::ListenerAdvanced { messages, .. }, Some(mut known)) => {
                if messages > 0 {
                    known.last_message_ms = Some(at_ms);
                }
                known.messages = known.messages.saturating_add(messages);
                known
            }
            (ListenerEvent::ListenerMessageRefused { message }, Some(mut known)) => {
                known.refused = known.refused.saturating_add(1);
                known.newest_refused.push_back(Refused { message, at_ms, position: recorded.position });
                if known.newest_refused.len() > REFUSED_KEPT_MAX {
                    known.newest_refused.pop_front();
                }
                known
            }
            // Whoever takes messages has said before that it listens.
            (ListenerEvent::ListenerAdvanced { .. } | ListenerEvent::ListenerMessageRefused { .. }, None) => return,
        };
        Arc::make_mut(&mut self.entries).insert(key, Arc::new(entry));
    }
}

impl ListenerEntry {
    fn new(facts: ListenerFacts, since_ms: i64) -> Self {
        Self {
            facts,
            status: ListenerStatus::Failing,
            since_ms,
            worker: None,
            last_message_ms: None,
            messages: 0,
            attempts: 0,
            error: None,
            error_ms: None,
            refused: 0,
            newest_refused: VecDeque::new(),
        }
    }
}

impl live::Listing for ListenerListing {
    const NAME: &'static str = "listeners";

    fn categories() -> Vec<Arc<str>> {
        vec![ListenerEvent::CATEGORY.into()]
    }

    fn position(&self) -> Position {
        self.position
    }

    fn is_caught_up(&self) -> bool {
        self.is_caught_up
    }

    fn apply(&mut self, recorded: &RecordedEvent) {
        self.passed(recorded.position);
        let Ok(id) = recorded.stream.id.parse::<ListenerId>() else { return };
        match codec::decode::<ListenerEvent>(recorded) {
            Ok(event) => self.change((recorded.stream.tenant, id), event, recorded),
            Err(error) => tracing::error!(stream = %recorded.stream, %error, "an event of a listener is not known"),
        }
    }

    fn passed(&mut self, position: Position) {
        self.position = self.position.max(position);
    }

    fn caught_up_at(&mut self, position: Position) {
        self.passed(position);
        self.is_caught_up = true;
    }
}
