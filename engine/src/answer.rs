//! What an execution answers at its end to the request that started it: what its last node gave, as the webhook's node says.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::execution::{NodeFacts, Response, ResponseBody, TriggerFacts};
use timeloom_domain::item::{Item, Items};
use timeloom_expressions::evaluator::Session;

use crate::attempt::{Attempt, Surroundings};
use crate::machine::{Machine, Task};

/// The answer, where the execution was started by a request that waits for its end.
pub(crate) fn at_end(
    machine: &Machine,
    surroundings: &Arc<Surroundings>,
    session: &mut Session,
    now_ms: i64,
) -> Option<Response> {
    let start = machine.start();
    let Some(TriggerFacts::Webhook { .. }) = start.trigger else { return None };
    let trigger = machine.plan().graph.index(&start.start_node)?;
    let parameters = &machine.plan().node(trigger).parameters;
    if parameters.get("responseMode").and_then(Value::as_str) != Some("lastNode") {
        return None;
    }
    let facts = NodeFacts { node: start.start_node.clone(), run_index: 0, execution_index: 0, sources: Vec::new() };
    let inputs = vec![Some(Arc::new(start.items.clone()))];
    let task = Task { node: trigger, facts, inputs, attempts: 0 };
    let attempt = Attempt::prepare(machine, task, surroundings, now_ms);
    let mut asked = |name: &str| parameters.get(name).and_then(|value| attempt.resolve(session, value));
    let settings = Settings {
        data: text(asked("responseData")),
        code: asked("responseCode"),
        binary: text(asked("responseBinaryPropertyName")),
        options: asked("options").unwrap_or(Value::Null),
    };
    Some(settings.answer(&last_items(machine)))
}

/// What a webhook's node says about its answer.
struct Settings {
    data: Option<String>,
    code: Option<Value>,
    binary: Option<String>,
    options: Value,
}

impl Settings {
    fn answer(&self, items: &[Item]) -> Response {
        let body = match self.data.as_deref() {
            Some("noData") => Ok(ResponseBody::Empty),
            Some("allEntries") => {
                let all = items.iter().map(|item| Value::Object(item.json.clone())).collect();
                Ok(ResponseBody::Json { value: Value::Array(all) })
            }
            Some("firstEntryBinary") => self.first_binary(items),
            _ => self.first_json(items),
        };
        match body {
            Ok(body) => Response { status: self.status(), headers: self.headers(), body },
            Err(message) => {
                let value = json!({ "code": 0, "message": message });
                Response { status: 500, headers: Vec::new(), body: ResponseBody::Json { value } }
            }
        }
    }

    fn status(&self) -> u16 {
        let chosen = self.options.pointer("/responseCode/values");
        let code = chosen.and_then(|values| match values.get("responseCode") {
            Some(Value::String(custom)) if custom == "customCode" => values.get("customCode"),
            other => other,
        });
        let code = code.or(self.code.as_ref());
        let number = code.and_then(|code| match code {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64(),
        });
        number.and_then(|code| u16::try_from(code).ok()).filter(|code| (200..600).contains(code)).unwrap_or(200)
    }

    fn headers(&self) -> Vec<(String, String)> {
        let entries = self.options.pointer("/responseHeaders/entries").and_then(Value::as_array);
        let mut headers: Vec<(String, String)> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| Some((entry.get("name")?.as_str()?.to_owned(), plain(entry.get("value")?))))
            .collect();
        if let Some(content_type) = self.options.get("responseContentType").and_then(Value::as_str) {
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        headers
    }

    fn first_json(&self, items: &[Item]) -> Result<ResponseBody, String> {
        let first = items.first().ok_or("No item to return was found")?;
        let path = self.options.get("responsePropertyName").and_then(Value::as_str).filter(|path| !path.is_empty());
        let Some(path) = path else { return Ok(ResponseBody::Json { value: Value::Object(first.json.clone()) }) };
        let step = |value: Option<Value>, key: &str| value.and_then(|value| value.get(key).cloned());
        let value = path.split('.').fold(Some(Value::Object(first.json.clone())), step).unwrap_or(Value::Null);
        let has_type = self.options.get("responseContentType").is_some();
        Ok(match value {
            Value::String(text) if has_type => ResponseBody::Text { text },
            value => ResponseBody::Json { value },
        })
    }

    fn first_binary(&self, items: &[Item]) -> Result<ResponseBody, String> {
        let first = items.first().ok_or("No item was found to return")?;
        let name = self.binary.as_deref().filter(|name| !name.is_empty()).unwrap_or("data");
        let binary = first.binary.as_ref().and_then(|binary| binary.get(name)).cloned();
        let binary =
            binary.ok_or_else(|| format!("The binary property '{name}' was not found in the last node's item"))?;
        Ok(ResponseBody::Binary { binary })
    }
}

/// The items of the last node's first output that has any.
fn last_items(machine: &Machine) -> Items {
    let outputs = machine.last_run().and_then(|(node, run)| machine.data().outputs(node, run));
    // What cannot be read any more answers as what gave nothing: the run itself has ended well.
    let outputs = outputs.and_then(Result::ok).unwrap_or_default();
    outputs.iter().find(|items| !items.is_empty()).cloned().unwrap_or_default()
}

fn text(value: Option<Value>) -> Option<String> {
    value.and_then(|value| value.as_str().map(str::to_owned))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
