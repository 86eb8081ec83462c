//! The folded set of cases, and its decisions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    CASE_BYTES_MAX, CASE_ID_CHARACTERS_MAX, EvaluationCase, EvaluationSetEvent, SET_BYTES_MAX,
    SET_DESCRIPTION_CHARACTERS_MAX, SET_VERSIONS_MAX,
};
use crate::evaluation::CASES_MAX;
use crate::event::Aggregate;
use crate::ids::Slug;

/// The same bounds for messages.
const CASE_KIB_MAX: usize = CASE_BYTES_MAX >> 10;
const SET_KIB_MAX: usize = SET_BYTES_MAX >> 10;

/// A set of cases as its events tell it, without the cases: they are in the events of its versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationSet {
    /// Its name; `None` before it is there.
    pub name: Option<Slug>,
    /// What it is for.
    pub description: String,
    /// Its versions, the first one first.
    pub versions: Vec<EvaluationSetVersion>,
    /// How many events it has had.
    pub events: u64,
}

/// One version of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationSetVersion {
    /// Its number; 1 is the first.
    pub version: u32,
    /// How many cases it has.
    pub cases: u32,
    /// Bytes of them as JSON, about.
    pub bytes: u64,
    /// Revision of the event that has them, in the stream of the set.
    pub revision: u64,
    /// When it was added, in milliseconds since 1970.
    pub at_ms: i64,
}

/// A request to one set.
#[derive(Debug, Clone, PartialEq)]
pub enum EvaluationSetCommand {
    /// Make it, with its first version.
    Create {
        /// Its name.
        name: Slug,
        /// What it is for.
        description: String,
        /// The cases of its first version.
        cases: Vec<EvaluationCase>,
        /// Whom they are about.
        subject: Option<String>,
        /// Now, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Give it another version.
    AddVersion {
        /// The newest version that whoever asks knows of; `None` takes it as it is.
        after: Option<u32>,
        /// All cases of the version.
        cases: Vec<EvaluationCase>,
        /// Whom they are about.
        subject: Option<String>,
        /// Now, in milliseconds since 1970.
        at_ms: i64,
    },
}

/// Why a set says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationSetRefusal {
    /// There is one already.
    #[error("there is an evaluation set '{0}' already: add a version to it, or choose another name")]
    AlreadyExists(Slug),
    /// There is none.
    #[error("there is no such evaluation set: list them, or create it first")]
    NotFound,
    /// It has no such version.
    #[error("the evaluation set has no version {version}: its newest is {newest}")]
    UnknownVersion {
        /// What was asked for.
        version: u32,
        /// The newest there is.
        newest: u32,
    },
    /// What it is for is too long.
    #[error("what a set is for is told in at most {SET_DESCRIPTION_CHARACTERS_MAX} characters: say less")]
    Description,
    /// No cases, or too many.
    #[error("a version has 1 to {CASES_MAX} cases, not {0}: make several sets of them")]
    Cases(usize),
    /// No id of a case.
    #[error("'{0}' cannot be the id of a case: use 1 to {CASE_ID_CHARACTERS_MAX} characters")]
    CaseId(String),
    /// Two cases of one id.
    #[error("there are two cases '{0}': give one of them another id")]
    TwiceTheCase(String),
    /// Too large a case.
    #[error("a case has at most {CASE_KIB_MAX} KiB, the case '{0}' has more: make it smaller")]
    CaseTooLarge(String),
    /// Too much together.
    #[error(
        "the cases of a version have at most {SET_KIB_MAX} KiB together, these have more: make several sets of them"
    )]
    TooLarge,
    /// Too many versions.
    #[error("the set has {SET_VERSIONS_MAX} versions, the most there are: go on with a new set")]
    TooManyVersions,
    /// Somebody added one.
    #[error("the newest version is {newest}, not {expected}: read it again, and decide again")]
    NotNewest {
        /// What was expected.
        expected: u32,
        /// What it is.
        newest: u32,
    },
}

impl EvaluationSet {
    /// The newest version; 0 where there is none.
    pub fn newest(&self) -> u32 {
        self.versions.last().map_or(0, |newest| newest.version)
    }

