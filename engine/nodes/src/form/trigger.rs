//! The Form Trigger. The front that shows the form makes its item; here it is passed on.

use serde_json::Value;
use timeloom_domain::catalogue::{CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::{Node, Problem};
use timeloom_domain::form::{FORM_TRIGGER_TYPE, Form, SUBMITTED};
use timeloom_engine::node::{Behaviour, NodeType};

use super::ending_of;
use super::parameters::{BUTTON, DESCRIPTION, ENDING, FORM_FIELDS, STYLE, TITLE};
use crate::describe::{TRIGGER, choice, collection, is, needs, options, palette, switch, text, told};
use crate::values::has_expression;

const CREDENTIALS: &[CredentialDefinition] = &[needs("httpBasicAuth", &[is("authentication", &["basicAuth"])])];

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "authentication",
        &[choice("basicAuth", "Basic Auth"), choice("none", "None")],
        "How a person shows who they are.",
    )
    .or_text("none")
    .since(2.0),
    text("path", "Path of its page; the id of the node when empty.").like("contact").until(2.1),
    TITLE,
    DESCRIPTION,
    FORM_FIELDS,
    options(
        "responseMode",
        &[
            told("onReceived", "Form is submitted", "The end is shown at once."),
            told("lastNode", "Workflow finishes", "The end is shown when the workflow is done."),
            told("responseNode", "Using 'Respond to Webhook' node", "A node of the workflow answers."),
        ],
        "What the page after the form waits for.",
    )
    .called("Respond when")
    .or_text("onReceived"),
    collection(
        "options",
        &[
            BUTTON,
            STYLE,
            text("path", "Path of its page; the id of the node when empty.")
                .called("Form path")
                .like("contact")
                .since(2.2),
            text("formSubmittedText", "What is shown when the form is sent.")
                .called("Form submitted text")
                .or_text(SUBMITTED)
                .until(1.0),
            ENDING.since(2.0),
            switch("ignoreBots", "Whether robots are turned away.").or_false(),
            text("ipWhitelist", "Addresses and networks from which it is open, with commas between; all when empty.")
                .called("IP(s) allowlist")
                .like("203.0.113.0/24"),
            switch("useWorkflowTimezone", "Whether the time of sending is told in the workflow's zone, not in UTC.")
                .called("Use workflow timezone")
                .or_false()
                .until(2.0),
            switch("useWorkflowTimezone", "Whether the time of sending is told in the workflow's zone, not in UTC.")
                .called("Use workflow timezone")
                .or_true()
                .since(2.1),
        ],
        "What else to decide.",
    ),
];

/// The trigger of a workflow that a form starts.
pub(crate) struct FormTrigger;

impl NodeType for FormTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: FORM_TRIGGER_TYPE,
            display_name: "Form Trigger",
            description: "Starts when a person sends a form; gives the answers.",
            versions: &[1.0, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Triggers, "clipboard-list", &["form", "survey", "input", "page"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, value) in node.parameters.as_object().into_iter().flatten() {
            if has_expression(value) {
                let message = "is read before the workflow begins and cannot be an expression: write the value, or show \
                               what depends on the run on a page of a Form node";
                problems.push(Problem::of_parameter(node, name, message));
            }
        }
        if !problems.is_empty() {
            return problems;
        }
        if let Err(error) = Form::read(&node.parameters) {
            problems.push(Problem::of_parameter(node, "formFields", error.to_string()));
        }
        if let Err(message) = ending_of(node.parameters.get("options").unwrap_or(&Value::Null)) {
            problems.push(Problem::of_parameter(node, "options.respondWithOptions", message));
        }
        problems
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    fn problems(parameters: Value) -> Vec<String> {
        let bench = Bench::new(&FormTrigger, 2.2, parameters);
        FormTrigger.problems(&bench.node).into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn a_form_that_could_not_be_shown_keeps_a_workflow_from_being_active() {
        let field = |field: Value| json!({"formTitle": "Order", "formFields": {"values": [field]}});
        assert_eq!(problems(field(json!({"fieldLabel": "Name", "requiredField": true}))), Vec::<String>::new());
        for (parameters, says) in [
            (field(json!({"fieldType": "text"})), "field 1 of the form has no label and no name"),
            (field(json!({"fieldLabel": "Star", "fieldType": "constellation"})), "'constellation', which is not known"),
            (field(json!({"fieldLabel": "Size", "fieldType": "dropdown"})), "field 'Size' has no options"),
            (json!({"formFields": {"values": "Name"}}), "not a list of objects"),
            (json!({"formTitle": "={{ $now }}"}), "cannot be an expression"),
            (
                json!({"options": {"respondWithOptions": {"values": {"respondWith": "redirect", "redirectUrl": "javascript:alert(1)"}}}}),
                "'javascript:alert(1)' is no address of a page",
            ),
        ] {
            let told = problems(parameters);
            assert!(told.len() == 1 && told[0].contains(says), "{told:?}");
        }
    }
}
