//! Execute Workflow: runs another workflow and goes on with what it gave; and the trigger of workflows that are called.
//!
//! The node begins nothing itself: an execution is begun and awaited through the port `SubWorkflows`.

mod inputs;
mod trigger;

use serde_json::Value;
use timeloom_domain::catalogue::{Condition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, JsonObject, PairedItem};
use timeloom_engine::node::{
    Behaviour, CallTarget, EffectNode, NodeError, NodeOutput, NodeRun, NodeType, SubWorkflowCall,
};

use crate::describe::{
    ONE_TO_ONE, collection, is, json, mode, options, palette, resource, structure, switch, text, told,
};
use crate::values;

pub(crate) use trigger::ExecuteWorkflowTrigger;

const STORED: &[Condition] = &[is("source", &["database"])];

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "source",
        &[
            told("database", "Database", "A workflow of this server."),
            told("parameter", "Define below", "The JSON of a workflow."),
        ],
        "Where the workflow comes from.",
    )
    .or_text("database"),
    text("workflowId", "The workflow: its id, the id in its file, or its name.")
        .called("Workflow ID")
        .when(STORED)
        .until(1.0),
    resource(
        "workflowId",
        "workflow",
        &[mode("list", "From list", None), mode("id", "By ID", Some("The id or the name of a workflow"))],
        "The workflow.",
    )
    .called("Workflow")
    .when(STORED)
    .since(1.1),
    json("workflowJson", "The workflow as JSON.").called("Workflow JSON").when(&[is("source", &["parameter"])]),
    structure("workflowInputs", "Fields for the workflow, over those of the item.").when(STORED).since(1.2),
    options(
        "mode",
        &[
            told("once", "Run once with all items", "One call with all items."),
            told("each", "Run once for each item", "A call for each item."),
        ],
        "How often it is called.",
    )
    .or_text("once"),
    collection(
        "options",
        &[switch("waitForSubWorkflow", "Whether the node waits for the end of the workflow.")
            .called("Wait for sub-workflow completion")
            .or_true()],
        "What else to decide.",
    ),
];

/// Execute Workflow.
pub(crate) struct ExecuteWorkflow;

impl NodeType for ExecuteWorkflow {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.executeWorkflow",
            display_name: "Execute Workflow",
            description: "Runs another workflow and goes on with the items that its last node gave.",
            versions: &[1.0, 1.1, 1.2, 1.3],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Flow, "workflow", &["sub-workflow", "call", "subroutine", "run workflow"]),
            ..NodeDefinition::BLANK
        }
    }

    fn waits_for_others(&self) -> bool {
        true
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait::async_trait]
impl EffectNode for ExecuteWorkflow {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = inputs::items(run)?;
        if run.text("mode", 0, "once")? == "each" {
            return for_each(run, items).await;
        }
        let count = items.len();
        let made_of_all = || PairedItem::Many((0..count).map(PairedItem::index).collect());
        match once(run, items).await {
            Ok(Some(given)) => Ok(NodeOutput::single(paired(given, count, made_of_all))),
            Ok(None) => Ok(NodeOutput::single(passed_on(run))),
            Err(error) if run.continues_on_fail() => {
                let item = Item { paired_item: Some(made_of_all()), ..failed_item(&error) };
                Ok(NodeOutput::single(vec![item]))
            }
            Err(error) => Err(error),
        }
    }
}

/// One call with all items; `None` when nobody waits for its end.
async fn once(run: &mut NodeRun<'_>, items: Vec<Item>) -> Result<Option<Vec<Item>>, NodeError> {
    let call = SubWorkflowCall {
        node: run.node.name.clone(),
        target: target(run, 0)?,
        items,
        number: 0,
        waits: run.boolean("options.waitForSubWorkflow", 0, true)?,
    };
    run.services.sub_workflows.call(&run.caller, call).await
}

/// One call for each item, one after the other.
async fn for_each(run: &mut NodeRun<'_>, items: Vec<Item>) -> Result<NodeOutput, NodeError> {
    let mut given = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let passed = run.items().get(index).cloned().unwrap_or_default();
        match call_with(run, index, item).await {
            Ok(Some(items)) => {
                given.extend(items.into_iter().map(|item| without_origin(item).paired_with(index)));
            }
            Ok(None) => given.push(passed.paired_with(index)),
            Err(error) if run.continues_on_fail() => given.push(failed_item(&error).paired_with(index)),
            Err(error) => return Err(error.at_item(index)),
        }
    }
    Ok(NodeOutput::single(given))
}

async fn call_with(run: &mut NodeRun<'_>, index: usize, item: Item) -> Result<Option<Vec<Item>>, NodeError> {
    let call = SubWorkflowCall {
        node: run.node.name.clone(),
        target: target(run, index)?,
        items: vec![item],
        number: index,
        waits: run.boolean("options.waitForSubWorkflow", index, true)?,
    };
    run.services.sub_workflows.call(&run.caller, call).await
}

fn target(run: &mut NodeRun<'_>, item: usize) -> Result<CallTarget, NodeError> {
    match run.text("source", item, "database")?.as_str() {
        "database" => named(run.parameter("workflowId", item)?),
        "parameter" => Ok(CallTarget::Inline {
            source: match run.parameter("workflowJson", item)? {
                Some(Value::String(text)) => text,
                Some(value @ Value::Object(_)) => value.to_string(),
                _ => return Err(NodeError::operation("the workflow's JSON is missing: write it into the node")),
            },
        }),
        source @ ("localFile" | "url") => {
            Err(NodeError::operation(format!("a workflow from the source '{source}' cannot be run"))
                .described("import the file as a workflow, and choose that one in the node"))
        }
        other => Err(NodeError::operation(format!("the source '{other}' is not known: use 'database' or 'parameter'"))),
    }
}

/// The workflow that a text, a number or a resource locator names.
fn named(value: Option<Value>) -> Result<CallTarget, NodeError> {
    let (chosen, name) = match value {
        Some(Value::Object(mut locator)) => {
            let name = locator.remove("cachedResultName").map(|name| values::text(&name));
            (locator.remove("value"), name)
        }
        other => (other, None),
    };
    let reference = chosen.filter(|value| !value.is_null()).map(|value| values::text(&value)).unwrap_or_default();
    let reference = reference.trim();
    if reference.is_empty() {
        return Err(NodeError::operation("no workflow is chosen: choose one in the node"));
    }
    // An address of a workflow ends with its id.
    let reference = reference.rsplit_once("/workflow/").map_or(reference, |(_, id)| id.trim_end_matches('/'));
    Ok(CallTarget::Named { reference: reference.to_owned(), name: name.filter(|name| !name.is_empty()) })
}

/// The items that a call gave. Where they came from over there means nothing here.
fn paired(given: Vec<Item>, count: usize, made_of_all: impl Fn() -> PairedItem) -> Vec<Item> {
    let same = given.len() == count;
    let pair = |(index, item): (usize, Item)| {
        let origin = if same { PairedItem::index(index) } else { made_of_all() };
        Item { paired_item: Some(origin), ..item }
    };
    given.into_iter().enumerate().map(pair).collect()
}

fn passed_on(run: &NodeRun<'_>) -> Vec<Item> {
    run.items().iter().enumerate().map(|(index, item)| item.clone().paired_with(index)).collect()
}

fn without_origin(item: Item) -> Item {
    Item { paired_item: None, ..item }
}

fn failed_item(error: &NodeError) -> Item {
    Item::new(JsonObject::from_iter([("error".to_owned(), Value::String(error.message.clone()))]))
}

#[cfg(test)]
mod tests;
