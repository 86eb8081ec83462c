//! What a model's events fold to, and what it decides.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::reference::VersionReference;
use super::{
    ALIASES_MAX, InvalidGuard, ModelCommand, ModelEvent, ModelFile, ModelRefusal, ModelSettings, REASON_CHARACTERS_MAX,
    Recording, Rollout, RolloutArm, VERSIONS_MAX,
};
use crate::event::Aggregate;
use crate::ids::Slug;

/// Most versions that are remembered as promoted before, so that a roll-back finds them.
const PROMOTED_BEFORE_MAX: usize = 32;

/// One version of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelVersion {
    /// 1 for the first.
    pub version: u32,
    /// Format of the file.
    pub format: String,
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
    /// What was read from the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Box<ModelFile>>,
    /// Why it answers no more; absent = it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<String>,
}

/// A model as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Its name; `None` before it was registered.
    pub name: Option<Slug>,
    /// What it computes.
    pub description: String,
    /// Versions, oldest first.
    pub versions: Vec<ModelVersion>,
    /// The version that answers.
    pub promoted_version: Option<u32>,
    /// Versions that answered before, the latest last.
    pub promoted_before: Vec<u32>,
    /// What the aliases name.
    pub aliases: BTreeMap<Slug, u32>,
    /// How its versions are run.
    pub settings: ModelSettings,
    /// Versions that workers keep loaded.
    pub kept_loaded: BTreeSet<u32>,
    /// The trial under way.
    pub rollout: Option<Rollout>,
    /// Whether it answers no requests.
    pub disabled: bool,
    /// Whether it was put away.
    pub retired: bool,
}

impl Model {
    /// The version of that number.
    pub fn version(&self, number: u32) -> Option<&ModelVersion> {
        self.versions.iter().find(|known| known.version == number)
    }

    /// The version that answers a request which names `reference`. Where a rollout is under way, `key` says to which side a
    /// request falls; without one the trial is left aside.
    ///
    /// # Errors
    /// When no version answers it; the refusal says what to do.
    pub fn resolve(&self, reference: &VersionReference, key: Option<&str>) -> Result<&ModelVersion, ModelRefusal> {
        self.resolve_arm(reference, key).map(|(version, _)| version)
    }

