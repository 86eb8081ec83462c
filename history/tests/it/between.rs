//! What was changed between two executions: of plugins, which of the workflow's node types are theirs, and which version may be
//! used before and after.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::definition::WorkflowDefinition;
use timeloom_domain::ids::Slug;
use timeloom_domain::plugin::PluginEvent;
use timeloom_domain::workflow::WorkflowEvent;
use timeloom_history::{ChangeBetween, ChangedKind, PluginChange, changes_between};
use timeloom_store::MemoryLog;

use crate::runs::{self, WORKFLOW};
use crate::world::{log, stream, tell};

/// Puts these nodes into the place of the draft, by name, type and whether they are switched off.
async fn edit(log: &MemoryLog, nodes: &[(&str, &str, bool)]) -> u64 {
    let node = |(name, node_type, disabled): &(&str, &str, bool)| -> Value {
        json!({ "name": name, "type": node_type, "parameters": {}, "disabled": disabled })
    };
    let nodes: Vec<Value> = nodes.iter().map(node).collect();
    let definition: WorkflowDefinition = serde_json::from_value(json!({ "name": "Greet", "nodes": nodes })).unwrap();
    let event = WorkflowEvent::WorkflowUpdated { definition: Arc::new(definition) };
    tell(log, &stream("workflow", &WORKFLOW.to_string()), &event).await.revision.0
}

async fn plugin(log: &MemoryLog, name: &str, events: &[PluginEvent]) {
    for event in events {
        tell(log, &stream("plugin", name), event).await;
    }
}

fn registered(name: &str) -> PluginEvent {
    PluginEvent::PluginRegistered { name: Slug::try_new(name).unwrap(), description: String::new() }
}

fn added(version: &str) -> PluginEvent {
    PluginEvent::PluginVersionAdded { version: version.to_owned(), digest: "a".repeat(64) }
}

fn enabled(version: &str) -> PluginEvent {
    PluginEvent::PluginEnabled { version: version.to_owned() }
}

fn of_plugins(changes: &[ChangeBetween]) -> Vec<(&str, PluginChange)> {
    let told = changes.iter().filter(|change| change.kind == ChangedKind::Plugin);
    told.map(|change| (&*change.what, change.plugin.clone().unwrap())).collect()
}

fn from_to(from: Option<&str>, to: Option<&str>, node_types: &[&str]) -> PluginChange {
    let node_types = node_types.iter().map(|&node_type| node_type.to_owned()).collect();
    PluginChange { from: from.map(str::to_owned), to: to.map(str::to_owned), node_types }
}

#[tokio::test]
async fn a_change_of_a_plugin_tells_the_versions_and_which_of_its_node_types_are_switched_on() {
    let log = log();
    plugin(&log, "acme/mail", &[registered("acme/mail"), added("1.2.0"), enabled("1.2.0")]).await;
    runs::workflow(&log, "'Hello'").await;
    // What only a definition before the two runs has is no matter of theirs.
    edit(&log, &[("Old", "acme-old.send", false)]).await;
    let first = edit(&log, &[("Start", "n8n-nodes-base.manualTrigger", false)]).await;
    let earlier = runs::execution(&log, 1, first, "Ada", "Hello").await;
    plugin(&log, "acme/mail", &[added("1.3.0"), enabled("1.3.0")]).await;
    plugin(&log, "acme-old", &[registered("acme-old"), added("1"), enabled("1")]).await;
    edit(&log, &[("Mail", "@acme/mail.send", false), ("Off", "@acme/mail.read", true)]).await;
    plugin(&log, "acme/mail", &[PluginEvent::PluginDisabled { reason: "it leaks".to_owned() }]).await;
    let last = edit(&log, &[("Start", "n8n-nodes-base.manualTrigger", false)]).await;
    let later = runs::execution(&log, 2, last, "Ada", "Hello").await;
    plugin(&log, "acme/mail", &[enabled("1.2.0")]).await;

    let between = changes_between(&*log, &earlier, &later).await.unwrap();
    let mail: &[&str] = &["@acme/mail.send"];
    assert_eq!(
        of_plugins(&between.changes),
        [
            ("acme/mail: PluginVersionAdded", from_to(Some("1.2.0"), Some("1.2.0"), mail)),
            ("plugin acme/mail 1.2.0 -> 1.3.0", from_to(Some("1.2.0"), Some("1.3.0"), mail)),
            ("acme-old: PluginRegistered", from_to(None, None, &[])),
            ("acme-old: PluginVersionAdded", from_to(None, None, &[])),
            ("plugin acme-old no version -> 1", from_to(None, Some("1"), &[])),
            ("plugin acme/mail 1.3.0 -> no version", from_to(Some("1.3.0"), None, mail)),
        ]
    );
    let edits = between.changes.iter().filter(|change| change.kind == ChangedKind::Workflow);
    assert!(edits.map(|change| &change.plugin).all(Option::is_none));
}
