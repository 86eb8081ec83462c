//! Why the retention of a category says no.

use super::{BUCKETS_MAX, DAYS_MAX, DAYS_MIN, RETAINED_CATEGORIES};
use crate::subject::SubjectRefusal;

/// Why the retention of a category says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetentionRefusal {
    /// No data of such a category is sealed.
    #[error("there is no retention of such a category; these have one: {}", RETAINED_CATEGORIES.join(", "))]
    UnknownCategory,
    /// That is no time.
    #[error("data is kept for {DAYS_MIN} to {DAYS_MAX} days, or for ever")]
    InvalidDays,
    /// Somebody else asked for something else.
    #[error("another retention of this category is asked for already: approve that one, or withdraw it")]
    AlreadyRequested,
    /// Nobody asked for it.
    #[error("nobody has asked to keep this category less long: ask for it first, and let another one approve it")]
    NotRequested,
    /// It is kept for ever.
    #[error("this category is kept for ever: set its retention first")]
    NotSet,
    /// The time of a day is not over.
    #[error("data of day {0} (since 1970) is not to go yet: wait until its whole day is older than the retention")]
    TooYoung(i64),
    /// More than one event tells of.
    #[error("at most {BUCKETS_MAX} days go at a time")]
    TooManyBuckets,
    /// What holds for subjects as well.
    #[error(transparent)]
    Common(#[from] SubjectRefusal),
}

impl RetentionRefusal {
    /// A word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownCategory => "CATEGORY_UNKNOWN",
            Self::InvalidDays => "DAYS_INVALID",
            Self::AlreadyRequested => "RETENTION_REQUESTED_ALREADY",
            Self::NotRequested => "RETENTION_NOT_REQUESTED",
            Self::NotSet => "RETENTION_NOT_SET",
            Self::TooYoung(_) => "RETENTION_NOT_OVER",
            Self::TooManyBuckets => "TOO_MANY_DAYS",
            Self::Common(refusal) => refusal.code(),
        }
    }
}
