//! Running a workflow: the version that is active, as a trigger would.

use serde_json::{Value, json};

use super::{Effect, KEY, Tool, Way, changes, key, reads};
use crate::api::Api;
use crate::arguments::Arguments;
use crate::outcome::{Answer, Refusal, ask, fields, payload_of};
use crate::schema::{gives, id, of_kind, takes, text, whole};

const ACTIVE: &str = "query($id: UUID!) { workflow(id: $id) { activeVersion } }";
const START: &str = "mutation($input: StartExecutionInput!) { startExecution(input: $input) {
  executionId workflowVersion status timedOut failure position repeated
  errors { code message ... on Refused { problems { node field message } } } } }";

/// Most items of a run.
const ITEMS_MAX: usize = 1_000;
/// Longest wait for the end of a run, in milliseconds.
const WAIT_MS_MAX: u64 = 50_000;
/// The wait when nothing is said, in milliseconds.
const WAIT_MS: u64 = 20_000;

pub(super) static RUN: Tool = Tool {
    name: "run_workflow",
    title: "Run a workflow",
    description: "Runs the version of a workflow that is active (or the one that is rolled out beside it, for its part), with these items, and waits for its end for a while. A workflow without an active version is not run: somebody publishes and activates it first. What it does is real: it may send, write and delete whatever it was built for. When the time is up the execution goes on, and get_execution tells what became of it.",
    effect: Effect::Runs,
    input: || {
        takes(
            &["workflowId"],
            json!({
                "workflowId": id("The workflow."),
                "items": {
                    "type": "array", "items": { "type": "object" }, "maxItems": ITEMS_MAX,
                    "description": "The items that it begins with: objects, as {\"json\": {…}} or bare. One empty item when absent.",
                },
                "startNode": text("Name of the node with which it begins; its trigger when absent.", 200),
                "subject": text("Whom the data of the run is about, by which it can be erased.", 200),
                "waitMs": whole("How long to wait for its end, in milliseconds; 0 does not wait, 20,000 when absent.", 0, WAIT_MS_MAX),
                (KEY): key(),
            }),
        )
    },
    output: || {
        let properties = json!({
            "executionId": of_kind("string"), "version": of_kind("integer"), "status": of_kind("string?"),
            "timedOut": of_kind("boolean"), "failure": of_kind("any"), "position": of_kind("string?"),
            "repeated": of_kind("boolean"),
        });
        gives(&["executionId", "version", "status", "timedOut", "repeated"], properties)
    },
    cuttable: &["/failure"],
    way: Way::Runs,
};

/// Runs the version that is active.
pub(super) async fn run(api: &dyn Api, arguments: &Arguments) -> Result<Answer, Refusal> {
    let found = ask(api, reads(ACTIVE, json!({ "id": arguments.value("workflowId") }))).await?;
    let workflow = found.get("workflow").filter(|workflow| !workflow.is_null());
    let workflow = workflow.ok_or_else(|| Refusal::not_found("workflow"))?;
    let active = workflow.get("activeVersion").and_then(Value::as_u64).ok_or_else(|| {
        let message = "no version of this workflow is active: publish and activate one, then run it";
        Refusal::new("NOT_ACTIVE", message)
    })?;
    let wait_ms = arguments.whole("waitMs", WAIT_MS);
    let mut input = arguments.only(&["workflowId", "items", "startNode", "subject"]);
    input.insert("mode".to_owned(), json!("PRODUCTION"));
    input.insert("waitFor".to_owned(), json!(if wait_ms == 0 { "STARTED" } else { "COMPLETED" }));
    input.insert("timeoutMs".to_owned(), json!(wait_ms));
    let mut data = ask(api, changes(START, Value::Object(input), arguments)).await?;
    let mut body = fields(payload_of(&mut data, "startExecution")?);
    // While a version is rolled out beside the active one, it may be either.
    let version = body.remove("workflowVersion").and_then(|version| version.as_u64()).unwrap_or(active);
    body.insert("version".to_owned(), json!(version));
    let status = body.get("status").and_then(Value::as_str).unwrap_or("RUNNING");
    let is_repeated = body.get("repeated") == Some(&Value::Bool(true));
    let again = if is_repeated { ", which had been started before under this key" } else { "" };
    let summary = format!("an execution of version {version}{again}: {status}");
    Ok(Answer { body, summary })
}
