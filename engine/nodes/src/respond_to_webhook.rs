//! Respond to Webhook: the answer to the request that started the execution.
//!
//! The node only says what the answer is. An event tells of it, and whoever holds the connection sends it.

use serde_json::{Value, json};
use timeloom_domain::catalogue::{Choice, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::Node;
use timeloom_domain::execution::{Response, ResponseBody};
use timeloom_domain::item::Item;
use timeloom_engine::node::{
    Behaviour, NodeError, NodeOutput, NodeResponse, NodeRun, NodeShape, NodeType, PureNode, RequiredInputs,
};

use crate::describe::{
    ONE_TO_ONE, collection, is, json, list, long_text, many, number, options, outputs_vary, palette, switch, text,
    told, words,
};
use crate::lenient_json;

const RESPOND_WITH: &[Choice] = &[
    told("allIncomingItems", "All incoming items", "The JSON of all items."),
    told("binary", "Binary file", "An attachment of the first item."),
    told("firstIncomingItem", "First incoming item", "The JSON of the first item."),
    told("json", "JSON", "JSON of your own."),
    told("noData", "No data", "An answer without a body."),
    told("redirect", "Redirect", "Sends the caller to another address."),
    told("text", "Text", "A text of your own."),
];

const PARAMETERS: &[ParameterDefinition] = &[
    switch("enableResponseOutput", "Whether a second output gives the answer itself.").or_false().since(1.3),
    options("respondWith", RESPOND_WITH, "What to answer with.").or_text("firstIncomingItem"),
    text("redirectURL", "Where to send the caller.")
        .called("Redirect URL")
        .like("https://example.com")
        .when(&[is("respondWith", &["redirect"])]),
    json("responseBody", "The JSON to answer with.").like(r#"{"ok": true}"#).when(&[is("respondWith", &["json"])]),
    long_text("responseBody", "The text to answer with.").or_text("").when(&[is("respondWith", &["text"])]),
    options(
        "responseDataSource",
        &[
            told("automatically", "Choose automatically from input", "The first attachment."),
            told("set", "Specify myself", "The attachment that is named."),
        ],
        "Which attachment to answer with.",
    )
    .called("Response data source")
    .or_text("automatically")
    .when(&[is("respondWith", &["binary"])]),
    text("inputFieldName", "Name of the attachment.").or_text("data").when(&[is("responseDataSource", &["set"])]),
    collection(
        "options",
        &[
            number("responseCode", "Status of the answer, 200 to 599; 200 when absent, 307 for a redirect."),
            list(
                "responseHeaders",
                &[many(
                    "entries",
                    "Header",
                    &[text("name", "Name of the header."), text("value", "Value of the header.")],
                )],
                "Headers of the answer.",
            ),
            text("responseKey", "Field under which the items are put; dots make objects.")
                .called("Put response in field")
                .or_text("")
                .when(&[is("/respondWith", &["allIncomingItems", "firstIncomingItem"])]),
            switch("enableStreaming", "Whether more of the same answer follows, where the webhook streams.").or_false(),
        ],
        "What else to decide.",
    ),
];

/// Respond to Webhook.
pub(crate) struct RespondToWebhook;

impl NodeType for RespondToWebhook {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.respondToWebhook",
            display_name: "Respond to Webhook",
            description: "Answers the request that started the execution.",
            versions: &[1.0, 1.1, 1.2, 1.3, 1.4, 1.5],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Flow, "reply", &["response", "answer", "webhook", "return"]),
            port_names: outputs_vary(
                "It has a second output with the answer where that is chosen, from version 1.3 on.",
            ),
            ..NodeDefinition::BLANK
        }
    }

    fn shape(&self, node: &Node) -> NodeShape {
        NodeShape { inputs: 1, outputs: if gives_response(node) { 2 } else { 1 }, required_inputs: RequiredInputs::Any }
    }

    fn output_names(&self, node: &Node) -> Vec<String> {
        if gives_response(node) { vec!["input".to_owned(), "response".to_owned()] } else { Vec::new() }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for RespondToWebhook {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let body = body(run, &items)?;
        let status = status(run)?;
        let mut headers = headers(run)?;
        if let Some(location) = body.location {
            headers.push(("location".to_owned(), location));
        }
        let response = Response { status: status.unwrap_or(body.status), headers, body: body.body };
        let mut outputs = vec![items.to_vec()];
        if gives_response(run.node) {
            outputs.push(vec![response_item(&response)]);
        }
        // Where the webhook streams, the end of the execution is the end of the answer.
        let more = run.boolean("options.enableStreaming", 0, false)?;
        let response = Some(NodeResponse { response, more });
        Ok(NodeOutput { outputs, response, ..NodeOutput::default() })
    }
}