    /// The same with the side of a trial that the request falls to; absent where none is under way for that name.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn resolve_arm(
        &self,
        reference: &VersionReference,
        key: Option<&str>,
    ) -> Result<(&ModelVersion, Option<RolloutArm>), ModelRefusal> {
        self.check_open()?;
        if self.disabled {
            return Err(ModelRefusal::Disabled);
        }
        let trial = self.rollout.as_ref().filter(|rollout| rollout.is_of(reference)).zip(key);
        if let Some((rollout, key)) = trial
            && !rollout.shadow
            && rollout.takes(key)
        {
            return Ok((self.usable(rollout.version)?, Some(RolloutArm::Candidate)));
        }
        let number = match reference {
            VersionReference::Number(number) => *number,
            VersionReference::Alias(alias) => {
                *self.aliases.get(alias).ok_or_else(|| ModelRefusal::UnknownAlias(alias.clone()))?
            }
            VersionReference::Promoted => self.promoted_version.ok_or(ModelRefusal::NothingPromoted)?,
        };
        Ok((self.usable(number)?, trial.map(|_| RolloutArm::Stable)))
    }

    /// The version that computes a copy of a request which names `reference`, where one is tried on copies.
    pub fn shadow_of(&self, reference: &VersionReference, key: &str) -> Option<u32> {
        let rollout = self.rollout.as_ref().filter(|rollout| rollout.shadow && rollout.is_of(reference))?;
        rollout.takes(key).then_some(rollout.version)
    }

    fn check_open(&self) -> Result<(), ModelRefusal> {
        match (&self.name, self.retired) {
            (None, _) => Err(ModelRefusal::NotFound),
            (_, true) => Err(ModelRefusal::Retired),
            _ => Ok(()),
        }
    }

    /// The version of that number, which was not withdrawn.
    fn usable(&self, number: u32) -> Result<&ModelVersion, ModelRefusal> {
        let version = self.version(number).ok_or(ModelRefusal::UnknownVersion(number))?;
        if version.withdrawn.is_some() { Err(ModelRefusal::Withdrawn(number)) } else { Ok(version) }
    }

    fn in_use(&self, version: u32) -> bool {
        self.promoted_version == Some(version)
            || self.aliases.values().any(|named| *named == version)
            || self.is_tried(version)
    }

    fn is_tried(&self, version: u32) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| rollout.version == version)
    }

    fn promoted(&mut self, version: u32) {
        if let Some(before) = self.promoted_version.replace(version) {
            self.promoted_before.push(before);
            if self.promoted_before.len() > PROMOTED_BEFORE_MAX {
                self.promoted_before.remove(0);
            }
        }
    }

    fn rolled_back(&mut self, version: u32) {
        self.promoted_version = Some(version);
        while let Some(before) = self.promoted_before.pop() {
            if before == version {
                break;
            }
        }
    }

    fn apply_to_versions(&mut self, event: &ModelEvent) {
        match event {
            ModelEvent::ModelVersionAdded { version, format, digest, file } => self.versions.push(ModelVersion {
                version: *version,
                format: format.clone(),
                digest: digest.clone(),
                file: file.clone(),
                withdrawn: None,
            }),
            ModelEvent::ModelVersionWithdrawn { version, reason } => {
                self.kept_loaded.remove(version);
                if let Some(known) = self.versions.iter_mut().find(|known| known.version == *version) {
                    known.withdrawn = Some(reason.clone());
                }
            }
            ModelEvent::ModelPromoted { version, .. } => self.promoted(*version),
            ModelEvent::ModelRolledBack { version, .. } => self.rolled_back(*version),
            ModelEvent::ModelAliasSet { alias, version, .. } => {
                self.aliases.insert(alias.clone(), *version);
            }
            ModelEvent::ModelAliasRemoved { alias, .. } => {
                self.aliases.remove(alias);
            }
            _ => {}
        }
    }

    fn apply_to_rollout(&mut self, event: &ModelEvent) {
        match event {
            ModelEvent::ModelRolloutStarted { version, percent, shadow, alias, guard } => {
                let (alias, guard) = (alias.clone(), guard.clone());
                self.rollout = Some(Rollout { version: *version, percent: *percent, shadow: *shadow, alias, guard });
            }
            ModelEvent::ModelRolloutStepped { percent } => {
                if let Some(rollout) = &mut self.rollout {
                    rollout.percent = *percent;
                }
            }
            ModelEvent::ModelRolloutEnded { .. } => self.rollout = None,
            _ => {}
        }
    }

    fn decide_on_versions(&self, command: &ModelCommand) -> Result<Option<ModelEvent>, ModelRefusal> {
        Ok(match command {
            ModelCommand::AddVersion { format, digest, file } => {
                let digest = digest_of(digest)?;
                if self.versions.iter().any(|known| known.digest == digest) {
                    return Ok(None);
                }
                if self.versions.len() >= VERSIONS_MAX {
                    return Err(ModelRefusal::TooManyVersions);
                }
                let version = self.versions.last().map_or(1, |newest| newest.version.saturating_add(1));
                Some(ModelEvent::ModelVersionAdded { version, format: format.clone(), digest, file: file.clone() })
            }
            ModelCommand::RejectVersion { digest, bytes, reason } => Some(ModelEvent::ModelVersionRejected {
                digest: digest_of(digest)?,
                bytes: *bytes,
                reason: reason.chars().take(REASON_CHARACTERS_MAX).collect(),
            }),
            ModelCommand::Withdraw { version, reason } => {
                let known = self.version(*version).ok_or(ModelRefusal::UnknownVersion(*version))?;
                let reason = reason_of(reason)?;
                if self.in_use(*version) {
                    return Err(ModelRefusal::InUse(*version));
                }
                let withdrawn = ModelEvent::ModelVersionWithdrawn { version: *version, reason };
                known.withdrawn.is_none().then_some(withdrawn)
            }
            ModelCommand::Load { version } => {
                self.usable(*version)?;
                let loaded = self.kept_loaded.contains(version);
                (!loaded).then_some(ModelEvent::ModelLoadRequested { version: *version })
            }
            ModelCommand::Unload { version } => {
                let loaded = self.kept_loaded.contains(version);
                loaded.then_some(ModelEvent::ModelUnloadRequested { version: *version })
            }
            _ => None,
        })
    }

    fn decide_who_answers(&self, command: &ModelCommand) -> Result<Option<ModelEvent>, ModelRefusal> {
        Ok(match command {
            ModelCommand::Promote { version, reason } => {
                self.usable(*version)?;
                if self.is_tried(*version) {
                    return Err(ModelRefusal::RolloutUnderWay(*version));
                }
                let reason = reason.as_deref().map(reason_of).transpose()?;
                let from = self.promoted_version;
                (from != Some(*version)).then_some(ModelEvent::ModelPromoted { version: *version, from, reason })
            }
            ModelCommand::RollBack { reason } => {
                let reason = reason_of(reason)?;
                let from = self.promoted_version.ok_or(ModelRefusal::NothingPromoted)?;
                let before = self.promoted_before.iter().rev().find(|before| self.usable(**before).is_ok());
                let version = *before.ok_or(ModelRefusal::NothingBefore)?;
                Some(ModelEvent::ModelRolledBack { version, from, reason })
            }
            ModelCommand::SetAlias { alias, version, reason } => {
                self.usable(*version)?;
                if alias.as_str().bytes().all(|digit| digit.is_ascii_digit()) {
                    return Err(ModelRefusal::AliasIsNumber(alias.clone()));
                }
                self.check_not_tried(alias)?;
                let reason = reason.as_deref().map(reason_of).transpose()?;
                let from = self.aliases.get(alias).copied();
                if from.is_none() && self.aliases.len() >= ALIASES_MAX {
                    return Err(ModelRefusal::TooManyAliases);
                }
                let set = ModelEvent::ModelAliasSet { alias: alias.clone(), version: *version, from, reason };
                (from != Some(*version)).then_some(set)
            }
            ModelCommand::RemoveAlias { alias } => {
                self.check_not_tried(alias)?;
                let named = self.aliases.get(alias);
                named.map(|version| ModelEvent::ModelAliasRemoved { alias: alias.clone(), version: *version })
            }
            _ => None,
        })
    }

    /// Refuses to change an alias on whose requests a version is tried.
    fn check_not_tried(&self, alias: &Slug) -> Result<(), ModelRefusal> {
        match self.rollout.as_ref().filter(|rollout| rollout.alias.as_ref() == Some(alias)) {
            Some(rollout) => Err(ModelRefusal::RolloutUnderWay(rollout.version)),
            None => Ok(()),
        }
    }

    fn decide_on_rollout(&self, command: &ModelCommand) -> Result<Vec<ModelEvent>, ModelRefusal> {
        match command {
            ModelCommand::StartRollout { version, percent, shadow, alias, guard } => {
                let (alias, guard) = (alias.clone(), guard.clone());
                self.start_rollout(Rollout { version: *version, percent: *percent, shadow: *shadow, alias, guard })
            }
            ModelCommand::StepRollout { percent } => {
                let rollout = self.rollout.as_ref().ok_or(ModelRefusal::NoRollout)?;
                check_percent(*percent, rollout.shadow)?;
                let stepped = ModelEvent::ModelRolloutStepped { percent: *percent };
                Ok(if rollout.percent == *percent { Vec::new() } else { vec![stepped] })
            }
            ModelCommand::EndRollout { promote, reason } => {
                let reason = reason_of(reason)?;
                let rollout = self.rollout.as_ref().ok_or(ModelRefusal::NoRollout)?;
                let version = rollout.version;
                let (promoted, figures) = (*promote, None);
                let mut events = vec![ModelEvent::ModelRolloutEnded { promoted, reason: reason.clone(), figures }];
                if *promote {
                    self.usable(version)?;
                    let reason = Some(reason);
                    events.push(match rollout.alias.clone() {
                        Some(alias) => {
                            let from = self.aliases.get(&alias).copied();
                            ModelEvent::ModelAliasSet { alias, version, from, reason }
                        }
                        None => ModelEvent::ModelPromoted { version, from: self.promoted_version, reason },
                    });
                }
                Ok(events)
            }
            ModelCommand::GuardRollout { version, reason, figures } if self.is_tried(*version) => {
                let (reason, figures) = (reason_of(reason)?, Some(figures.clone()));
                Ok(vec![ModelEvent::ModelRolloutEnded { promoted: false, reason, figures }])
            }
            _ => Ok(Vec::new()),
        }
    }

    fn start_rollout(&self, wanted: Rollout) -> Result<Vec<ModelEvent>, ModelRefusal> {
        let version = wanted.version;
        self.usable(version)?;
        check_percent(wanted.percent, wanted.shadow)?;
        if let Some(guard) = &wanted.guard {
            guard.check(wanted.shadow)?;
            check_recording(self.settings.recording)?;
        }
        match &self.rollout {
            Some(under_way) if *under_way == wanted => return Ok(Vec::new()),
            Some(under_way) => return Err(ModelRefusal::RolloutUnderWay(under_way.version)),
            None => {}
        }
        match &wanted.alias {
            Some(alias) => match self.aliases.get(alias) {
                None => return Err(ModelRefusal::UnknownAlias(alias.clone())),
                Some(named) if *named == version => return Err(ModelRefusal::AliasNamesIt(alias.clone(), version)),
                Some(_) => {}
            },
            None => match self.promoted_version {
                None => return Err(ModelRefusal::NothingPromoted),
                Some(promoted) if promoted == version => return Err(ModelRefusal::AlreadyPromoted(promoted)),
                Some(_) => {}
            },
        }
        let Rollout { version, percent, shadow, alias, guard } = wanted;
        Ok(vec![ModelEvent::ModelRolloutStarted { version, percent, shadow, alias, guard }])
    }

    fn decide_on_itself(&self, command: &ModelCommand) -> Result<Option<ModelEvent>, ModelRefusal> {
        Ok(match command {
            ModelCommand::Configure { settings } => {
                settings.check()?;
                if self.rollout.as_ref().is_some_and(|rollout| rollout.guard.is_some()) {
                    check_recording(settings.recording)?;
                }
                let settings = Box::new(settings.clone());
                (*settings != self.settings).then_some(ModelEvent::ModelConfigured { settings })
            }
            ModelCommand::Enable => self.disabled.then_some(ModelEvent::ModelEnabled {}),
            ModelCommand::Disable { reason } => {
                let disabled = ModelEvent::ModelDisabled { reason: reason.clone() };
                (!self.disabled).then_some(disabled)
            }
            ModelCommand::Retire => Some(ModelEvent::ModelRetired {}),
            _ => None,
        })
    }
}

