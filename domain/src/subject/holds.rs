//! Legal holds, and the rule that it takes two to end one: the same for a subject and for a category of data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{HOLD_CHARACTERS_MAX, HOLDS_MAX, REASON_CHARACTERS_MAX, SubjectRefusal, are_two, is_person};
use crate::ids::Actor;

/// A request that somebody made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErasureRequest {
    /// Why.
    pub reason: String,
    /// Who asked.
    pub by: Actor,
}

/// A hold on data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LegalHold {
    /// Why.
    pub reason: String,
    /// Who placed it.
    pub by: Actor,
    /// Who asked for its end, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ErasureRequest>,
}

/// Holds by name.
pub type Holds = BTreeMap<String, LegalHold>;

/// A hold was placed.
pub(crate) fn placed(holds: &mut Holds, hold: &str, reason: &str, by: &Actor) {
    holds.insert(hold.to_owned(), LegalHold { reason: reason.to_owned(), by: by.clone(), release: None });
}

/// Somebody asked for the end of a hold.
pub(crate) fn asked_to_end(holds: &mut Holds, hold: &str, reason: &str, by: &Actor) {
    if let Some(held) = holds.get_mut(hold) {
        held.release = Some(ErasureRequest { reason: reason.to_owned(), by: by.clone() });
    }
}

/// Whether a hold is to be placed; not, when it was placed already.
pub(crate) fn may_be_placed(holds: &Holds, hold: &str, reason: &str, by: &Actor) -> Result<bool, SubjectRefusal> {
    check_reason(reason)?;
    let count = hold.chars().count();
    if !(1..=HOLD_CHARACTERS_MAX).contains(&count) || hold.chars().any(char::is_control) {
        return Err(SubjectRefusal::InvalidHold);
    }
    match holds.get(hold) {
        Some(held) if held.by == *by && held.reason == reason => Ok(false),
        Some(_) => Err(SubjectRefusal::HoldExists(hold.to_owned())),
        None if holds.len() >= HOLDS_MAX => Err(SubjectRefusal::TooManyHolds),
        None => Ok(true),
    }
}

/// Whether the end of a hold is to be asked for; not, when the same one asked already.
pub(crate) fn may_be_asked_to_end(holds: &Holds, hold: &str, reason: &str, by: &Actor) -> Result<bool, SubjectRefusal> {
    check_reason(reason)?;
    let held = holds.get(hold).ok_or_else(|| SubjectRefusal::NoSuchHold(hold.to_owned()))?;
    Ok(held.release.as_ref().is_none_or(|release| release.by != *by))
}

/// Refuses the end of a hold that nobody, or the same one, asked for.
pub(crate) fn check_end(holds: &Holds, hold: &str, by: &Actor) -> Result<(), SubjectRefusal> {
    let held = holds.get(hold).ok_or_else(|| SubjectRefusal::NoSuchHold(hold.to_owned()))?;
    let request = held.release.as_ref().ok_or(SubjectRefusal::ReleaseNotRequested)?;
    check_second(&request.by, by)
}

/// Refuses while there is any hold.
pub(crate) fn check_none(holds: &Holds) -> Result<(), SubjectRefusal> {
    if holds.is_empty() {
        return Ok(());
    }
    Err(SubjectRefusal::OnHold(holds.keys().cloned().collect::<Vec<_>>().join(", ")))
}

/// Refuses who asked for it, and who is no person.
pub(crate) fn check_second(asked: &Actor, approves: &Actor) -> Result<(), SubjectRefusal> {
    if !is_person(approves) {
        return Err(SubjectRefusal::NotAPerson);
    }
    if are_two(asked, approves) { Ok(()) } else { Err(SubjectRefusal::SamePerson) }
}

/// Refuses a reason that says nothing, or too much.
pub(crate) fn check_reason(reason: &str) -> Result<(), SubjectRefusal> {
    let fits = (1..=REASON_CHARACTERS_MAX).contains(&reason.trim().chars().count());
    if fits { Ok(()) } else { Err(SubjectRefusal::InvalidReason) }
}
