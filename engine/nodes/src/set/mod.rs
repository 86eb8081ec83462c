//! Edit Fields (Set): gives items new fields, by name or as JSON.
//!
//! Versions 1 and 2 live in [`legacy`], the later ones in [`manual`] and [`raw`].

mod compose;
mod legacy;
mod manual;
mod raw;

use std::collections::BTreeMap;

use serde_json::Value;
use timeloom_domain::catalogue::{
    Choice, Condition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition, ParameterKind, Section,
};
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use crate::describe::{
    ONE_TO_ONE, choice, collection, is, json, list, many, number, on, options, palette, switch, text, told,
};

const MANUAL: &[Condition] = &[is("mode", &["manual"])];

const TYPES: &[Choice] = &[
    choice("string", "String"),
    choice("number", "Number"),
    choice("boolean", "Boolean"),
    choice("array", "Array"),
    choice("object", "Object"),
];

/// A field of versions 3 to 3.2: its value has a name of its own for each type.
const FIELD: &[ParameterDefinition] = &[
    text("name", "Name of the field.").like("e.g. fieldName"),
    options(
        "type",
        &[
            choice("stringValue", "String"),
            choice("numberValue", "Number"),
            choice("booleanValue", "Boolean"),
            choice("arrayValue", "Array"),
            choice("objectValue", "Object"),
        ],
        "Type of the value.",
    )
    .or_text("stringValue"),
    text("stringValue", "The value.").called("Value").or_text("").when(&[is("type", &["stringValue"])]),
    number("numberValue", "The value.").called("Value").when(&[is("type", &["numberValue"])]),
    switch("booleanValue", "The value.").called("Value").or_true().when(&[is("type", &["booleanValue"])]),
    json("arrayValue", "The list.").called("Value").like("[1, 2]").when(&[is("type", &["arrayValue"])]),
    json("objectValue", "The object.").called("Value").or_text("{}").when(&[is("type", &["objectValue"])]),
];

/// The sections of versions 1 and 2, by type.
const VALUES: &[Section] = &[
    many("boolean", "Boolean", &[NAME, switch("value", "The value.").or_false()]),
    many("number", "Number", &[NAME, number("value", "The value.").or_number(0.0)]),
    many("string", "String", &[NAME, text("value", "The value.").or_text("")]),
];
const NAME: ParameterDefinition = text("name", "Name of the field.").or_text("propertyName");

const DOTS: ParameterDefinition =
    switch("dotNotation", "Whether dots in names lead into objects.").called("Support dot notation").or_true();
const IGNORE_ERRORS: ParameterDefinition =
    switch("ignoreConversionErrors", "Whether a value that does not fit its type is kept as it is.")
        .called("Ignore type conversion errors")
        .or_false()
        .when(&[is("/mode", &["manual"])]);
const KEEP_BINARY: ParameterDefinition =
    switch("includeBinary", "Whether attachments of the input are kept.").called("Include binary file").or_false();
const STRIP_BINARY: ParameterDefinition =
    switch("stripBinary", "Whether attachments of the input are dropped.").called("Strip binary data").or_false();

const ALL: Choice = told("all", "All", "All fields of the input.");
const SELECTED: Choice = told("selected", "Selected", "The fields that are named.");
const EXCEPT: Choice = told("except", "All except", "All but the fields that are named.");

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "mode",
        &[told("manual", "Manual mapping", "Fields one by one."), told("raw", "JSON", "All fields as one object.")],
        "How the fields are written.",
    )
    .or_text("manual")
    .since(3.0),
    switch("duplicateItem", "Whether each item is given several times, in manual runs.").or_false().since(3.0),
    number("duplicateCount", "How many copies more.").or_number(0.0).when(&[on("duplicateItem")]).since(3.0),
    json("jsonOutput", "The fields as JSON.").called("JSON").or_text("{}").when(&[is("mode", &["raw"])]).since(3.0),
    ParameterDefinition::new("assignments", ParameterKind::Assignments(TYPES), "The fields with name, type and value.")
        .called("Fields to set")
        .or_json(r#"{"assignments": []}"#)
        .when(MANUAL)
        .since(3.3),
    list("fields", &[many("values", "Field", FIELD)], "The fields with name, type and value.")
        .called("Fields to set")
        .when(MANUAL)
        .since(3.0)
        .until(3.2),
    switch("includeOtherFields", "Whether fields of the input are kept.")
        .called("Include other input fields")
        .or_false()
        .since(3.3),
    options(
        "include",
        &[ALL, told("none", "None", "No field of the input."), SELECTED, EXCEPT],
        "Which fields of the input are kept.",
    )
    .called("Include in output")
    .or_text("all")
    .since(3.0)
    .until(3.2),
    options("include", &[ALL, SELECTED, EXCEPT], "Which fields of the input are kept.")
        .called("Input fields to include")
        .or_text("all")
        .when(&[on("includeOtherFields")])
        .since(3.3),
    text("includeFields", "Names of the fields to keep, with commas between them.")
        .called("Fields to include")
        .like("id, name")
        .when(&[is("include", &["selected"])])
        .since(3.0),
    text("excludeFields", "Names of the fields to drop, with commas between them.")
        .called("Fields to exclude")
        .like("id, name")
        .when(&[is("include", &["except"])])
        .since(3.0),
    switch("keepOnlySet", "Whether all other fields are dropped.").or_false().until(2.0),
    list("values", VALUES, "The fields, by type.").called("Values to set").until(2.0),
    collection("options", &[DOTS], "What else to decide.").until(2.0),
    collection("options", &[KEEP_BINARY, IGNORE_ERRORS, DOTS], "What else to decide.").since(3.0).until(3.3),
    collection(
        "options",
        &[STRIP_BINARY.when(&[on("/includeOtherFields")]), IGNORE_ERRORS, DOTS],
        "What else to decide.",
    )
    .since(3.4),
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
            palette: palette(NodeGroup::Data, "pencil", &["edit", "map", "assign", "fields", "transform", "json"]),
            ..NodeDefinition::BLANK
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
