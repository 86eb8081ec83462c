//! The folded workflow, and its decisions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{WorkflowCommand, WorkflowEvent, WorkflowRefusal};
use crate::definition::WorkflowDefinition;
use crate::event::Aggregate;

/// A workflow as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    /// The draft; `None` before it came to be.
    pub draft: Option<Arc<WorkflowDefinition>>,
    /// Published versions, oldest first.
    pub versions: Vec<PublishedVersion>,
    /// Whether it was put away.
    pub archived: bool,
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

    fn existing(&self) -> Result<&WorkflowDefinition, WorkflowRefusal> {
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
    const FOLD_VERSION: u32 = 1;

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
            WorkflowEvent::WorkflowArchived {} => self.archived = true,
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
            WorkflowCommand::Publish => {
                let draft = self.existing()?;
                let newest = self.versions.last();
                if newest.is_some_and(|published| *published.definition == *draft) {
                    return Ok(Vec::new());
                }
                WorkflowEvent::WorkflowVersionPublished {
                    version: newest.map_or(1, |published| published.version.saturating_add(1)),
                }
            }
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
            WorkflowCommand::Archive => {
                if self.archived {
                    return Ok(Vec::new());
                }
                self.existing()?;
                WorkflowEvent::WorkflowArchived {}
            }
        };
        Ok(vec![event])
    }
}
