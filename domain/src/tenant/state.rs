//! A tenant as its events tell it, and what it decides.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    CATEGORY_BYTES_MAX, FIRST_NAME, NAME_CHARACTERS_MAX, OPEN_CATEGORIES_MAX, TENANTS_MAX, TenantEvent, is_own_category,
};
use crate::event::Aggregate;
use crate::ids::{FIRST_TENANT, TenantId};

/// A tenant as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its number; `None` before it was made.
    pub tenant: Option<TenantId>,
    /// What it is called.
    pub name: String,
    /// Whether nobody of it is let in.
    pub suspended: bool,
    /// Categories that programs of others may append to by themselves.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub open_categories: BTreeSet<String>,
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
    /// Let programs of others append to a category.
    OpenCategory {
        /// Its number: the first tenant is there before it was made.
        tenant: TenantId,
        /// The category.
        category: String,
    },
    /// Let them not any more.
    CloseCategory {
        /// The category.
        category: String,
    },
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
    /// It belongs to Timeloom.
    #[error("this category belongs to Timeloom: events come into it by commands only; choose another name")]
    OwnCategory,
    /// It is no name of a category.
    #[error(
        "the name of an open category has 1 to {CATEGORY_BYTES_MAX} bytes, does not begin with '$', and has no '-', no '/', no space and no control character"
    )]
    InvalidCategory,
    /// There are too many.
    #[error("a tenant has at most {OPEN_CATEGORIES_MAX} open categories: close one first")]
    TooManyCategories,
}

impl Aggregate for Tenant {
    const FOLD_VERSION: u32 = 2;

    type Event = TenantEvent;
    type Command = TenantCommand;
    type Refusal = TenantRefusal;

    fn apply(&mut self, event: &TenantEvent) {
        match event {
            TenantEvent::TenantCreated { tenant, name } => (self.tenant, self.name) = (Some(*tenant), name.clone()),
            TenantEvent::TenantRenamed { name } => self.name.clone_from(name),
            TenantEvent::TenantSuspended {} => self.suspended = true,
            TenantEvent::TenantResumed {} => self.suspended = false,
            TenantEvent::CategoryOpened { category } => {
                self.open_categories.insert(category.clone());
            }
            TenantEvent::CategoryClosed { category } => {
                self.open_categories.remove(category);
            }
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
            TenantCommand::OpenCategory { tenant, category } => return self.open(*tenant, category),
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
            TenantCommand::CloseCategory { category } if !self.open_categories.contains(category) => {
                return Ok(Vec::new());
            }
            TenantCommand::CloseCategory { category } => TenantEvent::CategoryClosed { category: category.clone() },
        };
        Ok(vec![event])
    }
}

impl Tenant {
    fn open(&self, tenant: TenantId, category: &str) -> Result<Vec<TenantEvent>, TenantRefusal> {
        if self.tenant.is_none() && tenant != FIRST_TENANT {
            return Err(TenantRefusal::NotFound);
        }
        check_category(category)?;
        if self.open_categories.contains(category) {
            return Ok(Vec::new());
        }
        if self.open_categories.len() >= OPEN_CATEGORIES_MAX {
            return Err(TenantRefusal::TooManyCategories);
        }
        let made = self.tenant.is_none().then(|| TenantEvent::TenantCreated { tenant, name: FIRST_NAME.to_owned() });
        Ok(made.into_iter().chain([TenantEvent::CategoryOpened { category: category.to_owned() }]).collect())
    }
}

/// The text before the first dash of a stream's name is its category, where programs of others name streams.
fn check_category(category: &str) -> Result<(), TenantRefusal> {
    if is_own_category(category) {
        return Err(TenantRefusal::OwnCategory);
    }
    let is_odd = |letter: char| matches!(letter, '-' | '/') || letter.is_control() || letter.is_whitespace();
    let fits = (1..=CATEGORY_BYTES_MAX).contains(&category.len()) && !category.starts_with('$');
    if fits && !category.chars().any(is_odd) { Ok(()) } else { Err(TenantRefusal::InvalidCategory) }
}

fn check_name(name: &str) -> Result<(), TenantRefusal> {
    let count = name.chars().count();
    let fits = (1..=NAME_CHARACTERS_MAX).contains(&count) && !name.chars().any(char::is_control);
    if fits && name.trim() == name { Ok(()) } else { Err(TenantRefusal::InvalidName) }
}
