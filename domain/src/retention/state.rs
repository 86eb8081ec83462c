//! The retention of a category as its events tell it, and what it decides.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BUCKETS_MAX, Bucket, DAYS_MAX, DAYS_MIN, RetentionEvent, RetentionRefusal, day_of};
use crate::event::Aggregate;
use crate::ids::Actor;
use crate::subject::Holds;
use crate::subject::holds::{self, check_reason, check_second};

/// That data is to be kept less long, which another one has to approve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetentionRequest {
    /// For how many days.
    pub days: u32,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub by: Actor,
}

/// The retention of a category as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Retention {
    /// For how many days data is kept; for ever without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Since when data has been sealed in buckets, in milliseconds since 1970: nothing older goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<i64>,
    /// What somebody asked for, if nobody has approved it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RetentionRequest>,
    /// Holds by name.
    #[serde(default, skip_serializing_if = "Holds::is_empty")]
    pub holds: Holds,
    /// The keys of which is to be told that what was made of their data is gone as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub going: Vec<Uuid>,
    /// The newest day that went, as days since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_day: Option<i64>,
    /// How many streams had data that went; one whose data went at two times counts twice.
    #[serde(default)]
    pub streams: u64,
    /// How many events had data that went.
    #[serde(default)]
    pub events: u64,
    /// When data went last, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_at_ms: Option<i64>,
}

