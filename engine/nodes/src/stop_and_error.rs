//! Stop and Error: fails the execution on purpose, with the author's message or error object.

use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition, Ports};
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use crate::describe::{choice, is, json, long_text, options, palette, ports};
use crate::values;

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "errorType",
        &[choice("errorMessage", "Error message"), choice("errorObject", "Error object")],
        "Whether a message or an object says what went wrong.",
    )
    .or_text("errorMessage"),
    long_text("errorMessage", "The message.")
        .like("The order has no address")
        .or_text("")
        .when(&[is("errorType", &["errorMessage"])]),
    json("errorObject", "The error as JSON; its `message` is shown.")
        .like(r#"{"code": 404, "message": "There is no such order"}"#)
        .when(&[is("errorType", &["errorObject"])]),
];

const PORTS: Ports = ports(1, 0);

/// Stop and Error.
pub(crate) struct StopAndError;

impl NodeType for StopAndError {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.stopAndError",
            display_name: "Stop and Error",
            description: "Fails the execution with a message of your own.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: PORTS,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Flow, "octagon-x", &["throw", "fail", "abort", "exception"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for StopAndError {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        if run.text("errorType", 0, "errorMessage")? != "errorObject" {
            return Err(NodeError::operation(run.text("errorMessage", 0, "")?));
        }
        match run.parameter("errorObject", 0)? {
            Some(Value::Object(object)) => Err(own_error(object)),
            Some(Value::String(text)) => Err(match serde_json::from_str(&text) {
                Ok(object) => own_error(object),
                Err(error) => NodeError::operation(format!("the error object is not valid JSON: {error}")),
            }),
            _ => Err(NodeError::operation("the error object is missing: write an object with a 'message'")),
        }
    }
}

fn own_error(object: JsonObject) -> NodeError {
    let said = ["message", "description", "error"].iter().find_map(|key| object.get(*key)).map(values::text);
    let whole = Value::Object(object);
    let message = said.unwrap_or_else(|| format!("Error: {}", values::stringify(&whole)));
    let mut error = NodeError::operation(message);
    error.description = whole.get("description").map(values::text);
    error.data = Some(whole);
    error
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    #[test]
    fn fails_with_the_message() {
        let mut bench = Bench::new(&StopAndError, 1.0, json!({"errorMessage": "=no {{ $json.what }}"}))
            .input(json!([{"what": "x"}]));
        assert_eq!(bench.failure(), "no x");
    }

    #[test]
    fn fails_with_the_object() {
        let parameters = json!({"errorType": "errorObject", "errorObject": "{\"message\": \"gone\", \"code\": 410, \"description\": \"d\"}"});
        let error = Bench::new(&StopAndError, 1.0, parameters).input(json!([{}])).run().unwrap_err();
        assert_eq!((error.message.as_str(), error.description.as_deref()), ("gone", Some("d")));
        assert_eq!(error.data.unwrap()["code"], json!(410));
        let bad = json!({"errorType": "errorObject", "errorObject": "{"});
        assert!(Bench::new(&StopAndError, 1.0, bad).input(json!([{}])).failure().contains("not valid JSON"));
    }
}
