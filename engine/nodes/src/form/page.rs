//! Form: a further page of the form that started the execution, or the last one.
//!
//! A page holds the execution up until a person has filled it in. The last page is an answer: an event tells of it, and
//! whoever shows the pages draws it, also when it is asked for again after a restart.

use timeloom_domain::catalogue::{
    Choice, Condition, Language, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition,
};
use timeloom_domain::definition::{Node, Problem};
use timeloom_domain::execution::{Response, ResponseBody, ResumeKind, ResumeRule};
use timeloom_domain::form::{Ending, FORM_BYTES_MAX, FORM_TYPE, Form as Asked, web_address};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeResponse, NodeRun, NodeType, NodeWait, WaitNode};

use super::asked;
use super::parameters::{
    BUTTON, DESCRIPTION, FORM_FIELDS, LIMIT_AMOUNT, LIMIT_MOMENT, LIMIT_TYPE, LIMIT_UNIT, LIMIT_WAIT, STYLE, TITLE,
};
use crate::describe::{ONE_TO_ONE, choice, code, collection, is, json, long_text, options, palette, text, told, words};
use crate::values::has_expression;
use crate::wait::limit;

const OPERATIONS: &[Choice] =
    &[told("page", "Next form page", "A further page."), told("completion", "Form ending", "The last page.")];
const RESPOND_WITH: &[Choice] = &[
    told("text", "Show completion screen", "A heading and a few words."),
    told("redirect", "Redirect to URL", "Leads to another page."),
    told("showText", "Show text", "A page of your own."),
    told("returnBinary", "Return binary file", "A few words, and a file to take along."),
];

const PAGE: &[Condition] = &[is("operation", &["page"])];
const LAST: &[Condition] = &[is("operation", &["completion"])];
const WORDS: &[Condition] = &[is("respondWith", &["text", "returnBinary"])];

