//! Values out of markup: what an author's selectors name, as text, markup, an attribute or a form's value.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};

use super::dom::{Document, NodeId};
use super::select::select;
use super::text::readable;
use crate::transform::fields::{group_flag, group_text, groups};
use crate::values;

/// Which node asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// HTML: trims where the author asks for it, and leaves empty texts out before version 1.2.
    Html,
    /// HTML Extract: trims unless told otherwise, never cleans up, and keeps empty texts.
    HtmlExtract,
}

/// The objects of one item: one for each text of markup that it holds.
pub(super) fn values(
    run: &mut NodeRun<'_>,
    item: &Item,
    index: usize,
    dialect: Dialect,
) -> Result<Vec<JsonObject>, NodeError> {
    let wanted = groups(run, "extractionValues.values", index)?;
    let is_newer = dialect == Dialect::Html;
    let cleaning = Cleaning {
        trim: run.boolean("options.trimValues", index, !is_newer)?,
        collapse: is_newer && run.boolean("options.cleanUpText", index, false)?,
    };
    let readable_texts = run.version() >= 1.2;
    let mut made = Vec::new();
    for html in sources(run, item, index)? {
        let document = Document::parse(&html)?;
        let mut object = JsonObject::new();
        for value in &wanted {
            let key = group_text(value, "key", "");
            let found = select(&document, &group_text(value, "cssSelector", ""))?;
            let taking = Taking { document: &document, wanted: value, readable_texts, keeps_empty: !is_newer };
            if group_flag(value, "returnArray") {
                let mut list = Vec::with_capacity(found.len());
                for element in found {
                    list.push(taking.take(&[element])?.map_or(Value::Null, |text| cleaning.clean(text)));
                }
                object.insert(key, Value::Array(list));
            } else if let Some(text) = taking.take(&found)? {
                object.insert(key, cleaning.clean(text));
            }
        }
        made.push(object);
    }
    Ok(made)
}

/// The texts of markup of an item.
fn sources(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Vec<String>, NodeError> {
    let property = run.text("dataPropertyName", index, "data")?;
    if run.text("sourceData", index, "json")? == "binary" {
        let attachment = item.binary.as_ref().and_then(|binary| binary.get(&property));
        let attachment =
            attachment.ok_or_else(|| NodeError::operation(format!("the item has no attachment '{property}'")))?;
        let bytes = STANDARD
            .decode(&attachment.data)
            .map_err(|_| NodeError::operation(format!("the attachment '{property}' is not valid base64")))?;
        return Ok(vec![String::from_utf8_lossy(&bytes).into_owned()]);
    }
    let missing = || NodeError::operation(format!("the item has no field '{property}' with HTML: check its name"));
    Ok(match values::get(&item.json, &property, true).ok_or_else(missing)? {
        Value::Array(parts) => parts.iter().map(values::text).collect(),
        value => vec![values::text(value)],
    })
}

#[derive(Clone, Copy)]
struct Cleaning {
    trim: bool,
    collapse: bool,
}

impl Cleaning {
    fn clean(self, text: String) -> Value {
        let text = if self.trim { text.trim().to_owned() } else { text };
        Value::String(match self.collapse {
            true => text.split_whitespace().collect::<Vec<_>>().join(" "),
            false => text,
        })
    }
}

/// What is taken of an element.
struct Taking<'d> {
    document: &'d Document,
    wanted: &'d JsonObject,
    readable_texts: bool,
    keeps_empty: bool,
}

