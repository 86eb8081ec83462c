//! Executions: found, and each with the runs of its nodes.

use serde_json::{Value, json};

use super::{Effect, Tool, Way, moment, reads};
use crate::outcome::{Answer, Refusal, counted, fields, page, take};
use crate::schema::{after, choice, entries, first, flag, gives, id, next_cursor, of_kind, takes, text, time};

const EXECUTIONS: &str = "query($first: Int, $after: String, $workflowId: UUID, $status: ExecutionStatus,
    $trigger: ExecutionTrigger, $unresolved: Boolean!, $errorFingerprint: String, $startedFrom: DateTime,
    $startedTo: DateTime, $text: String, $asOf: AsOf) {
  executions(first: $first, after: $after, workflowId: $workflowId, status: $status, trigger: $trigger,
      unresolved: $unresolved, errorFingerprint: $errorFingerprint, startedFrom: $startedFrom, startedTo: $startedTo,
      text: $text, asOf: $asOf) {
    nodes { id workflowId workflowVersion status mode trigger startedAt endedAt errorNode errorMessage errorFingerprint
      unresolved retryOf retriedAs }
    pageInfo { hasNextPage endCursor } } }";
const EXECUTION: &str = "query($id: UUID!, $first: Int, $after: String, $asOf: AsOf) {
  execution(id: $id, asOf: $asOf) {
    id workflowId workflowVersion workflowRevision status mode trigger startNode startedAt endedAt errorNode errorMessage
    errorFingerprint unresolved dismissed cancelReason causedBy continuedAs continuedFrom retryOf retriedAs revision
    createdPosition updatedPosition paused { kind node reason } waiting { node until }
    nodeRuns(first: $first, after: $after) {
      nodes { executionIndex node runIndex status attempts startedAt durationMs itemCounts errorMessage position }
      pageInfo { hasNextPage endCursor } } } }";

/// Most entries of a page.
const PAGE_MAX: u64 = 100;
/// Entries of a page when nothing is said.
const PAGE: u64 = 50;
/// How far executions are.
const STATUSES: [&str; 8] = ["NEW", "RUNNING", "WAITING", "PAUSED", "COMPLETED", "FAILED", "CANCELLED", "CONTINUED"];
/// What starts executions.
const TRIGGERS: [&str; 7] = ["FAILURE", "FORK", "MESSAGE", "RETRY", "SCHEDULE", "SUB_WORKFLOW", "WEBHOOK"];

const FIELDS: [(&str, &str); 14] = [
    ("id", "string"),
    ("workflowId", "string"),
    ("workflowVersion", "integer?"),
    ("status", "string"),
    ("mode", "string"),
    ("trigger", "string?"),
    ("startedAt", "string?"),
    ("endedAt", "string?"),
    ("errorNode", "string?"),
    ("errorMessage", "string?"),
    ("errorFingerprint", "string?"),
    ("unresolved", "boolean"),
    ("retryOf", "string?"),
    ("retriedAs", "string?"),
];