/// The digest, in lower case.
fn digest_of(digest: &str) -> Result<String, ModelRefusal> {
    if digest.len() != 64 || !digest.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(ModelRefusal::InvalidDigest(digest.chars().take(64).collect()));
    }
    Ok(digest.to_ascii_lowercase())
}

fn reason_of(reason: &str) -> Result<String, ModelRefusal> {
    let reason = reason.trim();
    let characters = reason.chars().take(REASON_CHARACTERS_MAX + 1).count();
    if characters == 0 || characters > REASON_CHARACTERS_MAX {
        return Err(ModelRefusal::InvalidReason);
    }
    Ok(reason.to_owned())
}

fn check_percent(percent: u8, shadow: bool) -> Result<(), ModelRefusal> {
    let most = if shadow { 100 } else { 99 };
    if (1..=most).contains(&percent) { Ok(()) } else { Err(ModelRefusal::InvalidPercent(percent)) }
}

/// A guard needs all inferences: of samples, failures would be told and answers would not.
fn check_recording(recording: Recording) -> Result<(), InvalidGuard> {
    match recording {
        Recording::Full | Recording::Standard => Ok(()),
        Recording::Sampled { .. } => Err(InvalidGuard::Sampled),
    }
}

impl Aggregate for Model {
    const FOLD_VERSION: u32 = 3;

