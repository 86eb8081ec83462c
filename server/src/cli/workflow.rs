//! `timeloom workflow`: import, check, replace-service-nodes, list, move, export, run, publish, activate, deactivate, rollout,
//! listen, archive, unarchive.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::rollout::RolloutVerb;
use super::run::RunArguments;
use super::test_case::TestsVerb;
use super::{Access, Failure, draft, output, service_nodes};
use crate::config::Config;

const LIST: &str = "query($first: Int!, $after: String) { workflows(first: $first, after: $after) {
  nodes { id name folder nodeCount publishedVersion activeVersion archived } pageInfo { hasNextPage endCursor } } }";
const PUBLISH: &str = "mutation($input: PublishWorkflowInput!) { payload: publishWorkflow(input: $input) {
  workflowId position revision errors { code message ... on Refused { problems { node field message } } }
  workflow { publishedVersion activeVersion } } }";
const ACTIVATE: &str = "mutation($input: ActivateWorkflowInput!) { payload: activateWorkflow(input: $input) {
  workflowId position revision errors { code message ... on Refused { problems { node field message } } }
  workflow { activeVersion webhooks { node methods url } } } }";
const DEACTIVATE: &str = "mutation($input: WorkflowInput!) { payload: deactivateWorkflow(input: $input) {
  workflowId position revision errors { code message ... on Refused { problems { node field message } } } } }";
const LISTEN: &str = "mutation($input: WorkflowInput!) { payload: listenForTestWebhook(input: $input) {
  workflowId position revision errors { code message ... on Refused { problems { node field message } } }
  workflow { webhooks(draft: true) { node methods testUrl } } } }";
const MOVE: &str = "mutation($input: MoveWorkflowInput!) { payload: moveWorkflow(input: $input) {
  workflowId position revision errors { code message } workflow { folder } } }";
const ARCHIVE: &str = "mutation($input: WorkflowInput!) { payload: archiveWorkflow(input: $input) {
  workflowId position revision errors { code message } } }";
const UNARCHIVE: &str = "mutation($input: WorkflowInput!) { payload: unarchiveWorkflow(input: $input) {
  workflowId position revision errors { code message } } }";
const STATE: &str = "query($id: ID!) { stateAt(entity: { kind: WORKFLOW, id: $id }) { state position revision } }";

