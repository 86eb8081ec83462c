//! What the nodes that take requests say about their answer: its status, its headers, and what of the last node's items.

use serde_json::{Value, json};

use super::{Response, ResponseBody};
use crate::item::Item;

/// What a node that takes requests says about the answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AnswerSettings {
    data: Option<String>,
    code: Option<Value>,
    attachment: Option<String>,
    options: Value,
}

impl AnswerSettings {
    /// Reads them from the parameters that `parameter` gives by name, evaluated or as they are written.
    pub fn read(mut parameter: impl FnMut(&str) -> Option<Value>) -> Self {
        let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned));
        Self {
            data: text(parameter("responseData")),
            code: parameter("responseCode"),
            attachment: text(parameter("responseBinaryPropertyName")),
            options: parameter("options").unwrap_or(Value::Null),
        }
    }

    /// The status: 200 to 599, and 200 where the node says nothing that is one.
    pub fn status(&self) -> u16 {
        let chosen = self.options.pointer("/responseCode/values");
        let code = chosen.and_then(|values| match values.get("responseCode") {
            Some(Value::String(custom)) if custom == "customCode" => values.get("customCode"),
            other => other,
        });
        let number = code.or(self.code.as_ref()).and_then(|code| match code {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64(),
        });
        number.and_then(|code| u16::try_from(code).ok()).filter(|code| (200..600).contains(code)).unwrap_or(200)
    }

    /// Names and values of the headers, as the author wrote them.
    pub fn headers(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let entries = self.options.pointer("/responseHeaders/entries").and_then(Value::as_array);
        let entries = entries.into_iter().flatten();
        entries.filter_map(|entry| Some((entry.get("name")?.as_str()?.to_owned(), text(entry.get("value")?)))).collect()
    }

    /// The answer with what of the last node's items is wanted; one that says what is missing where that is not there.
    pub fn answer(&self, items: &[Item]) -> Response {
        let body = match self.data.as_deref() {
            Some("noData") => Ok(ResponseBody::Empty),
            Some("allEntries") => {
                let all = items.iter().map(|item| item.json.to_value()).collect();
                Ok(ResponseBody::Json { value: Value::Array(all) })
            }
            Some("firstEntryBinary") => self.first_attachment(items),
            _ => self.first_json(items),
        };
        match body {
            Ok(body) => {
                let mut headers = self.headers();
                if let Some(media_type) = self.options.get("responseContentType").and_then(Value::as_str) {
                    headers.push(("content-type".to_owned(), media_type.to_owned()));
                }
                Response { status: self.status(), headers, body }
            }
            Err(message) => {
                let value = json!({ "code": 0, "message": message });
                Response { status: 500, headers: Vec::new(), body: ResponseBody::Json { value } }
            }
        }
    }

    fn first_json(&self, items: &[Item]) -> Result<ResponseBody, String> {
        let first = items.first().ok_or("the last node gave no item to answer with")?;
        let path = self.options.get("responsePropertyName").and_then(Value::as_str).filter(|path| !path.is_empty());
        let Some(path) = path else { return Ok(ResponseBody::Json { value: first.json.to_value() }) };
        let mut keys = path.split('.');
        let top = keys.next().and_then(|key| first.json.get(key));
        let value = keys.try_fold(top, |value, key| Some(value?.get(key))).flatten().cloned().unwrap_or_default();
        let has_type = self.options.get("responseContentType").is_some();
        Ok(match value {
            Value::String(text) if has_type => ResponseBody::Text { text },
            value => ResponseBody::Json { value },
        })
    }

    fn first_attachment(&self, items: &[Item]) -> Result<ResponseBody, String> {
        let first = items.first().ok_or("the last node gave no item to answer with")?;
        let name = self.attachment.as_deref().filter(|name| !name.is_empty()).unwrap_or("data");
        let binary = first.binary.as_ref().and_then(|binary| binary.get(name)).cloned();
        let binary = binary.ok_or_else(|| format!("the last node's first item has no attachment '{name}'"))?;
        Ok(ResponseBody::Binary { binary })
    }
}