    type Event = ModelEvent;
    type Command = ModelCommand;
    type Refusal = ModelRefusal;

    fn apply(&mut self, event: &ModelEvent) {
        match event {
            ModelEvent::ModelRegistered { name, description } => {
                self.name = Some(name.clone());
                self.description.clone_from(description);
            }
            ModelEvent::ModelVersionRejected { .. } => {}
            ModelEvent::ModelVersionAdded { .. }
            | ModelEvent::ModelVersionWithdrawn { .. }
            | ModelEvent::ModelPromoted { .. }
            | ModelEvent::ModelRolledBack { .. }
            | ModelEvent::ModelAliasSet { .. }
            | ModelEvent::ModelAliasRemoved { .. } => self.apply_to_versions(event),
            ModelEvent::ModelConfigured { settings } => self.settings = (**settings).clone(),
            ModelEvent::ModelLoadRequested { version } => {
                self.kept_loaded.insert(*version);
            }
            ModelEvent::ModelUnloadRequested { version } => {
                self.kept_loaded.remove(version);
            }
            ModelEvent::ModelRolloutStarted { .. }
            | ModelEvent::ModelRolloutStepped { .. }
            | ModelEvent::ModelRolloutEnded { .. } => self.apply_to_rollout(event),
            ModelEvent::ModelEnabled {} => self.disabled = false,
            ModelEvent::ModelDisabled { .. } => self.disabled = true,
            ModelEvent::ModelRetired {} => self.retired = true,
        }
    }

