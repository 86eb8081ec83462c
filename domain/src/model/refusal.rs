//! Why a model says no.

use super::{ALIASES_MAX, InvalidGuard, InvalidModelSettings, REASON_CHARACTERS_MAX, VERSIONS_MAX};
use crate::ids::Slug;

/// Why a model says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelRefusal {
    /// The name is taken.
    #[error("a model with this name is registered already: add a version to it")]
    AlreadyRegistered,
    /// There is none.
    #[error("there is no model with this name: register it first")]
    NotFound,
    /// There is none, told by whoever knows the name that was asked for.
    #[error("there is no model '{0}': register it first, or name one that `timeloom model list` shows")]
    NoModel(Slug),
    /// It was put away.
    #[error("the model is retired: register another name")]
    Retired,
    /// It answers no requests.
    #[error("the model is disabled: enable it first")]
    Disabled,
    /// The version is not there.
    #[error("the model has no version {0}: add it first")]
    UnknownVersion(u32),
    /// The version answers no more.
    #[error("version {0} was withdrawn: name another one")]
    Withdrawn(u32),
    /// The version answers, so that it cannot be withdrawn.
    #[error("version {0} is promoted, tried or named by an alias: let another one take its place first")]
    InUse(u32),
    /// No version was promoted.
    #[error("no version of the model is promoted: promote one, or name a version")]
    NothingPromoted,
    /// No version was promoted before that could answer again.
    #[error("there is no earlier version to go back to: promote one by its number")]
    NothingBefore,
    /// The alias names nothing.
    #[error("the model has no alias '{0}': set it first")]
    UnknownAlias(Slug),
    /// The alias looks like a version's number.
    #[error("'{0}' is a number: an alias needs a letter, so that it is never taken for a version")]
    AliasIsNumber(Slug),
    /// Too many.
    #[error("the model has {ALIASES_MAX} aliases, which is the most: remove one first")]
    TooManyAliases,
    /// Too many.
    #[error("the model has {VERSIONS_MAX} versions, which is the most: register another name")]
    TooManyVersions,
    /// The digest is not one.
    #[error("'{0}' is not a SHA-256 digest: 64 hexadecimal digits are needed")]
    InvalidDigest(String),
    /// No reason, or one that is too long.
    #[error("a reason of 1 to {REASON_CHARACTERS_MAX} characters is needed")]
    InvalidReason,
    /// Nothing can be run with these settings.
    #[error(transparent)]
    InvalidSettings(#[from] InvalidModelSettings),
    /// No part of requests.
    #[error("{0} is no part of a hundred: 1 to 99 is for a trial, a shadow takes up to 100")]
    InvalidPercent(u8),
    /// A trial is under way.
    #[error("version {0} is being tried: end that trial first")]
    RolloutUnderWay(u32),
    /// None is.
    #[error("no version is being tried: start a rollout first")]
    NoRollout,
    /// The version answers already.
    #[error("version {0} is promoted already: there is nothing to try")]
    AlreadyPromoted(u32),
    /// The alias names the version already.
    #[error("'{0}' names version {1} already: there is nothing to try")]
    AliasNamesIt(Slug, u32),
    /// The trial cannot be watched like this.
    #[error(transparent)]
    InvalidGuard(#[from] InvalidGuard),
}
