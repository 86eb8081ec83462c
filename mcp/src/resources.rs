//! Resources: a workflow or an execution under an address of its own, as its tool answers it.

use serde_json::{Value, json};

use crate::api::Api;
use crate::arguments::Arguments;
use crate::outcome::Refusal;
use crate::tools;

/// A kind of thing that has addresses.
struct Kind {
    /// What its addresses begin with.
    prefix: &'static str,
    /// The tool that reads it, and the argument with its id.
    tool: &'static str,
    argument: &'static str,
    title: &'static str,
    description: &'static str,
}

static KINDS: [Kind; 2] = [
    Kind {
        prefix: "timeloom://workflow/",
        tool: "get_workflow",
        argument: "workflowId",
        title: "A workflow",
        description: "A workflow with the definition of its draft and its newest versions, as get_workflow answers it.",
    },
    Kind {
        prefix: "timeloom://execution/",
        tool: "get_execution",
        argument: "executionId",
        title: "An execution",
        description: "An execution with the runs of its nodes, as get_execution answers it.",
    },
];

/// What the addresses look like.
pub(crate) fn templates() -> Value {
    let listed = KINDS.iter().map(|kind| {
        json!({
            "uriTemplate": format!("{}{{id}}", kind.prefix),
            "name": kind.tool.trim_start_matches("get_"),
            "title": kind.title,
            "description": kind.description,
            "mimeType": "application/json",
        })
    });
    Value::Array(listed.collect())
}

/// What is at an address; `None` where there are no such addresses.
///
/// # Errors
/// The refusal of the API.
pub(crate) async fn read(api: &dyn Api, uri: &str) -> Option<Result<Value, Refusal>> {
    let (kind, id) = KINDS.iter().find_map(|kind| Some((kind, uri.strip_prefix(kind.prefix)?)))?;
    let tool = tools::find(kind.tool)?;
    if !is_id(id) {
        return None;
    }
    let answer = tool.call(api, &Arguments::of_id(kind.argument, id)).await;
    Some(answer.map(|answer| {
        let text = Value::Object(answer.body).to_string();
        json!([{ "uri": uri, "mimeType": "application/json", "text": text }])
    }))
}

/// Whether a text may be an id: it goes no further otherwise.
fn is_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
