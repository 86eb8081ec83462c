//! The Subject aggregate: what is decided about the data of one person, or of whatever else data is kept about.
//!
//! The stream's id is the id of the subject's key, which says nothing about who it is. Invariants: what is erased was asked
//! for by one and approved by another, and no hold was on it; what is erased stays so.

mod event;
pub(crate) mod holds;
mod refusal;
mod state;

pub use event::SubjectEvent;
pub use holds::{ErasureRequest, Holds, LegalHold};
pub use refusal::SubjectRefusal;
pub use state::{Subject, SubjectCommand};

use std::fmt;

use crate::ids::{AccountId, Actor};

/// Id of the stream that says since when there are keys of subjects, in the first tenant.
pub const KEYS_STREAM_ID: &str = "keys";
/// Most characters of a subject's name.
pub const SUBJECT_CHARACTERS_MAX: usize = 200;
/// Most characters of a reason.
pub const REASON_CHARACTERS_MAX: usize = 1_000;
/// Most holds on one subject at the same time.
pub const HOLDS_MAX: usize = 100;
/// Most characters of the name of a hold.
pub const HOLD_CHARACTERS_MAX: usize = 100;

/// What begins the name of the subject that an account is.
const ACCOUNT: &str = "account:";

/// The name of the subject that an account is.
pub fn of_account(account: impl fmt::Display) -> String {
    format!("{ACCOUNT}{account}")
}

/// The account that a subject is, if it is one.
pub fn account_of(subject: &str) -> Option<AccountId> {
    subject.strip_prefix(ACCOUNT)?.parse().ok()
}

/// Checks the name of a subject.
///
/// # Errors
/// [`SubjectRefusal::InvalidName`].
pub fn check_name(subject: &str) -> Result<(), SubjectRefusal> {
    let count = subject.chars().count();
    let fits = (1..=SUBJECT_CHARACTERS_MAX).contains(&count) && !subject.chars().any(char::is_control);
    let is_taken = subject == crate::personal::ERASED;
    if fits && !is_taken && subject.trim() == subject { Ok(()) } else { Err(SubjectRefusal::InvalidName) }
}

/// Whether two who acted are two. Whoever has the machine is one, under whatever name.
pub fn are_two(one: &Actor, other: &Actor) -> bool {
    match (one, other) {
        (Actor::Local(_), Actor::Local(_)) => false,
        _ => one != other,
    }
}

/// Whether somebody is a person, as far as Timeloom can tell: services and agents are made by persons, who could approve by
/// them what they asked for themselves.
pub fn is_person(actor: &Actor) -> bool {
    matches!(actor, Actor::User(_) | Actor::Local(_))
}
