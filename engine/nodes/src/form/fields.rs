//! The form that a node asks for, with its expressions evaluated.

use serde_json::Value;
use timeloom_domain::form::{Ending, Form};
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{NodeError, NodeRun};

/// The parameters that make a form.
const FORM_PARAMETERS: [&str; 6] =
    ["formTitle", "formDescription", "formFields", "defineForm", "jsonOutput", "options"];

/// The form of a node for its first item.
///
/// # Errors
/// [`NodeError`] when an expression fails, or the parameters are no form.
pub(crate) fn asked(run: &mut NodeRun<'_>) -> Result<Form, NodeError> {
    let mut parameters = JsonObject::new();
    for name in FORM_PARAMETERS {
        if let Some(value) = run.parameter(name, 0)? {
            parameters.insert(name.to_owned(), value);
        }
    }
    Form::read(&Value::Object(parameters)).map_err(|error| NodeError::operation(error.to_string()))
}

/// What a node's options say about the end of its form.
///
/// # Errors
/// A message for its author.
pub(crate) fn ending_of(options: &Value) -> Result<Ending, String> {
    Ending::read(options).map_err(|address| {
        let shown: String = address.chars().take(100).collect();
        format!("'{}' is no address of a page: use one that begins with http:// or https://", shown.escape_debug())
    })
}
