//! XML: turns XML text into data and data into XML text.
//!
//! Never resolves outside entities. What elements, attributes and texts become in JSON is what users of xml2js know.

mod parse;
mod write;

use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use crate::describe::{ONE_TO_ONE, choice, collection, is, options, palette, switch, text};
use crate::values;

const ATTRIBUTES_KEY: ParameterDefinition =
    text("attrkey", "Field that holds the attributes of an element.").called("Attribute key").or_text("$");
const TEXT_KEY: ParameterDefinition =
    text("charkey", "Field that holds the text of an element beside attributes.").called("Character key").or_text("_");

const READING: &[ParameterDefinition] = &[
    ATTRIBUTES_KEY,
    TEXT_KEY,
    switch("explicitArray", "Whether a child is a list even where there is one.").called("Explicit array").or_false(),
    switch("explicitRoot", "Whether the root element is a field.").called("Explicit root").or_true(),
    switch("ignoreAttrs", "Whether attributes are left out.").called("Ignore attributes").or_false(),
    switch("mergeAttrs", "Whether attributes are fields beside children.").called("Merge attributes").or_true(),
    switch("normalize", "Whether blanks within texts become one.").or_false(),
    switch("normalizeTags", "Whether names of elements become small letters.").or_false(),
    switch("trim", "Whether blanks around texts are left out.").or_false(),
];

const WRITING: &[ParameterDefinition] = &[
    ATTRIBUTES_KEY,
    TEXT_KEY,
    text("rootName", "Name of the root element.").or_text("root"),
    switch("headless", "Whether the line that says XML is left out.").or_false(),
    switch("cdata", "Whether texts are kept as they are, in CDATA.").called("CDATA").or_false(),
];

const PARAMETERS: &[ParameterDefinition] = &[
    options("mode", &[choice("jsonToxml", "JSON to XML"), choice("xmlToJson", "XML to JSON")], "Which way to convert.")
        .or_text("xmlToJson"),
    text("dataPropertyName", "Field that holds the XML.").called("Property name").or_text("data"),
    collection("options", READING, "How the XML is read.").when(&[is("mode", &["xmlToJson"])]),
    collection("options", WRITING, "How the XML is written.").when(&[is("mode", &["jsonToxml"])]),
];

/// XML.
pub(crate) struct Xml;

impl NodeType for Xml {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.xml",
            display_name: "XML",
            description: "Turns XML text into data and data into XML text.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "file-code", &["json", "convert", "parse"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Xml {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let mut made = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            made.push(match convert(run, item, index) {
                Ok(json) => Item::new(json).paired_with(index),
                Err(error) if run.continues_on_fail() => run.failed_item(index, &error),
                Err(error) => return Err(error.at_item(index)),
            });
        }
        Ok(NodeOutput::single(made))
    }
}

/// The data in an XML text, every child in a list, attributes apart: the shape that feeds are read in.
pub(crate) fn in_lists(text: &str) -> Result<Value, NodeError> {
    parse::document(text, &apart())
}

/// The data in an XML text, a child that is there several times as a list, attributes apart: the shape in which answers of
/// services are read.
pub(crate) fn in_fields(text: &str) -> Result<Value, NodeError> {
    parse::document(text, &parse::Options { arrays: false, ..apart() })
}

/// Attributes and texts in fields of their own, everything else as it is written.
fn apart() -> parse::Options {
    parse::Options {
        attributes_key: "$".to_owned(),
        text_key: "_".to_owned(),
        arrays: true,
        root: true,
        ignore_attributes: false,
        merge_attributes: false,
        collapse: false,
        lower_names: false,
        trim: false,
    }
}

fn convert(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<JsonObject, NodeError> {
    let property = run.text("dataPropertyName", index, "data")?;
    let attributes_key = run.text("options.attrkey", index, "$")?;
    let text_key = run.text("options.charkey", index, "_")?;
    if run.text("mode", index, "xmlToJson")? == "jsonToxml" {
        let how = write::Options {
            attributes_key,
            text_key,
            root: run.text("options.rootName", index, "root")?,
            headless: run.boolean("options.headless", index, false)?,
            cdata: run.boolean("options.cdata", index, false)?,
        };
        let text = write::document(&item.json, &how)?;
        return Ok(JsonObject::from_iter([(property, Value::String(text))]));
    }
    let Some(source) = item.json.get(&property) else {
        return Err(NodeError::operation(format!("the item has no field '{property}' with XML text")));
    };
    let source = values::text(source);
    if source.trim().is_empty() {
        return Err(NodeError::operation(format!("the field '{property}' is empty: there is no XML text to read")));
    }
    let how = parse::Options {
        attributes_key,
        text_key,
        arrays: run.boolean("options.explicitArray", index, false)?,
        root: run.boolean("options.explicitRoot", index, true)?,
        ignore_attributes: run.boolean("options.ignoreAttrs", index, false)?,
        merge_attributes: run.boolean("options.mergeAttrs", index, true)?,
        collapse: run.boolean("options.normalize", index, false)?,
        lower_names: run.boolean("options.normalizeTags", index, false)?,
        trim: run.boolean("options.trim", index, false)?,
    };
    match parse::document(&source, &how)? {
        Value::Object(fields) => Ok(fields),
        other => Ok(JsonObject::from_iter([(property, other)])),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    #[test]
    fn what_is_written_reads_the_same() {
        let data = json!({"book": {"title": "A & B", "tag": ["x", "y"], "year": "1999"}});
        let written = Bench::new(&Xml, 1.0, json!({"mode": "jsonToxml"})).input(json!([data])).output();
        let read = Bench::new(&Xml, 1.0, json!({})).input(written).output();
        assert_eq!(read, json!([data]));
    }

    #[test]
    fn bad_xml_fails_its_item_alone_when_told_to_go_on() {
        for blank in ["", " \n"] {
            let mut bench = Bench::new(&Xml, 1.0, json!({})).input(json!([{"data": blank}]));
            assert_eq!(bench.failure(), "the field 'data' is empty: there is no XML text to read");
        }
        let input = json!([{"data": "<a><b></a>"}, {"data": "<a>1</a>"}, {}]);
        let mut bench = Bench::new(&Xml, 1.0, json!({})).input(input);
        assert!(bench.failure().starts_with("the XML is not well-formed"));
        let output = bench.continue_on_fail().output();
        assert_eq!(output[1], json!({"a": "1"}));
        assert!(output[0]["error"].is_string() && output[2]["error"].is_string());
    }
}