/// What a kind of answer says.
struct Body {
    body: ResponseBody,
    status: u16,
    location: Option<String>,
}

impl Body {
    fn of(body: ResponseBody) -> Self {
        Self { body, status: 200, location: None }
    }
}

fn gives_response(node: &Node) -> bool {
    if node.type_version < 1.3 {
        return false;
    }
    node.parameters.get("enableResponseOutput").and_then(Value::as_bool).unwrap_or(false)
}

fn body(run: &mut NodeRun<'_>, items: &[Item]) -> Result<Body, NodeError> {
    let first = || items.first().map_or_else(|| json!({}), |item| item.json.to_value());
    let value = match run.text("respondWith", 0, "firstIncomingItem")?.as_str() {
        "firstIncomingItem" => keyed(run, first())?,
        "allIncomingItems" => {
            let all = items.iter().map(|item| item.json.to_value()).collect();
            keyed(run, Value::Array(all))?
        }
        "json" => match run.parameter("responseBody", 0)? {
            None | Some(Value::Null) => json!({}),
            Some(Value::String(text)) if text.trim().is_empty() => json!({}),
            Some(Value::String(text)) => lenient_json::parse(&text).ok_or_else(|| {
                NodeError::operation("Invalid JSON in 'Response Body' field")
                    .described("Check that the syntax of the JSON in the 'Response Body' parameter is valid")
            })?,
            Some(value) => value,
        },
        "text" => return Ok(Body::of(ResponseBody::Text { text: run.text("responseBody", 0, "")? })),
        "binary" => return binary(run, items).map(Body::of),
        "redirect" => {
            let location = Some(run.text("redirectURL", 0, "")?).filter(|location| !location.is_empty());
            let location = location.ok_or_else(|| NodeError::operation("the URL to redirect to is empty"))?;
            return Ok(Body { body: ResponseBody::Empty, status: 307, location: Some(location) });
        }
        "noData" => return Ok(Body::of(ResponseBody::Empty)),
        "jwt" => {
            return Err(NodeError::operation("tokens are signed by the JWT node: respond with its output as JSON"));
        }
        other => {
            let known = words(RESPOND_WITH);
            return Err(NodeError::operation(format!("'{other}' is not a way to respond: use one of {known}")));
        }
    };
    Ok(Body::of(ResponseBody::Json { value }))
}

/// A value under the field that the options name.
fn keyed(run: &mut NodeRun<'_>, value: Value) -> Result<Value, NodeError> {
    let key = run.text("options.responseKey", 0, "")?;
    if key.is_empty() {
        return Ok(value);
    }
    Ok(key.rsplit('.').fold(value, |value, part| json!({ part: value })))
}

fn binary(run: &mut NodeRun<'_>, items: &[Item]) -> Result<ResponseBody, NodeError> {
    let named = run.text("responseDataSource", 0, "automatically")? == "set";
    let name = if named { Some(run.text("inputFieldName", 0, "data")?) } else { None };
    let attachments = items.first().and_then(|item| item.binary.as_ref()).filter(|binary| !binary.is_empty());
    let attachments = attachments.ok_or_else(|| NodeError::operation("No binary data exists on the first item!"))?;
    let found = match &name {
        Some(name) => attachments.get(name),
        None => attachments.values().next(),
    };
    let binary = found.cloned().ok_or_else(|| {
        NodeError::operation(format!("The binary property '{}' does not exist", name.unwrap_or_default()))
    })?;
    Ok(ResponseBody::Binary { binary })
}

