//! XML text into data.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Value, json};
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::NodeError;

/// Deepest nesting of elements.
const DEPTH_MAX: usize = 100;

/// How to read.
pub(super) struct Options {
    /// Field for attributes that are not merged.
    pub attributes_key: String,
    /// Field for the text of an element that has more than text.
    pub text_key: String,
    /// Children are lists even where there is one.
    pub arrays: bool,
    /// The root element's name is the first level.
    pub root: bool,
    /// Attributes are left out.
    pub ignore_attributes: bool,
    /// Attributes are fields like children.
    pub merge_attributes: bool,
    /// Runs of blanks in text become one.
    pub collapse: bool,
    /// Names of elements in lower case.
    pub lower_names: bool,
    /// Blanks around text are removed.
    pub trim: bool,
}

/// An element that is not closed yet.
struct Open {
    name: String,
    fields: JsonObject,
    text: String,
    /// The text is kept even where it is blank.
    has_cdata: bool,
}

/// The data in an XML text. What comes after its root element is not read.
///
/// # Errors
/// [`NodeError`] when it is not well-formed or nested too deeply.
pub(super) fn document(text: &str, how: &Options) -> Result<Value, NodeError> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}').trim());
    let mut open: Vec<Open> = Vec::new();
    let mut root: Option<(String, Value)> = None;
    loop {
        match reader.read_event().map_err(|error| malformed(&error))? {
            Event::Start(start) => open.push(opened(&start, open.len(), how)?),
            Event::Empty(start) => {
                let element = opened(&start, open.len(), how)?;
                close(element, &mut open, &mut root, how);
            }
            Event::End(_) => {
                if let Some(element) = open.pop() {
                    close(element, &mut open, &mut root, how);
                }
            }
            Event::Text(part) => {
                let part = part.unescape().map_err(|error| malformed(&error))?;
                match open.last_mut() {
                    Some(element) => element.text.push_str(&part),
                    None if part.trim().is_empty() => {}
                    None => return Err(malformed(&"there is text outside the root element")),
                }
            }
            Event::CData(part) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&String::from_utf8_lossy(&part));
                    element.has_cdata = true;
                }
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
        if root.is_some() {
            break;
        }
    }
    if let Some(element) = open.last() {
        return Err(malformed(&format!("the element '{}' is not closed", element.name)));
    }
    let (name, value) = root.ok_or_else(|| malformed(&"there is no element"))?;
    Ok(if how.root { json!({ name: value }) } else { value })
}

fn malformed(reason: &dyn std::fmt::Display) -> NodeError {
    NodeError::operation(format!("the XML is not well-formed: {reason}"))
}

fn opened(start: &BytesStart<'_>, depth: usize, how: &Options) -> Result<Open, NodeError> {
    if depth >= DEPTH_MAX {
        return Err(NodeError::operation(format!("the XML is nested more than {DEPTH_MAX} elements deep")));
    }
    let mut name = String::from_utf8_lossy(start.name().as_ref()).into_owned();
    if how.lower_names {
        name = name.to_lowercase();
    }
    let mut fields = JsonObject::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| malformed(&error))?;
        if how.ignore_attributes {
            continue;
        }
        let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
        let value = attribute.unescape_value().map_err(|error| malformed(&error))?;
        let value = Value::String(value.into_owned());
        if how.merge_attributes {
            add(&mut fields, key, value, how.arrays);
        } else if let Value::Object(attributes) = fields.entry(how.attributes_key.clone()).or_insert_with(|| json!({}))
        {
            attributes.insert(key, value);
        }
    }
    Ok(Open { name, fields, text: String::new(), has_cdata: false })
}

/// Makes the element a value and gives it to its parent, or makes it the root.
fn close(element: Open, open: &mut [Open], root: &mut Option<(String, Value)>, how: &Options) {
    let Open { name, mut fields, mut text, has_cdata } = element;
    let blank = text.trim().is_empty() && !has_cdata;
    // Blanks that are all that an element has stay as they are, whatever is asked for other texts.
    if how.trim && !blank {
        text = text.trim().to_owned();
    }
    if how.collapse && !blank {
        text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let value = match (blank, fields.is_empty()) {
        (_, true) => Value::String(text),
        (true, false) => Value::Object(fields),
        (false, false) => {
            fields.shift_insert(0, how.text_key.clone(), Value::String(text));
            Value::Object(fields)
        }
    };
    match open.last_mut() {
        Some(parent) => add(&mut parent.fields, name, value, how.arrays),
        None => *root = Some((name, value)),
    }
}

/// Adds a value under a name that may occur again: then the values are a list.
fn add(fields: &mut JsonObject, name: String, value: Value, always_list: bool) {
    match fields.get_mut(&name) {
        Some(Value::Array(list)) => list.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
        None => {
            fields.insert(name, if always_list { Value::Array(vec![value]) } else { value });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            attributes_key: "$".to_owned(),
            text_key: "_".to_owned(),
            arrays: false,
            root: true,
            ignore_attributes: false,
            merge_attributes: true,
            collapse: false,
            lower_names: false,
            trim: false,
        }
    }

    fn read(text: &str, how: &Options) -> Value {
        document(text, how).unwrap()
    }

    const SHOP: &str = "<?xml version=\"1.0\"?>\n<Shop id=\"7\">\n <Item n=\"1\">A &amp; B</Item><Item/>\n \
                        <note><![CDATA[<x>]]></note> </Shop>";

    #[test]
    fn elements_attributes_and_texts_become_fields() {
        let expected = json!({"Shop": {"id": "7", "Item": [{"_": "A & B", "n": "1"}, ""], "note": "<x>"}});
        assert_eq!(read(SHOP, &options()), expected);
    }

    #[test]
    fn options_change_the_shape() {
        let how = Options { merge_attributes: false, root: false, arrays: true, lower_names: true, ..options() };
        assert_eq!(
            read(SHOP, &how),
            json!({"$": {"id": "7"}, "item": [{"_": "A & B", "$": {"n": "1"}}, ""], "note": ["<x>"]})
        );
        let how = Options { ignore_attributes: true, collapse: true, ..options() };
        assert_eq!(read("<a b='1'> x \n y </a>", &how), json!({"a": "x y"}));
    }

    #[test]
    fn elements_without_text_are_empty_and_what_comes_after_the_root_is_not_read() {
        assert_eq!(read("<a></a>", &options()), json!({"a": ""}));
        assert_eq!(read("\u{feff} <a>\n<b/><c> </c></a>", &options()), json!({"a": {"b": "", "c": " "}}));
        for text in ["<a>1</a> ", "<a>1</a>x", "<a>1</a><b>2</b>", "<a>1</a><b>", "<a>1</a></a>"] {
            assert_eq!(read(text, &options()), json!({"a": "1"}), "{text}");
        }
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for text in ["", "text", "<a>", "<a></b>", "x<a/>", "<!-- c -->", "<a>&unknown;</a>", "<a b></a>"] {
            assert!(document(text, &options()).is_err(), "{text}");
        }
        let deep = "<a>".repeat(200) + &"</a>".repeat(200);
        assert!(document(&deep, &options()).unwrap_err().message.contains("nested more than 100"));
    }
}
