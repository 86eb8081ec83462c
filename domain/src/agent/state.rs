//! The folded agent, and its decisions.

use serde::{Deserialize, Serialize};

use super::{AgentCommand, AgentEvent, AgentRecord, AgentRefusal, DESCRIPTION_CHARACTERS_MAX, REASON_CHARACTERS_MAX};
use crate::event::Aggregate;
use crate::ids::Slug;
use crate::item::JsonObject;

/// Most versions of one agent.
pub const VERSIONS_MAX: usize = 1_000;

/// An agent as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Its name; `None` before it is registered.
    pub name: Option<Slug>,
    /// What it is for.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// The versions that came out.
    pub versions: Vec<AgentVersion>,
    /// The configuration with which runs begin.
    pub config: JsonObject,
    /// Why it should not be used any more, and what to use instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<(String, Option<Slug>)>,
    /// Whether it was put away.
    pub retired: bool,
}

/// A version of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentVersion {
    /// 1 for the first.
    pub version: u32,
    /// SHA-256 of the record, hexadecimal.
    pub digest: String,
    /// What it is.
    pub record: Box<AgentRecord>,
}

/// Where an agent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentState {
    /// Nothing of it came out.
    Draft,
    /// It can be run.
    Active,
    /// It can be run, and should not be.
    Deprecated,
    /// It was put away.
    Retired,
}

impl AgentState {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Retired => "retired",
        }
    }
}

impl Agent {
    /// Where it stands.
    pub fn state(&self) -> AgentState {
        match (self.retired, &self.deprecated, self.versions.is_empty()) {
            (true, ..) => AgentState::Retired,
            (false, Some(_), _) => AgentState::Deprecated,
            (false, None, true) => AgentState::Draft,
            (false, None, false) => AgentState::Active,
        }
    }

    /// The version that a run takes: that one, or the newest.
    ///
    /// # Errors
    /// [`AgentRefusal`] where there is none, or the agent was put away.
    pub fn runnable(&self, version: Option<u32>) -> Result<&AgentVersion, AgentRefusal> {
        self.check_open()?;
        match version {
            None => self.versions.last().ok_or(AgentRefusal::NothingPublished),
            Some(number) => {
                let found = self.versions.iter().find(|known| known.version == number);
                found.ok_or(AgentRefusal::UnknownVersion(number))
            }
        }
    }

    fn check_open(&self) -> Result<(), AgentRefusal> {
        match (&self.name, self.retired) {
            (None, _) => Err(AgentRefusal::NotFound),
            (_, true) => Err(AgentRefusal::Retired),
            _ => Ok(()),
        }
    }

    fn published(&self, record: &AgentRecord) -> Result<Option<AgentEvent>, AgentRefusal> {
        record.check()?;
        let digest = record.digest();
        if self.versions.last().is_some_and(|newest| newest.digest == digest) {
            return Ok(None);
        }
        if self.versions.len() >= VERSIONS_MAX {
            return Err(AgentRefusal::TooManyVersions);
        }
        record.prompt_with(&record.config)?;
        let version = self.versions.last().map_or(1, |newest| newest.version.saturating_add(1));
        Ok(Some(AgentEvent::AgentVersionPublished { version, digest, record: Box::new(record.clone()) }))
    }

    fn configured(&self, config: &JsonObject) -> Result<Option<AgentEvent>, AgentRefusal> {
        let newest = self.versions.last().ok_or(AgentRefusal::NothingPublished)?;
        newest.record.prompt_with(config)?;
        Ok((self.config != *config).then(|| AgentEvent::AgentConfigChanged { config: config.clone() }))
    }
}

impl Aggregate for Agent {
    const FOLD_VERSION: u32 = 1;

    type Event = AgentEvent;
    type Command = AgentCommand;
    type Refusal = AgentRefusal;

    fn apply(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::AgentRegistered { name, description, owner } => {
                self.name = Some(name.clone());
                self.description.clone_from(description);
                self.owner.clone_from(owner);
            }
            AgentEvent::AgentVersionPublished { version, digest, record } => {
                self.config.clone_from(&record.config);
                self.deprecated = None;
                let (version, digest, record) = (*version, digest.clone(), record.clone());
                self.versions.push(AgentVersion { version, digest, record });
            }
            AgentEvent::AgentConfigChanged { config } => self.config.clone_from(config),
            AgentEvent::AgentDeprecated { reason, replacement } => {
                self.deprecated = Some((reason.clone(), replacement.clone()));
            }
            AgentEvent::AgentRetired {} => self.retired = true,
        }
    }

    fn decide(&self, command: &AgentCommand) -> Result<Vec<AgentEvent>, AgentRefusal> {
        let event = match command {
            AgentCommand::Register { .. } if self.name.is_some() => return Err(AgentRefusal::AlreadyRegistered),
            AgentCommand::Register { name, description, owner } => {
                let most = DESCRIPTION_CHARACTERS_MAX;
                if description.chars().count() > most || owner.chars().count() > most {
                    return Err(AgentRefusal::InvalidText);
                }
                let (name, description, owner) = (name.clone(), description.clone(), owner.clone());
                Some(AgentEvent::AgentRegistered { name, description, owner })
            }
            AgentCommand::Retire if self.retired => None,
            _ => {
                self.check_open()?;
                match command {
                    AgentCommand::Publish { record } => self.published(record)?,
                    AgentCommand::Configure { config } => self.configured(config)?,
                    AgentCommand::Deprecate { reason, replacement } => {
                        let reason = reason_of(reason)?;
                        let deprecated = Some((reason.clone(), replacement.clone()));
                        let event = AgentEvent::AgentDeprecated { reason, replacement: replacement.clone() };
                        (self.deprecated != deprecated).then_some(event)
                    }
                    AgentCommand::Register { .. } | AgentCommand::Retire => Some(AgentEvent::AgentRetired {}),
                }
            }
        };
        Ok(event.into_iter().collect())
    }
}

fn reason_of(reason: &str) -> Result<String, AgentRefusal> {
    let reason = reason.trim();
    let characters = reason.chars().take(REASON_CHARACTERS_MAX + 1).count();
    if characters == 0 || characters > REASON_CHARACTERS_MAX {
        return Err(AgentRefusal::InvalidText);
    }
    Ok(reason.to_owned())
}