/// A request to the retention of a category.
#[derive(Debug, Clone, PartialEq)]
pub enum RetentionCommand {
    /// Keep data so long: at once where that is longer than before, else asked for.
    Set {
        /// For how many days; for ever without.
        days: Option<u32>,
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Approve what was asked for.
    Approve {
        /// Who approves.
        by: Actor,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Take back what was asked for.
    Withdraw {
        /// Why.
        reason: String,
        /// Who takes it back.
        by: Actor,
    },
    /// Hold all data of the category.
    PlaceHold {
        /// What the hold is called.
        hold: String,
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
    /// Let the data of days go whose time is over.
    Apply {
        /// The days.
        buckets: Vec<Bucket>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Take down that what was made of it is gone as well.
    Complete {
        /// How many streams had such data.
        streams: u64,
        /// How many events had such data.
        events: u64,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
}

impl Aggregate for Retention {
    const FOLD_VERSION: u32 = 1;

    type Event = RetentionEvent;
    type Command = RetentionCommand;
    type Refusal = RetentionRefusal;

    fn apply(&mut self, event: &RetentionEvent) {
        match event {
            RetentionEvent::RetentionRequested { days, reason, by } => {
                self.request = Some(RetentionRequest { days: *days, reason: reason.clone(), by: by.clone() });
            }
            RetentionEvent::RetentionRequestWithdrawn { .. } => self.request = None,
            RetentionEvent::RetentionSet { days, reason, at_ms, .. } => {
                self.days = *days;
                self.reason.clone_from(reason);
                self.request = None;
                if days.is_some() {
                    self.since_ms = self.since_ms.or(Some(*at_ms));
                }
            }
            RetentionEvent::RetentionHoldPlaced { hold, reason, by } => {
                holds::placed(&mut self.holds, hold, reason, by);
            }
            RetentionEvent::RetentionHoldReleaseRequested { hold, reason, by } => {
                holds::asked_to_end(&mut self.holds, hold, reason, by);
            }
            RetentionEvent::RetentionHoldReleased { hold, .. } => {
                self.holds.remove(hold);
            }
            RetentionEvent::RetentionApplied { buckets, at_ms, .. } => {
                self.going.extend(buckets.iter().map(|bucket| bucket.key));
                self.last_day = self.last_day.max(buckets.iter().map(|bucket| bucket.day).max());
                self.applied_at_ms = Some(*at_ms);
            }
            RetentionEvent::RetentionCompleted { streams, events, .. } => {
                self.going.clear();
                self.streams = self.streams.saturating_add(*streams);
                self.events = self.events.saturating_add(*events);
            }
        }
    }

    fn decide(&self, command: &RetentionCommand) -> Result<Vec<RetentionEvent>, RetentionRefusal> {
        match command {
            RetentionCommand::Set { days, reason, by, at_ms } => self.set(*days, reason, by, *at_ms),
            RetentionCommand::Approve { by, at_ms } => {
                let request = self.request.as_ref().ok_or(RetentionRefusal::NotRequested)?;
                check_second(&request.by, by)?;
                let (days, reason) = (Some(request.days), request.reason.clone());
                Ok(vec![RetentionEvent::RetentionSet { days, reason, by: by.clone(), at_ms: *at_ms }])
            }
            RetentionCommand::Withdraw { reason, by } => {
                check_reason(reason)?;
                let withdrawn = || RetentionEvent::RetentionRequestWithdrawn { reason: reason.clone(), by: by.clone() };
                Ok(self.request.iter().map(|_| withdrawn()).collect())
            }
            RetentionCommand::PlaceHold { hold, reason, by } => {
                let is_new = holds::may_be_placed(&self.holds, hold, reason, by)?;
                let (hold, reason, by) = (hold.clone(), reason.clone(), by.clone());
                Ok(Vec::from_iter(is_new.then_some(RetentionEvent::RetentionHoldPlaced { hold, reason, by })))
            }
            RetentionCommand::RequestRelease { hold, reason, by } => {
                let is_new = holds::may_be_asked_to_end(&self.holds, hold, reason, by)?;
                let (hold, reason, by) = (hold.clone(), reason.clone(), by.clone());
                Ok(Vec::from_iter(is_new.then_some(RetentionEvent::RetentionHoldReleaseRequested { hold, reason, by })))
            }
            RetentionCommand::ApproveRelease { hold, by } => {
                holds::check_end(&self.holds, hold, by)?;
                Ok(vec![RetentionEvent::RetentionHoldReleased { hold: hold.clone(), by: by.clone() }])
            }
            RetentionCommand::Apply { buckets, at_ms } => self.let_go(buckets, *at_ms),
            RetentionCommand::Complete { streams, events, at_ms } => {
                let done = RetentionEvent::RetentionCompleted { streams: *streams, events: *events, at_ms: *at_ms };
                Ok(if self.going.is_empty() { Vec::new() } else { vec![done] })
            }
        }
    }
}

impl Retention {
    /// The newest day (since 1970) whose data is to go at a time; `None` where nothing is to go.
    pub fn over_by(&self, at_ms: i64) -> Option<i64> {
        Some(day_of(at_ms) - i64::from(self.days?) - 1)
    }

    fn set(
        &self,
        days: Option<u32>,
        reason: &str,
        by: &Actor,
        at_ms: i64,
    ) -> Result<Vec<RetentionEvent>, RetentionRefusal> {
        check_reason(reason)?;
        if days.is_some_and(|days| !(DAYS_MIN..=DAYS_MAX).contains(&days)) {
            return Err(RetentionRefusal::InvalidDays);
        }
        if days == self.days {
            return Ok(Vec::new());
        }
        let (reason, by) = (reason.to_owned(), by.clone());
        match days.filter(|days| self.days.is_none_or(|now| *days < now)) {
            None => Ok(vec![RetentionEvent::RetentionSet { days, reason, by, at_ms }]),
            Some(days) => match &self.request {
                Some(request) if request.days == days && request.by == by => Ok(Vec::new()),
                Some(_) => Err(RetentionRefusal::AlreadyRequested),
                None => Ok(vec![RetentionEvent::RetentionRequested { days, reason, by }]),
            },
        }
    }

    fn let_go(&self, buckets: &[Bucket], at_ms: i64) -> Result<Vec<RetentionEvent>, RetentionRefusal> {
        let (Some(days), Some(over)) = (self.days, self.over_by(at_ms)) else { return Err(RetentionRefusal::NotSet) };
        holds::check_none(&self.holds)?;
        if buckets.len() > BUCKETS_MAX {
            return Err(RetentionRefusal::TooManyBuckets);
        }
        if let Some(young) = buckets.iter().find(|bucket| bucket.day > over) {
            return Err(RetentionRefusal::TooYoung(young.day));
        }
        let is_new = |bucket: &&Bucket| !self.going.contains(&bucket.key);
        let buckets: Vec<Bucket> = buckets.iter().filter(is_new).copied().collect();
        if buckets.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![RetentionEvent::RetentionApplied { buckets, days, at_ms }])
    }
}
