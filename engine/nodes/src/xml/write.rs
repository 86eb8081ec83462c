//! Data into XML text.

use serde_json::Value;
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::NodeError;

use crate::values;

/// How to write.
pub(super) struct Options {
    /// Field whose object holds attributes.
    pub attributes_key: String,
    /// Field that holds an element's text.
    pub text_key: String,
    /// Name of the root element, where the data has no single field that names it.
    pub root: String,
    /// No XML declaration.
    pub headless: bool,
    /// Texts with markup in them are written as CDATA.
    pub cdata: bool,
}

/// The XML text of `data`.
///
/// # Errors
/// [`NodeError`] when a field's name cannot name an element.
pub(super) fn document(data: &JsonObject, how: &Options) -> Result<String, NodeError> {
    let mut text = String::new();
    if !how.headless {
        text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n");
    }
    let mut fields = data.iter();
    match (fields.next(), fields.next()) {
        (Some((name, value)), None) if how.root == "root" && *name != how.attributes_key && *name != how.text_key => {
            element(name, value, 0, how, &mut text)?;
        }
        _ => element(&how.root, &Value::Object(data.clone()), 0, how, &mut text)?,
    }
    Ok(text)
}

/// What an element holds, in order.
#[derive(Default)]
struct Content<'v> {
    attributes: Vec<(&'v str, String)>,
    texts: Vec<String>,
    children: Vec<(&'v str, &'v Value)>,
}

impl<'v> Content<'v> {
    fn collect(value: &'v Value, how: &Options) -> Self {
        let mut content = Self::default();
        content.add(value, how);
        content
    }

    fn add(&mut self, value: &'v Value, how: &Options) {
        match value {
            Value::Null => {}
            Value::Array(parts) => parts.iter().for_each(|part| self.add(part, how)),
            Value::Object(fields) => {
                for (name, field) in fields {
                    match field {
                        Value::Object(attributes) if *name == how.attributes_key => {
                            let written = attributes.iter().map(|(name, value)| (name.as_str(), plain(value)));
                            self.attributes.extend(written);
                        }
                        field if *name == how.text_key => self.texts.push(plain(field)),
                        Value::Array(parts) => self.children.extend(parts.iter().map(|part| (name.as_str(), part))),
                        field => self.children.push((name.as_str(), field)),
                    }
                }
            }
            other => self.texts.push(plain(other)),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        structure @ (Value::Array(_) | Value::Object(_)) => values::stringify(structure),
        value => values::text(value),
    }
}

fn element(name: &str, value: &Value, depth: usize, how: &Options, text: &mut String) -> Result<(), NodeError> {
    check_name(name)?;
    let content = Content::collect(value, how);
    text.push('<');
    text.push_str(name);
    for (attribute, value) in &content.attributes {
        check_name(attribute)?;
        text.push_str(&format!(" {attribute}=\"{}\"", escaped_attribute(value)));
    }
    let texts: Vec<&String> = content.texts.iter().filter(|part| !part.is_empty()).collect();
    if texts.is_empty() && content.children.is_empty() {
        text.push_str("/>");
        return Ok(());
    }
    text.push('>');
    if content.children.is_empty() {
        texts.iter().for_each(|part| text.push_str(&escaped_text(part, how)));
    } else {
        for part in texts {
            new_line(depth + 1, text);
            text.push_str(&escaped_text(part, how));
        }
        for (name, child) in content.children {
            new_line(depth + 1, text);
            element(name, child, depth + 1, how, text)?;
        }
        new_line(depth, text);
    }
    text.push_str("</");
    text.push_str(name);
    text.push('>');
    Ok(())
}

fn new_line(depth: usize, text: &mut String) {
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
}

/// Refuses a name that would break the markup.
fn check_name(name: &str) -> Result<(), NodeError> {
    let starts = |first: char| first.is_alphabetic() || matches!(first, '_' | ':');
    let goes_on = |next: char| starts(next) || next.is_numeric() || matches!(next, '-' | '.');
    if name.starts_with(starts) && name.chars().all(goes_on) {
        return Ok(());
    }
    Err(NodeError::operation(format!("'{name}' cannot name an XML element or attribute: rename the field")))
}

fn escaped_text(text: &str, how: &Options) -> String {
    if how.cdata && text.contains(['&', '<', '>']) {
        return format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"));
    }
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#xD;")
}

fn escaped_attribute(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    escaped.replace('\t', "&#x9;").replace('\n', "&#xA;").replace('\r', "&#xD;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn write(data: Value, change: impl FnOnce(&mut Options)) -> Result<String, String> {
        let mut how = Options {
            attributes_key: "$".to_owned(),
            text_key: "_".to_owned(),
            root: "root".to_owned(),
            headless: true,
            cdata: false,
        };
        change(&mut how);
        let Value::Object(data) = data else { panic!("not an object") };
        document(&data, &how).map_err(|error| error.message)
    }

    #[test]
    fn fields_become_elements() {
        let data =
            json!({"a": {"$": {"id": "1\""}, "b": ["x", {"c": true}], "d": null, "e": {"_": "t", "$": {"f": 2}}}});
        assert_eq!(
            write(data, |_| ()).unwrap(),
            "<a id=\"1&quot;\">\n  <b>x</b>\n  <b>\n    <c>true</c>\n  </b>\n  <d/>\n  <e f=\"2\">t</e>\n</a>"
        );
    }

    #[test]
    fn several_fields_share_a_root() {
        assert_eq!(write(json!({"a": 1, "b": "<"}), |_| ()).unwrap(), "<root>\n  <a>1</a>\n  <b>&lt;</b>\n</root>");
        let named = write(json!({"a": 1}), |how| {
            how.root = "top".to_owned();
            how.headless = false;
        });
        let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
        assert_eq!(named.unwrap(), format!("{declaration}<top>\n  <a>1</a>\n</top>"));
        assert_eq!(
            write(json!({"a": "x<y]]>"}), |how| how.cdata = true).unwrap(),
            "<a><![CDATA[x<y]]]]><![CDATA[>]]></a>"
        );
    }

    #[test]
    fn names_cannot_break_the_markup() {
        for name in ["a b", "1a", "", "a><b"] {
            assert!(write(json!({ name: 1 }), |_| ()).unwrap_err().contains("cannot name an XML element"), "{name}");
        }
    }
}
