//! A tenant as its events tell it, and what it decides.

use serde::{Deserialize, Serialize};

use super::{NAME_CHARACTERS_MAX, TENANTS_MAX, TenantEvent};
use crate::event::Aggregate;
use crate::ids::TenantId;

/// A tenant as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its number; `None` before it was made.
    pub tenant: Option<TenantId>,
    /// What it is called.
    pub name: String,
    /// Whether nobody of it is let in.
    pub suspended: bool,
}

/// A request to one tenant.
#[derive(Debug, Clone, PartialEq)]
pub enum TenantCommand {
    /// Make it.
    Create {
        /// Its number.
        tenant: TenantId,
        /// What it is called.
        name: String,
    },
    /// Call it otherwise.
    Rename {
        /// What it is called.
        name: String,
    },
    /// Let nobody of it in.
    Suspend,
    /// Let them in again.
    Resume,
}

/// Why a tenant says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TenantRefusal {
    /// It is there already.
    #[error("this tenant exists already")]
    AlreadyExists,
    /// There is none.
    #[error("there is no such tenant: `timeloom tenant list` shows which there are")]
    NotFound,
    /// The name is not one.
    #[error(
        "a name has 1 to {NAME_CHARACTERS_MAX} characters, none of them a control character, and no space around it"
    )]
    InvalidName,
    /// There are too many.
    #[error("a log has at most {TENANTS_MAX} tenants")]
    TooMany,
}

impl Aggregate for Tenant {
    const FOLD_VERSION: u32 = 1;

    type Event = TenantEvent;
    type Command = TenantCommand;
    type Refusal = TenantRefusal;

    fn apply(&mut self, event: &TenantEvent) {
        match event {
            TenantEvent::TenantCreated { tenant, name } => (self.tenant, self.name) = (Some(*tenant), name.clone()),
            TenantEvent::TenantRenamed { name } => self.name.clone_from(name),
            TenantEvent::TenantSuspended {} => self.suspended = true,
            TenantEvent::TenantResumed {} => self.suspended = false,
        }
    }

    fn decide(&self, command: &TenantCommand) -> Result<Vec<TenantEvent>, TenantRefusal> {
        let event = match command {
            TenantCommand::Create { .. } if self.tenant.is_some() => return Err(TenantRefusal::AlreadyExists),
            TenantCommand::Create { tenant, .. } if tenant.0 >= TENANTS_MAX => return Err(TenantRefusal::TooMany),
            TenantCommand::Create { tenant, name } => {
                check_name(name)?;
                TenantEvent::TenantCreated { tenant: *tenant, name: name.clone() }
            }
            _ if self.tenant.is_none() => return Err(TenantRefusal::NotFound),
            TenantCommand::Rename { name } => {
                check_name(name)?;
                if self.name == *name {
                    return Ok(Vec::new());
                }
                TenantEvent::TenantRenamed { name: name.clone() }
            }
            TenantCommand::Suspend if self.suspended => return Ok(Vec::new()),
            TenantCommand::Suspend => TenantEvent::TenantSuspended {},
            TenantCommand::Resume if !self.suspended => return Ok(Vec::new()),
            TenantCommand::Resume => TenantEvent::TenantResumed {},
        };
        Ok(vec![event])
    }
}

fn check_name(name: &str) -> Result<(), TenantRefusal> {
    let count = name.chars().count();
    let fits = (1..=NAME_CHARACTERS_MAX).contains(&count) && !name.chars().any(char::is_control);
    if fits && name.trim() == name { Ok(()) } else { Err(TenantRefusal::InvalidName) }
}
