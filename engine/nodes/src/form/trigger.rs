//! The Form Trigger. The front that shows the form makes its item; here it is passed on.

use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, ParameterDefinition, ParameterKind};
use timeloom_domain::definition::{Node, Problem};
use timeloom_domain::form::{FORM_TRIGGER_TYPE, Form};
use timeloom_engine::node::{Behaviour, NodeType};

use super::ending_of;
use crate::describe::{TRIGGER, optional};
use crate::values::has_expression;

const PARAMETERS: &[ParameterDefinition] = &[
    optional("path", ParameterKind::Text, "Path of its page; newer versions have it in the options."),
    optional("authentication", ParameterKind::Options(&["none", "basicAuth"]), "How a person shows who they are."),
    optional("formTitle", ParameterKind::Text, "Heading of the page."),
    optional("formDescription", ParameterKind::Text, "What stands below the heading; simple HTML."),
    optional(
        "formFields",
        ParameterKind::Structure,
        "What is asked: label, name, type, options, whether it must be filled in.",
    ),
    optional(
        "responseMode",
        ParameterKind::Options(&["onReceived", "lastNode", "responseNode"]),
        "What the page after the form waits for.",
    ),
    optional(
        "options",
        ParameterKind::Structure,
        "Path, label of the button, what is shown at the end, style, robots, time zone.",
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