    fn decide(&self, command: &ModelCommand) -> Result<Vec<ModelEvent>, ModelRefusal> {
        match command {
            ModelCommand::Register { name, description } => {
                return match &self.name {
                    Some(_) => Err(ModelRefusal::AlreadyRegistered),
                    None => {
                        let (name, description) = (name.clone(), description.clone());
                        Ok(vec![ModelEvent::ModelRegistered { name, description }])
                    }
                };
            }
            ModelCommand::Retire if self.retired => return Ok(Vec::new()),
            _ => self.check_open()?,
        }
        Ok(match command {
            ModelCommand::StartRollout { .. }
            | ModelCommand::StepRollout { .. }
            | ModelCommand::EndRollout { .. }
            | ModelCommand::GuardRollout { .. } => self.decide_on_rollout(command)?,
            ModelCommand::Promote { .. }
            | ModelCommand::RollBack { .. }
            | ModelCommand::SetAlias { .. }
            | ModelCommand::RemoveAlias { .. } => self.decide_who_answers(command)?.into_iter().collect(),
            ModelCommand::Configure { .. }
            | ModelCommand::Enable
            | ModelCommand::Disable { .. }
            | ModelCommand::Retire => self.decide_on_itself(command)?.into_iter().collect(),
            ModelCommand::Register { .. }
            | ModelCommand::AddVersion { .. }
            | ModelCommand::RejectVersion { .. }
            | ModelCommand::Withdraw { .. }
            | ModelCommand::Load { .. }
            | ModelCommand::Unload { .. } => self.decide_on_versions(command)?.into_iter().collect(),
        })
    }
}
