//! A process of a log, and what it does there.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Shard;

/// One life of one process: a restart makes another worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub Uuid);

impl fmt::Display for WorkerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A part that a process plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Answers requests.
    Api,
    /// Drives executions.
    Engine,
    /// Folds read models.
    Projector,
    /// Fires schedules.
    Scheduler,
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a role: there are api, engine, projector and scheduler")]
pub struct UnknownRole(String);

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Api, Self::Engine, Self::Projector, Self::Scheduler];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Engine => "engine",
            Self::Projector => "projector",
            Self::Scheduler => "scheduler",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// The roles of one process. Written out, they are separated by commas.
///
/// ```
/// use timeloom_store::leases::{Role, Roles};
///
/// let roles: Roles = "api,engine".parse().unwrap();
/// assert!(roles.has(Role::Engine) && !roles.has(Role::Scheduler));
/// assert_eq!(roles.to_string(), "api,engine");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// Every role.
    pub fn all() -> Self {
        Role::ALL.into_iter().collect()
    }

    /// Whether one of them is `role`.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Role> {
        self.0.iter().copied()
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().collect())
    }
}

impl FromStr for Roles {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::parse).collect()
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, role) in self.iter().enumerate() {
            let separator = if number == 0 { "" } else { "," };
            write!(formatter, "{separator}{role}")?;
        }
        Ok(())
    }
}

/// What is known of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Which one.
    pub id: WorkerId,
    /// What it does. Roles that this build does not know are left out.
    pub roles: Roles,
    /// Where it answers requests, health checks at least.
    pub address: String,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it was last heard of.
    pub heartbeat_at: DateTime<Utc>,
    /// Whether that is recent enough.
    pub is_live: bool,
    /// The shards that it has.
    pub shards: Vec<Shard>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_role_is_refused_with_those_that_are() {
        let refused = "api,driver".parse::<Roles>().unwrap_err().to_string();
        assert_eq!(refused, "'driver' is not a role: there are api, engine, projector and scheduler");
        assert_eq!("".parse::<Roles>().unwrap(), Roles::default());
        assert_eq!(Roles::all().to_string(), "api,engine,projector,scheduler");
    }
}
