//! Nodes whose behaviour the author writes in JavaScript: Code and the older Function and Function Item.
//!
//! The script runs in the execution's sandbox; this module only says how it is called and what a failure gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use timeloom_domain::catalogue::{Language, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, Items, JsonObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode, blob_of};
use timeloom_expressions::port::CodeMode;

use crate::describe::{ONE_TO_ONE, choice, code, is, options, palette, told};

const CODE_PARAMETERS: &[ParameterDefinition] = &[
    options(
        "mode",
        &[
            told("runOnceForAllItems", "Run once for all items", "The script sees all items."),
            told("runOnceForEachItem", "Run once for each item", "The script sees one item after the other."),
        ],
        "How the script is called.",
    )
    .or_text("runOnceForAllItems"),
    options("language", &[choice("javaScript", "JavaScript")], "Language of the script.").or_text("javaScript"),
    code("jsCode", Language::JavaScript, "The script.")
        .called("JavaScript")
        .or_text(UNWRITTEN_ALL)
        .when(&[is("mode", &["runOnceForAllItems"])]),
    code("jsCode", Language::JavaScript, "The script.")
        .called("JavaScript")
        .or_text(UNWRITTEN_EACH)
        .when(&[is("mode", &["runOnceForEachItem"])]),
];

const FUNCTION_PARAMETERS: &[ParameterDefinition] =
    &[code("functionCode", Language::JavaScript, "The script.").called("JavaScript").or_text(UNWRITTEN_FUNCTION)];

const FUNCTION_ITEM_PARAMETERS: &[ParameterDefinition] =
    &[code("functionCode", Language::JavaScript, "The script.").called("JavaScript").or_text(UNWRITTEN_FUNCTION_ITEM)];

/// Most bytes of attachments that one run of a script sees.
const ATTACHMENT_BYTES_MAX: usize = 16 << 20;

/// The scripts of nodes whose author has written none yet.
const UNWRITTEN_ALL: &str = "for (const item of $input.all()) item.json.myNewField = 1;\nreturn $input.all();";
const UNWRITTEN_EACH: &str = "$input.item.json.myNewField = 1;\nreturn $input.item;";
const UNWRITTEN_FUNCTION: &str = "items[0].json.myVariable = 1;\nreturn items;";
const UNWRITTEN_FUNCTION_ITEM: &str = "item.myVariable = 1;\nreturn item;";

/// The Code node.
pub(crate) struct Code;

