//! Edit Fields (Set): gives items new fields, by name or as JSON.
//!
//! Versions 1 and 2 live in [`legacy`], the later ones in [`manual`] and [`raw`].

mod compose;
mod legacy;
mod manual;
mod raw;

use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, ParameterDefinition, ParameterKind};
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use crate::describe::{ONE_TO_ONE, optional};

const PARAMETERS: &[ParameterDefinition] = &[
    optional("mode", ParameterKind::Options(&["manual", "raw"]), "From version 3: fields one by one, or JSON."),
    optional("assignments", ParameterKind::Structure, "From version 3.3: the fields with name, type and value."),
    optional("fields", ParameterKind::Structure, "Versions 3 to 3.2: the fields with name, type and value."),
    optional("jsonOutput", ParameterKind::Structure, "Mode raw: the fields as JSON."),
    optional("includeOtherFields", ParameterKind::Boolean, "From version 3.3: keep fields of the input."),
    optional(
        "include",
        ParameterKind::Options(&["all", "none", "selected", "except"]),
        "Which fields of the input are kept.",
    ),
    optional("includeFields", ParameterKind::Text, "Names of the fields to keep, with commas between them."),
    optional("excludeFields", ParameterKind::Text, "Names of the fields to drop, with commas between them."),
    optional("duplicateItem", ParameterKind::Boolean, "Give several copies of each item, in manual runs."),
    optional("duplicateCount", ParameterKind::Number, "How many copies more."),
    optional("values", ParameterKind::Structure, "Versions 1 and 2: the fields, by type."),
    optional("keepOnlySet", ParameterKind::Boolean, "Versions 1 and 2: drop all other fields."),
    optional("options", ParameterKind::Structure, "Dots in names, conversion errors, binary data."),
];

/// Most copies of one item.
const DUPLICATES_MAX: f64 = 100_000.0;

/// The Edit Fields node.
pub(crate) struct Set;

impl NodeType for Set {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.set",
            display_name: "Edit Fields (Set)",
            description: "Adds, changes and drops fields of items.",
            versions: &[1.0, 2.0, 3.0, 3.1, 3.2, 3.3, 3.4],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Set {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        if run.version() < 3.0 {
            return legacy::run(run).map(NodeOutput::single);
        }
        let is_raw = run.raw_parameter("mode").and_then(Value::as_str) == Some("raw");
        let fields = if is_raw { raw::fields(run) } else { manual::fields(run) };
        let copies = copies(run)?;
        let plans = fields.into_iter().zip(compose::choices(run)).map(|(fields, choice)| Ok((fields?, choice?)));
        let mut plans: Vec<Result<_, NodeError>> = plans.collect();
        if !run.continues_on_fail()
            && let Some(index) = plans.iter().position(Result::is_err)
            && let Err(error) = plans.swap_remove(index)
        {
            return Err(error.at_item(index));
        }
        let items = run.take_items();
        let mut output = Vec::with_capacity(items.len() * copies);
        for (index, (item, plan)) in items.into_iter().zip(plans).enumerate() {
            let made = match plan {
                Ok((fields, choice)) => compose::item(item, index, fields, &choice),
                Err(error) => run.failed_item(index, &error),
            };
            output.extend(std::iter::repeat_n(made, copies));
        }
        Ok(NodeOutput::single(output))
    }
}

/// The new fields of one item, in order.
type Fields = Result<JsonObject, NodeError>;

/// How often each item is given: once, unless someone tries the workflow out with copies.
fn copies(run: &mut NodeRun<'_>) -> Result<usize, NodeError> {
    if run.scope.execution.mode == "production" || !run.boolean("duplicateItem", 0, false)? {
        return Ok(1);
    }
    let more = run.number("duplicateCount", 0, 0.0)?.clamp(0.0, DUPLICATES_MAX);
    Ok(1 + more as usize)
}

#[cfg(test)]
mod tests;