    /// A version by its number.
    ///
    /// # Errors
    /// [`EvaluationSetRefusal::NotFound`] and [`EvaluationSetRefusal::UnknownVersion`].
    pub fn version(&self, version: u32) -> Result<&EvaluationSetVersion, EvaluationSetRefusal> {
        if self.name.is_none() {
            return Err(EvaluationSetRefusal::NotFound);
        }
        let found = self.versions.iter().find(|known| known.version == version);
        found.ok_or_else(|| EvaluationSetRefusal::UnknownVersion { version, newest: self.newest() })
    }
}

/// Checks the cases of a version; answers how many bytes they have.
fn check(cases: &[EvaluationCase]) -> Result<u64, EvaluationSetRefusal> {
    if !(1..=CASES_MAX).contains(&cases.len()) {
        return Err(EvaluationSetRefusal::Cases(cases.len()));
    }
    let (mut ids, mut bytes) = (BTreeSet::new(), 0);
    for case in cases {
        let characters = case.id.chars().count();
        if !(1..=CASE_ID_CHARACTERS_MAX).contains(&characters) {
            let shown = case.id.chars().take(CASE_ID_CHARACTERS_MAX).collect();
            return Err(EvaluationSetRefusal::CaseId(shown));
        }
        if !ids.insert(case.id.as_str()) {
            return Err(EvaluationSetRefusal::TwiceTheCase(case.id.clone()));
        }
        let own = case.bytes();
        if own > CASE_BYTES_MAX {
            return Err(EvaluationSetRefusal::CaseTooLarge(case.id.clone()));
        }
        bytes += own;
    }
    if bytes > SET_BYTES_MAX {
        return Err(EvaluationSetRefusal::TooLarge);
    }
    Ok(bytes as u64)
}

fn added(
    version: u32,
    cases: &[EvaluationCase],
    subject: Option<&String>,
    at_ms: i64,
) -> Result<EvaluationSetEvent, EvaluationSetRefusal> {
    let bytes = check(cases)?;
    Ok(EvaluationSetEvent::EvaluationSetVersionAdded {
        version,
        // It was checked that they are few.
        count: cases.len() as u32,
        bytes,
        cases: cases.to_vec(),
        subject: subject.cloned(),
        at_ms,
    })
}

impl Aggregate for EvaluationSet {
    const FOLD_VERSION: u32 = 1;

    type Event = EvaluationSetEvent;
    type Command = EvaluationSetCommand;
    type Refusal = EvaluationSetRefusal;

    fn apply(&mut self, event: &EvaluationSetEvent) {
        self.events += 1;
        match event {
            EvaluationSetEvent::EvaluationSetCreated { name, description, .. } => {
                self.name = Some(name.clone());
                self.description.clone_from(description);
            }
            EvaluationSetEvent::EvaluationSetVersionAdded { version, count, bytes, at_ms, .. } => {
                self.versions.push(EvaluationSetVersion {
                    version: *version,
                    cases: *count,
                    bytes: *bytes,
                    revision: self.events,
                    at_ms: *at_ms,
                });
            }
        }
    }

    fn decide(&self, command: &EvaluationSetCommand) -> Result<Vec<EvaluationSetEvent>, EvaluationSetRefusal> {
        match command {
            EvaluationSetCommand::Create { name, .. } if self.name.is_some() => {
                Err(EvaluationSetRefusal::AlreadyExists(name.clone()))
            }
            EvaluationSetCommand::Create { name, description, cases, subject, at_ms } => {
                if description.chars().count() > SET_DESCRIPTION_CHARACTERS_MAX {
                    return Err(EvaluationSetRefusal::Description);
                }
                let first = added(1, cases, subject.as_ref(), *at_ms)?;
                let (name, description, at_ms) = (name.clone(), description.clone(), *at_ms);
                Ok(vec![EvaluationSetEvent::EvaluationSetCreated { name, description, at_ms }, first])
            }
            EvaluationSetCommand::AddVersion { .. } if self.name.is_none() => Err(EvaluationSetRefusal::NotFound),
            EvaluationSetCommand::AddVersion { after, cases, subject, at_ms } => {
                let newest = self.newest();
                match after {
                    Some(expected) if *expected != newest => {
                        Err(EvaluationSetRefusal::NotNewest { expected: *expected, newest })
                    }
                    _ if self.versions.len() >= SET_VERSIONS_MAX => Err(EvaluationSetRefusal::TooManyVersions),
                    _ => Ok(vec![added(newest + 1, cases, subject.as_ref(), *at_ms)?]),
                }
            }
        }
    }
}
