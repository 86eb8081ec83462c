//! Edit Fields (Set): gives items new fields, by name or as JSON.
//!
//! Versions 1 and 2 live in [`legacy`], the later ones in [`manual`] and [`raw`].

mod compose;
mod legacy;
mod manual;
mod raw;

use std::collections::BTreeMap;

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
        let mut fields = if is_raw { Fields::Objects(raw::fields(run)) } else { Fields::Columns(manual::columns(run)) };
        let copies = copies(run)?;
        let choices = compose::choices(run);
        let count = run.scope.items.len();
        let failed = |index: usize| fields.failure(index).or_else(|| choices.get(index)?.as_ref().err());
        let failures: BTreeMap<usize, NodeError> =
            (0..count).filter_map(|index| failed(index).map(|error| (index, error.clone()))).collect();
        if !run.continues_on_fail()
            && let Some((index, error)) = failures.first_key_value()
        {
            return Err(error.clone().at_item(*index));
        }
        let items = run.take_items();
        let mut output = Vec::with_capacity(items.len() * copies);
        for (index, item) in items.into_iter().enumerate() {
            let made = match (failures.get(&index), choices.get(index)) {
                (None, Some(Ok(choice))) => compose::item(item, index, &mut fields, choice),
                (error, _) => run.failed_item(index, error.unwrap_or(&NodeError::operation("no such item"))),
            };
            output.extend(std::iter::repeat_n(made, copies));
        }
        Ok(NodeOutput::single(output))
    }
}

/// The new fields of all items.
enum Fields {
    /// Field by field.
    Columns(Vec<manual::Column>),
    /// Item by item.
    Objects(Vec<Result<JsonObject, NodeError>>),
}

impl Fields {
    /// Why item `index` has none.
    fn failure(&self, index: usize) -> Option<&NodeError> {
        match self {
            Self::Columns(columns) => columns.iter().find_map(|column| column.failure(index)),
            Self::Objects(objects) => objects.get(index)?.as_ref().err(),
        }
    }

    /// Takes those of item `index`, in order.
    fn take(&mut self, index: usize) -> impl Iterator<Item = (String, Value)> {
        let (columns, object) = match self {
            Self::Columns(columns) => (Some(columns.iter_mut().filter_map(move |column| column.take(index))), None),
            Self::Objects(objects) => (None, objects.get_mut(index).and_then(|fields| fields.as_mut().ok())),
        };
        columns.into_iter().flatten().chain(object.map(std::mem::take).into_iter().flatten())
    }
}

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
