//! What the definitions declare is looked at as a whole, and tried out: a form must not offer what a node does not know.

#![expect(clippy::unwrap_used, reason = "this helps tests: what fails panics")]

mod consistent;
#[cfg(test)]
mod tried;
mod valid;

use serde_json::{Map, Value, json};
use timeloom_domain::catalogue::{Choice, Condition, Level, NodeDefinition, ParameterDefinition, ParameterKind};
use timeloom_engine::node::NodeRegistry;

/// Checks what node types declare: names, words, defaults and conditions fit each other, and what a form gives is valid.
pub fn check_definitions(registry: &NodeRegistry) {
    consistent::check_words_and_conditions(registry);
    consistent::check_palette_and_credentials(registry);
    valid::check_validity(registry);
}

#[cfg(test)]
#[test]
fn what_the_built_in_node_types_declare_fits_together() {
    check_definitions(&crate::registry::all());
}

/// The words and numbers that may be chosen.
fn choices_of(parameter: &ParameterDefinition) -> Option<&'static [Choice]> {
    match parameter.kind {
        ParameterKind::Options(choices) | ParameterKind::MultiOptions(choices) => Some(choices),
        _ => None,
    }
}

/// All values that a parameter may have, where they can be counted.
fn values_of(parameter: &ParameterDefinition) -> Option<Vec<Value>> {
    match parameter.kind {
        ParameterKind::Options(choices) => Some(choices.iter().map(|choice| choice.value.to_json()).collect()),
        ParameterKind::Boolean => Some(vec![json!(true), json!(false)]),
        _ => None,
    }
}

/// Something for a parameter that has no default.
fn sample(parameter: &ParameterDefinition) -> Value {
    match parameter.kind {
        ParameterKind::Text | ParameterKind::LongText | ParameterKind::Color | ParameterKind::Code(_) => json!("id"),
        ParameterKind::Number => json!(1),
        ParameterKind::Boolean => json!(false),
        ParameterKind::Options(choices) => choices[0].value.to_json(),
        ParameterKind::MultiOptions(choices) => json!([choices[0].value.to_json()]),
        ParameterKind::Json | ParameterKind::Structure => json!({"id": 1}),
        ParameterKind::DateTime => json!("2030-01-31T08:00:00Z"),
        ParameterKind::Collection(_) | ParameterKind::List(_) => json!({}),
        ParameterKind::Assignments(_) => json!({"assignments": []}),
        ParameterKind::Conditions(_) => json!({"conditions": []}),
        ParameterKind::Resource(_) => json!({"__rl": true, "mode": "id", "value": "id"}),
    }
}

/// Every combination of what decides about other parameters, for one version: parameters with that said and nothing else.
fn cases(definition: &NodeDefinition, version: f64) -> Vec<Map<String, Value>> {
    let deciding = |parameter: &ParameterDefinition| decides(definition.parameters, parameter.name);
    let mut cases = vec![Map::new()];
    for parameter in definition.parameters.iter().filter(|parameter| deciding(parameter)) {
        let Some(values) = values_of(parameter) else { continue };
        cases = cases
            .into_iter()
            .flat_map(|case| {
                let said = Value::Object(case.clone());
                if !Level::of(definition, version, &said).shows(parameter) {
                    return vec![case];
                }
                let with = |value: &Value| {
                    let mut case = case.clone();
                    case.insert(parameter.name.to_owned(), value.clone());
                    case
                };
                values.iter().map(with).collect()
            })
            .collect();
    }
    assert!(cases.len() < 2_000, "{} has {} cases", definition.node_type, cases.len());
    cases
}

/// Whether a condition somewhere names that parameter of the node.
fn decides(parameters: &[ParameterDefinition], name: &str) -> bool {
    let names = |condition: &Condition| condition.parameter.trim_start_matches('/').split('.').next() == Some(name);
    parameters.iter().any(|parameter| parameter.shown_when.iter().any(names) || decides_within(parameter, name))
}

fn decides_within(parameter: &ParameterDefinition, name: &str) -> bool {
    let names = |condition: &Condition| condition.parameter.strip_prefix('/') == Some(name);
    parameter.fields().any(|field| field.shown_when.iter().any(names) || decides_within(field, name))
}

/// What is said for parameters that count: samples where they have no default and `full` or `required` asks for one, and the
/// defaults themselves where `spelled`.
fn filled(
    level: Level<'_>,
    said: &Map<String, Value>,
    spelled: bool,
    wants: fn(&ParameterDefinition) -> bool,
) -> Value {
    let mut filled = said.clone();
    let shown: Vec<ParameterDefinition> = level.shown().copied().collect();
    for parameter in shown {
        let has = filled.contains_key(parameter.name);
        let value = match parameter.kind {
            _ if has => continue,
            ParameterKind::Collection(fields) => {
                let empty = json!({});
                filled_fields(level, fields, &empty, spelled, |_| false)
            }
            ParameterKind::List(sections) if wants(&parameter) => {
                let entry = |fields: &'static [ParameterDefinition]| {
                    let empty = json!({});
                    filled_fields(level, fields, &empty, spelled, |field| field.default.is_none())
                };
                let section = |section: &timeloom_domain::catalogue::Section| {
                    let entry = entry(section.fields);
                    (section.key.to_owned(), if section.many { json!([entry]) } else { entry })
                };
                Value::Object(sections.iter().map(section).collect())
            }
            _ => match parameter.default {
                Some(default) if spelled => default.to_json(),
                None if wants(&parameter) => sample(&parameter),
                _ => continue,
            },
        };
        filled.insert(parameter.name.to_owned(), value);
    }
    Value::Object(filled)
}

fn filled_fields(
    level: Level<'_>,
    fields: &'static [ParameterDefinition],
    said: &Value,
    spelled: bool,
    wants: fn(&ParameterDefinition) -> bool,
) -> Value {
    // What is filled in decides about what follows: field by field.
    let mut so_far = said.clone();
    for field in fields {
        let entry = so_far.clone();
        let one = std::slice::from_ref(field);
        let counts = level.within(fields, &entry).shows(field);
        if !counts || entry.get(field.name).is_some() {
            continue;
        }
        let at = Level { here: (one, &entry), ..level };
        let bare = ParameterDefinition { shown_when: &[], ..*field };
        let made = filled_one(at, &bare, spelled, wants);
        if let (Some(value), Value::Object(entry)) = (made, &mut so_far) {
            entry.insert(field.name.to_owned(), value);
        }
    }
    so_far
}

fn filled_one(
    level: Level<'_>,
    parameter: &ParameterDefinition,
    spelled: bool,
    wants: fn(&ParameterDefinition) -> bool,
) -> Option<Value> {
    match (parameter.kind, parameter.default) {
        (ParameterKind::Collection(fields), _) => Some(filled_fields(level, fields, &json!({}), spelled, |_| false)),
        (ParameterKind::List(_), _) => None,
        (_, Some(default)) => spelled.then(|| default.to_json()),
        (_, None) => wants(parameter).then(|| sample(parameter)),
    }
}

/// Whether two lists of values have nothing in common.
fn disjoint(one: &[Value], other: &[Value]) -> bool {
    one.iter().all(|value| !other.contains(value))
}
