//! Markdown: turns Markdown into HTML and HTML into Markdown.

mod blocks;
mod from_html;
mod to_html;

use serde_json::Value;
use timeloom_domain::catalogue::{Language, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, JsonObject, SharedObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use crate::describe::{ONE_TO_ONE, choice, code, collection, is, number, options, palette, switch, text};
use crate::values;

const FROM_HTML: &[ParameterDefinition] = &[
    text("bulletMarker", "What begins an entry of a list.").or_text("*"),
    text("codeFence", "What stands above and below code.").called("Code block fence").or_text("```"),
    text("emDelimiter", "What stands around what is emphasised.").called("Emphasis delimiter").or_text("_"),
    text("strongDelimiter", "What stands around what is strong.").or_text("**"),
    text("strikeDelimiter", "What stands around what is struck out.").or_text("~~"),
    options(
        "codeBlockStyle",
        &[choice("fence", "Between fences"), choice("indented", "Indented")],
        "How code is written.",
    )
    .or_text("fence"),
    text("ignore", "Elements that are left out, with commas between.")
        .called("Ignored elements")
        .like("h1, p")
        .or_text(""),
    switch("keepDataImages", "Whether pictures that are written in the HTML are kept.")
        .called("Keep images with data")
        .or_false(),
    number("maxConsecutiveNewlines", "Most line ends in a row.").or_number(3.0),
    switch("useLinkReferenceDefinitions", "Whether addresses stand at the end.")
        .called("Place URLs at the bottom")
        .or_false(),
];

const TO_HTML: &[ParameterDefinition] = &[
    switch("tables", "Whether tables are read.").called("Tables support").or_false(),
    switch("tablesHeaderId", "Whether heads of tables have an id.").called("Tables header ID").or_false(),
    switch("strikethrough", "Whether text between `~~` is struck out.").or_false(),
    switch("tasklists", "Whether `- [x]` is a box with a tick.").called("Tasklists").or_false(),
    switch("simpleLineBreaks", "Whether each line end is one in the HTML.").called("Simple line breaks").or_false(),
    switch("splitAdjacentBlockquotes", "Whether a blank line ends a quotation.").or_false(),
    switch("simplifiedAutoLink", "Whether addresses in the text become links.")
        .called("Automatic linking of URLs")
        .or_false(),
    switch("openLinksInNewWindow", "Whether links open in a new window.").or_false(),
    switch("completeHTMLDocument", "Whether a whole document is given.").called("Complete HTML document").or_false(),
    switch("noHeaderId", "Whether headings have no id.").called("No header ID").or_false(),
    switch("ghCompatibleHeaderId", "Whether ids of headings have dashes for blanks, as GitHub's.")
        .called("GitHub compatible header IDs")
        .or_false(),
    text("prefixHeaderId", "What ids of headings begin with.").called("Prefix header ID").or_text(""),
    number("headerLevelStart", "Level of the first heading, 1 to 6.").called("Header level start").or_number(1.0),
];

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "mode",
        &[choice("markdownToHtml", "Markdown to HTML"), choice("htmlToMarkdown", "HTML to Markdown")],
        "Which way to convert.",
    )
    .or_text("htmlToMarkdown"),
    code("html", Language::Html, "The HTML.").called("HTML").or_text("").when(&[is("mode", &["htmlToMarkdown"])]),
    code("markdown", Language::Markdown, "The Markdown.").or_text("").when(&[is("mode", &["markdownToHtml"])]),
    text("destinationKey", "Field that gets the result; dots lead into objects.").or_text("data"),
    collection("options", FROM_HTML, "How the Markdown is written.").when(&[is("mode", &["htmlToMarkdown"])]),
    collection("options", TO_HTML, "How the Markdown is read.").when(&[is("mode", &["markdownToHtml"])]),
];

/// Longest text to convert.
const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Markdown.
pub(crate) struct Markdown;

impl NodeType for Markdown {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.markdown",
            display_name: "Markdown",
            description: "Turns Markdown into HTML and HTML into Markdown.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "file-text", &["html", "convert", "md"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Markdown {
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

fn convert(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<SharedObject, NodeError> {
    let field = run.text("destinationKey", index, "data")?;
    let from_html = run.text("mode", index, "htmlToMarkdown")? == "htmlToMarkdown";
    let text = run.text(if from_html { "html" } else { "markdown" }, index, "")?;
    if text.len() > TEXT_BYTES_MAX {
        return Err(NodeError::operation(format!("the text has more than {TEXT_BYTES_MAX} bytes")));
    }
    let options = match run.parameter("options", index)? {
        Some(Value::Object(options)) => options,
        _ => JsonObject::new(),
    };
    let made = if from_html { from_html::markdown(&text, &options)? } else { to_html::html(&text, &options) };
    let mut json = item.json.clone();
    values::set(&mut json, &field, Value::String(made), true);
    Ok(json)
}

/// A flag among the options.
fn flag(options: &JsonObject, name: &str) -> bool {
    options.get(name).is_some_and(values::truthy)
}

/// A text among the options.
fn option<'o>(options: &'o JsonObject, name: &str, default: &'o str) -> &'o str {
    options.get(name).and_then(Value::as_str).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    #[test]
    fn the_result_is_put_beside_the_fields_of_the_item() {
        let parameters = json!({"mode": "markdownToHtml", "markdown": "={{ $json.text }}", "destinationKey": "a.b"});
        let output = Bench::new(&Markdown, 1.0, parameters).input(json!([{"text": "*x*"}])).output();
        assert_eq!(output, json!([{"text": "*x*", "a": {"b": "<p><em>x</em></p>"}}]));
        let output = Bench::new(&Markdown, 1.0, json!({"html": "<b>x</b>"})).input(json!([{}])).output();
        assert_eq!(output, json!([{"data": "**x**"}]));
    }
}