fn status(run: &mut NodeRun<'_>) -> Result<Option<u16>, NodeError> {
    let Some(code) = run.parameter("options.responseCode", 0)? else { return Ok(None) };
    let number = match &code {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    let number = number.filter(|number| number.fract() == 0.0 && (200.0..600.0).contains(number));
    let refuse = || NodeError::operation(format!("{code} is not a status code: use a number of 200 to 599"));
    number.map(|number| Some(number as u16)).ok_or_else(refuse)
}

fn headers(run: &mut NodeRun<'_>) -> Result<Vec<(String, String)>, NodeError> {
    let Some(entries) = run.parameter("options.responseHeaders.entries", 0)? else { return Ok(Vec::new()) };
    let mut headers = Vec::new();
    for entry in entries.as_array().into_iter().flatten() {
        let text = |name: &str| match entry.get(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let (name, value) = (text("name").to_lowercase(), text("value"));
        if name.is_empty() {
            continue;
        }
        let is_plain = |text: &str| !text.chars().any(|character| character.is_control());
        if !is_plain(&name) || !is_plain(&value) {
            return Err(NodeError::operation(format!("the header '{}' has a line break in it", name.escape_debug())));
        }
        headers.push((name, value));
    }
    Ok(headers)
}

fn response_item(response: &Response) -> Item {
    let body = match &response.body {
        ResponseBody::Empty | ResponseBody::Page { .. } => Value::Null,
        ResponseBody::Json { value } => value.clone(),
        ResponseBody::Text { text } => Value::String(text.clone()),
        ResponseBody::Binary { binary } => json!({ "mimeType": binary.mime_type }),
    };
    let headers: serde_json::Map<String, Value> =
        response.headers.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    let json = json!({ "response": { "body": body, "headers": headers, "statusCode": response.status } });
    Item::new(json.as_object().cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    fn respond(parameters: Value) -> Result<NodeOutput, NodeError> {
        Bench::new(&RespondToWebhook, 1.5, parameters).input(json!([{"n": 1}, {"n": 2}])).run()
    }

    fn answer(parameters: Value) -> Response {
        respond(parameters).unwrap().response.unwrap().response
    }

    fn json_answer(parameters: Value) -> Value {
        match answer(parameters).body {
            ResponseBody::Json { value } => value,
            other => panic!("{other:?} is not JSON"),
        }
    }

    #[test]
    fn items_are_answered_as_they_are_and_go_on() {
        let output = respond(json!({})).unwrap();
        assert_eq!(output.outputs[0].len(), 2);
        assert_eq!(json_answer(json!({})), json!({"n": 1}));
        assert_eq!(json_answer(json!({"respondWith": "allIncomingItems"})), json!([{"n": 1}, {"n": 2}]));
        let keyed = json!({"respondWith": "allIncomingItems", "options": {"responseKey": "data.all"}});
        assert_eq!(json_answer(keyed), json!({"data": {"all": [{"n": 1}, {"n": 2}]}}));
    }

    #[test]
    fn a_body_may_be_json_text_a_redirect_or_nothing() {
        assert_eq!(json_answer(json!({"respondWith": "json", "responseBody": "{\"a\": 1}"})), json!({"a": 1}));
        assert_eq!(json_answer(json!({"respondWith": "json", "responseBody": {"a": 2}})), json!({"a": 2}));
        let text = answer(json!({"respondWith": "text", "responseBody": "n is {{ 1 }}"}));
        assert!(matches!(text.body, ResponseBody::Text { .. }));
        let redirect = answer(json!({"respondWith": "redirect", "redirectURL": "https://example.org/"}));
        assert_eq!(redirect.status, 307);
        assert_eq!(redirect.headers, [("location".to_owned(), "https://example.org/".to_owned())]);
        assert_eq!(answer(json!({"respondWith": "noData", "options": {"responseCode": 204}})).status, 204);
    }

    #[test]
    fn headers_are_sent_as_they_are_and_never_split() {
        let with = |value: &str| {
            let entries = json!([{"name": "X-Note", "value": value}]);
            json!({"options": {"responseHeaders": {"entries": entries}}})
        };
        assert_eq!(answer(with("seen")).headers, [("x-note".to_owned(), "seen".to_owned())]);
        let error = respond(with("seen\r\nset-cookie: a=b")).unwrap_err();
        assert_eq!(error.message, "the header 'x-note' has a line break in it");
    }

    #[test]
    fn the_answer_itself_is_a_second_output_where_asked_for() {
        let output = respond(json!({"enableResponseOutput": true, "options": {"responseCode": 202}})).unwrap();
        assert_eq!(output.outputs[1][0].json["response"]["statusCode"], json!(202));
    }

    #[test]
    fn what_cannot_be_answered_is_refused_in_words() {
        for (parameters, says) in [
            (json!({"options": {"responseCode": 99}}), "99 is not a status code"),
            (json!({"respondWith": "json", "responseBody": "{"}), "Invalid JSON in 'Response Body' field"),
            (json!({"respondWith": "binary"}), "No binary data exists on the first item!"),
            (json!({"respondWith": "song"}), "'song' is not a way to respond"),
        ] {
            let message = respond(parameters).unwrap_err().message;
            assert!(message.starts_with(says), "{message}");
        }
    }
}
