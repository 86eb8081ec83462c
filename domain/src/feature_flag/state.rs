//! A flag as its events tell it, and what it decides.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::{EARLIER_MAX, Feature, FeatureFlagEvent, NAMED_TENANTS_MAX};
use crate::chance;
use crate::event::Aggregate;
use crate::ids::TenantId;

/// For which tenants a feature is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// For how many of a hundred of the tenants that are not named.
    pub percent: u8,
    /// For these it is on.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub on_for: BTreeSet<TenantId>,
    /// For these it is off.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub off_for: BTreeSet<TenantId>,
}

impl Default for Rollout {
    /// On for everybody.
    fn default() -> Self {
        Self { percent: 100, on_for: BTreeSet::new(), off_for: BTreeSet::new() }
    }
}

impl Rollout {
    /// Whether the feature is on for a tenant. A tenant that has it keeps it when the percentage grows, and which tenants
    /// come first is another order for each feature.
    pub fn includes(&self, feature: &Feature, tenant: TenantId) -> bool {
        if self.off_for.contains(&tenant) {
            return false;
        }
        self.on_for.contains(&tenant) || place(feature, tenant) < self.percent
    }
}

/// A tenant's place among a hundred, from 0.
fn place(feature: &Feature, tenant: TenantId) -> u8 {
    chance::place_of_hundred(u64::from(tenant.0), feature.to_string().as_bytes())
}

/// A flag as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureFlag {
    /// What it is about; `None` where there is no flag.
    pub feature: Option<Feature>,
    /// For whom the feature is on.
    pub rollout: Rollout,
    /// How it was before, the last one last: what rolling back goes back to.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub earlier: VecDeque<Rollout>,
}

/// A request to one flag.
#[derive(Debug, Clone, PartialEq)]
pub enum FeatureFlagCommand {
    /// Say for whom the feature is on.
    Set {
        /// The feature.
        feature: Feature,
        /// For whom it is on.
        rollout: Rollout,
    },
    /// Go back to how it was before it was set last. Done again, it goes back further.
    RollBack,
    /// Let the feature be on for everybody.
    Remove,
}

/// Why a flag says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureFlagRefusal {
    /// More than all.
    #[error("the percentage is {0}: it goes from 0, for nobody, to 100, for everybody")]
    InvalidPercent(u8),
    /// It would be on and off.
    #[error("tenant {} is named on both sides: a feature is either on for a tenant or off", .0.0)]
    Contradiction(TenantId),
    /// Too many are named.
    #[error("a flag names at most {NAMED_TENANTS_MAX} tenants on each side: say it by a percentage")]
    TooManyTenants,
    /// There is none.
    #[error("there is no flag for this feature: it is on for everybody. `timeloom flag list` shows which there are")]
    NotFound,
    /// It was set once only.
    #[error("there is nothing to go back to: set what is to hold, or remove the flag")]
    NothingEarlier,
}

impl Aggregate for FeatureFlag {
    const FOLD_VERSION: u32 = 1;

    type Event = FeatureFlagEvent;
    type Command = FeatureFlagCommand;
    type Refusal = FeatureFlagRefusal;

    fn apply(&mut self, event: &FeatureFlagEvent) {
        match event {
            FeatureFlagEvent::FeatureFlagSet { feature, rollout } => {
                let before = std::mem::replace(&mut self.rollout, rollout.clone());
                if self.feature.replace(feature.clone()).is_some() {
                    self.earlier.push_back(before);
                }
                if self.earlier.len() > EARLIER_MAX {
                    self.earlier.pop_front();
                }
            }
            FeatureFlagEvent::FeatureFlagRolledBack { rollout } => {
                self.earlier.pop_back();
                self.rollout = rollout.clone();
            }
            FeatureFlagEvent::FeatureFlagRemoved {} => *self = Self::default(),
        }
    }

    fn decide(&self, command: &FeatureFlagCommand) -> Result<Vec<FeatureFlagEvent>, FeatureFlagRefusal> {
        let event = match command {
            FeatureFlagCommand::Set { feature, rollout } => {
                check(rollout)?;
                if self.feature.is_some() && self.rollout == *rollout {
                    return Ok(Vec::new());
                }
                FeatureFlagEvent::FeatureFlagSet { feature: feature.clone(), rollout: rollout.clone() }
            }
            FeatureFlagCommand::Remove if self.feature.is_none() => return Ok(Vec::new()),
            FeatureFlagCommand::Remove => FeatureFlagEvent::FeatureFlagRemoved {},
            FeatureFlagCommand::RollBack if self.feature.is_none() => return Err(FeatureFlagRefusal::NotFound),
            FeatureFlagCommand::RollBack => {
                let rollout = self.earlier.back().cloned().ok_or(FeatureFlagRefusal::NothingEarlier)?;
                FeatureFlagEvent::FeatureFlagRolledBack { rollout }
            }
        };
        Ok(vec![event])
    }
}

fn check(rollout: &Rollout) -> Result<(), FeatureFlagRefusal> {
    if rollout.percent > 100 {
        return Err(FeatureFlagRefusal::InvalidPercent(rollout.percent));
    }
    if rollout.on_for.len().max(rollout.off_for.len()) > NAMED_TENANTS_MAX {
        return Err(FeatureFlagRefusal::TooManyTenants);
    }
    match rollout.on_for.intersection(&rollout.off_for).next() {
        Some(tenant) => Err(FeatureFlagRefusal::Contradiction(*tenant)),
        None => Ok(()),
    }
}
