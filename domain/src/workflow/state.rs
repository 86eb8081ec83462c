//! The folded workflow, and its decisions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Folder, Rollout, WorkflowCommand, WorkflowEvent, WorkflowRefusal};
use crate::definition::{Node, WorkflowDefinition};
use crate::event::Aggregate;

/// A workflow as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    /// The draft; `None` before it came to be.
    pub draft: Option<Arc<WorkflowDefinition>>,
    /// Published versions, oldest first.
    pub versions: Vec<PublishedVersion>,
    /// The version that takes calls and schedules; `None` when none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_version: Option<u32>,
    /// Until when the draft takes a call at its test address, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_until_ms: Option<i64>,
    /// Where people keep it.
    #[serde(default, skip_serializing_if = "is_none")]
    pub folder: Folder,
    /// Whether it was put away.
    pub archived: bool,
    /// The version that a part of the production executions runs beside the active one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// How many roll-outs there were, the one under way included.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rollouts: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

fn is_none(folder: &Folder) -> bool {
    *folder == Folder::default()
}

/// One published version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishedVersion {
    /// 1 for the first.
    pub version: u32,
    /// What was published.
    pub definition: Arc<WorkflowDefinition>,
}

impl Workflow {
    /// The definition to run: a published version, or the draft when `version` is `None`.
    pub fn definition(&self, version: Option<u32>) -> Option<&Arc<WorkflowDefinition>> {
        match version {
            None => self.draft.as_ref(),
            Some(wanted) => {
                self.versions.iter().find(|published| published.version == wanted).map(|found| &found.definition)
            }
        }
    }

    pub(super) fn existing(&self) -> Result<&WorkflowDefinition, WorkflowRefusal> {
        let draft = self.draft.as_deref().ok_or(WorkflowRefusal::NotFound)?;
        if self.archived { Err(WorkflowRefusal::Archived) } else { Ok(draft) }
    }

    fn change_draft(&mut self, change: impl FnOnce(&mut WorkflowDefinition)) {
        if let Some(draft) = &mut self.draft {
            change(Arc::make_mut(draft));
        }
    }
}

impl Aggregate for Workflow {
    const FOLD_VERSION: u32 = 5;

    type Event = WorkflowEvent;
    type Command = WorkflowCommand;
    type Refusal = WorkflowRefusal;

    fn apply(&mut self, event: &WorkflowEvent) {
        match event {
            WorkflowEvent::WorkflowCreated { definition } | WorkflowEvent::WorkflowUpdated { definition } => {
                self.draft = Some(Arc::clone(definition));
            }
            WorkflowEvent::WorkflowVersionPublished { version } => {
                if let Some(definition) = self.draft.clone() {
                    self.versions.push(PublishedVersion { version: *version, definition });
                }
            }
            WorkflowEvent::WorkflowSettingsChanged { settings } => {
                self.change_draft(|draft| draft.settings = settings.clone());
            }
            WorkflowEvent::WorkflowPinsChanged { node, items } => self.change_draft(|draft| match items {
                Some(items) => {
                    draft.pin_data.insert(node.clone(), items.clone());
                }
                None => {
                    draft.pin_data.remove(node);
                }
            }),
            WorkflowEvent::WorkflowActivated { version } => {
                self.active_version = Some(*version);
                self.rollout = None;
            }
            WorkflowEvent::WorkflowDeactivated {} => {
                self.active_version = None;
                self.rollout = None;
            }
            WorkflowEvent::WorkflowTestListeningStarted { until_ms } => self.test_until_ms = Some(*until_ms),
            WorkflowEvent::WorkflowMoved { folder } => self.folder = folder.clone(),
            WorkflowEvent::WorkflowArchived {} => {
                self.archived = true;
                self.active_version = None;
                self.rollout = None;
                self.test_until_ms = None;
            }
            WorkflowEvent::WorkflowUnarchived {} => self.archived = false,
            WorkflowEvent::WorkflowRolloutStarted { .. }
            | WorkflowEvent::WorkflowRolloutChanged { .. }
            | WorkflowEvent::WorkflowRolloutPromoted { .. }
            | WorkflowEvent::WorkflowRolloutRolledBack { .. } => self.apply_to_rollout(event),
        }
    }

