//! Why a subject says no.

use super::{HOLD_CHARACTERS_MAX, HOLDS_MAX, REASON_CHARACTERS_MAX, SUBJECT_CHARACTERS_MAX};

/// Why a subject says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectRefusal {
    /// It is no name.
    #[error(
        "the name of a subject has 1 to {SUBJECT_CHARACTERS_MAX} characters, none of them a control character, and no space around it"
    )]
    InvalidName,
    /// It is no reason.
    #[error("say why in 1 to {REASON_CHARACTERS_MAX} characters: the reason stays when the data is gone")]
    InvalidReason,
    /// It is no name of a hold.
    #[error("the name of a hold has 1 to {HOLD_CHARACTERS_MAX} characters")]
    InvalidHold,
    /// Nothing of it can be held or asked for any more.
    #[error("the data of this subject is erased already")]
    Erased,
    /// Nobody asked for it.
    #[error("nobody has asked for this erasure: ask for it first, and let another one approve it")]
    NotRequested,
    /// Somebody else asked for it already.
    #[error("an erasure of this subject is asked for already: approve that one, or withdraw it")]
    AlreadyRequested,
    /// It takes two.
    #[error("who asks for it cannot approve it: another user has to; whoever has the machine counts as one")]
    SamePerson,
    /// Only persons approve.
    #[error("services and agents cannot approve this: a user has to, or whoever has the machine")]
    NotAPerson,
    /// A hold is on it.
    #[error("a legal hold is on this data ({0}): it must be released first")]
    OnHold(String),
    /// Some of it is still being worked on.
    #[error("{0} execution(s) of this subject are still under way: wait for their end, or cancel them")]
    UnderWay(u64),
    /// The account lets somebody in.
    #[error("the account is not disabled: disable it first, since nobody could sign in to it afterwards")]
    AccountEnabled,
    /// There is a hold of that name.
    #[error("there is a hold '{0}' on this data already: give another name")]
    HoldExists(String),
    /// There are too many.
    #[error("there are at most {HOLDS_MAX} holds on the same data at the same time")]
    TooManyHolds,
    /// There is none of that name.
    #[error("there is no hold '{0}' on this data")]
    NoSuchHold(String),
    /// Nobody asked for its end.
    #[error("nobody has asked for the release of this hold: ask for it first, and let another one approve it")]
    ReleaseNotRequested,
}

impl SubjectRefusal {
    /// A word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidName => "SUBJECT_INVALID",
            Self::InvalidReason => "REASON_NEEDED",
            Self::InvalidHold => "HOLD_INVALID",
            Self::Erased => "SUBJECT_ERASED",
            Self::NotRequested => "ERASURE_NOT_REQUESTED",
            Self::AlreadyRequested => "ERASURE_REQUESTED_ALREADY",
            Self::SamePerson => "SECOND_PERSON_NEEDED",
            Self::NotAPerson => "PERSON_NEEDED",
            Self::OnHold(_) => "ON_LEGAL_HOLD",
            Self::UnderWay(_) => "EXECUTIONS_UNDER_WAY",
            Self::AccountEnabled => "ACCOUNT_ENABLED",
            Self::HoldExists(_) => "HOLD_EXISTS",
            Self::TooManyHolds => "TOO_MANY_HOLDS",
            Self::NoSuchHold(_) => "HOLD_NOT_FOUND",
            Self::ReleaseNotRequested => "RELEASE_NOT_REQUESTED",
        }
    }
}
