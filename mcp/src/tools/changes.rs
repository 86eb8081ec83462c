//! What can be done with executions: tried again, many of them at once, and stopped.

use serde_json::{Value, json};

use super::{Effect, KEY, Tool, Way, changes, key};
use crate::outcome::{Answer, fields, payload_of};
use crate::schema::{choice, entries, gives, id, of_kind, takes, text, whole};

const RETRY_DOCUMENT: &str = "mutation($input: RetryExecutionInput!) { retryExecution(input: $input) {
  executionId position repeated errors { code message ... on Refused { problems { node field message } } } } }";
const REDRIVE_DOCUMENT: &str = "mutation($input: RedriveExecutionsInput!) { redriveExecutions(input: $input) {
  retriedCount refusedCount hasMore position repeated redriven { executionId retriedAs error { code message } }
  errors { code message } } }";
const CANCEL_DOCUMENT: &str = "mutation($input: CancelExecutionInput!) { cancelExecution(input: $input) {
  executionId position repeated errors { code message } } }";

/// Most failures that one call tries again.
const REDRIVEN_MAX: u64 = 100;

/// What a retry runs, and where it begins.
fn how() -> [(&'static str, Value); 2] {
    let from = choice(
        "Where a retry begins: at the node that failed, when nothing is said, or at the trigger with the same items.",
        &["FAILED_NODE", "START"],
    );
    let version =
        choice("What a retry runs: what ran before, when nothing is said, or what would run now.", &["SAME", "NEWEST"]);
    [("from", from), ("version", version)]
}

/// These properties, and how a retry is done.
fn with_how(mut properties: Value) -> Value {
    for (name, schema) in how() {
        properties[name] = schema;
    }
    properties
}

pub(super) static RETRY: Tool = Tool {
    name: "retry_execution",
    title: "Try an execution again",
    description: "Tries an execution again that failed or was cancelled, as a new execution: from the node that failed, with what the nodes before it gave, or from the start. The new one is not waited for.",
    effect: Effect::Runs,
    input: || {
        takes(&["executionId"], with_how(json!({ "executionId": id("The execution that ended."), (KEY): key() })))
    },
    output: one_execution,
    cuttable: &[],
    way: Way::Asks {
        question: |arguments| {
            let input = arguments.only(&["executionId", "from", "version"]);
            Ok(changes(RETRY_DOCUMENT, Value::Object(input), arguments))
        },
        tell: |_, mut data| {
            let body = fields(payload_of(&mut data, "retryExecution")?);
            Ok(Answer { body, summary: "the execution is tried again, as the one with executionId".to_owned() })
        },
    },
};

pub(super) static REDRIVE: Tool = Tool {
    name: "redrive_executions",
    title: "Try failures again, many at once",
    description: "Tries failures of production runs again that nobody has looked after: of one workflow, of one cause (errorFingerprint), or all. The answer tells what became of each, and whether there are more.",
    effect: Effect::Runs,
    input: || {
        let properties = json!({
            "workflowId": id("Only failures of this workflow."),
            "errorFingerprint": text("Only failures of this cause.", 200),
            "limit": whole("How many at most; 100 when absent.", 1, REDRIVEN_MAX),
            (KEY): key(),
        });
        takes(&[], with_how(properties))
    },
    output: || {
        let redriven = [("executionId", "string"), ("retriedAs", "string?"), ("error", "object?")];
        let properties = json!({
            "retriedCount": of_kind("integer"), "refusedCount": of_kind("integer"), "hasMore": of_kind("boolean"),
            "position": of_kind("string?"), "repeated": of_kind("boolean"), "redriven": entries(&redriven),
        });
        gives(&["retriedCount", "refusedCount", "hasMore", "redriven"], properties)
    },
    cuttable: &[],
    way: Way::Asks {
        question: |arguments| {
            let mut input = arguments.only(&["from", "version"]);
            input.insert("limit".to_owned(), json!(arguments.whole("limit", REDRIVEN_MAX)));
            let filter = arguments.only(&["workflowId", "errorFingerprint"]);
            input.insert("filter".to_owned(), Value::Object(filter));
            Ok(changes(REDRIVE_DOCUMENT, Value::Object(input), arguments))
        },
        tell: |_, mut data| {
            let body = fields(payload_of(&mut data, "redriveExecutions")?);
            let count = |name: &str| body.get(name).and_then(Value::as_u64).unwrap_or_default();
            let summary = format!("{} tried again, {} refused", count("retriedCount"), count("refusedCount"));
            Ok(Answer { body, summary })
        },
    },
};

pub(super) static CANCEL: Tool = Tool {
    name: "cancel_execution",
    title: "Stop an execution",
    description: "Stops an execution: nothing of it begins after this. What had happened by then stays in the log.",
    effect: Effect::Ends,
    input: || {
        takes(
            &["executionId"],
            json!({
                "executionId": id("The execution."),
                "reason": text("Why, for those who read its history.", 500),
                (KEY): key(),
            }),
        )
    },
    output: one_execution,
    cuttable: &[],
    way: Way::Asks {
        question: |arguments| {
            let input = arguments.only(&["executionId", "reason"]);
            Ok(changes(CANCEL_DOCUMENT, Value::Object(input), arguments))
        },
        tell: |_, mut data| {
            let body = fields(payload_of(&mut data, "cancelExecution")?);
            Ok(Answer { body, summary: "the execution is stopped".to_owned() })
        },
    },
};

/// What a change of one execution answers.
fn one_execution() -> Value {
    let properties = json!({
        "executionId": of_kind("string?"), "position": of_kind("string?"), "repeated": of_kind("boolean"),
    });
    gives(&["executionId", "repeated"], properties)
}
