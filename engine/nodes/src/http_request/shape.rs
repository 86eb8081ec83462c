//! Items that the author's own expression makes of an answer: a list within it, parts of it, or something else.
//!
//! Never sends anything. Invariant: an answer that tells of failure is a failure before an expression sees it.

use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};

use super::request::Answer;
use super::respond;

/// The items that the expression gives for item `index`: one for each element of a list, none for null, one for anything
/// else. It sees `seen`, in which `$response` is the answer.
///
/// # Errors
/// [`NodeError`] when the expression fails or gives nothing.
pub(super) fn items(
    run: &mut NodeRun<'_>,
    answer: &Answer,
    seen: &JsonObject,
    index: usize,
) -> Result<Vec<Item>, NodeError> {
    let Some(expression) = &answer.items else { return Ok(Vec::new()) };
    let parts = match run.resolve_with(expression, index, seen)? {
        None => {
            return Err(NodeError::operation("the option Items gives nothing for this answer")
                .described("check what the expression reads: the body of the answer may be of another shape"));
        }
        Some(Value::Null) => Vec::new(),
        Some(Value::Array(elements)) => elements,
        Some(value) => vec![value],
    };
    let item = |part: Value| Item::new(respond::object(part, &answer.property)).paired_with(index);
    Ok(parts.into_iter().map(item).collect())
}