pub(super) static LIST: Tool = Tool {
    name: "list_executions",
    title: "List executions",
    description: "Lists executions, newest first: by workflow, status, trigger, time of their start, and text in their error, the node to blame or their workflow's name. With unresolved only failures of production runs that nobody has looked after.",
    effect: Effect::Reads,
    input: || {
        takes(
            &[],
            moment(json!({
                "workflowId": id("Only those of this workflow."),
                "status": choice("Only those that are so far.", &STATUSES),
                "trigger": choice("Only those that this started.", &TRIGGERS),
                "text": text("Only those with this in their workflow's name, their error or the name of the node to blame, in whatever case.", 200),
                "startedFrom": time("Only those that began at or after this time"),
                "startedTo": time("Only those that began before this time"),
                "errorFingerprint": text("Only failures of this errorFingerprint: those of one cause have the same.", 200),
                "unresolved": flag("Only failures of production runs that were neither retried nor dismissed.", false),
                "first": first(PAGE_MAX, PAGE),
                "after": after(),
            })),
        )
    },
    output: || {
        gives(&["executions", "nextCursor"], json!({ "executions": entries(&FIELDS), "nextCursor": next_cursor() }))
    },
    cuttable: &["/executions/*/errorMessage"],
    way: Way::Asks {
        question: |arguments| {
            let mut variables = arguments.only(&[
                "after",
                "workflowId",
                "status",
                "trigger",
                "text",
                "startedFrom",
                "startedTo",
                "errorFingerprint",
            ]);
            variables.insert("first".to_owned(), json!(arguments.whole("first", PAGE)));
            variables.insert("unresolved".to_owned(), json!(arguments.flag("unresolved", false)));
            variables.insert("asOf".to_owned(), arguments.as_of()?);
            Ok(reads(EXECUTIONS, Value::Object(variables)))
        },
        tell: |_, mut data| {
            let (nodes, next) = page(take(&mut data, "executions"));
            let summary = counted(&nodes, &next, "execution", "executions");
            Ok(Answer { body: fields(json!({ "executions": nodes, "nextCursor": next })), summary })
        },
    },
};

pub(super) static GET: Tool = Tool {
    name: "get_execution",
    title: "Get an execution",
    description: "One execution: how far it is, what went wrong and where, what it was retried or continued as, and the runs of its nodes without their items (get_state_at has those).",
    effect: Effect::Reads,
    input: || {
        takes(
            &["executionId"],
            moment(json!({
                "executionId": id("The execution."),
                "first": first(PAGE_MAX, PAGE),
                "after": after(),
            })),
        )
    },
    output: || {
        let more = [
            ("workflowRevision", "integer"),
            ("startNode", "string"),
            ("dismissed", "string?"),
            ("cancelReason", "string?"),
            ("causedBy", "string?"),
            ("continuedAs", "string?"),
            ("continuedFrom", "string?"),
            ("revision", "integer"),
            ("createdPosition", "string"),
            ("updatedPosition", "string"),
            ("paused", "object?"),
            ("waiting", "object?"),
        ];
        let runs = [
            ("executionIndex", "integer"),
            ("node", "string"),
            ("runIndex", "integer"),
            ("status", "string"),
            ("attempts", "integer"),
            ("startedAt", "string?"),
            ("durationMs", "number?"),
            ("itemCounts", "array?"),
            ("errorMessage", "string?"),
            ("position", "string"),
        ];
        let mut properties = json!({ "nodeRuns": entries(&runs), "nextCursor": next_cursor() });
        for (name, kind) in FIELDS.into_iter().chain(more) {
            properties[name] = of_kind(kind);
        }
        gives(&["id", "workflowId", "status", "nodeRuns", "nextCursor"], properties)
    },
    cuttable: &["/nodeRuns/*/errorMessage", "/errorMessage"],
    way: Way::Asks {
        question: |arguments| {
            let variables = json!({
                "id": arguments.value("executionId"), "first": arguments.whole("first", PAGE),
                "after": arguments.value("after"), "asOf": arguments.as_of()?,
            });
            Ok(reads(EXECUTION, variables))
        },
        tell: |_, data| with_runs(data),
    },
};

/// An execution with a page of its node runs.
pub(super) fn with_runs(mut data: Value) -> Result<Answer, Refusal> {
    let mut execution = take(&mut data, "execution");
    if execution.is_null() {
        return Err(Refusal::not_found("execution"));
    }
    let (runs, next) = page(take(&mut execution, "nodeRuns"));
    let status = execution.get("status").and_then(Value::as_str).unwrap_or_default().to_owned();
    let summary = format!("an execution, {status}; {}", counted(&runs, &next, "node run", "node runs"));
    let mut body = fields(execution);
    body.insert("nodeRuns".to_owned(), runs);
    body.insert("nextCursor".to_owned(), next);
    Ok(Answer { body, summary })
}