impl Taking<'_> {
    /// The value of these elements: of all their texts together, or of the first where there is but one.
    fn take(&self, elements: &[NodeId]) -> Result<Option<String>, NodeError> {
        let first = elements.first().copied();
        Ok(match group_text(self.wanted, "returnValue", "text").as_str() {
            "attribute" => {
                let name = group_text(self.wanted, "attribute", "");
                first.and_then(|id| self.document.attribute(id, &name)).map(str::to_owned)
            }
            "html" => first.map(|id| self.document.inner_html(id)).filter(|html| !html.is_empty()),
            "value" => first.and_then(|id| self.form_value(id)),
            _ if self.readable_texts => Some(self.readable(first)?),
            _ => {
                let texts: String = elements.iter().map(|id| self.document.text(*id)).collect();
                Some(texts).filter(|texts| self.keeps_empty || !texts.is_empty())
            }
        })
    }

    fn readable(&self, element: Option<NodeId>) -> Result<String, NodeError> {
        let Some(element) = element else { return Ok(String::new()) };
        let mut skipped = HashSet::new();
        for selector in group_text(self.wanted, "skipSelectors", "").split(',') {
            skipped.extend(select(self.document, selector)?);
        }
        readable(self.document, self.document.children(element), &skipped)
    }

    /// What a form would send for the element.
    fn form_value(&self, id: NodeId) -> Option<String> {
        let value = self.document.attribute(id, "value").map(str::to_owned);
        match self.document.name(id)? {
            "textarea" => Some(self.document.text(id)),
            "select" => {
                let options = select(self.document, "option").ok()?;
                let mine = options.into_iter().filter(|option| self.is_inside(*option, id));
                let chosen = mine.clone().find(|option| self.document.attribute(*option, "selected").is_some());
                let option = chosen.or_else(|| mine.clone().next())?;
                Some(self.document.attribute(option, "value").map_or_else(|| self.document.text(option), str::to_owned))
            }
            "input" if matches!(self.document.attribute(id, "type"), Some("checkbox" | "radio")) => {
                Some(value.unwrap_or_else(|| "on".to_owned()))
            }
            _ => value,
        }
    }

    fn is_inside(&self, inner: NodeId, outer: NodeId) -> bool {
        let mut above = self.document.parent(inner);
        while let Some(node) = above {
            if node == outer {
                return true;
            }
            above = self.document.parent(node);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::html::{Html, HtmlExtract};
    use crate::testing::Bench;

    const PAGE: &str = "<h1> A  <b>b</b>\n c </h1><p>one</p><p> two</p><a href=\" /x \">l</a><form><input value=v>
        <select><option value=1>a<option selected>b</select><textarea>t</textarea></form>";

    fn values(of: &[(&str, serde_json::Value)]) -> serde_json::Value {
        let values: Vec<_> = of
            .iter()
            .map(|(key, value)| {
                let mut value = value.clone();
                value["key"] = json!(key);
                value
            })
            .collect();
        json!({"values": values})
    }

    #[test]
    fn selectors_say_what_is_taken() {
        let wanted = values(&[
            ("title", json!({"cssSelector": "h1"})),
            ("inner", json!({"cssSelector": "h1", "returnValue": "html"})),
            ("link", json!({"cssSelector": "a", "returnValue": "attribute", "attribute": "href"})),
            ("texts", json!({"cssSelector": "p", "returnArray": true})),
            ("together", json!({"cssSelector": "p"})),
            ("fields", json!({"cssSelector": "input, select, textarea", "returnValue": "value", "returnArray": true})),
            ("none", json!({"cssSelector": "h6"})),
            ("noHtml", json!({"cssSelector": "h6", "returnValue": "html"})),
        ]);
        let parameters = json!({"operation": "extractHtmlContent", "extractionValues": wanted});
        let input = json!([{ "data": PAGE }]);
        let of_older = Bench::new(&HtmlExtract, 1.0, parameters.clone()).input(input.clone()).output();
        assert_eq!(
            of_older,
            json!([{
                "title": "A  b\n c", "inner": "A  <b>b</b>\n c", "link": "/x", "texts": ["one", "two"],
                "together": "one two", "fields": ["v", "b", "t"], "none": "",
            }])
        );
        assert_eq!(
            Bench::new(&Html, 1.0, parameters).input(input).output(),
            json!([{
                "title": " A  b\n c ", "inner": " A  <b>b</b>\n c ", "link": " /x ", "texts": ["one", " two"],
                "together": "one two", "fields": ["v", "b", "t"],
            }])
        );
    }

    #[test]
    fn texts_are_trimmed_and_cleaned_as_the_author_wishes() {
        let run = |options: serde_json::Value| {
            let wanted = values(&[("t", json!({"cssSelector": "h1"}))]);
            let parameters = json!({"operation": "extractHtmlContent", "extractionValues": wanted, "options": options});
            Bench::new(&Html, 1.1, parameters).input(json!([{ "data": PAGE }])).output()[0]["t"].clone()
        };
        assert_eq!(run(json!({"trimValues": false})), json!(" A  b\n c "));
        assert_eq!(run(json!({"trimValues": true})), json!("A  b\n c"));
        assert_eq!(run(json!({"cleanUpText": true})), json!("A b c"));
    }

    #[test]
    fn newer_texts_are_for_reading() {
        let wanted = values(&[("t", json!({"cssSelector": "body", "skipSelectors": "form, a"}))]);
        let parameters = json!({"operation": "extractHtmlContent", "extractionValues": wanted});
        let output = Bench::new(&Html, 1.2, parameters).input(json!([{ "data": PAGE }])).output();
        assert_eq!(output, json!([{"t": "A B C\n\none\n\ntwo"}]));
    }

    #[test]
    fn lists_attachments_and_paths_hold_markup_too() {
        let wanted = values(&[("b", json!({"cssSelector": "b"}))]);
        let parameters = |more: serde_json::Value| {
            let mut parameters = json!({"operation": "extractHtmlContent", "extractionValues": wanted});
            parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            parameters
        };
        let listed = json!([{"page": {"html": ["<b>1</b>", "<b>2</b>"]}}]);
        let by_path = parameters(json!({"dataPropertyName": "page.html"}));
        assert_eq!(Bench::new(&Html, 1.1, by_path).input(listed).output(), json!([{"b": "1"}, {"b": "2"}]));
        let attached = json!([{"json": {}, "binary": {"f": {"data": "PGI+MzwvYj4=", "mimeType": "text/html"}}}]);
        let of_file = parameters(json!({"sourceData": "binary", "dataPropertyName": "f"}));
        assert_eq!(Bench::new(&Html, 1.2, of_file).input(attached).output(), json!([{"b": "3"}]));
        let missing = Bench::new(&Html, 1.0, parameters(json!({}))).input(json!([{}])).failure();
        assert!(missing.contains("has no field 'data'"), "{missing}");
    }
}