#[derive(Debug, Subcommand)]
pub enum WorkflowVerb {
    /// Take a workflow file in (n8n's export format)
    Import {
        /// The file; `-` reads standard input.
        file: PathBuf,
        /// The workflow whose draft to replace; without it a new workflow is made.
        #[arg(long)]
        id: Option<Uuid>,
        /// Put HTTP Requests in place of services' nodes that this build lacks, where it knows what they send.
        #[arg(long)]
        replace_service_nodes: bool,
        #[command(flatten)]
        access: Access,
    },
    /// Tell what a draft or a file lacks, without changing anything
    Check {
        /// Its id, or a file; `-` reads standard input.
        workflow: String,
        #[command(flatten)]
        access: Access,
    },
    /// Put HTTP Requests in place of the draft's nodes of services that this build lacks
    ReplaceServiceNodes {
        /// Its id.
        id: Uuid,
        /// Name of a node to replace, several times for several; all that can be when absent.
        #[arg(long = "node")]
        nodes: Vec<String>,
        #[command(flatten)]
        access: Access,
    },
    /// List the workflows
    List {
        #[command(flatten)]
        access: Access,
    },
    /// Put a workflow into a folder, or out of all
    Move {
        /// Its id.
        id: Uuid,
        /// Names of folders with '/' between them, such as 'Billing/Reminders'; '' for none.
        folder: String,
        /// Why, for those who read its history.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Print a workflow as a file
    Export {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        access: Access,
    },
    /// Run a workflow file and print what every node gave
    Run(RunArguments),
    /// Make the draft a version; of an active workflow it is the active one from then on
    Publish {
        /// Its id.
        id: Uuid,
        /// Leave active what is, so that this version can be rolled out beside it.
        #[arg(long)]
        keep_active: bool,
        /// Only where so many of its last executions, and its test cases, do the same under the draft; 0 for test cases alone.
        #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=1_000))]
        replay_last: Option<u32>,
        /// How many of these may differ, together.
        #[arg(long, value_name = "COUNT", default_value_t = 0, requires = "replay_last")]
        max_differ: u32,
        /// Why, for those who read its history.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Let a published version take calls and schedules
    #[command(disable_version_flag = true)]
    Activate {
        /// Its id.
        id: Uuid,
        /// The version; the newest when absent.
        #[arg(long)]
        version: Option<u32>,
        /// Why, for those who read its history.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Let a version run for a part of the calls and schedules, until it is promoted or rolled back
    #[command(subcommand)]
    Rollout(RolloutVerb),
    /// Test cases that new versions are held against: executions that were recorded in capsules
    #[command(subcommand)]
    Tests(TestsVerb),
    /// Let a workflow take no calls and schedules any more
    Deactivate {
        /// Its id.
        id: Uuid,
        /// Why, for those who read its history.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Put a workflow away: it takes no more changes and starts no more executions
    Archive {
        /// Its id.
        id: Uuid,
        /// Why, for those who read its history.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Take a workflow out again that was put away
    Unarchive {
        /// Its id.
        id: Uuid,
        /// Why, for those who read its history.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Let the draft take one call at its test address, or one message of its triggers, for two minutes
    Listen {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        access: Access,
    },
}

impl WorkflowVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Import { file, id, replace_service_nodes, access } => {
                service_nodes::import(&file, id, replace_service_nodes, &access, config).await
            }
            Self::Check { workflow, access } => draft::check(&workflow, &access, config).await,
            Self::ReplaceServiceNodes { id, nodes, access } => {
                service_nodes::replace(id, &nodes, &access, config).await
            }
            Self::List { access } => list(&access, config).await,
            Self::Move { id, folder, reason, access } => {
                let input = json!({ "workflowId": id, "folder": folder, "reason": reason });
                let payload = change(MOVE, input, &access, config).await?;
                let folder = output::text(&payload, "/workflow/folder");
                tell(&access, &payload, || match folder.is_empty() {
                    true => "it lies in no folder".to_owned(),
                    false => format!("it lies in {folder}"),
                });
                Ok(())
            }
            Self::Export { id, access } => export(id, &access, config).await,
            Self::Run(arguments) => arguments.run(config).await,
            Self::Publish { id, keep_active, replay_last, max_differ, reason, access } => {
                let gate = replay_last.map(|last| json!({ "last": last, "maxDiffer": max_differ }));
                let input =
                    json!({ "workflowId": id, "keepActive": keep_active, "replayGate": gate, "reason": reason });
                let payload = publish(input, &access, config).await?;
                let versions = ["/workflow/publishedVersion", "/workflow/activeVersion"];
                let [published, active] = versions.map(|path| output::text(&payload, path));
                tell(&access, &payload, || match active == published {
                    true => format!("published version {published}, which is active"),
                    false if keep_active && active != "-" => {
                        format!("published version {published} beside version {active}, which stays the active one")
                    }
                    false => {
                        format!("published version {published}: `timeloom workflow activate {id}` lets it take calls")
                    }
                });
                Ok(())
            }
            Self::Activate { id, version, reason, access } => {
                let input = json!({ "workflowId": id, "version": version, "reason": reason });
                let payload = change(ACTIVATE, input, &access, config).await?;
                let version = output::text(&payload, "/workflow/activeVersion");
                tell(&access, &payload, || format!("version {version} is active{}", webhooks(&payload, "/url")));
                Ok(())
            }
            Self::Rollout(verb) => verb.run(config).await,
            Self::Tests(verb) => verb.run(config).await,
            Self::Deactivate { id, reason, access } => {
                let input = json!({ "workflowId": id, "reason": reason });
                let payload = change(DEACTIVATE, input, &access, config).await?;
                tell(&access, &payload, || format!("workflow {id} takes no calls and schedules any more"));
                Ok(())
            }
            Self::Archive { id, reason, access } => {
                let input = json!({ "workflowId": id, "reason": reason });
                let payload = change(ARCHIVE, input, &access, config).await?;
                tell(&access, &payload, || format!("workflow {id} is put away"));
                Ok(())
            }
            Self::Unarchive { id, reason, access } => {
                let input = json!({ "workflowId": id, "reason": reason });
                let payload = change(UNARCHIVE, input, &access, config).await?;
                tell(&access, &payload, || format!("workflow {id} is taken out again: none of its versions is active"));
                Ok(())
            }
            Self::Listen { id, access } => listen(id, &access, config).await,
        }
    }
}

/// Lets the draft take one call or message.
async fn listen(id: Uuid, access: &Access, config: &Config) -> Result<(), Failure> {
    let payload = change(LISTEN, json!({ "workflowId": id }), access, config).await?;
    let addresses = webhooks(&payload, "/testUrl");
    tell(access, &payload, || format!("the draft takes one call or message within two minutes{addresses}"));
    Ok(())
}

/// Publishes, where the gate lets it.
async fn publish(input: Value, access: &Access, config: &Config) -> Result<Value, Failure> {
    let client = Client::open(access, config).await?;
    if input.get("replayGate").is_some_and(|gate| !gate.is_null()) {
        client.do_replays();
    }
    let result = client.change_with("payload", PUBLISH, json!({ "input": input }), access.json).await;
    client.close().await;
    result
}

/// Sends a mutation whose payload is named `payload`.
async fn change(mutation: &str, input: Value, access: &Access, config: &Config) -> Result<Value, Failure> {
    let client = Client::open(access, config).await?;
    let result = client.change("payload", mutation, input, access.json).await;
    client.close().await;
    result
}

fn tell(access: &Access, payload: &Value, text: impl FnOnce() -> String) {
    if access.json {
        output::json(payload);
    } else {
        output::line(&text());
    }
}

/// The webhooks of a payload, one a line.
fn webhooks(payload: &Value, address: &str) -> String {
    let webhooks = payload.pointer("/workflow/webhooks").and_then(Value::as_array).cloned().unwrap_or_default();
    let line = |webhook: &Value| {
        let methods = webhook.get("methods").and_then(Value::as_array).cloned().unwrap_or_default();
        let methods: Vec<&str> = methods.iter().filter_map(Value::as_str).collect();
        format!("\n  {} {}", methods.join(", "), output::text(webhook, address))
    };
    webhooks.iter().map(line).collect()
}

/// Largest file that is read, in bytes: what is larger is refused before it fills the memory.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The text of a file, or of standard input.
///
/// # Errors
/// When it cannot be read or is too large.
pub fn read_file(file: &Path) -> anyhow::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut text = Vec::new();
    let named = || format!("{} cannot be read", file.display());
    let source: Box<dyn std::io::Read> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file).with_context(named)?)
    };
    source.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).with_context(named)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        anyhow::bail!("{} has more than {FILE_BYTES_MAX} bytes: a workflow file is at most 16 MiB", file.display());
    }
    Ok(text)
}