    fn decide(&self, command: &WorkflowCommand) -> Result<Vec<WorkflowEvent>, WorkflowRefusal> {
        let event = match command {
            WorkflowCommand::Create { definition } => {
                if self.draft.is_some() {
                    return Err(WorkflowRefusal::AlreadyExists);
                }
                WorkflowEvent::WorkflowCreated { definition: Arc::clone(definition) }
            }
            WorkflowCommand::Update { definition } => {
                if *self.existing()? == **definition {
                    return Ok(Vec::new());
                }
                WorkflowEvent::WorkflowUpdated { definition: Arc::clone(definition) }
            }
            WorkflowCommand::ReplaceNodes { replacements } => return self.decide_on_nodes(replacements),
            WorkflowCommand::Publish | WorkflowCommand::PublishBeside => return self.decide_on_publishing(command),
            WorkflowCommand::Activate { .. } | WorkflowCommand::Deactivate | WorkflowCommand::ListenForTest { .. } => {
                return self.decide_on_triggers(command);
            }
            WorkflowCommand::StartRollout { .. }
            | WorkflowCommand::ChangeRollout { .. }
            | WorkflowCommand::PromoteRollout
            | WorkflowCommand::RollBackRollout { .. } => return self.decide_on_rollout(command),
            WorkflowCommand::ChangeSettings { settings } => {
                if self.existing()?.settings == *settings {
                    return Ok(Vec::new());
                }
                WorkflowEvent::WorkflowSettingsChanged { settings: settings.clone() }
            }
            WorkflowCommand::ChangePins { node, items } => {
                let draft = self.existing()?;
                if !draft.nodes.iter().any(|candidate| candidate.name == *node) {
                    return Err(WorkflowRefusal::UnknownNode(node.clone()));
                }
                if draft.pin_data.get(node) == items.as_ref() {
                    return Ok(Vec::new());
                }
                WorkflowEvent::WorkflowPinsChanged { node: node.clone(), items: items.clone() }
            }
            WorkflowCommand::Move { folder } => {
                self.existing()?;
                if self.folder == *folder {
                    return Ok(Vec::new());
                }
                WorkflowEvent::WorkflowMoved { folder: folder.clone() }
            }
            WorkflowCommand::Archive | WorkflowCommand::Unarchive => {
                self.draft.as_ref().ok_or(WorkflowRefusal::NotFound)?;
                let archives = matches!(command, WorkflowCommand::Archive);
                if self.archived == archives {
                    return Ok(Vec::new());
                }
                if archives { WorkflowEvent::WorkflowArchived {} } else { WorkflowEvent::WorkflowUnarchived {} }
            }
        };
        Ok(vec![event])
    }
}

impl Workflow {
    /// Puts nodes in the place of others. One that has its replacement already is left as it is.
    fn decide_on_nodes(&self, replacements: &[(Node, Node)]) -> Result<Vec<WorkflowEvent>, WorkflowRefusal> {
        let draft = self.existing()?;
        let mut definition = draft.clone();
        for (was, new) in replacements {
            let present = draft.nodes.iter().find(|node| node.name == was.name);
            let present = present.ok_or_else(|| WorkflowRefusal::UnknownNode(was.name.clone()))?;
            if present != was && present != new {
                return Err(WorkflowRefusal::ChangedNode(was.name.clone()));
            }
            definition.replace_nodes([new]);
        }
        if definition == *draft {
            return Ok(Vec::new());
        }
        Ok(vec![WorkflowEvent::WorkflowUpdated { definition: Arc::new(definition) }])
    }

    /// Makes the draft a version.
    fn decide_on_publishing(&self, command: &WorkflowCommand) -> Result<Vec<WorkflowEvent>, WorkflowRefusal> {
        let draft = self.existing()?;
        let newest = self.versions.last();
        if newest.is_some_and(|published| *published.definition == *draft) {
            return Ok(Vec::new());
        }
        let version = newest.map_or(1, |published| published.version.saturating_add(1));
        let published = WorkflowEvent::WorkflowVersionPublished { version };
        // Where nobody asks for a roll-out, what is active is what was published last: no old version lives on unseen.
        let activates = self.active_version.is_some() && !matches!(command, WorkflowCommand::PublishBeside);
        match &self.rollout {
            Some(rollout) if activates => Err(WorkflowRefusal::RolloutUnderWay(rollout.version)),
            _ => {
                let activated = activates.then_some(WorkflowEvent::WorkflowActivated { version });
                Ok(std::iter::once(published).chain(activated).collect())
            }
        }
    }

    /// Whether its triggers are listened to.
    fn decide_on_triggers(&self, command: &WorkflowCommand) -> Result<Vec<WorkflowEvent>, WorkflowRefusal> {
        self.existing()?;
        let event = match command {
            WorkflowCommand::Activate { version } => {
                let newest = self.versions.last().ok_or(WorkflowRefusal::NotPublished)?.version;
                let version = version.unwrap_or(newest);
                if self.definition(Some(version)).is_none() {
                    return Err(WorkflowRefusal::UnknownVersion(version));
                }
                if self.active_version == Some(version) {
                    return Ok(Vec::new());
                }
                if let Some(rollout) = &self.rollout {
                    return Err(WorkflowRefusal::RolloutUnderWay(rollout.version));
                }
                WorkflowEvent::WorkflowActivated { version }
            }
            WorkflowCommand::Deactivate => {
                if self.active_version.is_none() {
                    return Ok(Vec::new());
                }
                WorkflowEvent::WorkflowDeactivated {}
            }
            WorkflowCommand::ListenForTest { until_ms } => {
                if self.test_until_ms == Some(*until_ms) {
                    return Ok(Vec::new());
                }
                WorkflowEvent::WorkflowTestListeningStarted { until_ms: *until_ms }
            }
            _ => return Ok(Vec::new()),
        };
        Ok(vec![event])
    }
}
