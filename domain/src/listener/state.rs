//! A listener as its events tell it, and what it decides.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CURSOR_BYTES_MAX, ListenerEvent, ListenerFacts, REFUSED_KEPT_MAX, RefusedMessage, WORDS_CHARACTERS_MAX};
use crate::event::Aggregate;

/// A listener as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    /// Which trigger, and where it listens; `None` before it ever tried.
    pub facts: Option<ListenerFacts>,
    /// The worker that listens; `None` while none does.
    pub worker: Option<String>,
    /// Where to go on.
    pub cursor: Option<Value>,
    /// How many attempts in a row have failed.
    pub attempts: u32,
    /// Why the last one did.
    pub error: Option<String>,
    /// How many messages have started executions.
    pub messages: u64,
    /// How many messages were refused.
    pub refused: u64,
    /// The newest of these, oldest first.
    pub newest_refused: VecDeque<RefusedMessage>,
}

/// A request to one listener.
#[derive(Debug, Clone, PartialEq)]
pub enum ListenerCommand {
    /// Say that a worker listens.
    Open {
        /// Which trigger, and where.
        facts: ListenerFacts,
        /// The worker.
        worker: String,
    },
    /// Say that it does not listen.
    Fail {
        /// Which trigger, and where.
        facts: ListenerFacts,
        /// How many attempts in a row have failed.
        attempts: u32,
        /// Why the last one did.
        error: String,
    },
    /// Go on behind messages that have started executions.
    Advance {
        /// How many messages.
        messages: u64,
        /// Where to go on; `None` leaves the cursor as it is.
        cursor: Option<Value>,
    },
    /// Leave a message out.
    Refuse(RefusedMessage),
}

/// Why a listener says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListenerRefusal {
    /// The cursor would fill the log.
    #[error("the cursor has {0} bytes, at most {CURSOR_BYTES_MAX} are kept: listen to fewer places with one trigger")]
    CursorTooLarge(usize),
}

impl Listener {
    /// Where to go on at the place of `facts`; `None` to begin anew.
    pub fn cursor_at(&self, facts: &ListenerFacts) -> Option<&Value> {
        let is_same = self.facts.as_ref().is_some_and(|known| known.place == facts.place);
        self.cursor.as_ref().filter(|_| is_same)
    }

    fn is_at(&mut self, facts: &ListenerFacts) {
        if self.facts.as_ref().is_some_and(|known| known.place != facts.place) {
            self.cursor = None;
        }
        self.facts = Some(facts.clone());
    }
}

impl Aggregate for Listener {
    const FOLD_VERSION: u32 = 1;

    type Event = ListenerEvent;
    type Command = ListenerCommand;
    type Refusal = ListenerRefusal;

    fn apply(&mut self, event: &ListenerEvent) {
        match event {
            ListenerEvent::ListenerOpened { facts, worker } => {
                self.is_at(facts);
                self.worker = Some(worker.clone());
                self.attempts = 0;
                self.error = None;
            }
            ListenerEvent::ListenerFailed { facts, attempts, error } => {
                self.is_at(facts);
                self.worker = None;
                self.attempts = *attempts;
                self.error = Some(error.clone());
            }
            ListenerEvent::ListenerAdvanced { messages, cursor } => {
                self.messages = self.messages.saturating_add(*messages);
                if cursor.is_some() {
                    self.cursor.clone_from(cursor);
                }
            }
            ListenerEvent::ListenerMessageRefused { message } => {
                self.refused = self.refused.saturating_add(1);
                self.newest_refused.push_back(message.clone());
                if self.newest_refused.len() > REFUSED_KEPT_MAX {
                    self.newest_refused.pop_front();
                }
            }
        }
    }

    fn decide(&self, command: &ListenerCommand) -> Result<Vec<ListenerEvent>, ListenerRefusal> {
        let event = match command.clone() {
            ListenerCommand::Open { facts, worker } => {
                let is_open = self.worker.as_ref() == Some(&worker) && self.facts.as_ref() == Some(&facts);
                if is_open {
                    return Ok(Vec::new());
                }
                ListenerEvent::ListenerOpened { facts, worker }
            }
            ListenerCommand::Fail { facts, attempts, error } => {
                let is_known =
                    self.worker.is_none() && self.facts.as_ref() == Some(&facts) && self.attempts >= attempts;
                if is_known {
                    return Ok(Vec::new());
                }
                ListenerEvent::ListenerFailed { facts, attempts, error: shortened(error) }
            }
            ListenerCommand::Advance { messages, cursor } => {
                if messages == 0 && (cursor.is_none() || cursor == self.cursor) {
                    return Ok(Vec::new());
                }
                let bytes = cursor.as_ref().map_or(0, |cursor| cursor.to_string().len());
                if bytes > CURSOR_BYTES_MAX {
                    return Err(ListenerRefusal::CursorTooLarge(bytes));
                }
                ListenerEvent::ListenerAdvanced { messages, cursor }
            }
            // Until it is gone from the other side, a message may come again.
            ListenerCommand::Refuse(message) => {
                let is_same =
                    |known: &RefusedMessage| (&known.position, &known.digest) == (&message.position, &message.digest);
                if self.newest_refused.iter().any(is_same) {
                    return Ok(Vec::new());
                }
                let message = RefusedMessage { reason: shortened(message.reason), ..message };
                ListenerEvent::ListenerMessageRefused { message }
            }
        };
        Ok(vec![event])
    }
}

fn shortened(words: String) -> String {
    if words.chars().count() <= WORDS_CHARACTERS_MAX {
        return words;
    }
    words.chars().take(WORDS_CHARACTERS_MAX).collect()
}
