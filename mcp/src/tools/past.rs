//! Executions of the past: as they were after any of their events, two beside each other, and from where a value comes.

use serde_json::{Value, json};

use super::executions::with_runs;
use super::{Effect, Tool, Way, moment, reads};
use crate::api::Question;
use crate::arguments::Arguments;
use crate::outcome::{Answer, Refusal, counted, fields, page, take};
use crate::schema::{after, entries, first, flag, gives, id, next_cursor, of_kind, shape, takes, text, whole};

const STATE_OF_NODES: &str = "query($id: UUID!, $first: Int, $after: String, $items: Boolean!, $asOf: AsOf) {
  execution(id: $id, asOf: $asOf) { id workflowId status revision updatedPosition errorNode errorMessage
    nodeRuns(first: $first, after: $after) {
      nodes { executionIndex node runIndex status attempts itemCounts sources errorMessage position
        output @include(if: $items) }
      pageInfo { hasNextPage endCursor } } } }";
const STATE_AT_PATH: &str = "query($stream: StreamInput!, $path: String!, $asOf: AsOf) {
  stateAt(stream: $stream, asOf: $asOf) { id status revision position recordedAt part(path: $path) } }";
const COMPARISON: &str = "query($left: UUID!, $right: UUID!, $differing: Boolean!, $first: Int, $after: String) {
  compareExecutions(left: $left, right: $right) {
    same leftStatus rightStatus sameCount changedCount onlyLeftCount onlyRightCount
    firstDivergence { node runIndex outcome }
    cause { reason step { node runIndex } }
    steps(first: $first, after: $after, differing: $differing) {
      nodes { node runIndex outcome inputsDiffer nodeDiffers durationDeltaMs
        left { executionIndex status itemCounts durationMs } right { executionIndex status itemCounts durationMs }
        cause { reason step { node runIndex } }
        nodeChanges { op path before after } inputChanges { op path before after } outputChanges { op path before after } }
      pageInfo { hasNextPage endCursor } } } }";
const EXPLANATION: &str = "query($input: ExplainInput!) { explain(input: $input) { isCut chapters {
  executionId border fromChapter fromStep trigger agentRuns { id step turns tools }
  steps { executionId node runIndex output item path value origin parameters expression inputs
    writtenBy { position revision type } } } } }";

/// Most node runs of a page with what they gave.
const RUNS_MAX: u64 = 50;
/// Node runs of a page when nothing is said.
const RUNS: u64 = 20;
/// Largest number of a node run, output or item.
const INDEX_MAX: u64 = 1_000_000;

pub(super) static STATE: Tool = Tool {
    name: "get_state_at",
    title: "Get the state of an execution at a moment",
    description: "An execution as it was right after any of its events: which nodes had run, and the items that they had given, a list for each output. revision counts the execution's own events from 1, position is a place of the whole log; without any it is as of now. With path, one value of the state and nothing else, such as /node_runs/3/outputs/0/0/json/total: the run with executionIndex 3, its first output, its first item.",
    effect: Effect::Reads,
    input: || {
        takes(
            &["executionId"],
            moment(json!({
                "executionId": id("The execution."),
                "revision": whole("As it was right after this event of the execution; 1 is its first.", 1, u64::from(u32::MAX) >> 1),
                "items": flag("Whether the items are wanted that nodes gave.", true),
                "path": text("A JSON pointer to one value of the state.", 1_000),
                "first": first(RUNS_MAX, RUNS),
                "after": after(),
            })),
        )
    },
    output: || {
        let runs = [
            ("executionIndex", "integer"),
            ("node", "string"),
            ("runIndex", "integer"),
            ("status", "string"),
            ("attempts", "integer"),
            ("itemCounts", "array?"),
            ("sources", "any"),
            ("errorMessage", "string?"),
            ("position", "string"),
            ("output", "any"),
        ];
        let properties = json!({
            "id": of_kind("string"), "workflowId": of_kind("string"), "status": of_kind("string?"),
            "revision": of_kind("integer"), "updatedPosition": of_kind("string"), "position": of_kind("string"),
            "recordedAt": of_kind("string"), "errorNode": of_kind("string?"), "errorMessage": of_kind("string?"),
            "nodeRuns": entries(&runs), "nextCursor": next_cursor(), "value": of_kind("any"),
        });
        gives(&["id", "status", "revision"], properties)
    },
    cuttable: &["/nodeRuns/*/output", "/nodeRuns/*/sources", "/nodeRuns/*/errorMessage", "/value"],
    way: Way::Asks { question: state, tell: tell_state },
};

fn state(arguments: &Arguments) -> Result<Question, Refusal> {
    let (id, as_of) = (arguments.value("executionId"), arguments.as_of()?);
    if let Some(path) = arguments.text("path") {
        let stream = json!({ "category": "execution", "id": id });
        return Ok(reads(STATE_AT_PATH, json!({ "stream": stream, "path": path, "asOf": as_of })));
    }
    let variables = json!({
        "id": id, "first": arguments.whole("first", RUNS), "after": arguments.value("after"),
        "items": arguments.flag("items", true), "asOf": as_of,
    });
    Ok(reads(STATE_OF_NODES, variables))
}

fn tell_state(arguments: &Arguments, mut data: Value) -> Result<Answer, Refusal> {
    if !arguments.has("path") {
        return with_runs(data);
    }
    let mut state = take(&mut data, "stateAt");
    if state.is_null() {
        return Err(Refusal::not_found("execution"));
    }
    let value = take(&mut state, "part");
    let mut body = fields(state);
    body.remove("part");
    let summary = if value.is_null() { "there is nothing at that path" } else { "one value of the state" };
    body.insert("value".to_owned(), value);
    Ok(Answer { body, summary: summary.to_owned() })
}

