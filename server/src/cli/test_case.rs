//! Test cases of workflows: capsules that a server or data folder keeps, to hold every new definition against them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use serde_json::{Value, json};
use timeloom_domain::ids::{ExecutionId, TenantId};
use timeloom_domain::test_case::CASE_BYTES_MAX;
use timeloom_history::capsule::CapsuleLog;
use timeloom_verify::capsule::Capsule;
use uuid::Uuid;

use super::client::Client;
use super::log::refused;
use super::{Access, Failure, capsule, output};
use crate::config::Config;

const ADD: &str = "mutation($input: AddWorkflowTestCaseInput!) { payload: addWorkflowTestCase(input: $input) {
  position errors { code message } testCase { id name executionId eventCount sealedEventCount signedBy } } }";
const LIST: &str = "query($workflow: UUID!) { workflowTestCases(workflowId: $workflow) {
  id name executionId bytes eventCount sealedEventCount logId signedBy addedAt addedBy } }";
const REMOVE: &str = "mutation($input: RemoveWorkflowTestCaseInput!) { payload: removeWorkflowTestCase(input: $input) {
  position errors { code message } } }";

/// The test cases of a workflow.
#[derive(Debug, Subcommand)]
pub enum TestsVerb {
    /// List the test cases of a workflow; `timeloom capsule import FILE --as-test` adds one
    List {
        /// Id of the workflow.
        id: Uuid,
        #[command(flatten)]
        access: Access,
    },
    /// Remove a test case of a workflow
    Remove {
        /// Id of the workflow.
        id: Uuid,
        /// The name of the case, or its id.
        case: String,
        #[command(flatten)]
        access: Access,
    },
}

impl TestsVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::List { id, access } => list(id, &access, config).await,
            Self::Remove { id, case, access } => remove(id, &case, &access, config).await,
        }
    }
}

/// A capsule that is to become a test case.
pub(super) struct Import {
    pub(super) file: PathBuf,
    /// What the case is called; by the file when absent.
    pub(super) name: Option<String>,
    /// Keys that are believed besides those of the log that it goes into: a key or a file of them each.
    pub(super) keys: Vec<String>,
}

impl Import {
    pub(super) async fn run(self, access: &Access, config: &Config) -> Result<(), Failure> {
        // Read here as well: what is wrong with it is told without a server.
        let capsule = capsule::read(&self.file)?;
        let workflow_id = workflow_of(&capsule, &self.file)?;
        let content = std::fs::read(&self.file).with_context(|| format!("{} cannot be read", self.file.display()))?;
        if content.len() > CASE_BYTES_MAX {
            return Err(refused(&format!(
                "{} has {} bytes, and the capsule of a test case has at most {CASE_BYTES_MAX}: make it with \
                 --attachments-max-mib 0",
                self.file.display(),
                content.len()
            )));
        }
        let keys = timeloom_verify::cli::keys(&self.keys).map_err(|message| refused(&message))?;
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let name = self.name.unwrap_or_else(|| named_after(&self.file));
        let input =
            json!({ "workflowId": workflow_id, "name": name, "capsule": STANDARD.encode(content), "keys": keys });
        let client = Client::open(access, config).await?;
        let result = client.change("payload", ADD, input, access.json).await;
        client.close().await;
        let payload = result?;
        let case = payload.get("testCase").cloned().unwrap_or_default();
        if access.json {
            output::json(&case);
            return Ok(());
        }
        let [id, name] = ["/id", "/name"].map(|path| output::text(&case, path));
        output::line(&format!("'{name}' is a test case of workflow {workflow_id} ({id})"));
        if case.get("sealedEventCount").and_then(Value::as_u64).is_some_and(|sealed| sealed > 0) {
            output::notice(
                "some of its data is sealed: what follows from that cannot be judged, and counts as no failure",
            );
        }
        output::line(&format!("run it: timeloom replay --workflow {workflow_id} --last 0 --tests --against draft"));
        Ok(())
    }
}

/// The workflow whose execution a capsule has.
fn workflow_of(capsule: &Capsule, file: &Path) -> Result<Uuid, Failure> {
    let manifest = capsule.manifest();
    let log = CapsuleLog::open(capsule).context("the capsule cannot be read")?;
    let beginning = log.beginning(TenantId(manifest.tenant), ExecutionId(manifest.execution));
    match beginning.context("the capsule cannot be read")? {
        Some((_, start)) => Ok(start.workflow_id.0),
        None => Err(refused(&format!("{}: its execution does not begin in it", file.display()))),
    }
}

fn named_after(file: &Path) -> String {
    file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

async fn list(id: Uuid, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let cases = cases(&client, id).await;
    client.close().await;
    let cases = cases?;
    if access.json {
        output::json(&json!(cases));
        return Ok(());
    }
    let row = |case: &Value| {
        ["/name", "/id", "/executionId", "/eventCount", "/sealedEventCount", "/addedAt"]
            .map(|path| output::text(case, path))
            .to_vec()
    };
    let rows: Vec<Vec<String>> = cases.iter().map(row).collect();
    output::table(&["NAME", "ID", "EXECUTION", "EVENTS", "SEALED", "ADDED"], &rows);
    Ok(())
}

async fn cases(client: &Client, id: Uuid) -> Result<Vec<Value>, Failure> {
    let data = client.ask(LIST, json!({ "workflow": id })).await?;
    Ok(data.get("workflowTestCases").and_then(Value::as_array).cloned().unwrap_or_default())
}

async fn remove(id: Uuid, case: &str, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let result = removed(&client, id, case, access.json).await;
    client.close().await;
    let payload = result?;
    if access.json {
        output::json(&payload);
    } else {
        output::line(&format!("'{case}' is no test case of workflow {id} any more"));
    }
    Ok(())
}

async fn removed(client: &Client, id: Uuid, case: &str, as_json: bool) -> Result<Value, Failure> {
    let cases = cases(client, id).await?;
    let is_it = |one: &&Value| output::text(one, "/name") == case || output::text(one, "/id") == case;
    let Some(found) = cases.iter().find(is_it) else {
        let message = format!(
            "workflow {id} has no test case '{case}': `timeloom workflow tests list {id}` shows those that it has"
        );
        return Err(refused(&message));
    };
    let input = json!({ "workflowId": id, "testCaseId": found.get("id") });
    client.change("payload", REMOVE, input, as_json).await
}
