//! Rename Keys: gives fields other names, one by one or by pattern. Values stay as they are.

use fancy_regex::Regex;
use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use super::fields::{group_flag, group_text, groups, passed_on};
use crate::describe::{ONE_TO_ONE, collection, list, many, number, palette, switch, text};
use crate::values;

const PATTERNS: ParameterDefinition = list(
    "regexReplacement",
    &[many(
        "replacements",
        "Pattern",
        &[
            text("searchRegex", "The regular expression.").called("Regular expression").like("^old_").or_text(""),
            text("replaceRegex", "What comes in its place; $1 is what the first parentheses found.")
                .called("Replace with")
                .or_text(""),
            collection(
                "options",
                &[
                    switch("caseInsensitive", "Whether large and small letters are alike.").or_false(),
                    number("depth", "How many levels below the top to go; -1 for all.")
                        .called("Max depth")
                        .or_number(-1.0),
                ],
                "How the pattern is looked for.",
            ),
        ],
    )],
    "Patterns to replace in names.",
)
.called("Regular expressions");

const PARAMETERS: &[ParameterDefinition] = &[
    list(
        "keys",
        &[many(
            "key",
            "Key",
            &[
                text("currentKey", "Name of the field; dots lead into objects.")
                    .called("Current key name")
                    .like("mail"),
                text("newKey", "Its new name.").called("New key name").like("email"),
            ],
        )],
        "Pairs of a field's name and its new name.",
    ),
    collection("additionalOptions", &[PATTERNS], "What else to decide."),
];

/// Rename Keys.
pub(crate) struct RenameKeys;

impl NodeType for RenameKeys {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.renameKeys",
            display_name: "Rename Keys",
            description: "Gives fields other names.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "text-cursor-input", &["rename", "field", "key", "column"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for RenameKeys {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let mut renamed = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            renamed.push(rename(run, item, index).map_err(|error| error.at_item(index))?);
        }
        Ok(NodeOutput::single(renamed))
    }
}

