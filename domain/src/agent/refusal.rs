//! Why an agent says no.

use super::{DESCRIPTION_CHARACTERS_MAX, InvalidAgent, REASON_CHARACTERS_MAX, VERSIONS_MAX};
use crate::ids::Slug;

/// Why an agent says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentRefusal {
    /// The name is taken.
    #[error("an agent with this name is registered already: publish a version of it")]
    AlreadyRegistered,
    /// There is none.
    #[error("there is no agent with this name: register it first")]
    NotFound,
    /// There is none, told by whoever knows the name that was asked for.
    #[error("there is no agent '{0}': register it first, or name one that `timeloom agent list` shows")]
    NoAgent(Slug),
    /// It was put away.
    #[error("the agent is retired: register another name")]
    Retired,
    /// Nothing of it came out.
    #[error("the agent has no version yet: publish one first")]
    NothingPublished,
    /// The version is not there.
    #[error("the agent has no version {0}: publish it first")]
    UnknownVersion(u32),
    /// There are too many.
    #[error("an agent has at most {VERSIONS_MAX} versions: register another name")]
    TooManyVersions,
    /// A text is missing or too long.
    #[error(
        "give a reason of 1 to {REASON_CHARACTERS_MAX} characters, and a description of at most {DESCRIPTION_CHARACTERS_MAX}"
    )]
    InvalidText,
    /// The record cannot be used.
    #[error(transparent)]
    Invalid(#[from] InvalidAgent),
}
