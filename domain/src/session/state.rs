//! A session as its events tell it, and what it decides.

use serde::{Deserialize, Serialize};

use super::{SESSION_IDLE_MAX_MS, SESSION_TIME_MAX_MS, SESSION_USE_EVERY_MS, SessionEnd, SessionEvent, SignInMethod};
use crate::event::Aggregate;
use crate::ids::AccountId;

/// A session as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Whose it is; `None` before it started.
    pub account: Option<AccountId>,
    /// How its user showed who they are.
    pub method: Option<SignInMethod>,
    /// SHA-256 of its secret, in hexadecimal.
    pub digest: String,
    /// When it was last written down that it let in, in milliseconds since 1970.
    pub used_at_ms: i64,
    /// Until when it lets in at most, in milliseconds since 1970.
    pub expires_at_ms: i64,
    /// Why it ended.
    pub ended: Option<SessionEnd>,
}

impl Session {
    /// Until when it lets in unless it is used again, in milliseconds since 1970.
    pub fn lets_in_until_ms(&self) -> i64 {
        match self.ended {
            Some(_) => 0,
            None => self.expires_at_ms.min(self.used_at_ms.saturating_add(SESSION_IDLE_MAX_MS)),
        }
    }
}

/// A request to one session.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionCommand {
    /// Let in who signed in.
    Start {
        /// Whose it is.
        account: AccountId,
        /// How they showed who they are.
        method: SignInMethod,
        /// SHA-256 of its secret, in hexadecimal.
        digest: String,
        /// When, in milliseconds since 1970.
        now_ms: i64,
        /// From which address.
        address: Option<String>,
        /// What the browser says it is.
        user_agent: Option<String>,
    },
    /// Write down that it let in, unless that was written down within five minutes.
    NoteUse {
        /// When, in milliseconds since 1970.
        now_ms: i64,
    },
    /// Let in no more.
    End(SessionEnd),
}

/// Why a session says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionRefusal {
    /// It is there already.
    #[error("this session has started already")]
    AlreadyStarted,
    /// There is none.
    #[error("there is no such session")]
    NotFound,
    /// It lets in no more.
    #[error("this session has ended: sign in again")]
    Ended,
}

impl Aggregate for Session {
    const FOLD_VERSION: u32 = 1;

    type Event = SessionEvent;
    type Command = SessionCommand;
    type Refusal = SessionRefusal;

    fn apply(&mut self, event: &SessionEvent) {
        match event {
            SessionEvent::SessionStarted { account, method, digest, at_ms, expires_at_ms, .. } => {
                *self = Self {
                    account: Some(*account),
                    method: Some(*method),
                    digest: digest.clone(),
                    used_at_ms: *at_ms,
                    expires_at_ms: *expires_at_ms,
                    ended: None,
                };
            }
            SessionEvent::SessionUsed { at_ms } => self.used_at_ms = *at_ms,
            SessionEvent::SessionEnded { why } => self.ended = Some(*why),
        }
    }

    fn decide(&self, command: &SessionCommand) -> Result<Vec<SessionEvent>, SessionRefusal> {
        let event = match command {
            SessionCommand::Start { .. } if self.account.is_some() => return Err(SessionRefusal::AlreadyStarted),
            SessionCommand::Start { account, method, digest, now_ms, address, user_agent } => {
                SessionEvent::SessionStarted {
                    account: *account,
                    method: *method,
                    digest: digest.clone(),
                    at_ms: *now_ms,
                    expires_at_ms: now_ms.saturating_add(SESSION_TIME_MAX_MS),
                    address: address.clone(),
                    user_agent: user_agent.clone(),
                }
            }
            SessionCommand::NoteUse { .. } | SessionCommand::End(_) if self.account.is_none() => {
                return Err(SessionRefusal::NotFound);
            }
            SessionCommand::NoteUse { now_ms } if self.lets_in_until_ms() <= *now_ms => {
                return Err(SessionRefusal::Ended);
            }
            SessionCommand::NoteUse { now_ms } if now_ms.saturating_sub(self.used_at_ms) < SESSION_USE_EVERY_MS => {
                return Ok(Vec::new());
            }
            SessionCommand::NoteUse { now_ms } => SessionEvent::SessionUsed { at_ms: *now_ms },
            SessionCommand::End(_) if self.ended.is_some() => return Ok(Vec::new()),
            SessionCommand::End(why) => SessionEvent::SessionEnded { why: *why },
        };
        Ok(vec![event])
    }
}