impl NodeType for Code {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.code",
            display_name: "Code",
            description: "Runs a JavaScript function over the items, at once or one by one.",
            versions: &[1.0, 2.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: CODE_PARAMETERS,
            palette: palette(NodeGroup::Data, "code", &["javascript", "script", "function", "custom"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Code {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let language = run.raw_parameter("language").and_then(Value::as_str).unwrap_or("javaScript");
        if language != "javaScript" {
            return Err(NodeError::operation(format!("scripts in {language} are not supported here"))
                .described("write the script in JavaScript"));
        }
        if run.raw_parameter("mode").and_then(Value::as_str) == Some("runOnceForEachItem") {
            execute(run, CodeMode::EachItem, "jsCode", UNWRITTEN_EACH)
        } else {
            execute(run, CodeMode::AllItems, "jsCode", UNWRITTEN_ALL)
        }
    }
}

/// The older node with a script over all items.
pub(crate) struct Function;

impl NodeType for Function {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.function",
            display_name: "Function",
            description: "Runs a JavaScript function over all items. Newer workflows use Code.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: FUNCTION_PARAMETERS,
            palette: palette(NodeGroup::Older, "code", &["javascript", "script"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Function {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        execute(run, CodeMode::Function, "functionCode", UNWRITTEN_FUNCTION)
    }
}

/// The older node with a script for each item.
pub(crate) struct FunctionItem;

impl NodeType for FunctionItem {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.functionItem",
            display_name: "Function Item",
            description: "Runs a JavaScript function for each item. Newer workflows use Code.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: FUNCTION_ITEM_PARAMETERS,
            palette: palette(NodeGroup::Older, "code", &["javascript", "script"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for FunctionItem {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        execute(run, CodeMode::FunctionItem, "functionCode", UNWRITTEN_FUNCTION_ITEM)
    }
}

fn execute(run: &mut NodeRun<'_>, mode: CodeMode, parameter: &str, unwritten: &str) -> Result<NodeOutput, NodeError> {
    let code = run.raw_parameter(parameter).and_then(Value::as_str).unwrap_or(unwritten).to_owned();
    if code.to_ascii_lowercase().contains("binary") {
        bring_attachments(run)?;
    }
    let goes_on = run.continues_on_fail();
    let code = if goes_on { catching(mode, code) } else { code };
    match run.run_code(mode, &code) {
        Ok(answer) => {
            if let Some(Value::Object(context)) = answer.context {
                *run.memory = context;
            }
            Ok(NodeOutput { outputs: vec![answer.items], hints: answer.console, ..NodeOutput::default() })
        }
        Err(error) => {
            let error = located(error);
            if goes_on { Ok(NodeOutput::single(vec![error_item(&error)])) } else { Err(error) }
        }
    }
}

/// Puts attachments that are beside the log into the items that a script sees, as many as fit: it cannot ask for them
/// later. One that does not fit is described only, and the helper that would read it says so.
fn bring_attachments(run: &mut NodeRun<'_>) -> Result<(), NodeError> {
    let mut room = ATTACHMENT_BYTES_MAX;
    let mut bring = |items: &Items| -> Result<Option<Items>, NodeError> {
        let has_blob = |item: &Item| item.binary.iter().flatten().any(|(_, attachment)| blob_of(attachment).is_some());
        if !items.iter().any(has_blob) {
            return Ok(None);
        }
        let mut brought = items.to_vec();
        for attachment in brought.iter_mut().filter_map(|item| item.binary.as_mut()).flat_map(BTreeMap::values_mut) {
            let bytes = attachment.extra.get("bytes").and_then(Value::as_u64).unwrap_or(u64::MAX);
            let fits = usize::try_from(bytes).is_ok_and(|bytes| bytes <= room);
            if fits && blob_of(attachment).is_some() {
                let content = run.binaries().read_blocking(attachment)?;
                room = room.saturating_sub(content.len());
                (attachment.data, attachment.id) = (STANDARD.encode(content), None);
            }
        }
        Ok(Some(Arc::new(brought)))
    };
    let items = bring(&run.scope.items)?;
    let mut inputs = run.scope.inputs.to_vec();
    for input in &mut inputs {
        match &items {
            Some(brought) if Arc::ptr_eq(input, &run.scope.items) => *input = Arc::clone(brought),
            _ => *input = bring(input)?.unwrap_or_else(|| Arc::clone(input)),
        }
    }
    run.scope.items = items.unwrap_or_else(|| Arc::clone(&run.scope.items));
    run.scope.inputs = Arc::new(inputs);
    Ok(())
}

/// The error with its place in the script behind its message.
fn located(mut error: NodeError) -> NodeError {
    match (error.line, error.item_index) {
        (Some(line), Some(item)) => error.message = format!("{} [line {line}, for item {item}]", error.message),
        (Some(line), None) => error.message = format!("{} [line {line}]", error.message),
        (None, _) => {}
    }
    error
}

/// The script of a node that goes on after failures: for each item alone it catches its own errors, so that the
/// other items are still worked on. The first line stays the first line, so that line numbers fit; the line of a
/// failure is counted from an error made on that first line.
fn catching(mode: CodeMode, code: String) -> String {
    let caught = match mode {
        CodeMode::EachItem => "({ json: { error: $$told } })",
        CodeMode::FunctionItem => "({ error: $$told })",
        CodeMode::AllItems | CodeMode::Function | CodeMode::Sort => return code,
    };
    // Only a script that waits is called as one that does: waiting costs the sandbox more.
    let (wait, kind) = if code.contains("await") { ("await ", "async ") } else { ("", "") };
    format!(
        "const $$line = (error) => Number(/:(\\d+)/.exec(String(error && error.stack))?.[1]); \
         const $$first = $$line(new Error()); \
         try {{ return {wait}({kind}() => {{ {code}\n}})(); }} \
         catch ($$failure) {{ \
         const $$at = $$line($$failure) - $$first + 1; \
         const $$text = $$failure instanceof Error ? $$failure.message : String($$failure); \
         const $$told = $$at > 0 ? `${{$$text}} [line ${{$$at}}, for item ${{$itemIndex}}]` : $$text; \
         return {caught}; }}"
    )
}

fn error_item(error: &NodeError) -> Item {
    Item::new(JsonObject::from_iter([("error".to_owned(), Value::String(error.message.clone()))]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use timeloom_engine::node::NodeErrorKind;
    use timeloom_expressions::port::CodeOutput;

    use super::*;
    use crate::testing::{Bench, items};

    fn answer(output: Value) -> CodeOutput {
        CodeOutput { items: items(output).to_vec(), console: vec!["a line".to_owned()], context: None }
    }

    #[test]
    fn the_script_gets_the_items_and_gives_the_output() {
        let mut bench = Bench::new(&Code, 2.0, json!({"jsCode": "return items"})).input(json!([{"a": 1}])).script(
            |mode, code, given| {
                assert_eq!((mode, code, given.len()), (CodeMode::AllItems, "return items", 1));
                Ok(answer(json!([{"b": 2}])))
            },
        );
        let output = bench.run().unwrap();
        assert_eq!(output.outputs[0][0].json["b"], 2);
        assert_eq!(output.hints, ["a line"]);
    }

    #[test]
    fn every_node_calls_the_script_its_own_way() {
        let mode_of = |node: &'static dyn NodeType, parameters: Value| {
            let mut bench = Bench::new(node, 1.0, parameters)
                .input(json!([{}]))
                .script(|mode, code, _| Ok(answer(json!([{"mode": format!("{mode:?}"), "code": code}]))));
            bench.output()[0].clone()
        };
        let each = mode_of(&Code, json!({"mode": "runOnceForEachItem", "jsCode": "x"}));
        assert_eq!(each, json!({"mode": "EachItem", "code": "x"}));
        assert_eq!(mode_of(&Function, json!({"functionCode": "y"})), json!({"mode": "Function", "code": "y"}));
        assert_eq!(mode_of(&FunctionItem, json!({"functionCode": "z"})), json!({"mode": "FunctionItem", "code": "z"}));
        assert_eq!(mode_of(&FunctionItem, json!({}))["code"], json!(UNWRITTEN_FUNCTION_ITEM));
    }

    #[test]
    fn a_failure_is_an_item_when_the_node_goes_on() {
        let failing = || {
            Bench::new(&Function, 1.0, json!({"functionCode": "throw"}))
                .input(json!([{}, {}]))
                .script(|_, _, _| Err(NodeError::operation("boom")))
        };
        assert_eq!(failing().failure(), "boom");
        assert_eq!(failing().continue_on_fail().output(), json!([{"error": "boom"}]));
    }

    #[test]
    fn a_failure_names_its_place_in_the_script() {
        let failing = |item_index: Option<usize>| {
            let error =
                NodeError { line: Some(3), item_index, kind: NodeErrorKind::Script, ..NodeError::operation("boom") };
            let mut bench = Bench::new(&Code, 2.0, json!({"jsCode": "throw"})).input(json!([{}]));
            bench = bench.script(move |_, _, _| Err(error.clone()));
            bench.failure()
        };
        assert_eq!(failing(None), "boom [line 3]");
        assert_eq!(failing(Some(2)), "boom [line 3, for item 2]");
    }

    #[test]
    fn scripts_for_one_item_catch_their_own_errors_when_the_node_goes_on() {
        let parameters = json!({"mode": "runOnceForEachItem", "jsCode": "first line"});
        let mut bench =
            Bench::new(&Code, 2.0, parameters).input(json!([{}])).continue_on_fail().script(|_, code, _| {
                assert!(code.lines().next().unwrap().contains("first line") && code.contains("catch"));
                Ok(answer(json!([])))
            });
        assert_eq!(bench.output(), json!([]));
    }

    #[test]
    fn python_is_refused_in_plain_words() {
        let mut bench = Bench::new(&Code, 2.0, json!({"language": "python", "pythonCode": "pass"})).input(json!([{}]));
        assert_eq!(bench.failure(), "scripts in python are not supported here");
    }

    #[test]
    fn scripts_that_ask_for_attachments_see_those_that_are_beside_the_log() {
        let content = vec![7; 20_000];
        let given = |code: &str| {
            let mut bench = Bench::new(&Code, 2.0, json!({"jsCode": code})).input(json!([]));
            let about = timeloom_domain::item::BinaryData { mime_type: "text/plain".to_owned(), ..Default::default() };
            let kept = bench.services.binaries.keep_blocking(content.clone(), about).unwrap();
            bench.inputs = vec![items(json!([{"json": {}, "binary": {"file": kept}}]))];
            let mut bench = bench.script(|_, _, given| {
                let file = &given[0].binary.as_ref().unwrap()["file"];
                Ok(answer(json!([{"data": file.data, "id": file.id}])))
            });
            bench.output()[0].clone()
        };
        let seen = given("await this.helpers.getBinaryDataBuffer(0, 'file')");
        assert_eq!(seen, json!({"data": STANDARD.encode(&content), "id": null}));
        assert_eq!(given("return items")["data"], json!(""), "no other script pays for them");
    }
}
