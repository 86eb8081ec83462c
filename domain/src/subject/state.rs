//! A subject as its events tell it, and what it decides.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::holds::{self, Holds, check_reason, check_second};
use super::{ErasureRequest, SubjectEvent, SubjectRefusal, check_name};
use crate::event::Aggregate;
use crate::ids::Actor;

/// A subject as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// Its name, as long as that is known.
    pub name: String,
    /// The request to erase it, if there is one that was not withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<ErasureRequest>,
    /// Who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<Actor>,
    /// When it was erased, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at_ms: Option<i64>,
    /// When everything made of its data was gone as well, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at_ms: Option<i64>,
    /// How many streams had data of it.
    #[serde(default)]
    pub streams: u64,
    /// How many events had data of it.
    #[serde(default)]
    pub events: u64,
    /// Holds by name.
    #[serde(default, skip_serializing_if = "Holds::is_empty")]
    pub holds: Holds,
}

/// A request to one subject.
#[derive(Debug, Clone, PartialEq)]
pub enum SubjectCommand {
    /// Ask for its erasure.
    RequestErasure {
        /// Its name.
        subject: String,
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
    },
    /// Take that back.
    WithdrawErasure {
        /// Why.
        reason: String,
        /// Who takes it back.
        by: Actor,
    },
    /// Approve it, and erase.
    ApproveErasure {
        /// Who approves.
        by: Actor,
        /// The ids of its keys.
        keys: Vec<Uuid>,
        /// Executions of it that have not ended.
        under_way: u64,
        /// Whether it is an account that still lets somebody in.
        lets_in: bool,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Take down that everything made of its data is gone.
    CompleteErasure {
        /// How many streams had data of it.
        streams: u64,
        /// How many events had data of it.
        events: u64,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Hold its data.
    PlaceHold {
        /// What the hold is called.
        hold: String,
        /// The subject's name.
        subject: String,
        /// Why.
        reason: String,
        /// Who places it.
        by: Actor,
    },
    /// Ask for the end of a hold.
    RequestRelease {
        /// What the hold is called.
        hold: String,
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
    },
    /// Approve the end of a hold.
    ApproveRelease {
        /// What the hold is called.
        hold: String,
        /// Who approves.
        by: Actor,
    },
}

impl Aggregate for Subject {
    const FOLD_VERSION: u32 = 1;

    type Event = SubjectEvent;
    type Command = SubjectCommand;
    type Refusal = SubjectRefusal;

    fn apply(&mut self, event: &SubjectEvent) {
        match event {
            // It is about all of them, in a stream of its own.
            SubjectEvent::SubjectKeysBegun { .. } => {}
            SubjectEvent::ErasureRequested { subject, reason, by } => {
                self.name.clone_from(subject);
                self.request = Some(ErasureRequest { reason: reason.clone(), by: by.clone() });
            }
            SubjectEvent::ErasureWithdrawn { .. } => self.request = None,
            SubjectEvent::ErasureApproved { by } => self.approved_by = Some(by.clone()),
            SubjectEvent::SubjectErased { at_ms, .. } => self.erased_at_ms = Some(*at_ms),
            SubjectEvent::ErasureCompleted { streams, events, at_ms } => {
                (self.streams, self.events, self.completed_at_ms) = (*streams, *events, Some(*at_ms));
            }
            SubjectEvent::LegalHoldPlaced { hold, subject, reason, by } => {
                self.name.clone_from(subject);
                holds::placed(&mut self.holds, hold, reason, by);
            }
            SubjectEvent::LegalHoldReleaseRequested { hold, reason, by } => {
                holds::asked_to_end(&mut self.holds, hold, reason, by);
            }
            SubjectEvent::LegalHoldReleased { hold, .. } => {
                self.holds.remove(hold);
            }
        }
    }

    fn decide(&self, command: &SubjectCommand) -> Result<Vec<SubjectEvent>, SubjectRefusal> {
        match command {
            SubjectCommand::RequestErasure { subject, reason, by } => self.request_erasure(subject, reason, by),
            SubjectCommand::WithdrawErasure { reason, by } => self.withdraw(reason, by),
            SubjectCommand::ApproveErasure { by, keys, under_way, lets_in, at_ms } => {
                self.approve(by, (*under_way, *lets_in), keys, *at_ms)
            }
            SubjectCommand::CompleteErasure { streams, events, at_ms } => {
                let is_due = self.erased_at_ms.is_some() && self.completed_at_ms.is_none();
                let done = SubjectEvent::ErasureCompleted { streams: *streams, events: *events, at_ms: *at_ms };
                Ok(if is_due { vec![done] } else { Vec::new() })
            }
            SubjectCommand::PlaceHold { hold, subject, reason, by } => self.place_hold(hold, subject, reason, by),
            SubjectCommand::RequestRelease { hold, reason, by } => self.request_release(hold, reason, by),
            SubjectCommand::ApproveRelease { hold, by } => self.approve_release(hold, by),
        }
    }
}

impl Subject {
    fn request_erasure(&self, subject: &str, reason: &str, by: &Actor) -> Result<Vec<SubjectEvent>, SubjectRefusal> {
        check_name(subject)?;
        check_reason(reason)?;
        self.check_there()?;
        match &self.request {
            Some(request) if request.by == *by => Ok(Vec::new()),
            Some(_) => Err(SubjectRefusal::AlreadyRequested),
            None => {
                let (subject, reason, by) = (subject.to_owned(), reason.to_owned(), by.clone());
                Ok(vec![SubjectEvent::ErasureRequested { subject, reason, by }])
            }
        }
    }

    fn withdraw(&self, reason: &str, by: &Actor) -> Result<Vec<SubjectEvent>, SubjectRefusal> {
        check_reason(reason)?;
        self.check_there()?;
        if self.request.is_none() {
            return Ok(Vec::new());
        }
        Ok(vec![SubjectEvent::ErasureWithdrawn { reason: reason.to_owned(), by: by.clone() }])
    }

    fn approve(
        &self,
        by: &Actor,
        (under_way, lets_in): (u64, bool),
        keys: &[Uuid],
        at_ms: i64,
    ) -> Result<Vec<SubjectEvent>, SubjectRefusal> {
        if self.erased_at_ms.is_some() {
            return Ok(Vec::new());
        }
        let request = self.request.as_ref().ok_or(SubjectRefusal::NotRequested)?;
        check_second(&request.by, by)?;
        holds::check_none(&self.holds)?;
        if under_way > 0 {
            return Err(SubjectRefusal::UnderWay(under_way));
        }
        if lets_in {
            return Err(SubjectRefusal::AccountEnabled);
        }
        Ok(vec![
            SubjectEvent::ErasureApproved { by: by.clone() },
            SubjectEvent::SubjectErased { keys: keys.to_vec(), at_ms },
        ])
    }

    fn place_hold(
        &self,
        hold: &str,
        subject: &str,
        reason: &str,
        by: &Actor,
    ) -> Result<Vec<SubjectEvent>, SubjectRefusal> {
        check_name(subject)?;
        check_reason(reason)?;
        self.check_there()?;
        if !holds::may_be_placed(&self.holds, hold, reason, by)? {
            return Ok(Vec::new());
        }
        Ok(vec![SubjectEvent::LegalHoldPlaced {
            hold: hold.to_owned(),
            subject: subject.to_owned(),
            reason: reason.to_owned(),
            by: by.clone(),
        }])
    }

    fn request_release(&self, hold: &str, reason: &str, by: &Actor) -> Result<Vec<SubjectEvent>, SubjectRefusal> {
        if !holds::may_be_asked_to_end(&self.holds, hold, reason, by)? {
            return Ok(Vec::new());
        }
        let (hold, reason, by) = (hold.to_owned(), reason.to_owned(), by.clone());
        Ok(vec![SubjectEvent::LegalHoldReleaseRequested { hold, reason, by }])
    }

    fn approve_release(&self, hold: &str, by: &Actor) -> Result<Vec<SubjectEvent>, SubjectRefusal> {
        holds::check_end(&self.holds, hold, by)?;
        Ok(vec![SubjectEvent::LegalHoldReleased { hold: hold.to_owned(), by: by.clone() }])
    }

    fn check_there(&self) -> Result<(), SubjectRefusal> {
        if self.erased_at_ms.is_some() { Err(SubjectRefusal::Erased) } else { Ok(()) }
    }
}
