//! Local File Trigger: starts an execution when a file or folder below the operator's folder comes, changes or goes.
//!
//! It looks at the folder every second and compares. Never opens a file, never follows a link, never leaves the folder.
//! Invariant: what changed while no process looked is told by the first look after it, as far as it is remembered.

mod compare;
mod look;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::{Node, Problem};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, Listen, Listening, Message, NodeError, NodeType};
use timeloom_nodes::describe::{TRIGGER, choice, collection, is, numbered, options, palette, several, switch, text};
use timeloom_nodes::values::has_expression;

use self::compare::{Change, ChangeKind, Known};
use self::look::Watched;

/// How often it is looked.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "triggerOn",
        &[choice("file", "Changes to a specific file"), choice("folder", "Changes involving a specific folder")],
        "What is watched.",
    )
    .called("Trigger on")
    .needed(),
    text("path", "The file or folder, below the folder that the operator named.").like("inbox").needed(),
    several(
        "events",
        &[
            choice("add", "File added"),
            choice("change", "File changed"),
            choice("unlink", "File deleted"),
            choice("addDir", "Folder added"),
            choice("unlinkDir", "Folder deleted"),
        ],
        "What is told of a folder.",
    )
    .called("Watch for")
    .when(&[is("triggerOn", &["folder"])]),
    collection(
        "options",
        &[
            switch("awaitWriteFinish", "Whether a file is told only when it has not changed between two looks.")
                .called("Await write finish")
                .or_false(),
            options(
                "depth",
                &[
                    numbered(-1.0, "Unlimited"),
                    numbered(0.0, "Top folder only"),
                    numbered(1.0, "1 level down"),
                    numbered(2.0, "2 levels down"),
                    numbered(3.0, "3 levels down"),
                    numbered(4.0, "4 levels down"),
                    numbered(5.0, "5 levels down"),
                ],
                "How far down it is looked.",
            )
            .called("Max folder depth")
            .or_number(-1.0),
            switch("followSymlinks", "Links are never followed: changes nothing here.")
                .called("Include linked files/folders"),
            text("ignored", "Paths that are left out: * stands for anything but /, ** for anything.").like("**/*.tmp"),
            switch("ignoreInitial", "Whether what is there at the first look is left out.")
                .called("Ignore existing files/folders")
                .or_true(),
            switch("usePolling", "It always looks again and again: changes nothing here.").called("Use polling"),
        ],
        "What else to decide.",
    ),
];

/// Local File Trigger.
pub(super) struct LocalFileTrigger {
    root: Option<PathBuf>,
}

impl LocalFileTrigger {
    pub(super) fn new(root: Option<PathBuf>) -> Self {
        Self { root }
    }
}

impl NodeType for LocalFileTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.localFileTrigger",
            display_name: "Local File Trigger",
            description: "Starts an execution when a file or folder comes, changes or goes.",
            versions: &[1.0],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Triggers, "folder", &["watch", "inbox", "file system"]),
            ..NodeDefinition::BLANK
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        let problem = |field: &str, message: &str| Problem {
            node: Some(node.name.clone()),
            field: field.to_owned(),
            message: message.to_owned(),
        };
        let mut problems = Vec::new();
        if self.root.is_none() {
            problems.push(problem("type", look::NO_ROOT));
        }
        if node.parameters.get("path").is_some_and(has_expression) {
            problems
                .push(problem("parameters.path", "it is an expression: write the path out, a trigger has no items"));
        }
        problems
    }

    fn listens(&self) -> Option<&dyn Listen> {
        Some(self)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

#[async_trait]
impl Listen for LocalFileTrigger {
    fn place(&self, node: &Node) -> Value {
        json!([node.parameters.get("triggerOn"), node.parameters.get("path")])
    }

    async fn listen(&self, listening: &mut Listening) -> Result<(), NodeError> {
        let watched = Arc::new(Watched::of(self.root.as_deref(), listening)?);
        let kinds = kinds(listening);
        let waits = listening.boolean("options.awaitWriteFinish", false);
        let tells_first = !listening.boolean("options.ignoreInitial", true) && !listening.is_test;
        let mut known = Known::of_cursor(listening.cursor.as_ref());
        if known.is_none() && tells_first {
            known = Some(Known::default());
        }
        loop {
            let looking = Arc::clone(&watched);
            let found = tokio::task::spawn_blocking(move || looking.look()).await;
            let found =
                found.map_err(|error| NodeError::operation(format!("the folder cannot be looked at: {error}")))??;
            match &mut known {
                None => {
                    // Written down first: after a death, what came in between would pass for what was there before.
                    let begun = Known::at_first(found);
                    listening.settle(begun.to_cursor(listening.now_ms())).await?;
                    listening.opened().await?;
                    known = Some(begun);
                }
                Some(known) => {
                    listening.opened().await?;
                    let changes = known.changes(found, waits);
                    let has_changed = !changes.is_empty();
                    for change in changes {
                        if kinds.contains(&change.kind) {
                            listening.take(message(&watched, &change)).await?;
                        }
                        known.take(&change);
                    }
                    if has_changed {
                        listening.advance(known.to_cursor(listening.now_ms()));
                    }
                }
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}

/// What is told.
fn kinds(listening: &Listening) -> Vec<ChangeKind> {
    if listening.text("triggerOn", "file") == "file" {
        return vec![ChangeKind::Change];
    }
    let named = listening.parameter("events").and_then(Value::as_array).into_iter().flatten();
    named.filter_map(Value::as_str).filter_map(ChangeKind::of).collect()
}

fn message(watched: &Watched, change: &Change) -> Message {
    let path = watched.shown(&change.path);
    let position = format!("{}/{}/{}", change.kind.word(), change.name, change.key);
    let fields = [("event".to_owned(), json!(change.kind.word())), ("path".to_owned(), json!(path))];
    Message { position: Some(position), bytes: path.len(), items: vec![Item::new(JsonObject::from_iter(fields))] }
}
