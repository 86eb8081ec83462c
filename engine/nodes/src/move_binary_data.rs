//! Convert to/from binary data (older node): moves data between an item's JSON and its attachments.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use timeloom_domain::catalogue::{Condition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, SharedObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use crate::describe::{ONE_TO_ONE, collection, is, off, options, palette, switch, text, told};
use crate::{files, values};

const TO_JSON: &[Condition] = &[is("mode", &["binaryToJson"])];
const TO_BINARY: &[Condition] = &[is("mode", &["jsonToBinary"])];

const ENCODING: ParameterDefinition = options("encoding", files::ENCODINGS, "How the text is written.").or_text("utf8");
const KEEP_SOURCE: ParameterDefinition =
    switch("keepSource", "Whether what is moved stays where it was as well.").or_false();
const KEEP_BASE64: ParameterDefinition = switch("keepAsBase64", "Whether the bytes are given as base64.")
    .called("Keep as base64")
    .or_false()
    .when(&[off("/setAllData")]);

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "mode",
        &[
            told("binaryToJson", "Binary to JSON", "Moves an attachment into the JSON."),
            told("jsonToBinary", "JSON to binary", "Moves JSON into an attachment."),
        ],
        "Which way the data moves.",
    )
    .or_text("binaryToJson"),
    switch("setAllData", "Whether the attachment becomes all of the JSON.").or_true().when(TO_JSON),
    switch("convertAllData", "Whether all of the JSON becomes the attachment.").or_true().when(TO_BINARY),
    text("sourceKey", "Attachment that the data is taken from.").or_text("data").when(TO_JSON),
    text("sourceKey", "Field that the data is taken from.").or_text("data").when(&[off("convertAllData")]),
    text("destinationKey", "Field that gets the data.").or_text("data").when(&[off("setAllData")]),
    text("destinationKey", "Attachment that gets the data.").or_text("data").when(TO_BINARY),
    collection(
        "options",
        &[
            ENCODING,
            switch("stripBOM", "Whether a mark at the beginning is left out.").called("Strip BOM").or_true(),
            switch("jsonParse", "Whether the text is read as JSON.")
                .called("JSON parse")
                .or_false()
                .when(&[off("/setAllData")]),
            KEEP_BASE64,
            KEEP_SOURCE,
        ],
        "What else to decide.",
    )
    .when(TO_JSON),
    collection(
        "options",
        &[
            ENCODING,
            switch("addBOM", "Whether a mark stands at the beginning.").called("Add BOM").or_false(),
            switch("dataIsBase64", "Whether the text holds bytes as base64.").called("Data is base64").or_false(),
            text("fileName", "Name of the file.").like("orders.json"),
            text("mimeType", "Media type of the file.").called("MIME type").or_text("application/json"),
            switch("useRawData", "Whether a text is kept as it is, not written as JSON.").or_false(),
            KEEP_SOURCE,
        ],
        "What else to decide.",
    )
    .when(TO_BINARY),
];

/// The Move Binary Data node.
pub(crate) struct MoveBinaryData;

