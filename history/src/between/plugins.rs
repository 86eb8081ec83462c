//! What plugins could have done between two executions: which node types of theirs are switched on, and which version of a plugin
//! workflows could use before and after each of its events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use timeloom_domain::definition::WorkflowDefinition;
use timeloom_domain::event::Aggregate as _;
use timeloom_domain::plugin::{Plugin, PluginEvent, package_of};
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{Direction, RecordedEvent, Revision, StreamKey, codec};

use crate::error::HistoryError;
use crate::fold::FOLD_EVENTS_MAX;
use crate::past::Past;

/// Node types that one change of a plugin tells.
pub const NODE_TYPES_MAX: usize = 100;
/// Characters of a version that are told.
const VERSION_CHARACTERS_MAX: usize = 100;

/// What an event changed about which version of a plugin workflows may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginChange {
    /// The version that workflows could use before it; `None` where that was none.
    pub from: Option<String>,
    /// The version that they can use after it.
    pub to: Option<String>,
    /// The plugin's node types that a definition between the two executions has switched on, in order, at most
    /// [`NODE_TYPES_MAX`].
    pub node_types: Vec<String>,
}

impl PluginChange {
    /// In a few words, where it changes the version that workflows may use.
    pub(super) fn in_words(&self, plugin: &str) -> Option<String> {
        let word = |version: &Option<String>| version.clone().unwrap_or_else(|| "no version".to_owned());
        (self.from != self.to).then(|| format!("plugin {plugin} {} -> {}", word(&self.from), word(&self.to)))
    }
}

/// The node types that definitions have switched on.
#[derive(Debug, Default)]
pub(super) struct Used(BTreeSet<String>);

impl Used {
    /// Takes in those of one more definition.
    pub(super) fn add(&mut self, definition: &WorkflowDefinition) {
        let switched_on = definition.nodes.iter().filter(|node| !node.disabled);
        self.0.extend(switched_on.map(|node| node.node_type.clone()));
    }

    /// Those of a plugin.
    fn of(&self, plugin: &str) -> Vec<String> {
        let its = self.0.iter().filter(|node_type| package_of(node_type) == Some(plugin));
        its.take(NODE_TYPES_MAX).cloned().collect()
    }
}

/// The plugins that were changed, as they are after the events that were taken in.
#[derive(Debug)]
pub(super) struct Plugins<'u> {
    used: &'u Used,
    known: BTreeMap<Arc<str>, Plugin>,
}

impl<'u> Plugins<'u> {
    pub(super) fn new(used: &'u Used) -> Self {
        Self { used, known: BTreeMap::new() }
    }

    /// Takes in an event of a plugin, of which those before it are read where it is the first that is seen. `None` where it
    /// cannot be told what it did, as when a later build wrote it, and the plugin has no node type in these definitions.
    pub(super) async fn take(
        &mut self,
        past: Past<'_>,
        recorded: &RecordedEvent,
    ) -> Result<Option<PluginChange>, HistoryError> {
        match self.changed(past, recorded).await {
            Ok(change) => Ok(Some(change)),
            Err(error @ HistoryError::Log(_)) => Err(error),
            Err(_) if self.used.of(&recorded.stream.id).is_empty() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn changed(&mut self, past: Past<'_>, recorded: &RecordedEvent) -> Result<PluginChange, HistoryError> {
        let id = &recorded.stream.id;
        let mut plugin = match self.known.remove(id) {
            Some(known) => known,
            None => before(past, &recorded.stream, recorded.revision).await?,
        };
        let version = |plugin: &Plugin| plugin.enabled_version.as_deref().map(short);
        let from = version(&plugin);
        plugin.apply(&codec::decode::<PluginEvent>(recorded)?);
        let to = version(&plugin);
        self.known.insert(Arc::clone(id), plugin);
        Ok(PluginChange { from, to, node_types: self.used.of(id) })
    }
}

/// A plugin as it was before the event at a revision of its stream.
async fn before(past: Past<'_>, stream: &StreamKey, revision: Revision) -> Result<Plugin, HistoryError> {
    let (mut plugin, mut after) = (Plugin::default(), Revision(0));
    if revision.0 > FOLD_EVENTS_MAX {
        return Err(HistoryError::TooManyEvents);
    }
    while after.0 + 1 < revision.0 {
        let limit = usize::try_from(revision.0 - 1 - after.0).unwrap_or(READ_EVENTS_MAX).min(READ_EVENTS_MAX);
        let page = past.log.read_stream(stream, after, Direction::Forward, limit).await?;
        let Some(last) = page.last() else { break };
        after = last.revision;
        for recorded in &page {
            plugin.apply(&codec::decode::<PluginEvent>(recorded)?);
        }
    }
    Ok(plugin)
}

/// Versions are written as their authors like.
fn short(version: &str) -> String {
    version.chars().take(VERSION_CHARACTERS_MAX).collect()
}