const PARAMETERS: &[ParameterDefinition] = &[
    options("operation", OPERATIONS, "Whether it is a further page or the last one.")
        .called("Page type")
        .or_text("page"),
    options(
        "defineForm",
        &[choice("fields", "Using fields below"), choice("json", "Using JSON")],
        "How the fields are written.",
    )
    .or_text("fields")
    .when(PAGE),
    FORM_FIELDS.when(&[is("defineForm", &["fields"])]),
    json("jsonOutput", "The fields as a list.")
        .called("Form fields")
        .like(r#"[{"fieldLabel": "Name"}]"#)
        .when(&[is("defineForm", &["json"])]),
    LIMIT_WAIT.when(PAGE),
    LIMIT_TYPE,
    LIMIT_AMOUNT,
    LIMIT_UNIT,
    LIMIT_MOMENT,
    options("respondWith", RESPOND_WITH, "What the last page shows.").called("Show").or_text("text").when(LAST),
    text("redirectUrl", "Where the last page leads.")
        .called("URL")
        .like("https://example.com")
        .when(&[is("respondWith", &["redirect"])]),
    text("completionTitle", "Heading of the last page.").or_text("").when(WORDS),
    long_text("completionMessage", "What stands below it; simple HTML.").or_text("").when(WORDS),
    code("responseText", Language::Html, "The last page as simple HTML.")
        .called("Text")
        .or_text("")
        .when(&[is("respondWith", &["showText"])]),
    text("inputDataFieldName", "The attachment that the last page offers.")
        .or_text("data")
        .when(&[is("respondWith", &["returnBinary"])]),
    collection("options", &[TITLE, DESCRIPTION, BUTTON, STYLE], "What else to decide.").when(PAGE),
    collection("options", &[STYLE], "What else to decide.").when(WORDS),
];

/// Form.
pub(crate) struct Form;

impl NodeType for Form {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: FORM_TYPE,
            display_name: "Form",
            description: "Shows a further page of a form and gives its answers, or shows the last page.",
            versions: &[1.0, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Flow, "clipboard-pen", &["form", "page", "input", "human"]),
            ..NodeDefinition::BLANK
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        let fields = node.parameters.get("formFields").or_else(|| node.parameters.get("jsonOutput"));
        let is_page = node.parameters.get("operation").is_none_or(|operation| operation == "page");
        // What depends on the run is looked at in the run.
        if !is_page || fields.is_some_and(has_expression) {
            return Vec::new();
        }
        match Asked::read(&node.parameters) {
            Ok(_) => Vec::new(),
            Err(error) => vec![Problem::of_parameter(node, "formFields", error.to_string())],
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Wait(self)
    }
}

impl WaitNode for Form {
    fn at_once(&self, run: &mut NodeRun<'_>) -> Result<Option<NodeOutput>, NodeError> {
        match run.text("operation", 0, "page")?.as_str() {
            "page" => Ok(None),
            "completion" => {
                let body = ResponseBody::Page { page: ending(run)? };
                let response = Response { status: 200, headers: Vec::new(), body };
                let response = Some(NodeResponse { response, more: false });
                Ok(Some(NodeOutput { outputs: vec![run.items().to_vec()], response, ..NodeOutput::default() }))
            }
            other => {
                let known = words(OPERATIONS).replace(", ", " or ");
                Err(NodeError::operation(format!("'{other}' is not an operation of this node: use {known}")))
            }
        }
    }

    fn wait(&self, run: &mut NodeRun<'_>) -> Result<Option<NodeWait>, NodeError> {
        let form = Some(Box::new(asked(run)?));
        let resume = ResumeRule { kind: ResumeKind::Form, method: None, suffix: None, form };
        let now_ms = run.scope.now_ms;
        Ok(Some(NodeWait { until_ms: limit(run, now_ms)?, resume: Some(resume) }))
    }
}

fn ending(run: &mut NodeRun<'_>) -> Result<Ending, NodeError> {
    let css = run.text("options.customCss", 0, "")?;
    let css = (!css.is_empty()).then_some(css);
    let ending = match run.text("respondWith", 0, "text")?.as_str() {
        "text" => {
            let (title, message) = told_words(run)?;
            Ending::Text { title, message, css }
        }
        "redirect" => {
            let address = run.text("redirectUrl", 0, "")?;
            let found = web_address(&address).ok_or_else(|| {
                let shown: String = address.chars().take(100).collect();
                let shown = shown.escape_debug();
                NodeError::operation(format!("'{shown}' is no address of a page"))
                    .described("use one that begins with http:// or https://")
            })?;
            Ending::Redirect { address: found }
        }
        "showText" => Ending::Html { html: run.text("responseText", 0, "")? },
        "returnBinary" => {
            let name = run.text("inputDataFieldName", 0, "data")?;
            let items = run.items();
            let found = items.first().and_then(|item| item.binary.as_ref()?.get(&name)).cloned();
            let file = found.ok_or_else(|| {
                NodeError::operation(format!("the first item has no attachment '{name}' to offer on the last page"))
            })?;
            let (title, message) = told_words(run)?;
            Ending::File { title, message, file: Box::new(file), css }
        }
        other => {
            let known = words(RESPOND_WITH);
            return Err(NodeError::operation(format!("'{other}' is not a last page: use one of {known}")));
        }
    };
    match &ending {
        Ending::Text { title, message, css } if too_long(&[title, message, css.as_deref().unwrap_or_default()]) => {
            Err(too_large())
        }
        Ending::Html { html } if too_long(&[html]) => Err(too_large()),
        _ => Ok(ending),
    }
}

fn told_words(run: &mut NodeRun<'_>) -> Result<(String, String), NodeError> {
    Ok((run.text("completionTitle", 0, "")?, run.text("completionMessage", 0, "")?))
}

fn too_long(texts: &[&str]) -> bool {
    texts.iter().map(|text| text.len()).sum::<usize>() > FORM_BYTES_MAX
}

fn too_large() -> NodeError {
    NodeError::operation(format!("the last page has more than {FORM_BYTES_MAX} bytes: show less"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Bench;

    fn bench(parameters: Value) -> Bench<'static> {
        let items = json!([{"json": {"size": "M"}, "binary": {"data": {"data": "aGk=", "mimeType": "text/plain"}}}]);
        Bench::new(&Form, 2.5, parameters).input(items)
    }

    fn last(parameters: Value) -> Result<Ending, NodeError> {
        let mut parameters = parameters;
        parameters["operation"] = json!("completion");
        let output = bench(parameters).at_once()?.unwrap();
        assert_eq!(output.outputs[0].len(), 1, "its items go on");
        match output.response.unwrap().response.body {
            ResponseBody::Page { page } => Ok(page),
            other => panic!("{other:?} is no page"),
        }
    }

    #[test]
    fn a_page_waits_with_its_form_as_it_is_at_that_moment() {
        let fields =
            json!({"values": [{"fieldLabel": "Size", "defaultValue": "={{ $json.size }}", "requiredField": true}]});
        let waits = bench(json!({"formFields": fields, "options": {"formTitle": "Details", "buttonLabel": "Next"}}));
        let wait = { waits }.wait().unwrap().unwrap();
        assert_eq!(wait.until_ms, None);
        let rule = wait.resume.unwrap();
        let form = rule.form.unwrap();
        assert_eq!(
            (rule.kind, form.title.as_str(), form.button.as_deref()),
            (ResumeKind::Form, "Details", Some("Next"))
        );
        assert_eq!((form.fields[0].default.as_slice(), form.fields[0].required), (["M".to_owned()].as_slice(), true));
        let limited = json!({"limitWaitTime": true, "resumeAmount": 2, "resumeUnit": "minutes"});
        assert_eq!(bench(limited).wait().unwrap().unwrap().until_ms, Some(1_715_949_045_678 + 120_000));
    }

    #[test]
    fn fields_may_be_one_json_text() {
        let text = r#"[{"fieldLabel": "Age", "fieldType": "number"}]"#;
        let wait = bench(json!({"defineForm": "json", "jsonOutput": text})).wait().unwrap().unwrap();
        assert_eq!(wait.resume.unwrap().form.unwrap().fields[0].name, "Age");
        let error = bench(json!({"defineForm": "json", "jsonOutput": "[{"})).wait().unwrap_err();
        assert!(error.message.starts_with("the fields of the form are not JSON"), "{}", error.message);
    }

    #[test]
    fn a_last_page_shows_words_a_page_a_file_or_the_way_to_another() {
        let text = json!({"completionTitle": "Thanks", "completionMessage": "={{ $json.size }}"});
        let words = Ending::Text { title: "Thanks".to_owned(), message: "M".to_owned(), css: None };
        assert_eq!(last(text).unwrap(), words);
        let html = json!({"respondWith": "showText", "responseText": "<b>Done</b>"});
        assert_eq!(last(html).unwrap(), Ending::Html { html: "<b>Done</b>".to_owned() });
        let file = last(json!({"respondWith": "returnBinary", "inputDataFieldName": "data"})).unwrap();
        assert!(matches!(file, Ending::File { file, .. } if file.data == "aGk="));
        let away = json!({"respondWith": "redirect", "redirectUrl": "example.org/x"});
        assert_eq!(last(away).unwrap(), Ending::Redirect { address: "http://example.org/x".to_owned() });
    }

    #[test]
    fn what_no_last_page_may_be_is_refused_in_words() {
        for (parameters, says) in [
            (
                json!({"respondWith": "redirect", "redirectUrl": "javascript:alert(1)"}),
                "'javascript:alert(1)' is no address",
            ),
            (json!({"respondWith": "returnBinary", "inputDataFieldName": "x"}), "the first item has no attachment 'x'"),
            (json!({"respondWith": "song"}), "'song' is not a last page"),
        ] {
            let message = last(parameters).unwrap_err().message;
            assert!(message.starts_with(says), "{message}");
        }
        let error = bench(json!({"operation": "dance"})).at_once().unwrap_err();
        assert_eq!(error.message, "'dance' is not an operation of this node: use page or completion");
    }
}
