//! HTML: takes values out of markup, fills templates, makes tables. HTML Extract is the older node for the first of these.
//!
//! Never loads what a document refers to and never runs its scripts.

pub(crate) mod dom;
mod extract;
mod parameters;
mod select;
mod selector;
mod table;
mod text;

use std::sync::LazyLock;

use fancy_regex::Regex;
use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use self::dom::Document;
use self::parameters::{EXTRACT_PARAMETERS, PARAMETERS};
use crate::describe::{ONE_TO_ONE, palette};
use crate::values;
use extract::Dialect;

/// HTML.
pub(crate) struct Html;

/// HTML Extract.
pub(crate) struct HtmlExtract;

impl NodeType for Html {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.html",
            display_name: "HTML",
            description: "Takes values out of HTML, fills templates, and makes tables.",
            versions: &[1.0, 1.1, 1.2],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "code-xml", &["css selector", "scrape", "template", "table", "extract"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl NodeType for HtmlExtract {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.htmlExtract",
            display_name: "HTML Extract",
            description: "Takes values out of HTML. Newer workflows use HTML.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: EXTRACT_PARAMETERS,
            palette: palette(NodeGroup::Older, "code-xml", &["css selector", "scrape"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Html {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        match run.text("operation", 0, "generateHtmlTemplate")?.as_str() {
            "convertToHtmlTable" => table::run(run),
            "extractHtmlContent" => each(run, |run, item, index| extract::values(run, item, index, Dialect::Html)),
            "generateHtmlTemplate" => each(run, |run, _, index| Ok(vec![filled(run, index)?])),
            other => Err(NodeError::operation(format!("the operation '{other}' is not known"))),
        }
    }
}

impl PureNode for HtmlExtract {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        each(run, |run, item, index| extract::values(run, item, index, Dialect::HtmlExtract))
    }
}

fn each(
    run: &mut NodeRun<'_>,
    mut make: impl FnMut(&mut NodeRun<'_>, &Item, usize) -> Result<Vec<JsonObject>, NodeError>,
) -> Result<NodeOutput, NodeError> {
    let items = run.items();
    let mut made = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        match make(run, item, index) {
            Ok(objects) => made.extend(objects.into_iter().map(|json| Item::new(json).paired_with(index))),
            Err(error) if run.continues_on_fail() => made.push(run.failed_item(index, &error)),
            Err(error) => return Err(error.at_item(index)),
        }
    }
    Ok(NodeOutput::single(made))
}

/// A template with its expressions replaced by what they give. The field is no expression itself: its markup is kept.
fn filled(run: &mut NodeRun<'_>, index: usize) -> Result<JsonObject, NodeError> {
    let template = run.text("html", index, "")?;
    let mut html = String::with_capacity(template.len());
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((source, after)) = after.split_once("}}") else { break };
        html.push_str(before);
        let expression = Value::String(format!("={{{{{source}}}}}"));
        match run.resolve_with(&expression, index, &JsonObject::new())? {
            Some(value) => html.push_str(&values::text(&value)),
            None => html.push_str("undefined"),
        }
        rest = after;
    }
    html.push_str(rest);
    Ok(JsonObject::from_iter([("html".to_owned(), Value::String(html))]))
}

/// The text without its tags; those of blocks leave a line end between words.
pub(crate) fn without_tags(html: &str) -> String {
    static BLOCK: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?s)([^\n])</?(?:h|br|p|ul|ol|li|blockquote|section|table|tr|div)[^>]*>([^\n])").ok()
    });
    let Some(block) = BLOCK.as_ref() else { return html.to_owned() };
    let apart = block.replace_all(html, "$1\n$2");
    let mut text = String::with_capacity(apart.len());
    let mut rest: &str = &apart;
    while let Some((before, after)) = rest.split_once('<') {
        let Some((_, after)) = after.split_once('>') else { break };
        text.push_str(before);
        rest = after;
    }
    text.push_str(rest);
    text
}

/// The text with character references such as `&amp;` read.
pub(crate) fn decoded_text(text: &str) -> String {
    match Document::parse(&text.replace('<', "&lt;")) {
        Ok(document) => document.text(document.body()),
        Err(_) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Bench, pairs_of};

    #[test]
    fn templates_are_filled_with_what_expressions_give() {
        let html = "<h1>{{ $json.title }}</h1>{{ $json.missing }}<i>{{ $itemIndex }}</i>{{";
        let parameters = json!({"operation": "generateHtmlTemplate", "html": html});
        let mut bench = Bench::new(&Html, 1.2, parameters).input(json!([{"title": "A"}, {"title": "{{ 1 }}"}]));
        let expected = json!([
            {"html": "<h1>A</h1>undefined<i>0</i>{{"},
            {"html": "<h1>{{ 1 }}</h1>undefined<i>1</i>{{"},
        ]);
        assert_eq!(bench.output(), expected);
        assert_eq!(pairs_of(&bench.run().unwrap()), json!([{"item": 0}, {"item": 1}]));
    }

    #[test]
    fn texts_are_freed_of_markup() {
        assert_eq!(without_tags("<p>a</p><div>b<b>c</b>"), "a\nbc");
        assert_eq!(decoded_text("a &amp; b &lt;c&gt; < d"), "a & b <c> < d");
    }
}
