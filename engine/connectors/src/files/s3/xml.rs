//! The few forms of XML in which S3 answers: lists of flat elements, and what went wrong.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;
use timeloom_domain::item::JsonObject;

/// Every element of that name with what is directly in it, by name.
pub(super) fn elements(text: &str, wanted: &str) -> Vec<JsonObject> {
    let mut reader = Reader::from_str(text);
    let (mut found, mut path) = (Vec::new(), Vec::<String>::new());
    let (mut current, mut said) = (JsonObject::new(), String::new());
    loop {
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                path.push(String::from_utf8_lossy(element.local_name().as_ref()).into_owned());
                said.clear();
            }
            Ok(Event::Text(text)) => said.push_str(&text.unescape().unwrap_or_default()),
            Ok(Event::End(_)) => {
                let Some(name) = path.pop() else { return found };
                if name == wanted {
                    found.push(std::mem::take(&mut current));
                } else if path.last().is_some_and(|parent| parent == wanted) {
                    current.insert(name, Value::String(said.trim().to_owned()));
                }
                said.clear();
            }
            Ok(Event::Eof) | Err(_) => return found,
            Ok(_) => {}
        }
    }
}

/// The text of the first element of that name.
pub(super) fn text_of(text: &str, wanted: &str) -> Option<String> {
    let mut reader = Reader::from_str(text);
    let mut is_in = false;
    loop {
        match reader.read_event() {
            Ok(Event::Start(element)) => is_in = element.local_name().as_ref() == wanted.as_bytes(),
            Ok(Event::Text(text)) if is_in => return text.unescape().ok().map(|text| text.into_owned()),
            Ok(Event::End(_)) => is_in = false,
            Ok(Event::Eof) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LIST: &str = r#"<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
        <Contents><Key>a&amp;b</Key><Size>3</Size><Owner><ID>o</ID></Owner></Contents>
        <Contents><Key>c</Key><ETag>"x"</ETag></Contents><NextContinuationToken>t</NextContinuationToken>
        </ListBucketResult>"#;

    #[test]
    fn lists_and_texts_are_read() {
        let read: Vec<Value> = elements(LIST, "Contents").into_iter().map(Value::Object).collect();
        assert_eq!(read[0]["Key"], json!("a&b"));
        assert_eq!(read[0]["Size"], json!("3"));
        assert_eq!(read[1], json!({"Key": "c", "ETag": "\"x\""}));
        assert_eq!(text_of(LIST, "NextContinuationToken").as_deref(), Some("t"));
        assert_eq!(text_of(LIST, "None"), None);
        assert!(elements("<Contents><Key>a", "Contents").is_empty() && elements("no xml", "Contents").is_empty());
    }
}