fn rename(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Item, NodeError> {
    let mut renamed = passed_on(item, index);
    for group in groups(run, "keys.key", index)? {
        let current = group_text(&group, "currentKey", "");
        let new = group_text(&group, "newKey", "");
        if current.is_empty() || new.is_empty() || current == new {
            continue;
        }
        if let Some(value) = values::get(&item.json, &current, true) {
            values::set(&mut renamed.json, &new, value.clone(), true);
            values::unset(&mut renamed.json, &current, true);
        }
    }
    for group in groups(run, "additionalOptions.regexReplacement.replacements", index)? {
        let pattern = Pattern::read(&group)?;
        renamed.json = pattern.rename(renamed.json.into_object(), pattern.depth).into();
    }
    Ok(renamed)
}

/// A pattern to replace in names.
struct Pattern {
    regex: Regex,
    replacement: String,
    /// How many levels below the top to go; negative means all.
    depth: i64,
}

impl Pattern {
    fn read(group: &JsonObject) -> Result<Self, NodeError> {
        let options = match group.get("options") {
            Some(Value::Object(options)) => options.clone(),
            _ => JsonObject::new(),
        };
        let source = group_text(group, "searchRegex", "");
        let flagged = if group_flag(&options, "caseInsensitive") { format!("(?i){source}") } else { source.clone() };
        let regex = Regex::new(&flagged)
            .map_err(|error| NodeError::operation(format!("the pattern '{source}' is not valid: {error}")))?;
        let depth = options.get("depth").map_or(-1.0, values::number);
        Ok(Self { regex, replacement: group_text(group, "replaceRegex", ""), depth: depth as i64 })
    }

    fn rename(&self, object: JsonObject, depth: i64) -> JsonObject {
        let mut kept = JsonObject::new();
        let mut moved = Vec::new();
        for (key, value) in object {
            let value = if depth == 0 { value } else { self.rename_below(value, depth - 1) };
            let new = self.new_name(&key);
            if new == key {
                kept.insert(key, value);
            } else {
                moved.push((new, value));
            }
        }
        // Renamed fields come last, as when a field is added and the old one deleted.
        kept.extend(moved);
        kept
    }

    fn rename_below(&self, value: Value, depth: i64) -> Value {
        match value {
            Value::Object(fields) => Value::Object(self.rename(fields, depth)),
            Value::Array(elements) if depth != 0 => {
                elements.into_iter().map(|element| self.rename_below(element, depth - 1)).collect()
            }
            other => other,
        }
    }

    /// The first match replaced; a name on which matching gives up is left alone.
    fn new_name(&self, key: &str) -> String {
        let Ok(Some(captures)) = self.regex.captures(key) else { return key.to_owned() };
        let Some(whole) = captures.get(0) else { return key.to_owned() };
        let replaced = expand(&self.replacement, &captures);
        format!("{}{replaced}{}", key.get(..whole.start()).unwrap_or(""), key.get(whole.end()..).unwrap_or(""))
    }
}

/// JavaScript's `$1`, `$&`, `$$` and `$<name>` in a replacement.
fn expand(replacement: &str, captures: &fancy_regex::Captures<'_>) -> String {
    let mut text = String::new();
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        let digits = after.bytes().take(2).take_while(u8::is_ascii_digit).count();
        let number = |digits: usize| after.get(..digits).and_then(|digits| digits.parse::<usize>().ok());
        let group = (1..=digits)
            .rev()
            .find_map(|count| number(count).filter(|n| *n > 0 && *n < captures.len()).map(|n| (count, n)));
        if let Some((count, group)) = group {
            text.push_str(captures.get(group).map_or("", |found| found.as_str()));
            rest = after.get(count..).unwrap_or("");
        } else if let Some(after) = after.strip_prefix('$') {
            text.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('&') {
            text.push_str(captures.get(0).map_or("", |found| found.as_str()));
            rest = after;
        } else if let Some((name, after)) = after.strip_prefix('<').and_then(|after| after.split_once('>')) {
            text.push_str(captures.name(name).map_or("", |found| found.as_str()));
            rest = after;
        } else {
            text.push('$');
            rest = after;
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    #[test]
    fn named_fields_get_new_names() {
        let parameters = json!({"keys": {"key": [
            {"currentKey": "a", "newKey": "x"}, {"currentKey": "b.c", "newKey": "d"}, {"currentKey": "z", "newKey": "y"},
        ]}});
        let mut bench = Bench::new(&RenameKeys, 1.0, parameters).input(json!([{"a": 1, "b": {"c": 2, "e": 3}}]));
        assert_eq!(bench.output(), json!([{"b": {"e": 3}, "x": 1, "d": 2}]));
    }

    fn by_pattern(search: &str, replace: &str, options: Value) -> Value {
        let parameters = json!({"additionalOptions": {"regexReplacement": {"replacements": [
            {"searchRegex": search, "replaceRegex": replace, "options": options},
        ]}}});
        let input = json!([{"old_id": 1, "in": {"OLD_id": 2, "list": [{"old_x": 3}]}, "other": 4}]);
        Bench::new(&RenameKeys, 1.0, parameters).input(input).output()
    }

    #[test]
    fn patterns_rename_at_every_depth() {
        assert_eq!(
            by_pattern("^old_(.+)$", "new_$1", json!({"caseInsensitive": true})),
            json!([{"in": {"list": [{"new_x": 3}], "new_id": 2}, "other": 4, "new_id": 1}])
        );
        assert_eq!(
            by_pattern("old_(?<rest>id)", "$<rest>", json!({"depth": 0})),
            json!([{"in": {"OLD_id": 2, "list": [{"old_x": 3}]}, "other": 4, "id": 1}])
        );
    }

    #[test]
    fn a_bad_pattern_is_told() {
        let parameters = json!({"additionalOptions": {"regexReplacement": {"replacements": [{"searchRegex": "("}]}}});
        let failure = Bench::new(&RenameKeys, 1.0, parameters).input(json!([{"a": 1}])).failure();
        assert!(failure.starts_with("the pattern '(' is not valid"));
    }
}