impl NodeType for MoveBinaryData {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.moveBinaryData",
            display_name: "Convert to/from binary data",
            description: "Moves data between the JSON of items and their attachments.",
            versions: &[1.0, 1.1],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Older, "arrow-left-right", &["binary", "file", "convert"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for MoveBinaryData {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let mut output = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let options = Options { chosen: run.parameter("options", index)?.unwrap_or_default() };
            let to_binary = run.text("mode", index, "binaryToJson")? == "jsonToBinary";
            let moved = if to_binary { attach(run, item, index, &options) } else { detach(run, item, index, &options) };
            match moved {
                Ok(moved) => output.extend(moved.map(|moved| moved.paired_with(index))),
                Err(error) if run.continues_on_fail() => output.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(NodeOutput::single(output))
    }
}

/// The options for one item.
struct Options {
    chosen: Value,
}

impl Options {
    fn is_on(&self, name: &str, default: bool) -> bool {
        self.chosen.get(name).map_or(default, values::truthy)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.chosen.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn encoding(&self) -> &str {
        self.text("encoding").unwrap_or("utf8")
    }
}

/// The item with an attachment's text in its JSON; `None` when there is no such attachment.
fn detach(run: &mut NodeRun<'_>, item: &Item, index: usize, options: &Options) -> Result<Option<Item>, NodeError> {
    let source = run.text("sourceKey", index, "data")?;
    let Some(attachment) = item.binary.as_ref().and_then(|binary| binary.get(&source)) else { return Ok(None) };
    let mut moved = item.clone();
    if run.boolean("setAllData", index, true)? {
        let text = files::text_of(run, attachment, options.encoding(), options.is_on("stripBOM", true))?;
        moved.json = match serde_json::from_str(&text) {
            Ok(Value::Object(fields)) => fields.into(),
            Ok(_) => return Err(NodeError::operation(format!("the JSON in '{source}' is not an object"))),
            Err(error) => return Err(NodeError::operation(format!("'{source}' does not hold JSON: {error}"))),
        };
    } else {
        let destination = run.text("destinationKey", index, "data")?;
        let value = if options.is_on("keepAsBase64", false) {
            Value::String(files::base64_of(run, attachment)?)
        } else {
            let text = files::text_of(run, attachment, options.encoding(), options.is_on("stripBOM", true))?;
            if options.is_on("jsonParse", false) {
                serde_json::from_str(&text)
                    .map_err(|error| NodeError::operation(format!("'{source}' does not hold JSON: {error}")))?
            } else {
                Value::String(text)
            }
        };
        values::set(&mut moved.json, &destination, value, true);
    }
    if !options.is_on("keepSource", false)
        && let Some(binary) = &mut moved.binary
    {
        binary.remove(&source);
        moved.binary = moved.binary.take().filter(|binary| !binary.is_empty());
    }
    Ok(Some(moved))
}

/// The item with a part of its JSON as an attachment; `None` when there is no such part.
fn attach(run: &mut NodeRun<'_>, item: &Item, index: usize, options: &Options) -> Result<Option<Item>, NodeError> {
    let all = run.boolean("convertAllData", index, true)?;
    let source = run.text("sourceKey", index, "data")?;
    let destination = run.text("destinationKey", index, "data")?;
    let value = if all { Some(item.json.to_value()) } else { values::get(&item.json, &source, true).cloned() };
    let Some(value) = value else { return Ok(None) };
    let is_json = !options.is_on("useRawData", false) || value.is_object() || value.is_array();
    let (data, default_name) = if options.is_on("dataIsBase64", false) {
        (values::text(&value), "file".to_owned())
    } else {
        let text = if is_json { values::stringify(&value) } else { values::text(&value) };
        let name = if is_json { format!("file_{index}.json") } else { "file".to_owned() };
        (STANDARD.encode(files::bytes_of(&text, options.encoding(), options.is_on("addBOM", false))?), name)
    };
    let mime_type = options.text("mimeType").unwrap_or("application/json");
    let is_newer_json = run.version() > 1.0 && mime_type == "application/json";
    let default_name = if is_newer_json { "file.json".to_owned() } else { default_name };
    let file_name = options.text("fileName").map_or(default_name, str::to_owned);
    let attachment = files::attachment(data, mime_type, file_name);
    let mut moved = item.clone();
    moved.binary.get_or_insert_default().insert(destination, attachment);
    if !options.is_on("keepSource", false) {
        if all {
            moved.json = SharedObject::default();
        } else {
            values::unset(&mut moved.json, &source, true);
        }
    }
    Ok(Some(moved))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    #[test]
    fn files_of_version_1_1_have_no_number_in_their_name() {
        let mut bench = Bench::new(&MoveBinaryData, 1.1, json!({"mode": "jsonToBinary"})).input(json!([{"a": 1}]));
        let output = bench.run().unwrap();
        let attachments = output.outputs[0][0].binary.as_ref().unwrap();
        assert_eq!(attachments["data"].file_name.as_deref(), Some("file.json"));
    }

    #[test]
    fn json_goes_into_an_attachment_and_back() {
        let there =
            json!({"mode": "jsonToBinary", "convertAllData": false, "sourceKey": "a.b", "destinationKey": "file"});
        let output =
            Bench::new(&MoveBinaryData, 1.0, there).input(json!([{"a": {"b": {"n": 1}}, "c": 2}])).run().unwrap();
        let item = &output.outputs[0][0];
        assert_eq!(item.json.to_value(), json!({"a": {}, "c": 2}));
        let attachment = &item.binary.as_ref().unwrap()["file"];
        assert_eq!((attachment.file_name.as_deref(), attachment.data.as_str()), (Some("file_0.json"), "eyJuIjoxfQ=="));

        let items = json!([item]);
        let back = json!({"mode": "binaryToJson", "sourceKey": "file"});
        let output = Bench::new(&MoveBinaryData, 1.0, back).input(items.clone()).run().unwrap();
        assert_eq!((output.outputs[0][0].json.to_value(), &output.outputs[0][0].binary), (json!({"n": 1}), &None));

        let beside =
            json!({"setAllData": false, "sourceKey": "file", "destinationKey": "x", "options": {"keepSource": true}});
        let output = Bench::new(&MoveBinaryData, 1.0, beside).input(items).run().unwrap();
        assert_eq!(output.outputs[0][0].json.to_value(), json!({"a": {}, "c": 2, "x": "{\"n\":1}"}));
        assert!(output.outputs[0][0].binary.is_some());
    }

    #[test]
    fn items_without_the_data_are_dropped() {
        let mut bench = Bench::new(&MoveBinaryData, 1.0, json!({})).input(json!([{"a": 1}]));
        assert_eq!(bench.output(), json!([]));
    }

    #[test]
    fn raw_text_is_attached_as_it_is_in_its_encoding() {
        let parameters = json!({
            "mode": "jsonToBinary", "convertAllData": false, "sourceKey": "t",
            "options": {"useRawData": true, "encoding": "latin1", "fileName": "a.txt", "mimeType": "text/plain"},
        });
        let output = Bench::new(&MoveBinaryData, 1.1, parameters).input(json!([{"t": "é"}])).run().unwrap();
        let attachment = output.outputs[0][0].binary.as_ref().unwrap()["data"].clone();
        assert_eq!((attachment.data.as_str(), attachment.mime_type.as_str()), ("6Q==", "text/plain"));
        assert_eq!(attachment.file_extension.as_deref(), Some("txt"));
    }
}
