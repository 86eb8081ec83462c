//! What is other in one state than in another, a line each.

use json_patch::PatchOperation;
use serde_json::Value;

/// Most changes that are shown.
pub(crate) const CHANGES_MAX: usize = 1_000;
/// Longest value that is shown, in characters.
const SHOWN_CHARACTERS_MAX: usize = 120;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Came { path: String, now: String },
    Went { path: String, before: String },
    Other { path: String, before: String, now: String },
}

/// The changes from one state to another, at most [`CHANGES_MAX`] and how many more there are.
pub(crate) fn changes(before: &Value, now: &Value) -> (Vec<Change>, usize) {
    let patch = json_patch::diff(before, now).0;
    let more = patch.len().saturating_sub(CHANGES_MAX);
    (patch.iter().take(CHANGES_MAX).map(|operation| change(before, operation)).collect(), more)
}

fn change(before: &Value, operation: &PatchOperation) -> Change {
    let path = operation.path().to_string();
    let was = before.pointer(&path).map(shown);
    match operation {
        PatchOperation::Add(add) => Change::Came { path, now: shown(&add.value) },
        PatchOperation::Replace(replace) => {
            Change::Other { path, before: was.unwrap_or_default(), now: shown(&replace.value) }
        }
        _ => Change::Went { path, before: was.unwrap_or_default() },
    }
}

/// A value in one line, which is cut off where it is long.
pub(crate) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_came_what_went_and_what_became_something_else_are_told_apart() {
        let before = json!({ "status": "running", "wait": 1, "runs": [] });
        let now = json!({ "status": "completed", "runs": [{ "node": "Set" }] });
        let (mut found, more) = changes(&before, &now);
        found.sort_by_key(|change| format!("{change:?}"));
        let path = |path: &str| path.to_owned();
        assert_eq!(
            (found, more),
            (
                vec![
                    Change::Came { path: path("/runs/0"), now: r#"{"node":"Set"}"#.to_owned() },
                    Change::Other {
                        path: path("/status"),
                        before: "\"running\"".to_owned(),
                        now: "\"completed\"".to_owned()
                    },
                    Change::Went { path: path("/wait"), before: "1".to_owned() },
                ],
                0
            )
        );
    }
}
