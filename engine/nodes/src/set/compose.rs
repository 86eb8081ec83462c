//! Puts an item together from the kept fields of the input and the new ones.

use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject, SharedObject};
use timeloom_engine::node::{NodeError, NodeRun};

use super::Fields;
use crate::each::{self, Each};
use crate::values;

/// What is kept of an input item.
pub(super) struct Choice {
    keep: Keep,
    keep_binary: bool,
    dots: bool,
}

/// Which fields of an input item are kept.
enum Keep {
    All,
    Nothing,
    Selected(Vec<String>),
    Except(Vec<String>),
}

/// Where it is written what is kept.
const PATHS: [&str; 5] = ["options", "includeOtherFields", "include", "includeFields", "excludeFields"];

/// The choice for each item.
pub(super) fn choices(run: &mut NodeRun<'_>) -> Each<Result<Choice, NodeError>> {
    if each::are_same(run, &PATHS) {
        let options = run.raw_parameter("options").cloned();
        return Each::Same(choice(run, 0, options.as_ref()));
    }
    let options = run.parameter_for_items("options").into_iter().enumerate();
    Each::ByItem(options.map(|(index, options)| choice(run, index, options?.as_ref())).collect())
}

fn choice(run: &mut NodeRun<'_>, index: usize, options: Option<&Value>) -> Result<Choice, NodeError> {
    let option = |key: &str| options.and_then(|options| options.get(key));
    let keeps_others = run.version() < 3.3 || run.boolean("includeOtherFields", index, false)?;
    let include = if keeps_others { run.text("include", index, "all")? } else { "none".to_owned() };
    let keep = match include.as_str() {
        "none" => Keep::Nothing,
        "selected" => Keep::Selected(names(&run.text("includeFields", index, "")?)),
        "except" => Keep::Except(names(&run.text("excludeFields", index, "")?)),
        _ => Keep::All,
    };
    let keep_binary = if run.version() >= 3.4 {
        !option("stripBinary").is_some_and(values::truthy) && !matches!(keep, Keep::Nothing)
    } else {
        option("includeBinary").is_some_and(values::truthy)
    };
    Ok(Choice { keep, keep_binary, dots: option("dotNotation") != Some(&Value::Bool(false)) })
}

fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The item that the node gives for input item `index`.
pub(super) fn item(input: Item, index: usize, fields: &mut Fields, choice: &Choice) -> Item {
    let mut json = match &choice.keep {
        Keep::All => input.json,
        Keep::Nothing => SharedObject::default(),
        Keep::Selected(names) => selected(&input.json, names, choice.dots).into(),
        Keep::Except(names) => {
            let mut kept = input.json;
            let keys: Vec<String> = names.iter().map(|name| key(&kept, name)).collect();
            for key in &keys {
                values::unset(&mut kept, key, choice.dots);
            }
            kept
        }
    };
    for (name, value) in fields.take(index) {
        let name = key(&json, &name);
        values::set(&mut json, &name, value, choice.dots);
    }
    let mut made = Item::new(json).paired_with(index);
    if choice.keep_binary {
        made.binary = input.binary;
    }
    made
}

/// The selected fields; a path gives the field at its end.
fn selected(json: &JsonObject, names: &[String], dots: bool) -> JsonObject {
    let mut kept = JsonObject::new();
    for name in names {
        let value = values::get(json, &key(json, name), dots);
        let last = if dots { name.rsplit('.').next().unwrap_or(name) } else { name };
        let last = key(&kept, last);
        match value {
            Some(value) => values::set(&mut kept, &last, value.clone(), dots),
            None => values::set_nothing(&mut kept, &last, dots),
        }
    }
    kept
}

/// The key that a name such as `["a b"]` means, where there is no field of exactly that name.
fn key(json: &JsonObject, name: &str) -> String {
    let bare = ["'", "\""]
        .iter()
        .find_map(|quote| name.strip_prefix(&format!("[{quote}"))?.strip_suffix(&format!("{quote}]")));
    match bare {
        Some(bare) if !json.contains_key(name) => bare.to_owned(),
        _ => name.to_owned(),
    }
}