pub(super) static COMPARE: Tool = Tool {
    name: "compare_executions",
    title: "Compare two executions",
    description: "How two executions differ, node run by node run: what each was given and gave, how the nodes are written down, where they first part, and because of which step.",
    effect: Effect::Reads,
    input: || {
        takes(
            &["left", "right"],
            json!({
                "left": id("The one execution."),
                "right": id("The other execution."),
                "differing": flag("Only steps that are not the same.", true),
                "first": first(RUNS_MAX, RUNS),
                "after": after(),
            }),
        )
    },
    output: || {
        let steps = [
            ("node", "string"),
            ("runIndex", "integer"),
            ("outcome", "string"),
            ("inputsDiffer", "boolean"),
            ("nodeDiffers", "boolean"),
            ("durationDeltaMs", "number?"),
            ("left", "object?"),
            ("right", "object?"),
            ("cause", "object?"),
            ("nodeChanges", "array?"),
            ("inputChanges", "array?"),
            ("outputChanges", "array?"),
        ];
        let properties = json!({
            "same": of_kind("boolean"), "leftStatus": of_kind("string"), "rightStatus": of_kind("string"),
            "sameCount": of_kind("integer"), "changedCount": of_kind("integer"),
            "onlyLeftCount": of_kind("integer"), "onlyRightCount": of_kind("integer"),
            "firstDivergence": of_kind("object?"), "cause": of_kind("object?"),
            "steps": entries(&steps), "nextCursor": next_cursor(),
        });
        gives(&["same", "leftStatus", "rightStatus", "steps", "nextCursor"], properties)
    },
    cuttable: &["/steps/*/outputChanges", "/steps/*/inputChanges", "/steps/*/nodeChanges"],
    way: Way::Asks {
        question: |arguments| {
            let variables = json!({
                "left": arguments.value("left"), "right": arguments.value("right"),
                "differing": arguments.flag("differing", true),
                "first": arguments.whole("first", RUNS), "after": arguments.value("after"),
            });
            Ok(reads(COMPARISON, variables))
        },
        tell: |_, mut data| {
            let mut compared = take(&mut data, "compareExecutions");
            let (steps, next) = page(take(&mut compared, "steps"));
            let same = compared.get("same") == Some(&Value::Bool(true));
            let found = if same { "both did the same" } else { "they differ" };
            let summary = format!("{found}; {}", counted(&steps, &next, "step", "steps"));
            let mut body = fields(compared);
            body.insert("steps".to_owned(), steps);
            body.insert("nextCursor".to_owned(), next);
            Ok(Answer { body, summary })
        },
    },
};

pub(super) static EXPLAIN: Tool = Tool {
    name: "explain_value",
    title: "Explain where a value comes from",
    description: "From where a value in an item comes: the steps back through the nodes that made it or passed it on, the expressions that gave it, workflows that were called and agents that were asked, up to what started the first execution. The first chapter has the value; each step names the event that wrote it down.",
    effect: Effect::Reads,
    input: || {
        takes(
            &["executionId", "node", "path"],
            json!({
                "executionId": id("The execution."),
                "node": text("Name of the node that gave the value.", 200),
                "path": text("Where in the item, as a JSON pointer: /json/total.", 1_000),
                "runIndex": whole("Which run of the node; 0 is the first.", 0, INDEX_MAX),
                "output": whole("Which of its outputs; 0 is the first.", 0, INDEX_MAX),
                "item": whole("Which item; 0 is the first.", 0, INDEX_MAX),
            }),
        )
    },
    output: || {
        let step = shape(&[
            ("executionId", "string"),
            ("node", "string"),
            ("runIndex", "integer"),
            ("output", "integer"),
            ("item", "integer?"),
            ("path", "string"),
            ("value", "any"),
            ("origin", "string"),
            ("parameters", "array"),
            ("expression", "string?"),
            ("inputs", "array"),
            ("writtenBy", "object?"),
        ]);
        let mut chapter = shape(&[
            ("executionId", "string"),
            ("border", "string"),
            ("fromChapter", "integer?"),
            ("fromStep", "integer?"),
            ("trigger", "string"),
            ("agentRuns", "array"),
        ]);
        chapter["properties"]["steps"] = json!({ "type": "array", "items": step });
        let chapters = json!({ "type": "array", "items": chapter });
        gives(&["isCut", "chapters"], json!({ "isCut": of_kind("boolean"), "chapters": chapters }))
    },
    cuttable: &["/chapters/*/steps/*/value"],
    way: Way::Asks {
        question: |arguments| {
            let mut input = arguments.only(&["executionId", "node", "runIndex", "output", "item"]);
            input.insert("path".to_owned(), json!(of_item(arguments.text("path").unwrap_or_default())));
            Ok(reads(EXPLANATION, json!({ "input": input })))
        },
        tell: |_, mut data| {
            let body = fields(take(&mut data, "explain"));
            let chapters = body.get("chapters").and_then(Value::as_array).map_or(0, Vec::len);
            let summary = format!("the way of a value, through {chapters} executions at most");
            Ok(Answer { body, summary })
        },
    },
};

/// A path in an item, of which `/json` may be left out.
fn of_item(path: &str) -> String {
    let is_whole = path == "/json" || path.starts_with("/json/") || path.starts_with("/binary/");
    match (is_whole, path.starts_with('/')) {
        (true, _) => path.to_owned(),
        (false, true) => format!("/json{path}"),
        (false, false) => format!("/json/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::of_item;

    #[test]
    fn the_beginning_of_a_path_in_an_item_may_be_left_out() {
        assert_eq!([of_item("/json/a"), of_item("/a"), of_item("a")], ["/json/a", "/json/a", "/json/a"]);
        assert_eq!(of_item("/jsonish"), "/json/jsonish");
    }
}