/// Every entry of a list, page by page.
///
/// # Errors
/// When a page cannot be read.
pub async fn all_pages(client: &Client, query: &str, field: &str, mut variables: Value) -> anyhow::Result<Vec<Value>> {
    let mut nodes = Vec::new();
    loop {
        let data = client.ask(query, variables.clone()).await?;
        let list = data.get(field).cloned().unwrap_or_default();
        nodes.extend(list.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default());
        if list.pointer("/pageInfo/hasNextPage") != Some(&Value::Bool(true)) {
            return Ok(nodes);
        }
        variables["after"] = list.pointer("/pageInfo/endCursor").cloned().unwrap_or_default();
    }
}

async fn list(access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let workflows = all_pages(&client, LIST, "workflows", json!({ "first": 100 })).await;
    client.close().await;
    let workflows = workflows?;
    if access.json {
        output::json(&Value::Array(workflows));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = workflows
        .iter()
        .map(|workflow| {
            ["/id", "/name", "/folder", "/nodeCount", "/publishedVersion", "/activeVersion", "/archived"]
                .map(|path| output::text(workflow, path))
                .to_vec()
        })
        .collect();
    output::table(&["ID", "NAME", "FOLDER", "NODES", "VERSION", "ACTIVE", "ARCHIVED"], &rows);
    Ok(())
}

async fn export(id: Uuid, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let data = client.ask(STATE, json!({ "id": id })).await;
    client.close().await;
    let data = data?;
    match data.pointer("/stateAt/state/draft") {
        Some(draft) if !draft.is_null() => {
            let text = if access.json { draft.to_string() } else { serde_json::to_string_pretty(draft)? };
            output::line(&text);
            Ok(())
        }
        _ => {
            output::error(&format!("there is no workflow {id}: `timeloom workflow list` shows those that are"));
            Err(Failure::Refused)
        }
    }
}
