//! Markdown: turns Markdown into HTML and HTML into Markdown.

mod blocks;
mod from_html;
mod to_html;

use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, ParameterDefinition, ParameterKind};
use timeloom_domain::item::{Item, JsonObject, SharedObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use crate::describe::{ONE_TO_ONE, optional};
use crate::values;

const PARAMETERS: &[ParameterDefinition] = &[
    optional("mode", ParameterKind::Options(&["htmlToMarkdown", "markdownToHtml"]), "Which way to convert."),
    optional("html", ParameterKind::Text, "Mode htmlToMarkdown: the HTML."),
    optional("markdown", ParameterKind::Text, "Mode markdownToHtml: the Markdown."),
    optional("destinationKey", ParameterKind::Text, "Field that gets the result; `data` when absent."),
    optional(
        "options",
        ParameterKind::Structure,
        "Of HTML: `tables`, `tablesHeaderId`, `tasklists`, `splitAdjacentBlockquotes`, `strikethrough`, `noHeaderId`, `headerLevelStart`, `simpleLineBreaks`, \
         `openLinksInNewWindow`, `simplifiedAutoLink`, `completeHTMLDocument` and others. Of Markdown: `bulletMarker`, \
         `codeFence`, `emDelimiter`, `strongDelimiter`, `codeBlockStyle`, `ignore`, `keepDataImages`, \
         `maxConsecutiveNewlines`, `useLinkReferenceDefinitions`.",
    ),
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
